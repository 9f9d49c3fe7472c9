/** Data files of any kind that is read, told apart by how they begin and not by their names. */
import { open } from 'node:fs/promises';
import { SealsumError } from '../errors.ts';
import { parquetMagic, readParquet } from './parquet.ts';
import { readTable, type Table, type TableOptions } from './table.ts';

export type DataFormat = 'parquet' | 'text';

/**
 * Reads a whole file, CSV, TSV or Parquet; of the latter's columns the names are always known, whatever `header` says.
 *
 * @throws SealsumError as readTable() and readParquet()
 */
export async function readDataFile(path: string, options: TableOptions): Promise<Table> {
  if ((await formatOf(path)) === 'parquet') return await readParquet(path, options.signal);
  return await readTable({ path }, options);
}

/** @throws SealsumError data_invalid when it cannot be read */
export async function formatOf(path: string): Promise<DataFormat> {
  const start = Buffer.alloc(parquetMagic.length);
  try {
    await using file = await open(path);
    await file.read(start, 0, start.length, 0);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'no reason is known';
    throw new SealsumError('data_invalid', `the data file cannot be read (${code})`, { cause });
  }
  return start.toString('latin1') === parquetMagic ? 'parquet' : 'text';
}
