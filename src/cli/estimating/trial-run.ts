/**
 * The first rounds of a job for real: every party a process, over loopback HTTP with stores on the disk. What they take is measured
 * from outside, by the clock and by what each process says of its own processor time and memory.
 */
import { SealsumError } from '../../errors.ts';
import { type FollowModelOptions, followModel, followStatistics } from '../../http/model-owner-client.ts';
import type { JsonObject } from '../../learning/json-object.ts';
import { asksForStatistics } from '../../learning/model-document.ts';
import { systemClock } from '../../protocol/clock.ts';
import { median } from './operations.ts';
import {
  answerOf,
  type ProcessFigures,
  startTrialParties,
  type TrialParties,
  type TrialParty,
} from './trial-parties.ts';

/** Of each party; of the owners on average. */
export interface PerParty<T> {
  readonly owner: T;
  readonly facilitator: T;
  readonly modelOwner: T;
}

export interface Trial {
  /** Rounds that were timed one after the other; 0 where a job has one round only. */
  readonly rounds: number;
  /** By the clock: of a round, all parties on this machine; from the posted model.json to its first round. */
  readonly seconds: { readonly round: number; readonly begin: number };
  /** Of a processor. */
  readonly cpu: { readonly round: PerParty<number> | undefined; readonly begin: PerParty<number> };
  /** Bytes: the most that was in memory. */
  readonly memory: PerParty<number>;
}

export interface TrialOptions {
  /** A model.json whose quorum the owners are. */
  readonly document: JsonObject;
  /** The content of each owner's data file. */
  readonly data: readonly string[];
  /** Seconds of rounds that are measured, roughly. */
  readonly budget: number;
  /** Called before each step, and after the last. */
  readonly onStep: () => void;
  readonly signal: AbortSignal;
}

type Snapshot = readonly ProcessFigures[];

/** What was seen of one job; times in seconds since it was posted. */
interface Watched {
  readonly ends: readonly number[];
  /** How many of them had ended when `last` was taken. */
  readonly counted: number;
  /** Of the whole job, where it was not broken off. */
  readonly finished: number | undefined;
  /** As the model owner says: of its only round. */
  readonly only: number | undefined;
  readonly before: Snapshot;
  readonly first: Snapshot | undefined;
  readonly last: Snapshot;
}

/** Jobs that are begun, so that the chance of a key averages out. */
const jobs = 3;
/** Starting the parties, a job that warms them up, and those that are measured. */
export const trialSteps: number = 2 + jobs;
const fewestRounds = 4;

/** @throws SealsumError what the job failed with; request_failed; aborted */
export async function runTrial(options: TrialOptions): Promise<Trial> {
  const { data, onStep, signal, budget } = options;
  onStep();
  await using parties = await startTrialParties(data, signal);
  const all = [...parties.owners, parties.facilitator, parties.modelOwner];
  const most = (await snapshot(all)).map(({ residentBytes }) => residentBytes);
  const watched: Watched[] = [];
  const started = performance.now();
  // The first job warms the processes up, and is counted only where it takes long.
  for (let job = 0; job <= jobs; job += 1) {
    onStep();
    const seen = await watch(options, parties, all, budget / jobs);
    for (const [index, { residentBytes }] of seen.last.entries())
      most[index] = Math.max(most[index] ?? 0, residentBytes);
    if (job > 0 || performance.now() - started > 1000 * budget) watched.push(seen);
    if (performance.now() - started > 3000 * budget) break;
  }
  onStep();
  return { ...figuresOf(watched), memory: perParty(most) };
}

async function watch(
  { document, signal }: TrialOptions,
  { modelOwner }: TrialParties,
  all: readonly TrialParty[],
  budget: number,
): Promise<Watched> {
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  const before = await snapshot(all);
  const posted = performance.now();
  const since = (): number => (performance.now() - posted) / 1000;
  const ends: number[] = [];
  let first: Promise<Snapshot> | undefined;
  let last: Promise<Snapshot> | undefined;
  const job: FollowModelOptions = {
    url: modelOwner.url,
    document,
    fetch,
    clock: systemClock,
    signal: until,
    onProgress: (done) => {
      if (done <= ends.length) return;
      ends.push(since());
      if (ends.length === 1) {
        first = snapshot(all);
        // It is waited for at the end.
        first.catch(() => undefined);
      }
      const enough = ends.length > fewestRounds && since() - (ends[0] ?? 0) > budget;
      if (!enough || last !== undefined) return;
      last = snapshot(all);
      counted = ends.length;
      // What is stopped before it was looked at has nothing more to say.
      const end = (): void => {
        stop.abort();
      };
      last.then(end, end);
    },
  };
  let counted: number | undefined;
  let finished: number | undefined;
  let only: number | undefined;
  try {
    if (asksForStatistics(document)) only = await statisticsRound(job);
    else only = (await followModel(job)).rounds.at(-1)?.seconds;
    finished = since();
  } catch (error) {
    if (!stop.signal.aborted || signal.aborted || !(error instanceof SealsumError) || error.code !== 'aborted')
      throw error;
  }
  const end = await (last ?? snapshot(all));
  return { ends, counted: counted ?? ends.length, finished, only, before, first: await first, last: end };
}

/** How long the round of statistics took, as the model owner says. */
async function statisticsRound(job: FollowModelOptions): Promise<number | undefined> {
  const { model } = await followStatistics(job);
  const text = await answerOf(`${job.url}/models/${model}`, job.signal);
  return (JSON.parse(text) as { readonly last_round?: { readonly seconds: number } }).last_round?.seconds;
}

async function snapshot(all: readonly TrialParty[]): Promise<Snapshot> {
  return await Promise.all(all.map((party) => party.figures()));
}

function figuresOf(watched: readonly Watched[]): Pick<Trial, 'rounds' | 'seconds' | 'cpu'> {
  const gaps = watched.flatMap(({ ends }) => ends.slice(1).map((end, index) => end - (ends[index] ?? 0)));
  if (gaps.length === 0) {
    const round = median(watched.flatMap(({ only, finished }) => only ?? finished ?? []));
    return {
      rounds: 0,
      seconds: { round, begin: mean(watched.map(({ finished = 0 }) => finished)) - round },
      cpu: { round: undefined, begin: meanOf(watched.map(({ before, last }) => between(before, last))) },
    };
  }
  const round = mean(gaps);
  const perRound = meanOf(
    watched.flatMap(({ first, last, counted }) =>
      first === undefined || counted < 2 ? [] : [scaled(between(first, last), 1 / (counted - 1))],
    ),
  );
  const begins = watched.flatMap(({ before, first }) =>
    first === undefined ? [] : [scaled(between(before, first), 1)],
  );
  return {
    rounds: gaps.length,
    seconds: { round, begin: Math.max(0, mean(watched.map(({ ends }) => ends[0] ?? 0)) - round) },
    cpu: { round: perRound, begin: minus(meanOf(begins), perRound) },
  };
}

function between(from: Snapshot, to: Snapshot): PerParty<number> {
  return perParty(to.map(({ cpuSeconds }, index) => cpuSeconds - (from[index]?.cpuSeconds ?? 0)));
}

/** Owners first, then the facilitator, then the model owner. */
function perParty(values: readonly number[]): PerParty<number> {
  return { owner: mean(values.slice(0, -2)), facilitator: values.at(-2) ?? 0, modelOwner: values.at(-1) ?? 0 };
}

function scaled({ owner, facilitator, modelOwner }: PerParty<number>, by: number): PerParty<number> {
  return { owner: owner * by, facilitator: facilitator * by, modelOwner: modelOwner * by };
}

function minus(left: PerParty<number>, right: PerParty<number>): PerParty<number> {
  return {
    owner: Math.max(0, left.owner - right.owner),
    facilitator: Math.max(0, left.facilitator - right.facilitator),
    modelOwner: Math.max(0, left.modelOwner - right.modelOwner),
  };
}

function meanOf(all: readonly PerParty<number>[]): PerParty<number> {
  return {
    owner: mean(all.map(({ owner }) => owner)),
    facilitator: mean(all.map(({ facilitator }) => facilitator)),
    modelOwner: mean(all.map(({ modelOwner }) => modelOwner)),
  };
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
