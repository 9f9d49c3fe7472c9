/**
 * Trying again: what is worth it, and when. All waits go through the clock that is passed in, so that whoever moves that clock
 * decides how long they take; and what limits them is time rather than a count, because an outage is measured in time.
 */
import { SealsumError } from '../errors.ts';
import type { RandomBytes } from '../paillier/random.ts';
import type { Clock } from '../protocol/clock.ts';
import { fromProblem } from './problem.ts';
import { abortWith } from './signals.ts';

/** Milliseconds before the first repetition, and at most before any. */
const firstWait = 100;
const longestWait = 5000;

/** The longest that an answer may ask to be left alone, in milliseconds. */
const longestAsked = 30_000;

/** Statuses below 500 that say "not now" rather than "not like this": request timeout, too early, too many requests. */
const notNow: readonly number[] = [408, 425, 429];

/** A failure that may pass. */
export interface PassingFailure {
  readonly passing: SealsumError;
  /** The seconds after which the other side wants to be asked again. */
  readonly retryAfter?: number | undefined;
}

/** What came of one try: a value, or something that may pass. What will not pass is thrown. */
export type Attempt<T> = { readonly value: T } | PassingFailure;

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
  for (let longest = firstWait; ; longest = Math.min(2 * longest, longestWait)) {
    requireGoing(signal);
    const outcome = await attempt();
    if ('value' in outcome) return outcome.value;
    // What was asked for gets its jitter on top, or all whom it was asked of would come at once.
    const wait = askedWait(outcome) + (longest * (1 + fraction(random))) / 2;
    if (clock.monotonic() - started + wait > patience) throw outcome.passing;
    await pauseAwake(clock, wait, signal);
  }
}

/** The milliseconds for which the other side wants to be left alone, up to 30 s. */
export function askedWait({ retryAfter = 0 }: PassingFailure): number {
  return Math.min(retryAfter * 1000, longestAsked);
}

/**
 * What an answer that says no means to whoever may ask again.
 *
 * @param request what was asked, such as `GET /jobs`
 * @throws SealsumError the error that was thrown there, when the same request will be refused again
 */
export async function refusal(response: Response, request: string): Promise<PassingFailure> {
  const { status, headers } = response;
  const problem = fromProblem(await response.json().catch(() => undefined));
  const error = problem ?? new SealsumError('request_failed', `${request} was answered ${status}`);
  // A proxy or the network may have delivered a request twice, and this answers the second copy; the next try has a nonce of
  // its own.
  if (status < 500 && !notNow.includes(status) && error.code !== 'nonce_reused') throw error;
  const asked = headers.get('retry-after') ?? '';
  return { passing: error, retryAfter: /^[0-9]{1,9}$/.test(asked) ? Number(asked) : 0 };
}

function requireGoing(signal: AbortSignal): void {
  if (signal.aborted) throw new SealsumError('aborted', 'stopped', { cause: signal.reason });
}

/** A number in [0, 1), in steps of 2^-16. */
function fraction(random: RandomBytes): number {
  const [high = 0, low = 0] = random(2);
  return (high * 256 + low) / 65_536;
}

/** pause() for whom the process is to wait: the clock's timers keep none alive, and a line that is broken does not either. */
async function pauseAwake(clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
  const awake = setInterval(() => undefined, longestAsked);
  try {
    await pause(clock, milliseconds, signal);
  } finally {
    clearInterval(awake);
  }
}

/** Resolves after some milliseconds, or at once when the signal aborts. */
export function pause(clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    // By way of a controller of its own: many may wait on the signal of one process, and a listener for each looks like a leak.
    const stop = new AbortController();
    const letGo = abortWith(signal, stop);
    const cancel = clock.after(milliseconds, done);
    function done(): void {
      cancel();
      letGo();
      resolve();
    }
    if (stop.signal.aborted) done();
    else stop.signal.addEventListener('abort', done, { once: true });
  });
}
