/** What an owner adds to a round's sum under differential privacy: one integer vector per unit, each within its allowance. */
import { type RandomBytes, systemRandom } from '../paillier/random.ts';
import { signOf } from '../privacy/adaptive-clipping.ts';
import { clipToIntegers, type WholeNumbers, wholeNumbers } from '../privacy/clipping.ts';
import { poissonSample } from '../privacy/poisson-sampling.ts';
import type { Clipping } from './allowance.ts';
import { type Coefficients, learnedOf } from './coefficients.ts';
import { addGradient, type Family, forEachResidual, type MetricName } from './families.ts';
import { isHeldOut, trainedCount } from './held-out.ts';
import { recordTriangle, triangleLength } from './normal-equations.ts';
import { type Records, selectRecords } from './records.ts';
import type { SummedMetric } from './summed-metrics.ts';

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
  /** Which coefficients the gradient is of. */
  readonly coefficients: Coefficients;
  /** How many times the statistics of normal equations are there: once for each fold. */
  readonly folds: number;
  /** Whether records are held out for validation. */
  readonly holdsOut: boolean;
  readonly metrics: readonly SummedMetric[];
  /** Those that stay with each owner. */
  readonly localMetrics: readonly MetricName[];
}

/** What one unit adds. */
interface UnitVector {
  /** Those from position `at` on; the others are zeros. Empty: all are. */
  readonly statistics: Float64Array;
  readonly at: number;
  /** As the task has them. */
  readonly metrics: Float64Array;
  /** Whether it counts in the weight: records that are held out do not. */
  readonly weighs: boolean;
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
  let [units, weighing, clipped, notFinite] = [0, 0, 0, 0];
  const local = new Float64Array(task.localMetrics.length);
  const add = ({ statistics, at, metrics, weighs }: UnitVector): void => {
    units += 1;
    const unit = weighs ? clipToIntegers(statistics, clipping.clip, clipping.norm, whole) : undefined;
    for (const [index, value] of unit?.values.entries() ?? []) sums[at + index] = (sums[at + index] ?? 0) + value;
    for (const index of task.metrics.keys()) {
      const position = task.statistics + index;
      sums[position] = (sums[position] ?? 0) + metricInteger(clipping, whole, index, metrics[index] ?? 0);
    }
    if (unit === undefined) return;
    weighing += 1;
    if (unit.clipped) clipped += 1;
    if (!unit.finite) notFinite += 1;
    if (clipping.sign !== undefined) {
      const position = task.statistics + task.metrics.length;
      sums[position] = (sums[position] ?? 0) + Number(clipping.sign * signOf(unit.clipped));
    }
  };
  const observe = (measured: Float64Array): void => {
    for (const index of local.keys()) local[index] = (local[index] ?? 0) + (measured[index] ?? 0) / records.count;
  };
  if (clipping.unit === 'owner') {
    const means = ownerMeans(task, records);
    forEachRecord(task, records, parameters, observe, (vector) => {
      // One such record must not make the mean of all the others nothing.
      if ([...vector.statistics, ...vector.metrics].every(Number.isFinite)) means.take(vector);
      else notFinite += 1;
    });
    const { vector } = means;
    if (vector !== undefined) add(vector);
  } else forEachRecord(task, records, parameters, observe, add);
  return {
    weight: BigInt(weighing) * clipping.weightUnit,
    sums,
    report: {
      units,
      clipped,
      notFinite,
      metrics: task.localMetrics.map((name, index) => ({ name, mean: local[index] ?? 0 })),
    },
  };
}

/**
 * Calls `take` for every record, with arrays that are used again for the next one.
 *
 * @param observe told the metrics of every record
 */
function forEachRecord(
  task: UnitVectors,
  records: Records,
  parameters: Float64Array,
  observe: (measured: Float64Array) => void,
  take: (vector: UnitVector) => void,
): void {
  const metrics = new Float64Array(task.metrics.length);
  if (task.solver === 'gradient') {
    const none = new Float64Array(0);
    const gradient = new Float64Array(task.family.outputs * records.width);
    forEachResidual(task.family, records, parameters, (row, residuals, measured, index) => {
      observe(measured);
      const heldOut = task.holdsOut && isHeldOut(records, index);
      metrics.fill(0);
      if (heldOut) {
        metrics[measured.length] = 1;
        metrics.set(measured, measured.length + 1);
        take({ statistics: none, at: 0, metrics, weighs: false });
        return;
      }
      if (metrics.length > 0) metrics.set(measured);
      gradient.fill(0);
      addGradient(row, residuals, gradient);
      take({ statistics: learnedOf(task.coefficients, gradient), at: 0, metrics, weighs: true });
    });
    return;
  }
  const statistics = new Float64Array(triangleLength(records.width));
  for (let index = 0; index < records.count; index += 1) {
    const row = records.x.subarray(index * records.width, (index + 1) * records.width);
    recordTriangle(row, records.y[index] ?? 0, statistics);
    const fold = records.parts?.[index] ?? 0;
    metrics.fill(0);
    if (task.folds > 1) metrics[fold] = 1;
    take({ statistics, at: fold * statistics.length, metrics, weighs: true });
  }
}

/** The means of an owner's records as one vector: of those that are trained on, and of those that are held out. */
function ownerMeans(
  task: UnitVectors,
  records: Records,
): {
  take(vector: UnitVector): void;
  /** Undefined where there are no records. */
  readonly vector: UnitVector | undefined;
} {
  const statistics = new Float64Array(task.statistics);
  const metrics = new Float64Array(task.metrics.length);
  const trained = task.holdsOut ? trainedCount(records) : records.count;
  const heldOut = records.count - trained;
  return {
    take: (vector) => {
      const count = vector.weighs ? trained : heldOut;
      for (const [index, value] of vector.statistics.entries())
        statistics[index] = (statistics[index] ?? 0) + value / count;
      for (const [index, value] of vector.metrics.entries()) metrics[index] = (metrics[index] ?? 0) + value / count;
    },
    get vector() {
      return records.count === 0 ? undefined : { statistics, at: 0, metrics, weighs: trained > 0 };
    },
  };
}

/** A metric in its share of the allowance: [0, A/8], or [0, H] where it is held out; what is not a number counts as the most. */
function metricInteger(
  { metricBounds, metricScales }: Clipping,
  { round }: WholeNumbers,
  index: number,
  metric: number,
): number {
  const most = Number(metricBounds[index]);
  const scaled = round(metric * (metricScales[index] ?? 0));
  return scaled >= 0 && scaled < most ? scaled : scaled < 0 ? 0 : most;
}
