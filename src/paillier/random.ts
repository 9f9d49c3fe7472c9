/**
 * Randomness as an argument: whoever needs random numbers takes a `RandomBytes`, and `systemRandom` is the one to pass.
 */
import { SealsumError } from '../errors.ts';
import { randomBytes } from '../platform/random-bytes.ts';
import { bitLength, bytesToBigint } from './bytes.ts';
import { greatestCommonDivisor } from './divisors.ts';

/** Gives `length` fresh bytes, uniform and independent of everything before. */
export type RandomBytes = (length: number) => Uint8Array;

/** The operating system's cryptographic generator, by way of OpenSSL or the browser. */
export const systemRandom: RandomBytes = (length) => randomBytes(length);

/** A uniform integer in [0, 2^bits). */
export function randomBits(bits: number, random: RandomBytes): bigint {
  const length = Math.ceil(bits / 8);
  const bytes = random(length);
  if (bytes.length !== length) {
    throw new SealsumError(
      'backend_unavailable',
      `random source: expected ${length} bytes, it gave ${bytes.length}; pass one that gives as many as it is asked for`,
    );
  }
  return BigInt.asUintN(bits, bytesToBigint(bytes));
}

/** A uniform integer in [0, limit), by rejection; `limit` is at least 1. Draws fewer than twice on average. */
export function randomBelow(limit: bigint, random: RandomBytes): bigint {
  if (limit < 1n) throw new SealsumError('number_out_of_bounds', 'random limit: expected at least 1');
  const bits = bitLength(limit - 1n);
  for (;;) {
    const candidate = randomBits(bits, random);
    if (candidate < limit) return candidate;
  }
}

/** A uniform unit modulo n. */
export function randomUnit(n: bigint, random: RandomBytes): bigint {
  for (;;) {
    const candidate = randomBelow(n, random);
    if (greatestCommonDivisor(n, candidate) === 1n) return candidate;
  }
}

/** So many of them in random order, every choice and order as likely as any other: the first steps of a shuffle (Fisher and Yates). */
export function randomSubset<T>(all: readonly T[], size: number, random: RandomBytes): T[] {
  const shuffled = [...all];
  for (let index = 0; index < size; index += 1) {
    const chosen = index + Number(randomBelow(BigInt(shuffled.length - index), random));
    [shuffled[index], shuffled[chosen]] = [shuffled[chosen] as T, shuffled[index] as T];
  }
  return shuffled.slice(0, size);
}
