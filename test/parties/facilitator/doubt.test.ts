/**
 * A store whose answer is lost, as when the line to a database breaks at the moment of COMMIT: everything was written, and the
 * facilitator was told that it failed. It must not go on with what it remembers, nor leave those waiting who follow it.
 */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { JobEventType } from '../../../src/protocol/events.ts';
import type { FacilitatorStore } from '../../../src/storage/facilitator-store.ts';
import { createTestClock } from '../../support/clock.ts';
import { until } from '../../support/until.ts';
import {
  anna,
  bert,
  codeOf,
  contributionOf,
  cora,
  createStore,
  describeJob,
  ended,
  identityOf,
  mona,
  never,
  openSum,
  startFacilitator,
  sumOf,
  type TestFacilitator,
  trio,
} from './harness.ts';

const test = suite('a store whose answer is lost');

const { job } = describeJob();

interface Forgetful {
  readonly party: TestFacilitator;
  /** The answer to the next commit that tells of such an event is lost. */
  readonly lose: (type: JobEventType) => void;
  /** How many answers were lost. */
  readonly lost: () => number;
}

async function forgetful(): Promise<Forgetful> {
  const clock = createTestClock();
  const whole = await createStore(clock);
  let next: JobEventType | undefined;
  let lost = 0;
  const store: FacilitatorStore = {
    ...whole,
    commit: async (change) => {
      const events = await whole.commit(change);
      if (!change.events.some(({ type }) => type === next)) return events;
      next = undefined;
      lost += 1;
      throw new Error('the line broke');
    },
  };
  return {
    party: await startFacilitator({ clock, store }),
    lose: (type) => {
      next = type;
    },
    lost: () => lost,
  };
}

test('a contribution that was kept is known to be, and the round goes on with it', async () => {
  const { party: started, lose, lost } = await forgetful();
  await using party = started;
  await party.create();
  await party.open(1);
  const sent = [0, 1, 2].map((number) => contributionOf(number));
  for (const [index, owner] of trio.entries()) {
    const bytes = sent[index] ?? new Uint8Array();
    lose('round.contribution');
    assert.equal(await codeOf(party.contribute(1, owner, bytes)), 'internal');
    const { contributors } = await party.client.round(job, 1, never);
    assert.deepEqual(contributors, trio.slice(0, index + 1));
    assert.equal(await codeOf(party.contribute(1, owner, contributionOf(9))), 'contribution_conflict');
    assert.equal((await party.contribute(1, owner, bytes)).receipt.owner, owner);
  }
  assert.equal(lost(), 3);
  const view = await ended(party);
  assert.equal(view.manifest?.manifest.count, 3);
  assert.deepEqual(openSum(await party.client.aggregate(job, 1, never), 3), sumOf([0, 1, 2]));
});

test('a round that was opened has its deadline once that is asked again, and its owners hear of it at once', async () => {
  const { party: started, lose } = await forgetful();
  await using party = started;
  await party.create();
  const stop = new AbortController();
  const response = await party.fetchAs(anna)(`${party.url}/events?owner=anna`, { signal: stop.signal });
  let text = '';
  const reading = (async () => {
    for await (const chunk of response.body as ReadableStream<Uint8Array>) text += new TextDecoder().decode(chunk);
  })();
  reading.catch(() => undefined);
  await until('the line to stand', () => text.includes(': connected'));
  lose('round.opened');
  assert.equal(await codeOf(party.open(1)), 'internal');
  await until('the event', () => text.includes('round.opened'));
  await party.open(1);
  await party.contribute(1, anna, contributionOf(0));
  await party.contribute(1, bert, contributionOf(1));
  party.clock.advance(30_000);
  const { status, missing } = await ended(party);
  assert.deepEqual([status, missing], ['closed', [cora]]);
  await until('the end of the round', () => text.includes('round.closed'));
  assert.deepEqual(
    [...text.matchAll(/^event: (.*)$/gm)].map((each) => each[1]),
    ['round.opened', 'round.contribution', 'round.closed'],
  );
  stop.abort();
});

test('a round that was closed is closed, and its aggregate is the one that was kept', async () => {
  const { party: started, lose, lost } = await forgetful();
  await using party = started;
  await party.create();
  await party.open(1);
  lose('round.closed');
  for (const [index, owner] of trio.entries()) await party.contribute(1, owner, contributionOf(index));
  await until('the answer to be lost', () => lost() === 1);
  await party.facilitator.drained();
  party.clock.advance(60_000);
  const { manifest } = await ended(party);
  assert.equal(manifest?.manifest.count, 3);
  assert.deepEqual(openSum(await party.client.aggregate(job, 1, never), 3), sumOf([0, 1, 2]));
  const types = (await party.store.events(0, job, 100)).map(({ type }) => type);
  assert.equal(types.filter((type) => type === 'round.closed').length, 1);
  await party.open(2);
});

test('jobs, answers and ends that were kept are found when they are asked again', async () => {
  const { party: started, lose, lost } = await forgetful();
  await using party = started;
  lose('job.created');
  assert.equal(await codeOf(party.create()), 'internal');
  await party.create();
  lose('owner.answered');
  assert.equal(await codeOf(party.answer(anna, 'ready')), 'internal');
  assert.equal((await party.client.job(job, never)).owners[0]?.status, 'ready');
  await party.answer(anna, 'ready');
  lose('job.ended');
  assert.equal(await codeOf(party.client.endJob(job, 'finished', never)), 'internal');
  await party.client.endJob(job, 'finished', never);
  assert.equal((await party.client.job(job, never)).status, 'finished');
  assert.equal((await party.client.jobs(never))[0]?.status, 'finished');
  assert.equal(lost(), 3);
  const types = (await party.store.events(0, job, 100)).map(({ type }) => type);
  assert.deepEqual(types, ['job.created', 'owner.answered', 'job.ended']);
  const read = party.facilitator.reader(identityOf(anna), { owner: anna });
  assert.equal((await read(0)).length, 3);
  assert.equal((await party.facilitator.reader(mona, { job })(0)).length, 3);
});

test.run();
