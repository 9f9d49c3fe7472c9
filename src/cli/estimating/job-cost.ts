/**
 * What rounds take: from the first rounds of a part of a job that were run for real (trial-run.ts), and from what single operations take
 * (operations.ts) for everything that was left out of that part.
 *
 * With c ciphertexts of a contribution, n owners with r records each, noise by whom the job says, and a prime for what was tried, of a
 * processor in each round
 *
 *     owner        o = o' + (c − c')·(encrypt + noise) + (r·v − r'·v')
 *     facilitator  f = (f' − c'·(encrypt + noise) − n'·c'·fold)·n/n' + c·(encrypt + noise) + n·c·fold
 *     model owner  m = m' + (c − c')·(decrypt + noise) + (p − p')·encrypt
 *
 * where v is what one record takes, and p are the parameters that go out encrypted; an owner that computes on these takes o = o'·(v·p)/(v'·p').
 * On one machine of k processors a round takes w = w' + (n·o + f + m − n'·o' − f' − m')/k by the clock; with a machine
 * for each party and links of L bits a second, the time in which nobody computed, w' − max((n'·o' + f' + m')/k, o' + f' + m'), then o + f + m,
 * then what the facilitator's link carries: n parameters out, n contributions in, one aggregate out.
 */
import { availableParallelism } from 'node:os';
import type { NoisePlace } from '../../privacy/mode.ts';
import type { JobShape, RoundShape } from './job-shape.ts';
import type { Operations } from './operations.ts';
import { cellsOfRecord } from './trial-data.ts';
import type { PerParty, Trial } from './trial-run.ts';

/** What was measured, and of what. */
export interface Basis {
  /** The job whose operations were measured. */
  readonly job: JobShape;
  /** The part of it that was run. */
  readonly tried: JobShape;
  readonly trial: Trial;
  readonly cost: Operations;
}

/** By the clock, in seconds. */
export interface Duration {
  /** All parties on this machine. */
  readonly together: number;
  /** A machine like this one for each party, by the rate of their links in Mbit/s. */
  readonly apart: readonly { readonly mbits: number; readonly seconds: number }[];
}

/** Payloads alone; exact. */
export interface Traffic {
  readonly owner: { readonly up: number; readonly down: number };
  readonly facilitator: { readonly received: number; readonly sent: number };
  readonly model_owner: { readonly up: number; readonly down: number };
}

export function processors(): number {
  return availableParallelism();
}

/** Seconds of a processor in a round. */
export function cpuOfRound(basis: Basis, shape: RoundShape): PerParty<number> {
  const { job, tried, cost } = basis;
  const { owner, facilitator, modelOwner } = triedRound(basis);
  const { encrypt, fold, decrypt } = cost;
  const [c, before] = [shape.ciphertexts, tried.round.ciphertexts];
  const [n, few] = [job.owners, tried.owners];
  const blinded = encrypt + noiseBy('facilitator', basis);
  const perOwner = Math.max(0, facilitator - before * blinded - few * before * fold) / few;
  return {
    owner:
      shape.hidden > 0
        ? (owner * shape.values * shape.hidden) / (tried.round.values * tried.round.hidden)
        : Math.max(
            0,
            owner +
              (c - before) * (encrypt + noiseBy('data-owners', basis)) +
              job.records * recordIn(shape, basis) -
              tried.records * recordIn(tried.round, basis),
          ),
    facilitator: n * perOwner + c * blinded + n * c * fold,
    modelOwner: Math.max(
      0,
      modelOwner +
        (c - before) * (decrypt + noiseBy('model-owner', basis)) +
        (shape.hidden - tried.round.hidden) * encrypt,
    ),
  };
}

/** Of a round as it was run; of a job's only one nothing but the operations can be told from the rest of the job. */
function triedRound(basis: Basis): PerParty<number> {
  const { tried, trial, cost } = basis;
  const { ciphertexts: c } = tried.round;
  return (
    trial.cpu.round ?? {
      owner: c * (cost.encrypt + noiseBy('data-owners', basis)) + tried.records * recordIn(tried.round, basis),
      facilitator: c * (cost.encrypt + noiseBy('facilitator', basis)) + tried.owners * c * cost.fold,
      modelOwner: c * (cost.decrypt + noiseBy('model-owner', basis)),
    }
  );
}

/** Of a ciphertext, at the place where noise is added to it. */
function noiseBy(place: NoisePlace, { job, cost }: Basis): number {
  return job.model.privacy?.place === place ? cost.noise : 0;
}

/** Of one record in one round: in proportion to what is summed of it. Where parameters are hidden, records are summed once. */
function recordIn({ values, hidden }: RoundShape, { job, cost }: Basis): number {
  return hidden > 0 ? 0 : (cost.record * values) / job.round.values;
}

/** Seconds of a processor before a job's first round. */
export function cpuOfBeginning(basis: Basis): PerParty<number> {
  const { owner, ...others } = triedBeginning(basis);
  return { ...others, owner: owner + readingMore(basis) };
}

function triedBeginning(basis: Basis): PerParty<number> {
  const { cpu } = basis.trial;
  if (cpu.round !== undefined) return cpu.begin;
  const round = triedRound(basis);
  return {
    owner: Math.max(0, cpu.begin.owner - round.owner),
    facilitator: Math.max(0, cpu.begin.facilitator - round.facilitator),
    modelOwner: Math.max(0, cpu.begin.modelOwner - round.modelOwner),
  };
}

/** Of an owner: for the records and columns that were not tried. */
function readingMore({ job, tried, cost }: Basis): number {
  const each = cost.read + (job.round.hidden > 0 ? cost.record : 0);
  const small = (each * cellsOfRecord(tried.model)) / cellsOfRecord(job.model);
  return Math.max(0, job.records * each - tried.records * small);
}

/** Seconds by the clock before a job's first round: on one machine, and with one for each party. */
export function beginning(basis: Basis): { readonly together: number; readonly apart: number } {
  const { job, tried, trial } = basis;
  const apart = trial.seconds.begin + readingMore(basis);
  const more = job.owners * cpuOfBeginning(basis).owner - tried.owners * triedBeginning(basis).owner;
  return { apart, together: Math.max(apart, trial.seconds.begin + Math.max(0, more) / processors()) };
}

/** @param cpu what cpuOfRound() gives for the round */
export function durationOfRound(
  basis: Basis,
  shape: RoundShape,
  cpu: PerParty<number>,
  links: readonly number[],
): Duration {
  const { job, tried, trial } = basis;
  const total = (each: PerParty<number>, owners: number): number =>
    owners * each.owner + each.facilitator + each.modelOwner;
  const measured = triedRound(basis);
  const k = processors();
  const more = total(cpu, job.owners) - total(measured, tried.owners);
  const together = Math.max(trial.seconds.round + more / k, total(cpu, 0));
  const waiting = Math.max(0, trial.seconds.round - Math.max(total(measured, tried.owners) / k, total(measured, 1)));
  const bits = 8 * (job.owners * (shape.contributionBytes + shape.parameterBytes) + shape.contributionBytes);
  return {
    together,
    apart: links.map((mbits) => ({ mbits, seconds: waiting + total(cpu, 1) + bits / (1e6 * mbits) })),
  };
}

/** Of a round. */
export function trafficOf(
  { contributionBytes: contribution, parameterBytes: parameters }: RoundShape,
  owners: number,
): Traffic {
  return {
    owner: { up: contribution, down: parameters },
    facilitator: { received: owners * contribution + parameters, sent: owners * parameters + contribution },
    model_owner: { up: parameters, down: contribution },
  };
}

/** Bytes of a cell of a data file while it is read, and how often a party has a block of ciphertexts in some form. */
const bytesOfCell = 60;
const copies = 4;

/** Bytes that each process has in memory at the most. */
export function memoryOf({ job, tried, trial: { memory } }: Basis): PerParty<number> {
  const largest = Math.max(job.round.contributionBytes, job.closing?.contributionBytes ?? 0);
  const blocks = copies * (largest - tried.round.contributionBytes);
  const cells = cellsOfRecord(job.model) * job.records - cellsOfRecord(tried.model) * tried.records;
  const numbers = 2 * 8 * (widthOf(job) * job.records - widthOf(tried) * tried.records);
  return {
    owner: memory.owner + Math.max(0, blocks + bytesOfCell * cells + numbers),
    facilitator: memory.facilitator + Math.max(0, blocks),
    modelOwner: memory.modelOwner + Math.max(0, blocks),
  };
}

function widthOf({ terms }: JobShape): number {
  return 'width' in terms.map ? terms.map.width : terms.map.columns.length;
}
