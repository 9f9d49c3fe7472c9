/** The rows that a finished model predicts: those of the model owner's evaluation file, else those in model.json. */
import { SealsumError } from '../../src/errors.ts';
import { readDataFile } from '../../src/learning/data-file.ts';
import { encodeRows, type FeatureMap } from '../../src/learning/features.ts';
import { type Feature, type FeatureRow, fieldName } from '../../src/learning/fields.ts';
import type { Model } from '../../src/learning/model.ts';
import type { Table } from '../../src/learning/table.ts';

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
    return encodeFile(map, await readDataFile(file, { ...model.data_props, signal }));
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

function encodeFile(map: FeatureMap, table: Table): (Float64Array | null)[] {
  const places = map.features.map((feature) => [fieldName(feature), placeOf(feature, table)] as const);
  const rows = table.rows.map(
    (row): FeatureRow => Object.fromEntries(places.map(([name, place]) => [name, row[place] ?? null])),
  );
  try {
    return encodeRows(map, rows);
  } catch (error) {
    throw atLine(error, table);
  }
}

function placeOf(feature: Feature, { header, headerLine, width }: Table): number {
  const field = fieldName(feature);
  if (feature.col_idx !== undefined && feature.col_idx >= width)
    throw new SealsumError('data_invalid', `${field}: there is no such column among its ${width}, counted from 0`, {
      field,
    });
  const place = feature.col_idx ?? header?.indexOf(field) ?? -1;
  if (place >= 0) return place;
  throw new SealsumError('data_invalid', `${field}: the header has no such column`, {
    field,
    ...(headerLine === undefined ? {} : { line: headerLine }),
  });
}

/** The error about `rows[7].age` as one about the line of the file that the row came from, and its column. */
function atLine(error: unknown, { lines }: Table): unknown {
  if (!(error instanceof SealsumError)) return error;
  const found = /^rows\[(\d+)\]\.(.*)$/s.exec(error.field ?? '');
  const [path, index, field] = found ?? [];
  const line = lines[Number(index)];
  if (path === undefined || field === undefined || line === undefined) return error;
  const expected = error.message.replace(`${path}: `, '');
  return new SealsumError(error.code, `line ${line}, ${field}: ${expected}`, { field, line });
}
