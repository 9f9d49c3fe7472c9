/**
 * Rows in JSON, without a target: what is to be predicted.
 *
 * A row is an object by column name (`column 3` where the model declares `col_idx` 3), or an array. Where features are
 * declared by `col_idx` an array is a line of the data file, with or without what follows the last feature; where they are
 * declared by `name` it is in the order of the features.
 */
import { SealsumError } from '../errors.ts';
import type { Cell, Feature, FeatureRow, Target } from './fields.ts';
import { featureWidth, fieldName } from './fields.ts';
import { cellReader, imputedValue, writeFeature } from './scaling.ts';

/** How a refusal is reported: the code, and the path of the list of rows. */
export interface RowContext {
  readonly code: 'model_invalid' | 'data_invalid';
  readonly prefix: string;
}

/**
 * One record per row: 1 for the intercept, then the scaled columns of every feature; null for a row that a missing value
 * drops. A row may name the target, which is not looked at.
 *
 * @throws SealsumError of the given code with field such as `rows[2].age`
 */
export function encodeFeatureRows(
  features: readonly Feature[],
  target: Target,
  rows: readonly FeatureRow[],
  context: RowContext,
): (Float64Array | null)[] {
  const width = features.reduce((sum, feature) => sum + featureWidth(feature), 1);
  const readers = features.map((feature) => cellReader(feature));
  return rows.map((row, index) => {
    const path = `${context.prefix}[${index}]`;
    const cells = cellsOf(features, target, row, path, context.code);
    const record = new Float64Array(width);
    record[0] = 1;
    let offset = 1;
    for (const [position, feature] of features.entries()) {
      const field = `${path}.${fieldName(feature)}`;
      const cell = readers[position]?.(cellText(cells[position] ?? null)) ?? { kind: 'missing' };
      if (cell.kind === 'refused') throw new SealsumError(context.code, `${field}: ${cell.expected}`, { field });
      if (cell.kind === 'missing' && feature.missing === 'drop') return null;
      if (cell.kind === 'missing' && feature.missing === 'refuse') {
        throw new SealsumError(
          context.code,
          `${field}: the value is missing, and the model refuses missing values here`,
          {
            field,
          },
        );
      }
      writeFeature(feature, cell.kind === 'value' ? cell.value : imputedValue(feature), record, offset);
      offset += featureWidth(feature);
    }
    return record;
  });
}

function cellText(cell: Cell): string {
  return cell === null ? '' : String(cell).trim();
}

/** The cells in the order of the features. */
function cellsOf(
  features: readonly Feature[],
  target: Target,
  row: FeatureRow,
  path: string,
  code: RowContext['code'],
): (Cell | undefined)[] {
  if (!isArrayRow(row)) return cellsByName(features, target, row, path, code);
  const refuse = (expected: string): SealsumError => new SealsumError(code, `${path}: ${expected}`, { field: path });
  const positions = features.map((feature) => feature.col_idx);
  if (positions.every((position) => position === undefined)) {
    if (row.length !== features.length) {
      throw refuse(`expected ${features.length} values, one per feature in the model's order, not ${row.length}`);
    }
    return [...row];
  }
  if (positions.some((position) => position === undefined)) {
    throw refuse('expected an object, since the model declares some features by name and some by col_idx');
  }
  const needed = Math.max(...positions.map((position) => position ?? 0)) + 1;
  if (row.length < needed) {
    throw refuse(`expected at least ${needed} values, by position as in the data file, not ${row.length}`);
  }
  return positions.map((position) => row[position ?? 0]);
}

function cellsByName(
  features: readonly Feature[],
  target: Target,
  row: Readonly<Record<string, Cell>>,
  path: string,
  code: RowContext['code'],
): (Cell | undefined)[] {
  const known = new Set([...features, target].map(fieldName));
  for (const name of Object.keys(row)) {
    if (known.has(name)) continue;
    const field = `${path}.${name}`;
    throw new SealsumError(code, `${field}: the model has no such feature`, { field });
  }
  return features.map((feature) => {
    const name = fieldName(feature);
    if (!Object.hasOwn(row, name) && feature.missing === 'refuse') {
      const field = `${path}.${name}`;
      throw new SealsumError(code, `${field}: expected a value for every feature`, { field });
    }
    return Object.hasOwn(row, name) ? row[name] : null;
  });
}

function isArrayRow(row: FeatureRow): row is readonly Cell[] {
  return Array.isArray(row);
}
