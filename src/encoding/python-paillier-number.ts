/**
 * python-paillier's EncodedNumber (phe/encoding.py, version 1.5): a real number as an integer mod n and a public exponent.
 *
 * value = mantissa × 16^exponent, where the mantissa of a negative number is stored as n − |mantissa|. Only the third of the
 * residues nearest 0 on either side is used; what decodes to the middle third has overflowed. The exponent is public and grows
 * in magnitude with every product, which is why sealsum's own sums use one scale per plan instead; this encoding serves the
 * command line, so that either side reads what the other wrote to the last digit.
 *
 * As in Python a `bigint` is an int and a `number` is a float.
 */
import { SealsumError } from '../errors.ts';
import { bitLength } from '../paillier/bytes.ts';
import { decompose, divideRoundHalfEven, divideToNumber } from './fixed-point.ts';

/** An encoded number: mantissa mod n in [0, n), and the power of 16 it is multiplied by. */
export interface EncodedNumber {
  readonly encoding: bigint;
  readonly exponent: number;
}

/** How to choose the exponent. */
export interface EncodingOptions {
  /** The greatest absolute error allowed, above 0. Exact for a float and whole numbers for an int unless told. */
  readonly precision?: number;
  /** The exponent is at most this. */
  readonly maxExponent?: number;
}

/**
 * The greatest |exponent| that is worked with. An encoded double needs −282 to 242, a key of 8192 bits moves it by 2048 at most;
 * the limit keeps a file that somebody else wrote from asking for powers of 16 that fill the memory.
 */
export const EXPONENT_LIMIT = 16_384;

const BASE_BITS = 4;
const FLOAT_MANTISSA_BITS = 53;

/** The greatest magnitude of a mantissa under a modulus: a third of it, so that overflow can be seen. */
export function greatestMantissa(modulus: bigint): bigint {
  return modulus / 3n - 1n;
}

/**
 * Encodes a float (`number`) or an int (`bigint`).
 *
 * @throws SealsumError `number_not_finite`; `number_out_of_bounds` where the mantissa is beyond a third of the modulus or the
 *   precision is not above 0
 */
export function encodeNumber(value: number | bigint, modulus: bigint, options: EncodingOptions = {}): EncodedNumber {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new SealsumError('number_not_finite', 'the number is NaN or infinite: only a finite number can be encoded');
  }
  const { mantissa, exponent: binaryExponent } =
    typeof value === 'number' ? decompose(value) : { mantissa: value, exponent: 0 };
  const needed =
    options.precision === undefined
      ? typeof value === 'number'
        ? lastPlaceExponent(value)
        : 0
      : precisionExponent(options.precision);
  const exponent = Math.min(needed, options.maxExponent ?? needed);
  requireExponent(exponent);
  const shift = binaryExponent - BASE_BITS * exponent;
  const integer = shift < 0 ? divideRoundHalfEven(mantissa, 1n << BigInt(-shift)) : mantissa << BigInt(shift);
  return { encoding: toResidue(integer, modulus), exponent };
}

/**
 * Decodes to a float where the exponent is below 0 and to an int where it is not, as Python does: the float is the one nearest to
 * the quotient.
 *
 * @throws SealsumError `plaintext_out_of_range` where the encoding is not in [0, n), `number_out_of_bounds` where it lies in the
 *   overflow range or the result is beyond the largest float, `exponent_out_of_range`
 */
export function decodeNumber(number: EncodedNumber, modulus: bigint): number | bigint {
  const mantissa = mantissaOf(number, modulus);
  requireExponent(number.exponent);
  if (number.exponent >= 0) return mantissa << BigInt(BASE_BITS * number.exponent);
  const decoded = divideToNumber(mantissa, 1n << BigInt(-BASE_BITS * number.exponent));
  if (!Number.isFinite(decoded)) {
    throw new SealsumError('number_out_of_bounds', 'the decoded number is beyond the largest float');
  }
  return decoded;
}

/**
 * The same value with a lower exponent; python-paillier's `decrease_exponent_to`, which does not notice an overflow.
 *
 * @throws SealsumError `exponent_out_of_range` where the exponent would rise, `number_out_of_bounds` where the mantissa would
 *   go beyond a third of the modulus
 */
export function decreaseExponentTo(number: EncodedNumber, exponent: number, modulus: bigint): EncodedNumber {
  const mantissa = mantissaOf(number, modulus);
  return { encoding: toResidue(mantissa * exponentFactor(number.exponent, exponent), modulus), exponent };
}

/**
 * 16^(from − to): what a number, or its ciphertext, is multiplied by when its exponent goes down.
 *
 * @throws SealsumError `exponent_out_of_range` where `to` is above `from`
 */
export function exponentFactor(from: number, to: number): bigint {
  requireExponent(from);
  requireExponent(to);
  if (to > from) {
    throw new SealsumError('exponent_out_of_range', `exponent: ${to} is above ${from}, and it can only go down`, {
      field: 'exponent',
    });
  }
  return 1n << BigInt(BASE_BITS * (from - to));
}

/** What Python's `print` shows for an int or a float: `3`, `3.0`, `-2.5`, `1e+16`, `1e-05`. */
export function pythonRepresentation(value: number | bigint): string {
  if (typeof value === 'bigint') return value.toString();
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value < 0 ? '-inf' : 'inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  // Both languages print the shortest digits that read back as the same double; only the layout differs.
  const [digits = '0', power = '0'] = Math.abs(value).toExponential().split('e');
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    return `${sign}${digits}e${exponent < 0 ? '-' : '+'}${Math.abs(exponent).toString().padStart(2, '0')}`;
  }
  const plain = digits.replace('.', '');
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${plain}`;
  const whole = plain.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${plain.slice(exponent + 1) || '0'}`;
}

/** ⌊(frexp exponent − 53) / 4⌋: the power of 16 at or below the float's last place, frexp(0) being 0. */
function lastPlaceExponent(value: number): number {
  const { mantissa, exponent } = decompose(Math.abs(value));
  const frexpExponent = mantissa === 0n ? 0 : bitLength(mantissa) + exponent;
  return Math.floor((frexpExponent - FLOAT_MANTISSA_BITS) / BASE_BITS);
}

/** ⌊log₁₆ precision⌋, exactly; Python's floating-point logarithm gives one less for some exact powers below 16^-28. */
function precisionExponent(precision: number): number {
  if (!Number.isFinite(precision) || precision <= 0) {
    throw new SealsumError('number_out_of_bounds', 'precision: expected a finite number above 0', {
      field: 'precision',
    });
  }
  const { mantissa, exponent } = decompose(precision);
  return Math.floor((bitLength(mantissa) - 1 + exponent) / BASE_BITS);
}

function toResidue(integer: bigint, modulus: bigint): bigint {
  const bound = greatestMantissa(modulus);
  if (integer > bound || integer < -bound) {
    throw new SealsumError(
      'number_out_of_bounds',
      'the encoded number is beyond a third of the modulus: use a larger key',
    );
  }
  return integer < 0n ? integer + modulus : integer;
}

function mantissaOf(number: EncodedNumber, modulus: bigint): bigint {
  const { encoding } = number;
  if (encoding < 0n || encoding >= modulus) {
    throw new SealsumError('plaintext_out_of_range', 'the encoded number is not in [0, n)');
  }
  const bound = greatestMantissa(modulus);
  if (encoding <= bound) return encoding;
  if (encoding >= modulus - bound) return encoding - modulus;
  throw new SealsumError(
    'number_out_of_bounds',
    'the number lies in the range that marks an overflow: it grew beyond a third of the modulus, or the key is not the one ' +
      'it was encrypted under',
  );
}

function requireExponent(exponent: number): void {
  if (!Number.isSafeInteger(exponent) || Math.abs(exponent) > EXPONENT_LIMIT) {
    throw new SealsumError('exponent_out_of_range', `exponent: expected an integer within ±${EXPONENT_LIMIT}`, {
      field: 'exponent',
    });
  }
}
