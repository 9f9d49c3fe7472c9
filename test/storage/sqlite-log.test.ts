/** The write-ahead log of a SQLite store is moved on a thread: it stays short, and whoever reads or fails meanwhile loses nothing. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { CompiledQuery } from 'kysely';
import { suite } from 'uvu';
import { type Database, openDatabase } from '../../src/storage/database.ts';
import { createLogMover } from '../../src/storage/sqlite-log.ts';
import { createThreadPool, type ThreadPool } from '../../src/threads/pool.ts';

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

async function open(path: string): Promise<Database> {
  const database = await openDatabase(path, { role: 'facilitator' });
  await database.write(({ rows }) => rows.executeQuery(CompiledQuery.raw('create table filling (bytes blob)')));
  return database;
}

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
  const mover = createLogMover(database, path, pool);
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
  const mover = createLogMover(database, path, pool);
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
