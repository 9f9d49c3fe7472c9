/** A finished model as every export writes it: what was trained, what came out, and where that is from. */
import { SealsumError } from '../../errors.ts';
import { familyOf } from '../families.ts';
import { compileFeatures, type FeatureMap } from '../features.ts';
import type { Model } from '../model-types.ts';

/** Where a model is from, for whoever finds the file later. */
export interface ExportOrigin {
  /** What wrote it, such as `sealsum 0.1.0`. */
  readonly program: string;
  /** The model's id at its model owner. */
  readonly model?: string | undefined;
  readonly name?: string | undefined;
  /** RFC 3339. */
  readonly finished_at?: string | undefined;
  /** What holds for the records behind it, such as `no differential privacy`. */
  readonly privacy?: string | undefined;
}

/** A finished model with all that a file of it says. */
export interface FittedModel {
  readonly model: Model;
  /** Scaled units, outputs × width row by row, as `Trainer.parameters`. */
  readonly parameters: Float64Array;
  readonly origin: ExportOrigin;
}

/** The parameters by output, with what they are for. */
export interface FittedRows {
  readonly map: FeatureMap;
  /** One for each output, in the order of `map.columns`. */
  readonly rows: readonly Float64Array[];
}

/** @throws SealsumError plan_mismatch where there are not as many parameters as the model has */
export function fittedRows({ model, parameters }: Pick<FittedModel, 'model' | 'parameters'>): FittedRows {
  const map = compileFeatures(model);
  const { outputs } = familyOf(model);
  if (parameters.length !== outputs * map.width)
    throw new SealsumError(
      'plan_mismatch',
      `parameters: expected ${outputs * map.width} for this model, not ${parameters.length}`,
      { field: 'parameters' },
    );
  const rowOf = (_: unknown, output: number): Float64Array =>
    parameters.subarray(output * map.width, (output + 1) * map.width);
  return { map, rows: Array.from({ length: outputs }, rowOf) };
}

/**
 * Names for what a format needs beside the model's own columns.
 *
 * @param taken names that are in use
 * @returns gives the name that is asked for, with underscores after it where that is in use already
 */
export function uniqueNames(taken: Iterable<string>): (wish: string) => string {
  const used = new Set(taken);
  return (wish) => {
    let name = wish;
    while (used.has(name)) name += '_';
    used.add(name);
    return name;
  };
}
