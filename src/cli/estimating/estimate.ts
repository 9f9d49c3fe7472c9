/** What a model.json takes, in a round and in all the jobs that come of it: measured where it can be, computed where it is too large. */
import { loadavg } from 'node:os';
import type { JsonObject } from '../../learning/json-object.ts';
import { epsilonFromRho } from '../../privacy/accounting/zcdp.ts';
import { formatRational, multiplyRationals, rational, sumRationals, toNumberAbove } from '../../privacy/rational.ts';
import { type PrivacyStatement, privacyStatement } from '../../privacy/statement.ts';
import { privacyTerms } from '../../protocol/terms.ts';
import { type EstimateWarning, warningsOf } from './estimate-warnings.ts';
import {
  type Basis,
  beginning,
  cpuOfBeginning,
  cpuOfRound,
  type Duration,
  durationOfRound,
  memoryOf,
  processors,
  type Traffic,
  trafficOf,
} from './job-cost.ts';
import { type Jobs, jobsOf, type RoundShape, trialOf } from './job-shape.ts';
import { measureOperations, type Operations } from './operations.ts';
import { cellsOfRecord, madeUpRecords } from './trial-data.ts';
import { type PerParty, runTrial, trialSteps } from './trial-run.ts';

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
  /** Told how many steps of how many are done. */
  readonly onProgress: (done: number, total: number) => void;
  readonly signal: AbortSignal;
}

/** Seconds of a processor, or bytes, of each party; of a data owner those of one. */
export interface Parties {
  readonly owner: number;
  readonly facilitator: number;
  readonly model_owner: number;
}

export interface RoundEstimate {
  readonly cpu_seconds: Parties;
  readonly seconds: Duration;
  readonly bytes: Traffic;
}

export interface Estimate {
  readonly owners: number;
  readonly records_per_owner: number;
  /** The training, those without each fold, and the statistics from which ranges follow. */
  readonly jobs: number;
  /** Of all jobs, at most. */
  readonly rounds: number;
  readonly plan: {
    readonly key_bits: number;
    readonly values: number;
    readonly slot_bits: number;
    readonly slots_per_ciphertext: number;
    readonly ciphertexts: number;
  };
  readonly round: RoundEstimate;
  /** Where the training ends with a round that sums something else. */
  readonly closing_round?: RoundEstimate & { readonly values: number; readonly ciphertexts: number };
  readonly whole: {
    /** Keys and their proof, tables, records, answers: before the first round of each job. */
    readonly begin_seconds: number;
    readonly cpu_seconds: Parties;
    readonly seconds: Duration;
    readonly bytes: Traffic;
  };
  /** The most in memory of each process. */
  readonly memory_bytes: Parties;
  /** Of all jobs together. */
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
  const { document, onProgress, signal, links, budget } = options;
  const load = (loadavg()[0] ?? 0) / processors();
  const jobs = jobsOf(document, options.owners, options.records);
  const job = jobs.main;
  const tried = trialOf(job, cellsOfRecord(job.model));
  let done = 0;
  const onStep = (): void => {
    onProgress(done, 1 + trialSteps);
    done += 1;
  };
  onStep();
  const cost = await measureOperations(job, signal);
  const data = Array.from({ length: tried.owners }, () => madeUpRecords(tried.model, tried.records));
  const trial = await runTrial({ document: tried.document, data, budget, onStep, signal });
  const basis: Basis = { job, tried, trial, cost };
  const roundOf = (shape: RoundShape): RoundEstimate => {
    const cpu = cpuOfRound(basis, shape);
    return {
      cpu_seconds: named(cpu),
      seconds: durationOfRound(basis, shape, cpu, links),
      bytes: trafficOf(shape, job.owners),
    };
  };
  const { plan } = job.terms;
  const { backend, ...times } = cost;
  const [round, closing] = [roundOf(job.round), job.closing && roundOf(job.closing)];
  return {
    owners: job.owners,
    records_per_owner: job.records,
    jobs: jobs.all.reduce((sum, each) => sum + each.times, 0),
    rounds: roundsOf(jobs),
    plan: {
      key_bits: plan.keyBits,
      values: plan.length,
      slot_bits: plan.slotBits,
      slots_per_ciphertext: plan.slotsPerCiphertext,
      ciphertexts: plan.ciphertexts,
    },
    round,
    ...(closing === undefined || job.closing === undefined
      ? {}
      : { closing_round: { values: job.closing.values, ciphertexts: job.closing.ciphertexts, ...closing } }),
    whole: wholeOf(basis, jobs, links, roundOf),
    memory_bytes: named(memoryOf(basis)),
    privacy: privacyOf(jobs),
    measured: {
      backend,
      processors: processors(),
      operations: times,
      trial: {
        owners: tried.owners,
        records_per_owner: tried.records,
        ciphertexts: tried.round.ciphertexts,
        rounds: trial.rounds,
      },
    },
    warnings: warningsOf({
      job,
      durations: [round.seconds, ...(closing === undefined ? [] : [closing.seconds])],
      load,
    }),
  };
}

function roundsOf({ all }: Jobs): number {
  return all.reduce((sum, { shape, times }) => sum + times * (shape.rounds + (shape.closing === undefined ? 0 : 1)), 0);
}

/** Job after job, and every round of each. */
function wholeOf(
  basis: Basis,
  { all }: Jobs,
  links: readonly number[],
  roundOf: (shape: RoundShape) => RoundEstimate,
): Estimate['whole'] {
  const kinds = all.flatMap(({ shape, times }) => [
    { count: times * shape.rounds, ...roundOf(shape.round) },
    ...(shape.closing === undefined ? [] : [{ count: times, ...roundOf(shape.closing) }]),
  ]);
  const jobs = all.reduce((sum, { times }) => sum + times, 0);
  const begin = beginning(basis);
  const cpu = named(cpuOfBeginning(basis));
  const sum = (once: number, of: (kind: RoundEstimate) => number): number =>
    kinds.reduce((total, kind) => total + kind.count * of(kind), jobs * once);
  return {
    begin_seconds: begin.together,
    cpu_seconds: {
      owner: sum(cpu.owner, (kind) => kind.cpu_seconds.owner),
      facilitator: sum(cpu.facilitator, (kind) => kind.cpu_seconds.facilitator),
      model_owner: sum(cpu.model_owner, (kind) => kind.cpu_seconds.model_owner),
    },
    seconds: {
      together: sum(begin.together, (kind) => kind.seconds.together),
      apart: links.map((mbits, at) => ({
        mbits,
        seconds: sum(begin.apart, (kind) => kind.seconds.apart[at]?.seconds ?? 0),
      })),
    },
    bytes: {
      owner: { up: sum(0, ({ bytes }) => bytes.owner.up), down: sum(0, ({ bytes }) => bytes.owner.down) },
      facilitator: {
        received: sum(0, ({ bytes }) => bytes.facilitator.received),
        sent: sum(0, ({ bytes }) => bytes.facilitator.sent),
      },
      model_owner: {
        up: sum(0, ({ bytes }) => bytes.model_owner.up),
        down: sum(0, ({ bytes }) => bytes.model_owner.down),
      },
    },
  };
}

/** What all rounds of all jobs spend: each has a share of the promise. */
export function privacyOf(jobs: Jobs): PrivacyStatement {
  const { main, all } = jobs;
  const terms = privacyTerms(main.model, main.terms);
  const statement = privacyStatement(terms, terms?.calibration.rounds ?? 0);
  if (!('promised' in statement) || all.length === 1) return statement;
  const rho = sumRationals(
    all.map(({ shape, times }) =>
      multiplyRationals(rational(BigInt(times)), shape.terms.calibration?.rhoTotal ?? rational(0n)),
    ),
  );
  const number = toNumberAbove(rho);
  const { delta } = statement.promised;
  const loss = {
    rounds: roundsOf(jobs),
    rho: { fraction: formatRational(rho), number },
    epsilon: delta === null ? null : epsilonFromRho(number, delta).epsilon,
    delta,
  };
  return { ...statement, promised: loss, spent: loss };
}

function named({ owner, facilitator, modelOwner }: PerParty<number>): Parties {
  return { owner, facilitator, model_owner: modelOwner };
}
