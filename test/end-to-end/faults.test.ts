/** What goes wrong in a training, and that it harms no more than it must. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { ModelEvent, ModelView } from '../../parties/model-owner/views.ts';
import { fromProblem } from '../../src/http/problem.ts';
import { generateKeyPair } from '../../src/paillier/key-generation.ts';
import { createTestClock, type TestClock } from '../support/clock.ts';
import { startHttpProxy } from '../support/http-proxy.ts';
import { until as untilWithin } from '../support/until.ts';
import { dealtOut, linearSample } from './data.ts';
import {
  type Consortium,
  getJson,
  over,
  patience,
  postJson,
  postModel,
  type RunningOwner,
  type RunningParty,
  startConsortium,
  startFacilitator,
  startModelOwner,
  startOwner,
  trainOver,
} from './parties.ts';

const test = suite('faults end to end');

const until = (what: string, holds: () => boolean | Promise<boolean>): Promise<void> =>
  untilWithin(what, holds, patience);

const keyPair = await generateKeyPair({ bits: 2048 });
const newKeyPair = (): Promise<typeof keyPair> => Promise.resolve(keyPair);

const sample = linearSample(60);
const shares = dealtOut(sample, 3);

/** A model whose rounds wait for longer than any test takes, unless the clock is moved. */
function modelWith(training: object, participation: object = {}): object {
  return {
    ...sample.document,
    training,
    encryption: { key_bits: 2048 },
    participation: { quorum: 2, deadline_seconds: 600, ...participation },
  };
}

const exact = { solver: 'normal-equations' };
const long = { solver: 'gradient', rounds: 5000 };

/** The shares of the first two owners, and another file for the third. */
function withThird(third: string): string[] {
  return [...shares.slice(0, 2), third];
}

/** Changes a value of a data file: lines counted from 1 as an editor counts, columns from 0. */
function withValue(text: string, line: number, column: number, value: string): string {
  const lines = text.split('\n').map((each) => each.split(','));
  const row = lines[line - 1];
  assert.ok(row !== undefined && column in row);
  row[column] = value;
  return lines.map((each) => each.join(',')).join('\n');
}

/** Resolves once an owner has contributed to a round, or to a later one, of its newest job. */
async function contributed(owner: RunningOwner, round: number): Promise<void> {
  await until(`${owner.owner} has contributed to round ${round}`, () => {
    return (owner.dataOwner.jobs().at(-1)?.round ?? 0) >= round;
  });
}

/** All events of a job at the facilitator, once it has ended. */
async function jobEvents(
  { facilitator }: Pick<Consortium, 'facilitator'>,
  job: string,
): Promise<Record<string, unknown>[]> {
  const response = await fetch(`${facilitator.url}/jobs/${job}/events`, { signal: AbortSignal.timeout(patience) });
  return [...(await response.text()).matchAll(/^data: (.*)$/gm)].map(
    ([, data]) => JSON.parse(data ?? '') as Record<string, unknown>,
  );
}

const misfits: readonly {
  fault: string;
  third: string;
  field: string;
  line: number;
  expected: RegExp;
  secret: string;
}[] = [
  {
    fault: 'a missing column',
    third: (shares[2] ?? '').replace('age,visits,ward', 'age,stays,ward'),
    field: 'visits',
    line: 1,
    expected: /^visits: the header has no such column/,
    secret: 'stays',
  },
  {
    fault: 'an undeclared level',
    third: withValue(shares[2] ?? '', 5, 2, 'psychiatry'),
    field: 'ward',
    line: 5,
    expected: /^line 5, ward: expected one of the declared levels north, south, west$/,
    secret: 'psychiatry',
  },
  {
    fault: 'a value out of range',
    third: withValue(shares[2] ?? '', 7, 0, '123.456'),
    field: 'age',
    line: 7,
    expected: /^line 7, age: expected a number within \[0, 100\]; this is out of range$/,
    secret: '123.456',
  },
];

for (const { fault, third, field, expected, secret } of misfits) {
  test(`${fault} at one owner stops that owner only, and the others are told the field alone`, async () => {
    await using consortium = await startConsortium({ data: withThird(third), newKeyPair });
    const { owners, modelOwner, facilitator } = consortium;
    const view = await trainOver(modelOwner, modelWith(exact));
    assert.equal(view.status, 'finished', view.failure?.detail);
    assert.equal(view.last_round?.contributors, 2);

    // In full at the owner, for its own people.
    const { jobs } = await getJson<{ jobs: { status: string; reason?: string }[] }>(`${owners[2]?.url ?? ''}/jobs`);
    assert.equal(jobs[0]?.status, 'refused');
    assert.match(jobs[0].reason ?? '', expected);

    // To everybody else the field, and neither a line nor a value.
    const told = view.owners[2];
    assert.equal(told?.status, 'refused');
    assert.equal(told.reason, `the data do not fit the model (${field}); the owner knows the line`);
    const elsewhere = JSON.stringify([
      view,
      await jobEvents(consortium, view.id),
      await getJson(`${facilitator.url}/jobs`),
    ]);
    assert.ok(!elsewhere.includes(secret));
    assert.ok(!/line \d/.test(elsewhere));
    assert.deepEqual(await owners[2]?.ledgerStore.entries(), []);
  });
}

test('without a quorum the model fails at once, naming who refused and why', async () => {
  const data = [shares[0] ?? '', withValue(shares[1] ?? '', 3, 0, '-1'), withValue(shares[2] ?? '', 3, 2, 'roof')];
  await using consortium = await startConsortium({ data, newKeyPair });
  const view = await trainOver(consortium.modelOwner, modelWith(exact, { quorum: 3 }));
  assert.equal(view.status, 'failed');
  assert.equal(view.failure?.code, 'owners_too_few');
  assert.equal(view.failure.field, 'participation.quorum');
  // Whoever refused first made the quorum impossible; the others may not have answered yet.
  assert.match(
    view.failure.detail,
    /the quorum is 3 \(.*owner-[23] refused: the data do not fit the model \((age|ward)\)/,
  );
  assert.equal((await getJson<{ status: string }>(`${consortium.facilitator.url}/jobs/${view.id}`)).status, 'failed');
});

test('a quorum that is out of reach is not waited for, whoever has not answered', async () => {
  const data = [shares[0] ?? '', withValue(shares[1] ?? '', 3, 0, '-1')];
  await using consortium = await startConsortium({ data, newKeyPair });
  const roster = ['owner-1', 'owner-2', 'nobody'];
  const view = await trainOver(consortium.modelOwner, modelWith(exact, { quorum: 3, roster }));
  assert.equal(view.failure?.code, 'owners_too_few');
  assert.match(
    view.failure.detail,
    /owner-2 refused: the data do not fit the model \(age\).*; nobody has not answered\)$/,
  );
});

/** How the facilitator sees owner-3, and who has contributed to the newest round. */
async function seenOf({ url }: RunningParty, job: string): Promise<{ status: string | undefined; there: string[] }> {
  const view = await getJson<{ round: number; owners: { status: string }[] }>(`${url}/jobs/${job}`);
  const round = await getJson<{ contributors?: string[] }>(`${url}/jobs/${job}/rounds/${view.round}`);
  return { status: view.owners[2]?.status, there: round.contributors ?? [] };
}

/** Lets the deadline of a round pass in which all but owner-3 have contributed. */
async function letDeadlinePass(facilitator: RunningParty, clock: TestClock, job: string): Promise<void> {
  await until('the round waits for owner-3 alone', async () => {
    const { there } = await seenOf(facilitator, job);
    return there.length === 2 && !there.includes('owner-3');
  });
  clock.advance(600_000);
  await until('owner-3 is absent', async () => (await seenOf(facilitator, job)).status === 'absent');
}

test('an owner that dies is waited for once, and takes part again when it is back', async () => {
  const clock = createTestClock();
  await using facilitator = await startFacilitator({ clock });
  await using consortium = await startConsortium({ data: shares, newKeyPair, facilitator });
  const { owners, modelOwner, folder } = consortium;
  const [first, , third] = owners;
  assert.ok(first !== undefined && third !== undefined);
  const id = await postModel(modelOwner, modelWith(long));
  await contributed(third, 3);
  await third.stop();
  await letDeadlinePass(facilitator, clock, id);
  // The clock stands still: a round that waited for owner-3 again would never end.
  const missed = first.dataOwner.jobs().at(-1)?.round ?? 0;
  await contributed(first, missed + 5);
  assert.equal((await seenOf(facilitator, id)).status, 'absent');

  const { ledgerStore } = third;
  const data = `${folder.path}/owner-3.csv`;
  await using again = await startOwner({ name: 'owner-3', facilitator: facilitator.url, data, ledgerStore });
  await contributed(again, missed + 6);
  assert.equal((await seenOf(facilitator, id)).status, 'ready');
  assert.equal((await fetch(`${modelOwner.url}/models/${id}`, { method: 'DELETE' })).status, 204);

  const events = await jobEvents(consortium, id);
  const absences = events.filter(({ type, status }) => type === 'owner.answered' && status === 'absent');
  assert.deepEqual(
    absences.map(({ owner }) => owner),
    ['owner-3'],
  );
  assert.ok(events.filter(({ type }) => type === 'round.closed').length > missed + 5);
  assert.ok(!events.some(({ type }) => type === 'round.abandoned'));
  // One charge for every contribution, before and after.
  const rounds = (await ledgerStore.entries()).map(({ round }) => round);
  assert.equal(new Set(rounds).size, rounds.length);
});

test('an owner that missed a deadline hears of it and takes part in later rounds', async () => {
  let held = Promise.resolve();
  let letGo: () => void = () => undefined;
  const clock = createTestClock();
  await using facilitator = await startFacilitator({ clock });
  await using proxy = await startHttpProxy(facilitator.url, {
    before: ({ method, path }) =>
      method === 'PUT' && path.includes('/contributions/') ? held.then(() => 'pass' as const) : 'pass',
  });
  await using consortium = await startConsortium({
    data: shares,
    newKeyPair,
    facilitator,
    lineOf: (owner) => (owner === 'owner-3' ? proxy.url : undefined),
  });
  const { owners, modelOwner } = consortium;
  const third = owners[2];
  assert.ok(third !== undefined);
  const id = await postModel(modelOwner, modelWith(long));
  await contributed(third, 2);
  held = new Promise((resolve) => {
    letGo = resolve;
  });
  await letDeadlinePass(facilitator, clock, id);
  letGo();
  await until('owner-3 is ready', async () => (await seenOf(facilitator, id)).status === 'ready');
  const now = owners[0]?.dataOwner.jobs().at(-1)?.round ?? 0;
  await contributed(third, now + 1);
  assert.equal((await fetch(`${modelOwner.url}/models/${id}`, { method: 'DELETE' })).status, 204);
});

test('a contribution whose answer is lost is sent again with the same bytes, and charged once', async () => {
  await using facilitator = await startFacilitator();
  const broken = new Set<string>();
  await using proxy = await startHttpProxy(facilitator.url, {
    after: ({ method, path }) => {
      if (method !== 'PUT' || !path.includes('/contributions/') || broken.has(path)) return 'pass';
      broken.add(path);
      return 'break';
    },
  });
  await using consortium = await startConsortium({
    data: shares,
    newKeyPair,
    facilitator,
    lineOf: (owner) => (owner === 'owner-2' ? proxy.url : undefined),
  });
  const view = await trainOver(consortium.modelOwner, modelWith({ solver: 'gradient', rounds: 2 }));
  assert.equal(view.status, 'finished', view.failure?.detail);
  assert.equal(view.last_round?.contributors, 3);
  await until('the last answer has been asked for again', () => {
    return proxy.requests.filter(({ path }) => path.includes('/contributions/')).length >= 6;
  });
  for (const path of broken) {
    const sent = proxy.requests.filter((request) => request.path === path);
    assert.equal(sent.length, 2);
    assert.ok((sent[0]?.body.length ?? 0) >= 512);
    assert.ok(sent[0]?.body.equals(sent[1]?.body ?? Buffer.alloc(0)));
  }
  assert.equal(broken.size, 3);
  assert.deepEqual(
    (await consortium.owners[1]?.ledgerStore.entries())?.map(({ round }) => round),
    [1, 2, 3],
  );
});

test('a contribution that did not get through is sent when the line stands again, with the bytes that were kept', async () => {
  await using facilitator = await startFacilitator();
  let down = true;
  const isContribution = (path: string): boolean => path.includes('/contributions/');
  await using proxy = await startHttpProxy(facilitator.url, {
    before: ({ path }) => (down && isContribution(path) ? 'break' : 'pass'),
  });
  await using consortium = await startConsortium({
    data: shares,
    newKeyPair,
    facilitator,
    lineOf: (owner) => (owner === 'owner-2' ? proxy.url : undefined),
  });
  const id = await postModel(consortium.modelOwner, modelWith(exact));
  const sent = (): Buffer[] => proxy.requests.filter(({ path }) => isContribution(path)).map(({ body }) => body);
  await until('it was tried as often as a request is', () => sent().length === 5);
  down = false;
  proxy.cut();
  const view = await over(consortium.modelOwner, id);
  assert.equal(view.status, 'finished', view.failure?.detail);
  assert.equal(view.last_round?.contributors, 3);
  const [first, ...others] = sent();
  assert.equal(others.length, 5);
  assert.ok(first !== undefined && others.every((bytes) => bytes.equals(first)));
  assert.equal((await consortium.owners[1]?.ledgerStore.entries())?.length, 1);
});

test('an answer that did not get through is no refusal: it is given again when the line stands again', async () => {
  await using facilitator = await startFacilitator();
  let down = true;
  await using proxy = await startHttpProxy(facilitator.url, {
    before: ({ method, path }) => (down && method === 'PUT' && path.includes('/owners/') ? 'break' : 'pass'),
  });
  await using consortium = await startConsortium({
    data: shares.slice(0, 2),
    newKeyPair,
    facilitator,
    lineOf: (owner) => (owner === 'owner-2' ? proxy.url : undefined),
  });
  const id = await postModel(consortium.modelOwner, modelWith(exact));
  const answers = (): number => proxy.requests.filter(({ path }) => path.includes('/owners/')).length;
  await until('the answer was tried as often as a request is', () => answers() === 5);
  assert.equal(consortium.owners[1]?.dataOwner.jobs()[0]?.status, 'ready');
  down = false;
  proxy.cut();
  const view = await over(consortium.modelOwner, id);
  assert.equal(view.status, 'finished', view.failure?.detail);
  assert.equal(view.last_round?.contributors, 2);
});

test('no facilitator: POST /models is a 503 problem that says so', async () => {
  const gone = await startFacilitator();
  await gone.stop();
  for (const roster of [undefined, ['owner-1', 'owner-2']]) {
    await using modelOwner = await startModelOwner(gone.url);
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
  await using consortium = await startConsortium({ data: shares, newKeyPair, clock });
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
  await using facilitator = await startFacilitator();
  const held = new Set<string>();
  await using proxy = await startHttpProxy(facilitator.url, {
    before: ({ path }) => {
      if (!path.includes('/rounds/2/contributions/')) return 'pass';
      held.add(path);
      // Neither passed on nor refused.
      return new Promise(() => undefined);
    },
  });
  await using consortium = await startConsortium({
    data: shares,
    newKeyPair,
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
  assert.match(view.failure.detail, /^the facilitator has not answered for 600 s, so the training was given up$/);
});

test('a facilitator that has forgotten a job fails its training at once, and is followed by the owners again', async () => {
  await using consortium = await startConsortium({ data: shares, newKeyPair });
  const { owners, modelOwner, facilitator } = consortium;
  const id = await postModel(modelOwner, modelWith(long));
  for (const owner of owners) await contributed(owner, 2);
  await facilitator.stop();
  await using again = await startFacilitator({ port: Number(new URL(facilitator.url).port) });
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
  await using consortium = await startConsortium({ data: shares, newKeyPair });
  const { owners, modelOwner, facilitator } = consortium;
  const id = await postModel(modelOwner, modelWith(long));
  const following = fetch(`${modelOwner.url}/models/${id}/events`, { signal: AbortSignal.timeout(patience) });
  for (const owner of owners) await contributed(owner, 2);
  assert.equal((await fetch(`${modelOwner.url}/models/${id}`, { method: 'DELETE' })).status, 204);

  const last = (await (await following).text())
    .match(/^data: .*$/gm)
    ?.at(-1)
    ?.slice('data: '.length);
  const event = JSON.parse(last ?? '') as ModelEvent;
  assert.equal(event.type, 'failed');
  assert.equal(event.status, 'cancelled');
  assert.equal(event.failure?.code, 'aborted');
  assert.equal((await getJson<{ status: string }>(`${facilitator.url}/jobs/${id}`)).status, 'cancelled');
  await until('the owners know that the job is over', () =>
    owners.every(({ dataOwner }) => dataOwner.jobs()[0]?.status === 'ended'),
  );
  const gone = await fetch(`${modelOwner.url}/models/${id}`);
  assert.equal(gone.status, 404);
  assert.equal(fromProblem(await gone.json())?.code, 'model_unknown');
  assert.equal((await fetch(`${modelOwner.url}/models/${id}`, { method: 'DELETE' })).status, 404);
});

test('a model owner that stops cancels its trainings, so that no owner waits for it', async () => {
  await using consortium = await startConsortium({ data: shares, newKeyPair });
  const { owners, modelOwner, facilitator } = consortium;
  const id = await postModel(modelOwner, modelWith(long));
  for (const owner of owners) await contributed(owner, 1);
  await modelOwner.stop();
  assert.equal((await getJson<{ status: string }>(`${facilitator.url}/jobs/${id}`)).status, 'cancelled');
});

test.run();
