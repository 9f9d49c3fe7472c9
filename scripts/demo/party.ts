/** One party as a child process that says where it listens. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { SealsumError } from '../../src/errors.ts';

export interface PartyProcess {
  readonly name: string;
  readonly kind: PartyKind;
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  /** Where it listens. Rejects with request_failed and what the party said when it ends before or takes too long. */
  readonly url: Promise<string>;
  /** Resolves with what it said last when it has ended, whatever the cause. */
  readonly ended: Promise<string>;
  /** Asks it to stop and waits until it has; kills it when it does not. */
  stop(): Promise<void>;
}

export type PartyKind = 'facilitator' | 'data-owner' | 'model-owner';

/** What scripts/run_data_owner.sh asks of the C library, which says why. */
export const ownersMemory: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '131072',
  MALLOC_MMAP_THRESHOLD_: '131072',
};

/** Milliseconds a party has to listen, and to stop. */
const patience = 30_000;

/** @param settings environment variables, of which it has none of sealsum's beside these */
export function startParty(
  name: string,
  kind: PartyKind,
  args: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): PartyProcess {
  const main = fileURLToPath(new URL(`../../parties/${kind}/main.js`, import.meta.url));
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...(kind === 'data-owner' ? ownersMemory : {}), ...withoutSettings(process.env), ...settings },
    // Ctrl-C in a terminal reaches a whole process group; who ends when is decided here.
    detached: true,
  });
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = (complaints + chunk.toString('utf8')).slice(-4000);
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => {
      resolve(error.message);
    });
    child.once('close', () => {
      resolve(complaints.trim());
    });
  });
  const url = new Promise<string>((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      reject(new SealsumError('request_failed', `${name} did not start: ${why}`));
    };
    const timer = setTimeout(() => {
      fail(`it was not listening after ${patience / 1000} s`);
    }, patience);
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = / listens at (\S+)$/.exec(line)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    });
    void ended.then(fail);
  });
  // Whoever started it may be busy with another one that failed.
  url.catch(() => undefined);
  return {
    name,
    kind,
    pid: child.pid,
    url,
    ended,
    stop: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), patience);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** The environment without what stands there for a party that is not one of ours, such as its store. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('SEALSUM_')));
}
