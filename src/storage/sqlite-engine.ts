/**
 * A store in a SQLite file or in memory: write-ahead log, every durable commit on disk before it is over, one writing process.
 *
 * Who writes is decided by a lock on a second file beside the first: an exclusive transaction that never ends, on a
 * connection that does nothing else. The operating system releases it however the process dies. Others may read meanwhile.
 */
import { closeSync, constants, fstatSync, openSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import SQLite from 'better-sqlite3';
import { CompiledQuery, Kysely, type KyselyPlugin, type SqliteDatabase, SqliteDialect } from 'kysely';
import { SealsumError } from '../errors.ts';
import { createThreadPool } from '../threads/pool.ts';
import { systemTurns } from '../threads/turns.ts';
import { contradiction, type Engine, unavailable } from './engine.ts';
import { createWriteAheadLog, type OpenLogFile, type WriteAheadLog } from './sqlite-log.ts';
import type { Tables } from './tables.ts';

/** Prepared statements that are kept, the newest ones; a store has some tens. */
const statementsKept = 256;

/** Milliseconds to wait for another process that reads; for one that writes nobody waits. */
const busyTimeout = 5000;

/** Pages that are given back at a time, and how many free ones are let lie for what comes next. */
const pagesAtATime = 512;
const pagesToKeep = 1024;

/**
 * @param path absolute, or undefined for memory
 * @param openLog how the log is opened to force it to the disk; by the file system unless told
 */
export function openSqlite(path: string | undefined, name: string, openLog?: OpenLogFile): Engine {
  const release = path === undefined ? () => undefined : lockForWriting(path, name);
  let database: SQLite.Database;
  let log: WriteAheadLog | undefined;
  try {
    database = openForWriting(path, name);
    if (path !== undefined) log = createWriteAheadLog(database, path, createThreadPool({ threads: 1 }), openLog);
  } catch (error) {
    release();
    throw error;
  }
  let lost: SealsumError | undefined;

  async function force(): Promise<void> {
    try {
      await log?.force();
    } catch (error) {
      // Once it has failed, a system holds for written what is not: forcing it again would succeed (PostgreSQL wiki, "Fsync Errors").
      const code = (error as NodeJS.ErrnoException).code ?? String(error);
      lost = unavailable(
        name,
        `the disk did not keep what was written (${code}); look at the disk, then start this process again`,
        error,
      );
      throw lost;
    }
  }

  const engine: Engine = {
    kind: 'sqlite',
    name,
    outages: 0,
    get lost() {
      return lost;
    },
    kysely: queriesOf(database, name),
    tables: sqliteTables,
    // A process that was killed may have committed what nobody has forced yet, and it is read from now on.
    begun: force,
    begin: async (rows) => {
      // A rollback that failed would leave its transaction open, for the next one to be part of.
      if (database.inTransaction) attempt(name, () => database.exec('rollback'));
      await log?.relieve();
      await rows.executeQuery(CompiledQuery.raw('begin immediate'));
    },
    commit: async (rows, durable) => {
      await rows.executeQuery(CompiledQuery.raw('commit'));
      if (durable) await force();
    },
    requireLock: () => Promise.resolve(),
    compact: async () => {
      await log?.relieve();
      const free = attempt(name, () => database.pragma('freelist_count', { simple: true }));
      if (typeof free !== 'number' || free <= pagesToKeep) return false;
      // Not by way of a prepared statement: this one has to be stepped once for every page.
      attempt(name, () => database.exec(`pragma incremental_vacuum(${pagesAtATime})`));
      return true;
    },
    close: async () => {
      try {
        await log?.close();
        await engine.kysely.destroy();
        if (database.open) database.close();
      } finally {
        release();
      }
    },
  };
  return engine;
}

/**
 * A connection that only reads, beside a process that may be writing.
 *
 * @throws SealsumError config_invalid, store_unavailable
 */
export function openSqliteForReading(path: string, name: string): SQLite.Database {
  requirePrivateFile(path, false);
  return attempt(name, () => {
    return new SQLite(path, { readonly: true, fileMustExist: true, timeout: busyTimeout });
  });
}

/** Makes a file that only its owner can read, or makes sure that it is one. @throws SealsumError config_invalid */
export function requirePrivateFile(path: string, create: boolean): void {
  let file: number;
  try {
    // SQLite gives its log and its shared memory the mode of the database.
    file = openSync(path, constants.O_RDWR | (create ? constants.O_CREAT : 0), 0o600);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const reasons: Readonly<Record<string, string>> = {
      ENOENT: create ? `there is no folder ${dirname(path)}; make it` : 'there is no such file',
      EACCES: 'this user may not read and write it; run as its owner',
      EISDIR: 'it is a folder; name a file',
      EROFS: 'the file system is read-only',
      ENOSPC: 'the disk is full',
    };
    const full = code === 'ENOSPC' || code === 'EDQUOT';
    throw new SealsumError(
      full ? 'store_unavailable' : 'config_invalid',
      `the store ${path} cannot be opened: ${reasons[code ?? ''] ?? code ?? 'unknown'}`,
      { field: 'store', cause },
    );
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile())
      throw new SealsumError('config_invalid', `the store ${path} is no regular file; name another`, {
        field: 'store',
      });
    const user = process.getuid?.();
    // Where there are no users and modes, as on Windows, there is nothing to enforce.
    if (user === undefined) return;
    if (stat.uid !== user)
      throw new SealsumError('config_invalid', `the store ${path} belongs to another user; run as that user`, {
        field: 'store',
      });
    if ((stat.mode & 0o077) !== 0)
      throw new SealsumError(
        'config_invalid',
        `the store ${path} can be read or written by others than its owner; run: chmod 600 ${path}`,
        { field: 'store' },
      );
  } finally {
    closeSync(file);
  }
}

/** Takes the writer's lock of a store; returns the way to give it back. */
function lockForWriting(path: string, name: string): () => void {
  const folder = dirname(path);
  let real: string;
  try {
    // One file is one store, however it is called.
    real = join(realpathSync(folder), basename(path));
    real = realpathSync(real);
  } catch {
    real = path;
  }
  const lockPath = `${real}.lock`;
  requirePrivateFile(lockPath, true);
  let lock: SQLite.Database | undefined;
  try {
    lock = new SQLite(lockPath, { timeout: 0 });
    // Nothing is ever written to it, so that there is nothing to roll back.
    lock.pragma('journal_mode = MEMORY');
    lock.exec('begin exclusive');
  } catch (error) {
    lock?.close();
    if (error instanceof SQLite.SqliteError && error.code.startsWith('SQLITE_BUSY'))
      throw unavailable(
        name,
        'another process has this store open; stop it, or give this one a store of its own',
        error,
      );
    throw explained(name, error);
  }
  const held = lock;
  return () => {
    held.close();
  };
}

function openForWriting(path: string | undefined, name: string): SQLite.Database {
  if (path !== undefined) requirePrivateFile(path, true);
  return attempt(name, () => {
    const database = new SQLite(path ?? ':memory:', { timeout: busyTimeout });
    try {
      // Only counts before there is a first table.
      database.pragma('auto_vacuum = INCREMENTAL');
      if (path !== undefined && database.pragma('journal_mode = WAL', { simple: true }) !== 'wal')
        throw unavailable(name, 'its file system does not allow a write-ahead log; put it on a local disk');
      database.pragma('synchronous = FULL');
      database.pragma('foreign_keys = ON');
      database.pragma('journal_size_limit = 67108864');
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

/** The names of the tables, in the order in which they were made. */
export async function sqliteTables(rows: Kysely<Tables>): Promise<readonly string[]> {
  const query = CompiledQuery.raw("select name from sqlite_master where type = 'table' order by rowid");
  return (await rows.executeQuery<{ name: string }>(query)).rows.map((row) => row.name);
}

/** Queries on a connection, whose errors are SealsumErrors. */
export function queriesOf(database: SQLite.Database, name: string): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: new SqliteDialect({ database: withCachedStatements(database, name) }),
    plugins: [resting],
  });
}

/** A statement holds up the event loop, and a transaction of many would for as long as all of them take. */
const resting: KyselyPlugin = {
  transformQuery: ({ node }) => node,
  transformResult: async ({ result }) => {
    await systemTurns.rest();
    return result;
  },
};

/** The database as Kysely wants it, which would prepare every statement anew. */
function withCachedStatements(database: SQLite.Database, name: string): SqliteDatabase {
  type Statement = ReturnType<SqliteDatabase['prepare']>;
  const statements = new Map<string, Statement>();

  function prepare(text: string): Statement {
    const statement = attempt(name, () => database.prepare(text));
    return {
      reader: statement.reader,
      all: (parameters) => attempt(name, () => statement.all(...parameters)),
      run: (parameters) => attempt(name, () => statement.run(...parameters)),
      iterate: (parameters) => statement.iterate(...parameters),
    };
  }

  return {
    prepare: (text) => {
      const known = statements.get(text);
      if (known !== undefined) return known;
      const statement = prepare(text);
      statements.set(text, statement);
      if (statements.size > statementsKept)
        for (const [oldest] of statements) {
          statements.delete(oldest);
          break;
        }
      return statement;
    },
    close: () => {
      statements.clear();
      database.close();
    },
  };
}

/** What `work` gives; what SQLite throws in it comes as a SealsumError. */
export function attempt<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw explained(name, error);
  }
}

function explained(name: string, error: unknown): unknown {
  if (!(error instanceof SQLite.SqliteError)) return error;
  const { code } = error;
  if (code.startsWith('SQLITE_CONSTRAINT')) return contradiction(name, error);
  const reasons: readonly (readonly [code: string, reason: string])[] = [
    ['SQLITE_FULL', 'the disk is full; free some space'],
    ['SQLITE_BUSY', 'another process keeps it locked; stop it'],
    ['SQLITE_READONLY', 'it cannot be written to; look at the modes of the file and its folder'],
    ['SQLITE_NOTADB', 'it is no SQLite database; name another file'],
    ['SQLITE_CORRUPT', 'it is damaged; restore it from a backup'],
    ['SQLITE_IOERR', `reading or writing failed (${code}); look at the disk and how full it is`],
  ];
  const [, reason] = reasons.find(([prefix]) => code.startsWith(prefix)) ?? ['', `${error.message} (${code})`];
  return unavailable(name, reason, error);
}
