/**
 * How much of its privacy a data owner lets be spent, and whether something more fits.
 *
 * ρ adds up over rounds that hide the same thing in the same data (Bun, Steinke 2016, Lemma 1.7), so every data set has one
 * account for each unit, and each account has the caps for itself:
 *
 * - Rounds on different data sets do not add up: a record is in one of them, and what is computed on the others does not depend
 *   on it. Who keeps records of one person in several data sets adds their accounts for that person.
 * - Rounds of different units do not add up: a ρ for one record and a ρ for all of the owner's records together are statements
 *   about different neighbours. What hides all records hides each of them: who wants one bound for a record adds the account
 *   of the unit `owner`, four times where its neighbours are by zero-out (from one vector to another by way of zeros, two steps,
 *   2²; Proposition 1.9 there); or accepts one unit only.
 * - Within an account, a round in which units take part by chance counts with its full ρ against caps in ρ. What the chance saves
 *   only Rényi divergences tell, and so only an ε with its δ, as composition.ts has it.
 * - Within an account, a round whose neighbours are by substitution counts like one by zero-out: zeros are one of the vectors that
 *   may be put in a unit's place. The sum holds for substitution only if that is what all of its rounds hide.
 */
import { SealsumError } from '../errors.ts';
import { leastWhere } from './accounting/bisection.ts';
import { type Composition, compose, epsilonOf, type RoundLoss, rhoOf, roundsOf } from './accounting/composition.ts';
import { GREATEST } from './accounting/parameters.ts';
import { rhoFromEpsilon } from './accounting/zcdp.ts';
import {
  addRationals,
  compareRationals,
  multiplyRationals,
  type Rational,
  rational,
  rationalFromNumber,
  toNumber,
  toNumberAbove,
  ZERO,
} from './rational.ts';

/** The most that an account may spend; what is left out is not limited. */
export interface Caps {
  readonly rhoPerRound?: Rational;
  readonly rhoTotal?: Rational;
  /** What all rounds together must give, and the greatest ρ that gives it. */
  readonly target?: { readonly epsilon: number; readonly delta: number; readonly rho: Rational };
}

/** Caps as people write them: numbers mean exactly the doubles they are. */
export interface CapSettings {
  readonly rhoPerRound?: number | undefined;
  readonly rhoTotal?: number | undefined;
  readonly epsilon?: number | undefined;
  readonly delta?: number | undefined;
}

/**
 * Caps that make sense together; ρ and ε in (0, 2^64], δ in (0, 1), ε and δ both or neither.
 *
 * @throws SealsumError `privacy_invalid` with `field` one of rho_per_round, rho_total, epsilon, delta, and a message that begins with it
 */
export function createCaps({ rhoPerRound, rhoTotal, epsilon, delta }: CapSettings): Caps {
  const caps: Caps = {
    ...(rhoPerRound === undefined ? {} : { rhoPerRound: exactly('rho_per_round', rhoPerRound) }),
    ...(rhoTotal === undefined ? {} : { rhoTotal: exactly('rho_total', rhoTotal) }),
    ...targetOf(epsilon, delta),
  };
  const total = greatestTotal(caps);
  if (caps.rhoPerRound !== undefined && total !== undefined && compareRationals(caps.rhoPerRound, total) > 0)
    throw senseless(
      'rho_per_round',
      `is ${rhoPerRound}, and all rounds together may spend ${toNumber(total)}; lower it or leave it out`,
    );
  return caps;
}

function exactly(field: string, value: number): Rational {
  if (value > 0 && value <= 2 ** 64) return rationalFromNumber(value);
  throw senseless(field, `expected more than 0 and at most 2^64, got ${value}`);
}

function targetOf(epsilon: number | undefined, delta: number | undefined): Pick<Caps, 'target'> {
  if (epsilon === undefined && delta === undefined) return {};
  if (epsilon === undefined) throw senseless('epsilon', 'is missing; delta limits something beside it only');
  if (delta === undefined) throw senseless('delta', 'is missing; epsilon says something beside it only, such as 1e-6');
  exactly('epsilon', epsilon);
  if (!(delta > 0 && delta < 1))
    throw senseless('delta', `expected a number between 0 and 1, both excluded, got ${delta}`);
  const rho = rhoFromEpsilon(epsilon, delta);
  if (rho === 0) throw senseless('epsilon', `${epsilon} with delta ${delta} allows a rho below 2^-1022; raise either`);
  return { target: { epsilon, delta, rho: rationalFromNumber(rho) } };
}

function senseless(field: string, why: string): SealsumError {
  return new SealsumError('privacy_invalid', `${field}: ${why}`, { field });
}

/** Whether anything is limited. */
export function isLimited({ rhoPerRound, rhoTotal, target }: Caps): boolean {
  return (rhoPerRound ?? rhoTotal ?? target) !== undefined;
}

/** The ρ that all rounds of an account together may spend; undefined: not limited. */
export function greatestTotal({ rhoTotal, target }: Caps): Rational | undefined {
  if (rhoTotal === undefined || target === undefined) return rhoTotal ?? target?.rho;
  return compareRationals(rhoTotal, target.rho) < 0 ? rhoTotal : target.rho;
}

/** The ρ that an account has left for rounds in which every unit takes part, at least 0; undefined: not limited. */
export function leftOf({ rhoTotal, target }: Caps, spent: Composition): Rational | undefined {
  const left = rhoTotal === undefined ? undefined : difference(rhoTotal, rhoOf(spent));
  if (target === undefined) return left;
  const leftOfTarget =
    spent.sampled.length === 0 ? difference(target.rho, spent.rho) : leftBesideSampled(target, spent);
  return left === undefined || compareRationals(leftOfTarget, left) < 0 ? leftOfTarget : left;
}

/** At least 0. */
function difference(total: Rational, spent: Rational): Rational {
  const left = addRationals(total, multiplyRationals(rational(-1n), spent));
  return left.numerator < 0n ? ZERO : left;
}

/** The greatest ρ that a target leaves where some of what is spent was sampled, to nine digits, rounded downwards. */
function leftBesideSampled(target: NonNullable<Caps['target']>, spent: Composition): Rational {
  const fits = (rho: number): boolean =>
    !exceeds({ ...spent, rho: addRationals(spent.rho, rationalFromNumber(rho)) }, target);
  const tooMuch = leastWhere((rho) => !fits(rho), { least: 2 ** -64, greatest: GREATEST, tolerance: 1e-10 });
  const left = (tooMuch ?? GREATEST) * (1 - 2e-10);
  return left > 2 ** -63 && fits(left) ? rationalFromNumber(left) : ZERO;
}

/** What is to be spent. */
export interface Spending {
  /** What each round loses; null: no differential privacy. */
  readonly loss: RoundLoss | null;
  /** A whole number of at least 1. */
  readonly rounds: number;
  /** What the account has spent before. */
  readonly spent: Composition;
}

/** A rule that is broken: `policy.rho_total`, and why. */
export interface BrokenRule {
  readonly field: string;
  readonly why: string;
}

/**
 * Which caps something would break; what is spent to the last is not too much. In exact arithmetic, but for an ε where units are
 * sampled, which is rounded upwards.
 */
export function brokenCaps(caps: Caps, { loss, rounds, spent }: Spending): BrokenRule[] {
  if (!isLimited(caps)) return [];
  if (loss === null) return [withoutPrivacy];
  const broken: BrokenRule[] = [];
  const { rho } = loss;
  const each = toNumberAbove(rho);
  const { rhoPerRound, rhoTotal, target } = caps;
  if (rhoPerRound !== undefined && compareRationals(rho, rhoPerRound) > 0)
    broken.push({
      field: 'policy.rho_per_round',
      why: `a round that spends rho ${each} is more than the ${toNumber(rhoPerRound)} that this owner allows`,
    });
  const asked = roundsOf(loss, rounds);
  const after = compose([spent, asked]);
  const what = rounds === 1 ? `a round that spends rho ${each} is` : `${rounds} rounds that spend rho ${each} each are`;
  // Less would do, or nothing: that is worth knowing to whoever asked.
  const than = (isTooMuch: boolean): string => (isTooMuch ? 'more than' : 'more than is left of');
  if (rhoTotal !== undefined && compareRationals(rhoOf(after), rhoTotal) > 0)
    broken.push({
      field: 'policy.rho_total',
      why: `${what} ${than(compareRationals(rhoOf(asked), rhoTotal) > 0)} the ${toNumber(rhoTotal)} that this owner allows in all`,
    });
  if (target !== undefined && exceeds(after, target))
    broken.push({
      field: 'policy.epsilon',
      why: `${what} ${than(exceeds(asked, target))} the epsilon ${target.epsilon} with delta ${target.delta} that this owner allows in all`,
    });
  return broken;
}

/** Exactly, where every unit takes part in every round; and what fits like that fits with sampling too, whatever an ε is rounded to. */
function exceeds(composition: Composition, { epsilon, delta, rho }: NonNullable<Caps['target']>): boolean {
  if (compareRationals(rhoOf(composition), rho) <= 0) return false;
  return composition.sampled.length === 0 || epsilonOf(composition, delta).epsilon > epsilon;
}

/** The rule that nothing goes out without differential privacy. */
export const withoutPrivacy: BrokenRule = {
  field: 'policy.require_privacy',
  why: 'this owner takes part only under differential privacy',
};

/** The error for rules that are broken, of which there is at least one. It names them, and nothing of any data. */
export function policyRefused(broken: readonly BrokenRule[]): SealsumError {
  const message = broken.map(({ field, why }) => `${field}: ${why}`).join('; ');
  return new SealsumError('policy_refused', message, { field: broken[0]?.field ?? 'policy' });
}
