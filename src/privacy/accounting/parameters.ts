/** The parameters that accountants share, and the ranges in which their formulas hold and do not overflow. */
import { SealsumError } from '../../errors.ts';

/** Beyond this ρ, ε or noise promise nothing, or everything; up to it none of the formulas overflows. */
export const GREATEST: number = 2 ** 64;

/** Rounds of one mechanism: noise on a sum, and who is in it. */
export interface NoisyRounds {
  /** σ of the noise on each coordinate, divided by the greatest L2 norm that one unit adds to the sum; 2^−64 to 2^64. */
  readonly noiseMultiplier: number;
  /** With which probability a unit takes part in a round, by a coin of its own (Poisson sampling); in (0, 1]. */
  readonly sampling: number;
  /** How many rounds are run one after the other; a whole number of at least 1. */
  readonly rounds: number;
}

/** Throws `privacy_invalid` with the field's name unless all three are in range. */
export function requireNoisyRounds({ noiseMultiplier, sampling, rounds }: NoisyRounds): void {
  ensure(
    'noise_multiplier',
    noiseMultiplier,
    'a number from 2^-64 to 2^64',
    noiseMultiplier >= 1 / GREATEST && noiseMultiplier <= GREATEST,
  );
  ensure('sampling', sampling, 'more than 0 and at most 1', sampling > 0 && sampling <= 1);
  requireRounds(rounds);
}

/** Throws `privacy_invalid` unless `rounds` is a whole number from 1 to 2^53 − 1. */
export function requireRounds(rounds: number): void {
  ensure('rounds', rounds, 'a whole number of at least 1', Number.isSafeInteger(rounds) && rounds >= 1);
}

/** Throws `privacy_invalid` unless 0 ≤ value ≤ 2^64. */
export function requireInRange(field: 'rho' | 'epsilon', value: number): void {
  ensure(field, value, 'a number from 0 to 2^64', value >= 0 && value <= GREATEST);
}

/** Throws `privacy_invalid` unless 0 < δ < 1. */
export function requireDelta(delta: number): void {
  ensure('delta', delta, 'a number between 0 and 1, both excluded', delta > 0 && delta < 1);
}

function ensure(field: string, value: number, expected: string, holds: boolean): void {
  if (!holds) throw new SealsumError('privacy_invalid', `${field}: expected ${expected}, got ${value}`, { field });
}
