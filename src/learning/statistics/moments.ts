/**
 * Means, variances, covariances and correlations from sums of columns and of their products, in exact fractions, each with the
 * standard error that the noise in these sums gives it: to first order, by its derivatives and the variances of the sums.
 *
 * With N records, A = Σ x and P = Σ xy: mean A/N, covariance (P − A·B/N)/(N − 1). Where units are whole owners, of which the sums are
 * means, the divisor is N. Noise can push a variance below zero: it is then null, with the reason, and so is what is made of it.
 */
import { type Rational, toNumber } from '../../privacy/rational.ts';
import type { LinearScale } from '../scaling.ts';

/** A number as it was released, neither rounded nor cut off. */
export interface Estimate {
  /** null: there is none, for the reason given. */
  readonly value: number | null;
  /** What the noise adds, as a standard deviation in the same unit; 0 without noise, null where there is no value. */
  readonly standard_error: number | null;
  readonly reason?: string;
}

export interface ProductSums {
  /** N, with noise; not whole where units are owners. */
  readonly count: Rational;
  /** The triangle of z·zᵀ with z = (1, columns) without its first entry, as integers. */
  readonly triangle: readonly bigint[];
  /** The integer that stands for 1. */
  readonly scale: Rational;
  /** Standard deviations of the noise in N, and in every entry of the triangle (in the units of the entries, not of the integers). */
  readonly countNoise: number;
  readonly noise: number;
  /** What is taken off N to divide by: 1 for a sample of records, 0 for owners. */
  readonly correction: 0n | 1n;
  readonly columns: readonly LinearScale[];
}

const noRecords = (noised: boolean): string =>
  noised ? 'the noise outweighs the records: there are none left to divide by' : 'no record has a value';
const tooFew = (noised: boolean): string => (noised ? noRecords(true) : 'one record has no variance');
const negative = 'the noise outweighs the spread: the variance came out at zero or below';
const constant = 'the column is constant';

const none = (reason: string): Estimate => ({ value: null, standard_error: null, reason });

export interface ColumnMoments {
  readonly means: readonly Estimate[];
  readonly deviations: readonly Estimate[];
  readonly covariances: readonly (readonly Estimate[])[];
  readonly correlations: readonly (readonly Estimate[])[];
}

export function momentsOf(sums: ProductSums): ColumnMoments {
  const { columns } = sums;
  const noised = sums.noise > 0;
  const at = (i: number, j: number): Covariance => covarianceOf(sums, i, j);
  const diagonal = columns.map((_, index) => at(index, index));
  const covariances = columns.map((_, i) => columns.map((_, j) => (i === j ? (diagonal[i] ?? at(i, i)) : at(i, j))));
  const isSpread = ({ scaled }: Covariance): boolean => scaled !== undefined && scaled > 0;
  return {
    means: columns.map((_, index) => meanOf(sums, index)),
    deviations: diagonal.map((variance) => rootOf(variance, noised)),
    covariances: covariances.map((row, i) =>
      row.map(({ estimate, scaled = 0 }, j) => (i === j && scaled < 0 ? none(negative) : estimate)),
    ),
    correlations: covariances.map((row, i) =>
      row.map((covariance, j) => {
        const [left, right] = [diagonal[i], diagonal[j]];
        if (left === undefined || right === undefined || covariance.scaled === undefined)
          return none(covariance.estimate.reason ?? tooFew(noised));
        if (!isSpread(left) || !isSpread(right)) return none(noised ? negative : constant);
        return i === j ? { value: 1, standard_error: 0 } : correlationOf(sums, covariance, left, right);
      }),
    ),
  };
}

/** Where the sum of a column, and that of a product, stand in the triangle. */
const sumAt = (column: number): number => column;
function productAt(width: number, i: number, j: number): number {
  const [row, column] = i <= j ? [i, j] : [j, i];
  // The first row has `width` entries; the row of column r begins after those of the columns before it.
  return width + row * width - (row * (row - 1)) / 2 + (column - row);
}

const fraction = (numerator: bigint, denominator: bigint): number =>
  toNumber(denominator < 0n ? { numerator: -numerator, denominator: -denominator } : { numerator, denominator });

/** The scaled mean; undefined where there is nothing to divide by. */
function scaledMean({ count, triangle, scale }: ProductSums, column: number): number | undefined {
  if (count.numerator <= 0n) return undefined;
  const sum = triangle[sumAt(column)] ?? 0n;
  return fraction(sum * scale.denominator * count.denominator, scale.numerator * count.numerator);
}

function meanOf(sums: ProductSums, column: number): Estimate {
  const { mid, half } = sums.columns[column] ?? { mid: 0, half: 1 };
  const mean = scaledMean(sums, column);
  if (mean === undefined) return none(noRecords(sums.noise > 0));
  const error = Math.hypot(sums.noise, mean * sums.countNoise) / toNumber(sums.count);
  return { value: mid + half * mean, standard_error: half * error };
}

/** Of two columns, or of one with itself. */
interface Covariance {
  readonly i: number;
  readonly j: number;
  readonly estimate: Estimate;
  /** In the units of scaled columns. */
  readonly scaled: number | undefined;
}

function covarianceOf(sums: ProductSums, i: number, j: number): Covariance {
  const { count, triangle, scale, columns, correction } = sums;
  const { numerator: n, denominator: d } = count;
  const noised = sums.noise > 0;
  const divisor = n - correction * d;
  if (divisor <= 0n) return { i, j, estimate: none(n <= 0n ? noRecords(noised) : tooFew(noised)), scaled: undefined };
  const [a, b] = [triangle[sumAt(i)] ?? 0n, triangle[sumAt(j)] ?? 0n];
  const product = triangle[productAt(columns.length, i, j)] ?? 0n;
  const { numerator: u, denominator: v } = scale;
  const scaled = fraction(v * d * (product * u * n - a * b * v * d), u * u * n * divisor);
  const unit = (columns[i]?.half ?? 1) * (columns[j]?.half ?? 1);
  const error = spreadOf(sums, derivatives(sums, i, j, scaled));
  return { i, j, estimate: { value: unit * scaled, standard_error: unit * error }, scaled };
}

function rootOf({ estimate: { value, standard_error: error, reason }, scaled }: Covariance, noised: boolean): Estimate {
  if (value === null || error === null || scaled === undefined) return none(reason ?? tooFew(noised));
  if (scaled < 0 || (scaled === 0 && noised)) return none(negative);
  const root = Math.sqrt(value);
  return { value: root, standard_error: error === 0 ? 0 : error / (2 * root) };
}

/** Of something by the sums that it is made of: N, and entries of the triangle by their position. */
interface Derivatives {
  readonly count: number;
  readonly entries: ReadonlyMap<number, number>;
}

/** Of a scaled covariance. */
function derivatives(sums: ProductSums, i: number, j: number, covariance: number): Derivatives {
  const { columns, count, correction } = sums;
  const divisor = toNumber(count) - Number(correction);
  const [left, right] = [scaledMean(sums, i) ?? 0, scaledMean(sums, j) ?? 0];
  const entries = new Map([[productAt(columns.length, i, j), 1 / divisor]]);
  for (const [entry, slope] of [
    [sumAt(i), -right / divisor],
    [sumAt(j), -left / divisor],
  ] as const)
    entries.set(entry, (entries.get(entry) ?? 0) + slope);
  return { count: (left * right - covariance) / divisor, entries };
}

function spreadOf({ noise, countNoise }: ProductSums, { count, entries }: Derivatives): number {
  return Math.hypot(count * countNoise, ...[...entries.values()].map((slope) => slope * noise));
}

/** Noise may take it out of [−1, 1]. */
function correlationOf(
  sums: ProductSums,
  { i, j, scaled = 0 }: Covariance,
  left: Covariance,
  right: Covariance,
): Estimate {
  const [before, after] = [left.scaled ?? 1, right.scaled ?? 1];
  const root = Math.sqrt(before) * Math.sqrt(after);
  const value = scaled / root;
  const parts = [
    { slope: 1 / root, of: derivatives(sums, i, j, scaled) },
    { slope: -value / (2 * before), of: derivatives(sums, i, i, before) },
    { slope: -value / (2 * after), of: derivatives(sums, j, j, after) },
  ];
  const entries = new Map<number, number>();
  let count = 0;
  for (const { slope, of } of parts) {
    count += slope * of.count;
    for (const [entry, each] of of.entries) entries.set(entry, (entries.get(entry) ?? 0) + slope * each);
  }
  return { value, standard_error: spreadOf(sums, { count, entries }) };
}
