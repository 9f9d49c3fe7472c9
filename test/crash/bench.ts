/** What all tests of a file share: a folder with one project and the compiled parties, and the way to report a failure. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type Chance, createChance, seedOfRun } from './chance.ts';
import { compileParties } from './compiled.ts';
import { type Consortium, createConsortium } from './consortium.ts';
import { createProject, type Project } from './project.ts';
import type { StoreKind } from './stores.ts';

export interface Bench extends AsyncDisposable {
  readonly project: Project;
  readonly chance: Chance;
  /** A consortium that nobody has started yet. @param known what logs may complain of */
  consortium(kind: StoreKind, known?: readonly RegExp[]): Promise<Consortium>;
}

export async function createBench(): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-crash-'));
  const [mains, project] = await Promise.all([compileParties(join(folder, 'built')), createProject(join(folder, 'p'))]);
  const chance = createChance(seedOfRun());
  let count = 0;
  return {
    project,
    chance,
    consortium: (kind, known = []) => {
      count += 1;
      return createConsortium({ project, kind, folder: join(folder, `c${count}`), mains, chance, known });
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/**
 * Does something with a consortium. A failure comes with what is known of everybody, and how to see it again; a success with how
 * long it took.
 *
 * @param work returns what it did, in a few words
 */
export async function reported(consortium: Consortium, { chance }: Bench, work: () => Promise<string>): Promise<void> {
  const started = performance.now();
  try {
    const done = await work();
    console.log(`${done}, ${Math.round((performance.now() - started) / 1000)} s`);
  } catch (error) {
    console.error(consortium.report());
    const name = basename(process.argv[1] ?? '').replace(/\.js$/, '.ts');
    console.error(`again: SEALSUM_CRASH_SEED=${chance.seed} node --import tsx test/crash/${name}`);
    console.error('SEALSUM_CRASH=NAME takes only places whose names contain that; SEALSUM_LOG_LEVEL=debug tells more');
    throw error;
  }
}
