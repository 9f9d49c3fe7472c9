/** Encrypted vectors beside what they should hold: the same operations on exact fractions. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { EncryptedVector } from '../../src/encoding/encrypted-vector.ts';
import { decryptVector } from '../../src/encoding/encrypted-vector-decryption.ts';
import type { Decryptor } from '../../src/paillier/decryptor.ts';
import {
  addRationals,
  compareRationals,
  multiplyRationals,
  type Rational,
  rational,
  rationalFromNumber,
  toNumber,
} from '../../src/privacy/rational.ts';

/** A vector and the exact values that it should hold. */
export interface Twin {
  readonly vector: EncryptedVector;
  readonly values: readonly Rational[];
}

/** The nearest multiple of 1 / scale, ties to even, found by comparing: another way than the code's. */
export function rounded(value: number, scale: bigint): Rational {
  const exact = multiplyRationals(rationalFromNumber(value), rational(scale));
  const floor = exact.numerator / exact.denominator - (exact.numerator < 0n ? 1n : 0n);
  const distance = (candidate: bigint): Rational => {
    const { numerator, denominator } = addRationals(exact, rational(-candidate));
    return rational(numerator < 0n ? -numerator : numerator, denominator);
  };
  const nearest = [floor, floor + 1n, floor + 2n].reduce((best, candidate) => {
    const order = compareRationals(distance(candidate), distance(best));
    return order < 0 || (order === 0 && candidate % 2n === 0n) ? candidate : best;
  });
  return rational(nearest, scale);
}

export function times(values: readonly Rational[], factor: Rational): Rational[] {
  return values.map((value) => multiplyRationals(value, factor));
}

export function plus(a: readonly Rational[], b: readonly Rational[]): Rational[] {
  return a.map((value, index) => addRationals(value, b[index] ?? rational(0n)));
}

/** A vector decrypts to the doubles nearest to the exact values, and none of its integers is beyond the bound that it states. */
export async function assertTwins(decryptor: Decryptor, { vector, values }: Twin): Promise<void> {
  const decrypted = await decryptVector(decryptor, vector);
  assert.deepEqual([...decrypted].map(positiveZero), values.map(toNumber).map(positiveZero));
  for (const value of values) {
    const { numerator, denominator } = multiplyRationals(value, rational(vector.scale));
    assert.equal(denominator, 1n);
    assert.ok(numerator <= vector.bound && numerator >= -vector.bound);
  }
}

/** Both zeros are equal to people, and to `==`, but not to assert. */
function positiveZero(value: number): number {
  return value === 0 ? 0 : value;
}

/** Everyday numbers of at most 100 in magnitude, whole and broken, negative and zero. */
export const numbers: fc.Arbitrary<number> = fc.oneof(
  fc.double({ min: -100, max: 100, noNaN: true }),
  fc.integer({ min: -100, max: 100 }),
  fc.integer({ min: -800, max: 800 }).map((eighths) => eighths / 8),
);

export function vectorsOf(length: number): fc.Arbitrary<number[]> {
  return fc.array(numbers, { minLength: length, maxLength: length });
}
