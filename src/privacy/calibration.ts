/**
 * From what is promised for a whole job to the noise of each round, without a rounding that could favour the noise.
 *
 * One round adds discrete Gaussian noise of parameter σ² to every coordinate of a sum that one record (or owner) changes by at
 * most Δ in L2 norm: that is ρ-zCDP with ρ = Δ²/2σ² (Canonne, Kamath, Steinke 2020, Theorem 14), and rounds add up.
 *
 * Where each of k data owners adds a share of its own, of parameter σ_local², the sum of the shares is not a discrete Gaussian but
 * as close to one as makes ρ at most Δ²/2kσ_local² + τd (Kairouz, Liu, Steinke 2021, Proposition 14), for d coordinates and
 *
 *     τ = 10·Σ_{j=1}^{k−1} exp(−2π²σ_local²·j/(j+1)) ≤ 10·(k − 1)·exp(−π²σ_local²).
 *
 * Shares have σ_local ≥ 64, so that τd < 2^(−58322 + 4)·k·d, which for all k and d that a plan can have is less than 2^−128: that is
 * what is charged for it.
 *
 * Where every unit takes part in a round by a coin of its own, the noise that keeps (ε, δ) is less (accounting/composition.ts). ρ
 * is then still that of a round in which all take part.
 */
import { SealsumError } from '../errors.ts';
import { epsilonOf as epsilonOfRounds, roundsOf } from './accounting/composition.ts';
import { LEAST_SHARE_VARIANCE, rhoOfShares } from './accounting/distributed-gaussian.ts';
import { epsilonFromRho, rhoFromEpsilon } from './accounting/zcdp.ts';
import { CLIP_SCALE } from './clipping.ts';
import { divideRoundUp, integerSquareRoot } from './integer.ts';
import {
  multiplyRationals,
  type Rational,
  rational,
  rationalFromNumber,
  sumRationals,
  toNumberAbove,
} from './rational.ts';

/** What is asked for over all rounds of a job together. Numbers mean exactly the doubles they are. */
export type PrivacyTarget =
  | { readonly epsilon: number; readonly delta: number }
  | { readonly rho: number; readonly delta?: number | undefined };

/** The noise of a job, and what it promises. */
export interface Calibration {
  /** σ² of one draw of noise on each coordinate of a round's sum, in squared integer units; a whole number. */
  readonly variance: Rational;
  /** The greatest L2 distance between the sums of neighbours, in the same integer units. */
  readonly sensitivity: bigint;
  /** How many draws a sum has at least, each by another data owner; undefined where one party draws once for all. */
  readonly shares: number | undefined;
  /** With which probability a unit takes part in a round; 1: all of them do. */
  readonly sampling: number;
  /** How many rounds the job may run. */
  readonly rounds: number;
  /** Exactly sensitivity² / 2σ², of a round in which every unit takes part. */
  readonly rhoPerRound: Rational;
  /** Exactly rounds × rhoPerRound; at most what was asked for, unless units are sampled. */
  readonly rhoTotal: Rational;
  /** The ε that holds with `delta` over all rounds; undefined when no δ was given. */
  readonly epsilon: number | undefined;
  readonly delta: number | undefined;
}

/** 2^−128, which is more than τd. */
const SHARES_SURCHARGE: Rational = rational(1n, 2n ** 128n);

/** What else the noise depends on. */
export interface NoiseConditions {
  /** At least 1, in integer units; S unless told. */
  readonly sensitivity?: bigint;
  /** At least 1; undefined where one party draws once for all. */
  readonly shares?: number | undefined;
  /** In (0, 1]; 1 unless told. Less than 1 needs a target of ε and δ. */
  readonly sampling?: number;
}

/**
 * The least whole σ² with which `rounds` rounds stay within the target; with sampling, to nine digits.
 *
 * `rounds` ≥ 1; ε and ρ in (0, 2^64], δ in (0, 1).
 *
 * @throws SealsumError `privacy_invalid` naming the field
 */
export function calibrate(target: PrivacyTarget, rounds: number, conditions: NoiseConditions = {}): Calibration {
  const { sensitivity = CLIP_SCALE, shares, sampling = 1 } = conditions;
  if (!Number.isSafeInteger(rounds) || rounds < 1) {
    throw new SealsumError('privacy_invalid', `rounds: expected a whole number of at least 1, got ${rounds}`, {
      field: 'rounds',
    });
  }
  if (sensitivity < 1n) {
    throw new SealsumError('privacy_invalid', `sensitivity: expected at least 1, got ${sensitivity.toString()}`, {
      field: 'sensitivity',
    });
  }
  const all = leastVariance(target, rounds, sensitivity, shares);
  const sigmaSquared =
    sampling === 1 ? all : leastSampledVariance(target, rounds, { sensitivity, shares, sampling }, all);
  const noise = { variance: rational(sigmaSquared), sensitivity, shares };
  const rhoPerRound = rhoOfRound(noise, shares);
  const rhoTotal = multiplyRationals(rational(BigInt(rounds)), rhoPerRound);
  return {
    ...noise,
    sampling,
    rounds,
    rhoPerRound,
    rhoTotal,
    epsilon: epsilonOf(target, { rhoPerRound, rhoTotal, sampling, rounds }),
    delta: target.delta,
  };
}

/** The least whole σ² where every unit takes part in every round. */
function leastVariance(target: PrivacyTarget, rounds: number, sensitivity: bigint, shares: number | undefined): bigint {
  const asked = rationalFromNumber(rhoOf(target));
  const surcharge = shares === undefined || shares === 1 ? rational(0n) : SHARES_SURCHARGE;
  const allowed = sumRationals([asked, multiplyRationals(rational(-BigInt(rounds)), surcharge)]);
  if (allowed.numerator <= 0n) {
    throw new SealsumError('privacy_invalid', 'rho: too little for noise in shares; raise it, or lower the rounds', {
      field: 'rho',
    });
  }
  // rounds · Δ² / 2kσ² ≤ ρ  ⟺  σ² ≥ rounds · Δ² / 2kρ.
  const least = divideRoundUp(
    BigInt(rounds) * sensitivity ** 2n * allowed.denominator,
    2n * BigInt(shares ?? 1) * allowed.numerator,
  );
  return shares !== undefined && least < LEAST_SHARE_VARIANCE ? LEAST_SHARE_VARIANCE : least;
}

/** The same where units are sampled, to nine digits, by bisection: `enough` is. */
function leastSampledVariance(
  target: PrivacyTarget,
  rounds: number,
  { sensitivity, shares, sampling }: Pick<Calibration, 'sensitivity' | 'shares' | 'sampling'>,
  enough: bigint,
): bigint {
  if (!('epsilon' in target)) {
    throw new SealsumError('privacy_invalid', 'sampling: needs epsilon and delta; a rho does not count it', {
      field: 'sampling',
    });
  }
  const fits = (sigmaSquared: bigint): boolean => {
    const rho = rhoOfRound({ variance: rational(sigmaSquared), sensitivity, shares }, shares);
    return epsilonOfRounds(roundsOf({ rho, sampling }, rounds), target.delta).epsilon <= target.epsilon;
  };
  const least = shares === undefined ? 1n : LEAST_SHARE_VARIANCE;
  if (fits(least)) return least;
  let [low, high] = [least, enough];
  while (high - low > 1n + (high >> 30n)) {
    const middle = (low + high) / 2n;
    if (fits(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/**
 * ρ of one round whose sum has so many shares of the noise; without shares, of the one draw that it has. Rounded upwards.
 *
 * Throws `privacy_invalid` when there are fewer shares than one.
 */
export function rhoOfRound(
  { variance, sensitivity, shares }: Pick<Calibration, 'variance' | 'sensitivity' | 'shares'>,
  drawn: number | undefined,
): Rational {
  const square = multiplyRationals(
    rational(sensitivity ** 2n),
    rational(variance.denominator, 2n * variance.numerator),
  );
  if (shares === undefined) return square;
  if (drawn === undefined || !Number.isSafeInteger(drawn) || drawn < 1) {
    throw new SealsumError('privacy_invalid', `shares: expected at least one, got ${drawn}`, { field: 'shares' });
  }
  return rhoOfShares({ variance, sensitivity, shares: drawn });
}

/**
 * A bound that one draw on one coordinate passes with a probability below 2^−183: 16·⌈σ⌉, as P(|X| ≥ m) ≤ 2·exp(−m²/2σ²)
 * (Canonne, Kamath, Steinke 2020, Proposition 25).
 */
export function greatestDraw({ numerator, denominator }: Rational): bigint {
  return 16n * (integerSquareRoot(numerator / denominator) + 1n);
}

function rhoOf(target: PrivacyTarget): number {
  if ('rho' in target) {
    if (!(target.rho > 0 && target.rho <= 2 ** 64)) {
      throw new SealsumError('privacy_invalid', `rho: expected more than 0 and at most 2^64, got ${target.rho}`, {
        field: 'rho',
      });
    }
    return target.rho;
  }
  if (!(target.epsilon > 0)) {
    throw new SealsumError('privacy_invalid', `epsilon: expected more than 0 and at most 2^64, got ${target.epsilon}`, {
      field: 'epsilon',
    });
  }
  const rho = rhoFromEpsilon(target.epsilon, target.delta);
  if (rho === 0) {
    throw new SealsumError(
      'privacy_invalid',
      `epsilon ${target.epsilon} with delta ${target.delta} allows a rho of less than 2^-1022; raise either`,
      { field: 'epsilon' },
    );
  }
  return rho;
}

/** Both the ε asked for and the ε of the rounds hold, so the lesser does. */
function epsilonOf(
  target: PrivacyTarget,
  { rhoPerRound, rhoTotal, sampling, rounds }: Pick<Calibration, 'rhoPerRound' | 'rhoTotal' | 'sampling' | 'rounds'>,
): number | undefined {
  if (target.delta === undefined) return undefined;
  const { epsilon } =
    sampling === 1
      ? epsilonFromRho(toNumberAbove(rhoTotal), target.delta)
      : epsilonOfRounds(roundsOf({ rho: rhoPerRound, sampling }, rounds), target.delta);
  return 'epsilon' in target ? Math.min(target.epsilon, epsilon) : epsilon;
}
