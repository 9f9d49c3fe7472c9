/** The facilitator that is measured: a process of its own, compiled where this program is. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { SealsumError } from '../../src/errors.ts';
import { beside } from '../beside.ts';
import type { LoopDelay } from './loop-monitor.ts';

export interface FacilitatorProcess extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  /** Resolves with what it said last when it has ended, whatever the cause. */
  readonly ended: Promise<string>;
  /** How long its event loop kept others waiting since this was asked last. */
  loopDelay(signal: AbortSignal): Promise<LoopDelay>;
}

export interface FacilitatorProcessOptions {
  /** The path of its config.toml. */
  readonly config: string;
  /** A path or a postgres:// URL, which may hold a password: it goes by environment, where no list of processes shows it. */
  readonly store: string;
  /** The folder in which it leaves a profile of its processor time when it ends. */
  readonly profile?: string | undefined;
}

/** Milliseconds it has to listen, and to stop. */
const patience = 60_000;

/** @throws SealsumError request_failed when it does not listen */
export async function startFacilitatorProcess(options: FacilitatorProcessOptions): Promise<FacilitatorProcess> {
  const { config, store, profile } = options;
  const main = beside(import.meta.url, '../../parties/facilitator/main');
  const monitor = ['--import', beside(import.meta.url, './loop-monitor').href];
  const profiler = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile];
  const child = spawn(process.execPath, [...main.loader, ...monitor, ...profiler, main.path, '--config', config], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...withoutSettings(process.env), SEALSUM_STORE: store },
  });
  let complaints = '';
  child.stderr?.on('data', (chunk: Buffer) => {
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
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), patience);
    await ended;
    clearTimeout(timer);
  };
  const listens = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout ?? Readable.from([]) }).on('line', (line) => {
      const found = / listens at (\S+)$/.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, patience, `it was not listening after ${patience / 1000} s`);
  });
  const first = await Promise.race([
    listens.then((url) => ({ url })),
    ended.then((why) => ({ why })),
    late.then((why) => ({ why })),
  ]);
  clearTimeout(timer);
  if ('why' in first || child.pid === undefined) {
    await stop();
    const why = 'why' in first ? first.why : complaints;
    throw new SealsumError('request_failed', `the facilitator did not start: ${why}`);
  }
  const loopDelay = async (signal: AbortSignal): Promise<LoopDelay> => {
    const told = once(child, 'message', { signal });
    child.send('loop');
    const [found] = (await told) as [LoopDelay];
    return found;
  };
  return { pid: child.pid, url: first.url, ended, loopDelay, [Symbol.asyncDispose]: stop };
}

/** The environment without what stands there for a party that is not this one. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('SEALSUM_')));
}
