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
 * @param noise added to weight and values, as many as there are; at most the plan's noiseBound divided among its owners
 * @throws SealsumError `plan_mismatch` where the length is not the plan's, `number_out_of_bounds` naming the first slot
 *   (field `weight`, or `value j` with j counted from 0) that is beyond what the plan allows one owner
 */
export function contributionSlots(plan: Plan, vector: WeightedVector, noise?: readonly bigint[]): bigint[] {
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
  const slots = [1n, vector.weight, ...vector.values];
  if (noise === undefined) return slots;
  requireNoise(plan, noise);
  return slots.map((value, slot) => value + (slot === 0 ? 0n : (noise[slot - 1] ?? 0n)));
}

function requireNoise(plan: Plan, noise: readonly bigint[]): void {
  if (noise.length !== plan.slots - 1) {
    throw new SealsumError('plan_mismatch', `noise: expected ${plan.slots - 1} draws, not ${noise.length}`, {
      field: 'noise',
    });
  }
  const bound = plan.noiseBound / BigInt(plan.owners);
  // Draws are secret, so the error does not say which; the bound is passed with a probability below 2^-183 a draw.
  if (noise.some((draw) => draw > bound || draw < -bound)) {
    throw new SealsumError('number_out_of_bounds', 'noise: a draw is beyond what the plan allows one owner', {
      field: 'noise',
    });
  }
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
