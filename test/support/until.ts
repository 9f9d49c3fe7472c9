/** Waiting in tests: for a condition, never for a time. */
import { setTimeout as pause } from 'node:timers/promises';

/** Milliseconds between two looks, of which many are requests: few at first, and more for what takes long. */
const [shortestPause, longestPause] = [1, 20];

/** Resolves once `holds` does; rejects, saying what was waited for, when that takes longer than `limit` milliseconds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, limit = 10_000): Promise<void> {
  const start = performance.now();
  while (!(await holds())) {
    const waited = performance.now() - start;
    if (waited > limit) throw new Error(`waited in vain for: ${what}`);
    await pause(Math.min(longestPause, shortestPause + waited / 20));
  }
}

/** What `work` resolves to; rejects, saying what was waited for, when that takes longer than `limit` milliseconds. */
export async function within<T>(what: string, work: PromiseLike<T>, limit = 10_000): Promise<T> {
  const stop = new AbortController();
  const late = pause(limit, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`waited in vain for: ${what}`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    late.catch(() => undefined);
    stop.abort();
  }
}
