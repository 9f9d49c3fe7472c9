/**
 * What came out: statistics in the data's own units, each with the standard error that comes from the noise.
 *
 * Noised counts are as they were released: they may be negative and are not whole. What to make of them is left to the reader, since
 * whatever is cut off at zero is no longer right on average.
 */
import type { WeightedVector } from '../../encoding/contribution.ts';
import { divideRationals, rational, rationalFromNumber } from '../../privacy/rational.ts';
import { fieldName } from '../fields.ts';
import { type Axis, type Cells, isProducts, type Products } from './groups.ts';
import { type ColumnMoments, type Estimate, momentsOf } from './moments.ts';
import type { StatisticsTask } from './task.ts';

export interface MomentsReport {
  readonly column: string;
  /** Units with a value. */
  readonly count: Estimate;
  /** Given where missing values are counted. */
  readonly missing?: Estimate;
  readonly mean: Estimate;
  readonly variance: Estimate;
  readonly standard_deviation: Estimate;
}

export interface CovarianceReport {
  readonly columns: readonly string[];
  /** Units with a value in all of the columns, over which everything here is. */
  readonly count: Estimate;
  /** Units without one in some column; given where they are counted. */
  readonly missing?: Estimate;
  readonly mean: readonly Estimate[];
  readonly covariance: readonly (readonly Estimate[])[];
  readonly correlation: readonly (readonly Estimate[])[];
}

export interface HistogramReport {
  readonly column: string;
  /** One more than bins. */
  readonly edges?: readonly number[];
  /** In place of edges, a bin each. */
  readonly levels?: readonly string[];
  readonly counts: readonly number[];
  /** Given where the range goes beyond the edges. */
  readonly below?: number;
  readonly above?: number;
  /** Given where missing values are counted. */
  readonly missing?: number;
  /** Of every count. */
  readonly standard_error: number;
}

export interface ContingencyReport {
  readonly columns: readonly [string, string];
  readonly levels: readonly [readonly string[], readonly string[]];
  /** A row for each level of the first column. */
  readonly counts: readonly (readonly number[])[];
  /** Units without a value in one of the columns, or in both; given where they are counted. */
  readonly missing?: number;
  readonly standard_error: number;
}

/** Statistics in the units of the data, with the standard errors that come from noise. */
export interface StatisticsReport {
  /** What is counted; owners weigh alike, and what is told of them is a mean over their records. */
  readonly unit: 'record' | 'owner';
  readonly contributors: number;
  readonly count: Estimate;
  readonly moments: readonly MomentsReport[];
  readonly covariance?: CovarianceReport;
  readonly histograms: readonly HistogramReport[];
  readonly contingency: readonly ContingencyReport[];
}

interface Sums {
  readonly task: StatisticsTask;
  readonly sum: WeightedVector;
  readonly deviation: number;
}

/**
 * What a sum says of the columns, in the units of the data, with the standard errors that come from noise.
 *
 * @param sum noise included
 * @param deviation the standard deviation of the noise in every value of the sum, in integers; 0: none
 */
export function reportOf(
  task: StatisticsTask,
  sum: WeightedVector & { readonly contributors: number },
  deviation: number,
): StatisticsReport {
  const sums = { task, sum, deviation };
  const columns = task.model.data_props.columns.map(fieldName);
  const moments: MomentsReport[] = [];
  let covariance: CovarianceReport | undefined;
  const histograms: HistogramReport[] = [];
  const contingency: ContingencyReport[] = [];
  for (const [index, group] of task.groups.entries()) {
    if (!isProducts(group)) {
      const table = countsOf(sums, group, index);
      const [first, second] = group.axes;
      if (first !== undefined && second !== undefined) contingency.push(contingencyOf(table, first, second));
      else if (first !== undefined) histograms.push(histogramOf(table, first));
      continue;
    }
    const found = productsOf(sums, group, index);
    const names = group.columns.map((position) => columns[position] ?? '');
    if (group.kind === 'moments') moments.push(momentsReport(names[0] ?? '', found));
    else covariance = covarianceReport(names, found);
  }
  return {
    unit: task.allowance?.unit ?? 'record',
    contributors: sum.contributors,
    count: { value: Number(sum.weight) / Number(task.weightUnit), standard_error: deviation / Number(task.weightUnit) },
    moments,
    ...(covariance === undefined ? {} : { covariance }),
    histograms,
    contingency,
  };
}

/** The integer that stands for one unit in a group's counts. */
function unitOf({ allowance }: StatisticsTask, index: number): bigint {
  return allowance?.groups[index] ?? 1n;
}

interface FoundProducts {
  readonly count: Estimate;
  readonly missing: { readonly missing?: Estimate };
  readonly found: ColumnMoments;
}

function productsOf({ task, sum, deviation }: Sums, group: Products, index: number): FoundProducts {
  const unit = unitOf(task, index);
  const values = sum.values.slice(group.offset, group.offset + group.length);
  const missing = group.missing === undefined ? undefined : (values[group.missing] ?? 0n);
  const weight = rational(sum.weight, task.weightUnit);
  const count =
    missing === undefined ? weight : rational(sum.weight * unit - missing * task.weightUnit, task.weightUnit * unit);
  const missingNoise = missing === undefined ? 0 : deviation / Number(unit);
  const countNoise = Math.hypot(deviation / Number(task.weightUnit), missingNoise);
  const scale =
    task.allowance === undefined
      ? rationalFromNumber(task.scale)
      : divideRationals(rational(unit), rationalFromNumber(group.norm));
  const found = momentsOf({
    count,
    triangle: values.slice(0, group.missing ?? group.length),
    scale,
    countNoise,
    noise: (deviation * Number(scale.denominator)) / Number(scale.numerator),
    correction: task.allowance?.unit === 'owner' ? 0n : 1n,
    columns: group.scales,
  });
  const estimate = (value: number, error: number): Estimate => ({ value, standard_error: error });
  return {
    count: estimate(Number(count.numerator) / Number(count.denominator), countNoise),
    missing: missing === undefined ? {} : { missing: estimate(Number(missing) / Number(unit), missingNoise) },
    found,
  };
}

const noEstimate: Estimate = { value: null, standard_error: null };

function momentsReport(column: string, { count, missing, found }: FoundProducts): MomentsReport {
  const [mean = noEstimate] = found.means;
  const [deviation = noEstimate] = found.deviations;
  const variance = found.covariances[0]?.[0] ?? noEstimate;
  return { column, count, ...missing, mean, variance, standard_deviation: deviation };
}

function covarianceReport(columns: readonly string[], { count, missing, found }: FoundProducts): CovarianceReport {
  const { means, covariances, correlations } = found;
  return { columns, count, ...missing, mean: means, covariance: covariances, correlation: correlations };
}

interface Table {
  readonly counts: readonly number[];
  readonly missing: { readonly missing?: number };
  readonly standard_error: number;
}

function countsOf({ task, sum, deviation }: Sums, group: Cells, index: number): Table {
  const unit = Number(unitOf(task, index));
  const all = sum.values.slice(group.offset, group.offset + group.length).map((value) => Number(value) / unit);
  const counts = all.slice(0, group.missing ?? group.length);
  return {
    counts,
    missing: group.missing === undefined ? {} : { missing: all[group.missing] ?? 0 },
    standard_error: deviation / unit,
  };
}

function histogramOf({ counts, missing, standard_error }: Table, axis: Axis): HistogramReport {
  const { column, edges, levels, below, above } = axis;
  return {
    column,
    ...(edges === undefined ? { levels: levels ?? [] } : { edges }),
    counts: counts.slice(Number(below), counts.length - Number(above)),
    ...(below ? { below: counts[0] ?? 0 } : {}),
    ...(above ? { above: counts.at(-1) ?? 0 } : {}),
    ...missing,
    standard_error,
  };
}

function contingencyOf({ counts, missing, standard_error }: Table, first: Axis, second: Axis): ContingencyReport {
  const rows = Array.from({ length: first.size }, (_, row) => counts.slice(row * second.size, (row + 1) * second.size));
  return {
    columns: [first.column, second.column],
    levels: [first.levels ?? [], second.levels ?? []],
    counts: rows,
    ...missing,
    standard_error,
  };
}
