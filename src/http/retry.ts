/**
 * Trying again. All waits go through the clock that is passed in, so that whoever moves that clock decides how long they
 * take; and what limits them is time rather than a count, because an outage is measured in time.
 */
import { SealsumError } from '../errors.ts';
import type { RandomBytes } from '../paillier/random.ts';
import type { Clock } from '../protocol/clock.ts';

/** Milliseconds before the first repetition, and at most before any. */
const firstWait = 100;
const longestWait = 5000;

/** The longest that an answer may ask to be left alone, in milliseconds. */
const longestAsked = 30_000;

/** What came of one try: a value, or something that may pass. What will not pass is thrown. */
export type Attempt<T> =
  | { readonly value: T }
  | {
      readonly passing: SealsumError;
      /** The seconds after which the other side wants to be asked again. */
      readonly retryAfter?: number | undefined;
    };

export interface RetryOptions {
  readonly clock: Clock;
  /** For the jitter: whoever failed together shall not come back together. */
  readonly random: RandomBytes;
  /** Milliseconds for which it is tried again; 0 for one try, Infinity for ever. */
  readonly patience: number;
  readonly signal: AbortSignal;
}

/**
 * Tries until something other than a passing failure comes of it: after 0.1 s, then twice as long each time up to 5 s, each
 * wait drawn between half of that and all of it, and never sooner than the other side asked for, up to 30 s. A wait that
 * would end after the patience is not begun.
 *
 * @throws SealsumError aborted, once the signal says so; the last passing failure, once the patience is over; whatever the
 *   attempt throws
 */
export async function retry<T>(attempt: () => Promise<Attempt<T>>, options: RetryOptions): Promise<T> {
  const { clock, random, patience, signal } = options;
  const started = clock.monotonic();
  // The clock's timers keep no process alive, and a line that is broken does not either.
  const awake = setInterval(() => undefined, longestAsked);
  try {
    for (let longest = firstWait; ; longest = Math.min(2 * longest, longestWait)) {
      requireGoing(signal);
      const outcome = await attempt();
      if ('value' in outcome) return outcome.value;
      const asked = Math.min((outcome.retryAfter ?? 0) * 1000, longestAsked);
      // What was asked for gets its jitter on top, or all whom it was asked of would come at once.
      const wait = asked + (longest * (1 + fraction(random))) / 2;
      if (clock.monotonic() - started + wait > patience) throw outcome.passing;
      await pause(clock, wait, signal);
    }
  } finally {
    clearInterval(awake);
  }
}

function requireGoing(signal: AbortSignal): void {
  if (signal.aborted) throw new SealsumError('aborted', 'stopped', { cause: signal.reason });
}

/** A number in [0, 1), in steps of 2^-16. */
function fraction(random: RandomBytes): number {
  const [high = 0, low = 0] = random(2);
  return (high * 256 + low) / 65_536;
}

/** Resolves after some milliseconds, or at once when the signal aborts. */
export function pause(clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(milliseconds, done);
    function done(): void {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    }
    if (signal.aborted) done();
    else signal.addEventListener('abort', done);
  });
}
