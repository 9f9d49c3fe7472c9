/** What an owner adds to a round's sum under differential privacy: one integer vector per unit, each within its allowance. */
import { type RandomBytes, systemRandom } from '../paillier/random.ts';
import { signOf } from '../privacy/adaptive-clipping.ts';
import { clipToIntegers, type WholeNumbers, wholeNumbers } from '../privacy/clipping.ts';
import { poissonSample } from '../privacy/poisson-sampling.ts';
import type { Clipping } from './allowance.ts';
import { addGradient, type Family, forEachResidual, type MetricName } from './families.ts';
import { type Records, selectRecords } from './features.ts';
import { recordTriangle } from './normal-equations.ts';

/** What clipping did to an owner's units, which are its records, or itself. For the owner's own eyes: nothing of it is noised. */
export interface ClippingReport {
  /** Those that took part in the round. */
  readonly units: number;
  /** Longer than the clip, so that they were shortened. */
  readonly clipped: number;
  /** Records with a statistic that is no finite number, which count as zeros. */
  readonly notFinite: number;
  /** Where metrics stay with the owner: their means over the records that took part. */
  readonly metrics: readonly { readonly name: MetricName; readonly mean: number }[];
}

/** An owner's sums, which fewer bytes hold than integers of any length would: there may be a million of them. */
export interface OwnSums {
  readonly weight: bigint;
  /** Whole numbers where they were clipped or quantised. */
  readonly sums: Float64Array;
}

/** Which vectors are summed. */
export interface UnitVectors {
  readonly solver: 'gradient' | 'normal-equations';
  readonly family: Family;
  /** Values per vector: statistics, then metrics, then the sign of an owner that remained unclipped, where the clip adapts. */
  readonly length: number;
  readonly statistics: number;
  readonly metrics: readonly MetricName[];
  /** Those that stay with each owner. */
  readonly localMetrics: readonly MetricName[];
}

/** Every unit, or where units are sampled, those whose coin says so: fresh ones for every contribution. */
export function sampleRecords({ unit, sampling }: Clipping, records: Records, random: RandomBytes): Records {
  if (sampling === 1) return records;
  if (unit === 'owner') return poissonSample(1, sampling, random).length === 1 ? records : selectRecords(records, []);
  return selectRecords(records, poissonSample(records.count, sampling, random));
}

/**
 * Σ of the units' integer vectors. Every entry is at most 2^23, so doubles add 2^30 records exactly, which are more than memory holds.
 *
 * @param random for the coins of stochastic rounding
 */
export function clippedSums(
  task: UnitVectors,
  clipping: Clipping,
  records: Records,
  parameters: Float64Array,
  random: RandomBytes = systemRandom,
): OwnSums & { readonly report: ClippingReport } {
  const sums = new Float64Array(task.length);
  const whole = wholeNumbers(clipping.rounding, random);
  let units = 0;
  let clipped = 0;
  let notFinite = 0;
  const local = new Float64Array(task.localMetrics.length);
  const add = (statistics: Float64Array, metrics: Float64Array): void => {
    const unit = clipToIntegers(statistics, clipping.clip, clipping.norm, whole);
    units += 1;
    if (unit.clipped) clipped += 1;
    if (!unit.finite) notFinite += 1;
    for (const [index, value] of unit.values.entries()) sums[index] = (sums[index] ?? 0) + value;
    for (const index of task.metrics.keys()) {
      const position = task.statistics + index;
      sums[position] = (sums[position] ?? 0) + metricInteger(clipping, whole, index, metrics[index] ?? 0);
    }
    if (clipping.sign !== undefined) {
      const position = task.statistics + task.metrics.length;
      sums[position] = (sums[position] ?? 0) + Number(clipping.sign * signOf(unit.clipped));
    }
  };
  const forEach = (take: (statistics: Float64Array, metrics: Float64Array) => void): void => {
    forEachRecord(task, records, parameters, (statistics, metrics) => {
      for (const index of local.keys()) local[index] = (local[index] ?? 0) + (metrics[index] ?? 0) / records.count;
      take(statistics, metrics);
    });
  };
  if (clipping.unit === 'owner') {
    const means = new Float64Array(task.statistics + task.metrics.length);
    forEach((statistics, metrics) => {
      const all = [...statistics, ...metrics.subarray(0, task.metrics.length)];
      // One such record must not make the mean of all the others nothing.
      if (!all.every(Number.isFinite)) {
        notFinite += 1;
        return;
      }
      for (const [index, value] of all.entries()) means[index] = (means[index] ?? 0) + value / records.count;
    });
    if (records.count > 0) add(means.subarray(0, task.statistics), means.subarray(task.statistics));
  } else forEach(add);
  return {
    weight: BigInt(units) * clipping.weightUnit,
    sums,
    report: {
      units,
      clipped,
      notFinite,
      metrics: task.localMetrics.map((name, index) => ({ name, mean: local[index] ?? 0 })),
    },
  };
}

/** Each record's statistics and metrics, in arrays that are used again for the next one. */
function forEachRecord(
  task: UnitVectors,
  records: Records,
  parameters: Float64Array,
  take: (statistics: Float64Array, metrics: Float64Array) => void,
): void {
  const statistics = new Float64Array(task.statistics);
  if (task.solver === 'gradient') {
    forEachResidual(task.family, records, parameters, (row, residuals, metrics) => {
      statistics.fill(0);
      addGradient(row, residuals, statistics);
      take(statistics, metrics);
    });
    return;
  }
  const none = new Float64Array(0);
  for (let index = 0; index < records.count; index += 1) {
    const row = records.x.subarray(index * records.width, (index + 1) * records.width);
    recordTriangle(row, records.y[index] ?? 0, statistics);
    take(statistics, none);
  }
}

/** A metric in its share of the allowance: [0, A/8]; what is not a number counts as the most. */
function metricInteger(
  { metricBound, metricScales }: Clipping,
  { round }: WholeNumbers,
  index: number,
  metric: number,
): number {
  const most = Number(metricBound);
  const scaled = round(metric * (metricScales[index] ?? 0));
  return scaled >= 0 && scaled < most ? scaled : scaled < 0 ? 0 : most;
}
