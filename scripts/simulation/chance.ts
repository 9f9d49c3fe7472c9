/** Chance that can be repeated: everything a simulation decides follows from its seed. Nothing secret is drawn from it. */

export interface Chance {
  /** Uniform in [0, 1). */
  next(): number;
  /** True with this probability. */
  happens(probability: number): boolean;
  /** Uniform among the integers from `least` to `most`. */
  between(least: number, most: number): number;
  /** One of them. @throws RangeError when there are none */
  oneOf<T>(choices: readonly T[]): T;
  /** Chance of its own for a part, so that how often one part asks changes nothing for the others. */
  apart(): Chance;
  /** Bytes for what only has to be different each time, such as nonces. */
  bytes(length: number): Uint8Array;
}

/** mulberry32 (Tommy Ettinger, 2017): 32 bits of state, enough for thousands of decisions and quick to write down. */
export function createChance(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  return {
    next,
    happens: (probability) => next() < probability,
    between,
    oneOf: (choices) => {
      const chosen = choices[between(0, choices.length - 1)];
      if (chosen === undefined) throw new RangeError('there is nothing to choose from');
      return chosen;
    },
    apart: () => createChance(between(0, 2 ** 32 - 1)),
    bytes: (length) => Uint8Array.from({ length }, () => between(0, 255)),
  };
}
