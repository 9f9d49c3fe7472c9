/** Moving a write-ahead log into its database on a thread, by a connection of its own. */
import SQLite from 'better-sqlite3';
import { answering, type ThreadFunction } from '../threads/thread.ts';
import type { LogPages } from './sqlite-log.ts';

/** @param path of a database that another connection of this process has open */
export const moveLog: ThreadFunction<string, LogPages> = answering((path) => {
  const database = new SQLite(path, { fileMustExist: true });
  try {
    const [pages] = database.pragma('wal_checkpoint(PASSIVE)') as [LogPages];
    // Whoever commits first to the new log forces its beginning to the disk: not the event loop.
    if (pages.log === pages.checkpointed) commitNothing(database);
    return pages;
  } finally {
    database.close();
  }
});

/** Writes a number that nobody uses, as it is. */
function commitNothing(database: SQLite.Database): void {
  database.pragma(`user_version = ${String(database.pragma('user_version', { simple: true }))}`);
}
