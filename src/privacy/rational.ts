/**
 * Exact fractions on BigInt: the arithmetic in which privacy is spent and added up.
 *
 * Every value is in lowest terms with a positive denominator, so two equal fractions have equal fields. A JavaScript
 * number enters as exactly what it is, a multiple of a power of two: 0.1 becomes 3602879701896397/36028797018963968.
 */
import { SealsumError } from '../errors.ts';
import { bitLength } from '../paillier/bytes.ts';

/** A fraction in lowest terms. */
export interface Rational {
  readonly numerator: bigint;
  /** Always positive. */
  readonly denominator: bigint;
}

export const ZERO: Rational = { numerator: 0n, denominator: 1n };

/**
 * numerator / denominator in lowest terms.
 *
 * @throws SealsumError `privacy_invalid` when the denominator is 0
 */
export function rational(numerator: bigint, denominator: bigint = 1n): Rational {
  if (denominator === 0n) throw new SealsumError('privacy_invalid', 'a fraction needs a denominator other than 0');
  const divisor = greatestCommonDivisor(numerator, denominator) * (denominator < 0n ? -1n : 1n);
  return { numerator: numerator / divisor, denominator: denominator / divisor };
}

/**
 * The exact value of a finite double.
 *
 * @throws SealsumError `privacy_invalid` for NaN and the infinities
 */
export function rationalFromNumber(value: number): Rational {
  if (!Number.isFinite(value)) throw new SealsumError('privacy_invalid', 'expected a finite number');
  let mantissa = value;
  let exponent = 0;
  // Doubling a double is exact below 2^1023, and halving one is exact while it stays normal; a fraction is only doubled.
  while (!Number.isInteger(mantissa)) {
    mantissa *= 2;
    exponent += 1;
  }
  return rational(BigInt(mantissa), 1n << BigInt(exponent));
}

/** Negative when a < b, 0 when they are equal, positive when a > b. */
export function compareRationals(a: Rational, b: Rational): -1 | 0 | 1 {
  const difference = a.numerator * b.denominator - b.numerator * a.denominator;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

export function addRationals(a: Rational, b: Rational): Rational {
  if (a.denominator === b.denominator) return rational(a.numerator + b.numerator, a.denominator);
  return rational(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator);
}

export function multiplyRationals(a: Rational, b: Rational): Rational {
  return rational(a.numerator * b.numerator, a.denominator * b.denominator);
}

/** a / b. Throws `privacy_invalid` when b is 0. */
export function divideRationals(a: Rational, b: Rational): Rational {
  return rational(a.numerator * b.denominator, a.denominator * b.numerator);
}

/** The sum of any number of fractions; terms of one denominator are added before the denominators are made common. */
export function sumRationals(values: Iterable<Rational>): Rational {
  const numerators = new Map<bigint, bigint>();
  for (const { numerator, denominator } of values) {
    numerators.set(denominator, (numerators.get(denominator) ?? 0n) + numerator);
  }
  let total = ZERO;
  for (const [denominator, numerator] of numerators) total = addRationals(total, rational(numerator, denominator));
  return total;
}

/** The nearest double, ties to even (below 2^-1022, where doubles thin out, within one unit of the last place). */
export function toNumber(value: Rational): number {
  if (value.numerator === 0n) return 0;
  const magnitude = value.numerator < 0n ? -value.numerator : value.numerator;
  // A quotient of 66 or 67 bits whose last bit also says whether anything was cut off: Number() then rounds it as if exact.
  const shift = 66 - bitLength(magnitude) + bitLength(value.denominator);
  const dividend = shift > 0 ? magnitude << BigInt(shift) : magnitude;
  const divisor = shift < 0 ? value.denominator << BigInt(-shift) : value.denominator;
  const quotient = (dividend / divisor) | (dividend % divisor === 0n ? 0n : 1n);
  // In two steps, since 2^-shift alone may lie outside the doubles while the result lies inside.
  const half = Math.trunc(shift / 2);
  const result = Number(quotient) * 2 ** -half * 2 ** (half - shift);
  return value.numerator < 0n ? -result : result;
}

/** The least double that is not below `value`: for bounds that must not be understated. */
export function toNumberAbove(value: Rational): number {
  const nearest = toNumber(value);
  if (nearest === Infinity) return nearest;
  if (nearest === -Infinity) return -Number.MAX_VALUE;
  return compareRationals(rationalFromNumber(nearest), value) < 0 ? nextAbove(nearest) : nearest;
}

/** The fraction as text, `3/4`, and without a denominator when it is whole. */
export function formatRational({ numerator, denominator }: Rational): string {
  return denominator === 1n ? numerator.toString() : `${numerator.toString()}/${denominator.toString()}`;
}

/** Euclid's algorithm: with divisions that the engine does on whole words, it outruns the binary one of the libraries. */
function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [larger, smaller] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (smaller !== 0n) [larger, smaller] = [smaller, larger % smaller];
  return larger;
}

/** The double after `value`: read as integers, the doubles of one sign stand in order. */
function nextAbove(value: number): number {
  if (value === 0) return Number.MIN_VALUE;
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  view.setBigInt64(0, view.getBigInt64(0) + (value > 0 ? 1n : -1n));
  return view.getFloat64(0);
}
