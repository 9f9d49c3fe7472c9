/** The rows of a data file as rows to predict: without their target, whose column may be missing. */
import { SealsumError } from '../errors.ts';
import { encodeRows, type FeatureMap, findColumn } from './features.ts';
import { type FeatureRow, fieldName } from './fields.ts';
import type { Table } from './table.ts';

/**
 * The encoded rows; null for one that a missing value drops.
 *
 * @throws SealsumError data_invalid naming the line and the column
 */
export function encodeTableRows(map: FeatureMap, table: Table): (Float64Array | null)[] {
  const places = map.features.map((feature) => [fieldName(feature), findColumn(feature, table)] as const);
  const rows = table.rows.map(
    (row): FeatureRow => Object.fromEntries(places.map(([name, place]) => [name, row[place] ?? null])),
  );
  try {
    return encodeRows(map, rows);
  } catch (error) {
    throw atLine(error, table);
  }
}

/** The error about `rows[7].age` as one about the line of the file that the row came from, and its column. */
function atLine(error: unknown, { lines, place }: Table): unknown {
  if (!(error instanceof SealsumError)) return error;
  const found = /^rows\[(\d+)\]\.(.*)$/s.exec(error.field ?? '');
  const [path, index, field] = found ?? [];
  const line = lines[Number(index)];
  if (path === undefined || field === undefined || line === undefined) return error;
  const expected = error.message.replace(`${path}: `, '');
  return new SealsumError(error.code, `${place} ${line}, ${field}: ${expected}`, { field, line });
}
