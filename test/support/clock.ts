/** A clock that a test moves: nothing happens by itself, and timers fire in the order of their time. */
import type { Clock } from '../../src/protocol/clock.ts';

export interface TestClock extends Clock {
  /** Moves on by some milliseconds; whatever falls due meanwhile runs at its own time, in order, also what that starts anew. */
  advance(milliseconds: number): void;
  /** How many timers are set and have neither fired nor been cancelled. */
  readonly pending: () => number;
  /** Milliseconds until the next of them is due; undefined when there is none. */
  readonly next: () => number | undefined;
}

interface Timer {
  readonly due: number;
  readonly action: () => void;
}

/** @param start milliseconds since 1970; 2024-01-01 unless told */
export function createTestClock(start: number = Date.UTC(2024, 0, 1)): TestClock {
  let now = start;
  const timers = new Set<Timer>();

  /** The timer that is due first, and of those the one that was set first; undefined when none is due by `end`. */
  function firstBy(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of timers) if (timer.due <= end && (first === undefined || timer.due < first.due)) first = timer;
    return first;
  }

  return {
    now: () => now,
    monotonic: () => now - start,
    after: (milliseconds, action) => {
      const timer = { due: now + Math.max(0, milliseconds), action };
      timers.add(timer);
      return () => {
        timers.delete(timer);
      };
    },
    advance: (milliseconds) => {
      const end = now + milliseconds;
      for (let timer = firstBy(end); timer !== undefined; timer = firstBy(end)) {
        timers.delete(timer);
        now = Math.max(now, timer.due);
        timer.action();
      }
      now = end;
    },
    pending: () => timers.size,
    next: () => {
      const first = firstBy(Number.POSITIVE_INFINITY);
      return first === undefined ? undefined : first.due - now;
    },
  };
}
