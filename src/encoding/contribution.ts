/**
 * One owner's contribution to a sum as slots: 1 for the contributor count, the weight, the values, each within its bound.
 */
import { SealsumError } from '../errors.ts';
import { LEADING_SLOTS, ownerBound, type Plan, slotName } from './plan.ts';

/** A weight and the values that go with it, as integers: of one owner, or summed over several. */
export interface WeightedVector {
  /** A multiple of the plan's weightUnit where no noise is in it. */
  readonly weight: bigint;
  /** As many as the plan's `length`, at the plan's scale, already multiplied by the weight. */
  readonly values: bigint[];
}

/**
 * The slots of one owner's vector, ready to pack.
 *
 * @throws SealsumError `plan_mismatch` where the length is not the plan's, `number_out_of_bounds` naming the first slot
 *   (field `weight`, or `value j` with j counted from 0) that is beyond what the plan allows one owner
 */
export function contributionSlots(plan: Plan, vector: WeightedVector): bigint[] {
  if (vector.values.length !== plan.length) {
    throw new SealsumError(
      'plan_mismatch',
      `values: the plan has room for ${plan.length}, not for ${vector.values.length}`,
      { field: 'values' },
    );
  }
  const weightBound = ownerBound(plan, 1);
  if (vector.weight > weightBound || vector.weight < -weightBound) refuse(plan, 1);
  const valueBound = ownerBound(plan, LEADING_SLOTS);
  for (const [index, value] of vector.values.entries()) {
    if (value > valueBound || value < -valueBound) refuse(plan, LEADING_SLOTS + index);
  }
  return [1n, vector.weight, ...vector.values];
}

function refuse(plan: Plan, slot: number): never {
  const field = slotName(slot);
  throw new SealsumError(
    'number_out_of_bounds',
    `slot ${slot} (${field}) is beyond the ±${ownerBound(plan, slot).toString()} that the plan allows one owner; ` +
      'plan for a greater weight or bound, or clip',
    { field },
  );
}
