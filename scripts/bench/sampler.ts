/** How fast exact noise is drawn. */
import { systemRandom } from '../../src/paillier/random.ts';
import { sampleDiscreteGaussians } from '../../src/privacy/discrete-gaussian.ts';
import { rational } from '../../src/privacy/rational.ts';

export interface SamplerRow {
  readonly operation: 'discrete gaussian';
  /** log₂ σ. */
  readonly sigma_bits: number;
  readonly samples_per_second: number;
}

/** Draws of the exact discrete Gaussian a second, on one core: the median of five batches, after one to warm up. */
export function measureSampler(sigmaBits: number, draws: number): SamplerRow {
  const variance = rational(2n ** BigInt(2 * sigmaBits));
  const times = Array.from({ length: 6 }, () => {
    const began = performance.now();
    const { length } = sampleDiscreteGaussians(draws, variance, systemRandom);
    if (length !== draws) throw new Error(`discrete gaussian: ${length} draws instead of ${draws}`);
    return performance.now() - began;
  })
    .slice(1)
    .sort((a, b) => a - b);
  return {
    operation: 'discrete gaussian',
    sigma_bits: sigmaBits,
    samples_per_second: Math.round((1000 * draws) / (times[2] ?? Number.NaN)),
  };
}
