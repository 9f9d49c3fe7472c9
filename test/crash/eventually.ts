/** Waiting for what other processes do: asked again and again, until it is so or until that takes beyond all patience. */
import { setTimeout as pause } from 'node:timers/promises';

/** Milliseconds between two looks, each of which may be a request, and until a wait is given up. */
const interval = 100;
const patience = process.env.SLOW === undefined ? 240_000 : 1_200_000;

/**
 * What `look` finds, once it is something other than undefined or false.
 *
 * @param signal aborts when waiting any longer makes no sense; its reason is thrown
 */
export async function eventually<T>(
  what: string,
  signal: AbortSignal,
  look: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const end = performance.now() + patience;
  for (;;) {
    signal.throwIfAborted();
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`waited in vain for: ${what}`);
    await pause(interval);
  }
}
