/** The rows that a finished model predicts: those of the model owner's evaluation file, else those in model.json. */
import { SealsumError } from '../../src/errors.ts';
import { readDataFile } from '../../src/learning/data-file.ts';
import { encodeRows, type FeatureMap } from '../../src/learning/features.ts';
import type { Model } from '../../src/learning/model.ts';
import { encodeTableRows } from '../../src/learning/table-rows.ts';

/**
 * The encoded rows; null for one that a missing value drops.
 *
 * @param file the path of a CSV or TSV file with the columns that the model names; its target column may be missing
 * @throws SealsumError data_invalid naming the line and column
 */
export async function evaluationRows(
  map: FeatureMap,
  model: Model,
  file: string | undefined,
  signal: AbortSignal,
): Promise<(Float64Array | null)[]> {
  if (file === undefined) return encodeRows(map, model.evaluation?.rows ?? []);
  try {
    return encodeTableRows(map, await readDataFile(file, { ...model.data_props, signal }));
  } catch (error) {
    if (!(error instanceof SealsumError) || error.code !== 'data_invalid') throw error;
    const { field, line } = error;
    throw new SealsumError('data_invalid', `the model owner's evaluation file: ${error.message}`, {
      cause: error,
      ...(field === undefined ? {} : { field }),
      ...(line === undefined ? {} : { line }),
    });
  }
}
