/** Reads Parquet, on a thread of its own (see parquet.ts). */
import { asyncBufferFromFile, type FileMetaData, parquetMetadataAsync, parquetRead } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { SealsumError } from '../errors.ts';
import { answering, type ThreadFunction } from '../threads/thread.ts';
import type { Table } from './table.ts';

/** The most rows of it at once, as rows of a group are in memory together. */
const rowsAtOnce = 16_384;

export const read: ThreadFunction<{ readonly path: string }, Table> = answering(({ path }) => readTableOf(path));

/** @throws SealsumError data_invalid */
async function readTableOf(path: string): Promise<Table> {
  const file = await asyncBufferFromFile(path).catch((cause: unknown) => {
    throw new SealsumError('data_invalid', 'the data file cannot be read', { cause });
  });
  const metadata = await parquetMetadataAsync(file).catch(damaged);
  const header = namesOf(metadata);
  const count = Number(metadata.num_rows);
  if (count === 0) throw new SealsumError('data_invalid', 'the data file has columns and no records');
  const rows: string[][] = [];
  for (let from = 0; from < count; from += rowsAtOnce) {
    const rowEnd = Math.min(count, from + rowsAtOnce);
    const part = await readRows({ file, metadata, compressors, rowStart: from, rowEnd });
    if (part.length !== rowEnd - from) damaged();
    for (const [index, cells] of part.entries())
      rows.push(header.map((name, column) => cellText(cells[column], name, from + index + 1)));
  }
  return {
    header,
    headerLine: undefined,
    width: header.length,
    delimiter: undefined,
    rows,
    lines: Array.from({ length: count }, (_, index) => index + 1),
    place: 'record',
  };
}

type RowsWanted = Omit<Parameters<typeof parquetRead>[0], 'rowFormat' | 'onComplete'>;

async function readRows(wanted: RowsWanted): Promise<readonly (readonly unknown[])[]> {
  let rows: readonly (readonly unknown[])[] = [];
  await parquetRead({
    ...wanted,
    rowFormat: 'array',
    onComplete: (found) => {
      rows = found;
    },
  }).catch(damaged);
  return rows;
}

/** Columns of single values are leaves right below the root. */
function namesOf({ schema }: FileMetaData): string[] {
  const [root, ...columns] = schema;
  if (root?.num_children === undefined || columns.length === 0) damaged();
  for (const { name, num_children, repetition_type } of columns)
    if (num_children !== undefined || repetition_type === 'REPEATED')
      throw new SealsumError('data_invalid', `${name}: the column holds lists or structures; expected single values`, {
        field: name,
      });
  const names = columns.map(({ name }) => name.trim());
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new SealsumError('data_invalid', `${twice}: the data file has two columns of this name`, { field: twice });
  return names;
}

function cellText(value: unknown, name: string, record: number): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value.trim();
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString();
  throw new SealsumError('data_invalid', `record ${record}, ${name}: neither a number nor a text nor a time`, {
    field: name,
    line: record,
  });
}

/** What a damaged file makes readers say may hold what stands in it, so that it is not even kept as a cause. */
function damaged(): never {
  throw new SealsumError(
    'data_invalid',
    'the data file begins like Parquet and cannot be read as such: it is damaged, not written to its end, or encrypted',
  );
}
