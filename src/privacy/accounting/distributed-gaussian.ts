/**
 * Noise in shares: the sum of discrete Gaussians of several parties, which is close to one discrete Gaussian, and how close.
 *
 * Kairouz, Liu, Steinke, The Distributed Discrete Gaussian Mechanism for Federated Learning with Secure Aggregation (2021). The sum
 * of k discrete Gaussians of parameter σ² ≥ 1/4 and one of parameter kσ² have probabilities whose ratio lies, at every integer,
 * between e^(−τ/2) and e^(τ/2) (their bound on convolutions, once for each share that is added), where
 *
 *     τ = 10·Σ_{j=1}^{k−1} exp(−2π²σ²·j/(j+1)).
 *
 * Against itself moved by Δ, a vector of d such sums therefore loses at most τd more than the discrete Gaussian would, whose loss
 * is linear in the outcome; and E[exp(linear)] is bounded alike for both, since discrete Gaussians are subgaussian. Hence
 *
 *     D_α ≤ α·‖Δ‖₂²/2kσ² + τd     for every α > 1, which is ρ-zCDP for ρ = ‖Δ‖₂²/2kσ² + τd
 *
 * (the first bound of their Proposition 14; the second, with the L1 norm, is tighter for small noise, and the third never).
 */
import { SealsumError } from '../../errors.ts';
import {
  addRationals,
  compareRationals,
  formatRational,
  multiplyRationals,
  type Rational,
  rational,
} from '../rational.ts';
import { leastWhere } from './bisection.ts';
import { requireDelta, requireInRange, requireNoisyRounds } from './parameters.ts';
import { amplifiedDivergence } from './poisson-amplification.ts';
import { renyiConversion } from './renyi.ts';
import {
  type RoundedVectors,
  requireField,
  requirePositive,
  requireRoundedVectors,
  roundedNorms,
} from './rounded-norm.ts';
import { ROUNDING } from './rounding.ts';

/** The orders of the paper's own accountant. */
export const DISTRIBUTED_ORDERS: readonly number[] = [...Array.from({ length: 127 }, (_, index) => index + 2), 256];

/** Rounds in which every contributor rounds its vector at random and adds a discrete Gaussian of its own. */
export interface DistributedGaussianRounds extends RoundedVectors {
  /** σ of one contributor's noise, in the units of `clip`; at least half an integer, that is 1/(2·scale). */
  readonly localStandardDeviation: number;
  /** How many contributed, and so how many shares of noise there are: those who dropped out do not count. 1 to 2^24. */
  readonly contributors: number;
  /** With which probability a unit takes part in a round; in (0, 1]. */
  readonly sampling: number;
  /** A whole number of at least 1. */
  readonly rounds: number;
}

/**
 * ε over all rounds for δ, and the order at which it was reached.
 *
 * @throws SealsumError privacy_invalid that names what is out of range
 */
export function epsilonOfDistributedGaussian(options: DistributedGaussianRounds & { readonly delta: number }): {
  epsilon: number;
  order: number;
} {
  requirePositive('local_standard_deviation', options.localStandardDeviation);
  requireDistributedRounds(options);
  requireDelta(options.delta);
  const least = LEAST_INTEGER_DEVIATION / options.scale;
  requireField(
    'local_standard_deviation',
    options.localStandardDeviation,
    `at least half an integer, ${least}`,
    options.localStandardDeviation >= least,
  );
  return epsilonAndOrder(options);
}

/**
 * The least standard deviation of one contributor's noise with which ε holds for δ, rounded upwards, to nine digits.
 *
 * Throws `privacy_invalid`, also when the orders of the accountant reach so small an ε with no noise whatever.
 */
export function localStandardDeviationFor({
  epsilon,
  ...options
}: Omit<DistributedGaussianRounds, 'localStandardDeviation'> & {
  readonly epsilon: number;
  readonly delta: number;
}): number {
  requireDistributedRounds(options);
  requireDelta(options.delta);
  requireInRange('epsilon', epsilon);
  const found = leastWhere(
    (localStandardDeviation) => epsilonAndOrder({ ...options, localStandardDeviation }).epsilon <= epsilon,
    { start: options.clip, least: LEAST_INTEGER_DEVIATION / options.scale, greatest: 2 ** 64, tolerance: 1e-9 },
  );
  if (found === undefined) {
    throw new SealsumError('privacy_invalid', `epsilon: ${epsilon} with delta ${options.delta} is out of reach`, {
      field: 'epsilon',
    });
  }
  return found;
}

/** σ in whole numbers from which on the sum of two discrete Gaussians is as close to one as said above. */
const LEAST_INTEGER_DEVIATION = 0.5;

function requireDistributedRounds(options: Omit<DistributedGaussianRounds, 'localStandardDeviation'>): void {
  const { contributors, sampling, rounds } = options;
  requireRoundedVectors(options);
  requireField(
    'contributors',
    contributors,
    'a whole number from 1 to 2^24',
    Number.isInteger(contributors) && contributors >= 1 && contributors <= 2 ** 24,
  );
  requireNoisyRounds({ noiseMultiplier: 1, sampling, rounds });
}

function epsilonAndOrder(options: DistributedGaussianRounds & { readonly delta: number }): {
  epsilon: number;
  order: number;
} {
  const { localStandardDeviation, contributors, scale, dimension, sampling, rounds, delta } = options;
  const { l2, l1 } = roundedNorms(options);
  const local = localStandardDeviation * scale;
  const together = Math.sqrt(contributors) * local;
  const tau = closenessOfShares(contributors, local);
  const moved = l2 / together;
  const bounds = [
    // Per unit of the order, and beside it: Proposition 14's first two bounds.
    [(moved * moved) / 2, tau * dimension],
    [(moved * moved + (2 * l1 * tau) / together + tau * tau * dimension) / 2, 0],
  ] as const;
  const divergence = (order: number): number =>
    Math.min(...bounds.map(([slope, offset]) => (order * slope + offset) * (1 + ROUNDING)));
  const divergences = DISTRIBUTED_ORDERS.map((order) => ({
    order,
    divergence: amplifiedDivergence(order, sampling, divergence),
  }));
  return renyiConversion(divergences, delta)(rounds);
}

/** τ for so many shares of standard deviation `local`, in whole numbers. */
export function closenessOfShares(shares: number, local: number): number {
  let sum = 0;
  for (let j = 1; j < shares; j++) sum += Math.exp(-2 * (Math.PI * local) ** 2 * (j / (j + 1)));
  return 10 * sum;
}

/** The least σ² of a share in our own rounds: from it on, what sums of shares lose beside one draw cannot be told from nothing. */
export const LEAST_SHARE_VARIANCE: bigint = 64n ** 2n;

/**
 * More than τd for shares of at least that variance: j/(j+1) ≥ 1/2 and π²·log₂e > 14, so that τd < 10·k·d·2^(−14σ²), and
 * 14·64² = 57344, which leaves room for far more shares and coordinates than there can be.
 */
const SURCHARGE: Rational = rational(1n, 2n ** 128n);

export interface SharesOfNoise {
  /** σ² of one share of the noise, in squared integer units; at least 64². */
  readonly variance: Rational;
  /** How many shares the sum has: one from each contributor that adds noise. A whole number of at least 1. */
  readonly shares: number;
  /** The greatest L2 distance between the sums of neighbours, in integer units; at least 0. */
  readonly sensitivity: bigint;
}

/**
 * ρ of one round of our own: integer vectors whose norm is checked exactly, so that no rounding adds to it, and noise in shares.
 *
 * A fraction that is at least the true ρ = Δ²/2kσ² + τd, whatever the number of coordinates below 2^1000: a surcharge of 2^−128
 * stands for τd, and none where there is but one share. Throws `privacy_invalid` that names the field.
 */
export function rhoOfShares({ variance, shares, sensitivity }: SharesOfNoise): Rational {
  requireField('shares', shares, 'a whole number of at least 1', Number.isSafeInteger(shares) && shares >= 1);
  if (sensitivity < 0n) {
    throw new SealsumError('privacy_invalid', `sensitivity: expected at least 0, got ${sensitivity.toString()}`, {
      field: 'sensitivity',
    });
  }
  if (compareRationals(variance, rational(LEAST_SHARE_VARIANCE)) < 0) {
    throw new SealsumError(
      'privacy_invalid',
      `variance: a share of the noise needs at least 64² = ${LEAST_SHARE_VARIANCE.toString()}, got ${formatRational(variance)}`,
      { field: 'variance' },
    );
  }
  const together = multiplyRationals(variance, rational(2n * BigInt(shares)));
  const square = rational(sensitivity ** 2n * together.denominator, together.numerator);
  return shares === 1 ? square : addRationals(square, SURCHARGE);
}
