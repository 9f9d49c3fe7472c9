/**
 * From what is promised for a whole job to the noise of each round, without a rounding that could favour the noise.
 *
 * One round adds discrete Gaussian noise of parameter σ² to every coordinate of a sum that one record changes by at most
 * Δ in L2 norm: that is ρ-zCDP with ρ = Δ²/2σ² (Canonne, Kamath, Steinke 2020, Theorem 14), and rounds add up.
 */
import { SealsumError } from '../errors.ts';
import { epsilonFromRho, rhoFromEpsilon } from './accounting/zcdp.ts';
import { CLIP_SCALE } from './clipping.ts';
import { divideRoundUp } from './integer.ts';
import { multiplyRationals, type Rational, rational, rationalFromNumber, toNumberAbove } from './rational.ts';

/** What is asked for over all rounds of a job together. Numbers mean exactly the doubles they are. */
export type PrivacyTarget =
  | { readonly epsilon: number; readonly delta: number }
  | { readonly rho: number; readonly delta?: number | undefined };

export interface Calibration {
  /** σ² of the noise on each coordinate of a round's sum, in squared integer units; a whole number. */
  readonly variance: Rational;
  /** The greatest L2 norm of what one record adds to a sum, in the same integer units. */
  readonly sensitivity: bigint;
  /** How many rounds the job may run. */
  readonly rounds: number;
  /** Exactly sensitivity² / 2σ². */
  readonly rhoPerRound: Rational;
  /** Exactly rounds × rhoPerRound, at most what was asked for. */
  readonly rhoTotal: Rational;
  /** The ε that holds with `delta` over all rounds; undefined when no δ was given. */
  readonly epsilon: number | undefined;
  readonly delta: number | undefined;
}

/**
 * The least whole σ² with which `rounds` rounds stay within the target.
 *
 * `rounds` ≥ 1; `sensitivity` ≥ 1 in integer units (S unless told); ε and ρ in (0, 2^64], δ in (0, 1). Throws
 * `privacy_invalid` naming the field.
 */
export function calibrate(target: PrivacyTarget, rounds: number, sensitivity: bigint = CLIP_SCALE): Calibration {
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
  const allowed = rationalFromNumber(rhoOf(target));
  // rounds · Δ² / 2σ² ≤ ρ  ⟺  σ² ≥ rounds · Δ² / 2ρ.
  const sigmaSquared = divideRoundUp(BigInt(rounds) * sensitivity ** 2n * allowed.denominator, 2n * allowed.numerator);
  const rhoPerRound = rational(sensitivity ** 2n, 2n * sigmaSquared);
  const rhoTotal = multiplyRationals(rational(BigInt(rounds)), rhoPerRound);
  return {
    variance: rational(sigmaSquared),
    sensitivity,
    rounds,
    rhoPerRound,
    rhoTotal,
    epsilon: epsilonOf(target, rhoTotal),
    delta: target.delta,
  };
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

/** Both the ε asked for and the ε of the ρ spent hold, so the lesser does. */
function epsilonOf(target: PrivacyTarget, rhoTotal: Rational): number | undefined {
  if (target.delta === undefined) return undefined;
  const { epsilon } = epsilonFromRho(toNumberAbove(rhoTotal), target.delta);
  return 'epsilon' in target ? Math.min(target.epsilon, epsilon) : epsilon;
}
