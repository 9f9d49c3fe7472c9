/**
 * Adaptive clipping: the clip follows a quantile of the owners' norms, which is estimated under the same privacy.
 *
 * Andrew, Thakkar, McMahan, Ramaswamy, Differentially Private Learning with Adaptive Clipping (2021), Algorithm 1: every owner
 * also says by one bit whether its update was no longer than the clip C. From the noised fraction b̃ of those,
 *
 *     C ← C·exp(−η·(b̃ − γ)),   b̃ cut to [0, 1].
 *
 * The bit is sent as a sign, +1 or −1, so that an owner who is missing (zero) differs by 1 either way: as a bit it would be moved by
 * one half, which is where the paper's 2σ_b comes from (its Theorem 1). What the signs' noise costs is taken from what the sum may
 * cost, exactly: 1/z² = 1/z_Δ² + 1/(2σ_b)².
 */
import { SealsumError } from '../errors.ts';
import { compareRationals, formatRational, multiplyRationals, type Rational, rational, toNumber } from './rational.ts';

/** What a round may cost in all, and how much noise the fraction of unclipped owners gets. */
export interface AdaptiveNoise {
  /** Only owners have one update each that is clipped as a whole. */
  readonly unit: 'owner' | 'record';
  /** z²: the noise multiplier, squared, with which sum and signs together cost what the sum would cost alone; above 0. */
  readonly noiseMultiplierSquared: Rational;
  /** σ_b²: the variance of the noise on the number of unclipped owners; more than z²/4. */
  readonly countVariance: Rational;
}

/** σ² of the noise on what owners add, each divided by the square of the most that one owner may add to it. */
export interface NoiseSplit {
  /** z_Δ², for the sum of the updates; more than z². */
  readonly sum: Rational;
  /** (2σ_b)², for the sum of the signs. */
  readonly signs: Rational;
}

/**
 * How the noise is divided between the sum of the updates and the signs, in exact fractions.
 *
 * Throws `privacy_invalid` with the field: `unit` for records, `count_noise` where z ≥ 2σ_b, when the signs alone would cost
 * all there is, and whichever is not above 0.
 */
export function splitNoise({ unit, noiseMultiplierSquared, countVariance }: AdaptiveNoise): NoiseSplit {
  if (unit !== 'owner') {
    throw new SealsumError(
      'privacy_invalid',
      'unit: adaptive clipping needs the unit "owner"; choose it, or a fixed clip',
      {
        field: 'unit',
      },
    );
  }
  requirePositive('noise_multiplier', noiseMultiplierSquared);
  requirePositive('count_noise', countVariance);
  const signs = multiplyRationals(rational(4n), countVariance);
  if (compareRationals(noiseMultiplierSquared, signs) >= 0) {
    throw new SealsumError(
      'privacy_invalid',
      `count_noise: the noise multiplier is ${shown(noiseMultiplierSquared)}, and twice the noise on the count, ` +
        `${shown(signs)}, must be more: it would leave nothing for the sum; raise count_noise, or lower the noise multiplier`,
      { field: 'count_noise' },
    );
  }
  // 1/(1/z² − 1/s) = z²·s/(s − z²).
  const { numerator: a, denominator: b } = noiseMultiplierSquared;
  const { numerator: c, denominator: d } = signs;
  return { sum: rational(a * c, b * c - a * d), signs };
}

/** What an owner that takes part adds to the sum of signs, in units of the signs' scale: 1 when its update was no longer than the clip. */
export function signOf(clipped: boolean): 1n | -1n {
  return clipped ? -1n : 1n;
}

/**
 * The fraction of unclipped owners from the noised sum of their signs; noise may take it out of [0, 1].
 *
 * `owners` is a number that everybody may know, such as how many contributed, or are expected to take part of those; never how
 * many did by the coins they tossed: whoever is missing from it counts as one half. Throws `privacy_invalid` unless it is finite and above 0.
 */
export function unclippedFraction(noisedSigns: number, owners: number): number {
  requireField('owners', owners, 'a finite number above 0', Number.isFinite(owners) && owners > 0);
  return 0.5 + noisedSigns / owners / 2;
}

/** Which quantile of the owners' norms the clip follows, and how fast. */
export interface QuantileFollower {
  /** γ: the fraction of owners that should remain unclipped; between 0 and 1. */
  readonly target: number;
  /** η: the clip's logarithm moves by at most this much in a round; above 0, at most 10. 0.2 in the paper. */
  readonly learningRate: number;
}

/**
 * The clip of the next round, from the noised fraction of owners that this round's left as they were.
 *
 * It is a function of what is public, so it costs nothing more. `clip` is finite and above 0, and so is the result: it stops at
 * 2^−1000 and at 2^1000, so that what an integer stands for, clip/N, remains a double too. Throws `privacy_invalid` naming the field.
 */
export function nextClip(clip: number, noisedFraction: number, { target, learningRate }: QuantileFollower): number {
  requireField('clip', clip, 'a finite length above 0', Number.isFinite(clip) && clip > 0);
  requireField('fraction', noisedFraction, 'a finite number', Number.isFinite(noisedFraction));
  requireField('target', target, 'a number from 0 to 1', target >= 0 && target <= 1);
  requireField('learning_rate', learningRate, 'more than 0 and at most 10', learningRate > 0 && learningRate <= 10);
  const next = clip * Math.exp(-learningRate * (Math.min(1, Math.max(0, noisedFraction)) - target));
  // A clip that is beyond them already comes back, or stays.
  return Math.min(Math.max(clip, 2 ** 1000), Math.max(Math.min(clip, 2 ** -1000), next));
}

/** The root of a variance, for people. */
function shown(variance: Rational): string {
  return Math.sqrt(toNumber(variance)).toPrecision(6);
}

function requirePositive(field: string, value: Rational): void {
  if (value.numerator > 0n) return;
  throw new SealsumError('privacy_invalid', `${field}: expected more than 0, got ${formatRational(value)}`, { field });
}

function requireField(field: string, value: number, expected: string, holds: boolean): void {
  if (!holds) throw new SealsumError('privacy_invalid', `${field}: expected ${expected}, got ${value}`, { field });
}
