/** Data files of any kind that is read, told apart by how they begin and not by their names. */
import { open } from 'node:fs/promises';
import { SealsumError } from '../errors.ts';
import { beginsAsJsonLines, readJsonLines } from './json-lines.ts';
import { parquetMagic, readParquet } from './parquet.ts';
import { readTable, type Table, type TableOptions } from './table.ts';

export type DataFormat = 'parquet' | 'json-lines' | 'text';

/** Bytes of a file's beginning that are looked at. */
const startBytes = 4096;

/**
 * Reads a whole file, CSV, TSV, JSON lines or Parquet; of Parquet's columns, and of objects in JSON lines, the names are always known,
 * whatever `header` says.
 *
 * @throws SealsumError as readTable(), readJsonLines() and readParquet()
 */
export async function readDataFile(path: string, options: TableOptions): Promise<Table> {
  switch (await formatOf(path)) {
    case 'parquet':
      return await readParquet(path, options.signal);
    case 'json-lines':
      return await readJsonLines({ path }, options);
    case 'text':
      return await readTable({ path }, options);
  }
}

/** @throws SealsumError data_invalid when it cannot be read */
export async function formatOf(path: string): Promise<DataFormat> {
  const buffer = Buffer.alloc(startBytes);
  let start: Buffer;
  try {
    await using file = await open(path);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    start = buffer.subarray(0, bytesRead);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'no reason is known';
    throw new SealsumError('data_invalid', `the data file cannot be read (${code})`, { cause });
  }
  if (start.toString('latin1', 0, parquetMagic.length) === parquetMagic) return 'parquet';
  return beginsAsJsonLines(start.toString('utf8')) ? 'json-lines' : 'text';
}
