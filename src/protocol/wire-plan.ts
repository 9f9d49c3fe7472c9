/** The plan as it travels: the same fields in snake_case, big integers as decimal strings. */
import { z } from 'zod';
import { createPlan, type Plan } from '../encoding/plan.ts';
import { SealsumError } from '../errors.ts';

export interface WirePlan {
  readonly key_bits: number;
  readonly length: number;
  readonly owners: number;
  readonly max_weight: string;
  readonly value_bound: string;
  readonly scale: number;
  readonly weight_unit: string;
  readonly noise_bound: string;
  readonly sum_bound: string;
  readonly slot_bits: number;
  /** 0: no tags. */
  readonly tag_bits: number;
  readonly slots_per_ciphertext: number;
  readonly slots: number;
  readonly ciphertexts: number;
}

const decimal = z
  .string()
  .max(3000)
  .regex(/^(0|[1-9][0-9]*)$/, 'expected a decimal integer without leading zeros');
const count = z.number().int().min(1).max(100_000_000);

export const wirePlanSchema: z.ZodType<WirePlan> = z.strictObject({
  key_bits: z.number().int().min(2048).max(8192),
  length: count,
  owners: z.number().int().min(2).max(10_000),
  max_weight: decimal,
  value_bound: decimal,
  scale: z.number().positive(),
  weight_unit: decimal,
  noise_bound: decimal,
  sum_bound: decimal,
  slot_bits: count,
  tag_bits: z.number().int().min(0).max(128),
  slots_per_ciphertext: count,
  slots: count,
  ciphertexts: count,
});

export function planToWire(plan: Plan): WirePlan {
  return {
    key_bits: plan.keyBits,
    length: plan.length,
    owners: plan.owners,
    max_weight: String(plan.maxWeight),
    value_bound: String(plan.valueBound),
    scale: plan.scale,
    weight_unit: String(plan.weightUnit),
    noise_bound: String(plan.noiseBound),
    sum_bound: String(plan.sumBound),
    slot_bits: plan.slotBits,
    tag_bits: plan.tagBits,
    slots_per_ciphertext: plan.slotsPerCiphertext,
    slots: plan.slots,
    ciphertexts: plan.ciphertexts,
  };
}

/**
 * The plan that a message states, computed anew from what it asks for.
 *
 * @param name of the field that it stands in
 * @throws SealsumError plan_unsafe when no sum of it would be safe; plan_mismatch naming the first field that does not follow
 *   from the others
 */
export function planFromWire(wire: WirePlan, name = 'plan'): Plan {
  const plan = createPlan({
    keyBits: wire.key_bits,
    length: wire.length,
    owners: wire.owners,
    maxWeight: BigInt(wire.max_weight),
    valueBound: BigInt(wire.value_bound),
    scale: wire.scale,
    weightUnit: BigInt(wire.weight_unit),
    noiseBound: BigInt(wire.noise_bound),
    slotBits: wire.slot_bits,
    tags: wire.tag_bits !== 0,
  });
  const computed = planToWire(plan);
  const [field] = planDifferences(computed, wire);
  if (field !== undefined)
    throw new SealsumError(
      'plan_mismatch',
      `${name}.${field}: expected ${computed[field]}, which follows from the others, found ${wire[field]}`,
      { field: `${name}.${field}` },
    );
  return plan;
}

/** The names of the fields in which two plans differ; an owner computes its own plan and accepts no other. */
export function planDifferences(own: WirePlan, offered: WirePlan): (keyof WirePlan)[] {
  return (Object.keys(own) as (keyof WirePlan)[]).filter((field) => own[field] !== offered[field]);
}
