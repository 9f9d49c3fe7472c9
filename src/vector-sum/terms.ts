/** What the document of a vector sum fixes before any key is used; both sides compute it. */
import { createPlan } from '../encoding/plan.ts';
import { calibrateSum, noiseBound, type SumTerms } from '../protocol/terms.ts';
import type { VectorSum } from './document.ts';

/** The integer that stands for `bound` or `norm`: 2^(bits − 1). */
export function greatestInteger({ bits }: Pick<VectorSum, 'bits'>): bigint {
  return 1n << BigInt(bits - 1);
}

/** integer = real × scale. */
export function scaleOf(sum: Pick<VectorSum, 'bits' | 'bound' | 'norm'>): number {
  return 2 ** (sum.bits - 1) / (sum.bound ?? sum.norm ?? 1);
}

/**
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
