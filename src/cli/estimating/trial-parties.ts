/** Parties as processes of their own on this machine, in a project in a temporary folder that goes with them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { writePrivateFile } from '../../config/files.ts';
import { createLocalProject, localNames } from '../../config/project.ts';
import { SealsumError } from '../../errors.ts';
import { systemRandom } from '../../paillier/random.ts';
import { ownerIdSchema } from '../../protocol/identifiers.ts';
import type { Role } from '../../protocol/identity.ts';
import { aborted } from '../../threads/aborted.ts';
import { partyPrograms } from '../party-commands.ts';

/** Processor time and memory of a process, as it says itself. */
export interface ProcessFigures {
  /** Of all its threads, since it began. */
  readonly cpuSeconds: number;
  /** In memory now. */
  readonly residentBytes: number;
}

export interface TrialParty {
  readonly role: Role;
  readonly url: string;
  figures(): Promise<ProcessFigures>;
}

export interface TrialParties extends AsyncDisposable {
  readonly facilitator: TrialParty;
  readonly modelOwner: TrialParty;
  readonly owners: readonly TrialParty[];
}

/** Milliseconds in which a party must listen, and in which it must stop. */
const patience = 60_000;

/**
 * Starts one party of each kind, and as many owners as there are data files.
 *
 * @param data the content of each owner's data file
 * @throws SealsumError request_failed when one does not start; aborted
 */
export async function startTrialParties(data: readonly string[], signal: AbortSignal): Promise<TrialParties> {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-estimate-'));
  const children: ChildProcess[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(children.map(stop));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    if (signal.aborted) throw aborted(signal);
    const names = data.map((_, index) => ownerIdSchema.parse(`owner-${index + 1}`));
    const ports = { facilitator: 0, modelOwner: 0, firstOwner: 0 };
    await createLocalProject({ folder, owners: names, ports, passphrase: 'random' }, systemRandom);
    for (const [index, name] of names.entries())
      await writePrivateFile(join(folder, name, 'data.csv'), data[index] ?? '', { replace: false });
    const start = async (role: Role, name: string, more: readonly string[]): Promise<TrialParty> => {
      const child = spawnParty(role, ['--config', join(folder, name, 'config.toml'), ...more]);
      children.push(child);
      const url = await listening(child, name, signal);
      return { role, url, figures: () => figuresOf(url, signal) };
    };
    const facilitator = await start('facilitator', localNames.facilitator, []);
    const there = ['--facilitator', facilitator.url];
    const modelOwner = await start('model-owner', localNames.modelOwner, there);
    const owners: TrialParty[] = [];
    // Opening an identity takes a processor and 128 MiB, so two are opened at once.
    for (let from = 0; from < names.length; from += 2)
      owners.push(...(await Promise.all(names.slice(from, from + 2).map((name) => start('data-owner', name, there)))));
    return { facilitator, modelOwner, owners, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What a party may be told by the environment is not meant for these; the backend is. */
function spawnParty(role: Role, args: readonly string[]): ChildProcess {
  const { environment } = partyPrograms[role];
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const main = fileURLToPath(new URL(`../../../parties/${role}/main.${ending}`, import.meta.url));
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('SEALSUM_') || name === 'SEALSUM_BACKEND',
  );
  // Of the same process group: what ends this program at a terminal, be it at once, ends them too.
  return spawn(process.execPath, [...process.execArgv, main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...environment, ...Object.fromEntries(inherited) },
  });
}

/** Where a party listens, once it does. */
function listening(child: ChildProcess, name: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const settle = (work: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      work();
    };
    const refuse = (why: string): void => {
      settle(() => {
        reject(new SealsumError('request_failed', `the ${name} of the trial did not start: ${why}`));
      });
    };
    const onAbort = (): void => {
      settle(() => {
        reject(aborted(signal));
      });
    };
    const timer = setTimeout(() => {
      refuse(`it was not listening after ${patience / 1000} s`);
    }, patience);
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('utf8')).slice(-2000);
    });
    child.once('error', (error) => {
      refuse(error.message);
    });
    child.once('close', () => {
      refuse(said.trim() === '' ? 'nobody knows why' : said.trim());
    });
    if (child.stdout !== null)
      createInterface({ input: child.stdout }).on('line', (line) => {
        const url = / listens at (\S+)$/.exec(line)?.[1];
        if (url !== undefined)
          settle(() => {
            resolve(url);
          });
      });
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** The text that a party answers. @throws SealsumError request_failed; aborted */
export async function answerOf(url: string, signal: AbortSignal): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(patience)]) });
    return await response.text();
  } catch (cause) {
    throw signal.aborted ? aborted(signal) : new SealsumError('request_failed', `${url} does not answer`, { cause });
  }
}

async function figuresOf(url: string, signal: AbortSignal): Promise<ProcessFigures> {
  const text = await answerOf(`${url}/metrics`, signal);
  const value = (name: string): number => {
    const found = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
    if (found === undefined) throw new SealsumError('request_failed', `${url}/metrics does not tell ${name}`);
    return Number(found);
  };
  return {
    cpuSeconds: value('process_cpu_seconds_total'),
    residentBytes: value('process_resident_memory_bytes'),
  };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), patience);
  await ended;
  clearTimeout(timer);
}
