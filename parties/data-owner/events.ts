/**
 * What an owner's own people are told as it happens, so that a page need not ask again and again. An event is a hint to look: of each
 * thing only the newest is kept, which says how it stands now, so that nobody has to catch up with all that came between.
 */
import { type Bell, createBell } from '../../src/http/bell.ts';
import type { Clock } from '../../src/protocol/clock.ts';

/** One thing that is another now; `job` where it is one. */
export interface OwnerEvent {
  /** Grows, over restarts too. */
  readonly id: number;
  readonly type: 'job.changed' | 'ledger.changed' | 'datasets.changed' | 'connection.changed';
  readonly job?: string;
  /** Of the job, as GET /jobs says it. */
  readonly status?: string;
  /** Whether the line to the facilitator stands. */
  readonly connected?: boolean;
}

export interface OwnerEvents {
  readonly bell: Bell;
  tell(event: Omit<OwnerEvent, 'id'>): void;
  /** Those after a number that are the newest of their thing, oldest first. */
  readonly after: (id: number) => readonly OwnerEvent[];
  /** The number of the newest. */
  readonly newest: () => number;
}

/** Things of which the newest event is kept. */
const mostKept = 1000;

/** @param clock from whose time the numbers start, so that they are greater than those of the process before */
export function createOwnerEvents(clock: Pick<Clock, 'now'>): OwnerEvents {
  const bell = createBell();
  const kept = new Map<string, OwnerEvent>();
  let newest = clock.now();
  return {
    bell,
    tell: (event) => {
      newest += 1;
      const thing = `${event.type} ${event.job ?? ''}`;
      // Deleted first, so that the order is that of the numbers.
      kept.delete(thing);
      kept.set(thing, { id: newest, ...event });
      const [oldest] = kept.keys();
      if (kept.size > mostKept && oldest !== undefined) kept.delete(oldest);
      bell.ring();
    },
    after: (id) => [...kept.values()].filter((event) => event.id > id),
    newest: () => newest,
  };
}
