/** One owner's vector as the integers that a vector sum adds up, and the sum as numbers again. */
import type { WeightedVector } from '../encoding/contribution.ts';
import { fromFixedPoint, toFixedPoint } from '../encoding/fixed-point.ts';
import { SealsumError } from '../errors.ts';
import { clipToIntegers } from '../privacy/clipping.ts';
import { clipToWideIntegers, euclideanNorm } from '../privacy/wide-clipping.ts';
import type { VectorSum } from './document.ts';
import { greatestInteger, scaleOf } from './terms.ts';

export interface EncodedVector {
  readonly vector: WeightedVector;
  /** The L2 norm of the vector as it was given. */
  readonly norm: number;
  /** Whether it was longer than the job's `norm`, so that it was shortened to it. */
  readonly clipped: boolean;
}

/**
 * @param values as many as the job sums
 * @param weight a whole number from 1 to the job's `max_weight`; the vector is multiplied by it. An owner without examples has
 *   0 where tensors are averaged
 * @throws SealsumError plan_mismatch for another length, data_invalid for what is no vector, number_not_finite and
 *   number_out_of_bounds with field `value j`, j counted from 0; number_out_of_bounds with field `weight`
 */
export function encodeVector(sum: VectorSum, values: ArrayLike<number>, weight = 1): EncodedVector {
  requireVector(sum, values);
  requireWeight(sum, weight);
  const norm = euclideanNorm(values);
  const { integers, clipped } = sum.norm === undefined ? withinBound(sum, values) : withinNorm(sum, sum.norm, values);
  const times = BigInt(weight);
  return { vector: { weight: times, values: integers.map((value) => value * times) }, norm, clipped };
}

function requireVector({ length }: VectorSum, values: ArrayLike<number>): void {
  const given = values as ArrayLike<unknown> | null | undefined;
  if (typeof given !== 'object' || given === null || typeof given.length !== 'number')
    throw new SealsumError('data_invalid', 'the vector: expected a Float64Array, or another list of numbers', {
      field: 'vector',
    });
  if (given.length !== length)
    throw new SealsumError(
      'plan_mismatch',
      `the vector has ${given.length} values, the job sums vectors of ${length}`,
      {
        field: 'length',
      },
    );
  for (let index = 0; index < length; index += 1) {
    if (Number.isFinite(given[index])) continue;
    const field = `value ${index}`;
    throw new SealsumError('number_not_finite', `${field} is NaN, infinite or no number: nothing is put in its place`, {
      field,
    });
  }
}

function requireWeight({ max_weight, averaging, privacy }: VectorSum, weight: number): void {
  const least = averaging !== undefined && privacy === undefined ? 0 : 1;
  if (Number.isSafeInteger(weight) && weight >= least && weight <= max_weight) return;
  throw new SealsumError('number_out_of_bounds', `weight: expected a whole number from ${least} to ${max_weight}`, {
    field: 'weight',
  });
}

interface Integers {
  readonly integers: bigint[];
  readonly clipped: boolean;
}

function withinBound(sum: VectorSum, values: ArrayLike<number>): Integers {
  const { bits, bound = 0 } = sum;
  for (let index = 0; index < values.length; index += 1) {
    if (Math.abs(values[index] as number) <= bound) continue;
    const field = `value ${index}`;
    throw new SealsumError(
      'number_out_of_bounds',
      `${field} does not fit: ${bits} bits of fixed point hold ±${bound}, the bound of the job, and nothing is cut off`,
      { field },
    );
  }
  const greatest = greatestInteger(sum);
  // The scale is rounded where the bound is no power of two, so that the bound itself may come to a little more than there is room for.
  const integers = toFixedPoint(values, scaleOf(sum)).map((value) =>
    value > greatest ? greatest : value < -greatest ? -greatest : value,
  );
  return { integers, clipped: false };
}

function withinNorm(sum: VectorSum, norm: number, values: ArrayLike<number>): Integers {
  const greatest = greatestInteger(sum);
  if (sum.bits === 16) {
    const { values: integers, clipped } = clipToIntegers(values, norm, greatest);
    return { integers: Array.from(integers, BigInt), clipped };
  }
  const { values: integers, clipped } = clipToWideIntegers(values, norm, greatest);
  return { integers, clipped };
}

export interface DecodedSum {
  readonly sum: Float64Array;
  /** The sum divided by the summed weight. */
  readonly mean: Float64Array;
  /** The contributors' weights together: with privacy, how many they are. */
  readonly weight: number;
}

/** @param integers of a sum, at the job's scale, noise included @throws SealsumError weight_zero: there is no mean */
export function decodeSum(sum: VectorSum, { weight, values }: WeightedVector, contributors: number): DecodedSum {
  // With privacy everybody weighs one, and only the noise on it was added: who contributed is no secret.
  const weights = sum.privacy === undefined ? Number(weight) : contributors;
  if (weights === 0)
    throw new SealsumError('weight_zero', 'weight: nobody who contributed has any, so there is no mean', {
      field: 'weight',
    });
  const total = fromFixedPoint(values, scaleOf(sum));
  return { sum: total, mean: total.map((value) => value / weights), weight: weights };
}
