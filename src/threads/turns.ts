/**
 * The turns of the event loop are shared out: what many ask for at once is done one after the other, and whoever comes when a turn
 * has taken long enough waits for the next, so that timers and other connections are served in between.
 *
 * Requests that are ready at the same time would otherwise be handled in one turn, however many there are.
 */

export interface Turns {
  /**
   * Resolves when there is time for something that takes a few milliseconds at most: at once for the first who asks in a turn, for
   * the others in the order in which they came, each when what the one before did without waiting is done.
   */
  take(): Promise<void>;
  /**
   * Resolves at once unless the turn has taken long enough, else in the next one, before those who wait: between the steps of what
   * takes longer, and for which others wait already, such as a transaction.
   */
  rest(): Promise<void>;
}

/** How long a turn may take until those who still wait are left to the next one, in milliseconds. */
const share = 3;

/** Those who wait are looked at one by one, but no more of them in a turn than these, which are more than a turn has time for. */
const mostInTurn = 64;

/** @param now milliseconds that never go back */
export function createTurns(now: () => number): Turns {
  /** When somebody was first given time in the present turn. */
  let began: number | undefined;
  const waiting: (() => void)[] = [];
  let looks = 0;

  function begin(): void {
    began = now();
    // Before all that are put off from this turn.
    setImmediate(() => {
      began = undefined;
    });
  }

  function lookAgain(): void {
    if (looks >= Math.min(waiting.length, mostInTurn)) return;
    looks += 1;
    // Between two of them all that the first one set off is done, as far as it can be.
    setImmediate(look);
  }

  function look(): void {
    looks -= 1;
    if (began === undefined) begin();
    if (now() - (began ?? 0) < share) waiting.shift()?.();
    lookAgain();
  }

  return {
    rest: async () => {
      if (began !== undefined && now() - began >= share)
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
      if (began === undefined) begin();
    },
    take: () => {
      if (began === undefined && waiting.length === 0) {
        begin();
        return Promise.resolve();
      }
      return new Promise((resolve) => {
        waiting.push(resolve);
        lookAgain();
      });
    },
  };
}

/** Those of this thread's event loop. */
export const systemTurns: Turns = createTurns(() => performance.now());
