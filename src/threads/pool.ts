/**
 * Threads for work that would keep the event loop from everything else: integers in, integers out, nothing of the program's state.
 *
 * The threads are Piscina's. They are started when there is work for them, end when there has been none for some minutes, and are
 * kept meanwhile, since some hold tables that took a while to make. A thread whose work is aborted ends with it.
 */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { SealsumError } from '../errors.ts';
import { type Answer, resultOf } from './thread.ts';

/** A function that a thread runs, made by `answering`; what it takes and what it gives back are copied. */
export interface ThreadWork {
  /** import.meta.url of a module beside which `file` lies. */
  readonly beside: string;
  /** Such as `./encryption-thread`, without the ending. */
  readonly file: string;
  /** Under which it is exported there. */
  readonly name: string;
}

export interface ThreadPool {
  /** The most that run at once; at least 1. */
  readonly threads: number;
  /** @throws SealsumError aborted when the signal fires; what the work throws */
  run<Result>(work: ThreadWork, input: unknown, signal?: AbortSignal): Promise<Result>;
  /** Ends all threads, whatever they do. */
  close(): Promise<void>;
}

/** How long a thread without work is kept, in milliseconds. */
const idleTimeout = 300_000;

/** @param threads as many as the machine has processors unless given */
export function createThreadPool(threads: number = availableParallelism()): ThreadPool {
  let pool: Piscina | undefined;
  const start = (source: boolean): Piscina =>
    new Piscina({
      minThreads: 0,
      maxThreads: threads,
      idleTimeout,
      // In the sources, which tests run, threads need what reads TypeScript; a processor's flags are no business of theirs.
      execArgv: source ? ['--import', 'tsx'] : [],
    });
  return {
    threads,
    run: async <Result>({ beside, file, name }: ThreadWork, input: unknown, signal?: AbortSignal): Promise<Result> => {
      const source = beside.endsWith('.ts');
      pool ??= start(source);
      const filename = new URL(`${file}.${source ? 'ts' : 'js'}`, beside).href;
      try {
        const options = { filename, name, ...(signal === undefined ? {} : { signal }) };
        return resultOf((await pool.run(input, options)) as Answer<Result>);
      } catch (error) {
        if (signal?.aborted === true) throw aborted(signal);
        throw error;
      }
    },
    close: async () => {
      await pool?.destroy();
      pool = undefined;
    },
  };
}

/** What to throw where a signal has fired. */
export function aborted(signal: AbortSignal): SealsumError {
  return new SealsumError('aborted', 'the work was aborted', { cause: signal.reason });
}
