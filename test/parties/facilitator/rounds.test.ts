/** Rounds at a facilitator over real sockets: what closes them, what abandons them, and what is in the aggregate. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import type { OwnerId } from '../../../src/protocol/identifiers.ts';
import type { RoundView } from '../../../src/protocol/messages.ts';
import type { FacilitatorStore } from '../../../src/storage/facilitator-store.ts';
import { until } from '../../support/until.ts';
import {
  anna,
  bert,
  clientOf,
  codeOf,
  contributionOf,
  cora,
  describeJob,
  hesitantStore,
  never,
  openSum,
  planFor,
  refusal,
  startFacilitator,
  sumOf,
  type TestFacilitator,
} from './harness.ts';

const test = suite('rounds of a facilitator');

const parameters = [0.5, -0.25, 0];
const trio = [anna, bert, cora] as const;

/** The types of all events of a job, in order, with the owner or status where they have one. */
async function told({ store }: TestFacilitator, job = 'job'): Promise<string[]> {
  const events = await store.events(0, describeJob({ job }).job, 10_000);
  return events.map((event) =>
    [event.type, event.round, event.owner, event.status].filter((each) => each !== undefined).join(' '),
  );
}

async function opened(deadline_seconds = 30, quorum = 2, store?: FacilitatorStore): Promise<TestFacilitator> {
  const party = await startFacilitator(store === undefined ? {} : { store });
  const { job } = describeJob();
  await party.client.createJob(describeJob({ quorum, deadline_seconds }), never);
  for (const owner of trio) await party.client.answerJob(job, owner, { status: 'ready' }, never);
  await party.client.openRound(job, 1, { roster: trio, parameters }, never);
  return party;
}

const { job } = describeJob();

/** The round once it is no longer open. */
async function ended({ client }: TestFacilitator, round = 1): Promise<RoundView> {
  let view = await client.round(job, round, never);
  await until('the round to end', async () => {
    view = await client.round(job, round, never);
    return view.status !== 'open';
  });
  return view;
}

test('a whole round: the aggregate decrypts to the exact sum, and the manifest accounts for every byte', async () => {
  await using party = await opened();
  const { client } = party;
  const sent = [0, 1, 2].map((number) => contributionOf(number));
  for (const [index, owner] of trio.entries()) {
    const receipt = await client.contribute(job, 1, owner, sent[index] ?? new Uint8Array(), never);
    assert.deepEqual(receipt, { job, round: 1, owner, digest: sha256(sent[index]) });
  }
  const view = await client.round(job, 1, never);
  assert.equal(view.status, 'closed');
  assert.deepEqual(view.contributors, trio);
  assert.deepEqual(view.missing, []);
  assert.deepEqual(view.parameters, parameters);
  const aggregate = await client.aggregate(job, 1, never);
  assert.deepEqual(view.manifest, {
    contributions: trio.map((owner, index) => ({ owner, digest: sha256(sent[index]) })),
    count: 3,
    aggregate_digest: sha256(aggregate),
  });
  assert.equal(aggregate.length, planFor(3).ciphertexts * 512);
  assert.deepEqual(openSum(aggregate, 3), sumOf([0, 1, 2]));
  assert.deepEqual(await told(party), [
    'job.created',
    'owner.answered anna ready',
    'owner.answered bert ready',
    'owner.answered cora ready',
    'round.opened 1',
    'round.contribution 1 anna',
    'round.contribution 1 bert',
    'round.contribution 1 cora',
    'round.closed 1',
  ]);
});

test('the aggregate is re-randomised, and every request for it gets the same bytes', async () => {
  await using party = await opened(30, 2);
  const { client } = party;
  const sent = [0, 1].map((number) => contributionOf(number));
  await client.contribute(job, 1, anna, sent[0] ?? new Uint8Array(), never);
  await client.contribute(job, 1, bert, sent[1] ?? new Uint8Array(), never);
  await client.answerJob(job, cora, { status: 'withdrawn' }, never);
  const aggregate = await client.aggregate(job, 1, never);
  const n2 = BigInt(`0x${Buffer.from(describeJob().public_key.n, 'base64url').toString('hex')}`) ** 2n;
  const first = (bytes: Uint8Array | undefined): bigint =>
    BigInt(`0x${Buffer.from(bytes?.subarray(0, 512) ?? []).toString('hex')}`);
  assert.notEqual(first(aggregate), (first(sent[0]) * first(sent[1])) % n2);
  assert.deepEqual(await client.aggregate(job, 1, never), aggregate);
  assert.deepEqual(openSum(aggregate, 2), sumOf([0, 1]));
});

test('the same bytes again get the same receipt, while the round is open and when it is closed; other bytes never', async () => {
  await using party = await opened();
  const { client, url } = party;
  const bytes = contributionOf(0);
  const put = (body: Uint8Array): Promise<Response> =>
    fetch(`${url}/jobs/job/rounds/1/contributions/anna`, {
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream' },
      body: new Uint8Array(body),
    });
  const first = await put(bytes);
  assert.equal(first.status, 201);
  const receipt: unknown = await first.json();
  const again = await put(bytes);
  assert.equal(again.status, 200);
  assert.deepEqual(await again.json(), receipt);
  assert.equal((await put(contributionOf(0))).status, 409);
  await client.contribute(job, 1, bert, contributionOf(1), never);
  await client.contribute(job, 1, cora, contributionOf(2), never);
  const late = await put(bytes);
  assert.equal(late.status, 200);
  assert.deepEqual(await late.json(), receipt);
  const error = await refusal(client.contribute(job, 1, anna, contributionOf(0), never));
  assert.equal(error.code, 'contribution_conflict');
  assert.equal(
    error.message,
    'anna has contributed other bytes to round 1; a contribution is made once and only repeated',
  );
  assert.deepEqual(openSum(await client.aggregate(job, 1, never), 3), sumOf([0, 1, 2]));
});

test('at the deadline a quorum closes the round; who did not come is absent, and too late', async () => {
  await using party = await opened(30);
  const { client, clock } = party;
  await client.contribute(job, 1, cora, contributionOf(2), never);
  await client.contribute(job, 1, anna, contributionOf(0), never);
  clock.advance(29_999);
  assert.equal((await client.round(job, 1, never)).status, 'open');
  clock.advance(1);
  const view = await ended(party);
  assert.equal(view.status, 'closed');
  assert.deepEqual(view.contributors, [cora, anna]);
  assert.deepEqual(view.missing, [bert]);
  assert.equal(Date.parse(view.deadline) - Date.parse(view.opened_at), 30_000);
  assert.deepEqual(openSum(await client.aggregate(job, 1, never), 2), sumOf([0, 2]));
  const statuses = (await client.job(job, never)).owners.map((each) => `${each.owner} ${each.status}`);
  assert.deepEqual(statuses, ['anna ready', 'bert absent', 'cora ready']);
  assert.deepEqual((await told(party)).slice(5), [
    'round.contribution 1 cora',
    'round.contribution 1 anna',
    'owner.answered bert absent',
    'round.closed 1',
  ]);
  const error = await refusal(client.contribute(job, 1, bert, contributionOf(1), never));
  assert.equal(error.code, 'round_closed');
  assert.match(error.message, /^round 1 is closed with 2 contributions; say "ready" again/);
  await client.answerJob(job, bert, { status: 'ready' }, never);
  assert.deepEqual((await client.job(job, never)).owners[1], { owner: bert, status: 'ready' });
  assert.equal(clock.pending(), 0);
});

test('at the deadline without a quorum the round is abandoned, and the reason names who was missing', async () => {
  await using party = await opened(12.5);
  const { client, clock } = party;
  await client.contribute(job, 1, bert, contributionOf(1), never);
  clock.advance(12_500);
  const view = await ended(party);
  const reason = 'round 1 was abandoned after 12.5 s: 1 of at least 2 contributions, missing anna, cora';
  assert.equal(view.status, 'abandoned');
  assert.equal(view.reason, reason);
  assert.deepEqual(view.missing, [anna, cora]);
  assert.deepEqual((await told(party)).slice(5), [
    'round.contribution 1 bert',
    'owner.answered anna absent',
    'owner.answered cora absent',
    'round.abandoned 1',
  ]);
  const late = await refusal(client.contribute(job, 1, anna, contributionOf(0), never));
  assert.deepEqual([late.code, late.message], ['round_abandoned', reason]);
  const aggregate = await refusal(client.aggregate(job, 1, never));
  assert.deepEqual([aggregate.code, aggregate.message], ['round_abandoned', reason]);
  assert.deepEqual(await party.store.contributions(job, 1), []);
});

test('a contribution whose turn comes after the deadline is late, even before the turn of the deadline itself', async () => {
  let held = false;
  let release: (() => void) | undefined;
  const hold = (): Promise<void> =>
    new Promise((resolve) => {
      release = resolve;
    });
  await using party = await opened(
    30,
    2,
    hesitantStore(() => (held ? hold() : Promise.resolve())),
  );
  const { client, clock, facilitator } = party;
  held = true;
  const inTime = facilitator.contribute(job, 1, anna, contributionOf(0));
  const late = facilitator.contribute(job, 1, bert, contributionOf(1));
  await until('the first contribution to be committed', () => release !== undefined);
  clock.advance(30_000);
  held = false;
  release?.();
  assert.equal((await inTime).created, true);
  assert.equal(await codeOf(late), 'round_abandoned');
  assert.deepEqual((await client.round(job, 1, never)).missing, [bert, cora]);
  assert.equal((await told(party)).filter((each) => each === 'round.abandoned 1').length, 1);
});

test('a store that fails loses nothing: nobody hears of it, the request may be repeated, the deadline is handled later', async () => {
  let failures = 0;
  const store = hesitantStore(() =>
    failures-- > 0 ? Promise.reject(new Error('disk full of 123456789')) : Promise.resolve(),
  );
  await using party = await opened(30, 2, store);
  const { client, clock } = party;
  const before = await told(party);
  const bytes = contributionOf(0);
  await client.contribute(job, 1, anna, bytes, never);
  failures = 1;
  const error = await refusal(client.contribute(job, 1, bert, contributionOf(1), never));
  assert.deepEqual([error.code, error.message], ['internal', 'an unexpected error; see the log']);
  failures = 1;
  assert.equal(await codeOf(client.answerJob(job, cora, { status: 'withdrawn' }, never)), 'internal');
  failures = 0;
  assert.deepEqual((await client.round(job, 1, never)).missing, [bert, cora]);
  assert.deepEqual(await told(party), [...before, 'round.contribution 1 anna']);
  failures = 2;
  clock.advance(30_000);
  await until('the store to have failed', () => failures === 1 && clock.pending() === 1);
  clock.advance(1000);
  await until('the store to have failed again', () => failures === 0 && clock.pending() === 1);
  assert.equal((await client.round(job, 1, never)).status, 'open');
  clock.advance(1000);
  assert.equal((await ended(party)).status, 'abandoned');
  assert.equal(clock.pending(), 0);
});

test('a round whose last contribution could not be stored still has its deadline', async () => {
  let failures = 0;
  const store = hesitantStore(() => (failures-- > 0 ? Promise.reject(new Error('disk full')) : Promise.resolve()));
  await using party = await opened(30, 2, store);
  const { client, clock } = party;
  await client.contribute(job, 1, anna, contributionOf(0), never);
  await client.contribute(job, 1, bert, contributionOf(1), never);
  failures = 1;
  assert.equal(await codeOf(client.contribute(job, 1, cora, contributionOf(2), never)), 'internal');
  clock.advance(30_000);
  const view = await ended(party);
  assert.deepEqual([view.status, view.missing], ['closed', [cora]]);
  assert.deepEqual(openSum(await client.aggregate(job, 1, never), 2), sumOf([0, 1]));
});

test('a withdrawal closes the round early once the others are in, and marks nobody absent', async () => {
  await using party = await opened();
  const { client, clock } = party;
  await client.contribute(job, 1, anna, contributionOf(0), never);
  await client.contribute(job, 1, bert, contributionOf(1), never);
  await client.answerJob(job, cora, { status: 'withdrawn', reason: 'column age is missing' }, never);
  const view = await client.round(job, 1, never);
  assert.equal(view.status, 'closed');
  assert.deepEqual(view.missing, [cora]);
  assert.deepEqual(openSum(await client.aggregate(job, 1, never), 2), sumOf([0, 1]));
  assert.deepEqual((await client.job(job, never)).owners[2], {
    owner: cora,
    status: 'withdrawn',
    reason: 'column age is missing',
  });
  assert.deepEqual((await told(party)).slice(7), ['owner.answered cora withdrawn', 'round.closed 1']);
  assert.equal(clock.pending(), 0);
});

test('a withdrawal out of the quorum abandons the round at once; who still had time is not absent', async () => {
  await using party = await opened(30, 3);
  const { client } = party;
  await client.contribute(job, 1, anna, contributionOf(0), never);
  await client.answerJob(job, bert, { status: 'refused' }, never);
  const view = await client.round(job, 1, never);
  assert.equal(view.status, 'abandoned');
  assert.equal(
    view.reason,
    'round 1 was abandoned because the quorum is out of reach: 1 of at least 3 contributions, missing bert, cora',
  );
  const statuses = (await client.job(job, never)).owners.map((each) => `${each.owner} ${each.status}`);
  assert.deepEqual(statuses, ['anna ready', 'bert refused', 'cora ready']);
  assert.deepEqual((await told(party)).slice(6), ['owner.answered bert refused', 'round.abandoned 1']);
});

test('a round does not wait for who withdrew before it was opened', async () => {
  await using party = await opened();
  const { client } = party;
  for (const [index, owner] of trio.entries()) await client.contribute(job, 1, owner, contributionOf(index), never);
  await client.answerJob(job, cora, { status: 'withdrawn' }, never);
  // Whoever opens the round has not heard of it yet.
  await client.openRound(job, 2, { roster: trio, parameters }, never);
  await client.contribute(job, 2, anna, contributionOf(0), never);
  assert.equal((await client.round(job, 2, never)).status, 'open');
  await client.contribute(job, 2, bert, contributionOf(1), never);
  assert.equal((await client.round(job, 2, never)).status, 'closed');
  await client.answerJob(job, bert, { status: 'withdrawn' }, never);
  await client.openRound(job, 3, { roster: trio, parameters }, never);
  assert.equal((await client.round(job, 3, never)).status, 'abandoned');
  assert.deepEqual((await told(party)).slice(-2), ['round.opened 3', 'round.abandoned 3']);
  assert.equal(party.clock.pending(), 0);
});

test('who withdrew may come back as long as the round is open', async () => {
  await using party = await opened();
  const { client } = party;
  await client.answerJob(job, cora, { status: 'withdrawn' }, never);
  await client.answerJob(job, cora, { status: 'ready' }, never);
  assert.equal((await client.round(job, 1, never)).status, 'open');
  await client.contribute(job, 1, cora, contributionOf(2), never);
  await client.contribute(job, 1, anna, contributionOf(0), never);
  assert.equal((await client.round(job, 1, never)).status, 'open');
  await client.contribute(job, 1, bert, contributionOf(1), never);
  assert.deepEqual(openSum(await client.aggregate(job, 1, never), 3), sumOf([0, 1, 2]));
});

test('who was absent and is ready again while the next round waits for it is waited for', async () => {
  await using party = await opened();
  const { client, clock } = party;
  await client.contribute(job, 1, anna, contributionOf(0), never);
  await client.contribute(job, 1, bert, contributionOf(1), never);
  clock.advance(30_000);
  await ended(party);
  await client.openRound(job, 2, { roster: trio, parameters }, never);
  await client.answerJob(job, cora, { status: 'ready' }, never);
  for (const [index, owner] of [anna, bert].entries())
    await client.contribute(job, 2, owner, contributionOf(index), never);
  assert.equal((await client.round(job, 2, never)).status, 'open');
  await client.contribute(job, 2, cora, contributionOf(2), never);
  assert.deepEqual((await client.round(job, 2, never)).missing, []);
});

test('an answer repeated changes nothing and is told once', async () => {
  await using party = await opened();
  const before = await told(party);
  await party.client.answerJob(job, anna, { status: 'ready' }, never);
  assert.deepEqual(await told(party), before);
});

test('a job may be created again with the same body, however its members are ordered, and not with another', async () => {
  await using party = await startFacilitator();
  const descriptor = describeJob({ model: { one: 1, two: { three: 3, four: [4] } } });
  const post = (body: unknown): Promise<Response> =>
    fetch(`${party.url}/jobs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const first = await post(descriptor);
  assert.equal(first.status, 201);
  assert.equal(first.headers.get('location'), '/jobs/job');
  const view: unknown = await first.json();
  const turned = {
    ...Object.fromEntries(Object.entries(descriptor).reverse()),
    model: { two: { four: [4], three: 3 }, one: 1 },
  };
  for (const body of [descriptor, turned]) {
    const again = await post(body);
    assert.equal(again.status, 200);
    assert.deepEqual(await again.json(), view);
  }
  const others = [
    { ...descriptor, deadline_seconds: 31 },
    { ...descriptor, model: { one: 1, two: { three: 3, four: [5] } } },
    { ...descriptor, quorum: 3 },
  ];
  for (const body of others) {
    const answer = await post(body);
    assert.equal(answer.status, 409);
    assert.equal(((await answer.json()) as { type: string }).type, 'urn:sealsum:problem:job-conflict');
  }
  assert.deepEqual(await told(party), ['job.created']);
});

test('a round may be opened again with the same body, also when it is over, and not with another; and only the next one', async () => {
  await using party = await opened();
  const { url, client } = party;
  const put = async (round: number, body: unknown): Promise<readonly [number, string | undefined]> => {
    const answer = await fetch(`${url}/jobs/job/rounds/${round}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const { type } = (await answer.json()) as { type?: string };
    return [answer.status, type?.slice('urn:sealsum:problem:'.length)];
  };
  const same = { roster: trio, parameters };
  assert.deepEqual(await put(1, same), [200, undefined]);
  assert.deepEqual(await put(1, { parameters, roster: trio }), [200, undefined]);
  assert.deepEqual(await put(1, { ...same, parameters: [0.5, -0.25] }), [409, 'round-conflict']);
  assert.deepEqual(await put(1, { ...same, roster: [anna, bert] }), [409, 'round-conflict']);
  assert.deepEqual(await put(2, same), [409, 'round-open']);
  assert.deepEqual(await put(3, same), [409, 'round-conflict']);
  for (const [index, owner] of trio.entries()) await client.contribute(job, 1, owner, contributionOf(index), never);
  assert.deepEqual(await put(1, same), [200, undefined]);
  assert.deepEqual(await put(3, same), [409, 'round-conflict']);
  assert.deepEqual(await put(2, { ...same, roster: [anna] }), [409, 'owners-too-few']);
  assert.deepEqual(await put(2, { ...same, roster: [anna, 'zoe'] }), [403, 'owner-not-on-roster']);
  assert.deepEqual(await put(2, { roster: [anna, bert], parameters: [] }), [201, undefined]);
  assert.deepEqual(await put(1, same), [200, undefined]);
  assert.deepEqual(await put(1, { ...same, parameters: [] }), [409, 'round-conflict']);
});

test('the aggregate of a round that is open, or is none, is refused', async () => {
  await using party = await opened();
  assert.equal(await codeOf(party.client.aggregate(job, 1, never)), 'round_open');
  assert.equal(await codeOf(party.client.aggregate(job, 2, never)), 'round_unknown');
});

test('a job that ends forgets its ciphertexts; whoever still asks is told that it has ended', async () => {
  await using party = await opened();
  const { client, store, clock } = party;
  for (const [index, owner] of trio.entries()) await client.contribute(job, 1, owner, contributionOf(index), never);
  await client.openRound(job, 2, { roster: trio, parameters }, never);
  await client.contribute(job, 2, anna, contributionOf(0), never);
  await client.endJob(job, 'finished', never);
  assert.equal(clock.pending(), 0);
  for (const round of [1, 2]) {
    assert.deepEqual(await store.contributions(job, round), []);
    assert.equal(await store.aggregate(job, round), undefined);
  }
  assert.equal((await client.job(job, never)).status, 'finished');
  assert.equal((await told(party)).at(-1), 'job.ended finished');
  const requests = [
    () => client.aggregate(job, 1, never),
    () => client.round(job, 1, never),
    () => client.contribute(job, 2, bert, contributionOf(1), never),
    () => client.openRound(job, 3, { roster: trio, parameters }, never),
    () => client.answerJob(job, anna, { status: 'ready' }, never),
  ];
  for (const request of requests) {
    const error = await refusal(request());
    assert.equal(error.code, 'job_ended', error.message);
    assert.match(error.message, /^job job has ended: finished/);
  }
  assert.equal(await codeOf(client.round(job, 3, never)), 'round_unknown');
  await client.endJob(job, 'failed', never);
  assert.equal((await client.job(job, never)).status, 'finished');
  assert.equal((await told(party)).filter((each) => each.startsWith('job.ended')).length, 1);
});

test('a hundred owners at once end in one closed round with the sum of all', async () => {
  const roster = Array.from({ length: 100 }, (_, index) => `owner-${index}` as OwnerId);
  await using party = await startFacilitator();
  const { client } = party;
  await client.createJob(describeJob({ roster, quorum: 100 }), never);
  await client.openRound(job, 1, { roster, parameters }, never);
  const numbers = roster.map((_, index) => index);
  const sent = numbers.map((number) => contributionOf(number, 100));
  await Promise.all(
    roster.map((owner, index) => client.contribute(job, 1, owner, sent[index] ?? new Uint8Array(), never)),
  );
  const view = await client.round(job, 1, never);
  assert.equal(view.status, 'closed');
  assert.deepEqual(new Set(view.contributors), new Set(roster));
  assert.equal(view.manifest?.count, 100);
  assert.deepEqual(openSum(await client.aggregate(job, 1, never), 100, 100), sumOf(numbers));
  const events = await told(party);
  assert.equal(events.filter((each) => each === 'round.closed 1').length, 1);
  assert.equal(events.length, 103);
});

test('of different bytes from one owner at once exactly one is accepted, and that one is in the sum', async () => {
  await using party = await opened();
  const { client } = party;
  const numbers = Array.from({ length: 12 }, (_, index) => index);
  const sent = numbers.map((number) => contributionOf(number));
  const results = await Promise.allSettled(sent.map((bytes) => client.contribute(job, 1, anna, bytes, never)));
  const accepted = numbers.filter((number) => results[number]?.status === 'fulfilled');
  assert.equal(accepted.length, 1);
  for (const result of results)
    if (result.status === 'rejected') assert.equal((result.reason as { code: string }).code, 'contribution_conflict');
  await client.contribute(job, 1, bert, contributionOf(20), never);
  await client.contribute(job, 1, cora, contributionOf(21), never);
  assert.deepEqual(openSum(await client.aggregate(job, 1, never), 3), sumOf([...accepted, 20, 21]));
});

test('repeats, conflicts, withdrawals and the deadline all at once end in one final state that adds up', async () => {
  await using party = await opened(30);
  const { client, clock } = party;
  const second = clientOf(party.url, clock);
  const bytes = contributionOf(0);
  const results = await Promise.allSettled([
    client.contribute(job, 1, anna, bytes, never),
    second.contribute(job, 1, anna, bytes, never),
    client.contribute(job, 1, bert, contributionOf(1), never),
    client.answerJob(job, cora, { status: 'withdrawn' }, never),
    second.answerJob(job, bert, { status: 'withdrawn' }, never),
    (async () => {
      await client.round(job, 1, never);
      clock.advance(30_000);
    })(),
  ]);
  const view = await ended(party);
  for (const result of results)
    if (result.status === 'rejected')
      assert.ok(['round_abandoned', 'round_closed'].includes((result.reason as { code: string }).code));
  const endings = (await told(party)).filter((each) => /^round\.(closed|abandoned)/.test(each));
  assert.deepEqual(endings, [`round.${view.status} 1`]);
  if (view.status === 'closed') {
    const numbers = view.contributors.map((owner) => trio.indexOf(owner));
    assert.deepEqual(openSum(await client.aggregate(job, 1, never), numbers.length), sumOf(numbers));
  } else assert.ok(view.contributors.length < 2);
});

function sha256(bytes: Uint8Array | undefined): string {
  return createHash('sha256')
    .update(bytes ?? new Uint8Array())
    .digest('hex');
}

test.run();
