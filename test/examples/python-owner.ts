/** examples/python as a process: which python3 has what it needs, what it is given, and what it says. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { newSecrets, writeSecrets } from '../../src/config/identity-file.ts';
import { createRoster, writeRoster } from '../../src/config/roster-file.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import type { Cast, Folder } from '../end-to-end/parties.ts';
import { root } from '../support/program.ts';
import { until } from '../support/until.ts';

export const example: string = join(root, 'examples', 'python');

/** Nothing is written beside the sources. */
export const environment: NodeJS.ProcessEnv = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };

const needed = [
  'import sys, numpy, cryptography',
  'assert sys.version_info >= (3, 9)',
  'try: import tomllib',
  'except ImportError: import tomli',
];

function runs(python: string, lines: readonly string[]): boolean {
  try {
    execFileSync(python, ['-c', lines.join('\n')], { stdio: 'ignore', env: environment });
    return true;
  } catch {
    return false;
  }
}

/** A python3 with numpy and cryptography, one with gmpy2 first: it is several times as fast. */
export function findPython(): string | undefined {
  const able = ['python3', '/usr/bin/python3'].filter((each) => runs(each, needed));
  return able.find((each) => runs(each, ['import gmpy2'])) ?? able[0];
}

/** Milliseconds within which anything must have been said: only a limit, for busy machines. */
const patience = 200_000;

/** What one owner of the cast needs on its machine, in a folder. */
export interface OwnerFiles {
  readonly name: string;
  readonly identity: string;
  readonly passphrase: string;
  readonly roster: string;
  readonly data: string;
  readonly store: string;
}

/** @param url where the roster says that the facilitator is */
export async function writeOwnerFiles(
  folder: Folder,
  cast: Cast,
  { name, data, url }: { readonly name: string; readonly data: string; readonly url: string },
): Promise<OwnerFiles> {
  const identity = cast.owners.find((each) => each.name === name);
  if (identity === undefined) throw new Error(`${name} is none of the cast`);
  const secrets = { ...newSecrets(identity.name, 'data-owner', systemRandom), identity };
  const files = {
    name,
    identity: join(folder.path, 'identity.json'),
    passphrase: await folder.write('passphrase', 'ohne Schlüssel\n'),
    roster: join(folder.path, 'roster.toml'),
    data: await folder.write(`${name}.csv`, data),
    store: join(folder.path, `${name}.sqlite`),
  };
  await writeSecrets(files.identity, secrets, 'ohne Schlüssel', systemRandom, { replace: false });
  const parties = cast.parties.all.map(({ name: party, role, publicKey }) => ({
    name: party,
    role,
    key: publicKey,
    previous: [],
    ...(role === 'facilitator' ? { url } : {}),
  }));
  await writeRoster(files.roster, createRoster(parties), { replace: false });
  return files;
}

export interface RunningPython extends AsyncDisposable {
  /** Resolves once it has said this on standard error. */
  said(pattern: RegExp): Promise<void>;
  readonly log: () => string;
  /** SIGKILL: nothing is put in order. */
  kill(): void;
  /** The exit code; null where a signal ended it. */
  readonly ended: Promise<number | null>;
}

export function startPython(python: string, files: OwnerFiles, more: readonly string[] = []): RunningPython {
  const { name, identity, passphrase, roster, data, store } = files;
  const given = { name, identity, 'passphrase-file': passphrase, roster, data, store };
  const options = Object.entries(given).flatMap(([option, value]) => [`--${option}`, value]);
  const script = join(example, 'sealsum_owner.py');
  const child: ChildProcess = spawn(python, [script, ...options, ...more], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: environment,
  });
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    log += chunk.toString('utf8');
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  return {
    said: (pattern) =>
      until(
        `${String(pattern)} from ${name}`,
        () => {
          if (pattern.test(log)) return true;
          if (child.exitCode !== null) throw new Error(`${name} has ended: ${log}`);
          return false;
        },
        patience,
      ),
    log: () => log,
    kill,
    ended,
    [Symbol.asyncDispose]: async () => {
      kill();
      await ended;
    },
  };
}
