/** Tables as text, and counts, for people. */
import { printable } from './printable.ts';

/**
 * The lines of a table, its columns as wide as what is in them, two spaces between.
 *
 * @param isNumber which columns, counted from 0, end in line in place of beginning in one
 */
export function alignedTable(
  given: readonly (readonly string[])[],
  isNumber: (column: number) => boolean = () => false,
): string[] {
  const rows = given.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, column) => (isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** As text: names, and numbers after them. */
export function numberTable(rows: readonly (readonly string[])[]): string {
  return alignedTable(rows, (column) => column > 0).join('\n');
}

/** A number with its noun: `1 round`, `2 rounds`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
