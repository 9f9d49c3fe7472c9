/** What a facilitator's own people see of its rounds, from every database; a model's rounds in parts. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { JobId, OwnerId } from '../../src/protocol/identifiers.ts';
import { createFacilitatorStore } from '../../src/storage/durable-facilitator-store.ts';
import { createModelStore } from '../../src/storage/durable-model-store.ts';
import { migrations } from '../../src/storage/migrations.ts';
import { lasting, onEach } from './places.ts';
import { accepted, auditLog, jobRecord, manifestOf, modelRecord, roundRecord } from './samples.ts';

const name = 'a facilitator seen by its own people';
const test = suite(name);

const roster = ['anna', 'bert', 'cora'] as OwnerId[];
const [anna, bert] = roster as [OwnerId, OwnerId];
const [job, other] = ['a', 'b'] as [JobId, JobId];
const ending = { at: 1_700_000_001_500, milliseconds: 12 };

onEach(
  test,
  name,
  'rounds are told newest first and in parts, with sums and absentees, and added up',
  async (place) => {
    await using database = await place.open('facilitator');
    const store = createFacilitatorStore(database, auditLog());
    assert.deepEqual(await store.totals(), {
      rounds: { open: 0, closed: 0, abandoned: 0 },
      contributions: 0,
      bytes: 0,
    });
    for (const each of [job, other]) await store.commit({ job: jobRecord(each, roster), events: [] });
    const give = async (round: number, owners: readonly OwnerId[]): Promise<void> => {
      const contributions = owners.map((owner) => accepted(owner));
      await store.commit({ round: roundRecord(job, round, roster), events: [] });
      await store.commit({ contributions: { job, round, accepted: contributions }, events: [] });
    };
    await give(1, roster);
    await give(2, [bert, anna]);
    const closed = roundRecord(job, 2, roster, { status: 'closed', contributions: [accepted(bert), accepted(anna)] });
    const manifest = manifestOf(closed, closed.state.contributions);
    await store.commit({ round: { ...closed, manifest, ending }, events: [] });
    const reason = 'nobody came';
    const gone = roundRecord(job, 3, roster, { status: 'abandoned', reason });
    await store.commit({ round: { ...gone, ending: { at: ending.at, milliseconds: 0 } }, events: [] });
    await store.commit({ round: roundRecord(other, 1, roster), events: [] });

    const times = { openedAt: gone.state.openedAt, deadline: gone.state.deadline, quorum: 2, asked: 3 };
    const lines = [
      {
        round: 3,
        status: 'abandoned',
        ...times,
        contributions: 0,
        bytes: 0,
        missing: roster,
        ending: { at: ending.at, milliseconds: 0 },
        reason,
      },
      { round: 2, status: 'closed', ...times, contributions: 2, bytes: 1024, missing: ['cora'], ending },
      { round: 1, status: 'open', ...times, contributions: 3, bytes: 1536, missing: [] },
    ];
    assert.deepEqual(await store.roundLines(job, { limit: 10 }), lines);
    assert.deepEqual(await store.roundLines(job, { before: 3, limit: 1 }), [lines[1]]);
    assert.deepEqual(await store.roundLines(job, { before: 1, limit: 1 }), []);
    assert.deepEqual((await store.round(job, 2))?.ending, ending);
    const totals = { rounds: { open: 1, closed: 1, abandoned: 1 }, contributions: 5, bytes: 2560 };
    assert.deepEqual(await store.totals(job), totals);
    assert.deepEqual(await store.totals(), { ...totals, rounds: { open: 2, closed: 1, abandoned: 1 } });
  },
);

onEach(
  test,
  name,
  'rounds that an older version has kept are told without their end',
  async (place) => {
    {
      const [first] = migrations.facilitator;
      await using database = await place.open('facilitator', { steps: first === undefined ? [] : [first] });
      const { state } = roundRecord(job, 1, roster, { status: 'closed' });
      await database.write(async ({ rows }) => {
        const at = { created_at: 1, changed_at: 1 };
        await rows
          .insertInto('jobs')
          .values({ position: 1, job, status: 'open', round: 1, ...at })
          .execute();
        const old = {
          job,
          round: 1,
          status: state.status,
          digest: 'd',
          quorum: 2,
          opened_at: state.openedAt,
          deadline: state.deadline,
          roster_json: JSON.stringify(roster),
          withdrawn_json: '[]',
        };
        await rows
          .insertInto('rounds')
          .values(old as never)
          .execute();
      });
    }
    await using database = await place.open('facilitator');
    const store = createFacilitatorStore(database, auditLog());
    const [line] = await store.roundLines(job, { limit: 1 });
    assert.deepEqual([line?.round, line?.status, line?.ending], [1, 'closed', undefined]);
  },
  lasting,
);

onEach(test, name, "a model's rounds after a number, and before one", async (place) => {
  await using database = await place.open('model-owner');
  const store = createModelStore(database, auditLog());
  await store.commit({ model: modelRecord('m', roster) });
  for (let round = 1; round <= 5; round += 1)
    await store.commit({ round: { id: 'm', report: { round, contributors: 2, seconds: 1, bytes: 1 } } });
  const numbers = async (page?: Parameters<typeof store.rounds>[1]): Promise<readonly number[]> =>
    (await store.rounds('m', page)).map(({ round }) => round);
  assert.deepEqual(await numbers(), [1, 2, 3, 4, 5]);
  assert.deepEqual(await numbers({ after: 2, limit: 2 }), [3, 4]);
  assert.deepEqual(await numbers({ before: undefined, limit: 2 }), [5, 4]);
  assert.deepEqual(await numbers({ before: 3, limit: 9 }), [2, 1]);
});

test.run();
