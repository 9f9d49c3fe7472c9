/**
 * Renormalisation: a sum becomes a mean at the plan's one scale, once and explicitly.
 *
 * Sums grow by the summed weight and are divided by it before anything else is done with them; so a number that goes out
 * for the next round has no more bits than the one that came in, however many rounds run.
 */
import { SealsumError } from '../errors.ts';
import type { WeightedVector } from './contribution.ts';
import { divideRoundHalfEven } from './fixed-point.ts';
import type { Plan } from './plan.ts';

/**
 * The mean per unit of weight of every summed value, at the plan's scale: value × weightUnit / weight, ties to even.
 *
 * Where no noise is in the sum and every owner kept to its bound per unit of weight, each mean is within ±`plan.valueBound`.
 *
 * @param plan the plan, or a task, which knows as much of it
 * @throws SealsumError `weight_zero` where the summed weight is not above 0, `plan_mismatch` where the length is not the plan's
 */
export function renormalise(plan: Pick<Plan, 'length' | 'weightUnit'>, sum: WeightedVector): bigint[] {
  if (sum.values.length !== plan.length) {
    throw new SealsumError('plan_mismatch', `values: the plan has ${plan.length}, the sum ${sum.values.length}`, {
      field: 'values',
    });
  }
  if (sum.weight <= 0n) {
    throw new SealsumError(
      'weight_zero',
      'weight: the summed weight is not above 0, so there is no mean; more records are needed, or less noise',
      { field: 'weight' },
    );
  }
  return sum.values.map((value) => divideRoundHalfEven(value * plan.weightUnit, sum.weight));
}
