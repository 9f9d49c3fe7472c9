/** A training that waits for people: longer than for a round, where it says so, and for nobody who has decided. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { ModelView } from '../../parties/model-owner/views.ts';
import { openPolicy } from '../../src/config/owner-policy.ts';
import { jobIdSchema } from '../../src/protocol/identifiers.ts';
import type { RoundReport } from '../../src/storage/model-store.ts';
import { until } from '../support/until.ts';
import { dealtOut, linearSample } from './data.ts';
import { oneKey } from './keys.ts';
import { type Consortium, getJson, over, patience, postModel, startConsortium } from './parties.ts';

const test = suite('consent end to end');

const newKey = await oneKey();
const sample = linearSample(30);
/** Of a round: the second owner, whose people are asked, takes longer than that. */
const deadline = 4;

function documentOf(participation: object): object {
  return {
    ...sample.document,
    training: { solver: 'gradient', rounds: 2 },
    encryption: { key_bits: 2048 },
    participation: { quorum: 2, deadline_seconds: deadline, ...participation },
  };
}

/** Three owners, of whom the second asks its people. */
function consortium(): Promise<Consortium> {
  return startConsortium({
    data: dealtOut(sample, 3),
    newKey,
    policyOf: (owner) => (owner === 'owner-2' ? { ...openPolicy, consent: 'ask' } : openPolicy),
  });
}

/** Posts a model and waits until the second owner's people are asked, and a round's deadline has passed since. */
async function posted({ modelOwner, owners }: Consortium, participation: object): Promise<string> {
  const id = await postModel(modelOwner, documentOf(participation));
  const asks = (): boolean =>
    owners[1]?.dataOwner.jobs().some(({ job, status }) => job === id && status === 'asking') === true;
  await until('owner-2 asks its people', asks, patience);
  await new Promise((resolve) => setTimeout(resolve, 1.25 * deadline * 1000));
  return id;
}

test('the first round waits for people as long as answer_seconds, and begins when they have decided', async () => {
  await using stage = await consortium();
  const { modelOwner, owners } = stage;
  const id = await posted(stage, { answer_seconds: 600 });
  const waiting = await getJson<ModelView>(`${modelOwner.url}/models/${id}`);
  assert.deepEqual([waiting.status, waiting.updates], ['waiting_for_owners', 0]);
  const request = await owners[1]?.dataOwner.request(jobIdSchema.parse(id));
  assert.equal(request?.deadline.seconds, 600);

  await owners[1]?.dataOwner.decide(jobIdSchema.parse(id), { decision: 'approve' });
  const view = await over(modelOwner, id);
  assert.equal(view.status, 'finished', view.failure?.detail);
  const { rounds } = await getJson<{ rounds: readonly RoundReport[] }>(`${modelOwner.url}/models/${id}/rounds`);
  assert.deepEqual(
    rounds.map(({ contributors }) => contributors),
    [3, 3, 3],
  );
});

test('without it people have as long as a round, and the others begin', async () => {
  await using stage = await consortium();
  const { modelOwner, owners } = stage;
  // Long enough for the two others to answer on a busy machine.
  const id = await postModel(modelOwner, documentOf({ deadline_seconds: 5 * deadline }));
  const view = await over(modelOwner, id);
  assert.equal(view.status, 'finished', view.failure?.detail);
  await until('owner-2 hears of it', () => owners[1]?.dataOwner.jobs()[0]?.status === 'ended', patience);
  const { rounds } = await getJson<{ rounds: readonly RoundReport[] }>(`${modelOwner.url}/models/${id}/rounds`);
  assert.deepEqual(
    rounds.map(({ contributors }) => contributors),
    [2, 2, 2],
  );
});

test('somebody who says no is not waited for', async () => {
  await using stage = await consortium();
  const { modelOwner, owners } = stage;
  const id = await posted(stage, { answer_seconds: 600 });
  await owners[1]?.dataOwner.decide(jobIdSchema.parse(id), { decision: 'refuse', reason: 'the board meets in May' });
  const view = await over(modelOwner, id);
  assert.equal(view.status, 'finished', view.failure?.detail);
  assert.match(String(view.owners[1]?.reason), /a person at owner-2 declined the job: the board meets in May/);
});

test.run();
