/**
 * What SQLite's write-ahead log holds goes into the database on a thread: by itself SQLite does that in the commit that makes the
 * log long, for some 30 ms in which the event loop serves nobody. Transactions wait meanwhile, so that the log is empty at the end.
 */
import type SQLite from 'better-sqlite3';
import type { ThreadPool } from '../threads/pool.ts';

/** Pages in a write-ahead log of which some are not in the database yet (SQLite, "PRAGMA wal_checkpoint"). */
export interface LogPages {
  readonly log: number;
  readonly checkpointed: number;
}

export interface LogMover {
  /** Moves the log if it has become long. Awaited between transactions. */
  relieve(): Promise<void>;
  close(): Promise<void>;
}

/** Pages after which the log is moved: SQLite's own number. */
const longLog = 1000;

/**
 * @param database in write-ahead mode, at this path, the only one that writes
 * @param pool is closed with it
 */
export function createLogMover(database: SQLite.Database, path: string, pool: ThreadPool): LogMover {
  let most = longLog;
  let usable = true;
  database.pragma('wal_autocheckpoint = 0');
  return {
    relieve: async () => {
      if (!usable || pagesLeft(database.pragma('wal_checkpoint(NOOP)')) < most) return;
      try {
        const work = { beside: import.meta.url, file: './sqlite-log-thread', name: 'moveLog' };
        // What others still read stays, and is not tried again at every transaction.
        most = pagesLeft([await pool.run<LogPages>(work, path)]) + longLog;
      } catch {
        // Without threads it takes the event loop; and what keeps the disk from it, commits will say.
        usable = false;
        database.pragma(`wal_autocheckpoint = ${longLog}`);
      }
    },
    close: () => pool.close(),
  };
}

function pagesLeft(answer: unknown): number {
  const [pages] = answer as readonly (LogPages | undefined)[];
  return pages === undefined ? 0 : pages.log - pages.checkpointed;
}
