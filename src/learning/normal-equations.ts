/**
 * Least squares in one round: sums of products, then a Cholesky solve, or with an L1 penalty coordinate descent on the sums.
 *
 * With z = (x, y), x beginning with 1, everything that least squares needs is in the upper triangle of Σ z·zᵀ (Golub & Van
 * Loan 2013, section 5.3). Its first entry is the number of records, which travels as the weight, so it is left out.
 */

import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import { roundHalfEven } from '../encoding/fixed-point.ts';
import { SealsumError } from '../errors.ts';
import { elasticNet } from './elastic-net.ts';
import type { FeatureMap, Records } from './features.ts';
import type { Metrics } from './metrics.ts';
import { metricsOf } from './metrics.ts';

/** What is summed of records. */
type Rows = Pick<Records, 'count' | 'width' | 'x' | 'y'>;

/** Entries of the triangle of z·zᵀ without the first, for records of `width` columns. */
export function triangleLength(width: number): number {
  return ((width + 1) * (width + 2)) / 2 - 1;
}

/** The name of every entry, such as `weight × mpg`; the target's column comes last. */
export function triangleNames(columns: readonly string[], target: string): string[] {
  const names = [...columns, target];
  return names.flatMap((row, index) => names.slice(index).map((column) => `${row} × ${column}`)).slice(1);
}

/** Writes the triangle of one record into `into`. */
export function recordTriangle(row: Float64Array, target: number, into: Float64Array): void {
  const width = row.length;
  let position = 0;
  for (let i = 0; i <= width; i += 1) {
    const factor = i === width ? target : (row[i] ?? 0);
    // From (0, 1) on: (0, 0) is the weight.
    for (let j = i === 0 ? 1 : i; j <= width; j += 1) {
      into[position] = factor * (j === width ? target : (row[j] ?? 0));
      position += 1;
    }
  }
}

/** Σ of the records' triangles in doubles, for pooled training. */
export function triangleSums(records: Records): Float64Array {
  const sums = new Float64Array(triangleLength(records.width));
  const one = new Float64Array(sums.length);
  for (let index = 0; index < records.count; index += 1) {
    const row = records.x.subarray(index * records.width, (index + 1) * records.width);
    recordTriangle(row, records.y[index] ?? 0, one);
    for (let position = 0; position < sums.length; position += 1) {
      sums[position] = (sums[position] ?? 0) + (one[position] ?? 0);
    }
  }
  return sums;
}

/**
 * Σ of the records' triangles as exact integers at scale 2^(2·fractionBits), every entry of z first rounded to
 * `fractionBits` bits (at most 48). The sum does not depend on the order of the records or on who holds which.
 *
 * z is split as high·2^h + low with h = ⌈f/2⌉ and |low| ≤ 2^(h−1). The products of the halves are at most 2^f, so 2^(53−f)
 * records add up exactly in doubles before they are carried over into big integers.
 */
export function exactTriangleSums(records: Rows, fractionBits: number): bigint[] {
  const { count, width } = records;
  const length = triangleLength(width);
  const lowBits = Math.ceil(fractionBits / 2);
  const scale = 2 ** fractionBits;
  const unit = 2 ** lowBits;
  const recordsPerBlock = 2 ** (53 - fractionBits);
  const totals = new Array<bigint>(length).fill(0n);
  const highSums = new Float64Array(length);
  const crossSums = new Float64Array(length);
  const lowSums = new Float64Array(length);
  const carry = (): void => {
    for (let position = 0; position < length; position += 1) {
      const high = BigInt(highSums[position] ?? 0) << BigInt(2 * lowBits);
      const cross = BigInt(crossSums[position] ?? 0) << BigInt(lowBits);
      totals[position] = (totals[position] ?? 0n) + high + cross + BigInt(lowSums[position] ?? 0);
    }
    highSums.fill(0);
    crossSums.fill(0);
    lowSums.fill(0);
  };
  const high = new Float64Array(width + 1);
  const low = new Float64Array(width + 1);
  for (let index = 0; index < count; index += 1) {
    for (let column = 0; column <= width; column += 1) {
      const value = column === width ? records.y[index] : records.x[index * width + column];
      const integer = roundHalfEven((value ?? 0) * scale);
      const upper = Math.round(integer / unit);
      high[column] = upper;
      low[column] = integer - upper * unit;
    }
    let position = 0;
    for (let i = 0; i <= width; i += 1) {
      const highFactor = high[i] ?? 0;
      const lowFactor = low[i] ?? 0;
      for (let j = i === 0 ? 1 : i; j <= width; j += 1) {
        const highOther = high[j] ?? 0;
        const lowOther = low[j] ?? 0;
        highSums[position] = (highSums[position] ?? 0) + highFactor * highOther;
        crossSums[position] = (crossSums[position] ?? 0) + (highFactor * lowOther + lowFactor * highOther);
        lowSums[position] = (lowSums[position] ?? 0) + lowFactor * lowOther;
        position += 1;
      }
    }
    if ((index + 1) % recordsPerBlock === 0) carry();
  }
  carry();
  return totals;
}

export interface LeastSquaresFit {
  readonly parameters: Float64Array;
  readonly metrics: Metrics;
}

/**
 * A column is taken for a combination of those before it when less than this share of its sum of squares is its own. The
 * sums are good to some 10⁻¹⁵, so what is left at this share still has a few digits.
 */
const LEAST_SHARE = 1e-13;

/** The chance with which noise may be greater than the ridge makes up for. */
const RIDGE_CHANCE = 0.05;

/**
 * The penalty that makes up for noise in XᵀX: with a probability of 0.95 no eigenvalue of a symmetric matrix of independent
 * Gaussian entries of standard deviation σ is beyond σ·√(d·ln(2d²/0.05)). It depends on the noise and on nothing else, so that it
 * costs no privacy: the ridge of AdaSSP (Wang 2018, Algorithm 2) with nothing spent on the least eigenvalue.
 */
export function noiseRidge(width: number, deviation: number): number {
  return deviation * Math.sqrt(width * Math.log((2 * width ** 2) / RIDGE_CHANCE));
}

/** λ₁ and λ₂ of the penalty λ₁·‖θ‖₁ + λ₂/2·‖θ‖², intercept left out. */
export interface Penalties {
  readonly l1: number;
  readonly l2: number;
}

/**
 * Solves (XᵀX/n + λ₂·I)·θ = Xᵀy/n, the intercept left out of the penalty; with λ₁ the elastic net instead (elastic-net.ts).
 *
 * @param sums the triangle of Σ z·zᵀ without its first entry
 * @param weight the number of records n, above 0; under differential privacy with noise
 * @param penalties of λ₂ at least the noise's ridge is taken
 * @param deviation the standard deviation of the noise in every sum, in the units of the sums; 0: none
 * @throws SealsumError `matrix_singular` naming the first column that adds nothing to those before it
 */
export function solveNormalEquations(
  map: FeatureMap,
  sums: Float64Array,
  weight: number,
  { l1, l2 }: Penalties,
  deviation: number,
): LeastSquaresFit {
  const { width } = map;
  const noised = deviation > 0;
  const ridge = Math.max(l2, noiseRidge(width, deviation) / weight);
  const moments = momentsOf(width, sums, weight);
  const { gram, right } = moments;
  // A lasso needs no definite matrix, but noise could leave it without any least value.
  const cholesky = l1 === 0 || noised ? factorised(map, gram, ridge, noised) : undefined;
  const parameters =
    cholesky === undefined || l1 > 0
      ? elasticNet(gram, right, l1, ridge)
      : Float64Array.from(cholesky.solve(Matrix.columnVector(right)).to1DArray());
  return { parameters, metrics: metricsOfMoments(map, moments, parameters) };
}

/** How a model fits the records that such sums are over. @param weight how many they are, above 0 */
export function evaluateNormalEquations(
  map: FeatureMap,
  sums: Float64Array,
  weight: number,
  parameters: Float64Array,
): Metrics {
  return metricsOfMoments(map, momentsOf(map.width, sums, weight), parameters);
}

/** The sums that the precision of a fit by least squares is known from, and how far these may be off by rounding. */
interface LeastSquaresSums {
  readonly information: Matrix;
  /** Of an entry. */
  readonly resolution: number;
  readonly squares: { readonly residual: number; readonly rounding: number };
}

/**
 * What a fit by least squares says of its own precision; there are no classical standard errors of one with a penalty. Sums are exact, but
 * of entries that were rounded to half a unit e: that adds up to n·e² to a square, beside a product with what is summed, whose sign is any.
 */
export function leastSquaresSums(
  map: FeatureMap,
  sums: Float64Array,
  weight: number,
  parameters: Float64Array,
  fractionBits: number,
): LeastSquaresSums {
  const moments = momentsOf(map.width, sums, weight);
  const resolution = weight * 4 ** -(fractionBits + 1);
  const reach = parameters.reduce((sum, value) => sum + Math.abs(value), 1);
  return {
    information: Matrix.mul(moments.gram, weight),
    resolution,
    squares: {
      residual: weight * residualSquareOf(moments, parameters),
      rounding: weight * residualRounding(moments, parameters) + resolution * reach * reach,
    },
  };
}

/** XᵀX/n, Xᵀy/n and yᵀy/n. */
interface Moments {
  readonly gram: Matrix;
  readonly right: Float64Array;
  readonly targetSquare: number;
}

function momentsOf(width: number, sums: Float64Array, weight: number): Moments {
  const gram = Matrix.zeros(width, width);
  const right = new Float64Array(width);
  let targetSquare = 0;
  // The triangle, row by row; its first entry, Σ 1·1/n, is 1.
  let position = -1;
  for (let i = 0; i <= width; i += 1) {
    for (let j = i; j <= width; j += 1) {
      const mean = position < 0 ? 1 : (sums[position] ?? 0) / weight;
      if (i === width) targetSquare = mean;
      else if (j === width) right[i] = mean;
      else {
        gram.set(i, j, mean);
        gram.set(j, i, mean);
      }
      position += 1;
    }
  }
  return { gram, right, targetSquare };
}

/** The factors of XᵀX/n + λ₂·I. @throws SealsumError `matrix_singular` */
function factorised(map: FeatureMap, gram: Matrix, ridge: number, noised: boolean): CholeskyDecomposition {
  const { width } = map;
  const penalised = gram.clone();
  for (let i = 1; i < width; i += 1) penalised.set(i, i, gram.get(i, i) + ridge);
  const cholesky = new CholeskyDecomposition(penalised);
  const factor = cholesky.lowerTriangularMatrix;
  for (let i = 0; i < width; i += 1) {
    const share = factor.get(i, i) ** 2 / penalised.get(i, i);
    if (!(share > LEAST_SHARE)) throw singular(map.columns[i] ?? '', noised);
  }
  if (!cholesky.isPositiveDefinite()) throw singular(map.columns.at(-1) ?? '', noised);
  return cholesky;
}

/** Mean of squared residuals: yᵀy − 2θᵀXᵀy + θᵀXᵀXθ. Noise can push it below zero, where no mean of squares lies. */
function residualSquareOf({ gram, right, targetSquare }: Moments, parameters: Float64Array): number {
  const solution = Matrix.columnVector(parameters);
  const fitted = solution.transpose().mmul(gram).mmul(solution).get(0, 0);
  const explained = right.reduce((sum, value, index) => sum + value * (parameters[index] ?? 0), 0);
  return Math.max(0, targetSquare - 2 * explained + fitted);
}

/** How far doubles may be off in that: by so much of what cancels in it. */
function residualRounding({ gram, right, targetSquare }: Moments, parameters: Float64Array): number {
  let magnitude = targetSquare;
  for (const [i, parameter] of parameters.entries()) {
    let row = 2 * Math.abs(right[i] ?? 0);
    for (const [j, other] of parameters.entries()) row += Math.abs(gram.get(i, j) * other);
    magnitude += Math.abs(parameter) * row;
  }
  return (gram.rows + 4) * Number.EPSILON * magnitude;
}

function metricsOfMoments(map: FeatureMap, moments: Moments, parameters: Float64Array): Metrics {
  const { right, targetSquare } = moments;
  const residualSquare = residualSquareOf(moments, parameters);
  const variance = targetSquare - (right[0] ?? 0) ** 2;
  const metrics = metricsOf(map, residualSquare / 2);
  return variance > 0 ? { ...metrics, r2: 1 - residualSquare / variance } : metrics;
}

function singular(column: string, noised: boolean): SealsumError {
  const why = noised
    ? 'the noise of differential privacy outweighs what the records say about it: raise privacy.epsilon (or rho), or training.l2'
    : 'over all records it is constant or a combination of the columns before it, so that the fit is not unique: ' +
      'leave the feature out (or merge its levels), or set training.l2, such as 1e-6';
  return new SealsumError('matrix_singular', `column ${column}: ${why}`, { field: column });
}
