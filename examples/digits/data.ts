/** Images of handwritten digits as tables: 64 columns of pixels from 0 to 16, row by row, and the digit. */
import { writeFile } from 'node:fs/promises';
import { readTable, SealsumError, type TableSource } from '../../src/index.ts';
import { uniform } from './random.ts';

const side = 8;
const pixelCount = side * side;
/** The greatest value of a pixel. */
const black = 16;

export const columns: readonly string[] = [
  ...Array.from({ length: pixelCount }, (_, index) => `pixel_${Math.floor(index / side)}_${index % side}`),
  'digit',
];

/** One image: its pixels, then its digit. */
export type Row = readonly number[];

/** Images as a network takes them. */
export interface Digits {
  /** Of one image after the other 64 values from 0 to 1. */
  readonly pixels: Float64Array;
  readonly digits: Uint8Array;
}

/** @throws SealsumError data_invalid naming line and column, or what else is not a table of digits about the file */
export async function readDigits(source: TableSource, signal?: AbortSignal): Promise<Row[]> {
  const { header, width, rows, lines } = await readTable(source, { header: true, signal });
  if (width !== columns.length)
    throw new SealsumError(
      'data_invalid',
      `expected ${columns.length} columns, ${pixelCount} pixels and the digit, and there are ${width}`,
    );
  for (const [index, name] of columns.entries())
    if (header?.[index] !== name)
      throw new SealsumError(
        'data_invalid',
        `column ${index + 1} of the header: expected ${name}; the columns are pixel_0_0 to pixel_7_7, row by row, and digit`,
        { field: name },
      );
  return rows.map((cells, row) =>
    cells.map((cell, index) => {
      const greatest = index === pixelCount ? 9 : black;
      const value = Number(cell);
      if (cell !== '' && Number.isInteger(value) && value >= 0 && value <= greatest) return value;
      const [line = 0, field = ''] = [lines[row], columns[index]];
      throw new SealsumError('data_invalid', `line ${line}, ${field}: expected a whole number from 0 to ${greatest}`, {
        line,
        field,
      });
    }),
  );
}

/** Every fifth row is kept for the test: those whose index, from 0, leaves 4. */
export function splitRows(rows: readonly Row[]): { readonly training: Row[]; readonly test: Row[] } {
  return {
    training: rows.filter((_, index) => index % 5 !== 4),
    test: rows.filter((_, index) => index % 5 === 4),
  };
}

/** The first row to the first owner, the second to the second, and so on. @throws SealsumError data_invalid with too few */
export function dealOut(rows: readonly Row[], owners: number): Row[][] {
  if (rows.length < owners)
    throw new SealsumError('data_invalid', `${rows.length} rows are too few to give each of ${owners} owners one`);
  return Array.from({ length: owners }, (_, owner) => rows.filter((_row, index) => index % owners === owner));
}

export function digitsOf(rows: readonly Row[]): Digits {
  const pixels = new Float64Array(rows.length * pixelCount);
  for (const [index, row] of rows.entries())
    pixels.set(
      row.slice(0, pixelCount).map((value) => value / black),
      index * pixelCount,
    );
  return { pixels, digits: Uint8Array.from(rows, (row) => row[pixelCount] ?? 0) };
}

export function textOf(rows: readonly Row[]): string {
  return [columns, ...rows].map((row) => `${row.join(',')}\n`).join('');
}

/** For its reader alone. */
export async function writeDigits(path: string, rows: readonly Row[]): Promise<void> {
  await writeFile(path, textOf(rows), { mode: 0o600 });
}

/**
 * Images that nobody wrote: of each digit one made-up pattern, with every pixel moved by up to 8 either way. They are far easier
 * to tell apart than real ones, and the same for the same seed.
 */
export function madeUpDigits(count: number, seed: number): Row[] {
  const next = uniform(seed);
  const whole = (low: number, high: number): number => low + Math.floor((high - low + 1) * next());
  const patterns = Array.from({ length: 10 }, () => Array.from({ length: pixelCount }, () => whole(0, black)));
  return Array.from({ length: count }, () => {
    const digit = whole(0, 9);
    const pattern = patterns[digit] ?? [];
    return [...pattern.map((value) => Math.min(black, Math.max(0, value + whole(-8, 8)))), digit];
  });
}
