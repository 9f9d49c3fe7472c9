/** Numbers that stand for many. */

/** The value that a share of all values does not exceed (nearest rank). @param share in (0, 1]: 0.5 is the median */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
