/** Makes a project in a temporary folder, starts its parties on free ports, trains, and removes everything, whatever happens. */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalProject, localNames } from '../../src/config/project.ts';
import { SealsumError } from '../../src/errors.ts';
import {
  type CollectedStatistics,
  type FollowModelOptions,
  followModel,
  followStatistics,
  type TrainedModel,
} from '../../src/http/model-owner-client.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import { ownerIdSchema } from '../../src/protocol/identifiers.ts';
import { type PartyKind, type PartyProcess, startParty } from './party.ts';
import { splitRows } from './split.ts';

export interface DemoOptions {
  /** The content of a model.json. */
  readonly document: unknown;
  /** The path of the data file. */
  readonly data: string;
  /** The path of the rows that the model predicts; the data unless given. */
  readonly evaluation?: string;
  readonly owners: number;
  /** Told what happens, a line at a time. */
  readonly onStep: (line: string) => void;
  readonly onProgress: (done: number, planned: number) => void;
  /** Told of every party as it is started. */
  readonly onParty?: (party: PartyProcess) => void;
  /** Environment variables that every party has. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface DemoRun extends TrainedModel {
  readonly bytesPerOwnerRound: number;
  /** The median over the rounds. */
  readonly secondsPerRound: number;
  readonly secondsInAll: number;
}

/** What ends a demo early; with the copies of the data it must not leave anything behind. */
const interruptions = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** @throws SealsumError why it could not be done; aborted when the process is asked to end */
export function runDemo(options: DemoOptions): Promise<DemoRun> {
  return withParties(options, train);
}

/** The same for a model.json of the type STATISTICS. */
export function runStatisticsDemo(options: DemoOptions): Promise<CollectedStatistics> {
  return withParties(options, followStatistics);
}

async function withParties<Result>(
  options: DemoOptions,
  follow: (job: FollowModelOptions) => Promise<Result>,
): Promise<Result> {
  const stop = new AbortController();
  const interrupt = (): void => {
    stop.abort(new SealsumError('aborted', 'stopped'));
  };
  for (const name of interruptions) process.on(name, interrupt);
  const parties: PartyProcess[] = [];
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-demo-'));
  try {
    return await follow(await startParties(options, folder, parties, stop));
  } catch (error) {
    // Whatever fails while everything is being stopped is a consequence of it.
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    stop.abort();
    await Promise.all(parties.map((party) => party.stop()));
    await rm(folder, { recursive: true, force: true });
    for (const name of interruptions) process.removeListener(name, interrupt);
  }
}

async function train(job: FollowModelOptions): Promise<DemoRun> {
  const started = performance.now();
  const trained = await followModel(job);
  return {
    ...trained,
    bytesPerOwnerRound: trained.rounds.at(-1)?.bytes ?? 0,
    secondsPerRound: median(trained.rounds.map((round) => round.seconds)),
    secondsInAll: (performance.now() - started) / 1000,
  };
}

/** What is to be posted, and where. */
async function startParties(
  { document, data, evaluation = data, owners, onStep, onProgress, onParty, settings }: DemoOptions,
  folder: string,
  parties: PartyProcess[],
  stop: AbortController,
): Promise<FollowModelOptions> {
  const { signal } = stop;
  const names = Array.from({ length: owners }, (_, index) => ownerIdSchema.parse(`owner-${index + 1}`));
  const shares = await splitRows(data, document, folder, names);
  const ports = { facilitator: 0, modelOwner: 0, firstOwner: 0 };
  await createLocalProject({ folder, owners: names, ports, passphrase: 'random' }, systemRandom);
  const start = (name: string, kind: PartyKind, args: readonly string[]): Promise<string> => {
    signal.throwIfAborted();
    const party = startParty(name, kind, ['--config', join(folder, name, 'config.toml'), ...args], settings);
    parties.push(party);
    onParty?.(party);
    void party.ended.then((said) => {
      stop.abort(new SealsumError('request_failed', `${name} has ended: ${said === '' ? 'nobody knows why' : said}`));
    });
    return party.url;
  };
  const facilitator = await start(localNames.facilitator, 'facilitator', []);
  onStep(`facilitator at ${facilitator}`);
  const common = ['--facilitator', facilitator];
  const starts = names.map((name) => () => start(name, 'data-owner', common));
  const urls = await inTurns([
    ...starts,
    () => start(localNames.modelOwner, 'model-owner', [...common, '--data', evaluation]),
  ]);
  for (const [index, { rows }] of shares.entries())
    onStep(`${names[index] ?? ''} at ${urls[index] ?? ''}, ${rows} rows`);
  const url = urls.at(-1) ?? '';
  onStep(`model owner at ${url}`);
  return { url, document, fetch, clock: systemClock, signal, onProgress };
}

/** What each of them resolves to; opening an identity takes a processor and 128 MiB, so only a few are started at once. */
async function inTurns<T>(starts: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  const queue = starts.entries();
  const turn = async (): Promise<void> => {
    for (const [index, start] of queue) results[index] = await start();
  };
  await Promise.all(Array.from({ length: 2 * availableParallelism() }, turn));
  return results;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
