/**
 * What a job takes: from the first rounds of a part of it that were run for real (trial-run.ts), and from what single operations take
 * (operations.ts) for everything that was left out of that part.
 *
 * With c ciphertexts of a contribution, n owners with r records each, and a prime for what was tried, of a processor in each round
 *
 *     owner        o = o' + (c − c')·encrypt + (r·v − r'·v')
 *     facilitator  f = (f' − c'·encrypt − n'·c'·fold)·n/n' + c·encrypt + n·c·fold
 *     model owner  m = m' + (c − c')·decrypt
 *
 * where v is what one record takes. On one machine of k processors a round takes w = w' + (n·o + f + m − n'·o' − f' − m')/k by the clock; with a machine
 * for each party and links of L bits a second, the time in which nobody computed, w' − max((n'·o' + f' + m')/k, o' + f' + m'), then o + f + m,
 * then what the facilitator's link carries: n parameters out, n contributions in, one aggregate out.
 */
import { availableParallelism, loadavg } from 'node:os';
import { compileFeatures, encodeTable, type Records } from '../../learning/features.ts';
import type { JsonObject } from '../../learning/json-object.ts';
import { isStatistics } from '../../learning/statistics/model.ts';
import { compileColumns, encodeColumns } from '../../learning/statistics/records.ts';
import { readTable } from '../../learning/table.ts';
import { type PrivacyStatement, privacyStatement } from '../../privacy/statement.ts';
import { privacyTerms } from '../../protocol/terms.ts';
import { type EstimateWarning, warningsOf } from './estimate-warnings.ts';
import { type JobShape, shapeOf, standardises, trialOf } from './job-shape.ts';
import { measureOperations, type Operations } from './operations.ts';
import { cellsOfRecord, madeUpRecords } from './trial-data.ts';
import { type PerParty, runTrial, type Trial } from './trial-run.ts';

export interface EstimateOptions {
  /** The content of a model.json. */
  readonly document: JsonObject;
  /** As many as the model names, or 3, unless given. */
  readonly owners?: number | undefined;
  /** Of each owner. */
  readonly records: number;
  /** Mbit/s of every party's link. */
  readonly links: readonly number[];
  /** Seconds of rounds that are measured, roughly. */
  readonly budget: number;
  readonly onStep: (line: string) => void;
  readonly signal: AbortSignal;
}

/** By the clock. */
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

export interface Estimate {
  readonly owners: number;
  readonly records_per_owner: number;
  readonly jobs: number;
  /** Of each job, at most. */
  readonly rounds: number;
  readonly plan: {
    readonly key_bits: number;
    readonly values: number;
    readonly slot_bits: number;
    readonly slots_per_ciphertext: number;
    readonly ciphertexts: number;
  };
  readonly round: {
    readonly cpu_seconds: { readonly owner: number; readonly facilitator: number; readonly model_owner: number };
    readonly seconds: Duration;
    readonly bytes: Traffic;
  };
  readonly whole: {
    /** Keys and their proof, tables, records, answers: before the first round of each job. */
    readonly begin_seconds: number;
    readonly cpu_seconds: { readonly owner: number; readonly facilitator: number; readonly model_owner: number };
    readonly seconds: Duration;
    readonly bytes: Traffic;
  };
  /** The most in memory of each process. */
  readonly memory_bytes: { readonly owner: number; readonly facilitator: number; readonly model_owner: number };
  readonly privacy: PrivacyStatement;
  readonly measured: {
    readonly backend: string;
    readonly processors: number;
    /** Seconds of a processor. */
    readonly operations: Omit<Operations, 'backend'>;
    /** What was run for real. */
    readonly trial: {
      readonly owners: number;
      readonly records_per_owner: number;
      readonly ciphertexts: number;
      readonly rounds: number;
    };
  };
  readonly warnings: readonly EstimateWarning[];
}

/** @throws SealsumError model_invalid, plan_unsafe, privacy_invalid, message_invalid; what the trial failed with; aborted */
export async function estimate(options: EstimateOptions): Promise<Estimate> {
  const { document, onStep, signal, links, budget } = options;
  const load = (loadavg()[0] ?? 0) / processors();
  const job = shapeOf(document, options.owners, options.records);
  const tried = trialOf(job, cellsOfRecord(job.model));
  onStep('measuring keys, encryption, products, decryption and sums over records');
  const operations = await measureOperations(job.terms, job.rounds, await sampleOf(job));
  const small = recordSeconds(tried, operations, job);
  const data = Array.from({ length: tried.owners }, () => madeUpRecords(tried.model, tried.records));
  const trial = await runTrial({ document: tried.document, data, budget, onStep, signal });
  const round = roundOf(job, tried, trial, operations, small);
  const duration = durationOf(job, tried, trial, round, links);
  const beginTogether =
    trial.seconds.begin + (Math.max(0, job.owners - tried.owners) * trial.cpu.begin.owner) / processors();
  const { jobs, rounds, terms } = job;
  const { plan } = terms;
  const traffic = trafficOf(job);
  const promise = privacyTerms(job.model, terms);
  const whole = {
    begin_seconds: beginTogether,
    cpu_seconds: named(combine(round, trial.cpu.begin, (each, begin) => jobs * (rounds * each + begin))),
    seconds: {
      together: jobs * (beginTogether + rounds * duration.together),
      apart: duration.apart.map(({ mbits, seconds }) => ({
        mbits,
        seconds: jobs * (trial.seconds.begin + rounds * seconds),
      })),
    },
    bytes: timesTraffic(traffic, jobs * rounds),
  };
  const figures = { job, duration, load, standardises: standardises(document) };
  const { backend, ...times } = operations;
  return {
    owners: job.owners,
    records_per_owner: job.records,
    jobs,
    rounds,
    plan: {
      key_bits: plan.keyBits,
      values: plan.length,
      slot_bits: plan.slotBits,
      slots_per_ciphertext: plan.slotsPerCiphertext,
      ciphertexts: plan.ciphertexts,
    },
    round: { cpu_seconds: named(round), seconds: duration, bytes: traffic },
    whole,
    memory_bytes: named(memoryOf(job, tried, trial)),
    privacy: privacyStatement(promise, promise === undefined ? 0 : rounds),
    measured: {
      backend,
      processors: processors(),
      operations: times,
      trial: {
        owners: tried.owners,
        records_per_owner: tried.records,
        ciphertexts: tried.terms.plan.ciphertexts,
        rounds: trial.rounds,
      },
    },
    warnings: warningsOf(figures),
  };
}

function processors(): number {
  return availableParallelism();
}

/** Some records of a job, made up. */
async function sampleOf(job: JobShape): Promise<Records> {
  const cells = cellsOfRecord(job.model);
  const count = Math.max(1, Math.min(job.records, Math.floor(20_000 / cells)));
  const table = await readTable({ text: madeUpRecords(job.model, count) }, job.model.data_props);
  if (isStatistics(job.model)) return encodeColumns(compileColumns(job.model), table);
  return encodeTable(compileFeatures(job.model), table);
}

/** Of what was tried, with fewer columns: in proportion to what a record's sums are made of. */
function recordSeconds(tried: JobShape, { record }: Operations, job: JobShape): number {
  return (record * tried.terms.plan.length) / job.terms.plan.length;
}

function roundOf(job: JobShape, tried: JobShape, trial: Trial, cost: Operations, small: number): PerParty<number> {
  const [c, before] = [job.terms.plan.ciphertexts, tried.terms.plan.ciphertexts];
  const [n, few] = [job.owners, tried.owners];
  const { encrypt, fold, decrypt, record } = cost;
  // Of one round nothing but the operations can be told from the rest of its job.
  const measured = trial.cpu.round ?? {
    owner: before * encrypt + tried.records * small,
    facilitator: before * encrypt + few * before * fold,
    modelOwner: before * decrypt,
  };
  const perOwner = Math.max(0, measured.facilitator - before * encrypt - few * before * fold) / few;
  return {
    owner: Math.max(0, measured.owner + (c - before) * encrypt + job.records * record - tried.records * small),
    facilitator: n * perOwner + c * encrypt + n * c * fold,
    modelOwner: measured.modelOwner + (c - before) * decrypt,
  };
}

function durationOf(
  job: JobShape,
  tried: JobShape,
  { seconds, cpu }: Trial,
  round: PerParty<number>,
  links: readonly number[],
): Duration {
  const total = (each: PerParty<number>, owners: number): number =>
    owners * each.owner + each.facilitator + each.modelOwner;
  const measured = cpu.round === undefined ? undefined : total(cpu.round, tried.owners);
  const k = processors();
  const more = measured === undefined ? 0 : total(round, job.owners) - measured;
  const together = Math.max(seconds.round + more / k, total(round, 0));
  const path = cpu.round === undefined ? 0 : cpu.round.owner + cpu.round.facilitator + cpu.round.modelOwner;
  const waiting = Math.max(0, seconds.round - Math.max((measured ?? 0) / k, path));
  const bits = 8 * (job.owners * (job.contributionBytes + job.parameterBytes) + job.contributionBytes);
  const computing = round.owner + round.facilitator + round.modelOwner;
  return {
    together,
    apart: links.map((mbits) => ({ mbits, seconds: waiting + computing + bits / (1e6 * mbits) })),
  };
}

function trafficOf({ owners, contributionBytes: contribution, parameterBytes: parameters }: JobShape): Traffic {
  return {
    owner: { up: contribution, down: parameters },
    facilitator: { received: owners * contribution + parameters, sent: owners * parameters + contribution },
    model_owner: { up: parameters, down: contribution },
  };
}

function timesTraffic({ owner, facilitator, model_owner: model }: Traffic, by: number): Traffic {
  return {
    owner: { up: owner.up * by, down: owner.down * by },
    facilitator: { received: facilitator.received * by, sent: facilitator.sent * by },
    model_owner: { up: model.up * by, down: model.down * by },
  };
}

/** Bytes of a cell of a data file while it is read, and how often a party has a block of ciphertexts in some form. */
const bytesOfCell = 60;
const copies = 4;

function memoryOf(job: JobShape, tried: JobShape, { memory }: Trial): PerParty<number> {
  const blocks = copies * (job.contributionBytes - tried.contributionBytes);
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

function combine(
  left: PerParty<number>,
  right: PerParty<number>,
  by: (left: number, right: number) => number,
): PerParty<number> {
  return {
    owner: by(left.owner, right.owner),
    facilitator: by(left.facilitator, right.facilitator),
    modelOwner: by(left.modelOwner, right.modelOwner),
  };
}

function named({ owner, facilitator, modelOwner }: PerParty<number>): {
  readonly owner: number;
  readonly facilitator: number;
  readonly model_owner: number;
} {
  return { owner, facilitator, model_owner: modelOwner };
}
