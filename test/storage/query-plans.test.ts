/** What a store asks again and again is found by an index: no statement of these looks through a table or sorts. */
import assert from 'node:assert/strict';
import { CompiledQuery, type Kysely, type KyselyPlugin } from 'kysely';
import { suite } from 'uvu';
import type { JobId, OwnerId } from '../../src/protocol/identifiers.ts';
import type { Role } from '../../src/protocol/identity.ts';
import { readAuditLog } from '../../src/storage/audit-log.ts';
import { type Database, openDatabase } from '../../src/storage/database.ts';
import { createDataOwnerStore } from '../../src/storage/durable-data-owner-store.ts';
import { createFacilitatorStore } from '../../src/storage/durable-facilitator-store.ts';
import { createLedgerStore } from '../../src/storage/durable-ledger-store.ts';
import { createModelStore } from '../../src/storage/durable-model-store.ts';
import { createNonceStore } from '../../src/storage/durable-nonce-store.ts';
import type { Tables } from '../../src/storage/tables.ts';
import {
  accepted,
  auditLog,
  eventOf,
  facilitator,
  jobRecord,
  manifestOf,
  modelEvent,
  modelRecord,
  roundRecord,
  signedJob,
  unprotectedEntry,
} from './samples.ts';

const test = suite('query plans');

const roster = ['anna', 'bert'] as OwnerId[];
const [anna] = roster as [OwnerId];
const job = 'job' as JobId;

/** The plans of all statements that `work` runs, as SQLite tells them: statement → steps. */
async function plansOf(role: Role, work: (database: Database) => Promise<void>): Promise<Map<string, string[]>> {
  await using database = await openDatabase(':memory:', { role });
  const queries = new Map<string, CompiledQuery>();
  const noting = (rows: Kysely<Tables>): Kysely<Tables> => {
    const plugin: KyselyPlugin = {
      transformQuery: ({ node, queryId }) => {
        const query = rows.getExecutor().compileQuery(node, queryId);
        queries.set(query.sql, query);
        return node;
      },
      transformResult: ({ result }) => Promise.resolve(result),
    };
    return rows.withPlugin(plugin);
  };
  const observed: Database = {
    ...database,
    get generation() {
      return database.generation;
    },
    read: (each) => database.read((session) => each({ ...session, rows: noting(session.rows) })),
    write: (each, options) => database.write((session) => each({ ...session, rows: noting(session.rows) }), options),
  };
  await work(observed);
  const plans = new Map<string, string[]>();
  for (const { sql, parameters } of queries.values())
    await database.read(async ({ rows }) => {
      const explained = await rows.executeQuery<{ detail: string }>(
        CompiledQuery.raw(`explain query plan ${sql}`, [...parameters]),
      );
      plans.set(
        sql,
        explained.rows.map(({ detail }) => detail),
      );
    });
  return plans;
}

function requireNoScan(plans: Map<string, string[]>, least: number): void {
  assert.ok(plans.size >= least, `${plans.size} statements`);
  for (const [sql, steps] of plans)
    for (const step of steps)
      assert.ok(!/^SCAN (?!CONSTANT ROW|\d+-ROW VALUES)|TEMP B-TREE/.test(step), `${step} in: ${sql}`);
}

test('an unindexed question would be noticed', async () => {
  const plans = await plansOf('facilitator', async (database) => {
    await database.read(({ rows }) => rows.selectFrom('jobs').selectAll().where('round', '=', 1).execute());
  });
  assert.throws(() => {
    requireNoScan(plans, 1);
  }, /SCAN jobs/);
  const sorted = await plansOf('facilitator', async (database) => {
    await database.read(({ rows }) =>
      rows.selectFrom('events').selectAll().where('job', '=', job).orderBy('body_json').execute(),
    );
  });
  assert.throws(() => {
    requireNoScan(sorted, 1);
  }, /TEMP B-TREE/);
});

test('a facilitator: jobs, rounds, contributions, blocks, events, nonces', async () => {
  const plans = await plansOf('facilitator', async (database) => {
    const store = createFacilitatorStore(database, auditLog());
    const nonces = createNonceStore(database);
    const record = roundRecord(job, 1, roster);
    const place = { job, round: 1, series: 'aggregate' as const };
    await store.commit({ job: jobRecord(job, roster), events: [eventOf(job)], audit: [{ type: 'any' }] });
    await store.commit({
      job: jobRecord(job, roster, { round: 1 }),
      owners: [{ job, view: { owner: anna, status: 'ready' } }],
      round: record,
      events: [],
    });
    await store.commit({
      round: { ...record, manifest: manifestOf(record, [accepted(anna)]) },
      contributions: { job, round: 1, accepted: [accepted(anna)] },
      blocks: [{ place, block: 0, bytes: new Uint8Array(1) }],
      forget: [place, { job, round: 1, series: 'products' }, { job, round: 1 }, { job }],
      events: [eventOf(job)],
    });
    await store.keepBlock(place, 1, new Uint8Array(1));
    await store.block(place, 1);
    await store.forgetBlocks(place);
    await store.job(job);
    await store.round(job, 1);
    await store.events(0, job, 10);
    await store.events(0, undefined, 10);
    await store.lastEvent();
    await nonces.use(facilitator.fingerprint, 'nonce', 1);
    await nonces.forget(2);
    await readAuditLog(database, 0, 10);
  });
  requireNoScan(plans, 25);
});

test('a data owner: jobs, contributions, receipts, ledger', async () => {
  const plans = await plansOf('data-owner', async (database) => {
    const store = createDataOwnerStore(database, auditLog());
    await store.commit({
      job: { job, digest: 'd', status: 'ready', updatedAt: 1 },
      contribution: { job, round: 1, roundDigest: 'r', digest: 'c', bytes: new Uint8Array(1) },
      audit: [{ type: 'any' }],
    });
    await store.job(job);
    await store.contribution(job, 1);
    await store.receipts(job);
    await store.forgetBytes(job);
    await createLedgerStore(database).append(unprotectedEntry(job));
  });
  requireNoScan(plans, 8);
});

test('a model owner: models, trainings, rounds, events', async () => {
  const plans = await plansOf('model-owner', async (database) => {
    const store = createModelStore(database, auditLog());
    const model = modelRecord('m', roster);
    const training = { id: 'm', roster, round: 0, opened: 0 };
    const proposal = { signed: signedJob(job, roster), sealedKeys: new Uint8Array(3) };
    for (const parameters of [undefined, [1, 2]])
      await store.commit({
        model: { ...model, ...(parameters === undefined ? {} : { parameters }) },
        training: { ...training, ...(parameters === undefined ? {} : { proposal }) },
        round: { id: 'm', report: { round: 1, contributors: 2, seconds: 1, bytes: 1 } },
        event: { id: 'm', body: modelEvent(model) },
        audit: [{ type: 'any' }],
      });
    await store.commit({ training: { ...training, proposal } });
    await store.get('m');
    await store.training('m');
    await store.rounds('m');
    await store.events('m', 0, 10);
    await store.commit({ trainingOver: 'm' });
    await store.delete('m');
  });
  requireNoScan(plans, 20);
});

test.run();
