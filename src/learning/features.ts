/**
 * From the rows of a data file to records: numbers in [−1, 1] by the declared ranges and levels, the intercept first.
 *
 * Whatever is undeclared, out of range or missing is refused with its line and column, never guessed. Refusals say what was
 * expected and never show the value, since they may be read outside the owner's house.
 */
import { SealsumError } from '../errors.ts';
import { delimiterName } from './delimiter.ts';
import { type Division, divisionOf, partsOf } from './division.ts';
import type { Feature, FeatureRow, FieldPlace, LevelField, NumericField, Target } from './fields.ts';
import { featureWidth, fieldName, isNumeric } from './fields.ts';
import type { Model } from './model-types.ts';
import type { Records } from './records.ts';
import { encodeFeatureRows } from './rows.ts';
import type { CellValue } from './scaling.ts';
import {
  cellReader,
  imputedValue,
  isMissingText,
  looksNumeric,
  rangeScale,
  scaleValue,
  writeFeature,
} from './scaling.ts';
import type { Table } from './table.ts';

/** How a model's columns become numbers; follows from model.json alone, so that every party has the same. */
export interface FeatureMap {
  /** `intercept`, then per feature its name, or one `origin=europe` per level but the first. */
  readonly columns: readonly string[];
  /** Numbers per record: the length of `columns`. */
  readonly width: number;
  readonly features: readonly Feature[];
  readonly target: Target;
  /** The target's classes in declared order, for classifiers. */
  readonly classes: readonly string[] | undefined;
  readonly maxRecords: number;
  /** Which records are held out, or in which fold each of them is; undefined where all are trained on alike. */
  readonly division: Division | undefined;
}

export type { Records } from './records.ts';

/** A model's columns made ready for reading records: which cell is which column, its range or levels, its scale. */
export function compileFeatures(model: Model): FeatureMap {
  const { features, target } = model.data_props;
  const columns = ['intercept', ...features.flatMap(columnNames)];
  return {
    columns,
    width: columns.length,
    features,
    target,
    classes: model.model_type === 'LINEAR_REGRESSION' ? undefined : classNames(target),
    maxRecords: model.participation.max_records,
    division: divisionOf(model),
  };
}

function columnNames(feature: Feature): string[] {
  const name = fieldName(feature);
  if (isNumeric(feature) || feature.type === 'ordinal') return [name];
  return feature.levels.slice(1).map((level) => `${name}=${level}`);
}

/** A yes-or-no target declared as discrete has the classes 0 and 1. */
function classNames(target: NumericField | LevelField): readonly string[] {
  return isNumeric(target) ? ['0', '1'] : target.levels;
}

/**
 * Turns a table into records.
 *
 * @throws SealsumError `data_invalid` with `line` and `field` (the column): a column is not in the file, the first line is a
 * header where none was declared or the reverse, a value is undeclared, out of range, or missing where that is refused;
 * without a line where no record is left, or more than `max_records` are.
 */
export function encodeTable(map: FeatureMap, table: Table): Records {
  const columns = map.features.map((feature) => findColumn(feature, table));
  const targetColumn = findColumn(map.target, table);
  refuseSharedColumns([...map.features, map.target], [...columns, targetColumn]);
  refuseMistakenHeader([...map.features, map.target], [...columns, targetColumn], table);
  const readers = map.features.map((feature) => cellReader(feature));
  const readTarget = cellReader(map.target);
  const targetScale = map.classes === undefined && isNumeric(map.target) ? rangeScale(map.target) : undefined;

  const { width } = map;
  const x = new Float64Array(table.rows.length * width);
  const y = new Float64Array(table.rows.length);
  const lines = new Int32Array(table.rows.length);
  let count = 0;
  for (const [index, row] of table.rows.entries()) {
    const line = table.lines[index] ?? 0;
    const at = { place: table.place, line };
    const target = keepValue(map.target, readTarget(row[targetColumn] ?? ''), at);
    let dropped = target === undefined;
    const base = count * width;
    let offset = base + 1;
    // Every cell of a record that is dropped is still checked: a file with errors should not pass by luck.
    for (const [position, feature] of map.features.entries()) {
      const cell = readers[position]?.(row[columns[position] ?? -1] ?? '') ?? { kind: 'missing' };
      const value = keepValue(feature, cell, at);
      if (value === undefined) dropped = true;
      else if (!dropped) writeFeature(feature, value, x, offset);
      offset += featureWidth(feature);
    }
    if (dropped || target === undefined) {
      x.fill(0, base, base + width);
      continue;
    }
    x[base] = 1;
    y[count] = targetScale === undefined ? target : scaleValue(targetScale, target);
    lines[count] = line;
    count += 1;
  }
  if (count === 0) {
    throw new SealsumError(
      'data_invalid',
      'no record is left: every one misses a value in a column declared with "drop"',
    );
  }
  requireAtMost(map.maxRecords, count);
  const records: Records = {
    count,
    width,
    x: x.slice(0, count * width),
    y: y.slice(0, count),
    lines: lines.slice(0, count),
    dropped: table.rows.length - count,
  };
  return map.division === undefined ? records : { ...records, parts: partsOf(map.division, records) };
}

/** @throws SealsumError `data_invalid` */
export function requireAtMost(maxRecords: number, count: number): void {
  if (count <= maxRecords) return;
  throw new SealsumError(
    'data_invalid',
    `the data file has more than the ${maxRecords} records that the model allows an owner: ` +
      'raise participation.max_records',
  );
}

/**
 * Rows of JSON without a target, as `encodeFeatureRows` reads them; null for a row that a missing value drops.
 *
 * @throws SealsumError `data_invalid` with field such as `rows[2].age`
 */
export function encodeRows(map: FeatureMap, rows: readonly FeatureRow[]): (Float64Array | null)[] {
  return encodeFeatureRows(map.features, map.target, rows, { code: 'data_invalid', prefix: 'rows' });
}

/** A view of every record, as `predict` takes them. */
export function rowsOf(records: Pick<Records, 'count' | 'width' | 'x'>): Float64Array[] {
  const { count, width, x } = records;
  return Array.from({ length: count }, (_, index) => x.subarray(index * width, (index + 1) * width));
}

/** Where a record is: `line 7`. */
interface RecordPlace {
  readonly place: Table['place'];
  readonly line: number;
}

/** The value to use, or undefined where the record is to be dropped. */
function keepValue(field: Feature | Target, cell: CellValue, { place, line }: RecordPlace): number | undefined {
  if (cell.kind === 'value') return cell.value;
  const name = fieldName(field);
  if (cell.kind === 'refused') {
    throw new SealsumError('data_invalid', `${place} ${line}, ${name}: ${cell.expected}`, { field: name, line });
  }
  if (field.missing === 'drop') return undefined;
  if (field.missing === 'refuse') {
    throw new SealsumError(
      'data_invalid',
      `${place} ${line}, ${name}: the value is missing, and the model refuses missing values here; ` +
        'fill it in, or declare "missing" in model.json',
      { field: name, line },
    );
  }
  return imputedValue(field);
}

export function findColumn(field: FieldPlace, table: Table): number {
  const name = fieldName(field);
  const refuse = (why: string): SealsumError =>
    new SealsumError('data_invalid', `${name}: ${why}`, {
      field: name,
      ...(table.headerLine === undefined ? {} : { line: table.headerLine }),
    });
  if (field.name === undefined) {
    const position = field.col_idx ?? 0;
    if (position < table.width) return position;
    throw refuse(
      `there is no such column: the data file has ${table.width}, counted from 0 to ${table.width - 1}` +
        separatedBy(table),
    );
  }
  const { header, delimiter } = table;
  if (header === undefined) throw refuse('the data file was read without a header, so no column has a name');
  const position = header.indexOf(field.name);
  if (position === -1) {
    // Never list what stands there: where the header is missing, it is a record.
    if (delimiter !== undefined && header.some((text) => looksNumeric(text))) {
      throw refuse(
        'the first line holds numbers, so it does not look like a header: give the columns by col_idx and set data_props.header to false, or add a header',
      );
    }
    const likely = header.some((text) => text.toLowerCase() === name.toLowerCase());
    throw refuse(
      `the header has no such column among its ${header.length}${likely ? '; it has one that differs in capital letters only' : ''}` +
        separatedBy(table),
    );
  }
  if (header.indexOf(field.name, position + 1) !== -1) throw refuse('the header has this column twice');
  return position;
}

/** What may be the matter where columns are not found. */
function separatedBy({ delimiter }: Table): string {
  if (delimiter === undefined) return '';
  return ` (values are separated by ${delimiterName(delimiter)}; data_props.delimiter says otherwise)`;
}

/** A column given by name and another by position may be the same; only the file tells. */
export function refuseSharedColumns(fields: readonly FieldPlace[], positions: readonly number[]): void {
  for (const [index, position] of positions.entries()) {
    const other = fields[positions.indexOf(position)];
    const field = fields[index];
    if (field === undefined || other === undefined || other === field) continue;
    const name = fieldName(field);
    throw new SealsumError('data_invalid', `${name}: this is the same column as ${fieldName(other)}`, { field: name });
  }
}

/**
 * Refuses a header that is read as a record, and a record that is read as a header.
 *
 * The first line is taken for names when no column holds there what was declared for it; for a record when all numeric
 * columns hold numbers there and were given by position (a column given by name was found by its name).
 */
export function refuseMistakenHeader(
  fields: readonly (NumericField | LevelField)[],
  positions: readonly number[],
  table: Table,
): void {
  // Only in text is a header a line like others.
  if (table.delimiter === undefined) return;
  const first = table.header ?? table.rows[0] ?? [];
  const numeric = fields.flatMap((field, index) => {
    const text = first[positions[index] ?? -1] ?? '';
    return isNumeric(field) ? [{ field, text }] : [];
  });
  const texts = numeric.filter(({ text }) => !isMissingText(text));
  if (texts.length === 0) return;
  const noneFits = fields.every((field, index) => {
    const text = first[positions[index] ?? -1] ?? '';
    return isNumeric(field) ? !looksNumeric(text) : !field.levels.includes(text);
  });
  if (table.header === undefined && noneFits) {
    const line = table.lines[0] ?? 1;
    throw new SealsumError(
      'data_invalid',
      `line ${line} looks like a header, and data_props.header is false: set it to true, or remove the line`,
      { line, field: 'data_props.header' },
    );
  }
  if (table.header !== undefined && texts.every(({ field, text }) => field.name === undefined && looksNumeric(text))) {
    const line = table.headerLine ?? 1;
    throw new SealsumError(
      'data_invalid',
      `line ${line} looks like a record, and data_props.header is true: set it to false, or add a line with the names of the columns`,
      { line, field: 'data_props.header' },
    );
  }
}
