/**
 * The write-ahead log of a SQLite store is forced to the disk and moved away from the event loop: what is acknowledged is there, the
 * log stays short, and whoever reads or fails meanwhile loses nothing.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { CompiledQuery } from 'kysely';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import { type Database, openDatabase } from '../../src/storage/database.ts';
import { createWriteAheadLog, type OpenLogFile, openLogFile } from '../../src/storage/sqlite-log.ts';
import { createThreadPool, type ThreadPool } from '../../src/threads/pool.ts';
import { until } from '../support/until.ts';

const test = suite('write-ahead log');

const folder = mkdtempSync(join(tmpdir(), 'sealsum-log-'));
test.after(() => {
  rmSync(folder, { recursive: true });
});

const page = 4096;
/** The log is moved when it has so many bytes, at the next transaction. */
const longLog = 1000 * page;

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** A row of some pages in a table of a test's own. */
function put(database: Database, bytes: number): Promise<unknown> {
  return database.write(({ rows }) =>
    rows.executeQuery(CompiledQuery.raw(`insert into filling values (randomblob(${bytes}))`)),
  );
}

async function open(path: string, openLog: OpenLogFile = openLogFile): Promise<Database> {
  const database = await openDatabase(path, { role: 'facilitator', openLog });
  await database.write(({ rows }) => rows.executeQuery(CompiledQuery.raw('create table filling (bytes blob)')));
  return database;
}

function count(database: Database): Promise<unknown> {
  return database.read(async ({ rows }) => {
    const query = CompiledQuery.raw('select count(*) as found from filling');
    return (await rows.executeQuery<{ found: number }>(query)).rows[0]?.found;
  });
}

/** The log of the file system, each time it is forced by way of `around`. */
function forcedBy(around: (force: () => Promise<void>) => Promise<void>): OpenLogFile {
  return async (path) => {
    const file = await openLogFile(path);
    return { datasync: () => around(() => file.datasync()), close: () => file.close() };
  };
}

test('a durable change is over when the disk has it, one that need not be at once, and the event loop goes on', async () => {
  let forced = 0;
  let release: (() => void) | undefined;
  let hold = false;
  const openLog = forcedBy(async (force) => {
    if (hold)
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    await force();
    forced += 1;
  });
  await using database = await open(join(folder, 'durable.sqlite'), openLog);
  const before = forced;
  await database.write(
    ({ rows }) => rows.executeQuery(CompiledQuery.raw('insert into filling values (randomblob(10))')),
    { durable: false },
  );
  assert.equal(forced, before);
  hold = true;
  const events: string[] = [];
  const written = put(database, 10).then(() => events.push('written'));
  const read = count(database).then((rows) => events.push(`read ${String(rows)}`));
  await until('the disk is asked', () => release !== undefined);
  for (let turn = 0; turn < 20; turn += 1)
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  assert.deepEqual(events, [], 'nobody hears of what may still be lost');
  hold = false;
  release?.();
  await Promise.all([written, read]);
  assert.deepEqual(events, ['written', 'read 2']);
  assert.equal(forced, before + 1);
});

test('what was acknowledged is in the files as they were when they were forced last', async () => {
  const path = join(folder, 'power.sqlite');
  const copy = join(folder, 'power-lost');
  mkdirSync(copy);
  // What a machine finds after it lost its power: with nothing of what was written since.
  const openLog = forcedBy(async (force) => {
    await force();
    for (const end of ['', '-wal']) copyFileSync(`${path}${end}`, join(copy, `power.sqlite${end}`));
  });
  await using database = await open(path, openLog);
  for (let written = 1; written <= 12; written += 1) {
    // The log is moved and begun anew on the way.
    await put(database, 150 * page);
    const found = new SQLite(join(copy, 'power.sqlite'));
    assert.equal(found.prepare('select count(*) from filling').pluck().get(), written);
    found.close();
  }
});

test('when the disk did not keep a change, nothing is read or written any more until the store is opened again', async () => {
  const path = join(folder, 'lost.sqlite');
  let fails = false;
  const openLog = forcedBy((force) =>
    fails ? Promise.reject(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })) : force(),
  );
  const database = await open(path, openLog);
  await put(database, 10);
  fails = true;
  const lost = (error: unknown): boolean =>
    error instanceof SealsumError && error.code === 'store_unavailable' && / \(EIO\); .* start /.test(error.message);
  const { generation } = database;
  const waiting = [put(database, 10), put(database, 10), count(database)];
  for (const outcome of await Promise.allSettled(waiting))
    assert.ok(outcome.status === 'rejected' && lost(outcome.reason));
  assert.notEqual(database.generation, generation);
  // A system that has failed to write holds for written what is not.
  fails = false;
  await assert.rejects(put(database, 10), lost);
  await assert.rejects(count(database), lost);
  await assert.rejects(database.ping(), lost);
  await database.close();
  await using again = await openDatabase(path, { role: 'facilitator' });
  assert.equal(await count(again), 2);
  await put(again, 10);
});

test('what a process that was killed has not forced any more is forced before it is read', async () => {
  const path = join(folder, 'killed.sqlite');
  await (await open(path)).close();
  let forced = 0;
  const openLog = forcedBy((force) => {
    forced += 1;
    return force();
  });
  await using database = await openDatabase(path, { role: 'facilitator', openLog });
  assert.equal(forced, 1);
  assert.equal(await count(database), 0);
});

test('a store whose log cannot be forced is not opened', async () => {
  const openLog: OpenLogFile = () => Promise.reject(Object.assign(new Error('no'), { code: 'EACCES' }));
  const path = join(folder, 'never.sqlite');
  await assert.rejects(
    openDatabase(path, { role: 'facilitator', openLog }),
    (error) => error instanceof SealsumError && error.code === 'store_unavailable' && /EACCES/.test(error.message),
  );
  await using database = await open(path);
  await put(database, 10);
});

test('it is moved before it is much longer than a thousand pages, and the writer keeps its locks', async () => {
  const path = join(folder, 'state.sqlite');
  await using database = await open(path);
  for (let written = 0; written < 4 * longLog; written += 100 * page) {
    await put(database, 100 * page);
    assert.ok(sizeOf(`${path}-wal`) < 1.3 * longLog, `${sizeOf(`${path}-wal`)} bytes`);
  }
  assert.ok(sizeOf(path) > 2.5 * longLog, `${sizeOf(path)} bytes`);
  // Another connection of the same process was opened and closed: had that let go of this one's locks, another process could end the log.
  const script = `
    const SQLite = require('better-sqlite3');
    const other = new SQLite(${JSON.stringify(path)}, { timeout: 0 });
    console.log(other.prepare('select count(*) from filling').pluck().get());
    try { console.log(other.pragma('journal_mode = DELETE')); } catch (error) { console.log(error.code); }
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ['--eval', script], { encoding: 'utf8' });
  assert.equal(stdout, '40\nSQLITE_BUSY\n', stderr);
});

test('giving pages back does not make it long either', async () => {
  const path = join(folder, 'compact.sqlite');
  await using database = await open(path);
  for (let count = 0; count < 40; count += 1) await put(database, 300 * page);
  // What lies behind the gap has to be moved into it.
  await database.write(({ rows }) => rows.executeQuery(CompiledQuery.raw('delete from filling where rowid <= 20')));
  await database.compact();
  assert.ok(sizeOf(`${path}-wal`) < 2 * longLog, `${sizeOf(`${path}-wal`)} bytes`);
});

test('while somebody reads what was, it grows, is tried once for a thousand pages, and is moved when they have gone', async () => {
  const path = join(folder, 'read.sqlite');
  const database = new SQLite(path);
  database.pragma('journal_mode = WAL');
  database.exec('create table filling (bytes blob)');
  const inner = createThreadPool({ threads: 1 });
  let count = 0;
  const moves = (): number => count;
  const pool: ThreadPool = {
    ...inner,
    run: (...call) => {
      count += 1;
      return inner.run(...call);
    },
  };
  const mover = createWriteAheadLog(database, path, pool);
  const write = async (pages: number): Promise<void> => {
    for (let written = 0; written < pages; written += 50) {
      await mover.relieve();
      database.exec(`insert into filling values (randomblob(${50 * page}))`);
    }
    await mover.relieve();
  };
  const reader = new SQLite(path, { readonly: true });
  try {
    await write(900);
    assert.equal(moves(), 0);
    reader.exec('begin');
    reader.prepare('select count(*) from filling').get();
    await write(3000);
    assert.ok(moves() >= 2 && moves() <= 4, `${moves()} moves`);
    assert.ok(sizeOf(`${path}-wal`) > 3.5 * longLog, `${sizeOf(`${path}-wal`)} bytes`);
    reader.exec('commit');
    const before = moves();
    await write(1500);
    assert.ok(moves() > before && moves() <= before + 3, `${moves() - before} moves`);
    const [pages] = database.pragma('wal_checkpoint(NOOP)') as [{ log: number; checkpointed: number }];
    assert.ok(pages.log < 1600 && pages.log - pages.checkpointed < 1100, JSON.stringify(pages));
    // Nobody reads, so the next one that is moved is moved whole, and the thread begins the new one.
    database.exec(`insert into filling values (randomblob(${1100 * page}))`);
    await mover.relieve();
    assert.deepEqual(database.pragma('wal_checkpoint(NOOP)'), [{ busy: 0, log: 1, checkpointed: 0 }]);
  } finally {
    reader.close();
    await mover.close();
    database.close();
  }
});

test('without threads SQLite moves it by itself, and nothing is said', async () => {
  const path = join(folder, 'alone.sqlite');
  const database = new SQLite(path);
  database.pragma('journal_mode = WAL');
  database.exec('create table filling (bytes blob)');
  let asked = 0;
  const pool: ThreadPool = {
    threads: 1,
    usable: () => true,
    run: () => {
      asked += 1;
      return Promise.reject(new Error('no thread'));
    },
    close: () => Promise.resolve(),
  };
  const mover = createWriteAheadLog(database, path, pool);
  assert.equal(database.pragma('wal_autocheckpoint', { simple: true }), 0);
  for (let count = 0; count < 60; count += 1) {
    await mover.relieve();
    database.exec(`insert into filling values (randomblob(${50 * page}))`);
  }
  assert.equal(asked, 1);
  assert.equal(database.pragma('wal_autocheckpoint', { simple: true }), 1000);
  assert.ok(sizeOf(`${path}-wal`) < 1.3 * longLog, `${sizeOf(`${path}-wal`)} bytes`);
  await mover.close();
  database.close();
});

test('a store that is closed while transactions wait for its log ends them first, and has everything', async () => {
  const path = join(folder, 'closed.sqlite');
  const database = await open(path);
  const all = Array.from({ length: 30 }, () => put(database, 100 * page));
  await database.close();
  await Promise.all(all);
  const again = new SQLite(path, { readonly: true });
  assert.equal(again.prepare('select count(*) from filling').pluck().get(), 30);
  again.close();
});

test.run();
