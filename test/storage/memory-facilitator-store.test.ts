/** What every facilitator's store must do, asked of the one in memory; and what that one forgets. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { timestamp } from '../../src/protocol/clock.ts';
import type { JobEventBody } from '../../src/protocol/events.ts';
import type { JobId, OwnerId } from '../../src/protocol/identifiers.ts';
import type { JobDescriptor } from '../../src/protocol/messages.ts';
import type { JobRecord, RoundRecord } from '../../src/storage/facilitator-store.ts';
import { createMemoryFacilitatorStore } from '../../src/storage/memory-facilitator-store.ts';

const test = suite('memory facilitator store');

const [anna, bert] = ['anna' as OwnerId, 'bert' as OwnerId];

const jobNamed = (name: string, status: JobRecord['status'] = 'open'): JobRecord => ({
  // The store looks at the name only.
  descriptor: { job: name } as JobDescriptor,
  status,
  owners: [],
  round: 0,
  createdAt: 0,
});

const roundNumbered = (job: string, round: number): RoundRecord => ({
  state: {
    job: job as JobId,
    round,
    status: 'open',
    roster: [anna, bert],
    quorum: 2,
    openedAt: 0,
    deadline: 1000,
    contributions: [],
    withdrawn: [],
  },
  parameters: [round],
});

const eventOf = (job: string): JobEventBody => ({ type: 'job.created', job: job as JobId, at: timestamp(0) });

const names = async (store: ReturnType<typeof createMemoryFacilitatorStore>): Promise<string> =>
  (await store.jobs()).map((record) => record.descriptor.job).join(' ');

test('gives back what was committed, the newest of it, jobs oldest first', async () => {
  const store = createMemoryFacilitatorStore();
  assert.equal(await store.job('b' as JobId), undefined);
  await store.commit({ job: jobNamed('b'), events: [] });
  await store.commit({ job: jobNamed('a'), events: [] });
  await store.commit({ job: { ...jobNamed('b'), round: 3 }, events: [] });
  assert.equal(await names(store), 'b a');
  assert.equal((await store.job('b' as JobId))?.round, 3);
  await store.commit({ round: roundNumbered('b', 1), events: [] });
  await store.commit({ round: { ...roundNumbered('b', 1), parameters: [9] }, events: [] });
  assert.deepEqual((await store.round('b' as JobId, 1))?.parameters, [9]);
  assert.equal(await store.round('b' as JobId, 2), undefined);
  assert.equal(await store.round('a' as JobId, 1), undefined);
});

test('keeps contributions in order until they are forgotten, and the aggregate that came with that', async () => {
  const store = createMemoryFacilitatorStore();
  const job = 'a' as JobId;
  const bytes = [1, 2, 3].map((value) => new Uint8Array([value]));
  const contribution = (index: number, owner: OwnerId) => ({
    job,
    round: 1,
    owner,
    bytes: bytes[index] ?? new Uint8Array(),
  });
  await store.commit({ round: roundNumbered('a', 1), events: [] });
  await store.commit({ contribution: contribution(0, anna), events: [] });
  const before = await store.contributions(job, 1);
  await store.commit({ contribution: contribution(1, bert), events: [] });
  assert.deepEqual(before, bytes.slice(0, 1));
  assert.deepEqual(await store.contributions(job, 1), bytes.slice(0, 2));
  assert.deepEqual(await store.contributions(job, 2), []);
  const sum = new Uint8Array([6]);
  await store.commit({
    contribution: contribution(2, anna),
    aggregate: { job, round: 1, bytes: sum },
    forget: { job, round: 1 },
    events: [],
  });
  assert.deepEqual(await store.contributions(job, 1), []);
  assert.equal(await store.aggregate(job, 1), sum);
  assert.notEqual(await store.round(job, 1), undefined);
});

test('a job that ends keeps its record and loses its rounds; names that begin alike are different jobs', async () => {
  const store = createMemoryFacilitatorStore();
  for (const name of ['a', 'a.b']) {
    const job = name as JobId;
    await store.commit({ job: jobNamed(name), round: roundNumbered(name, 1), events: [] });
    await store.commit({ contribution: { job, round: 1, owner: anna, bytes: new Uint8Array(1) }, events: [] });
    await store.commit({ aggregate: { job, round: 1, bytes: new Uint8Array(2) }, events: [] });
  }
  await store.commit({ job: jobNamed('a', 'finished'), forget: { job: 'a' as JobId }, events: [] });
  assert.equal((await store.job('a' as JobId))?.status, 'finished');
  assert.equal(await store.round('a' as JobId, 1), undefined);
  assert.equal(await store.aggregate('a' as JobId, 1), undefined);
  assert.deepEqual(await store.contributions('a' as JobId, 1), []);
  assert.notEqual(await store.round('a.b' as JobId, 1), undefined);
  assert.equal((await store.aggregate('a.b' as JobId, 1))?.length, 2);
  assert.equal((await store.contributions('a.b' as JobId, 1)).length, 1);
});

test('forgets the jobs that ended first, and no job that is open', async () => {
  const store = createMemoryFacilitatorStore({ endedJobsKept: 2 });
  for (const name of ['a', 'b', 'c', 'd', 'e']) await store.commit({ job: jobNamed(name), events: [] });
  for (const name of ['d', 'a', 'a', 'e', 'b']) await store.commit({ job: jobNamed(name, 'failed'), events: [] });
  assert.equal(await names(store), 'b c e');
  assert.equal(await store.job('a' as JobId), undefined);
});

test('numbers events from 1 without a gap, and finds those after a number, of one job or of all, up to a limit', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 }), { maxLength: 30 }),
      fc.integer({ min: 1, max: 8 }),
      async (commits, eventsKept) => {
        const store = createMemoryFacilitatorStore({ eventsKept });
        const all: { job: string; id: number }[] = [];
        assert.equal(await store.lastEvent(), 0);
        for (const jobs of commits) {
          const numbered = await store.commit({ events: jobs.map(eventOf) });
          assert.deepEqual(
            numbered,
            jobs.map((job, index) => ({ ...eventOf(job), id: all.length + index + 1 })),
          );
          all.push(...numbered);
        }
        assert.equal(await store.lastEvent(), all.length);
        const kept = (await store.events(0, undefined, 1000)).length;
        assert.ok(kept === all.length || (kept >= eventsKept && kept <= 2 * eventsKept));
        const known = all.slice(all.length - kept);
        for (let after = 0; after <= all.length + 1; after++)
          for (const job of [undefined, 'a', 'b'])
            for (const limit of [0, 1, 3, 1000]) {
              const found = await store.events(after, job as JobId | undefined, limit);
              const expected = known.filter((each) => each.id > after && (job === undefined || each.job === job));
              assert.deepEqual(found, expected.slice(0, limit));
            }
      },
    ),
    { numRuns: 60 },
  );
});

test.run();
