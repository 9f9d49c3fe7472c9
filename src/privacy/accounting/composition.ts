/**
 * What rounds lose together when in some of them every unit takes part, and in others each by a coin of its own.
 *
 * Every round is told by its ρ, which is that of the same round without sampling, and by its sampling probability q. ρ bounds the
 * round's loss in any case: a mixture's Rényi divergences are at most the greatest of its parts' (van Erven, Harremoës 2014, Theorem
 * 13), so that leaving units out by chance never costs. How much it saves, only Rényi divergences tell: those of a round at the
 * noise multiplier z = 1/√(2ρ), as renyi.ts has them, at integer orders α; of a round in which every unit takes part, ρ·α. They add
 * up order by order (Mironov 2017, Proposition 1).
 *
 * A ρ may be that of noise in shares, with what is charged for their sum not being one discrete Gaussian (distributed-gaussian.ts).
 * Of the noise the formula only asks that E[L^k] ≤ exp((k² − k)·ρ) for the ratio L of the noise moved to the noise, which is
 * what ρ-zCDP at order k says, and that a reflection exchanges the two: a sum of symmetric draws has it.
 */
import { SealsumError } from '../../errors.ts';
import {
  addRationals,
  formatRational,
  multiplyRationals,
  type Rational,
  rational,
  sumRationals,
  toNumberAbove,
  ZERO,
} from '../rational.ts';
import { GREATEST, requireDelta, requireRounds } from './parameters.ts';
import { RENYI_ORDERS, type RenyiDivergence, renyiConversion, sampledGaussianDivergences } from './renyi.ts';
import { ROUNDING } from './rounding.ts';
import { epsilonFromRho } from './zcdp.ts';

/** One round. */
export interface RoundLoss {
  /** Its ρ if every unit took part; at least 0. */
  readonly rho: Rational;
  /** With which probability a unit takes part; in (0, 1]. */
  readonly sampling: number;
}

/** Rounds of one job or of many, in any order. */
export interface Composition {
  /** Σ ρ of the rounds in which every unit takes part. */
  readonly rho: Rational;
  /** The others: each kind once. */
  readonly sampled: readonly (RoundLoss & { readonly rounds: number })[];
}

/** Nothing spent yet. */
export const NO_ROUNDS: Composition = { rho: ZERO, sampled: [] };

/**
 * So many rounds of one kind.
 *
 * @throws SealsumError privacy_invalid
 */
export function roundsOf({ rho, sampling }: RoundLoss, rounds = 1): Composition {
  requireRounds(rounds);
  if (rho.numerator < 0n)
    throw new SealsumError('privacy_invalid', `rho: expected at least 0, got ${formatRational(rho)}`, { field: 'rho' });
  if (!(sampling > 0 && sampling <= 1))
    throw new SealsumError('privacy_invalid', `sampling: expected more than 0 and at most 1, got ${sampling}`, {
      field: 'sampling',
    });
  if (sampling === 1) return { rho: multiplyRationals(rational(BigInt(rounds)), rho), sampled: [] };
  return { rho: ZERO, sampled: rho.numerator === 0n ? [] : [{ rho, sampling, rounds }] };
}

/** The rounds of all of them. */
export function compose(parts: Iterable<Composition>): Composition {
  const rhos: Rational[] = [];
  const kinds = new Map<string, Composition['sampled'][number]>();
  for (const part of parts) {
    rhos.push(part.rho);
    for (const kind of part.sampled) {
      const key = `${formatRational(kind.rho)} ${kind.sampling}`;
      kinds.set(key, { ...kind, rounds: kind.rounds + (kinds.get(key)?.rounds ?? 0) });
    }
  }
  return { rho: sumRationals(rhos), sampled: [...kinds.values()] };
}

/** The ρ that bounds all of them, with no regard to sampling. */
export function rhoOf({ rho, sampled }: Composition): Rational {
  return sampled.reduce(
    (total, kind) => addRationals(total, multiplyRationals(rational(BigInt(kind.rounds)), kind.rho)),
    rho,
  );
}

/**
 * The least ε that they are known to give with δ, and the order it was reached at; Infinity for both where ρ is beyond 2^64.
 *
 * 0 < δ < 1. Rounded upwards.
 *
 * @throws SealsumError privacy_invalid
 */
export function epsilonOf(composition: Composition, delta: number): { epsilon: number; order: number } {
  requireDelta(delta);
  const bound = toNumberAbove(rhoOf(composition));
  const unsampled = bound > GREATEST ? { epsilon: Infinity, order: Infinity } : epsilonFromRho(bound, delta);
  if (composition.sampled.length === 0) return unsampled;
  const sampled = renyiConversion(divergencesOf(composition), delta)(1);
  return sampled.epsilon < unsampled.epsilon ? sampled : unsampled;
}

/** Their divergences together, at every order of `RENYI_ORDERS`. */
function divergencesOf({ rho, sampled }: Composition): RenyiDivergence[] {
  const slope = toNumberAbove(rho);
  const together = divergencesOfKinds(sampled);
  return RENYI_ORDERS.map((order, index) => {
    const total = slope * order + (together[index] ?? Infinity);
    return { order, divergence: total * (1 + ROUNDING * (2 + sampled.length)) };
  });
}

/** A search for the ρ that is left beside the same sampled rounds asks for these some eighty times. */
const known = new WeakMap<Composition['sampled'], Float64Array>();

/** Of sampled rounds together, at every order of `RENYI_ORDERS`, before rounding is charged. */
function divergencesOfKinds(sampled: Composition['sampled']): Float64Array {
  const found = known.get(sampled);
  if (found !== undefined) return found;
  const together = new Float64Array(RENYI_ORDERS.length);
  for (const kind of sampled)
    for (const [index, { divergence }] of divergencesOfKind(kind).entries())
      together[index] = (together[index] ?? 0) + kind.rounds * divergence;
  known.set(sampled, together);
  return together;
}

/** Of one round. */
function divergencesOfKind({ rho, sampling }: RoundLoss): RenyiDivergence[] {
  const noiseMultiplier = noiseMultiplierOf(rho);
  if (noiseMultiplier < 1 / GREATEST) return RENYI_ORDERS.map((order) => ({ order, divergence: Infinity }));
  return sampledGaussianDivergences(Math.min(GREATEST, noiseMultiplier), sampling);
}

/** z = 1/√(2ρ), rounded downwards, for ρ above 0. */
export function noiseMultiplierOf(rho: Rational): number {
  return (1 - ROUNDING) / Math.sqrt(2 * toNumberAbove(rho));
}
