/**
 * Threads for work that would keep the event loop from everything else: integers in, integers out, nothing of the program's state.
 *
 * The threads are Piscina's. They are started when there is work for them, end when there has been none for some minutes, and are
 * kept meanwhile, since some hold tables that took a while to make. A thread whose work is aborted ends with it. Where none can be
 * started, whoever has work does it without.
 */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { SealsumError } from '../errors.ts';
import { aborted } from './aborted.ts';
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

/** Threads that are kept between pieces of work. */
export interface ThreadPool {
  /** The most that run at once; at least 1. */
  readonly threads: number;
  /** False once a thread could not be started: run() refuses from then on. */
  usable(): boolean;
  /** @throws SealsumError aborted when the signal fires; backend_unavailable when no thread can be started; what the work throws */
  run<Result>(work: ThreadWork, input: unknown, signal?: AbortSignal): Promise<Result>;
  /** Ends all threads, whatever they do. */
  close(): Promise<void>;
}

/** How many threads, and how they start. */
export interface ThreadPoolOptions {
  /** As many as the machine has processors unless given. */
  readonly threads?: number;
  /** Told once why no thread can be started. */
  readonly onTrouble?: (error: SealsumError) => void;
  /** What threads are started with, as for a process; what reads TypeScript when they run from source, and else nothing, unless given. */
  readonly execArgv?: readonly string[];
}

/** What threads make is big and short-lived; a few megabytes of room for it are as fast as the 48 that each would take. */
const maxYoungGenerationSizeMb = 6;

/** How long a thread without work is kept, in milliseconds. */
const idleTimeout = 300_000;

/** Threads for what takes long; the first is started when it is needed. Close it, or the process does not end. */
export function createThreadPool(options: ThreadPoolOptions = {}): ThreadPool {
  const { threads = availableParallelism(), onTrouble } = options;
  let pool: Piscina | undefined;
  let trouble: SealsumError | undefined;
  /** Piscina leaves work waiting for ever when its threads do not start. */
  const waiting = new Set<(error: SealsumError) => void>();

  function start(source: boolean): Piscina {
    const { execArgv = source ? ['--import', import.meta.resolve('tsx')] : [] } = options;
    const started = new Piscina({
      minThreads: 0,
      maxThreads: threads,
      idleTimeout,
      resourceLimits: { maxYoungGenerationSizeMb },
      execArgv: [...execArgv],
    });
    started.on('error', (cause: unknown) => {
      if (trouble !== undefined) return;
      const why = cause instanceof Error ? cause.message : String(cause);
      trouble = new SealsumError('backend_unavailable', `threads cannot be started here: ${why}`, { cause });
      onTrouble?.(trouble);
      for (const refuse of waiting) refuse(trouble);
    });
    return started;
  }

  return {
    threads,
    usable() {
      return trouble === undefined;
    },
    run: async <Result>({ beside, file, name }: ThreadWork, input: unknown, signal?: AbortSignal): Promise<Result> => {
      if (trouble !== undefined) throw trouble;
      const source = beside.endsWith('.ts');
      pool ??= start(source);
      const filename = new URL(`${file}.${source ? 'ts' : 'js'}`, beside).href;
      let refuse: (error: SealsumError) => void = () => undefined;
      const refused = new Promise<never>((_, reject) => {
        refuse = reject;
        waiting.add(reject);
      });
      try {
        const answer = pool.run(input, { filename, name, ...(signal === undefined ? {} : { signal }) });
        return resultOf((await Promise.race([answer, refused])) as Answer<Result>);
      } catch (error) {
        if (signal?.aborted === true) throw aborted(signal);
        throw error;
      } finally {
        waiting.delete(refuse);
      }
    },
    close: async () => {
      await pool?.destroy();
      pool = undefined;
    },
  };
}
