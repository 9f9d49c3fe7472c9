/**
 * From the rows of a data file to records for statistics: numbers in the data's own units, levels as their positions, NaN for a
 * missing value that is counted. Refusals are those of features.ts: they name line and column and never show a value.
 */
import { SealsumError } from '../../errors.ts';
import { findColumn, type Records, refuseMistakenHeader, refuseSharedColumns, requireAtMost } from '../features.ts';
import { fieldName } from '../fields.ts';
import { cellReader } from '../scaling.ts';
import type { Table } from '../table.ts';
import type { StatisticsColumn, StatisticsModel } from './model.ts';

/** Which columns an owner reads. */
export interface StatisticsMap {
  readonly columns: readonly StatisticsColumn[];
  readonly maxRecords: number;
}

/** The columns of statistics made ready for reading records, as `compileFeatures` does for a training's. */
export function compileColumns({ data_props, participation }: StatisticsModel): StatisticsMap {
  return { columns: data_props.columns, maxRecords: participation.max_records };
}

/**
 * Turns a table into records, `x` as said above and no `y`.
 *
 * @throws SealsumError `data_invalid` with `line` and `field` (the column): a column is not in the file, the first line is a
 * header where none was declared or the reverse, a value is undeclared, out of range, or missing where that is refused;
 * without a line where no record is left, or more than `max_records` are.
 */
export function encodeColumns({ columns, maxRecords }: StatisticsMap, table: Table): Records {
  const positions = columns.map((column) => findColumn(column, table));
  refuseSharedColumns(columns, positions);
  refuseMistakenHeader(columns, positions, table);
  const readers = columns.map((column) => cellReader(column));
  const width = columns.length;
  const x = new Float64Array(table.rows.length * width);
  const lines = new Int32Array(table.rows.length);
  let count = 0;
  for (const [index, row] of table.rows.entries()) {
    const line = table.lines[index] ?? 0;
    let dropped = false;
    // Every cell of a record that is dropped is still checked: a file with errors should not pass by luck.
    for (const [position, column] of columns.entries()) {
      const cell = readers[position]?.(row[positions[position] ?? -1] ?? '') ?? { kind: 'missing' };
      const refuse = (why: string): SealsumError => {
        const field = fieldName(column);
        return new SealsumError('data_invalid', `${table.place} ${line}, ${field}: ${why}`, { field, line });
      };
      if (cell.kind === 'refused') throw refuse(cell.expected);
      if (cell.kind === 'missing' && column.missing === 'refuse')
        throw refuse(
          'the value is missing, and the model refuses missing values here; fill it in, or declare "missing" in model.json',
        );
      if (cell.kind === 'missing' && column.missing === 'drop') dropped = true;
      x[count * width + position] = cell.kind === 'value' ? cell.value : Number.NaN;
    }
    if (dropped) continue;
    lines[count] = line;
    count += 1;
  }
  if (count === 0)
    throw new SealsumError(
      'data_invalid',
      'no record is left: every one misses a value in a column declared with "drop"',
    );
  requireAtMost(maxRecords, count);
  return {
    count,
    width,
    x: x.slice(0, count * width),
    y: new Float64Array(0),
    lines: lines.slice(0, count),
    dropped: table.rows.length - count,
  };
}
