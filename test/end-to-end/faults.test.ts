/** What goes wrong at data owners and on their lines, and that it harms no more than it must. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createTestClock, type TestClock } from '../support/clock.ts';
import { startHttpProxy } from '../support/http-proxy.ts';
import { until as untilWithin } from '../support/until.ts';
import { dealtOut } from './data.ts';
import { oneKey } from './keys.ts';
import {
  askFacilitator,
  createCast,
  getJson,
  over,
  patience,
  postModel,
  startConsortium,
  startFacilitator,
  startOwner,
  trainOver,
} from './parties.ts';
import { contributed, exact, jobEvents, jobStatus, long, modelWith, type Stage, sample } from './stage.ts';

const test = suite('faults end to end');

const until = (what: string, holds: () => boolean | Promise<boolean>): Promise<void> =>
  untilWithin(what, holds, patience);

const newKey = await oneKey();

const shares = dealtOut(sample, 3);

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
    await using consortium = await startConsortium({ data: withThird(third), newKey });
    const { owners, modelOwner } = consortium;
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
      await askFacilitator(consortium, '/jobs'),
    ]);
    assert.ok(!elsewhere.includes(secret));
    assert.ok(!/line \d/.test(elsewhere));
    assert.deepEqual(await owners[2]?.ledgerStore.entries(), []);
  });
}

test('without a quorum the model fails at once, naming who refused and why', async () => {
  const data = [shares[0] ?? '', withValue(shares[1] ?? '', 3, 0, '-1'), withValue(shares[2] ?? '', 3, 2, 'roof')];
  await using consortium = await startConsortium({ data, newKey });
  const view = await trainOver(consortium.modelOwner, modelWith(exact, { quorum: 3 }));
  assert.equal(view.status, 'failed');
  assert.equal(view.failure?.code, 'owners_too_few');
  assert.equal(view.failure.field, 'participation.quorum');
  // Whoever refused first made the quorum impossible; the others may not have answered yet.
  assert.match(
    view.failure.detail,
    /the quorum is 3 \(.*owner-[23] refused: the data do not fit the model \((age|ward)\)/,
  );
  await until('the facilitator knows', async () => (await jobStatus(consortium, view.id)) === 'failed');
});

test('a quorum that is out of reach is not waited for, whoever has not answered', async () => {
  const data = [shares[0] ?? '', withValue(shares[1] ?? '', 3, 0, '-1')];
  await using consortium = await startConsortium({ cast: createCast(3), data, newKey });
  const view = await trainOver(consortium.modelOwner, modelWith(exact, { quorum: 3 }));
  assert.equal(view.failure?.code, 'owners_too_few');
  assert.match(
    view.failure.detail,
    /owner-2 refused: the data do not fit the model \(age\).*; owner-3 has not answered\)$/,
  );
});

/** How the facilitator sees owner-3, and who has contributed to the newest round. */
async function seenOf(stage: Stage, job: string): Promise<{ status: string | undefined; there: string[] }> {
  const view = await askFacilitator<{ round: number; owners: { status: string }[] }>(stage, `/jobs/${job}`);
  const round = await askFacilitator<{ contributors?: string[] }>(stage, `/jobs/${job}/rounds/${view.round}`);
  return { status: view.owners[2]?.status, there: round.contributors ?? [] };
}

/** Lets the deadline of a round pass in which all but owner-3 have contributed. */
async function letDeadlinePass(stage: Stage, clock: TestClock, job: string): Promise<void> {
  // What owner-3 had sent before may arrive after all: then it is the next round that waits.
  await until('the deadline of a round has passed that waited for owner-3 alone', async () => {
    const { status, there } = await seenOf(stage, job);
    if (status !== 'absent' && there.length === 2 && !there.includes('owner-3')) clock.advance(600_000);
    return status === 'absent';
  });
}

test('an owner that dies is waited for once, and takes part again when it is back', async () => {
  const clock = createTestClock();
  const cast = createCast(3);
  await using facilitator = await startFacilitator({ cast, clock });
  await using consortium = await startConsortium({ cast, data: shares, newKey, facilitator });
  const { owners, modelOwner, folder } = consortium;
  const [first, , third] = owners;
  assert.ok(first !== undefined && third !== undefined);
  const id = await postModel(modelOwner, modelWith(long));
  await contributed(third, 3);
  await third.stop();
  await letDeadlinePass(consortium, clock, id);
  // The clock stands still: a round that waited for owner-3 again would never end.
  const missed = first.dataOwner.jobs().at(-1)?.round ?? 0;
  await contributed(first, missed + 5);
  assert.equal((await seenOf(consortium, id)).status, 'absent');

  const { ledgerStore, database } = third;
  const data = `${folder.path}/owner-3.csv`;
  await using again = await startOwner({ cast, name: 'owner-3', facilitator: facilitator.url, data, database });
  await contributed(again, missed + 6);
  assert.equal((await seenOf(consortium, id)).status, 'ready');
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
  const cast = createCast(3);
  await using facilitator = await startFacilitator({ cast, clock });
  await using proxy = await startHttpProxy(facilitator.url, {
    before: ({ method, path }) =>
      method === 'PUT' && path.includes('/contributions/') ? held.then(() => 'pass' as const) : 'pass',
  });
  facilitator.alsoAt(proxy.url);
  await using consortium = await startConsortium({
    cast,
    data: shares,
    newKey,
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
  await letDeadlinePass(consortium, clock, id);
  letGo();
  await until('owner-3 is ready', async () => (await seenOf(consortium, id)).status === 'ready');
  const now = owners[0]?.dataOwner.jobs().at(-1)?.round ?? 0;
  await contributed(third, now + 1);
  assert.equal((await fetch(`${modelOwner.url}/models/${id}`, { method: 'DELETE' })).status, 204);
});

test('a contribution whose answer is lost is sent again with the same bytes, and charged once', async () => {
  const cast = createCast(3);
  await using facilitator = await startFacilitator({ cast });
  const broken = new Set<string>();
  await using proxy = await startHttpProxy(facilitator.url, {
    after: ({ method, path }) => {
      if (method !== 'PUT' || !path.includes('/contributions/') || broken.has(path)) return 'pass';
      broken.add(path);
      return 'break';
    },
  });
  facilitator.alsoAt(proxy.url);
  await using consortium = await startConsortium({
    cast,
    data: shares,
    newKey,
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
  const cast = createCast(3);
  await using facilitator = await startFacilitator({ cast });
  let down = true;
  const isContribution = (path: string): boolean => path.includes('/contributions/');
  await using proxy = await startHttpProxy(facilitator.url, {
    before: ({ path }) => (down && isContribution(path) ? 'break' : 'pass'),
  });
  facilitator.alsoAt(proxy.url);
  await using consortium = await startConsortium({
    cast,
    data: shares,
    newKey,
    facilitator,
    lineOf: (owner) => (owner === 'owner-2' ? proxy.url : undefined),
  });
  const id = await postModel(consortium.modelOwner, modelWith(exact));
  const sent = (): Buffer[] => proxy.requests.filter(({ path }) => isContribution(path)).map(({ body }) => body);
  await until('it was tried again', () => sent().length >= 3);
  down = false;
  proxy.cut();
  const view = await over(consortium.modelOwner, id);
  assert.equal(view.status, 'finished', view.failure?.detail);
  assert.equal(view.last_round?.contributors, 3);
  const [first, ...others] = sent();
  assert.ok(others.length >= 3);
  assert.ok(first !== undefined && others.every((bytes) => bytes.equals(first)));
  assert.equal((await consortium.owners[1]?.ledgerStore.entries())?.length, 1);
});

test('an answer that did not get through is no refusal: it is given again when the line stands again', async () => {
  const cast = createCast(2);
  await using facilitator = await startFacilitator({ cast });
  let down = true;
  await using proxy = await startHttpProxy(facilitator.url, {
    before: ({ method, path }) => (down && method === 'PUT' && path.includes('/owners/') ? 'break' : 'pass'),
  });
  facilitator.alsoAt(proxy.url);
  await using consortium = await startConsortium({
    cast,
    data: shares.slice(0, 2),
    newKey,
    facilitator,
    lineOf: (owner) => (owner === 'owner-2' ? proxy.url : undefined),
  });
  const id = await postModel(consortium.modelOwner, modelWith(exact));
  const answers = (): number => proxy.requests.filter(({ path }) => path.includes('/owners/')).length;
  await until('the answer was tried again', () => answers() >= 3);
  assert.equal(consortium.owners[1]?.dataOwner.jobs()[0]?.status, 'ready');
  down = false;
  proxy.cut();
  const view = await over(consortium.modelOwner, id);
  assert.equal(view.status, 'finished', view.failure?.detail);
  assert.equal(view.last_round?.contributors, 2);
});

test.run();
