/**
 * k-fold cross-validation of normal equations from one round (Stone 1974): the sums of every fold by itself give the sums without
 * it, so that all k fits and how each of them does on the fold it has not seen are computed from what was opened once.
 */
import { SealsumError } from '../errors.ts';
import type { FeatureMap } from './features.ts';
import type { Metrics } from './metrics.ts';
import {
  evaluateNormalEquations,
  type LeastSquaresFit,
  type Penalties,
  solveNormalEquations,
} from './normal-equations.ts';

/** What a fit without one fold gives on that fold. */
export interface FoldResult {
  /** Known where all folds are of one round. */
  readonly records?: number;
  readonly metrics: Metrics;
}

/** Plain data for JSON, as a model shows it. */
export interface CrossValidation {
  /** How the model that was fitted to all other folds does on each one. */
  readonly folds: readonly FoldResult[];
  /** Of the folds, which count alike; of those metrics that all of them have. */
  readonly mean: Partial<Metrics>;
  /** The same, with the number of folds in the denominator. */
  readonly standard_deviation: Partial<Metrics>;
}

/** What a round told. */
export interface FoldSums {
  /** One triangle per fold, one after the other. */
  readonly sums: Float64Array;
  /** How many records each fold has, and all of them; neither whole nor exact with noise. */
  readonly records: readonly number[];
  readonly weight: number;
}

/**
 * The fit to all folds with the triangle it is from, and how fits to all but one do.
 *
 * @param deviation the standard deviation of the noise in every sum of every fold; 0: none
 * @throws SealsumError `matrix_singular`, `weight_zero` naming the fold
 */
export function crossValidate(
  map: FeatureMap,
  { sums, records, weight }: FoldSums,
  penalties: Penalties,
  deviation: number,
): LeastSquaresFit & { readonly crossValidation: CrossValidation; readonly total: Float64Array } {
  const count = records.length;
  const length = sums.length / count;
  const blocks = records.map((_, fold) => sums.subarray(fold * length, (fold + 1) * length));
  const total = new Float64Array(length);
  for (const block of blocks) for (const [index, value] of block.entries()) total[index] = (total[index] ?? 0) + value;
  const folds = blocks.map((block, fold) => {
    const size = records[fold] ?? 0;
    const others = weight - size;
    if (!(size >= 1 && others >= 1)) throw emptyFold(fold, deviation > 0);
    const rest = total.map((value, index) => value - (block[index] ?? 0));
    const { parameters } = inFold(fold, () =>
      solveNormalEquations(map, rest, others, penalties, deviation * Math.sqrt(count - 1)),
    );
    return { records: size, metrics: evaluateNormalEquations(map, block, size, parameters) };
  });
  const fit = solveNormalEquations(map, total, weight, penalties, deviation * Math.sqrt(count));
  return { ...fit, total, crossValidation: { folds, ...summaryOf(folds.map(({ metrics }) => metrics)) } };
}

/** Mean and standard deviation of the metrics that all of them have. */
export function summaryOf(all: readonly Metrics[]): Omit<CrossValidation, 'folds'> {
  const names = Object.keys(all[0] ?? {}) as (keyof Metrics)[];
  const mean: Partial<Record<keyof Metrics, number>> = {};
  const deviation: Partial<Record<keyof Metrics, number>> = {};
  for (const name of names) {
    const values = all.flatMap((metrics) => metrics[name] ?? []);
    if (values.length < all.length) continue;
    const average = values.reduce((sum, value) => sum + value, 0) / values.length;
    mean[name] = average;
    deviation[name] = Math.sqrt(values.reduce((sum, value) => sum + (value - average) ** 2, 0) / values.length);
  }
  return { mean, standard_deviation: deviation };
}

function inFold<Result>(fold: number, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof SealsumError)) throw error;
    throw new SealsumError(error.code, `cross-validation without fold ${fold + 1}: ${error.message}`, {
      cause: error,
      ...(error.field === undefined ? {} : { field: error.field }),
    });
  }
}

function emptyFold(fold: number, noised: boolean): SealsumError {
  const why = noised
    ? 'the noise outweighs its records: a greater privacy.epsilon (or rho), or fewer training.cross_validation.folds, are needed'
    : 'it has no record, or all of them: fewer training.cross_validation.folds, or more records, are needed';
  return new SealsumError('weight_zero', `fold ${fold + 1}: ${why}`, { field: 'training.cross_validation.folds' });
}
