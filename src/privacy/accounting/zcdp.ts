/**
 * Zero-concentrated differential privacy: ρ-zCDP adds up exactly over rounds and converts to (ε, δ).
 *
 * Bun, Steinke 2016 (definition and composition); Canonne, Kamath, Steinke 2020, Proposition 12 and Corollary 13 (conversion):
 * ρ-zCDP gives (ε, δ) whenever, for some order α > 1,
 *
 *     ln δ ≥ (α−1)(αρ − ε) + (α−1)·ln(1 − 1/α) − ln α.
 *
 * Solved for ε, δ or ρ, every α yields a valid answer and the best α the tight one. So the search for α may be as rough as it
 * likes: only the last formula matters, and its rounding is charged against the promise, never for it. Below, u = α − 1.
 */
import { type Rational, sumRationals } from '../rational.ts';
import { leastWhere } from './bisection.ts';
import { requireDelta, requireInRange } from './parameters.ts';
import { rounding, sum } from './rounding.ts';

/** ρ of several mechanisms run one after the other, each possibly chosen by what the earlier ones released: their exact sum. */
export function composeRho(rhos: Iterable<Rational>): Rational {
  return sumRationals(rhos);
}

/**
 * The least ε for which ρ-zCDP gives (ε, δ), and the order α at which it is reached (Infinity for ρ = 0).
 *
 * 0 ≤ ρ ≤ 2^64, 0 < δ < 1. Rounded upwards. Throws `privacy_invalid`.
 */
export function epsilonFromRho(rho: number, delta: number): { epsilon: number; order: number } {
  requireInRange('rho', rho);
  requireDelta(delta);
  if (rho === 0) return { epsilon: 0, order: Infinity };
  const logDelta = Math.log(delta);
  // The derivative of ε in u vanishes where ρu² + ln(1+u) = ln(1/δ).
  const u = rootOfIncreasing((at) => rho * at * at + Math.log1p(at) + logDelta);
  const terms = [(1 + u) * rho, -logDelta / u, ...orderTerms(u).map((term) => term / u)];
  return { epsilon: Math.max(0, sum(terms) + rounding(terms)), order: 1 + u };
}

/**
 * The least δ for which ρ-zCDP gives (ε, δ): at most 1, and 0 where it falls below the least double.
 *
 * 0 ≤ ρ ≤ 2^64, 0 ≤ ε ≤ 2^64. Rounded upwards. Throws `privacy_invalid`.
 */
export function deltaFromRho(rho: number, epsilon: number): number {
  requireInRange('rho', rho);
  requireInRange('epsilon', epsilon);
  if (rho === 0) return 0;
  // The derivative of ln δ in u vanishes where (1+2u)ρ = ε + ln(1 + 1/u).
  const u = rootOfIncreasing((at) => (1 + 2 * at) * rho - epsilon - Math.log1p(1 / at));
  const product = (1 + u) * rho;
  const terms = [u * (product - epsilon), ...orderTerms(u)];
  // The product rounds before it is subtracted, and the exponential rounds too: relative to δ, like a term of 1 in ln δ.
  return Math.min(1, Math.exp(sum(terms) + rounding([1, u * product, ...terms])));
}

/**
 * The greatest ρ for which ρ-zCDP gives (ε, δ), rounded downwards: what it returns never exceeds the promise.
 *
 * 0 ≤ ε ≤ 2^64, 0 < δ < 1. Returns 0 where the answer falls below the least normal double. Throws `privacy_invalid`.
 */
export function rhoFromEpsilon(epsilon: number, delta: number): number {
  requireInRange('epsilon', epsilon);
  requireDelta(delta);
  const logDelta = Math.log(delta);
  // Both conditions above at once: ρ from the second, put into the first. The left side grows with u.
  const u = rootOfIncreasing(
    (at) => ((at * at) / (1 + 2 * at)) * (epsilon + Math.log1p(1 / at)) + Math.log1p(at) + logDelta,
  );
  const terms = [logDelta, u * epsilon, ...orderTerms(u).map((term) => -term)];
  const rho = (sum(terms) - rounding(terms)) / u / (1 + u);
  return rho >= 2 ** -1022 ? rho : 0;
}

/** u·ln(1 − 1/(1+u)) − ln(1+u) = u·ln u − (1+u)·ln(1+u), as two terms that do not cancel, for small u and for large. */
function orderTerms(u: number): [number, number] {
  return u <= 1 ? [u * Math.log(u), -(1 + u) * Math.log1p(u)] : [-Math.log(u), -(1 + u) * Math.log1p(1 / u)];
}

/** Where an increasing function on (0, ∞) changes its sign, to twelve digits. */
function rootOfIncreasing(increasing: (at: number) => number): number {
  return leastWhere((at) => increasing(at) >= 0) ?? 2 ** 500;
}
