/**
 * What the columns of a table look like: whether they hold numbers, dates or texts, how many different ones, from where to where. Exact,
 * for the table's own people. What is told of a data set, how it is summarised, and what is proposed for model.json follow from it.
 */
import { isMissingText, looksNumeric } from './scaling.ts';
import type { Table } from './table.ts';

/** The most distinct values of a column that may be its levels. */
export const mostLevels = 50;

/** Of texts, the share of numbers from which the others look like mistakes. */
const nearlyAll = 0.9;

const date = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}\S*)?$/;

export interface ColumnProfile {
  /** Undefined where there is no header, or another column has the same name. */
  readonly name: string | undefined;
  /** Counted from 0. */
  readonly col_idx: number;
  /** Cells that say nothing: empty, NA and the like. */
  readonly missing: number;
  /** The others. */
  readonly present: number;
  /** `numbers` and `dates` where all are. */
  readonly kind: 'empty' | 'numbers' | 'dates' | 'texts';
  /** How many different ones: of numbers those that are equal count once, however they are written. */
  readonly distinct: number;
  /** How often each text occurs, in the order in which they came; undefined where there are too many. */
  readonly counts: ReadonlyMap<string, number> | undefined;
  /** Of the numbers among them, all of which are finite. */
  readonly least: number;
  readonly greatest: number;
  readonly whole: boolean;
  /** Whether each number is the one before it plus or minus something, in the order of the records: as numbers of records are. */
  readonly ordered: boolean;
  /** Of texts that are numbers nearly always: the row of the first that is none, counted from 0. */
  readonly firstOther: number | undefined;
}

/** @param mostCounts the most different texts of which `counts` says how often they occur */
export function profileColumn(
  { header, rows }: Pick<Table, 'header' | 'rows'>,
  column: number,
  mostCounts: number = mostLevels,
): ColumnProfile {
  const counts = new Map<string, number>();
  let [missing, numbers, dates] = [0, 0, 0];
  let [least, greatest, whole] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, true];
  let [rising, falling, last] = [true, true, Number.NaN];
  let firstOther: number | undefined;
  for (const [index, row] of rows.entries()) {
    const cell = row[column] ?? '';
    if (isMissingText(cell)) {
      missing += 1;
      continue;
    }
    counts.set(cell, (counts.get(cell) ?? 0) + 1);
    const value = looksNumeric(cell) ? Number(cell) : Number.NaN;
    if (!Number.isFinite(value)) {
      firstOther ??= index;
      if (date.test(cell)) dates += 1;
      continue;
    }
    numbers += 1;
    least = Math.min(least, value);
    greatest = Math.max(greatest, value);
    whole &&= Number.isInteger(value);
    rising &&= !(value <= last);
    falling &&= !(value >= last);
    last = value;
  }
  const present = rows.length - missing;
  const kind = present === 0 ? 'empty' : numbers === present ? 'numbers' : dates === present ? 'dates' : 'texts';
  return {
    name: ownName(header, column),
    col_idx: column,
    missing,
    present,
    kind,
    distinct: kind === 'numbers' ? new Set([...counts.keys()].map(Number)).size : counts.size,
    counts: counts.size <= mostCounts ? counts : undefined,
    least,
    greatest,
    whole,
    ordered: rising || falling,
    firstOther: kind === 'texts' && numbers >= nearlyAll * present ? firstOther : undefined,
  };
}

/** Of all columns. */
export function profileColumns(table: Pick<Table, 'header' | 'rows' | 'width'>): ColumnProfile[] {
  return Array.from({ length: table.width }, (_, column) => profileColumn(table, column));
}

function ownName(header: Table['header'], column: number): string | undefined {
  const name = header?.[column];
  return name !== '' && header?.indexOf(name ?? '') === header?.lastIndexOf(name ?? '') ? name : undefined;
}
