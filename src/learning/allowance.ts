/**
 * How the allowance of a unit is divided. With differential privacy every unit, a record or a whole owner, adds one integer vector
 * of L2 norm at most S to a round's sum, everything included that is released (S = 2^20, or 2^(b−1) where b bits are asked for):
 *
 *     (A/4, A/8·m₁/M₁, …, A/8·m_K/M_K, statistics clipped to C and stretched to N, ±B)
 *
 *     A² = S² − B²,   N² ≤ A² − (A/4)² − K·(A/8)²
 *
 * A/4 stands for one unit's weight, A/8 for the greatest value of each metric, and B, where the clip adapts, for whether the
 * owner remained unclipped. So adding or removing (zeroing) a unit moves the sum, the count among it, by at most S.
 *
 * A record that is held out for validation has another vector: neither weight, statistics nor metrics, but H for itself and H·m/M for
 * each of its K metrics, with (K + 1)·H² ≤ A². A record is trained on or held out, by what it says alone, so it moves the sum by one
 * of the two. An owner that is the unit has both: then H = A/8, and (K + 1)·H² more is taken off N². In cross-validation a record is
 * in one fold: its statistics are in that fold's place, and A/8 stands for it in the number of the fold's records.
 */
import type { Rounding } from '../encoding/quantisation.ts';
import { SealsumError } from '../errors.ts';
import { splitNoise } from '../privacy/adaptive-clipping.ts';
import { CLIP_SCALE } from '../privacy/clipping.ts';
import { integerSquareRoot } from '../privacy/integer.ts';
import type { PrivacyUnit } from '../privacy/mode.ts';
import {
  divideRationals,
  multiplyRationals,
  type Rational,
  rational,
  rationalFromNumber,
} from '../privacy/rational.ts';
import type { Family } from './families.ts';
import type { EncryptionSettings, PrivacySettings } from './model-types.ts';
import { isFoldCount, isHeldOutMetric, isLoss, type SummedMetric } from './summed-metrics.ts';

export interface Clipping {
  readonly unit: PrivacyUnit;
  /** With which probability a unit takes part in a round; in (0, 1]. */
  readonly sampling: number;
  /** C: statistics longer than this are shortened to it. */
  readonly clip: number;
  /** N: the integer length that stands for C. */
  readonly norm: bigint;
  /** A/4: the integer that stands for the weight of one unit. */
  readonly weightUnit: bigint;
  /** A/8 or H: the integer that stands for the greatest value of each of the task's metrics, in their order. */
  readonly metricBounds: readonly bigint[];
  /** The integer that stands for a metric of 1, in the same order; not whole. */
  readonly metricScales: readonly number[];
  /** B; undefined where the clip stays as it is. */
  readonly sign: bigint | undefined;
  /** How statistics and metrics become integers. */
  readonly rounding: Rounding;
}

/** S: what one unit moves a round's sum by, at the most. */
export function greatestChange({ quantization_bits: bits }: EncryptionSettings): bigint {
  return bits === undefined ? CLIP_SCALE : 2n ** BigInt(bits - 1);
}

/**
 * @param metrics those of a task, in their order
 * @param sign B, as `signShare` finds it
 */
export function divideAllowance(
  { clip, unit, sampling }: PrivacySettings,
  encryption: EncryptionSettings,
  family: Family,
  metrics: readonly SummedMetric[],
  sign?: bigint,
): Clipping {
  const allowance = integerSquareRoot(greatestChange(encryption) ** 2n - (sign ?? 0n) ** 2n);
  const weightUnit = allowance / 4n;
  const metricBound = allowance / 8n;
  const heldOut = metrics.filter(isHeldOutMetric).length;
  const alone = unit === 'record' && heldOut > 0;
  const heldOutBound = alone ? integerSquareRoot(allowance ** 2n / BigInt(heldOut)) : metricBound;
  const metricBounds = metrics.map((name) => (isHeldOutMetric(name) ? heldOutBound : metricBound));
  return {
    unit,
    sampling,
    clip,
    norm: integerSquareRoot(allowance ** 2n - weightUnit ** 2n - besideStatistics(unit, metrics) * metricBound ** 2n),
    weightUnit,
    metricBounds,
    metricScales: metrics.map((name, index) => Number(metricBounds[index]) / (isLoss(name) ? family.lossBound : 1)),
    sign,
    rounding: encryption.rounding ?? 'nearest',
  };
}

/** How many metrics one unit has beside its statistics: of the folds a record is in one, and it is trained on or held out. */
function besideStatistics(unit: PrivacyUnit, metrics: readonly SummedMetric[]): bigint {
  const others = metrics.filter((name) => !isFoldCount(name) && (unit === 'owner' || !isHeldOutMetric(name)));
  return BigInt(others.length + Number(metrics.some(isFoldCount)));
}

/** The least A with which the weight and the metrics are told apart from nothing: a thousandth of S, and two units for a metric. */
function leastAllowance(greatest: bigint): bigint {
  const share = greatest / 2n ** 10n;
  return share > 16n ? share : 16n;
}

/**
 * B with which the number of unclipped owners has the noise that was asked for: from signs ±B that are added, it is half their
 * sum over B, and so has the standard deviation σ/2B.
 *
 * @param variance σ² of the noise on every coordinate of a round's sum, in squared integer units
 * @returns undefined where the clip stays as it is
 * @throws SealsumError privacy_invalid where the count would leave nothing for the sum: z ≥ 2σ_b
 */
export function signShare(
  { unit, adaptive_clip: adaptive }: PrivacySettings,
  encryption: EncryptionSettings,
  variance: Rational,
): bigint | undefined {
  if (adaptive === undefined) return undefined;
  const greatest = greatestChange(encryption);
  const countNoise = rationalFromNumber(adaptive.count_noise);
  const noiseMultiplierSquared = divideRationals(variance, rational(greatest ** 2n));
  const { signs } = inModel(() =>
    splitNoise({ unit, noiseMultiplierSquared, countVariance: multiplyRationals(countNoise, countNoise) }),
  );
  const { numerator, denominator } = divideRationals(variance, signs);
  const share = integerSquareRoot(numerator / denominator);
  if (share >= 1n && greatest ** 2n - share ** 2n >= leastAllowance(greatest) ** 2n) return share;
  throw new SealsumError(
    'privacy_invalid',
    share < 1n
      ? `count_noise: ${adaptive.count_noise} is so much beside the noise of the sum that the count would say nothing; lower it`
      : `count_noise: ${adaptive.count_noise} leaves next to nothing for the sum; raise it`,
    { field: 'privacy.adaptive_clip.count_noise' },
  );
}

/** What is refused is named as model.json has it. */
function inModel<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof SealsumError) || error.field !== 'count_noise') throw error;
    throw new SealsumError(error.code, error.message, { field: `privacy.adaptive_clip.${error.field}`, cause: error });
  }
}
