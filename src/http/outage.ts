/**
 * How long a broken line is put up with. A follower of events connects again for ever; whoever waits for one of them needs
 * an end.
 */
import type { Clock } from '../protocol/clock.ts';

/** The hooks of a follower that watch its line. */
export interface OutageLimit {
  readonly onBroken: () => void;
  readonly onConnected: () => Promise<void>;
  /** Stops watching. */
  readonly cancel: () => void;
}

/** Calls `giveUp` once a line has been broken for `milliseconds` without a break in between. */
export function limitOutage(clock: Clock, milliseconds: number, giveUp: () => void): OutageLimit {
  let forget: (() => void) | undefined;
  const cancel = (): void => {
    forget?.();
    forget = undefined;
  };
  return {
    onBroken: () => {
      forget ??= clock.after(milliseconds, giveUp);
    },
    onConnected: () => {
      cancel();
      return Promise.resolve();
    },
    cancel,
  };
}
