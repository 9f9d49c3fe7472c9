/** Facilitators that go away, and model owners that stop: what becomes of the trainings. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { ModelView } from '../../parties/model-owner/views.ts';
import { fromProblem } from '../../src/http/problem.ts';
import type { ModelEventRecord } from '../../src/storage/model-store.ts';
import { createTestClock, type TestClock } from '../support/clock.ts';
import { startHttpProxy } from '../support/http-proxy.ts';
import { until as untilWithin } from '../support/until.ts';
import { dealtOut } from './data.ts';
import { oneKey } from './keys.ts';
import {
  createCast,
  getJson,
  over,
  patience,
  postJson,
  postModel,
  type RunningParty,
  startConsortium,
  startFacilitator,
  startModelOwner,
  trainOver,
} from './parties.ts';
import { contributed, exact, jobStatus, long, modelWith, sample } from './stage.ts';

const test = suite('outages end to end');

const until = (what: string, holds: () => boolean | Promise<boolean>): Promise<void> =>
  untilWithin(what, holds, patience);

const newKey = await oneKey();
const shares = dealtOut(sample, 3);

test('no facilitator: POST /models is a 503 problem that says so', async () => {
  const cast = createCast(2);
  const gone = await startFacilitator({ cast });
  await gone.stop();
  for (const roster of [undefined, ['owner-1', 'owner-2']]) {
    await using modelOwner = await startModelOwner(cast, gone.url);
    const response = await postJson(
      `${modelOwner.url}/models`,
      modelWith(exact, roster === undefined ? {} : { roster }),
    );
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('content-type'), 'application/problem+json');
    const error = fromProblem(await response.json());
    assert.equal(error?.code, 'facilitator_unreachable');
    assert.match(error.message, /is it running\?/);
    assert.deepEqual(await getJson(`${modelOwner.url}/models`), { models: [] });
  }
});

/** The end of a training whose model owner lives by this clock, which goes on until then. */
async function overBy(clock: TestClock, modelOwner: RunningParty, id: string): Promise<ModelView> {
  let ended = false;
  const end = over(modelOwner, id).finally(() => {
    ended = true;
  });
  await until('the end of the training', () => {
    clock.advance(1000);
    return ended;
  });
  return end;
}

test('a facilitator that is gone in the middle of a training fails it, and says why', async () => {
  const clock = createTestClock();
  await using consortium = await startConsortium({ data: shares, newKey, clock });
  const { owners, modelOwner, facilitator } = consortium;
  const id = await postModel(modelOwner, modelWith(long));
  for (const owner of owners) await contributed(owner, 2);
  await facilitator.stop();
  const view = await overBy(clock, modelOwner, id);
  assert.equal(view.status, 'failed');
  assert.equal(view.failure?.code, 'facilitator_unreachable');
  assert.match(view.failure.detail, /is it running\?|has not answered for 600 s/);
});

test('a facilitator that is gone while a round is open is not waited for for ever', async () => {
  const clock = createTestClock();
  const cast = createCast(3);
  await using facilitator = await startFacilitator({ cast });
  const held = new Set<string>();
  await using proxy = await startHttpProxy(facilitator.url, {
    before: ({ path }) => {
      if (!path.includes('/rounds/2/contributions/')) return 'pass';
      held.add(path);
      // Neither passed on nor refused.
      return new Promise(() => undefined);
    },
  });
  facilitator.alsoAt(proxy.url);
  await using consortium = await startConsortium({
    cast,
    data: shares,
    newKey,
    facilitator,
    clock,
    lineOf: (owner) => (owner === 'owner-3' ? proxy.url : undefined),
  });
  const { modelOwner, owners } = consortium;
  const id = await postModel(modelOwner, modelWith(long));
  await until('the third contribution is on its way', () => held.size === 1);
  for (const owner of owners.slice(0, 2)) await contributed(owner, 2);
  await facilitator.stop();
  const view = await overBy(clock, modelOwner, id);
  assert.equal(view.failure?.code, 'facilitator_unreachable');
  assert.match(view.failure.detail, /^the facilitator has not answered for 600 s, so the job was given up$/);
});

test('a facilitator that has forgotten a job fails its training at once, and is followed by the owners again', async () => {
  await using consortium = await startConsortium({ data: shares, newKey });
  const { owners, modelOwner, facilitator } = consortium;
  const id = await postModel(modelOwner, modelWith(long));
  for (const owner of owners) await contributed(owner, 2);
  await facilitator.stop();
  await using again = await startFacilitator({
    cast: consortium.cast,
    port: Number(new URL(facilitator.url).port),
  });
  assert.equal(again.url, facilitator.url);
  const view = await over(modelOwner, id);
  assert.equal(view.status, 'failed');
  assert.equal(view.failure?.code, 'job_unknown');
  await until('the owners are connected', () => owners.every(({ dataOwner }) => dataOwner.connected()));
  await until('the owners know that the job is over', () =>
    owners.every(({ dataOwner }) => dataOwner.jobs()[0]?.status === 'ended'),
  );
  assert.equal((await trainOver(modelOwner, modelWith(exact))).status, 'finished');
});

test('DELETE stops a training: whoever follows it is told, the job is cancelled, the owners hear of the end', async () => {
  await using consortium = await startConsortium({ data: shares, newKey });
  const { owners, modelOwner } = consortium;
  const id = await postModel(modelOwner, modelWith(long));
  const following = fetch(`${modelOwner.url}/models/${id}/events`, { signal: AbortSignal.timeout(patience) });
  for (const owner of owners) await contributed(owner, 2);
  assert.equal((await fetch(`${modelOwner.url}/models/${id}`, { method: 'DELETE' })).status, 204);

  const last = (await (await following).text())
    .match(/^data: .*$/gm)
    ?.at(-1)
    ?.slice('data: '.length);
  const event = JSON.parse(last ?? '') as ModelEventRecord;
  assert.equal(event.type, 'failed');
  assert.equal(event.status, 'cancelled');
  assert.equal(event.failure?.code, 'aborted');
  assert.equal(await jobStatus(consortium, id), 'cancelled');
  await until('the owners know that the job is over', () =>
    owners.every(({ dataOwner }) => dataOwner.jobs()[0]?.status === 'ended'),
  );
  const gone = await fetch(`${modelOwner.url}/models/${id}`);
  assert.equal(gone.status, 404);
  assert.equal(fromProblem(await gone.json())?.code, 'model_unknown');
  assert.equal((await fetch(`${modelOwner.url}/models/${id}`, { method: 'DELETE' })).status, 404);
});

test('a model owner that stops parks its trainings, and goes on with them when it is started again', async () => {
  await using consortium = await startConsortium({ data: shares, newKey });
  const { cast, owners, modelOwner, facilitator } = consortium;
  const id = await postModel(modelOwner, modelWith({ solver: 'gradient', rounds: 8 }));
  for (const owner of owners) await contributed(owner, 2);
  await modelOwner.stop();
  assert.equal(await jobStatus(consortium, id), 'open');
  const { database } = modelOwner;
  await using again = await startModelOwner(cast, facilitator.url, { database, newKey });
  const view = await over(again, id);
  assert.equal(view.status, 'finished', view.failure?.detail);
  assert.deepEqual([view.updates, view.last_round?.round], [8, 9]);
});

test.run();
