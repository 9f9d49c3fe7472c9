/**
 * What one round sums: which values every owner sends, at which scale and within which bounds.
 *
 * A vector is the statistics (a gradient, or the triangle of the normal equations) followed by the metrics. Without privacy
 * an owner's sums are rounded once; normal equations are summed exactly as integers. With differential privacy every record
 * becomes one integer vector of L2 norm at most S = 2^20, weight and metrics included, before anything is summed:
 *
 *     (S/4, S/8·m₁/M₁, …, S/8·m_K/M_K, statistics clipped to C and stretched to N),   N² ≤ S² − (S/4)² − K·(S/8)²
 *
 * so that adding or removing (zeroing) a record moves the sum, the record count among it, by at most S. The count is
 * released with the same noise as the rest and is never sent as a plain number.
 *
 * Where the unit is the owner, it is the means over all of an owner's records that become one such vector: owners weigh alike,
 * however many records they have, and zeroing a whole owner moves the sum by at most S.
 */
import type { WeightedVector } from '../encoding/contribution.ts';
import { fromFixedPoint, toFixedPoint } from '../encoding/fixed-point.ts';
import { renormalise } from '../encoding/renormalise.ts';
import { SealsumError } from '../errors.ts';
import { CLIP_SCALE, clipToIntegers } from '../privacy/clipping.ts';
import { integerSquareRoot } from '../privacy/integer.ts';
import type { PrivacyUnit } from '../privacy/mode.ts';
import type { Family, MetricName } from './families.ts';
import { addGradient, familyOf, forEachResidual, gradientSums } from './families.ts';
import type { FeatureMap, Records } from './features.ts';
import { fieldName } from './fields.ts';
import type { Model } from './model.ts';
import type { PrivacySettings } from './model-types.ts';
import { exactTriangleSums, recordTriangle, triangleLength, triangleNames } from './normal-equations.ts';

export interface Task {
  readonly solver: 'gradient' | 'normal-equations';
  /** Columns of a record. */
  readonly width: number;
  /** Parameters that go out before a round; none for normal equations. */
  readonly parameterCount: number;
  /** Values per vector: statistics, then metrics. */
  readonly length: number;
  readonly statistics: number;
  readonly metrics: readonly MetricName[];
  /** What every value is, such as `gradient of age` or `age × weight`, for messages. */
  readonly names: readonly string[];
  /** The most rounds a job of this task takes: what a privacy budget is divided by. */
  readonly rounds: number;
  /** integer = real × scale, for the statistics; without privacy for the metrics too. */
  readonly scale: number;
  /** The greatest |integer| that one record may add to a value. */
  readonly valueBound: bigint;
  /** The integer that stands for one record in the weight. */
  readonly weightUnit: bigint;
  /** Bits after the binary point of rounded inputs and of the parameters that go out. */
  readonly fractionBits: number;
  readonly family: Family;
  /** Present with differential privacy. */
  readonly clipping: Clipping | undefined;
}

/** How a unit's allowance S is divided. */
export interface Clipping {
  readonly unit: PrivacyUnit;
  /** C: statistics longer than this are shortened to it. */
  readonly clip: number;
  /** N: the integer length that stands for C. */
  readonly norm: bigint;
  /** The integer that stands for a metric of 1, in the order of the task's metrics; not whole. */
  readonly metricScales: readonly number[];
}

/** What clipping did to an owner's units, which are its records, or itself. */
export interface ClippingReport {
  readonly units: number;
  /** Longer than the clip, so that they were shortened. */
  readonly clipped: number;
  /** Records with a statistic that is no finite number, which count as zeros. */
  readonly notFinite: number;
}

/** What the model owner learns from a round. */
export interface Statistics {
  /** Records; with noise neither whole nor exact. */
  readonly weight: number;
  /** Gradient: means per record. Normal equations: sums. */
  readonly statistics: Float64Array;
  /** Means per record, in the order of the task's metrics. */
  readonly metrics: Float64Array;
}

/** Without privacy a gradient or a loss of one record is at most 2^10: more means that the training diverges. */
const BOUND_BITS = 10;
/** Shares of S: a record's weight is S/4, each metric at most S/8. */
const WEIGHT_SHARE = 4n;
const METRIC_SHARE = 8n;

export function createTask(model: Model, map: FeatureMap): Task {
  const family = familyOf(model);
  const gradient = model.training.solver === 'gradient';
  const fractionBits = model.encryption.fraction_bits;
  const { width } = map;
  const statistics = gradient ? family.outputs * width : triangleLength(width);
  const metrics = gradient ? family.metrics : [];
  const clipping = model.privacy === undefined ? undefined : divideAllowance(model.privacy, family, metrics);
  const shared = {
    width,
    parameterCount: gradient ? statistics : 0,
    length: statistics + metrics.length,
    statistics,
    metrics,
    names: [...(gradient ? gradientNames(map, family) : triangleNames(map.columns, fieldName(map.target))), ...metrics],
    rounds: model.training.solver === 'gradient' ? model.training.rounds + 1 : 1,
    fractionBits,
    family,
    clipping,
    solver: model.training.solver,
  };
  if (clipping !== undefined) {
    const { norm, clip } = clipping;
    return { ...shared, scale: Number(norm) / clip, valueBound: norm, weightUnit: CLIP_SCALE / WEIGHT_SHARE };
  }
  // The products of two numbers of f bits have 2f; the entries of z·zᵀ are at most 1.
  const scaleBits = gradient ? fractionBits : 2 * fractionBits;
  const boundBits = gradient ? fractionBits + BOUND_BITS : 2 * fractionBits;
  return { ...shared, scale: 2 ** scaleBits, valueBound: 1n << BigInt(boundBits), weightUnit: 1n };
}

/**
 * An owner's side: the sums over its records as integers.
 *
 * @param parameters `task.parameterCount` of them, outputs × width row by row
 * @param observe is told of the clipping, if there is any; for the owner's own eyes, since nothing of it is noised
 * @throws SealsumError `plan_mismatch` where parameters or records are not the task's, `number_out_of_bounds` naming a value
 * that grew beyond its bound, which is what a diverging training does
 */
export function contribution(
  task: Task,
  records: Records,
  parameters: Float64Array,
  observe: (clipping: ClippingReport) => void = () => undefined,
): WeightedVector {
  if (parameters.length !== task.parameterCount) {
    throw new SealsumError('plan_mismatch', `parameters: expected ${task.parameterCount}, not ${parameters.length}`, {
      field: 'parameters',
    });
  }
  if (records.width !== task.width) {
    throw new SealsumError('plan_mismatch', `records: expected ${task.width} columns, not ${records.width}`, {
      field: 'records',
    });
  }
  if (task.clipping !== undefined) {
    const { sum, report } = clippedSums(task, task.clipping, records, parameters);
    observe(report);
    return sum;
  }
  const weight = BigInt(records.count) * task.weightUnit;
  if (task.solver === 'normal-equations') return { weight, values: exactTriangleSums(records, task.fractionBits) };
  const sums = gradientSums(task.family, records, parameters);
  for (const [index, sum] of sums.entries()) {
    if (Math.abs(sum) <= records.count * 2 ** BOUND_BITS) continue;
    const field = task.names[index] ?? '';
    throw new SealsumError(
      'number_out_of_bounds',
      `${field}: beyond 2^${BOUND_BITS} per record; the training diverges: lower training.learning_rate`,
      { field },
    );
  }
  return { weight, values: toFixedPoint(sums, task.scale) };
}

/**
 * The model owner's side: what a sum of contributions says.
 *
 * @param sum at the plan's scale, noise included
 * @throws SealsumError `plan_mismatch` where the length is not the task's, `weight_zero` where no weight is left, such as
 * when noise outweighs the records
 */
export function statisticsOf(task: Task, sum: WeightedVector): Statistics {
  if (sum.values.length !== task.length) {
    throw new SealsumError('plan_mismatch', `values: expected ${task.length}, not ${sum.values.length}`, {
      field: 'values',
    });
  }
  // Less than one record of weight is nothing but noise.
  if (sum.weight < task.weightUnit) {
    throw new SealsumError(
      'weight_zero',
      task.clipping === undefined
        ? 'weight: the records of all owners add up to none'
        : 'weight: the noise outweighs the records: more records, or a greater privacy.epsilon (or rho), are needed',
      { field: 'weight' },
    );
  }
  const weight = Number(sum.weight) / Number(task.weightUnit);
  if (task.solver === 'normal-equations') {
    return { weight, statistics: fromFixedPoint(sum.values, task.scale), metrics: new Float64Array(0) };
  }
  // The gradient's mean goes into the parameters, so it is renormalised to the plan's scale; metrics are only reported.
  const means = renormalise(task, sum).slice(0, task.statistics);
  const metrics = sum.values
    .slice(task.statistics)
    .map((value, index) => Number(value) / (task.clipping?.metricScales[index] ?? task.scale) / weight);
  return { weight, statistics: fromFixedPoint(means, task.scale), metrics: Float64Array.from(metrics) };
}

function gradientNames(map: FeatureMap, family: Family): string[] {
  if (family.outputs === 1) return map.columns.map((column) => `gradient of ${column}`);
  const classes = map.classes ?? [];
  return classes.flatMap((name) => map.columns.map((column) => `gradient of ${column} for ${name}`));
}

function divideAllowance({ clip, unit }: PrivacySettings, family: Family, metrics: readonly MetricName[]): Clipping {
  const forWeight = CLIP_SCALE / WEIGHT_SHARE;
  const perMetric = CLIP_SCALE / METRIC_SHARE;
  const left = CLIP_SCALE ** 2n - forWeight ** 2n - BigInt(metrics.length) * perMetric ** 2n;
  return {
    unit,
    clip,
    norm: integerSquareRoot(left),
    metricScales: metrics.map((name) => Number(perMetric) / (name === 'loss' ? family.lossBound : 1)),
  };
}

/** Σ of the units' integer vectors. Every entry is at most 2^20, so doubles add 2^33 records exactly. */
function clippedSums(
  task: Task,
  clipping: Clipping,
  records: Records,
  parameters: Float64Array,
): { readonly sum: WeightedVector; readonly report: ClippingReport } {
  const sums = new Float64Array(task.length);
  let units = 0;
  let clipped = 0;
  let notFinite = 0;
  const add = (statistics: Float64Array, metrics: Float64Array): void => {
    const unit = clipToIntegers(statistics, clipping.clip, clipping.norm);
    units += 1;
    if (unit.clipped) clipped += 1;
    if (!unit.finite) notFinite += 1;
    for (const [index, value] of unit.values.entries()) sums[index] = (sums[index] ?? 0) + value;
    for (const [index, metric] of metrics.entries()) {
      const position = task.statistics + index;
      sums[position] = (sums[position] ?? 0) + metricInteger(clipping.metricScales[index] ?? 0, metric);
    }
  };
  if (clipping.unit === 'owner') {
    const means = new Float64Array(task.length);
    forEachRecord(task, records, parameters, (statistics, metrics) => {
      const all = [...statistics, ...metrics];
      // One such record must not make the mean of all the others nothing.
      if (!all.every(Number.isFinite)) {
        notFinite += 1;
        return;
      }
      for (const [index, value] of all.entries()) means[index] = (means[index] ?? 0) + value / records.count;
    });
    add(means.subarray(0, task.statistics), means.subarray(task.statistics));
  } else forEachRecord(task, records, parameters, add);
  const weight = clipping.unit === 'owner' ? 1 : records.count;
  return {
    sum: { weight: BigInt(weight) * task.weightUnit, values: Array.from(sums, BigInt) },
    report: { units, clipped, notFinite },
  };
}

/** Each record's statistics and metrics, in arrays that are used again for the next one. */
function forEachRecord(
  task: Task,
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

/** A metric in its share of the allowance: [0, S/8]; what is not a number counts as the most. */
function metricInteger(scale: number, metric: number): number {
  const most = Number(CLIP_SCALE / METRIC_SHARE);
  const scaled = Math.round(metric * scale);
  return scaled >= 0 && scaled < most ? scaled : scaled < 0 ? 0 : most;
}
