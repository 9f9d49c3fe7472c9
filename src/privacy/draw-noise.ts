/** Noise for a whole vector, of which a million values take a second or two: here, or on threads. */
import { type RandomBytes, systemRandom } from '../paillier/random.ts';
import { type Spreading, spread } from '../threads/spread.ts';
import { sampleDiscreteGaussians } from './discrete-gaussian.ts';
import type { NoiseOrder } from './noise-thread.ts';
import type { Rational } from './rational.ts';

/** Draws that cost next to nothing by themselves, and are measured together. */
const together = 256;

/**
 * Independent draws, as sampleDiscreteGaussians gives them. With a generator other than the operating system's all are drawn
 * here. @throws SealsumError privacy_invalid; aborted when the signal fires
 */
export async function drawNoise(
  count: number,
  variance: Rational,
  random: RandomBytes = systemRandom,
  { pool, pause, signal }: Spreading = {},
): Promise<bigint[]> {
  const parts = await spread(
    {
      count,
      together,
      here: (from, to) => sampleDiscreteGaussians(to - from, variance, random),
      there: (from, to) => {
        const input: NoiseOrder = { count: to - from, variance };
        return { work: { beside: import.meta.url, file: './noise-thread', name: 'draw' }, input };
      },
    },
    { pool: random === systemRandom ? pool : undefined, pause, signal },
  );
  return parts.flat();
}
