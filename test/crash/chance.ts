/** Chance that can be had again: a failure names its seed, and SEALSUM_CRASH_SEED gives the same choices once more. */

export interface Chance {
  readonly seed: number;
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number;
  pick<T>(from: readonly [T, ...T[]]): T;
}

/** Park and Miller's generator. */
const modulus = 2_147_483_647;

export function createChance(seed: number): Chance {
  let state = (seed % (modulus - 1)) + 1;
  const below = (limit: number): number => {
    state = (state * 48_271) % modulus;
    return Math.floor((state / modulus) * limit);
  };
  return { seed, below, pick: (from) => from[below(from.length)] ?? from[0] };
}

/** The seed of this run: another one each time unless SEALSUM_CRASH_SEED says which. */
export function seedOfRun(): number {
  const told = Number(process.env.SEALSUM_CRASH_SEED ?? Number.NaN);
  return Number.isInteger(told) && told >= 0 ? told : Math.floor(Date.now() / 1000);
}
