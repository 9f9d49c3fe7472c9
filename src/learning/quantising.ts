/**
 * Quantised contributions: an owner's sums as integers of b bits, however many records they are over.
 *
 * With Q = 2^(b−1) − 1 and R = `participation.max_records`, sums over n ≤ R records become
 *
 *     weight n·⌊Q/R⌋,   gradient Σg · Q/(R·range),   each metric Σm · Q/(R·bound)
 *
 * so that no slot of an owner is beyond Q. A weight of ⌊Q/R⌋·R stands for R records, exactly. Where R > Q it is n·Q/R to the
 * nearest, without a coin: what it is off by is the same in every round, lengthens or shortens the whole gradient, and has no
 * part in its direction.
 */
import { divideRoundHalfEven } from '../encoding/fixed-point.ts';
import { quantisationBound, quantiseToWholeNumbers, type Rounding } from '../encoding/quantisation.ts';
import type { RandomBytes } from '../paillier/random.ts';
import type { OwnSums } from './clipped-sums.ts';
import type { Family } from './families.ts';
import type { Model } from './model-types.ts';
import { greatestResidual } from './quantisation-settings.ts';
import { isLoss, type SummedMetric } from './summed-metrics.ts';

export interface Quantising {
  readonly bits: number;
  readonly rounding: Rounding;
  /** R: the records that a weight of one stands for. */
  readonly records: number;
  /** Q. */
  readonly bound: bigint;
  /** The integer that stands for R records in the weight; at most Q. */
  readonly weightUnit: bigint;
  /** The greatest magnitude in the mean of an owner's gradients. */
  readonly range: number;
  /** The greatest mean of an owner's metrics, in the order of the task's. */
  readonly metricBounds: readonly number[];
  /** Q for each of them: the integer that stands for R records with a metric of 1; not whole. */
  readonly metricScales: readonly number[];
}

/** @returns undefined where contributions are not quantised */
export function quantisingOf(
  { model_type, encryption, participation }: Model,
  family: Family,
  metrics: readonly SummedMetric[],
): Quantising | undefined {
  const { quantization_bits: bits, quantization_range: range, rounding } = encryption;
  if (bits === undefined || range === undefined || rounding === undefined) return undefined;
  const bound = quantisationBound(bits);
  const records = participation.max_records;
  const whole = (bound / BigInt(records)) * BigInt(records);
  // A greater range is for greater residuals, by whose squares the loss of a linear model grows.
  const lossBound = family.lossBound * Math.max(1, range / greatestResidual(model_type)) ** 2;
  const metricBounds = metrics.map((name) => (isLoss(name) ? lossBound : 1));
  return {
    bits,
    rounding,
    records,
    bound,
    weightUnit: whole === 0n ? bound : whole,
    range,
    metricBounds,
    metricScales: metricBounds.map((most) => Number(bound) / most),
  };
}

/**
 * The sums over records, none beyond its bound, as integers.
 *
 * @param count the records that count as weight: those that are trained on
 * @param sums the gradient, then the metrics
 * @throws SealsumError `number_out_of_bounds`, `number_not_finite` where a sum is beyond what R records may reach
 */
export function quantisedSums(
  { bits, rounding, records, weightUnit, range, metricBounds }: Quantising,
  sums: Float64Array,
  count: number,
  random: RandomBytes,
): OwnSums {
  const statistics = sums.length - metricBounds.length;
  const whole = new Float64Array(sums.length);
  const quantise = (from: number, to: number, most: number): void => {
    const part = sums.subarray(from, to);
    whole.set(quantiseToWholeNumbers(part, { bits, range: most * records, rounding }, random), from);
  };
  quantise(0, statistics, range);
  for (const [index, most] of metricBounds.entries()) quantise(statistics + index, statistics + index + 1, most);
  return {
    weight: divideRoundHalfEven(BigInt(count) * weightUnit, BigInt(records)),
    sums: whole,
  };
}
