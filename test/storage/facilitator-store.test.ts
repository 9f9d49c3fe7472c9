/** A facilitator's store on every database: the same as a plain model in memory, whatever is done to it in whatever order. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import type { JobId, OwnerId } from '../../src/protocol/identifiers.ts';
import { readAuditLog } from '../../src/storage/audit-log.ts';
import { createFacilitatorStore } from '../../src/storage/durable-facilitator-store.ts';
import type { FacilitatorChange, FacilitatorStore, Retention } from '../../src/storage/facilitator-store.ts';
import { FacilitatorModel } from './facilitator-model.ts';
import { oddText } from './odd-text.ts';
import { onEach, type Place } from './places.ts';
import { accepted, auditLog, eventOf, jobRecord, manifestOf, roundRecord } from './samples.ts';

const test = suite('facilitator store');
const runs = process.env.SLOW === undefined ? 10 : 200;

const roster = ['anna', 'bert', 'cora'] as OwnerId[];
const [anna, bert] = roster as [OwnerId, OwnerId, ...OwnerId[]];
// Names that begin alike, or differ in case only, are different names.
const names = ['a', 'A', 'a.b'] as JobId[];
const [job] = names as [JobId, ...JobId[]];
const roundNumbers = [1, 2, 3];

/** One thing that is done to the store and to the model. */
type Step =
  | { readonly do: 'commit'; readonly change: (model: FacilitatorModel) => FacilitatorChange }
  | { readonly do: 'keep'; readonly block: NonNullable<FacilitatorChange['blocks']>[number] }
  | { readonly do: 'forget'; readonly what: Parameters<FacilitatorStore['forgetBlocks']>[0] }
  | { readonly do: 'retain'; readonly rule: Retention; readonly now: number }
  | { readonly do: 'reopen' };

const anyName = fc.constantFrom(...names);
const anyRound = fc.constantFrom(...roundNumbers);
const anyOwner = fc.constantFrom(...roster, 'stranger' as OwnerId);
const anyPlace = fc.record({
  job: anyName,
  round: anyRound,
  series: fc.constantFrom('aggregate' as const, 'product:1' as const, 'upload:a' as const),
});
const anyBlock = fc.record({
  place: anyPlace,
  block: fc.constantFrom(0, 1),
  bytes: fc.uint8Array({ maxLength: 40 }).map((bytes) => new Uint8Array(bytes)),
});
const anyEvents = fc.array(
  fc.tuple(anyName, oddText).map(([name, reason]) => eventOf(name, { reason })),
  { maxLength: 3 },
);
const moments = fc.integer({ min: 0, max: 10 }).map((days) => 1_700_000_000_000 + days * 86_400_000);

const jobChange = fc
  .record({
    name: anyName,
    status: fc.constantFrom('open' as const, 'open' as const, 'finished' as const, 'cancelled' as const),
    round: fc.integer({ min: 0, max: 3 }),
    changedAt: moments,
    events: anyEvents,
  })
  .map(
    ({ name, events, ...more }): Step => ({
      do: 'commit',
      change: () => ({ job: jobRecord(name, roster, more), events }),
    }),
  );

const ownerChange = fc.record({ name: anyName, owner: anyOwner, reason: oddText, events: anyEvents }).map(
  ({ name, owner, reason, events }): Step => ({
    do: 'commit',
    change: () => ({ owners: [{ job: name, view: { owner, status: 'refused', reason } }], events }),
  }),
);

const roundChange = fc
  .record({
    name: anyName,
    round: anyRound,
    status: fc.constantFrom('open' as const, 'closed' as const, 'abandoned' as const),
    withdrawn: fc.subarray(roster),
    reason: fc.option(oddText, { nil: undefined }),
    manifest: fc.constantFrom('none', 'of the round', 'of others'),
    contributor: fc.option(anyOwner, { nil: undefined }),
  })
  .map(
    ({ name, round, status, withdrawn, reason, manifest, contributor }): Step => ({
      do: 'commit',
      change: (model) => {
        const more = { status, withdrawn, ...(reason === undefined ? {} : { reason }) };
        const record = roundRecord(name, round, roster, more);
        const known = [
          ...(model.round(name, round)?.state.contributions ?? []),
          ...(contributor === undefined ? [] : [accepted(contributor)]),
        ];
        const signed = manifestOf(record, manifest === 'of others' ? [accepted(anna, 'f'.repeat(64))] : known);
        return {
          round: { ...record, ...(manifest === 'none' ? {} : { manifest: signed }) },
          ...(contributor === undefined
            ? {}
            : { contributions: { job: name, round, accepted: [accepted(contributor)] } }),
          events: [eventOf(name, { round })],
        };
      },
    }),
  );

const contributions = fc
  .record({
    name: anyName,
    round: anyRound,
    owners: fc.array(anyOwner, { minLength: 1, maxLength: 3 }),
    block: anyBlock,
    forgotten: fc.oneof(
      anyPlace,
      anyPlace.map(({ job, round }) => ({ job, round, series: 'products' as const })),
    ),
  })
  .map(
    ({ name, round, owners, block, forgotten }): Step => ({
      do: 'commit',
      change: () => ({
        contributions: { job: name, round, accepted: owners.map((owner) => accepted(owner)) },
        blocks: [block],
        forget: [forgotten, { job: forgotten.job, round: 3 }],
        events: owners.map((owner) => eventOf(name, { round, owner })),
      }),
    }),
  );

const retention = fc
  .record({
    rule: fc.record({
      rounds: fc.integer({ min: 0, max: 2 }),
      endedJobs: fc.integer({ min: 0, max: 2 }),
      endedJobDays: fc.integer({ min: 1, max: 8 }),
      events: fc.integer({ min: 0, max: 10 }),
    }),
    now: moments,
  })
  .map((rest): Step => ({ do: 'retain', ...rest }));

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: jobChange },
  { weight: 4, arbitrary: roundChange },
  { weight: 4, arbitrary: contributions },
  { weight: 2, arbitrary: ownerChange },
  { weight: 2, arbitrary: anyBlock.map((block): Step => ({ do: 'keep', block })) },
  {
    weight: 1,
    arbitrary: fc.oneof(anyPlace, fc.constant('uploads' as const)).map((what): Step => ({ do: 'forget', what })),
  },
  { weight: 2, arbitrary: retention },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'reopen' }) },
);

async function outcomeOf(work: () => unknown): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SealsumError) return error.code;
    throw error;
  }
}

/** Jobs with rounds, so that most of what follows is of something that is there. */
const beginning: readonly Step[] = names.slice(0, 2).flatMap((name) =>
  [undefined, 1, 2].map(
    (round): Step => ({
      do: 'commit',
      change: () =>
        round === undefined
          ? { job: jobRecord(name, roster), events: [] }
          : { round: roundRecord(name, round, roster), events: [] },
    }),
  ),
);

async function followsModel(place: Place, steps: readonly Step[]): Promise<void> {
  const model = new FacilitatorModel();
  let database = await place.open('facilitator');
  try {
    let store = createFacilitatorStore(database, auditLog());
    for (const step of [...beginning, ...steps])
      switch (step.do) {
        case 'commit': {
          const change = step.change(model);
          assert.deepEqual(await outcomeOf(() => store.commit(change)), await outcomeOf(() => model.commit(change)));
          break;
        }
        case 'keep':
          await store.keepBlock(step.block.place, step.block.block, step.block.bytes);
          model.keepBlock(step.block.place, step.block.block, step.block.bytes);
          break;
        case 'forget':
          await store.forgetBlocks(step.what);
          model.forgetBlocks(step.what);
          break;
        case 'retain':
          assert.deepEqual(await store.retain(step.rule, step.now), model.retain(step.rule, step.now));
          break;
        case 'reopen':
          if (!place.outlivesProcess) break;
          await database.close();
          database = await place.open('facilitator');
          store = createFacilitatorStore(database, auditLog());
          break;
      }
    await model.requireSame(store, names, roundNumbers);
  } finally {
    await database.close();
  }
}

onEach(test, 'facilitator store', 'reads the same as a model after any changes', async (example, kind) => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 40 }), async (steps) => {
      await using place = await kind.create();
      await followsModel(place, steps);
    }),
    // A new file or schema for every run takes longer than the run.
    { numRuns: example.outlivesProcess ? runs : 5 * runs },
  );
});

onEach(
  test,
  'facilitator store',
  'a change that is refused changes nothing, and the next one is as if it had not been',
  async (place) => {
    await using database = await place.open('facilitator');
    const store = createFacilitatorStore(database, auditLog());
    await store.commit({ job: jobRecord(job, roster), round: roundRecord(job, 1, roster), events: [eventOf(job)] });
    const contributions = { job, round: 1, accepted: [accepted(anna)] };
    await store.commit({ contributions, events: [eventOf(job)], audit: [{ type: 'first' }] });
    const block = { place: { job, round: 1, series: 'aggregate' as const }, block: 0, bytes: new Uint8Array([1]) };
    await assert.rejects(
      store.commit({
        job: jobRecord(job, roster, { status: 'failed' }),
        contributions: { ...contributions, accepted: [accepted(bert), accepted(anna, 'b'.repeat(64))] },
        blocks: [block],
        events: [eventOf(job), eventOf(job)],
        audit: [{ type: 'refused' }],
      }),
      (error) =>
        error instanceof SealsumError && error.code === 'contribution_conflict' && error.message.startsWith('anna '),
    );
    assert.equal((await store.job(job))?.status, 'open');
    assert.deepEqual((await store.round(job, 1))?.state.contributions, [accepted(anna)]);
    assert.equal(await store.block(block.place, 0), undefined);
    assert.equal(await store.lastEvent(), 2);
    const [third] = await store.commit({ events: [eventOf(job)], audit: [{ type: 'second' }] });
    assert.equal(third?.id, 3);
    const log = await readAuditLog(database, 0, 10);
    assert.deepEqual(
      log.map(({ sequence, body }) => [sequence, body.type]),
      [
        [1, 'first'],
        [2, 'second'],
      ],
    );
    assert.equal(log[1]?.previous, log[0]?.hash);
  },
);

onEach(test, 'facilitator store', 'changes asked for at the same time come one after the other', async (place) => {
  await using database = await place.open('facilitator');
  const store = createFacilitatorStore(database, auditLog());
  const owners = Array.from({ length: 60 }, (_each, index) => `owner-${index}` as OwnerId);
  await store.commit({ job: jobRecord(job, owners), round: roundRecord(job, 1, owners), events: [] });
  const commits = owners.map((owner) =>
    store.commit({ contributions: { job, round: 1, accepted: [accepted(owner)] }, events: [eventOf(job, { owner })] }),
  );
  const reads = owners.map(async () => {
    const found = await store.round(job, 1);
    assert.ok((await store.events(0, job, 1000)).length >= (found?.state.contributions.length ?? 0));
  });
  const events = (await Promise.all(commits)).flat();
  await Promise.all(reads);
  assert.deepEqual(
    events.map(({ id, owner }) => [id, owner]),
    owners.map((owner, index) => [index + 1, owner]),
  );
  const state = (await store.round(job, 1))?.state;
  assert.deepEqual(
    state?.contributions,
    owners.map((owner) => accepted(owner)),
  );
});

test.run();
