/**
 * Records that are held out for validation: how many they are and the sums of their metrics travel as further metrics behind those
 * of the records that are trained on. Their gradients are in no sum.
 */
import { addGradient, type Family, forEachResidual } from './families.ts';
import type { Records } from './records.ts';

/** For a model that holds records out. */
export function isHeldOut({ parts }: Records, index: number): boolean {
  return parts?.[index] === 1;
}

export function trainedCount(records: Records): number {
  return records.count - (records.parts?.reduce((sum, part) => sum + part, 0) ?? 0);
}

/**
 * Sums over all records: the gradient (outputs × width) and the metrics of those that are trained on, then the number and the
 * metrics of those that are held out.
 */
export function dividedGradientSums(family: Family, records: Records, parameters: Float64Array): Float64Array {
  const length = family.outputs * records.width;
  const metricCount = family.metrics.length;
  const sums = new Float64Array(length + 2 * metricCount + 1);
  const add = (position: number, value: number): void => {
    sums[position] = (sums[position] ?? 0) + value;
  };
  forEachResidual(family, records, parameters, (row, residuals, metrics, index) => {
    const heldOut = isHeldOut(records, index);
    if (heldOut) add(length + metricCount, 1);
    else addGradient(row, residuals, sums);
    const base = heldOut ? length + metricCount + 1 : length;
    for (const [position, metric] of metrics.entries()) add(base + position, metric);
  });
  return sums;
}
