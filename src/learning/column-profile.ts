/** What the columns of a table look like, as far as a declaration of them in model.json can follow from it. */
import { isMissingText, looksNumeric } from './scaling.ts';
import type { Table } from './table.ts';

/** The most distinct values of a column that are kept. */
export const mostLevels = 50;

/** Of texts, the share of numbers from which the others look like mistakes. */
const nearlyAll = 0.9;

export interface ColumnProfile {
  /** Undefined where there is no header, or another column has the same name. */
  readonly name: string | undefined;
  /** Counted from 0. */
  readonly col_idx: number;
  /** Cells that say nothing. */
  readonly missing: number;
  /** The others. */
  readonly present: number;
  /** How many different values. */
  readonly distinct: number;
  /** How often each occurs, where there are at most `mostLevels`. */
  readonly counts: ReadonlyMap<string, number> | undefined;
  readonly kind: 'empty' | 'numbers' | 'dates' | 'texts';
  /** Of numbers. */
  readonly least: number;
  readonly greatest: number;
  readonly whole: boolean;
  /** Whether each value is the one before it plus or minus something, in the order of the records: as numbers of records are. */
  readonly ordered: boolean;
  /** Of texts that are numbers nearly always: the place of the first that is none. */
  readonly firstOther: number | undefined;
}

export function profileColumns(table: Table): ColumnProfile[] {
  const { header, rows, width } = table;
  const date = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}\S*)?$/;
  return Array.from({ length: width }, (_, column) => {
    const values = new Set<string>();
    const counts = new Map<string, number>();
    let [missing, present, numbers, dates] = [0, 0, 0, 0];
    let [least, greatest, whole] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, true];
    let [rising, falling, last] = [true, true, Number.NaN];
    let firstOther: number | undefined;
    for (const [index, row] of rows.entries()) {
      const cell = row[column] ?? '';
      if (isMissingText(cell)) {
        missing += 1;
        continue;
      }
      present += 1;
      values.add(cell);
      if (values.size <= mostLevels) counts.set(cell, (counts.get(cell) ?? 0) + 1);
      if (!looksNumeric(cell)) {
        firstOther ??= table.lines[index];
        if (date.test(cell)) dates += 1;
        continue;
      }
      const value = Number(cell);
      numbers += 1;
      least = Math.min(least, value);
      greatest = Math.max(greatest, value);
      whole &&= Number.isInteger(value);
      rising &&= !(value <= last);
      falling &&= !(value >= last);
      last = value;
    }
    const name = header?.[column];
    const isNamed = name !== undefined && name !== '' && header?.indexOf(name) === header?.lastIndexOf(name);
    const kind =
      present === 0 ? 'empty' : numbers === present ? 'numbers' : dates === present ? 'dates' : ('texts' as const);
    return {
      name: isNamed ? name : undefined,
      col_idx: column,
      missing,
      present,
      distinct: values.size,
      counts: values.size <= mostLevels ? counts : undefined,
      kind,
      least,
      greatest,
      whole,
      ordered: rising || falling,
      firstOther: kind === 'texts' && numbers >= nearlyAll * present ? firstOther : undefined,
    };
  });
}
