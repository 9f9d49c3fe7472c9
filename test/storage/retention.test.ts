/** What is forgotten, and that what it took is given back: a store does not grow with the rounds that have been. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { CompiledQuery } from 'kysely';
import { suite } from 'uvu';
import type { JobId, OwnerId, PartyId } from '../../src/protocol/identifiers.ts';
import { createIdentity } from '../../src/protocol/identity.ts';
import { createAuditLog } from '../../src/storage/audit-log.ts';
import type { Database } from '../../src/storage/database.ts';
import { createDataOwnerStore } from '../../src/storage/durable-data-owner-store.ts';
import { createFacilitatorStore } from '../../src/storage/durable-facilitator-store.ts';
import type { Retention } from '../../src/storage/facilitator-store.ts';
import { createTestClock } from '../support/clock.ts';
import { onEach } from './places.ts';
import { accepted, auditLog, eventOf, jobRecord, manifestOf, roundRecord } from './samples.ts';

const test = suite('retention');

const identity = createIdentity('facilitator' as PartyId, 'facilitator', new Uint8Array(32));
const roster = ['anna', 'bert'] as OwnerId[];
const [anna, bert] = roster as [OwnerId, OwnerId];
const job = 'job' as JobId;
const rule: Retention = { rounds: 2, endedJobs: 1, endedJobDays: 30, events: 100 };
const blockBytes = 16_384;

async function counts(database: Database, tables: readonly string[]): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const table of tables)
    await database.read(async ({ rows }) => {
      const query = CompiledQuery.raw(`select count(*) as count from ${table}`);
      found[table] = (await rows.executeQuery<{ count: number }>(query)).rows[0]?.count ?? -1;
    });
  return found;
}

/** Bytes of the pages of a SQLite database. */
async function pageBytes(database: Database): Promise<number> {
  return database.read(async ({ rows }) => {
    const query = CompiledQuery.raw('pragma page_count');
    return 4096 * ((await rows.executeQuery<{ page_count: number }>(query)).rows[0]?.page_count ?? Number.NaN);
  });
}

onEach(test, 'retention', '2000 rounds', async (place) => {
  // Where every commit waits for a disk or a server, fewer tell as much.
  const rounds = place.outlivesProcess ? 300 : 2000;
  await using database = await place.open('facilitator');
  const store = createFacilitatorStore(database, createAuditLog(identity, createTestClock(), { keep: 100 }));
  await store.commit({ job: jobRecord(job, roster), events: [] });
  const parameters = Array.from({ length: 1000 }, (_each, index) => index / 7);
  let forgotten = 0;
  for (let round = 1; round <= rounds; round++) {
    const record = roundRecord(job, round, roster, {}, parameters);
    const product = { job, round, series: 'product:1' as const };
    await store.commit({
      round: record,
      contributions: { job, round, accepted: [accepted(anna)] },
      blocks: [{ place: product, block: 0, bytes: new Uint8Array(blockBytes) }],
      events: [eventOf(job, { round })],
    });
    await store.commit({
      round: {
        ...record,
        state: { ...record.state, status: 'closed' },
        manifest: manifestOf(record, [accepted(anna), accepted(bert)]),
      },
      contributions: { job, round, accepted: [accepted(bert)] },
      forget: [product],
      blocks: [{ place: { ...product, series: 'aggregate' }, block: 0, bytes: new Uint8Array(blockBytes) }],
      events: [eventOf(job, { round })],
      audit: [{ type: 'round.closed', job, round }],
    });
    if (round % 50 === 0) forgotten += (await store.retain(rule, 0)).rounds;
  }
  assert.equal(forgotten, rounds - 2);
  assert.deepEqual(await counts(database, ['round_descriptors', 'blocks', 'events', 'rounds', 'contributions']), {
    round_descriptors: 2,
    blocks: 2,
    events: 100,
    rounds,
    contributions: 2 * rounds,
  });
  const old = await store.round(job, 1);
  assert.equal(old?.signed, undefined);
  assert.deepEqual(old?.manifest?.manifest.contributions, [accepted(anna), accepted(bert)]);
  assert.notEqual((await store.round(job, rounds - 1))?.signed, undefined);
  // Without forgetting it would be more than a descriptor and an aggregate for each round.
  if (place.location === ':memory:') {
    const kept = await pageBytes(database);
    assert.ok(kept < 8 * 2 ** 20, `${kept} bytes`);
    assert.ok(kept < (rounds * (blockBytes + JSON.stringify(parameters).length)) / 8);
  }
});

onEach(
  test,
  'retention',
  'an ended job is forgotten with all that is its own, and the space is given back',
  async (place) => {
    await using database = await place.open('facilitator');
    const store = createFacilitatorStore(database, auditLog());
    const [old, recent, running] = ['old', 'recent', 'running'] as [JobId, JobId, JobId];
    for (const [index, name] of [old, recent, running].entries()) {
      await store.commit({ job: jobRecord(name, roster), events: [eventOf(name)] });
      for (let round = 1; round <= 12; round++) {
        const record = roundRecord(name, round, roster, { status: 'closed' });
        await store.commit({
          round: record,
          contributions: { job: name, round, accepted: [accepted(anna)] },
          events: [],
        });
      }
      for (let block = 0; block < 30; block++)
        await store.keepBlock({ job: name, round: 12, series: 'aggregate' }, block, new Uint8Array(2 ** 18));
      if (name !== running)
        await store.commit({ job: jobRecord(name, roster, { status: 'finished', changedAt: index }), events: [] });
    }
    const before = place.file === undefined ? 0 : statSync(place.file).size;
    assert.deepEqual(await store.retain({ ...rule, rounds: 100 }, 0), { jobs: 1, rounds: 0, events: 0 });
    assert.equal(await store.job(old), undefined);
    assert.equal(await store.round(old, 3), undefined);
    assert.equal(await store.block({ job: old, round: 12, series: 'aggregate' }, 0), undefined);
    assert.deepEqual(
      (await store.jobs()).map(({ signed }) => signed.descriptor.job),
      [recent, running],
    );
    assert.notEqual(await store.block({ job: running, round: 12, series: 'aggregate' }, 29), undefined);
    assert.deepEqual(await counts(database, ['rounds', 'contributions', 'round_descriptors', 'job_owners']), {
      rounds: 24,
      contributions: 24,
      round_descriptors: 24,
      job_owners: 4,
    });
    // The days count for those that are few enough.
    assert.deepEqual(await store.retain({ ...rule, rounds: 100 }, 1 + 30 * 86_400_000), {
      jobs: 0,
      rounds: 0,
      events: 0,
    });
    assert.deepEqual(await store.retain({ ...rule, rounds: 100 }, 2 + 30 * 86_400_000), {
      jobs: 1,
      rounds: 0,
      events: 0,
    });
    // The same name is another job now.
    await store.commit({ job: jobRecord(old, roster), events: [] });
    assert.equal(await store.round(old, 3), undefined);
    await database.close();
    if (place.file !== undefined) {
      const after = statSync(place.file).size;
      // A third of 3 × 7.5 MB is left, and the megabytes that are kept for what comes next.
      assert.ok(after < before * 0.6, `${after} of ${before} bytes`);
    }
  },
);

onEach(
  test,
  'retention',
  'of jobs that ended at the same time the one made first is forgotten first',
  async (place) => {
    await using database = await place.open('facilitator');
    const store = createFacilitatorStore(database, auditLog());
    // Neither the names nor the order in which they ended say which was made first.
    const names = ['middle', 'last', 'first', 'other'] as JobId[];
    for (const name of names) await store.commit({ job: jobRecord(name, roster), events: [] });
    for (const name of ['other', 'first', 'middle', 'last'] as JobId[])
      await store.commit({ job: jobRecord(name, roster, { status: 'finished', changedAt: 7 }), events: [] });
    for (let kept = names.length - 1; kept >= 0; kept--) {
      assert.equal((await store.retain({ ...rule, endedJobs: kept }, 7)).jobs, 1);
      assert.deepEqual(
        (await store.jobs()).map(({ signed }) => signed.descriptor.job),
        names.slice(names.length - kept),
      );
    }
  },
);

onEach(test, 'retention', 'numbers of events never begin again', async (place) => {
  {
    await using database = await place.open('facilitator');
    const store = createFacilitatorStore(database, auditLog());
    await store.commit({ events: [eventOf(job), eventOf(job), eventOf(job)] });
    assert.deepEqual(await store.retain({ ...rule, events: 0 }, 0), { jobs: 0, rounds: 0, events: 2 });
    assert.deepEqual(
      (await store.events(0, undefined, 10)).map(({ id }) => id),
      [3],
    );
  }
  if (!place.outlivesProcess) return;
  await using database = await place.open('facilitator');
  const store = createFacilitatorStore(database, auditLog());
  assert.equal(await store.lastEvent(), 3);
  assert.equal((await store.commit({ events: [eventOf(job)] }))[0]?.id, 4);
});

onEach(
  test,
  'retention',
  'a data owner forgets the bytes of what is over, and the oldest of its ended jobs',
  async (place) => {
    await using database = await place.open('data-owner');
    const store = createDataOwnerStore(database, auditLog());
    const names = ['first', 'second', 'third', 'going'] as JobId[];
    for (const [index, name] of names.entries()) {
      const status = name === 'going' ? 'ready' : 'ended';
      await store.commit({
        job: { job: name, digest: 'd', status, updatedAt: index },
        contribution: { job: name, round: 1, roundDigest: 'r', digest: 'c', bytes: new Uint8Array([index]) },
      });
    }
    await store.retain({ endedJobs: 2 });
    const kept = { round: 1, roundDigest: 'r', digest: 'c' };
    assert.deepEqual(
      (await store.jobs()).map((each) => each.job),
      ['second', 'third', 'going'],
    );
    const [first, second, , going] = names as [JobId, JobId, JobId, JobId];
    assert.equal(await store.contribution(first, 1), undefined);
    assert.deepEqual(await store.contribution(second, 1), { job: second, ...kept });
    assert.deepEqual(await store.contribution(going, 1), { job: going, ...kept, bytes: new Uint8Array([3]) });
    await store.forgetBytes(going);
    assert.deepEqual(await store.contribution(going, 1), { job: going, ...kept });
  },
);

test.run();
