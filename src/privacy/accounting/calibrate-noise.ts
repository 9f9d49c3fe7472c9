/**
 * From (ε, δ) to the noise that gives it, for every accountant: ε falls as noise grows, so a search finds the least.
 *
 * The other way, from noise to ε, is `Accountant.epsilonOf`. calibration.ts does the same for the rounds of a job, in exact
 * fractions and whole numbers.
 */
import { SealsumError } from '../../errors.ts';
import type { Accountant } from './accountants.ts';
import { leastFallenTo } from './bisection.ts';
import { GREATEST, type NoisyRounds, requireInRange } from './parameters.ts';

/**
 * A promise that noise is sought for: (ε, δ) over so many rounds, in each of which a unit takes part with some probability.
 */
export interface NoiseTarget extends Omit<NoisyRounds, 'noiseMultiplier'> {
  /** More than 0, at most 2^64. */
  readonly epsilon: number;
  /** Between 0 and 1, both excluded. */
  readonly delta: number;
}

/**
 * The least noise multiplier with which the accountant finds at most ε, rounded upwards by at most its tolerance.
 *
 * `start` is a guess, which makes it faster.
 *
 * @throws SealsumError `privacy_invalid` that names what is out of range, or ε where no noise is enough: Rényi orders end, so that
 *   with them some ε is left however much noise there is
 */
export function leastNoiseMultiplier(accountant: Accountant, target: NoiseTarget, start = 1): number {
  const { epsilon, delta, sampling, rounds } = target;
  requireInRange('epsilon', epsilon);
  const found = leastFallenTo(
    (noiseMultiplier) => accountant.epsilonOf({ noiseMultiplier, sampling, rounds }, delta).epsilon,
    epsilon,
    { start, least: 1 / GREATEST, greatest: GREATEST, tolerance: accountant.tolerance },
  );
  if (found === undefined) {
    throw new SealsumError(
      'privacy_invalid',
      `epsilon: ${accountant.name} finds more than ${epsilon} for delta ${delta} however much noise there is; raise either`,
      { field: 'epsilon' },
    );
  }
  return found;
}
