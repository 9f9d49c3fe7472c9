/**
 * A data file's summary: on a thread where there are any, so that nobody waits for a big file. Parquet is read on a thread of its own in any
 * case (parquet.ts), and threads start no others.
 */
import type { ThreadPool } from '../threads/pool.ts';
import { formatOf, readDataFile } from './data-file.ts';
import { type FileSummary, type SummaryOrder, summariseTable } from './summarise.ts';

export interface SummaryOptions {
  /** Whether a text's first line holds the names of the columns. */
  readonly header: boolean;
  readonly pool?: ThreadPool | undefined;
  readonly signal: AbortSignal;
}

/** @throws SealsumError as readDataFile() */
export async function summariseFile(path: string, { header, pool, signal }: SummaryOptions): Promise<FileSummary> {
  if (pool?.usable() === true && (await formatOf(path)) !== 'parquet') {
    const order: SummaryOrder = { path, header };
    const work = { beside: import.meta.url, file: './summary-thread', name: 'summarise' };
    try {
      return await pool.run<FileSummary>(work, order, signal);
    } catch (error) {
      // Without threads everything else waits for it.
      if (pool.usable()) throw error;
    }
  }
  return summariseTable(await readDataFile(path, { header, signal }));
}
