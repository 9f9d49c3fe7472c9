/** Which coefficients of a model are learned, and where they begin: model.json's `training.freeze` and `initial_parameters`. */
import { familyOf } from './families.ts';
import type { FeatureMap } from './features.ts';
import { featureWidth, fieldName } from './fields.ts';
import type { GradientTraining, InitialParameters, Model } from './model-types.ts';
import { parametersFromDataUnits } from './prediction.ts';

/** Outputs × width parameters, row by row, of which some may stay as they are. */
export interface Coefficients {
  readonly outputs: number;
  /** Columns of a record; the first of each output is its intercept. */
  readonly width: number;
  /** The positions of those that are learned, in ascending order; undefined: all of them. */
  readonly learned: Int32Array | undefined;
}

export function coefficientsOf(model: Model, map: FeatureMap): Coefficients {
  const { outputs } = familyOf(model);
  const { width } = map;
  const { training } = model;
  const names = training.solver === 'gradient' ? (training.freeze ?? []) : [];
  if (names.length === 0) return { outputs, width, learned: undefined };
  const frozen = new Set(names.flatMap((name) => columnsCalled(map, name)));
  const positions = Array.from({ length: outputs * width }, (_, position) => position);
  return { outputs, width, learned: Int32Array.from(positions.filter((position) => !frozen.has(position % width))) };
}

/** The columns of this name, or that a feature of this name becomes; none where nothing is called so. */
export function columnsCalled(map: FeatureMap, name: string): number[] {
  const found = new Set([...map.columns.keys()].filter((column) => map.columns[column] === name));
  let offset = 1;
  for (const feature of map.features) {
    const width = featureWidth(feature);
    if (fieldName(feature) === name) for (let column = 0; column < width; column += 1) found.add(offset + column);
    offset += width;
  }
  return [...found];
}

/** The values at the learned positions; the same array where that is all of them. */
export function learnedOf({ learned }: Pick<Coefficients, 'learned'>, values: Float64Array): Float64Array {
  return learned === undefined ? values : Float64Array.from(learned, (position) => values[position] ?? 0);
}

/** Parameters with these values at the learned positions, and what they had at the others. */
export function withLearned(
  { learned }: Pick<Coefficients, 'learned'>,
  parameters: Float64Array,
  values: Float64Array,
): Float64Array {
  if (learned === undefined) return values;
  const changed = parameters.slice();
  for (const [index, position] of learned.entries()) changed[position] = values[index] ?? 0;
  return changed;
}

/**
 * The parameters that a training begins with, scaled: zeros unless the model gives others.
 *
 * @param model one that `parseModel` gave, so that its columns and classes are known to be those of the map
 */
export function initialParameters(
  { outputs, width }: Coefficients,
  training: GradientTraining,
  map: FeatureMap,
): Float64Array {
  const { initial_parameters: initial } = training;
  if (initial === undefined) return new Float64Array(outputs * width);
  const order = columnOrder(map, initial.columns);
  const rows = rowsOfInitial(initial).map((row) => order.map((column) => row[column] ?? 0));
  return initial.units === 'scaled' ? Float64Array.from(rows.flat()) : parametersFromDataUnits(map, rows);
}

/** One row per output; linear and logistic models have one. */
export function rowsOfInitial({ coefficients }: InitialParameters): readonly (readonly number[])[] {
  return isRows(coefficients) ? coefficients : [coefficients];
}

function isRows(coefficients: InitialParameters['coefficients']): coefficients is readonly (readonly number[])[] {
  return coefficients.some((each) => typeof each !== 'number');
}

/** Where each of the map's columns stands in a list of their names. */
function columnOrder({ columns }: FeatureMap, names: readonly string[]): number[] {
  // Two columns may have one name: then they are in the same order, which parseModel has seen to.
  if (columns.every((column, index) => names[index] === column)) return [...columns.keys()];
  const places = new Map(names.map((name, index) => [name, index]));
  return columns.map((column) => places.get(column) ?? -1);
}
