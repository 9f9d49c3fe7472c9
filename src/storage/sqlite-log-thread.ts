/** Moving a write-ahead log into its database on a thread, by a connection of its own. */
import SQLite from 'better-sqlite3';
import { answering, type ThreadFunction } from '../threads/thread.ts';
import type { LogPages } from './sqlite-log.ts';

/** @param path of a database that another connection of this process has open */
export const moveLog: ThreadFunction<string, LogPages> = answering((path) => {
  const database = new SQLite(path, { fileMustExist: true });
  try {
    const [pages] = database.pragma('wal_checkpoint(PASSIVE)') as [LogPages];
    return pages;
  } finally {
    database.close();
  }
});
