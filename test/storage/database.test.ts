/** Opening a store and changing it: who may, in which order, and what becomes of it when something goes wrong. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { CompiledQuery, sql } from 'kysely';
import { suite } from 'uvu';
import { type ErrorCode, SealsumError } from '../../src/errors.ts';
import type { JobId } from '../../src/protocol/identifiers.ts';
import { type Database, openDatabase, storeCheckpoints } from '../../src/storage/database.ts';
import { parseLocation } from '../../src/storage/location.ts';
import type { Migration } from '../../src/storage/migrations.ts';
import { until } from '../support/until.ts';
import { inFile, inPostgres, lasting, onEach, type Place, postgres, postgresUrl } from './places.ts';

const test = suite('database');
const name = 'database';
const job = 'job' as JobId;

function refusal(code: ErrorCode, ...words: readonly RegExp[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof SealsumError, String(error));
    assert.equal(error.code, code, error.message);
    for (const word of words) assert.match(error.message, word);
    return true;
  };
}

async function addEvent(database: Database, id: number, options?: { durable: boolean }): Promise<void> {
  await database.write(
    ({ rows }) =>
      rows
        .insertInto('events')
        .values({ id, job, body_json: '{}' as never })
        .execute(),
    options,
  );
}

async function eventIds(database: Database): Promise<readonly number[]> {
  return database.read(async ({ rows }) => {
    const found = await rows.selectFrom('events').select('id').orderBy('id').execute();
    return found.map(({ id }) => id);
  });
}

/** Opens a store and closes it again. */
async function opens(opening: Promise<Database>): Promise<void> {
  await using database = await opening;
  await database.ping();
}

onEach(test, name, 'a change that fails leaves nothing, and what was remembered no longer counts', async (place) => {
  await using database = await place.open('facilitator');
  await addEvent(database, 1);
  const { generation } = database;
  const failure = new Error('in the middle');
  await assert.rejects(
    database.write(async ({ rows }) => {
      await rows
        .insertInto('events')
        .values({ id: 2, job, body_json: '{}' as never })
        .execute();
      await rows.deleteFrom('events').where('id', '=', 1).execute();
      throw failure;
    }),
    failure,
  );
  assert.deepEqual(await eventIds(database), [1]);
  assert.notEqual(database.generation, generation);
  const after = database.generation;
  await addEvent(database, 2);
  assert.equal(database.generation, after);
  await assert.rejects(addEvent(database, 2), refusal('internal', /contradicts/));
  await addEvent(database, 3);
  assert.deepEqual(await eventIds(database), [1, 2, 3]);
});

onEach(test, name, 'nobody reads half of a change, and no change is mixed with another', async (place) => {
  await using database = await place.open('facilitator');
  const changes = Array.from({ length: 20 }, (_each, change) =>
    database.write(async ({ rows }) => {
      for (let part = 0; part < 5; part++) {
        const { newest } = await rows
          .selectFrom('events')
          .select((event) => event.fn.max('id').as('newest'))
          .executeTakeFirstOrThrow();
        const id = ((newest as number | null) ?? 0) + 1;
        await rows
          .insertInto('events')
          .values({ id, job: String(change) as JobId, body_json: '{}' as never })
          .execute();
      }
    }),
  );
  const reads = Array.from({ length: 20 }, async () => {
    assert.equal((await eventIds(database)).length % 5, 0);
  });
  await Promise.all([...changes, ...reads]);
  const found = await database.read(({ rows }) => rows.selectFrom('events').select('job').orderBy('id').execute());
  assert.deepEqual(
    found.map((row) => row.job),
    Array.from({ length: 100 }, (_each, index) => String(Math.floor(index / 5))),
  );
});

onEach(test, name, 'integers of 53 bits and any bytes come back as they were', async (place) => {
  await using database = await place.open('facilitator');
  const bytes = Uint8Array.from({ length: 256 }, (_each, index) => index);
  const row = { job, round: Number.MAX_SAFE_INTEGER, series: 'aggregate' as const, block: 0, bytes };
  await database.write(({ rows }) => rows.insertInto('blocks').values(row).execute());
  const found = await database.read(({ rows }) => rows.selectFrom('blocks').selectAll().execute());
  assert.deepEqual(
    found.map((each) => ({ ...each, bytes: new Uint8Array(each.bytes) })),
    [row],
  );
  const counted = await database.read(async ({ rows }) => {
    const query = await sql<{ count: number }>`select count(*) as count from blocks`.execute(rows);
    return query.rows[0]?.count;
  });
  assert.equal(counted, 1);
});

onEach(test, name, 'checkpoints come in their order, and what dies at one is not half done', async (place) => {
  const reached: string[] = [];
  let deadly: string | undefined;
  await using database = await place.open('facilitator', {
    checkpoint: (where) => {
      reached.push(where);
      if (where === deadly) throw new Error(where);
    },
  });
  assert.deepEqual(reached, []);
  await addEvent(database, 1);
  assert.deepEqual(reached, storeCheckpoints);
  for (const [index, where] of storeCheckpoints.entries()) {
    deadly = where;
    await assert.rejects(addEvent(database, 2 + index), new Error(where));
  }
  deadly = undefined;
  assert.deepEqual(await eventIds(database), [1, 4]);
});

onEach(test, name, 'closing waits for what is under way and refuses what comes after', async (place) => {
  const database = await place.open('facilitator');
  const writes = [1, 2, 3].map((id) => addEvent(database, id));
  const closed = Promise.all([database.close(), database.close()]);
  await assert.rejects(addEvent(database, 4), refusal('store_unavailable', /closed/));
  await assert.rejects(database.ping(), refusal('store_unavailable', /closed/));
  await Promise.all(writes);
  await closed;
  await database.close();
  if (!place.outlivesProcess) return;
  await using again = await place.open('facilitator');
  assert.deepEqual(await eventIds(again), [1, 2, 3]);
  await again.ping();
});

onEach(
  test,
  name,
  'a store is of one role, opened once, and never newer than the program',
  async (place) => {
    {
      await using database = await place.open('facilitator');
      await addEvent(database, 1);
      await assert.rejects(
        opens(place.open('facilitator')),
        refusal('store_unavailable', /another process has this store open; stop it, or/),
      );
      assert.deepEqual(await eventIds(database), [1]);
    }
    await assert.rejects(
      opens(place.open('model-owner')),
      refusal('store_unavailable', /is the store of a facilitator, not of a model-owner/),
    );
    {
      await using database = await place.open('facilitator');
      await database.write(({ rows }) => rows.updateTable('store').set({ version: 99 }).execute());
    }
    await assert.rejects(
      opens(place.open('facilitator')),
      refusal('store_unavailable', /has version 99 and this program knows versions up to 2: use a newer program/),
    );
  },
  lasting,
);

onEach(
  test,
  name,
  'a store of an older version is brought to the newest, with all that is in it, or stays as it is',
  async (place) => {
    const first: Migration = ({ integer, table }) => [`create table old (id ${integer} primary key) ${table}`];
    const second: Migration = ({ bytes }) => [
      'alter table old add column name text',
      `alter table old add column content ${bytes}`,
      "update old set name = 'number ' || id",
    ];
    const wrong: Migration = () => ['alter table old add column third text', 'alter table nowhere add column any text'];
    const query = async (database: Database, text: string): Promise<unknown[]> =>
      database.read(async ({ rows }) => (await rows.executeQuery(CompiledQuery.raw(text))).rows);
    {
      await using database = await place.open('data-owner', { steps: [first] });
      await database.write(({ rows }) => rows.executeQuery(CompiledQuery.raw('insert into old values (1), (2)')));
    }
    await assert.rejects(opens(place.open('data-owner', { steps: [first, second, wrong] })));
    for (let opening = 0; opening < 2; opening++) {
      await using database = await place.open('data-owner', { steps: [first, second] });
      assert.deepEqual(await query(database, 'select id, name from old order by id'), [
        { id: 1, name: 'number 1' },
        { id: 2, name: 'number 2' },
      ]);
      assert.deepEqual(await query(database, 'select version from store'), [{ version: 2 }]);
      await assert.rejects(query(database, 'select third from old'), refusal('store_unavailable'));
    }
  },
  lasting,
);

onEach(
  test,
  name,
  'a change waits for the disk unless it is said that it need not',
  async (place) => {
    await using database = await place.open('facilitator');
    const setting = async (durable: boolean): Promise<unknown> =>
      database.write(
        async ({ rows }) => {
          const query = CompiledQuery.raw('show synchronous_commit');
          const [row] = (await rows.executeQuery<Record<string, unknown>>(query)).rows;
          return row?.synchronous_commit;
        },
        { durable },
      );
    assert.equal(await setting(true), 'on');
    assert.equal(await setting(false), 'off');
    assert.equal(await setting(true), 'on');
    assert.equal(await setting(true), 'on');
  },
  // That of a file: sqlite-log.test.ts.
  [postgres],
);

onEach(
  test,
  name,
  'opening can be given up',
  async (place) => {
    const stopped = new AbortController();
    stopped.abort();
    await assert.rejects(opens(place.open('facilitator', { signal: stopped.signal })), refusal('aborted'));
    const stopping = new AbortController();
    const opening = place.open('facilitator', { signal: stopping.signal });
    stopping.abort();
    await assert.rejects(opening, refusal('aborted'));
    // What was opened nevertheless is closed again, and does not keep the next one out.
    await until('the store can be opened', () =>
      place.open('facilitator', { signal: new AbortController().signal }).then(
        (database) => database.close().then(() => true),
        () => false,
      ),
    );
  },
  lasting,
);

/** A file in a folder that is removed after the test. */
async function withFile(work: (file: string, place: Place) => Promise<void>): Promise<void> {
  await using place = await inFile.create();
  assert.ok(place.file !== undefined);
  await work(place.file, place);
}

test('a long transaction in a file leaves the event loop to others now and then', async () => {
  await using place = await inFile.create();
  await using database = await place.open('facilitator');
  let turns = 0;
  let statements = 0;
  await database.write(async ({ rows }) => {
    const began = performance.now();
    const count = (): void => {
      turns += 1;
    };
    setImmediate(count);
    // What nobody else may interrupt for three milliseconds takes thirty here.
    while (performance.now() - began < 30) {
      await rows
        .insertInto('events')
        .values({ id: ++statements, job, body_json: '{}' as never })
        .execute();
      if (turns > 0) break;
    }
  });
  assert.equal(turns, 1);
  assert.equal((await eventIds(database)).length, statements);
});

test('a file is readable for its owner only, and one that is not is refused with the mend', async () => {
  await withFile(async (file, place) => {
    {
      await using database = await place.open('facilitator');
      await addEvent(database, 1);
      for (const each of [file, `${file}-wal`, `${file}-shm`, `${file}.lock`])
        assert.equal(statSync(each).mode & 0o777, 0o600, each);
    }
    for (const mode of [0o640, 0o604, 0o660, 0o601]) {
      chmodSync(file, mode);
      await assert.rejects(
        opens(place.open('facilitator')),
        refusal('config_invalid', new RegExp(`chmod 600 ${file}`)),
      );
    }
    chmodSync(file, 0o600);
    await using database = await place.open('facilitator');
    assert.deepEqual(await eventIds(database), [1]);
  });
});

test('what is no store is refused, and not changed', async () => {
  await withFile(async (file, place) => {
    writeFileSync(file, 'no database at all, but longer than a header of one hundred bytes '.repeat(9), {
      mode: 0o600,
    });
    const before = statSync(file).size;
    await assert.rejects(opens(place.open('facilitator')), refusal('store_unavailable', /no SQLite database/));
    assert.equal(statSync(file).size, before);
  });
  await withFile(async (file, place) => {
    const other = new SQLite(file);
    other.exec('create table accounts (id integer)');
    other.close();
    chmodSync(file, 0o600);
    await assert.rejects(
      opens(place.open('facilitator')),
      refusal('store_unavailable', /holds tables that are not sealsum's/),
    );
  });
  await withFile(async (file, place) => {
    mkdirSync(file);
    await assert.rejects(opens(place.open('facilitator')), refusal('config_invalid', /folder/));
    await assert.rejects(
      opens(openDatabase(join(file, 'no', 'store.sqlite'), { role: 'facilitator' })),
      refusal('config_invalid', /there is no folder .*; make it/),
    );
    assert.equal(existsSync(join(file, 'no')), false);
  });
});

test('a file is one store, whatever it is called', async () => {
  await withFile(async (file, place) => {
    await using database = await place.open('facilitator');
    const folder = `${file}-folder`;
    symlinkSync(file, `${file}-link`);
    symlinkSync(join(file, '..'), folder);
    for (const other of [`${file}-link`, join(folder, 'store.sqlite')])
      await assert.rejects(
        opens(openDatabase(other, { role: 'facilitator' })),
        refusal('store_unavailable', /another process/),
      );
    await database.ping();
  });
});

test('a location is a path, memory, or a URL that says nothing it should not', () => {
  assert.equal(parseLocation('a/b.sqlite').name, join(process.cwd(), 'a/b.sqlite'));
  const secret = 'postgres://me:s3cret@db.example:5433/sums?schema=owner_1&sslmode=require';
  const parsed = parseLocation(secret);
  assert.deepEqual(parsed, {
    kind: 'postgres',
    url: 'postgres://me:s3cret@db.example:5433/sums?sslmode=require',
    schema: 'owner_1',
    name: 'postgres://me@db.example:5433/sums?schema=owner_1',
  });
  for (const wrong of [
    '',
    '   ',
    'a\0b',
    'postgres://a:s3cret@[',
    `${postgresUrl}?schema=a-b`,
    `${postgresUrl}?schema=a"b`,
  ])
    assert.throws(
      () => parseLocation(wrong),
      (error) => refusal('config_invalid', /^store: /)(error) && !String(error).includes('s3cret'),
    );
});

test('a server that does not answer is named without the password', async () => {
  const location = 'postgres://me:s3cret@127.0.0.1:1/sums?schema=any';
  await assert.rejects(opens(openDatabase(location, { role: 'facilitator' })), (error) => {
    refusal('store_unavailable', /postgres:\/\/me@127\.0\.0\.1:1\/sums\?schema=any: the server does not answer/)(error);
    assert.equal(JSON.stringify(error, Object.getOwnPropertyNames(error)).includes('s3cret'), false);
    return true;
  });
});

/** The sessions of a test are named after its schema; other files may be running. */
function sessionsOf(place: Place): string {
  return `sealsum facilitator ${new URL(place.location).searchParams.get('schema') ?? ''}`;
}

async function terminateSessions(place: Place): Promise<void> {
  await inPostgres('select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', [
    sessionsOf(place),
  ]);
}

async function isLocked(place: Place): Promise<boolean> {
  const held = await inPostgres(
    "select 1 from pg_locks join pg_stat_activity using (pid) where locktype = 'advisory' and application_name = $1",
    [sessionsOf(place)],
  );
  return held.rowCount === 1;
}

onEach(
  test,
  name,
  'a connection that breaks is made again, and the lock taken again',
  async (place) => {
    await using database = await place.open('facilitator');
    await addEvent(database, 1);
    await terminateSessions(place);
    await until('the lock is gone', async () => !(await isLocked(place)));
    // The first may meet the broken connection; what fails changes nothing.
    const added = [1];
    await until('the lock is taken again', async () => {
      const id = (added.at(-1) ?? 0) + 1;
      try {
        await addEvent(database, id);
        added.push(id);
      } catch (error) {
        refusal('store_unavailable')(error);
      }
      return isLocked(place);
    });
    await addEvent(database, 1000);
    assert.deepEqual(await eventIds(database), [...added, 1000]);
    await assert.rejects(opens(place.open('facilitator')), refusal('store_unavailable', /another process/));
    await database.ping();
  },
  [postgres],
);

onEach(
  test,
  name,
  'whoever lost its lock to another writer changes nothing ever again',
  async (place) => {
    const overtaken = await place.open('facilitator');
    await addEvent(overtaken, 1);
    await terminateSessions(place);
    {
      await using next = await place.open('facilitator');
      await addEvent(next, 2);
      // While the other one holds the lock, and when it no longer does.
      await assert.rejects(addEvent(overtaken, 3), refusal('store_unavailable'));
    }
    for (let attempt = 0; attempt < 3; attempt++) {
      await assert.rejects(addEvent(overtaken, 3), refusal('store_unavailable'));
      await assert.rejects(overtaken.ping(), refusal('store_unavailable', /restart this one/));
    }
    await overtaken.close();
    await using last = await place.open('facilitator');
    assert.deepEqual(await eventIds(last), [1, 2]);
  },
  [postgres],
);

onEach(
  test,
  name,
  'a schema is made, stands beside others, and tables of others are left alone',
  async (place) => {
    const schema = new URL(place.location).searchParams.get('schema') ?? '';
    await using database = await place.open('facilitator');
    await addEvent(database, 1);
    const tables = await inPostgres('select tablename from pg_tables where schemaname = $1', [schema]);
    assert.ok(tables.rows.some((row: { tablename: string }) => row.tablename === 'events'));
    const other = `${schema}_other`;
    await inPostgres(`create schema ${other}; create table ${other}.accounts (id integer)`);
    try {
      const url = new URL(place.location);
      url.searchParams.set('schema', other);
      await assert.rejects(
        opens(openDatabase(url.href, { role: 'facilitator' })),
        refusal('store_unavailable', /holds tables that are not sealsum's/),
      );
    } finally {
      await inPostgres(`drop schema ${other} cascade`);
    }
  },
  [postgres],
);

test.run();
