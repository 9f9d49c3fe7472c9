/**
 * What an owner still has to do for each of its jobs. One thing after the other for the same job; what fails for a reason that
 * passes is tried again until it is done or no longer wanted, so that nothing depends on an event that was heard at a bad time.
 */
import { isEnd, isPassing } from '../../src/contributing/error-kinds.ts';
import type { Logger } from '../../src/http/log.ts';
import { pause } from '../../src/http/retry.ts';
import { abortWith } from '../../src/http/signals.ts';
import type { RandomBytes } from '../../src/paillier/random.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import type { JobId } from '../../src/protocol/identifiers.ts';

/** What may have to be done; every step finds out for itself what there is to do, so that doing it once more does no harm. */
export interface Todo {
  /** See to it that the facilitator knows this owner's answer. */
  readonly join?: boolean;
  /** Get the receipt of what was sent, or forget it: a round is over. */
  readonly settle?: boolean;
  /** Look at this round, and no longer at those before it. */
  readonly round?: number;
  /** The job is over: whatever else was to be done is not any more. */
  readonly over?: boolean;
}

export interface AgendaOptions {
  readonly join: (job: JobId) => Promise<void>;
  readonly settle: (job: JobId) => Promise<void>;
  readonly attend: (job: JobId, round: number) => Promise<void>;
  readonly end: (job: JobId) => Promise<void>;
  readonly clock: Clock;
  /** For the jitter of the waits. */
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface Agenda {
  /** Adds to what is to be done for a job. */
  note(job: JobId, todo: Todo): void;
  /** What waits before it is tried again waits no longer: the line stands. */
  hurry(): void;
  /** Jobs for which something is to be done or under way. */
  length(): number;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
}

/** One job on the agenda. */
interface Entry {
  join: boolean;
  settle: boolean;
  /** 0: none. */
  round: number;
  over: boolean;
  /** Ends the wait before the next try. */
  wake: AbortController;
  done: Promise<void>;
}

/** Milliseconds before something is tried again, at first and at most; the client has been patient before. */
const firstWait = 1000;
const longestWait = 30_000;

export function createAgenda(options: AgendaOptions): Agenda {
  const { clock, random, log, signal } = options;
  const entries = new Map<JobId, Entry>();
  const stopped = (): boolean => signal.aborted;

  async function work(job: JobId, entry: Entry): Promise<void> {
    let wait = firstWait;
    for (let todo = take(entry); todo !== undefined && !stopped(); todo = take(entry)) {
      try {
        await step(job, todo);
        wait = firstWait;
      } catch (error) {
        if (stopped()) break;
        if (isEnd(error)) put(entry, { over: true });
        else if (isPassing(error)) {
          log[wait === firstWait ? 'warn' : 'debug']({ err: error, job }, 'a step of the job failed; trying again');
          put(entry, todo);
          await waitFor(entry, wait);
          wait = Math.min(2 * wait, longestWait);
        } else log.error({ err: error, job }, 'a step of the job failed');
      }
    }
    entries.delete(job);
  }

  function step(job: JobId, { join, settle, round, over }: Todo): Promise<void> {
    if (over === true) return options.end(job);
    if (join === true) return options.join(job);
    if (settle === true) return options.settle(job);
    return round === undefined ? Promise.resolve() : options.attend(job, round);
  }

  /** Of those who failed together, not all come back together. */
  async function waitFor(entry: Entry, longest: number): Promise<void> {
    const wake = new AbortController();
    entry.wake = wake;
    const letGo = abortWith(signal, wake);
    await pause(clock, (longest * (256 + (random(1)[0] ?? 0))) / 512, wake.signal);
    letGo();
  }

  return {
    note: (job, todo) => {
      if (stopped()) return;
      const known = entries.get(job);
      const entry = known ?? {
        join: false,
        settle: false,
        round: 0,
        over: false,
        wake: new AbortController(),
        done: Promise.resolve(),
      };
      put(entry, todo);
      entry.wake.abort();
      if (known !== undefined) return;
      entries.set(job, entry);
      // Begun when everything that is noted in the same breath is there.
      entry.done = Promise.resolve().then(() => work(job, entry));
    },
    hurry: () => {
      for (const { wake } of entries.values()) wake.abort();
    },
    length: () => entries.size,
    idle: async () => {
      while (entries.size > 0) await Promise.all([...entries.values()].map(({ done }) => done));
    },
  };
}

function put(entry: Entry, { join = false, settle = false, round = 0, over = false }: Todo): void {
  entry.join ||= join;
  entry.settle ||= settle;
  entry.round = Math.max(entry.round, round);
  entry.over ||= over;
}

/** The next thing to do, which is no longer on the entry then. */
function take(entry: Entry): Todo | undefined {
  const { join, settle, round, over } = entry;
  if (over) {
    Object.assign(entry, { join: false, settle: false, round: 0, over: false });
    return { over };
  }
  if (join) {
    entry.join = false;
    return { join };
  }
  if (settle) {
    entry.settle = false;
    return { settle };
  }
  entry.round = 0;
  return round === 0 ? undefined : { round };
}
