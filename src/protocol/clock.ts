/** Time as a dependency: services never ask the machine for it, so that tests decide what time it is. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
  /** Milliseconds since some moment, with fractions, never going back: for measuring how long something took. */
  monotonic(): number;
  /** Runs `action` once after `milliseconds`; returns the way to cancel it. */
  after(milliseconds: number, action: () => void): () => void;
}

/** setTimeout takes at most this many milliseconds (24.8 days); a longer wait would fire at once. */
const longestTimer = 2 ** 31 - 1;

/** The machine's clock. Its timers do not keep a process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (milliseconds, action) => {
    const timer = setTimeout(action, Math.min(Math.max(0, milliseconds), longestTimer));
    // A browser's timers are numbers, and keep no process.
    (timer as { readonly unref?: () => void }).unref?.();
    return () => {
      clearTimeout(timer);
    };
  },
};

/** A moment as it is written on the wire: RFC 3339, UTC, milliseconds. */
export function timestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** Whether something happens within some milliseconds: resolves with the answer as soon as it is known. */
export async function happensWithin(clock: Clock, milliseconds: number, happening: Promise<void>): Promise<boolean> {
  let cancel = (): void => undefined;
  const late = new Promise<boolean>((resolve) => {
    cancel = clock.after(milliseconds, () => {
      resolve(false);
    });
  });
  try {
    return await Promise.race([happening.then(() => true), late]);
  } finally {
    cancel();
  }
}
