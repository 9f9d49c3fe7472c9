/**
 * How precise fitted coefficients are: standard errors, intervals and p-values from sums over all records.
 *
 * At the maximum of the likelihood the covariance of θ is φ·M⁻¹, with M the information Σ w·x·xᵀ: for linear models w = 1 and φ = σ̂² =
 * RSS/(n − d), with Student's t for quantiles; for logistic ones w = p(1 − p), φ = 1, with normal quantiles (McCullagh & Nelder
 * 1989, sections 2.5 and 4.4). A coefficient in the data's own units is aᵀθ plus a constant, so that with M = L·Lᵀ its variance is
 * φ·‖L⁻¹a‖²: a sum of squares, in which nothing cancels however far a range is from zero.
 *
 * The records are taken for independent draws, and owners for parts of one population: nothing here is about differences between owners.
 */
import { CholeskyDecomposition, type Matrix } from 'ml-matrix';
import type { FeatureMap } from '../features.ts';
import type { Model } from '../model-types.ts';
import { coefficientDirections, type DataUnitParameters, parametersInDataUnits, targetScale } from '../prediction.ts';
import { obstaclesTo } from './problems.ts';
import { twoSidedQuantile, twoSidedTail } from './students-t.ts';

/** Plain data for JSON. All lists have the shape and order of the coefficients in the data's own units. */
export interface CoefficientPrecision {
  readonly standard_errors: readonly number[];
  readonly intervals: { readonly level: number; readonly lower: readonly number[]; readonly upper: readonly number[] };
  /** Of the hypothesis that the coefficient is 0, two-sided. */
  readonly p_values: readonly number[];
  /** Linear: n − d, of the t distribution. */
  readonly degrees_of_freedom?: number;
  /** Linear: σ̂, in the target's own unit. */
  readonly residual_standard_error?: number;
}

/** What is known of a fit's precision, or why nothing is. */
export type Inference = CoefficientPrecision | { readonly inference_unavailable: string };

/** Coefficients with what is known of their precision, as GET /models/{id}/parameters answers. */
export type ReportedParameters = DataUnitParameters &
  Partial<CoefficientPrecision> & { readonly inference_unavailable?: string };

/** A fit, in scaled units. */
export interface Fit {
  readonly parameters: Float64Array;
  /** Σ w·x·xᵀ over all records. */
  readonly information: Matrix;
  /** How far an entry of it may be off by what sums are rounded to; what doubles round comes on top. */
  readonly resolution: number;
  readonly records: number;
  /** Linear: the sum of squared residuals, and how far that may be off by rounding of any kind. */
  readonly squares?: { readonly residual: number; readonly rounding: number };
  /** −Σ ∂ℓ/∂θ at the parameters, where these are not the exact solution. */
  readonly score?: Float64Array;
}

/** What is left of a column after those before it must be so many times what rounding may make of it. */
const leastDigits = 1e4;
/** The least share of a column's sum of squares that is its own; as for normal equations. */
const leastShare = 1e-13;
/** Parameters may be so many standard errors from the maximum: a 95 % interval then still covers in more than 94 % of cases. */
const furthest = 0.25;
/** A further step of Newton's method moves no coefficient of log-odds, in scaled units, by as much: along a direction that separates it is 1. */
const greatestStep = 0.5;
/** A sum of squared residuals is at least so many times what rounding may make of it. */
const leastResidual = 100;
/** Rounding makes up at most this share of a variance: half of it of a standard error. */
const greatestDoubt = 0.02;

/** @param level of the intervals, above 0 and below 1 */
export function inferenceOf(model: Model, map: FeatureMap, fit: Fit, level: number): Inference {
  const degrees = fit.squares === undefined ? Number.POSITIVE_INFINITY : fit.records - map.width;
  if (degrees < 1)
    return unavailable(
      `there are ${fit.records} records for ${map.width} coefficients: at least one more record than coefficients is needed`,
    );
  const dispersion = fit.squares === undefined ? 1 : fit.squares.residual / degrees;
  if (fit.squares !== undefined && !(fit.squares.residual > leastResidual * fit.squares.rounding))
    return unavailable('the fit leaves no residuals: what there is of them is rounding (to encryption.fraction_bits)');
  const factor = factorOf(fit);
  if (typeof factor === 'number')
    return unavailable(
      `column ${map.columns[factor] ?? ''}: over all records it is constant or a combination of the columns before it, or the classes are ` +
        'separated along it, so that the information about its coefficient is nothing but rounding (to encryption.fraction_bits)',
    );
  const directions = coefficientDirections(map);
  const variances = directions.map((direction) => varianceOf(fit, factor, direction));
  const doubtful = variances.findIndex(({ rounding, variance }) => !(rounding <= greatestDoubt * variance));
  if (doubtful >= 0)
    return unavailable(
      `the coefficient of ${map.columns[doubtful] ?? ''}: columns are so nearly combinations of each other that rounding may be more than ` +
        `${(100 * greatestDoubt) / 2} % of its standard error; leave one of them out, or raise encryption.fraction_bits`,
    );
  const errors = variances.map(({ variance }) => Math.sqrt(dispersion * variance));
  const distance = fit.score && whyNotMaximal(map, fit, factor, fit.score, directions, errors);
  if (distance !== undefined) return unavailable(distance);
  const { coefficients } = parametersInDataUnits(model, map, fit.parameters);
  const estimates = coefficients.map(Number);
  const quantile = twoSidedQuantile(level, degrees);
  return {
    standard_errors: errors,
    intervals: {
      level,
      lower: estimates.map((estimate, index) => estimate - quantile * (errors[index] ?? 0)),
      upper: estimates.map((estimate, index) => estimate + quantile * (errors[index] ?? 0)),
    },
    p_values: estimates.map((estimate, index) => twoSidedTail(estimate / (errors[index] ?? 0), degrees)),
    ...(fit.squares === undefined
      ? {}
      : {
          degrees_of_freedom: degrees,
          residual_standard_error: targetScale(map).half * Math.sqrt(dispersion),
        }),
  };
}

/** What is said of a finished model of which nothing of the kind is kept. */
export function notAskedFor(model: Model): Inference {
  const [obstacle] = obstaclesTo('inference', model);
  if (obstacle !== undefined) return unavailable(`it was not asked for, and cannot be: ${obstacle}`);
  return unavailable(
    model.training.solver === 'gradient'
      ? 'it was not asked for: post the model with training.inference, such as {"level": 0.95}, for one more round'
      : 'the model was trained before standard errors were computed: train it again',
  );
}

export function unavailable(reason: string): Inference {
  return { inference_unavailable: reason };
}

/** L of M = L·Lᵀ, or the first column that has next to nothing of its own. */
function factorOf({ information, resolution }: Fit): Matrix | number {
  const factor = new CholeskyDecomposition(information).lowerTriangularMatrix;
  for (let column = 0; column < information.rows; column += 1) {
    const own = factor.get(column, column) ** 2;
    const least = Math.max(leastShare * information.get(column, column), leastDigits * resolution);
    if (!(own > least)) return column;
  }
  return factor;
}

/**
 * aᵀM⁻¹a of a direction, and how far it may be off: to first order uᵀEu with u = M⁻¹a, where no entry of E is beyond the resolution and what
 * doubles round in sums and factors, which is at most γ·√(Mᵢᵢ·Mⱼⱼ) (Higham 2002, section 10.1).
 */
function varianceOf(
  { information, resolution }: Fit,
  factor: Matrix,
  direction: Float64Array,
): { readonly variance: number; readonly rounding: number } {
  const half = forward(factor, direction);
  let [sum, scaled] = [0, 0];
  for (const [index, value] of backward(factor, half).entries()) {
    sum += Math.abs(value);
    scaled += Math.abs(value) * Math.sqrt(information.get(index, index));
  }
  const ofDoubles = (information.rows + 4) * Number.EPSILON;
  return { variance: squaredNorm(half), rounding: resolution * sum * sum + ofDoubles * scaled * scaled };
}

/** L⁻¹·v. */
function forward(factor: Matrix, vector: Float64Array): Float64Array {
  const solved = new Float64Array(vector.length);
  for (let row = 0; row < vector.length; row += 1) {
    let rest = vector[row] ?? 0;
    for (let column = 0; column < row; column += 1) rest -= factor.get(row, column) * (solved[column] ?? 0);
    solved[row] = rest / factor.get(row, row);
  }
  return solved;
}

/** L⁻ᵀ·v. */
function backward(factor: Matrix, vector: Float64Array): Float64Array {
  const solved = new Float64Array(vector.length);
  for (let row = vector.length - 1; row >= 0; row -= 1) {
    let rest = vector[row] ?? 0;
    for (let below = row + 1; below < vector.length; below += 1) rest -= factor.get(below, row) * (solved[below] ?? 0);
    solved[row] = rest / factor.get(row, row);
  }
  return solved;
}

function squaredNorm(vector: Float64Array): number {
  return vector.reduce((sum, value) => sum + value * value, 0);
}

/** Why parameters are not where the likelihood is greatest, judged by where one more step of Newton's method would take them. */
function whyNotMaximal(
  map: FeatureMap,
  { squares }: Fit,
  factor: Matrix,
  score: Float64Array,
  directions: readonly Float64Array[],
  errors: readonly number[],
): string | undefined {
  const step = backward(factor, forward(factor, score));
  const more = 'raise training.rounds, or choose training.learning_rate so that it settles';
  if (squares === undefined) {
    const column = step.findIndex((value) => !(Math.abs(value) < greatestStep));
    if (column >= 0)
      return (
        `the coefficient of ${map.columns[column] ?? ''} still grows: either the training has not come to its end (${more}), or the ` +
        'classes are separated, wholly or in part, so that no finite coefficient fits best (leave the feature out, or merge its levels)'
      );
  }
  let [worst, distance] = [0, 0];
  for (const [index, direction] of directions.entries()) {
    const move = direction.reduce((sum, value, position) => sum + value * (step[position] ?? 0), 0);
    const errorsAway = Math.abs(move) / (errors[index] ?? 0);
    if (!(errorsAway <= distance)) [worst, distance] = [index, errorsAway];
  }
  if (distance <= furthest) return undefined;
  return (
    `the training has not come to its end: the coefficient of ${map.columns[worst] ?? ''} is ${distance.toPrecision(2)} standard errors from ` +
    `where it would settle: ${more}; or data owners were missing from the closing round, whose fit is then another one`
  );
}
