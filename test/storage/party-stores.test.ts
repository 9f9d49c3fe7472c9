/** The stores of data owners and model owners, ledgers and nonces: what was kept comes back, also after a restart. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CompiledQuery } from 'kysely';
import { suite } from 'uvu';
import { type ErrorCode, SealsumError } from '../../src/errors.ts';
import { createLedger, type LedgerEntry } from '../../src/privacy/ledger.ts';
import { rational } from '../../src/privacy/rational.ts';
import type { JobId, OwnerId } from '../../src/protocol/identifiers.ts';
import type { OwnerView } from '../../src/protocol/job-messages.ts';
import type { SignedReceipt } from '../../src/protocol/round-messages.ts';
import type { OwnedContribution, OwnedJobRecord } from '../../src/storage/data-owner-store.ts';
import { type Database, openDatabase } from '../../src/storage/database.ts';
import { createDataOwnerStore } from '../../src/storage/durable-data-owner-store.ts';
import { createLedgerStore, ledgerEntries } from '../../src/storage/durable-ledger-store.ts';
import { createModelStore } from '../../src/storage/durable-model-store.ts';
import { createNonceStore } from '../../src/storage/durable-nonce-store.ts';
import { migrations } from '../../src/storage/migrations.ts';
import type { ModelEventRecord, ModelRecord, RoundReport, TrainingRecord } from '../../src/storage/model-store.ts';
import { readStore } from '../../src/storage/store-reader.ts';
import { oddText } from './odd-text.ts';
import { lasting, onEach, type Place } from './places.ts';
import { auditLog, facilitator, modelEvent, modelRecord, signature, signedJob } from './samples.ts';

const test = suite('party stores');
/** As JSON gives it back: with the prototype that every object has. */
function plain<T>(fields: { [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true });
}

const runs = process.env.SLOW === undefined ? 8 : 200;

const [first, second] = ['first', 'second'] as [JobId, JobId];
const anna = 'anna' as OwnerId;

function refusal(code: ErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof SealsumError && error.code === code;
}

/** Runs the work twice: before, and where the store outlives its process also after, a restart. */
async function alsoAfterRestart(
  place: Place,
  role: 'data-owner' | 'model-owner',
  work: (database: Database) => Promise<void>,
  look: (database: Database) => Promise<void>,
): Promise<void> {
  {
    await using database = await place.open(role);
    await work(database);
    await look(database);
  }
  if (!place.outlivesProcess) return;
  await using database = await place.open(role);
  await look(database);
}

onEach(
  test,
  'party stores',
  'an owner’s jobs are listed oldest first, the newest record of each',
  async (_place, kind) => {
    await fc.assert(
      fc.asyncProperty(oddText, fc.nat(), async (reason, records) => {
        await using place = await kind.create();
        const old = { job: first, digest: 'd', status: 'joining' as const, updatedAt: 1 };
        const other = { job: second, digest: 'e', status: 'refused' as const, reason, updatedAt: 2 };
        const answer = { job: first, owner: anna, job_digest: 'd', status: 'ready' as const, tag_key: 'k' };
        const newer = { ...old, status: 'ready' as const, answer, records, dropped: 0, round: 3, updatedAt: 3 };
        await using database = await place.open('data-owner');
        const store = createDataOwnerStore(database, auditLog());
        for (const job of [old, other, newer]) await store.commit({ job });
        assert.deepEqual(await store.jobs(), [newer, other]);
        assert.deepEqual(await store.job(first), newer);
        assert.equal(await store.job('third' as JobId), undefined);
      }),
      { numRuns: runs },
    );
  },
);

onEach(test, 'party stores', 'a contribution is made once: the same bytes for a retry, never others', async (place) => {
  const made: OwnedContribution = {
    job: first,
    round: 2,
    roundDigest: 'r',
    digest: 'c',
    bytes: new Uint8Array([0, 255, 7]),
  };
  const { bytes, ...withoutBytes } = made;
  const receipt: SignedReceipt = {
    receipt: { job: first, round: 2, round_digest: 'r', owner: anna, digest: 'c', bytes: 3 },
    signature,
  };
  await alsoAfterRestart(
    place,
    'data-owner',
    async (database) => {
      const store = createDataOwnerStore(database, auditLog());
      assert.equal(await store.contribution(first, 2), undefined);
      await store.commit({ contribution: made });
      assert.deepEqual(await store.contribution(first, 2), made);
      await store.commit({ contribution: { ...made, round: 1 } });
      for (const other of [{ roundDigest: 'another' }, { digest: 'another' }]) {
        const change = {
          job: { job: first, digest: 'd', status: 'ready' as const, updatedAt: 1 },
          contribution: { ...made, ...other, bytes: new Uint8Array([1]) },
        };
        await assert.rejects(store.commit(change), refusal('contribution_conflict'));
        assert.equal(await store.job(first), undefined);
      }
      assert.deepEqual(await store.contribution(first, 2), made);
      await store.commit({ contribution: { ...withoutBytes, receipt } });
    },
    async (database) => {
      const store = createDataOwnerStore(database, auditLog());
      assert.deepEqual(await store.contribution(first, 2), { ...withoutBytes, receipt });
      assert.deepEqual(await store.contribution(first, 1), { ...made, round: 1 });
      assert.deepEqual(await store.receipts(first), [receipt]);
      assert.deepEqual(await store.receipts(second), []);
      // A receipt once kept stays.
      await store.commit({ contribution: withoutBytes });
      assert.deepEqual((await store.contribution(first, 2))?.receipt, receipt);
      assert.equal(bytes?.length, 3);
    },
  );
});

onEach(test, 'party stores', 'a ledger gives back every entry, in order and exactly', async (place) => {
  const anyRho = fc
    .tuple(fc.bigInt({ min: 0n, max: 1n << 300n }), fc.bigInt({ min: 1n, max: 1n << 300n }))
    .map(([numerator, denominator]) => rational(numerator, denominator));
  const anyCost: fc.Arbitrary<Pick<LedgerEntry, 'rho' | 'unit' | 'neighbours' | 'sampling'>> = fc.oneof(
    fc.constant({ rho: null, unit: null, neighbours: null, sampling: null }),
    plain({
      rho: anyRho,
      unit: fc.constantFrom('record' as const, 'owner' as const),
      neighbours: fc.constantFrom('zero-out' as const, 'substitution' as const),
      sampling: fc.constantFrom(1, 0.1, 2 ** -40),
    }),
  );
  const anyEntry: fc.Arbitrary<LedgerEntry> = plain({
    job: fc.constantFrom('first', 'second'),
    round: fc.integer({ min: 1, max: 1_000_000_000 }),
    dataset: fc.constantFrom('data.csv', 'Röntgen 2024 (2).tsv', ''),
    cost: anyCost,
    at: fc.constant('2024-01-01T00:00:00.000Z'),
  }).map(({ cost, ...entry }) => ({ ...entry, ...cost }));
  const entries = fc.sample(anyEntry, { numRuns: 20, seed: 1 });
  await alsoAfterRestart(
    place,
    'data-owner',
    async (database) => {
      const store = createLedgerStore(database);
      assert.deepEqual(await store.entries(), []);
      for (const entry of entries) await store.append(entry);
    },
    async (database) => {
      assert.deepEqual(await createLedgerStore(database).entries(), entries);
    },
  );
});

onEach(test, 'party stores', 'what a job asked for stays beside its record until another is asked', async (place) => {
  const created_at = '2024-01-01T00:00:00.000Z';
  const asked = { ...signedJob(first, [anna]), created_at };
  const [record, later] = [1, 2].map((updatedAt) => ({
    job: first,
    digest: 'd',
    status: 'asking' as const,
    updatedAt,
  })) as [OwnedJobRecord, OwnedJobRecord];
  const other = { ...asked, created_at: '2024-01-02T00:00:00.000Z' };
  await alsoAfterRestart(
    place,
    'data-owner',
    async (database) => {
      const store = createDataOwnerStore(database, auditLog());
      await store.commit({ job: { ...record, job: second } });
      await store.commit({ job: record, asked: other });
      await store.commit({ job: record, asked });
      await store.commit({ job: later });
    },
    async (database) => {
      const store = createDataOwnerStore(database, auditLog());
      assert.deepEqual(await store.asked(first), asked);
      assert.equal(await store.asked(second), undefined);
      assert.equal(await store.asked('third' as JobId), undefined);
      // The record is as small as it was: it is written in every round.
      assert.deepEqual(await store.job(first), later);
    },
  );
});

/** What the first version of the program wrote: rounds with a rho, and one without. */
async function writeOldLedger(database: Database): Promise<void> {
  const columns = 'position, job, round, rho_numerator, rho_denominator, at';
  for (const row of ["1, 'first', 1, '1', '20', 'monday'", "2, 'second', 1, null, null, 'tuesday'"])
    await database.write(({ rows }) =>
      rows.executeQuery(CompiledQuery.raw(`insert into ledger (${columns}) values (${row})`)),
    );
}

const oldEntries: readonly LedgerEntry[] = [
  {
    job: 'first',
    round: 1,
    dataset: null,
    rho: rational(1n, 20n),
    unit: 'record',
    neighbours: 'zero-out',
    sampling: 1,
    at: 'monday',
  },
  { job: 'second', round: 1, dataset: null, rho: null, unit: null, neighbours: null, sampling: null, at: 'tuesday' },
];

onEach(
  test,
  'party stores',
  'a ledger from before data sets and units were told apart is brought forward, and counts for every data set',
  async (place) => {
    {
      await using database = await place.open('data-owner', { steps: migrations['data-owner'].slice(0, 1) });
      await writeOldLedger(database);
    }
    // Whoever only looks may be newer than the party that has not been started since.
    assert.deepEqual(await readStore(place.location, ({ rows }) => ledgerEntries(rows)), oldEntries);
    await using database = await place.open('data-owner');
    const store = createLedgerStore(database);
    assert.deepEqual(await store.entries(), oldEntries);
    const ledger = createLedger(store);
    const cost = { rho: rational(1n, 20n), unit: 'record', neighbours: 'zero-out', sampling: 1 } as const;
    const caps = { rhoTotal: rational(1n, 10n) };
    const charge = (job: string, round: number, dataset: string): Promise<boolean> =>
      ledger.charge({ job, round, dataset, ...cost }, caps);
    assert.equal(await charge('first', 1, 'data.csv'), false, 'it was charged before');
    assert.equal(await charge('first', 2, 'data.csv'), true);
    await assert.rejects(charge('first', 3, 'data.csv'), refusal('policy_refused'));
    assert.equal(await charge('third', 1, 'other.csv'), true);
    await assert.rejects(charge('third', 2, 'other.csv'), refusal('policy_refused'));
    assert.deepEqual((await store.entries()).slice(0, 2), oldEntries);
  },
  lasting,
);

onEach(test, 'party stores', 'a nonce is used once, whoever asks and however many at once', async (place) => {
  const other = facilitator.fingerprint.replace(/^./, (letter) =>
    letter === 'A' ? 'B' : 'A',
  ) as typeof facilitator.fingerprint;
  await alsoAfterRestart(
    place,
    'data-owner',
    async (database) => {
      const nonces = createNonceStore(database);
      const asked = await Promise.all(
        Array.from({ length: 20 }, () => nonces.use(facilitator.fingerprint, 'one', 100)),
      );
      assert.deepEqual(
        asked.filter((used) => used),
        [true],
      );
      assert.equal(await nonces.use(other, 'one', 100), true);
      assert.equal(await nonces.use(facilitator.fingerprint, 'ONE', 100), true);
      for (let index = 0; index < 50; index++)
        assert.equal(await nonces.use(facilitator.fingerprint, `early ${index}`, 50 + (index % 2)), true);
      await nonces.forget(51);
      assert.equal(await nonces.use(facilitator.fingerprint, 'early 0', 50), true, 'expired and forgotten');
      assert.equal(await nonces.use(facilitator.fingerprint, 'early 1', 51), false, 'not before its time');
    },
    async (database) => {
      assert.equal(await createNonceStore(database).use(facilitator.fingerprint, 'one', 100), false);
    },
  );
});

onEach(test, 'party stores', 'more expired nonces than are deleted at a time are all deleted', async (place) => {
  await using database = await place.open('data-owner');
  const nonces = createNonceStore(database);
  await database.write(async ({ rows }) => {
    for (let start = 0; start < 5000; start += 500)
      await rows
        .insertInto('nonces')
        .values(
          Array.from({ length: 500 }, (_each, index) => ({
            key: facilitator.fingerprint,
            nonce: `${start + index}`,
            expires_at: start + index,
          })),
        )
        .execute();
  });
  await nonces.forget(4990);
  const left = await database.read(({ rows }) => rows.selectFrom('nonces').select('nonce').execute());
  assert.deepEqual(
    left.map(({ nonce }) => Number(nonce)).sort(),
    [4990, 4991, 4992, 4993, 4994, 4995, 4996, 4997, 4998, 4999],
  );
});

const status = fc.constantFrom('preparing' as const, 'training' as const, 'finished' as const, 'failed' as const);
const anyView: fc.Arbitrary<OwnerView> = plain({
  owner: fc.constantFrom('anna' as OwnerId, 'bert' as OwnerId),
  status: fc.constantFrom('ready' as const, 'absent' as const),
  reason: oddText,
});
const anyReport: fc.Arbitrary<RoundReport> = plain({
  round: fc.integer({ min: 1, max: 4 }),
  contributors: fc.nat(),
  metrics: plain({ loss: fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }) }),
  seconds: fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }),
  bytes: fc.nat(),
});
const anyId = fc.constantFrom('one', 'two');

type ModelStep =
  | { readonly do: 'model'; readonly record: ModelRecord }
  | { readonly do: 'training'; readonly record: TrainingRecord }
  | { readonly do: 'round'; readonly id: string; readonly report: RoundReport }
  | { readonly do: 'event'; readonly id: string; readonly body: Omit<ModelEventRecord, 'id'> }
  | { readonly do: 'over'; readonly id: string }
  | { readonly do: 'delete'; readonly id: string };

const modelSteps: fc.Arbitrary<ModelStep> = fc.oneof(
  plain({
    id: anyId,
    status,
    owners: fc.array(anyView, { maxLength: 3 }),
    updates: fc.nat(),
    finished: fc.boolean(),
  }).map(
    ({ id, finished, ...more }): ModelStep => ({
      do: 'model',
      record: modelRecord(id, [], { ...more, ...(finished ? { parameters: [0.1, -2e-308, more.updates] } : {}) }),
    }),
  ),
  plain({
    id: anyId,
    round: fc.nat(),
    opened: fc.nat(),
    sealedKeys: fc.option(fc.uint8Array({ minLength: 1, maxLength: 40 }), { nil: undefined }),
    fit: fc.boolean(),
  }).map(
    ({ id, round, opened, sealedKeys, fit }): ModelStep => ({
      do: 'training',
      record: {
        id,
        roster: [anna],
        round,
        opened,
        ...(sealedKeys === undefined
          ? {}
          : { proposal: { signed: signedJob(first, [anna]), sealedKeys: new Uint8Array(sealedKeys) } }),
        ...(fit
          ? { trainer: { solver: 'normal-equations' as const, fit: { parameters: [1.5], metrics: { loss: 1 } } } }
          : {}),
      },
    }),
  ),
  plain({ do: fc.constant('round' as const), id: anyId, report: anyReport }),
  plain({ id: anyId, owners: fc.array(anyView, { maxLength: 3 }), updates: fc.nat() }).map(
    ({ id, owners, updates }): ModelStep => ({
      do: 'event',
      id,
      body: modelEvent(modelRecord(id, [], { owners }), updates),
    }),
  ),
  plain({ do: fc.constant('over' as const), id: anyId }),
  plain({ do: fc.constant('delete' as const), id: anyId }),
);

/** What a model owner's store is to do: one of these for every model there is. */
interface Expected {
  record: ModelRecord;
  training?: TrainingRecord | undefined;
  readonly rounds: Map<number, RoundReport>;
  readonly events: ModelEventRecord[];
}

onEach(test, 'party stores', 'models read the same as a plain map after any changes', async (_place, kind) => {
  await fc.assert(
    fc.asyncProperty(fc.array(modelSteps, { minLength: 5, maxLength: 40 }), async (steps) => {
      await using place = await kind.create();
      const models = new Map<string, Expected>();
      await alsoAfterRestart(
        place,
        'model-owner',
        async (database) => {
          const store = createModelStore(database, auditLog());
          for (const step of steps) {
            const id = 'record' in step ? step.record.id : step.id;
            const known = models.get(id);
            if (step.do === 'delete') {
              await store.delete(id);
              models.delete(id);
            } else if (step.do === 'over') {
              await store.commit({ trainingOver: id });
              if (known !== undefined) known.training = undefined;
            } else if (step.do === 'model') {
              await store.commit({ model: step.record });
              if (known === undefined) models.set(id, { record: step.record, rounds: new Map(), events: [] });
              else {
                const { parameters } = known.record;
                known.record = { ...(parameters === undefined ? {} : { parameters }), ...step.record };
              }
            } else {
              const change =
                step.do === 'training'
                  ? { training: step.record }
                  : step.do === 'round'
                    ? { round: { id, report: step.report } }
                    : { event: { id, body: step.body } };
              if (known === undefined) {
                await assert.rejects(store.commit(change), refusal('model_unknown'));
                continue;
              }
              await store.commit(change);
              if (step.do === 'training') known.training = step.record;
              else if (step.do === 'round') known.rounds.set(step.report.round, step.report);
              else known.events.push({ ...step.body, id: known.events.length + 1 });
            }
          }
        },
        async (database) => {
          const store = createModelStore(database, auditLog());
          assert.deepEqual(
            await store.list(),
            [...models.values()].map(({ record }) => record),
          );
          for (const id of ['one', 'two', 'three']) {
            const known = models.get(id);
            assert.deepEqual(await store.get(id), known?.record);
            assert.deepEqual(await store.training(id), known?.training);
            const rounds = [...(known?.rounds.values() ?? [])].sort((one, other) => one.round - other.round);
            assert.deepEqual(await store.rounds(id), rounds);
            for (const after of [0, 1, 100])
              for (const limit of [0, 2, 100])
                assert.deepEqual(
                  await store.events(id, after, limit),
                  (known?.events ?? []).filter((each) => each.id > after).slice(0, limit),
                );
          }
        },
      );
    }),
    { numRuns: runs },
  );
});

onEach(test, 'party stores', 'a training kept without its proposal leaves no row with its keys', async (place) => {
  await using database = await place.open('model-owner');
  const store = createModelStore(database, auditLog());
  const sealedKeys = Uint8Array.from({ length: 64 }, (_each, index) => index + 100);
  const training: TrainingRecord = { id: 'one', roster: [anna], round: 1, opened: 1 };
  const proposal = { signed: signedJob(first, [anna]), sealedKeys };
  await store.commit({ model: modelRecord('one', [anna]), training: { ...training, proposal } });
  assert.ok(await isAnywhere(database, sealedKeys), 'as long as the job needs them');
  await store.commit({ training });
  assert.deepEqual(await store.training('one'), training);
  assert.equal(await isAnywhere(database, sealedKeys), false);
});

/** Whether any row of any table of a model owner holds the bytes. */
async function isAnywhere(database: Database, bytes: Uint8Array): Promise<boolean> {
  return database.read(async ({ rows }) => {
    const tables = ['models', 'model_documents', 'model_parameters', 'model_rounds', 'model_events', 'model_views'];
    for (const table of [...tables, 'trainings', 'training_proposals', 'audit']) {
      const query = CompiledQuery.raw(`select * from ${table}`);
      for (const row of (await rows.executeQuery<Record<string, unknown>>(query)).rows)
        for (const value of Object.values(row))
          if (value instanceof Uint8Array && Buffer.from(value).includes(Buffer.from(bytes))) return true;
    }
    return false;
  });
}

test('what owners are seen as is written once, however many events tell of it', async () => {
  await using database = await openDatabase(':memory:', { role: 'model-owner' });
  const store = createModelStore(database, auditLog());
  const roster = Array.from({ length: 1000 }, (_each, index) => `owner-${index}` as OwnerId);
  const model = modelRecord('one', roster);
  await store.commit({ model });
  for (let round = 1; round <= 50; round++)
    await store.commit({ event: { id: 'one', body: modelEvent(model, round) } });
  const views = await database.read(({ rows }) => rows.selectFrom('model_views').select('number').execute());
  assert.equal(views.length, 1000);
  assert.deepEqual((await store.events('one', 49, 10))[0]?.owners, model.owners);
});

test.run();
