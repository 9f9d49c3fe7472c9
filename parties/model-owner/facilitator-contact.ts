/** Whether a model owner reaches its facilitator, as far as it was in contact with it lately or asks now. */
import type { FacilitatorClient } from '../../src/http/facilitator-client.ts';
import { type Clock, happensWithin } from '../../src/protocol/clock.ts';

/** Milliseconds for which somebody who is waiting for an answer waits for a facilitator that does not give one. */
export const shortPatience = 3000;

/** Milliseconds for which an answer of the facilitator, or that there was none, says something about now. */
const lately = 15_000;

export interface FacilitatorContact {
  /** It has just answered, or not. */
  note(answered: boolean): void;
  /** Whether it has answered lately; it is asked if nobody has asked it for a while, and waited for not long. */
  stands(): Promise<boolean>;
}

export function createFacilitatorContact({
  connect,
  clock,
  signal,
}: {
  readonly connect: (patience: number) => FacilitatorClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}): FacilitatorContact {
  /** When it was asked last, as monotonic() tells, and whether it answered. */
  let last = { at: Number.NEGATIVE_INFINITY, answered: false };
  let probing: Promise<void> | undefined;
  const note = (answered: boolean): void => {
    last = { at: clock.monotonic(), answered };
  };
  async function probe(): Promise<void> {
    const answered = await connect(0)
      .owners(signal)
      .then(() => true)
      .catch(() => false);
    note(answered);
  }
  return {
    note,
    stands: async () => {
      if (clock.monotonic() - last.at > lately) {
        probing ??= probe().finally(() => {
          probing = undefined;
        });
        await happensWithin(clock, shortPatience, probing);
      }
      return last.answered;
    },
  };
}
