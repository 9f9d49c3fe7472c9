/** How much longer a vector may get when its coordinates are rounded at random to whole numbers. */
import { SealsumError } from '../../errors.ts';

/** A vector that is scaled, rounded at random and then noised, as the distributed mechanisms of the literature do. */
export interface RoundedVectors {
  /** The L2 norm that a vector is clipped to; above 0. */
  readonly clip: number;
  /** How many integers stand for a length of 1 (1/γ in the papers); above 0. */
  readonly scale: number;
  /** How many coordinates a vector has; a whole number of at least 1. */
  readonly dimension: number;
  /**
   * In [0, 1): rounding is repeated until the norm keeps to a bound that it keeps to by itself with probability 1 − β. At 0 it is
   * not repeated, and the bound is the one that always holds.
   */
  readonly beta: number;
}

/**
 * The bound on the L2 norm after conditional rounding of a vector of this norm (already scaled).
 *
 * Kairouz, Liu, Steinke, The Distributed Discrete Gaussian Mechanism (2021), Theorem 1 (their Δ₂ for γ = 1).
 */
export function roundedNormBound(norm: number, beta: number, dimension: number): number {
  const always = norm + Math.sqrt(dimension);
  if (beta === 0) return always;
  const deviation = Math.sqrt(2 * Math.log(1 / beta)) * (norm + Math.sqrt(dimension) / 2);
  return Math.min(always, Math.sqrt(norm * norm + dimension / 4 + deviation));
}

/** Bounds on the L2 and L1 norm of the integers: whole numbers are no longer in L1 than their squared L2 norm. */
export function roundedNorms({ clip, scale, dimension, beta }: RoundedVectors): { l2: number; l1: number } {
  const l2 = roundedNormBound(clip * scale, beta, dimension);
  return { l2, l1: l2 * Math.min(Math.sqrt(dimension), l2) };
}

/** Throws `privacy_invalid` with the field's name unless all four are in range. */
export function requireRoundedVectors({ clip, scale, dimension, beta }: RoundedVectors): void {
  requirePositive('clip', clip);
  requirePositive('scale', scale);
  requireField(
    'dimension',
    dimension,
    'a whole number of at least 1',
    Number.isSafeInteger(dimension) && dimension >= 1,
  );
  requireField('beta', beta, 'a number from 0 to below 1', beta >= 0 && beta < 1);
}

/** Throws `privacy_invalid` unless the value is finite and above 0, with room for its square. */
export function requirePositive(field: string, value: number): void {
  requireField(field, value, 'a number from 2^-64 to 2^64', value >= 2 ** -64 && value <= 2 ** 64);
}

/** Throws `privacy_invalid` that names the field unless it holds. */
export function requireField(field: string, value: number, expected: string, holds: boolean): void {
  if (!holds) throw new SealsumError('privacy_invalid', `${field}: expected ${expected}, got ${value}`, { field });
}
