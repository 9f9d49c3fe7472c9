/**
 * Units modulo n² as pairs: every one is r·(1 + s·n) for exactly one r and s in [0, n), so
 *
 *     Π rᵢ·(1 + sᵢ·n) = (Π rᵢ)·(1 + (Σ sᵢ)·n)   mod n²,
 *
 * and of a table that is kept so, the second halves are only added while the first halves, which are multiplied, have half the length.
 */
import { modInv } from 'bigint-crypto-utils';

/** A unit r·(1 + s·n) mod n², with the inverse of r mod n. */
export interface SplitUnit {
  readonly r: bigint;
  readonly s: bigint;
  readonly inverse: bigint;
}

/** @param unit in [0, n²). @param inverse of it modulo n */
export function splitUnit(n: bigint, unit: bigint, inverse: bigint = modInv(unit % n, n)): SplitUnit {
  const r = unit % n;
  return { r, s: ((unit / n) * inverse) % n, inverse };
}

/** r₁·r₂ = q·n + r = r·(1 + q·r⁻¹·n) mod n², so that quotient goes to the second half. */
export function multiplySplit(n: bigint, a: SplitUnit, b: SplitUnit): SplitUnit {
  const product = a.r * b.r;
  const quotient = product / n;
  const inverse = (a.inverse * b.inverse) % n;
  return { r: product - quotient * n, s: (a.s + b.s + quotient * inverse) % n, inverse };
}

/** product·(1 + sum·n) mod n². @param product in [0, n²). @param sum at least 0 */
export function joinUnit(n: bigint, square: bigint, product: bigint, sum: bigint): bigint {
  return (product + n * (((product % n) * (sum % n)) % n)) % square;
}
