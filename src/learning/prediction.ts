/** What a fitted model says: its coefficients in the data file's own units, and predictions for new rows. */
import { SealsumError } from '../errors.ts';
import { argmax, familyOf, scoresOf, sigmoid, toProbabilities } from './families.ts';
import type { FeatureMap } from './features.ts';
import { featureWidth, isNumeric } from './fields.ts';
import type { Model } from './model-types.ts';
import type { LinearScale } from './scaling.ts';
import { featureScale, rangeScale, unscaleValue } from './scaling.ts';

/** Coefficients in the data file's own units. */
export interface DataUnitParameters {
  /** `intercept`, then the columns of the features. */
  readonly columns: readonly string[];
  /**
   * Linear: target units per unit of the column. Classifiers: log-odds per unit of the column, for softmax one row per
   * class. The unit of an ordinal column is one level, counted from 0; that of a nominal level is being that level and not
   * the first one.
   */
  readonly coefficients: number[] | number[][];
  /** Classifiers: the classes; for logistic regression the coefficients are those of the second. */
  readonly classes?: readonly string[];
}

/** Coefficients by output: one row, or for softmax one for each class. */
export function coefficientRows({
  coefficients,
}: Pick<DataUnitParameters, 'coefficients'>): readonly (readonly number[])[] {
  const rows = coefficients.filter((each) => typeof each !== 'number');
  return rows.length > 0 ? rows : [coefficients.map(Number)];
}

/**
 * Scaled parameters (outputs × width, as `Trainer.parameters`) in the data file's own units.
 *
 * @throws SealsumError `plan_mismatch` for another number of parameters than the model has
 */
export function parametersInDataUnits(model: Model, map: FeatureMap, parameters: Float64Array): DataUnitParameters {
  const { outputs } = familyOf(model);
  requireFitted(map, outputs, parameters);
  const scales = columnScales(map);
  const rows = Array.from({ length: outputs }, (_, output) =>
    unscaleRow(parameters.subarray(output * map.width, (output + 1) * map.width), scales, targetScale(map)),
  );
  const coefficients = model.model_type === 'SOFTMAX_REGRESSION' ? rows : (rows[0] ?? []);
  return { columns: map.columns, coefficients, ...(map.classes === undefined ? {} : { classes: map.classes }) };
}

/** target.mid + target.half·(θ₀ + Σ θⱼ(vⱼ − midⱼ)/halfⱼ), sorted by vⱼ. */
function unscaleRow(row: Float64Array, scales: readonly LinearScale[], target: LinearScale): number[] {
  let intercept = row[0] ?? 0;
  const slopes = scales.map(({ mid, half }, index) => {
    const slope = (row[index + 1] ?? 0) / half;
    intercept -= slope * mid;
    return target.half * slope;
  });
  return [unscaleValue(target, intercept), ...slopes];
}

/**
 * How each coefficient in the data file's own units depends on the scaled ones of the same output, which it does linearly: its derivatives
 * by them, one row per coefficient.
 */
export function coefficientDirections(map: FeatureMap): Float64Array[] {
  const scales = columnScales(map);
  const { half } = targetScale(map);
  const intercept = Float64Array.of(half, ...scales.map((scale) => (-half * scale.mid) / scale.half));
  const slopes = scales.map((scale, index) => {
    const row = new Float64Array(map.width);
    row[index + 1] = half / scale.half;
    return row;
  });
  return [intercept, ...slopes];
}

/**
 * The inverse: scaled parameters (outputs × width, row by row) from coefficients in the data file's own units.
 *
 * @param rows one per output, in the order of the map's columns
 */
export function parametersFromDataUnits(map: FeatureMap, rows: readonly (readonly number[])[]): Float64Array {
  const scales = columnScales(map);
  return Float64Array.from(rows.flatMap((row) => scaleRow(row, scales, targetScale(map))));
}

function scaleRow(
  [intercept = 0, ...slopes]: readonly number[],
  scales: readonly LinearScale[],
  target: LinearScale,
): number[] {
  let start = (intercept - target.mid) / target.half;
  const scaled = slopes.map((coefficient, index) => {
    const { mid, half } = scales[index] ?? { mid: 0, half: 1 };
    const slope = coefficient / target.half;
    start += slope * mid;
    return slope * half;
  });
  return [start, ...scaled];
}

/** The scale of every column but the intercept. */
function columnScales({ features }: FeatureMap): LinearScale[] {
  return features.flatMap((feature) => new Array<LinearScale>(featureWidth(feature)).fill(featureScale(feature)));
}

/** Scores of classifiers have no unit. */
export function targetScale(map: FeatureMap): LinearScale {
  return map.classes === undefined && isNumeric(map.target) ? rangeScale(map.target) : { mid: 0, half: 1 };
}

/** Linear: the target in its own unit. Logistic: the likelier class and its probability. Softmax: all probabilities too. */
export type Prediction =
  | number
  | { readonly class: string; readonly probability: number }
  | { readonly class: string; readonly probabilities: Readonly<Record<string, number>> };

/**
 * Predicts every row.
 *
 * @param rows encoded by `encodeRows` or `rowsOf`; null, a row dropped for a missing value, stays null
 * @throws SealsumError `plan_mismatch` for another number of parameters than the model has
 */
export function predict(
  model: Model,
  map: FeatureMap,
  parameters: Float64Array,
  rows: readonly (Float64Array | null)[],
): (Prediction | null)[] {
  requireFitted(map, familyOf(model).outputs, parameters);
  return rows.map((row) => (row === null ? null : predictRow(model, map, parameters, row)));
}

function predictRow(model: Model, map: FeatureMap, parameters: Float64Array, row: Float64Array): Prediction {
  const scores = new Float64Array(parameters.length / map.width);
  scoresOf(parameters, row, scores);
  const [score = 0] = scores;
  const classes = map.classes ?? [];
  switch (model.model_type) {
    case 'LINEAR_REGRESSION':
      return unscaleValue(targetScale(map), score);
    case 'LOGISTIC_REGRESSION':
      return { class: classes[Number(score > 0)] ?? '', probability: sigmoid(Math.abs(score)) };
    case 'SOFTMAX_REGRESSION': {
      const likeliest = classes[argmax(scores)] ?? '';
      toProbabilities(scores);
      const probabilities = Object.fromEntries(classes.map((name, index) => [name, scores[index] ?? 0]));
      return { class: likeliest, probabilities };
    }
  }
}

function requireFitted(map: FeatureMap, outputs: number, parameters: Float64Array): void {
  if (parameters.length === outputs * map.width) return;
  throw new SealsumError(
    'plan_mismatch',
    `parameters: expected ${outputs * map.width} for this model, not ${parameters.length}`,
    { field: 'parameters' },
  );
}
