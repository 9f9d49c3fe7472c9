/**
 * Fixed point: real numbers become integers at one scale, and come back, exactly rounded both ways.
 *
 * integer = real × scale, where both are the rationals that the doubles denote, rounded half to even (IEEE 754-2019,
 * roundTiesToEven). Nothing is rounded twice. NaN and infinities are refused by position and never turned into a number.
 */
import { SealsumError } from '../errors.ts';
import { bitLength } from '../paillier/bytes.ts';

/**
 * Rounds every value × scale to the nearest integer, ties to even.
 *
 * @param values any finite doubles, subnormals and the largest included
 * @param scale finite and above 0; powers of two are fastest
 * @throws SealsumError `number_not_finite` with field `value j`, j counted from 0
 */
export function toFixedPoint(values: ArrayLike<number>, scale: number): bigint[] {
  requireScale(scale);
  const exactScale = isPowerOfTwo(scale);
  const integers = new Array<bigint>(values.length);
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] ?? Number.NaN;
    if (!Number.isFinite(value)) {
      const field = `value ${index}`;
      throw new SealsumError('number_not_finite', `${field} is NaN or infinite: every value must be a finite number`, {
        field,
      });
    }
    integers[index] = roundProduct(value, scale, exactScale);
  }
  return integers;
}

/**
 * The double nearest to each integer / scale, ties to even.
 *
 * @throws SealsumError `number_out_of_bounds` with field `value j` where the quotient is beyond the largest double
 */
export function fromFixedPoint(values: readonly bigint[], scale: number): Float64Array {
  requireScale(scale);
  const { mantissa, exponent } = decompose(scale);
  const numeratorFactor = exponent < 0 ? 1n << BigInt(-exponent) : 1n;
  const denominator = exponent < 0 ? mantissa : mantissa << BigInt(exponent);
  const reals = new Float64Array(values.length);
  for (const [index, value] of values.entries()) {
    const rounded = Number(value);
    // A division of two exact doubles is rounded once by the hardware.
    const real = Number.isSafeInteger(rounded) ? rounded / scale : divideToNumber(value * numeratorFactor, denominator);
    if (!Number.isFinite(real)) {
      const field = `value ${index}`;
      throw new SealsumError('number_out_of_bounds', `${field} is beyond the largest double at this scale`, { field });
    }
    reals[index] = real;
  }
  return reals;
}

/**
 * The values as they are after the way to integers and back: the nearest multiples of 1 / scale.
 *
 * @throws SealsumError as toFixedPoint() and fromFixedPoint()
 */
export function quantise(values: ArrayLike<number>, scale: number): Float64Array {
  return fromFixedPoint(toFixedPoint(values, scale), scale);
}

/** The nearest integer, ties to even: exact for every double below 2^52 in magnitude. */
export function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** numerator / denominator rounded to the nearest integer, ties to even; the denominator must be above 0. */
export function divideRoundHalfEven(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  const remainder = numerator - quotient * denominator;
  const twice = remainder < 0n ? -2n * remainder : 2n * remainder;
  if (twice < denominator || (twice === denominator && (quotient & 1n) === 0n)) return quotient;
  return numerator < 0n ? quotient - 1n : quotient + 1n;
}

/**
 * The double nearest to numerator / denominator, ties to even, as Python's `int / int` gives it: subnormals are rounded
 * once too, a quotient too small for any double is a zero of its sign, one too large an infinity. The denominator must
 * be above 0.
 */
export function divideToNumber(numerator: bigint, denominator: bigint): number {
  const magnitude = numerator < 0n ? -numerator : numerator;
  const guess = bitLength(magnitude) - bitLength(denominator);
  if (magnitude === 0n || guess < SMALLEST_UNIT - 2) return numerator < 0n ? -0 : 0;
  if (guess > LARGEST_UNIT + MANTISSA_BITS + 1) return numerator < 0n ? -Infinity : Infinity;
  // 2^power ≤ quotient < 2^(power + 1)
  const power = compareShifted(magnitude, denominator, guess) < 0 ? guess - 1 : guess;
  const unit = Math.max(power - (MANTISSA_BITS - 1), SMALLEST_UNIT);
  const units =
    unit < 0
      ? divideRoundHalfEven(magnitude << BigInt(-unit), denominator)
      : divideRoundHalfEven(magnitude, denominator << BigInt(unit));
  // At most 2^53 units, and 2^unit is a double; where their product is not, it is 2^1024 and becomes infinite.
  const real = unit > LARGEST_UNIT ? Infinity : Number(units) * 2 ** unit;
  return numerator < 0n ? -real : real;
}

/** A finite double as mantissa × 2^exponent, exactly; the mantissa carries the sign. */
export function decompose(value: number): { mantissa: bigint; exponent: number } {
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const magnitude = biased === 0 ? fraction : fraction | (1n << 52n);
  return { mantissa: value < 0 ? -magnitude : magnitude, exponent: Math.max(biased, 1) - 1075 };
}

const view = new DataView(new ArrayBuffer(8));
/** Bits of a double's mantissa, the implied one included. */
const MANTISSA_BITS = 53;
/** The last place of a subnormal is 2^-1074, that of the largest double 2^971. */
const SMALLEST_UNIT = -1074;
const LARGEST_UNIT = 971;
const TWO_TO_52 = 2 ** 52;

function roundProduct(value: number, scale: number, scaleIsPowerOfTwo: boolean): bigint {
  const product = value * scale;
  const size = Math.abs(product);
  if (size < TWO_TO_52) {
    // Between 2^52 and 2^53 a double has no fraction: the addition rounds half to even, the subtraction is exact.
    const nearest = product < 0 ? product - TWO_TO_52 + TWO_TO_52 : product + TWO_TO_52 - TWO_TO_52;
    // Rounding is monotonic and every tie below 2^52 is a double, so the product is on the right side of each of them;
    // only a product that is a tie may have been rounded to it. By a power of two it is exact (or so small that it is 0).
    if (scaleIsPowerOfTwo || Math.abs(product - nearest) !== 0.5) return BigInt(nearest);
  } else if (scaleIsPowerOfTwo && size !== Infinity) {
    return BigInt(product);
  }
  const a = decompose(value);
  const b = decompose(scale);
  const mantissa = a.mantissa * b.mantissa;
  const exponent = a.exponent + b.exponent;
  return exponent < 0 ? divideRoundHalfEven(mantissa, 1n << BigInt(-exponent)) : mantissa << BigInt(exponent);
}

/** The sign of magnitude − denominator × 2^shift. */
function compareShifted(magnitude: bigint, denominator: bigint, shift: number): number {
  const left = shift < 0 ? magnitude << BigInt(-shift) : magnitude;
  const right = shift < 0 ? denominator : denominator << BigInt(shift);
  return left < right ? -1 : left > right ? 1 : 0;
}

function isPowerOfTwo(scale: number): boolean {
  const { mantissa } = decompose(scale);
  return (mantissa & (mantissa - 1n)) === 0n;
}

function requireScale(scale: number): void {
  if (!Number.isFinite(scale) || scale <= 0) {
    throw new SealsumError('number_out_of_bounds', 'scale: expected a finite number above 0', { field: 'scale' });
  }
}
