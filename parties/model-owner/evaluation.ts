/** The rows that a finished model predicts: those of the model owner's evaluation file, else those in model.json. */
import { encodeRows, type FeatureMap } from '../../src/learning/features.ts';
import { type FeatureRow, fieldName } from '../../src/learning/fields.ts';
import type { Model } from '../../src/learning/model.ts';
import { readTable } from '../../src/learning/table.ts';

/**
 * The encoded rows; null for one that a missing value drops.
 *
 * @param file the path of a CSV or TSV file with the columns that the model names; its target column may be missing
 * @throws SealsumError data_invalid naming the row and column
 */
export async function evaluationRows(
  map: FeatureMap,
  model: Model,
  file: string | undefined,
  signal: AbortSignal,
): Promise<(Float64Array | null)[]> {
  if (file === undefined) return encodeRows(map, model.evaluation?.rows ?? []);
  const { header, rows } = await readTable({ path: file }, { ...model.data_props, signal });
  const places = map.features
    .map((feature) => [fieldName(feature), feature.col_idx ?? header?.indexOf(fieldName(feature)) ?? -1] as const)
    .filter(([, place]) => place >= 0);
  const named = rows.map((row): FeatureRow => Object.fromEntries(places.map(([name, at]) => [name, row[at] ?? null])));
  return encodeRows(map, named);
}
