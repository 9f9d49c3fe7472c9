/**
 * The Skellam mechanism: noise that is the difference of two Poisson variables, whose sums are Skellam again.
 *
 * Agarwal, Kairouz, Liu, The Skellam Mechanism for Differentially Private Federated Learning (2021): for vectors of whole
 * numbers that neighbours move by at most Δ₁ in L1 and Δ₂ in L2 norm, and noise of variance μ in all, at every order α > 1,
 *
 *     D_α ≤ α·Δ₂²/2μ + min{((2α − 1)·Δ₂² + 6·Δ₁)/4μ², 3·Δ₁/2μ}.
 *
 * Here for comparison with the discrete Gaussian: sealsum draws no Skellam noise.
 */

import { DISTRIBUTED_ORDERS } from './distributed-gaussian.ts';
import { requireDelta, requireNoisyRounds } from './parameters.ts';
import { amplifiedDivergence } from './poisson-amplification.ts';
import { renyiConversion } from './renyi.ts';
import { type RoundedVectors, requirePositive, requireRoundedVectors, roundedNorms } from './rounded-norm.ts';
import { ROUNDING } from './rounding.ts';

/** Rounds in which vectors are rounded at random and the shares of noise that were added make up one Skellam variable each. */
export interface SkellamRounds extends RoundedVectors {
  /** The standard deviation of all shares together, in the units of `clip`; it grows with the root of their number. */
  readonly centralStandardDeviation: number;
  /** With which probability a unit takes part in a round; in (0, 1]. */
  readonly sampling: number;
  /** A whole number of at least 1. */
  readonly rounds: number;
}

/** ε over all rounds for δ, and the order at which it was reached. Throws `privacy_invalid` that names what is out of range. */
export function epsilonOfSkellam(options: SkellamRounds & { readonly delta: number }): {
  epsilon: number;
  order: number;
} {
  const { centralStandardDeviation, scale, sampling, rounds, delta } = options;
  requirePositive('central_standard_deviation', centralStandardDeviation);
  requireRoundedVectors(options);
  requireNoisyRounds({ noiseMultiplier: 1, sampling, rounds });
  requireDelta(delta);
  const { l2, l1 } = roundedNorms(options);
  const variance = (centralStandardDeviation * scale) ** 2;
  const divergence = (order: number): number => {
    const excess = Math.min(
      ((2 * order - 1) * l2 * l2 + 6 * l1) / (4 * variance * variance),
      (3 * l1) / (2 * variance),
    );
    return ((order * l2 * l2) / (2 * variance) + excess) * (1 + ROUNDING);
  };
  const divergences = DISTRIBUTED_ORDERS.map((order) => ({
    order,
    divergence: amplifiedDivergence(order, sampling, divergence),
  }));
  return renyiConversion(divergences, delta)(rounds);
}
