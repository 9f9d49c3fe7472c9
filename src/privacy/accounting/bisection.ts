/** Where a condition begins to hold, by bisection: slow beside Newton's method, and it cannot fail. */

export interface Search {
  /** Where to begin; the nearer to the answer, the fewer steps. 1 unless told. */
  readonly start?: number;
  /** The answer is looked for between these two, 2^−500 and 2^500 unless told. */
  readonly least?: number;
  readonly greatest?: number;
  /** How far the answer may lie above the true one, relatively; 1e-12 unless told. */
  readonly tolerance?: number;
}

/**
 * The least positive x, to a relative tolerance, from which on `holds`; undefined where it does not even hold at `greatest`.
 *
 * `holds` must be false below some x and true from there on. It is true at what is returned, which is at least `least`.
 */
export function leastWhere(holds: (x: number) => boolean, search: Search = {}): number | undefined {
  const { start = 1, least = 2 ** -500, greatest = 2 ** 500, tolerance = 1e-12 } = search;
  let high = start;
  while (!holds(high)) {
    if (high >= greatest) return undefined;
    high = Math.min(greatest, 2 * high);
  }
  let low = Math.max(least, high / 2);
  while (high > least && holds(low)) {
    high = low;
    low = Math.max(least, high / 2);
  }
  while (high - low > tolerance * high) {
    const middle = (low + high) / 2;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}
