/**
 * One owner's contribution to a sum as slots: 1 for the contributor count, the weight, the values, each within its bound.
 */
import { SealsumError } from '../errors.ts';
import type { Integers } from '../paillier/integers.ts';
import { LEADING_SLOTS, ownerBound, type Plan, slotName } from './plan.ts';

/** A weight and the values that go with it, as integers: of one owner, or summed over several. */
export interface WeightedVector {
  /** A multiple of the plan's weightUnit where no noise is in it. */
  readonly weight: bigint;
  /** As many as the plan's `length`, at the plan's scale, already multiplied by the weight. */
  readonly values: bigint[];
}

/** The same with values that may be made when they are asked for. */
export interface OwnVector {
  readonly weight: bigint;
  readonly values: Integers;
}

/**
 * The slots of one owner's vector, ready to pack.
 *
 * @param noise added to weight and values, as many as there are; at most the plan's noiseBound divided among its owners
 * @throws SealsumError `plan_mismatch` where the length is not the plan's, `number_out_of_bounds` naming the first slot
 *   (field `weight`, or `value j` with j counted from 0) that is beyond what the plan allows one owner
 */
export function contributionSlots(plan: Plan, vector: OwnVector, noise?: readonly bigint[]): bigint[] {
  return [...slotsOf(plan, vector, noise).slice(0, plan.slots)];
}

/** The same, each made when it is asked for, once all of them were looked at. @throws SealsumError as contributionSlots() */
export function slotsOf(plan: Plan, { weight, values }: OwnVector, noise?: readonly bigint[]): Integers {
  if (values.length !== plan.length) {
    throw new SealsumError('plan_mismatch', `values: the plan has room for ${plan.length}, not for ${values.length}`, {
      field: 'values',
    });
  }
  const weightBound = ownerBound(plan, 1);
  if (weight > weightBound || weight < -weightBound) refuse(plan, 1);
  const valueBound = ownerBound(plan, LEADING_SLOTS);
  for (let from = 0; from < values.length; from += atATime) {
    for (const [at, value] of values.slice(from, from + atATime).entries())
      if (value > valueBound || value < -valueBound) refuse(plan, LEADING_SLOTS + from + at);
  }
  if (noise !== undefined) requireNoise(plan, noise);
  const exact = (from: number, to: number): bigint[] => [
    ...[1n, weight].slice(from, to),
    ...values.slice(Math.max(0, from - LEADING_SLOTS), Math.max(0, to - LEADING_SLOTS)),
  ];
  if (noise === undefined) return { length: plan.slots, slice: exact };
  return {
    length: plan.slots,
    slice: (from, to) =>
      exact(from, to).map((value, at) => value + (from + at === 0 ? 0n : (noise[from + at - 1] ?? 0n))),
  };
}

/** Values that are looked at together. */
const atATime = 4096;

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
