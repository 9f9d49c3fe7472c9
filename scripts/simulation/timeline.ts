/**
 * Simulated time: what is to happen, in order; nothing happens by itself. One step takes the earliest happening, moves the
 * clock there, and lets everything that follows from it come to rest before the next.
 */
import type { Clock } from '../../src/protocol/clock.ts';

export interface Timeline {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Lets something happen after some milliseconds; returns the way to cancel it. */
  schedule(milliseconds: number, action: () => void): () => void;
  /** Makes the earliest happening happen; false when there is none. */
  step(): Promise<boolean>;
  /** A clock for one life of a party: its timers never fire once `alive` is false. */
  clockFor(alive: () => boolean): Clock;
}

interface Happening {
  readonly at: number;
  /** Of two at the same time, the one that was scheduled first comes first. */
  readonly order: number;
  readonly action: () => void;
}

/** Turns of the event loop in which nothing new may be started before the next step: work that yields between its parts goes on. */
const restingTurns = 12;

export function createTimeline(start: number): Timeline {
  const happenings = new Set<Happening>();
  let now = start;
  let order = 0;

  function schedule(milliseconds: number, action: () => void): () => void {
    const happening = { at: now + Math.max(0, milliseconds), order: order++, action };
    happenings.add(happening);
    return () => {
      happenings.delete(happening);
    };
  }

  function earliest(): Happening | undefined {
    let first: Happening | undefined;
    for (const each of happenings)
      if (first === undefined || each.at < first.at || (each.at === first.at && each.order < first.order)) first = each;
    return first;
  }

  async function rest(): Promise<void> {
    for (let quiet = 0, seen = order; quiet < restingTurns; quiet++) {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      if (order !== seen) {
        seen = order;
        quiet = 0;
      }
    }
  }

  return {
    now: () => now,
    schedule,
    step: async () => {
      const next = earliest();
      if (next === undefined) return false;
      happenings.delete(next);
      now = next.at;
      next.action();
      await rest();
      return true;
    },
    clockFor: (alive) => ({
      // As the machine's: whole milliseconds.
      now: () => Math.floor(now),
      monotonic: () => now - start,
      after: (milliseconds, action) =>
        schedule(milliseconds, () => {
          if (alive()) action();
        }),
    }),
  };
}
