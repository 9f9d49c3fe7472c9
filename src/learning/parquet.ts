/**
 * Data files in Parquet as the same rows of strings that a CSV file gives: what declares a column decides what its cells mean,
 * not the file. Records are counted from 1, as lines are.
 *
 * A damaged file can keep its reader busy for ever, or ask for more memory than there is. So it is read on a thread, which ends when its time
 * is over and whose memory is its own.
 */
import { stat } from 'node:fs/promises';
import { SealsumError } from '../errors.ts';
import { createThreadPool } from '../threads/pool.ts';
import type { Table } from './table.ts';

/** The four bytes with which such a file begins and ends. */
export const parquetMagic = 'PAR1';

/** How long reading may take, in milliseconds: some hundred times what it does. */
const patience = 30_000;
const patienceForMegabyte = 10_000;

/**
 * Reads a whole table. A null is an empty cell; numbers are as JavaScript writes them, times as RFC 3339 does.
 *
 * @param allowance milliseconds that it may take; as long as any file of its size needs unless given
 * @throws SealsumError `data_invalid`: the file cannot be read or is no Parquet, has no records, two columns of one name, or a column that
 * holds lists or structures (then named); `aborted` when the signal says so; `backend_unavailable` where no thread can be started
 */
export async function readParquet(path: string, signal?: AbortSignal, allowance?: number): Promise<Table> {
  const { size } = await stat(path).catch((cause: unknown) => {
    throw new SealsumError('data_invalid', 'the data file cannot be read', { cause });
  });
  const limit = AbortSignal.timeout(allowance ?? Math.ceil(patience + (size / 1e6) * patienceForMegabyte));
  const until = signal === undefined ? limit : AbortSignal.any([signal, limit]);
  const pool = createThreadPool({ threads: 1 });
  try {
    return await pool.run<Table>({ beside: import.meta.url, file: './parquet-thread', name: 'read' }, { path }, until);
  } catch (error) {
    if (signal?.aborted === true)
      throw new SealsumError('aborted', 'reading the data file was aborted', { cause: error });
    if (limit.aborted) throw unreadable('reading it does not come to an end');
    if (error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY')
      throw unreadable('it asks for more memory than there is');
    throw error;
  } finally {
    await pool.close();
  }
}

function unreadable(why: string): SealsumError {
  return new SealsumError('data_invalid', `the data file cannot be read as Parquet: ${why}; it may be damaged`);
}
