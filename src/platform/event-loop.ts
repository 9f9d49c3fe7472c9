/** The event loop's turns: in Node. */
import { setMaxListeners } from 'node:events';
import { setImmediate as immediate } from 'node:timers/promises';

/** Resolves when all else that waits has had its turn. */
export function turn(): Promise<void> {
  return immediate();
}

/** Any number may listen to a signal, and it is no leak. */
export function allowListeners(signal: AbortSignal): void {
  setMaxListeners(0, signal);
}
