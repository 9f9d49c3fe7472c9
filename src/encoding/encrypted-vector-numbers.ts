/**
 * Reals as integers at the scale of an encrypted vector, and back: integer = real × scale, exactly rounded both ways, ties to even.
 *
 * fixed-point.ts has one scale for a job, a double. The scale of a vector follows from what was done with it and is an integer of
 * any length: products multiply it by powers of two, means by how many there are.
 */
import { SealsumError } from '../errors.ts';
import type { Spreading } from '../threads/spread.ts';
import { decompose, divideRoundHalfEven, divideToNumber } from './fixed-point.ts';

/** What an operation with plain numbers may be told. */
export interface PlainOptions extends Spreading {
  /** Bits behind the binary point to which they are rounded, ties to even; 0 unless told, which takes whole numbers only. */
  readonly fractionBits?: number;
  /** The greatest magnitude that one of them may have. Tracked in place of their own magnitudes, which stay private then. */
  readonly bound?: number;
}

/** More bits behind the binary point than a double has. */
const greatestFractionBits = 1074;

/**
 * Rounds every value × scale to the nearest integer.
 *
 * @param name what one of the values is called in errors
 * @throws SealsumError number_not_finite with field `name j`, j counted from 0
 */
export function integersAt(values: ArrayLike<number>, scale: bigint, name = 'value'): bigint[] {
  return Array.from(values, (value, index) => {
    if (!Number.isFinite(value)) {
      const field = `${name} ${index}`;
      throw new SealsumError('number_not_finite', `${field} is NaN or infinite: every one must be a finite number`, {
        field,
      });
    }
    const { mantissa, exponent } = decompose(value);
    const product = mantissa * scale;
    return exponent < 0 ? divideRoundHalfEven(product, 1n << BigInt(-exponent)) : product << BigInt(exponent);
  });
}

/** The double nearest to each integer / scale; an infinity where none is. */
export function realsAt(integers: readonly bigint[], scale: bigint): Float64Array {
  return Float64Array.from(integers, (integer) => divideToNumber(integer, scale));
}

/** 2^bits. @throws SealsumError number_out_of_bounds unless it is an integer from 0 to 1074 */
export function scaleOf(fractionBits: number): bigint {
  if (!Number.isSafeInteger(fractionBits) || fractionBits < 0 || fractionBits > greatestFractionBits) {
    throw new SealsumError(
      'number_out_of_bounds',
      `fractionBits: expected an integer from 0 to ${greatestFractionBits}`,
      {
        field: 'fractionBits',
      },
    );
  }
  return 1n << BigInt(fractionBits);
}

/**
 * The greatest integer that a real of at most this magnitude becomes.
 *
 * @throws SealsumError number_out_of_bounds unless the bound is finite and at least half a unit of the scale
 */
export function boundAt(bound: number, scale: bigint): bigint {
  const [integer = 0n] = Number.isFinite(bound) ? integersAt([bound], scale) : [];
  if (integer > 0n) return integer;
  throw new SealsumError(
    'number_out_of_bounds',
    'bound: expected a finite number above 0 that does not round to 0; use a greater one, or more fractionBits',
    { field: 'bound' },
  );
}

/** The greatest magnitude among integers; 0 for none. */
export function greatestMagnitude(integers: readonly bigint[]): bigint {
  return integers.reduce((greatest, integer) => {
    const magnitude = integer < 0n ? -integer : integer;
    return magnitude > greatest ? magnitude : greatest;
  }, 0n);
}

/** @throws SealsumError number_out_of_bounds naming the first integer that is greater than the bound, but not what it is */
export function requireWithin(integers: readonly bigint[], bound: bigint, name = 'value'): void {
  const beyond = integers.findIndex((integer) => integer > bound || integer < -bound);
  if (beyond === -1) return;
  const field = `${name} ${beyond}`;
  throw new SealsumError('number_out_of_bounds', `${field} is beyond the bound; give a greater bound, or clip`, {
    field,
  });
}

/** Plain numbers as integers, and what is tracked of them. */
export interface PlainIntegers {
  readonly values: readonly bigint[];
  readonly scale: bigint;
  /** The greatest magnitude of one. */
  readonly bound: bigint;
  /** The greatest magnitude of their dot product with integers of magnitude 1. */
  readonly reach: bigint;
}

/**
 * Plain numbers to multiply by.
 *
 * @param name what one of them is called in errors
 * @throws SealsumError number_not_finite, number_out_of_bounds naming the first that is refused
 */
export function weightsOf(numbers: ArrayLike<number>, options: PlainOptions, name: string): PlainIntegers {
  const scale = scaleOf(options.fractionBits ?? 0);
  const values = integersAt(numbers, scale, name);
  if (options.fractionBits === undefined) requireWhole(numbers, name);
  if (options.bound === undefined) {
    const reach = values.reduce((total, each) => total + (each < 0n ? -each : each), 0n);
    return { values, scale, bound: greatestMagnitude(values), reach };
  }
  const bound = boundAt(options.bound, scale);
  requireWithin(values, bound, name);
  return { values, scale, bound, reach: bound * BigInt(values.length) };
}

function requireWhole(numbers: ArrayLike<number>, name: string): void {
  const broken = Array.from(numbers).findIndex((each) => !Number.isInteger(each));
  if (broken === -1) return;
  const field = `${name} ${broken}`;
  throw new SealsumError(
    'number_out_of_bounds',
    `${field} is not whole; say by fractionBits to how many bits behind the binary point it is to be rounded`,
    { field },
  );
}
