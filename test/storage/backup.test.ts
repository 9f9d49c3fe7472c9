/** A backup is the store as it was at one moment, while its process goes on, and a store that a party can be started with. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { CompiledQuery } from 'kysely';
import { suite } from 'uvu';
import { type ErrorCode, SealsumError } from '../../src/errors.ts';
import type { JobId, OwnerId } from '../../src/protocol/identifiers.ts';
import type { Role } from '../../src/protocol/identity.ts';
import { backup } from '../../src/storage/backup.ts';
import { type Database, openDatabase } from '../../src/storage/database.ts';
import { createDataOwnerStore } from '../../src/storage/durable-data-owner-store.ts';
import { createFacilitatorStore } from '../../src/storage/durable-facilitator-store.ts';
import { createLedgerStore } from '../../src/storage/durable-ledger-store.ts';
import { createModelStore } from '../../src/storage/durable-model-store.ts';
import { createNonceStore } from '../../src/storage/durable-nonce-store.ts';
import { until } from '../support/until.ts';
import { inFile, lasting, onEach } from './places.ts';
import { auditLog, facilitator, modelEvent, modelRecord, signedJob, unprotectedEntry } from './samples.ts';
import { begin, changeOf, requireWhole } from './whole.ts';
import { patience, Writer } from './writer-process.ts';

const test = suite('backup');

const job = 'job' as JobId;

function refusal(code: ErrorCode, word: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof SealsumError && error.code === code && word.test(error.message);
}

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sealsum-backup-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

onEach(
  test,
  'backup',
  'a store that another process writes to all the time is copied whole',
  async (place) => {
    await withFolder(async (folder) => {
      await using writer = new Writer(place.location);
      await writer.go();
      await until('some changes are there', () => writer.acknowledged >= 20, patience);
      for (let copy = 0; copy < 5; copy++) {
        const before = writer.acknowledged;
        const file = join(folder, `${copy}.sqlite`);
        const progress: number[] = [];
        const made = await backup(place.location, file, {
          onProgress: (done, total) => {
            progress.push(done / total);
          },
        });
        assert.deepEqual(made, { role: 'facilitator', file, bytes: statSync(file).size });
        assert.ok(progress.every((each, index) => each >= (progress[index - 1] ?? 0) && each <= 1));
        assert.equal(statSync(file).mode & 0o777, 0o600);
        await until('it goes on', () => writer.acknowledged > before, patience);
        await using restored = await openDatabase(file, { role: 'facilitator' });
        const last = await requireWhole(restored);
        assert.ok(last >= before && last <= writer.acknowledged + 1, `${last} after ${before}`);
        await createFacilitatorStore(restored, auditLog()).commit(changeOf(last + 1));
        assert.equal(await requireWhole(restored), last + 1);
      }
      assert.deepEqual(
        readdirSync(folder).filter((name) => name.includes('partial')),
        [],
      );
    });
  },
  lasting,
);

onEach(
  test,
  'backup',
  'what is written between two pieces of the copy is not in it, and does not begin it anew',
  async (place) => {
    await withFolder(async (folder) => {
      const file = join(folder, 'copy.sqlite');
      {
        await using database = await place.open('facilitator');
        const store = createFacilitatorStore(database, auditLog());
        const bytes = new Uint8Array(2 ** 20);
        for (let block = 0; block < 16; block++)
          await store.keepBlock({ job, round: 1, series: 'aggregate' }, block, bytes);
      }
      const location = place.file ?? assert.fail('no file');
      const writer = new SQLite(location);
      try {
        let pieces = 0;
        await backup(location, file, {
          onProgress: () => {
            pieces += 1;
            writer.prepare("insert into events values (?, 'job', '{}')").run(pieces);
            writer.prepare('update blocks set bytes = zeroblob(1000000) where block = ?').run(pieces);
          },
        });
        // 16 MB in pieces of 4.
        assert.ok(pieces >= 3 && pieces <= 6, String(pieces));
      } finally {
        writer.close();
      }
      await using restored = await openDatabase(file, { role: 'facilitator' });
      const store = createFacilitatorStore(restored, auditLog());
      assert.equal(await store.lastEvent(), 0);
      assert.equal((await store.block({ job, round: 1, series: 'aggregate' }, 1))?.length, 2 ** 20);
    });
  },
  [inFile],
);

const roster = ['anna', 'bert'] as OwnerId[];

/** Something in every table of a role. */
const fillers: Readonly<Record<Role, (database: Database) => Promise<void>>> = {
  facilitator: async (database) => {
    const store = createFacilitatorStore(database, auditLog());
    await begin(store);
    for (let number = 1; number <= 40; number++) await store.commit(changeOf(number));
  },
  'data-owner': async (database) => {
    const store = createDataOwnerStore(database, auditLog());
    const bytes = Uint8Array.from({ length: 100_000 }, (_each, index) => index % 256);
    for (let round = 1; round <= 40; round++)
      await store.commit({
        job: { job, digest: 'd', status: 'ready', round, updatedAt: Number.MAX_SAFE_INTEGER },
        contribution: { job, round, roundDigest: 'r', digest: 'c', ...(round % 2 === 0 ? { bytes } : {}) },
        audit: [{ type: 'any' }],
      });
    await createLedgerStore(database).append(unprotectedEntry(job));
  },
  'model-owner': async (database) => {
    const store = createModelStore(database, auditLog());
    const model = modelRecord('one', roster, { parameters: [1 / 3] });
    await store.commit({
      model,
      training: {
        id: 'one',
        roster,
        round: 1,
        opened: 2,
        proposal: { signed: signedJob(job, roster), sealedKeys: new Uint8Array([0, 255]) },
      },
      round: { id: 'one', report: { round: 1, contributors: 2, seconds: 0.1, bytes: 3 } },
      event: { id: 'one', body: modelEvent(model) },
      audit: [{ type: 'any' }],
    });
  },
};

/** Every row of every table, in any order. */
async function everything(database: Database, tables: readonly string[]): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const table of tables)
    await database.read(async ({ rows }) => {
      const query = CompiledQuery.raw(`select * from ${table}`);
      const each = (await rows.executeQuery<Record<string, unknown>>(query)).rows;
      const shown = each.map((row) =>
        JSON.stringify(row, (key, value: unknown) => (key === 'writer' ? null : value), 0),
      );
      found.set(table, shown.sort());
    });
  return found;
}

for (const role of ['facilitator', 'data-owner', 'model-owner'] as const)
  onEach(
    test,
    'backup',
    `every row of a ${role} is in the copy`,
    async (place) => {
      await withFolder(async (folder) => {
        const file = join(folder, 'copy.sqlite');
        await using database = await place.open(role);
        await fillers[role](database);
        await createNonceStore(database).use(facilitator.fingerprint, 'nonce', 1);
        await backup(place.location, file);
        await using restored = await openDatabase(file, { role });
        const names = await restored.read(async ({ rows }) => {
          const query = CompiledQuery.raw("select name from sqlite_master where type = 'table'");
          return (await rows.executeQuery<{ name: string }>(query)).rows.map(({ name }) => name);
        });
        const [original, copied] = [await everything(database, names), await everything(restored, names)];
        assert.deepEqual(copied, original);
        for (const [table, rows] of copied) assert.ok(rows.length > 0, `nothing in ${table}`);
      });
    },
    lasting,
  );

onEach(
  test,
  'backup',
  'nothing is replaced unless it is said, and nothing is left behind',
  async (place) => {
    await withFolder(async (folder) => {
      await using database = await place.open('facilitator');
      await fillers.facilitator(database);
      const file = join(folder, 'copy.sqlite');
      writeFileSync(file, 'precious');
      await assert.rejects(backup(place.location, file), refusal('config_invalid', /copy\.sqlite .*it exists/));
      assert.equal(statSync(file).size, 8);
      const stopped = new AbortController();
      stopped.abort();
      const { signal } = stopped;
      await assert.rejects(
        backup(place.location, file, { signal, replace: true }),
        refusal('aborted', /nothing was left/),
      );
      assert.equal(statSync(file).size, 8);
      await assert.rejects(backup(place.location, join(folder, 'no', 'copy')), refusal('config_invalid', /no folder/));
      mkdirSync(join(folder, 'sub'));
      await assert.rejects(
        backup(place.location, join(folder, 'sub'), { replace: true }),
        refusal('config_invalid', /folder/),
      );
      await backup(place.location, file, { replace: true });
      assert.deepEqual(readdirSync(folder).sort(), ['copy.sqlite', 'sub']);
      await using restored = await openDatabase(file, { role: 'facilitator' });
      assert.equal(await requireWhole(restored), 40);
    });
  },
  lasting,
);

test('what cannot be copied is refused by name', async () => {
  await withFolder(async (folder) => {
    const file = join(folder, 'copy.sqlite');
    await assert.rejects(backup(':memory:', file), refusal('config_invalid', /memory/));
    await assert.rejects(backup(join(folder, 'none.sqlite'), file), refusal('config_invalid', /no such file/));
    const other = join(folder, 'other.sqlite');
    writeFileSync(other, 'this is no database at all. '.repeat(100), { mode: 0o600 });
    await assert.rejects(backup(other, file), refusal('store_unavailable', /no SQLite database/));
    writeFileSync(join(folder, 'empty.sqlite'), '', { mode: 0o600 });
    await assert.rejects(
      backup(join(folder, 'empty.sqlite'), file),
      refusal('store_unavailable', /no store of sealsum/),
    );
    const dead = 'postgres://me:s3cret@127.0.0.1:1/sums';
    await assert.rejects(backup(dead, file), (error) => {
      assert.equal(String(error).includes('s3cret'), false);
      return refusal('store_unavailable', /me@127\.0\.0\.1:1/)(error);
    });
    assert.equal(existsSync(file), false);
  });
});

test.run();
