/** The process of writer.ts, as a test sees it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { program } from '../support/program.ts';
import { until, within } from '../support/until.ts';

/** Milliseconds that a test waits for a process on a busy machine. */
export const patience = 60_000;

export interface WriterOptions {
  /** Where it kills itself: a checkpoint, and at which visit. */
  readonly place?: string;
  readonly visit?: number;
  /** The greatest file that it may write, in units of 512 bytes. */
  readonly limit?: number | 'unlimited';
  /** What it runs, as a path below the root of the checkout; writer.ts unless given. */
  readonly source?: string;
}

/** A process of writer.ts. */
export class Writer implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(location: string, options: WriterOptions = {}) {
    const { place = '', visit = 0, limit = 'unlimited' } = options;
    const source = options.source ?? 'test/storage/writer.ts';
    const command = [process.execPath, ...program(source), location, place, String(visit)];
    const child = spawn('sh', ['-c', `ulimit -f ${limit}; exec "$@"`, 'sh', ...command], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    createInterface(child.stdout).on('line', (line) => this.lines.push(line));
    // The pipe of one that was killed breaks.
    child.stdin.on('error', () => undefined);
    this.#child = child;
    this.#ended = once(child, 'close');
  }

  /** The number of the last change that was acknowledged; 0 for none. */
  get acknowledged(): number {
    return Number(this.lines.findLast((line) => /^[0-9]+$/.test(line)) ?? 0);
  }

  async go(): Promise<void> {
    await until('the process is ready', () => this.lines.includes('ready'), patience);
    this.#child.stdin?.write('go\n');
  }

  /** Resolves with the signal that ended it. */
  async ended(): Promise<NodeJS.Signals | null> {
    await within('the process has ended', this.#ended, patience);
    return this.#child.signalCode;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
