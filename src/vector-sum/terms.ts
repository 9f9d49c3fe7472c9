/** What the document of a vector sum fixes before any key is used; both sides compute it. */
import { createPlan } from '../encoding/plan.ts';
import { calibrateSum, noiseBound, type SumTerms } from '../protocol/terms.ts';
import type { VectorSum } from './document.ts';

type FixedPoint = Pick<VectorSum, 'bits' | 'levels'>;

/** The integer that stands for `bound` or `norm`: 2^(bits − 1), or half of the `levels`. */
export function greatestInteger({ bits, levels }: FixedPoint): bigint {
  return levels === undefined ? 1n << BigInt(bits - 1) : BigInt(levels / 2);
}

/** integer = real × scale. */
export function scaleOf(sum: FixedPoint & Pick<VectorSum, 'bound' | 'norm'>): number {
  return Number(greatestInteger(sum)) / (sum.bound ?? sum.norm ?? 1);
}

/**
 * Everything that follows from the document of a vector sum and the length of a roster: fixed point, plan, noise.
 *
 * @param owners how many owners the roster names
 * @throws SealsumError plan_unsafe, privacy_invalid
 */
export function vectorSumTerms(sum: VectorSum, owners: number): SumTerms {
  const { privacy, rounds, participation } = sum;
  const greatest = greatestInteger(sum);
  const calibration =
    privacy === undefined ? undefined : calibrateSum(privacy, rounds, { quorum: participation.quorum, greatest });
  const plan = createPlan({
    keyBits: sum.encryption.key_bits,
    length: sum.length,
    owners,
    maxWeight: BigInt(sum.max_weight),
    valueBound: greatest,
    scale: scaleOf(sum),
    noiseBound: noiseBound(sum, calibration, owners),
    tags: true,
  });
  return { plan, calibration };
}
