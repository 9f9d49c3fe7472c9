/** Reads and summarises a data file on a thread of its own. */
import { answering, type ThreadFunction } from '../threads/thread.ts';
import { readDataFile } from './data-file.ts';
import { type FileSummary, type SummaryOrder, summariseTable } from './summarise.ts';

export const summarise: ThreadFunction<SummaryOrder, FileSummary> = answering(async ({ path, header }) =>
  summariseTable(await readDataFile(path, { header })),
);
