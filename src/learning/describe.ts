/** What stands in the columns of a data file, for the file's own people: what to declare in model.json follows from it. */
import { isMissingText, looksNumeric } from './scaling.ts';
import type { Table } from './table.ts';

export interface DescribedColumn {
  /** Undefined where the file has no header. */
  readonly name?: string;
  /** Counted from 0. */
  readonly col_idx: number;
  /** Cells that say nothing: empty, NA and the like. */
  readonly missing: number;
  /** The others; undefined where all are missing. */
  readonly values?:
    | { readonly kind: 'numbers'; readonly whole: boolean; readonly least: number; readonly greatest: number }
    | {
        readonly kind: 'texts';
        /** How many different ones. */
        readonly distinct: number;
        /** All of them, in order, where they are few. */
        readonly levels?: readonly string[];
      };
}

/** The most texts of a column that may be its levels. */
const fewLevels = 50;

export function describeColumns({ header, rows, width }: Pick<Table, 'header' | 'rows' | 'width'>): DescribedColumn[] {
  return Array.from({ length: width }, (_, column) => {
    const cells = rows.map((row) => row[column] ?? '').filter((cell) => !isMissingText(cell));
    const name = header?.[column];
    return {
      ...(name === undefined ? {} : { name }),
      col_idx: column,
      missing: rows.length - cells.length,
      ...(cells.length === 0 ? {} : { values: describeCells(cells) }),
    };
  });
}

function describeCells(cells: readonly string[]): NonNullable<DescribedColumn['values']> {
  if (!cells.every(looksNumeric)) {
    const distinct = new Set(cells);
    const levels = distinct.size <= fewLevels ? { levels: [...distinct].sort() } : {};
    return { kind: 'texts', distinct: distinct.size, ...levels };
  }
  let [least, greatest, whole] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, true];
  for (const cell of cells) {
    const value = Number(cell);
    least = Math.min(least, value);
    greatest = Math.max(greatest, value);
    whole &&= Number.isInteger(value);
  }
  return { kind: 'numbers', whole, least, greatest };
}
