/** Starts the parties on free ports, trains, and stops everything, whatever happens. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { followModel, type TrainedModel } from '../../src/http/model-owner-client.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import { type PartyProcess, startParty } from './party.ts';
import { splitRows } from './split.ts';

export interface DemoOptions {
  /** The content of a model.json. */
  readonly document: unknown;
  /** The path of the data file. */
  readonly data: string;
  readonly owners: number;
  /** Told what happens, a line at a time. */
  readonly onStep: (line: string) => void;
  readonly onProgress: (done: number, planned: number) => void;
}

export interface DemoRun extends TrainedModel {
  readonly bytesPerOwnerRound: number;
  /** The median over the rounds. */
  readonly secondsPerRound: number;
  readonly secondsInAll: number;
}

export async function runDemo(options: DemoOptions): Promise<DemoRun> {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-demo-'));
  const parties: PartyProcess[] = [];
  const interrupted = new AbortController();
  const interrupt = (): void => {
    interrupted.abort();
  };
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  const start = async (...args: Parameters<typeof startParty>): Promise<PartyProcess> => {
    const party = await startParty(...args);
    parties.push(party);
    options.onStep(`${party.name} at ${party.url}`);
    return party;
  };
  try {
    const names = Array.from({ length: options.owners }, (_, index) => `owner-${index + 1}`);
    const shares = await splitRows(options.data, options.document, folder, options.owners);
    const facilitator = await start('facilitator', 'facilitator', []);
    const common = ['--facilitator', facilitator.url];
    await Promise.all(
      names.map((name, index) =>
        start(name, 'data-owner', [...common, '--name', name, '--data', shares[index]?.path ?? '']),
      ),
    );
    for (const [index, name] of names.entries()) options.onStep(`${name} holds ${shares[index]?.rows ?? 0} rows`);
    const evaluation = ['--data', options.data, '--owners', names.join(',')];
    const modelOwner = await start('model owner', 'model-owner', [...common, ...evaluation]);
    const started = performance.now();
    const trained = await followModel({
      url: modelOwner.url,
      document: options.document,
      fetch,
      clock: systemClock,
      signal: interrupted.signal,
      onProgress: options.onProgress,
    });
    return {
      ...trained,
      bytesPerOwnerRound: trained.rounds.at(-1)?.bytes ?? 0,
      secondsPerRound: median(trained.rounds.map((round) => round.seconds)),
      secondsInAll: (performance.now() - started) / 1000,
    };
  } finally {
    process.removeListener('SIGINT', interrupt);
    process.removeListener('SIGTERM', interrupt);
    await Promise.all(parties.map((party) => party.stop()));
    await rm(folder, { recursive: true, force: true });
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
