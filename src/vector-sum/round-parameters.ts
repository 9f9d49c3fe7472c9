/** The numbers that a round brings its owners, such as the parameters of a model that all of them compute on. */
import { SealsumError } from '../errors.ts';
import type { VectorSum } from './document.ts';

/**
 * @returns a copy, which nobody else changes
 * @throws SealsumError plan_mismatch for another number than the job's `parameters`, data_invalid for what is no list of
 *   numbers, number_not_finite with field `parameter j`, j counted from 0
 */
export function requireParameters({ parameters: count }: VectorSum, values: ArrayLike<number>): Float64Array {
  const given = values as ArrayLike<unknown> | null | undefined;
  if (typeof given !== 'object' || given === null || typeof given.length !== 'number')
    throw new SealsumError('data_invalid', 'parameters: expected a Float64Array, or another list of numbers', {
      field: 'parameters',
    });
  if (given.length !== count)
    throw new SealsumError(
      'plan_mismatch',
      `parameters: ${given.length} are given, and every round of the job has ${count}`,
      { field: 'parameters' },
    );
  for (let index = 0; index < count; index += 1) {
    if (Number.isFinite(given[index])) continue;
    const field = `parameter ${index}`;
    throw new SealsumError('number_not_finite', `${field} is NaN, infinite or no number`, { field });
  }
  return Float64Array.from(values);
}
