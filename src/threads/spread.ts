/**
 * Work on many items that take about the same time each: where it is little, here, in slices between which the event loop is
 * served; where it is much, on threads.
 */
import { allowListeners, turn } from '../platform/event-loop.ts';
import { aborted } from './aborted.ts';
import type { ThreadPool, ThreadWork } from './pool.ts';

export interface Items<Part> {
  readonly count: number;
  /** Items that are cheapest together, such as the lanes of a processor; 1 unless given. */
  readonly together?: number;
  /** The items from one position to before another, on this thread. */
  readonly here: (from: number, to: number) => Part;
  /** The same on another. */
  readonly there: (from: number, to: number) => { readonly work: ThreadWork; readonly input: unknown };
  /** What to keep of a part that a thread made, from this position on: the part itself unless given. */
  readonly arrived?: (part: Part, from: number) => Part;
}

/** How long work is shared out: to threads, or in slices between which others have their turn. */
export interface Spreading {
  /** Without one everything is done here, and at once where there is no pause either. */
  readonly pool?: ThreadPool | undefined;
  /** Without a pool: awaited after every few items, so that others have their turn; or throws to stop. */
  readonly pause?: (() => Promise<unknown>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How long the event loop waits for a slice, in milliseconds. */
const slice = 5;
/** How much work is worth a thread's being started or woken, and how much it is given at a time, in milliseconds. */
const worthThreads = 100;
const portion = 100;

/**
 * All parts, in order.
 *
 * What an item takes is measured on the first ones. @throws SealsumError aborted when the signal fires; what the work throws
 */
export async function spread<Part>(items: Items<Part>, { pool, pause, signal }: Spreading): Promise<Part[]> {
  const { count, together = 1 } = items;
  requireGoing(signal);
  const parts: Part[] = [];
  let done = 0;
  if (pool === undefined) {
    const step = pause === undefined ? count : together;
    do {
      const from = done;
      done = Math.min(count, done + step);
      parts.push(items.here(from, done));
      await pause?.();
      requireGoing(signal);
    } while (done < count);
    return parts;
  }
  let size = together;
  while (done < count) {
    requireGoing(signal);
    const to = Math.min(count, done + size);
    const started = performance.now();
    parts.push(items.here(done, to));
    const each = (performance.now() - started) / (to - done);
    done = to;
    if (done === count) break;
    const work = (count - done) * each;
    if (pool.usable() && work > worthThreads) {
      // As many for each thread: with one portion more than that, all but one of them would wait for its end.
      const portionsEach = Math.max(2, Math.ceil(work / pool.threads / portion));
      const fair = (count - done) / pool.threads / portionsEach;
      try {
        return [...parts, ...(await onThreads(items, done, fair, pool, signal))];
      } catch (error) {
        // Without threads it takes longer.
        if (pool.usable()) throw error;
      }
    }
    size = wholeOf(slice / each, together);
    await turn();
  }
  return parts;
}

/** @throws SealsumError aborted */
function requireGoing(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw aborted(signal);
}

/** So many, as far as they can be in whole groups. */
function wholeOf(count: number, together: number): number {
  return Math.max(together, Math.floor(count / together) * together);
}

async function onThreads<Part>(
  { count, together = 1, there, arrived = (part) => part }: Items<Part>,
  from: number,
  portionSize: number,
  pool: ThreadPool,
  signal: AbortSignal | undefined,
): Promise<Part[]> {
  const size = Math.ceil(portionSize / together) * together;
  // One signal for all portions: the caller's is listened to once, and when one portion fails the others are not worth their time.
  const all = new AbortController();
  allowListeners(all.signal);
  const stop = (): void => {
    all.abort(signal?.reason);
  };
  signal?.addEventListener('abort', stop, { once: true });
  const parts: Part[] = [];
  let next = from;
  // What a portion is made of is made when its turn comes, one ahead for each thread: memory holds no more of them.
  const line = async (): Promise<void> => {
    while (next < count) {
      requireGoing(all.signal);
      const at = next;
      next = Math.min(count, at + size);
      const { work, input } = there(at, next);
      parts[(at - from) / size] = arrived(await pool.run<Part>(work, input, all.signal), at);
    }
  };
  const lines = Array.from({ length: 2 * pool.threads }, line);
  try {
    await Promise.all(lines);
    return parts;
  } catch (error) {
    all.abort(signal?.reason);
    await Promise.allSettled(lines);
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
