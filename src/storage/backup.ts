/**
 * A copy of a store as it is at one moment, made while its process goes on. Whichever database the store is in, the copy is a
 * SQLite file that a party can be started with.
 *
 * The copy grows under another name, is checked and flushed to the disk, and then gets its own: a file with that name is whole.
 */
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import SQLite from 'better-sqlite3';
import { CompiledQuery, type Kysely, sql } from 'kysely';
import { SealsumError } from '../errors.ts';
import type { Role } from '../protocol/identity.ts';
import { unavailable } from './engine.ts';
import { migrate, migrations } from './migrations.ts';
import { attempt, queriesOf, sqliteTables } from './sqlite-engine.ts';
import { readStore, type Snapshot } from './store-reader.ts';
import type { Tables } from './tables.ts';

export interface BackupOptions {
  /** Whether an older file of that name may be replaced. */
  readonly replace?: boolean;
  readonly signal?: AbortSignal;
  /** Told how much is copied, in pages or rows. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface Backup {
  readonly role: Role;
  /** Where it is. */
  readonly file: string;
  readonly bytes: number;
}

/** Pages that are copied at a time, and rows, of which a block has up to a megabyte. */
const pagesAtATime = 1000;
const rowsAtATime = 1000;
const heavyRowsAtATime = 16;

/**
 * @param location of the store, as of openDatabase
 * @param destination the file that is to be made
 * @throws SealsumError config_invalid, store_unavailable, aborted
 */
export function backup(location: string, destination: string, options: BackupOptions = {}): Promise<Backup> {
  const file = resolve(destination);
  return readStore(location, async (snapshot) => {
    const partial = join(dirname(file), `.${basename(file)}.${process.pid}.partial`);
    makeEmpty(partial, file);
    try {
      await (snapshot.sqlite === undefined
        ? copyRows(snapshot, partial, options)
        : copyPages(snapshot.sqlite, partial, options));
      requireSound(partial);
      publish(partial, file, options.replace === true);
    } finally {
      for (const leftover of ['', '-wal', '-shm', '-journal']) rmSync(partial + leftover, { force: true });
    }
    return { role: snapshot.role, file, bytes: statSync(file).size };
  });
}

function requireGoing(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new SealsumError('aborted', 'the backup was stopped; nothing was left behind');
}

/** Nobody else may read the copy, from before anything is in it. */
function makeEmpty(partial: string, file: string): void {
  try {
    closeSync(openSync(partial, 'wx', 0o600));
  } catch (cause) {
    throw cannotWrite(file, cause);
  }
}

function cannotWrite(file: string, cause: unknown): SealsumError {
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  const reasons: Readonly<Record<string, string>> = {
    EEXIST: 'it exists; name another file, or replace this one (--replace)',
    ENOENT: `there is no folder ${dirname(file)}; make it`,
    EACCES: 'this user may not write there',
    ENOSPC: 'the disk is full; free some space',
    EDQUOT: 'the disk is full; free some space',
    EROFS: 'the file system is read-only',
    EISDIR: 'it is a folder; name a file in it',
  };
  return new SealsumError('config_invalid', `the backup ${file} cannot be written: ${reasons[code] ?? code}`, {
    field: 'file',
    cause,
  });
}

/** The reading transaction holds the pages as they were when it began, however much is written meanwhile. */
async function copyPages(source: SQLite.Database, partial: string, options: BackupOptions): Promise<void> {
  const { signal, onProgress } = options;
  try {
    await source.backup(partial, {
      progress: ({ totalPages, remainingPages }) => {
        requireGoing(signal);
        onProgress?.(totalPages - remainingPages, totalPages);
        return pagesAtATime;
      },
    });
  } catch (error) {
    attempt(`the backup of ${source.name}`, () => {
      throw error;
    });
  }
  attempt(partial, () => {
    const copy = new SQLite(partial);
    try {
      // One file, without a log beside it.
      copy.pragma('journal_mode = DELETE');
    } finally {
      copy.close();
    }
  });
}

/** Row by row into the same tables in SQLite. */
async function copyRows(snapshot: Snapshot, partial: string, options: BackupOptions): Promise<void> {
  const { signal, onProgress } = options;
  const { role, version, rows } = snapshot;
  const target = attempt(partial, () => new SQLite(partial));
  const kysely = queriesOf(target, `the backup ${partial}`);
  try {
    attempt(partial, () => {
      target.pragma('auto_vacuum = INCREMENTAL');
      target.pragma('synchronous = OFF');
    });
    await kysely.connection().execute(async (copied) => {
      await copied.executeQuery(CompiledQuery.raw('begin'));
      await migrate(copied, 'sqlite', { role, steps: migrations[role].slice(0, version) }, 0);
      // In the order in which they are made, a table comes after those that it refers to.
      const tables = (await sqliteTables(copied)).filter((table) => table !== 'store');
      const counts: number[] = [];
      for (const table of tables) counts.push(await countRows(rows, table));
      const total = counts.reduce((sum, count) => sum + count, 0);
      let done = 0;
      for (const table of tables)
        for await (const piece of rowsOf(rows, table)) {
          requireGoing(signal);
          attempt(partial, () => {
            insertAll(target, table, piece);
          });
          done += piece.length;
          onProgress?.(done, total);
        }
      await copied.executeQuery(CompiledQuery.raw('commit'));
    });
  } finally {
    await kysely.destroy();
    target.close();
  }
}

async function countRows(rows: Kysely<Tables>, table: string): Promise<number> {
  const counted = await sql<{ count: number }>`select count(*) as count from ${sql.table(table)}`.execute(rows);
  return counted.rows[0]?.count ?? 0;
}

type Row = Readonly<Record<string, unknown>>;

async function* rowsOf(rows: Kysely<Tables>, table: string): AsyncGenerator<readonly Row[]> {
  const heavy = table === 'blocks' || table === 'owned_contributions';
  const fetch = CompiledQuery.raw(`fetch ${heavy ? heavyRowsAtATime : rowsAtATime} from copied`);
  await sql`declare copied cursor for select * from ${sql.table(table)}`.execute(rows);
  for (;;) {
    const piece = (await rows.executeQuery<Row>(fetch)).rows;
    if (piece.length === 0) break;
    yield piece;
  }
  await rows.executeQuery(CompiledQuery.raw('close copied'));
}

function insertAll(target: SQLite.Database, table: string, piece: readonly Row[]): void {
  const columns = Object.keys(piece[0] ?? {});
  const insert = target.prepare(
    `insert into ${table} (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})`,
  );
  for (const row of piece) insert.run(...columns.map((column) => row[column]));
}

/** @throws SealsumError store_unavailable when the copy is not what it should be */
function requireSound(partial: string): void {
  attempt(partial, () => {
    const copy = new SQLite(partial, { readonly: true });
    try {
      const found = copy.pragma('integrity_check', { simple: true });
      const foreign = copy.pragma('foreign_key_check');
      if (found !== 'ok' || !Array.isArray(foreign) || foreign.length > 0)
        throw unavailable('the backup', 'the copy is damaged, as the store may be; look at the disk');
    } finally {
      copy.close();
    }
  });
}

/** Gives the whole copy its name, on the disk when this returns. */
function publish(partial: string, file: string, replace: boolean): void {
  try {
    flush(partial);
    // A link, unlike a new name, fails where there is a file already.
    if (replace) renameSync(partial, file);
    else linkSync(partial, file);
    flush(dirname(file));
  } catch (cause) {
    throw cannotWrite(file, cause);
  }
}

function flush(path: string): void {
  const opened = openSync(path, 'r');
  try {
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
}
