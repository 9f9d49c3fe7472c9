/** What computing a formula in doubles may have lost, so that it can be charged against the promise, never for it. */

/** Ten times a double's relative rounding error: what the operations and logarithms of one formula lose at worst, per term. */
export const ROUNDING: number = 10 * 2 ** -53;

export function sum(terms: readonly number[]): number {
  return terms.reduce((total, term) => total + term, 0);
}

/** What computing and adding these terms may have lost. */
export function rounding(terms: readonly number[]): number {
  return ROUNDING * terms.reduce((total, term) => total + Math.abs(term), 0);
}
