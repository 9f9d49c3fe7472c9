/** The accountants of rounds with Gaussian noise, each by name: what they take into account, and the ε they find. */
import { SealsumError } from '../../errors.ts';
import {
  divideRationals,
  multiplyRationals,
  type Rational,
  rational,
  rationalFromNumber,
  toNumberAbove,
} from '../rational.ts';
import { epsilonOfGaussian } from './analytic-gaussian.ts';
import { type NoisyRounds, requireNoisyRounds } from './parameters.ts';
import { epsilonOfPrivacyLoss } from './privacy-loss-distribution.ts';
import { epsilonOfSampledGaussian } from './renyi.ts';
import { epsilonFromRho } from './zcdp.ts';

/** A way to compute what many noised rounds lose together. */
export interface Accountant {
  readonly name: 'zcdp' | 'rdp' | 'pld' | 'gaussian';
  /** Whether ε falls when units take part in some rounds only. */
  readonly sampling: 'counted' | 'not counted' | 'refused';
  /** Whether ε is what a promise may rest on: rounded upwards, and true of the discrete Gaussian. */
  readonly promise: boolean;
  /**
   * The ε of all rounds for δ, and the Rényi order it was reached at, null where there is none.
   *
   * Ranges as in `NoisyRounds`, 0 < δ < 1. Throws `privacy_invalid` that names what is out of range.
   */
  readonly epsilonOf: (rounds: NoisyRounds, delta: number) => { epsilon: number; order: number | null };
  /** How near to the least noise a search for it should come, relatively. */
  readonly tolerance: number;
}

/** What the ledgers of data owners count in. A unit that stays away from some rounds loses no more, but it is not counted less. */
const zcdp: Accountant = {
  name: 'zcdp',
  sampling: 'not counted',
  promise: true,
  epsilonOf: (rounds, delta) => epsilonFromRho(toNumberAbove(rhoOfRounds(rounds)), delta),
  tolerance: 1e-12,
};

const rdp: Accountant = {
  name: 'rdp',
  sampling: 'counted',
  promise: true,
  epsilonOf: epsilonOfSampledGaussian,
  tolerance: 1e-12,
};

const pld: Accountant = {
  name: 'pld',
  sampling: 'counted',
  promise: false,
  epsilonOf: (rounds, delta) => ({ ...epsilonOfPrivacyLoss({ ...rounds, delta }), order: null }),
  // Its own error is of this size, and it takes a hundred thousand times as long as the others.
  tolerance: 1e-4,
};

const gaussian: Accountant = {
  name: 'gaussian',
  sampling: 'refused',
  promise: false,
  epsilonOf: (rounds, delta) => {
    requireNoisyRounds(rounds);
    if (rounds.sampling < 1) {
      throw new SealsumError('privacy_invalid', 'sampling: the analytic Gaussian knows none; use rdp or pld', {
        field: 'sampling',
      });
    }
    return { ...epsilonOfGaussian(rounds, delta), order: null };
  },
  tolerance: 1e-12,
};

/** In the order in which tables show them: what promises rest on comes first. */
export const ACCOUNTANTS: readonly Accountant[] = [zcdp, rdp, pld, gaussian];

/**
 * ρ of all rounds together, exactly: rounds/2z² (Canonne, Kamath, Steinke 2020, Theorem 14).
 *
 * @throws SealsumError privacy_invalid naming what is out of range
 */
export function rhoOfRounds(rounds: NoisyRounds): Rational {
  requireNoisyRounds(rounds);
  const noiseMultiplier = rationalFromNumber(rounds.noiseMultiplier);
  const twice = multiplyRationals(rational(2n), multiplyRationals(noiseMultiplier, noiseMultiplier));
  return divideRationals(rational(BigInt(rounds.rounds)), twice);
}
