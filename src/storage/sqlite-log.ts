/**
 * The write-ahead log of a SQLite file, kept off the event loop: what is committed is forced to the disk by the threads of Node's
 * file system, and what the log holds goes into the database on a thread of ours. By itself SQLite does the one in every commit,
 * which takes as long as the disk does, and the other in the commit that makes the log long, for some 30 ms; nobody is served meanwhile.
 */
import { open } from 'node:fs/promises';
import type SQLite from 'better-sqlite3';
import type { ThreadPool } from '../threads/pool.ts';

/** Pages in a write-ahead log of which some are not in the database yet (SQLite, "PRAGMA wal_checkpoint"). */
export interface LogPages {
  readonly log: number;
  readonly checkpointed: number;
}

/** The log as a file whose bytes can be forced to the disk, whoever wrote them. */
export interface LogFile {
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** @param path of the log, which is there */
export type OpenLogFile = (path: string) => Promise<LogFile>;

/** That of the file system. Some systems only force a file that could be written to. */
export const openLogFile: OpenLogFile = (path) => open(path, 'r+');

export interface WriteAheadLog {
  /** Resolves when everything that was committed is on the disk. Awaited before anything else is committed. */
  force(): Promise<void>;
  /** Moves the log into the database if it has become long. Awaited between transactions. */
  relieve(): Promise<void>;
  close(): Promise<void>;
}

/** Pages after which the log is moved: SQLite's own number. */
const longLog = 1000;

/**
 * @param database in write-ahead mode, at this path, the only one that writes
 * @param pool is closed with it
 */
export function createWriteAheadLog(
  database: SQLite.Database,
  path: string,
  pool: ThreadPool,
  openFile: OpenLogFile = openLogFile,
): WriteAheadLog {
  let most = longLog;
  let usable = true;
  let file: LogFile | undefined;
  database.pragma('wal_autocheckpoint = 0');
  // SQLite forces the log before it moves it, and a new one once it has begun; commits wait for force().
  database.pragma('synchronous = NORMAL');
  return {
    force: async () => {
      // One and the same file as long as there is a connection. SQLite holds no locks on it that closing it would lose.
      file ??= await openFile(`${path}-wal`);
      await file.datasync();
    },
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
    close: async () => {
      await pool.close();
      await file?.close();
    },
  };
}

function pagesLeft(answer: unknown): number {
  const [pages] = answer as readonly (LogPages | undefined)[];
  return pages === undefined ? 0 : pages.log - pages.checkpointed;
}
