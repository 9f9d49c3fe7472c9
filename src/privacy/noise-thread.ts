/** Noise drawn on a thread of its own, from the operating system's generator. */
import { answering, type ThreadFunction } from '../threads/thread.ts';
import { sampleDiscreteGaussians } from './discrete-gaussian.ts';
import type { Rational } from './rational.ts';

export interface NoiseOrder {
  readonly count: number;
  readonly variance: Rational;
}

export const draw: ThreadFunction<NoiseOrder, bigint[]> = answering(({ count, variance }) =>
  sampleDiscreteGaussians(count, variance),
);
