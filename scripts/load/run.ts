/** Both scenarios: a round with so many ciphertexts a contribution, and the same with ten times as many. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPair } from '../../src/paillier/key-generation.ts';
import { createCohort } from './cohort.ts';
import { runScenario, type ScenarioReport } from './scenario.ts';

export interface LoadOptions {
  readonly owners: number;
  readonly ciphertexts: number;
  readonly concurrency: number;
  /** A postgres:// URL; a new SQLite file for every scenario unless given. */
  readonly store?: string | undefined;
  /** The folder for profiles of the facilitator's processor time. */
  readonly profile?: string | undefined;
  readonly signal: AbortSignal;
  /** Told what happens, a line at a time. */
  readonly tell: (line: string) => void;
}

export const keyBits = 2048;

/** The scenario with few ciphertexts, and the one with ten times as many. */
export type LoadReports = readonly [few: ScenarioReport, many: ScenarioReport];

/** @throws when a sum is wrong; SealsumError for what cannot be done, aborted when the signal fires */
export async function runLoad(options: LoadOptions): Promise<LoadReports> {
  const { owners, ciphertexts, concurrency, profile, signal, tell } = options;
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-load-'));
  try {
    tell(`making ${owners} identities and a key of ${keyBits} bits`);
    const cohort = await createCohort(folder, owners);
    const keys = await generateKeyPair({ bits: keyBits, signal });
    const run = (count: number): Promise<ScenarioReport> => {
      const store = options.store ?? join(folder, `${count}.sqlite`);
      return runScenario({ cohort, keys, ciphertexts: count, concurrency, store, profile, signal, tell });
    };
    const few = await run(ciphertexts);
    return [few, await run(10 * ciphertexts)];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
