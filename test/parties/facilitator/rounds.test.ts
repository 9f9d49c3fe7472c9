/** Rounds at a facilitator over real sockets: what closes them, what abandons them, and what is in the aggregate. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { suite } from 'uvu';
import type { Contribute } from '../../../parties/facilitator/contributions.ts';
import { createFacilitatorMetrics, type FacilitatorMetrics } from '../../../parties/facilitator/metrics.ts';
import type { OwnerId } from '../../../src/protocol/identifiers.ts';
import { sha256, verifyInclusion, verifyManifest } from '../../../src/protocol/manifest.ts';
import { objectDigest, verifyObject } from '../../../src/protocol/signed.ts';
import type { BlockSeries, FacilitatorStore } from '../../../src/storage/facilitator-store.ts';
import { until } from '../../support/until.ts';
import {
  anna,
  bert,
  codeOf,
  contributionOf,
  cora,
  createStore,
  describeJob,
  describeRound,
  ended,
  facilitatorIdentity,
  hesitantStore,
  identityOf,
  mona,
  never,
  openSum,
  partiesWith,
  planFor,
  type RoundOptions,
  refusal,
  signContribution,
  signJob,
  signRound,
  startFacilitator,
  sumOf,
  type TestFacilitator,
  trio,
} from './harness.ts';

const test = suite('rounds of a facilitator');

const parameters = [0.5, -0.25, 0];

/** The types of all events of a job, in order, with the owner or status where they have one. */
async function told({ store }: TestFacilitator, job = 'job'): Promise<string[]> {
  const events = await store.events(0, describeJob({ job }).job, 10_000);
  return events.map((event) =>
    [event.type, event.round, event.owner, event.status].filter((each) => each !== undefined).join(' '),
  );
}

async function opened(
  deadline_seconds = 30,
  quorum = 2,
  store?: FacilitatorStore,
  metrics: FacilitatorMetrics = createFacilitatorMetrics(),
): Promise<TestFacilitator> {
  const party = await startFacilitator({ metrics, ...(store === undefined ? {} : { store }) });
  await party.create({ quorum, deadline_seconds });
  for (const owner of trio) await party.answer(owner, 'ready');
  await party.open(1);
  return party;
}

const { job } = describeJob();

/** Nothing waits for a deadline or to try again: whatever may still fire is the upkeep. */
function assertOnlyUpkeep({ clock }: TestFacilitator): void {
  assert.ok(clock.pending() <= 1, `${clock.pending()} timers`);
}

/** In how many of its series a round has a first block: products of up to three contributions, and the aggregate. */
async function blocksOf({ store }: TestFacilitator, round: number): Promise<number> {
  const series: readonly BlockSeries[] = ['product:1', 'product:2', 'product:3', 'product:4', 'aggregate'];
  const found = await Promise.all(series.map((each) => store.block({ job, round, series: each }, 0)));
  return found.filter((each) => each !== undefined).length;
}

/** A contribution to round 1 without a line on which requests could overtake each other. */
function contributeAtService(party: TestFacilitator, owner: OwnerId, bytes: Uint8Array): ReturnType<Contribute> {
  const { digest, bytes: length } = party.statement(1, owner, bytes);
  return party.facilitator.contribute(identityOf(owner), {
    job,
    round: 1,
    owner,
    digest,
    bytes: length,
    signature: signContribution(party.statement(1, owner, bytes)),
    body: Readable.from([bytes]),
  });
}

test('a whole round: the aggregate decrypts to the exact sum, and the manifest accounts for every byte', async () => {
  await using party = await opened();
  const { client } = party;
  const sent = [0, 1, 2].map((number) => contributionOf(number));
  const signed = describeRound(describeJob({ quorum: 2, deadline_seconds: 30 }), 1);
  const receipts = [];
  for (const [index, owner] of trio.entries()) {
    const bytes = sent[index] ?? new Uint8Array();
    const receipt = await party.contribute(1, owner, bytes);
    const round_digest = objectDigest('round', signed);
    assert.deepEqual(receipt.receipt, { job, round: 1, round_digest, owner, digest: sha256(bytes), bytes: 1024 });
    receipts.push(receipt);
  }
  const view = await ended(party);
  assert.equal(view.status, 'closed');
  assert.deepEqual(view.contributors, trio);
  assert.deepEqual(view.missing, []);
  assert.deepEqual(view.signed, signRound(signed));
  const aggregate = await client.aggregate(job, 1, never);
  assert.ok(view.manifest !== undefined);
  const { name } = facilitatorIdentity;
  assert.deepEqual(verifyManifest(party.parties, name, view.signed, 1024, view.manifest), trio);
  assert.equal(view.manifest.manifest.aggregate_digest, sha256(aggregate));
  for (const receipt of receipts) verifyInclusion(party.parties, name, receipt, view.manifest);
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
  await party.contribute(1, anna, sent[0] ?? new Uint8Array());
  await party.contribute(1, bert, sent[1] ?? new Uint8Array());
  await party.answer(cora, 'withdrawn');
  await ended(party);
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
  const { client } = party;
  const bytes = contributionOf(0);
  const put = (body: Uint8Array): Promise<Response> => {
    const { key, value } = signContribution(party.statement(1, anna, body));
    return party.fetchAs(anna)(`${party.url}/jobs/job/rounds/1/contributions/anna`, {
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream', 'contribution-signature': `${key}.${value}` },
      body: new Uint8Array(body),
    });
  };
  const first = await put(bytes);
  assert.equal(first.status, 201);
  const receipt: unknown = await first.json();
  const again = await put(bytes);
  assert.equal(again.status, 200);
  assert.deepEqual(await again.json(), receipt);
  assert.equal((await put(contributionOf(0))).status, 409);
  await party.contribute(1, bert, contributionOf(1));
  await party.contribute(1, cora, contributionOf(2));
  await ended(party);
  const late = await put(bytes);
  assert.equal(late.status, 200);
  assert.deepEqual(await late.json(), receipt);
  const error = await refusal(party.contribute(1, anna, contributionOf(0)));
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
  await party.contribute(1, cora, contributionOf(2));
  await party.contribute(1, anna, contributionOf(0));
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
  const error = await refusal(party.contribute(1, bert, contributionOf(1)));
  assert.equal(error.code, 'round_closed');
  assert.match(error.message, /^round 1 is closed with 2 contributions; say "ready" again/);
  await party.answer(bert, 'ready');
  assert.equal((await client.job(job, never)).owners[1]?.status, 'ready');
  assertOnlyUpkeep(party);
});

test('at the deadline without a quorum the round is abandoned, and the reason names who was missing', async () => {
  await using party = await opened(12.5);
  const { client, clock } = party;
  await party.contribute(1, bert, contributionOf(1));
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
  const late = await refusal(party.contribute(1, anna, contributionOf(0)));
  assert.deepEqual([late.code, late.message], ['round_abandoned', reason]);
  const aggregate = await refusal(client.aggregate(job, 1, never));
  assert.deepEqual([aggregate.code, aggregate.message], ['round_abandoned', reason]);
  assert.equal(await blocksOf(party, 1), 0);
});

test('a contribution whose turn comes after the deadline is late, even before the turn of the deadline itself', async () => {
  let held = false;
  let release: (() => void) | undefined;
  const hold = (): Promise<void> =>
    new Promise((resolve) => {
      release = resolve;
    });
  const store = hesitantStore(await createStore(), () => (held ? hold() : Promise.resolve()));
  const metrics = createFacilitatorMetrics();
  await using party = await opened(30, 2, store, metrics);
  const { client, clock } = party;
  held = true;
  const inTime = contributeAtService(party, anna, contributionOf(0));
  await until('the first contribution to be committed', () => release !== undefined);
  const late = contributeAtService(party, bert, contributionOf(1));
  const waiting = metrics.registry.getSingleMetric('sealsum_contributions_waiting');
  await until('the second to wait for its turn', async () => (await waiting?.get())?.values[0]?.value === 2);
  clock.advance(30_000);
  held = false;
  release?.();
  assert.equal((await inTime).created, true);
  assert.equal(await codeOf(late), 'round_abandoned');
  await ended(party);
  assert.deepEqual((await client.round(job, 1, never)).missing, [bert, cora]);
  assert.equal((await told(party)).filter((each) => each === 'round.abandoned 1').length, 1);
});

test('a store that fails loses nothing: nobody hears of it, the request may be repeated, the deadline is handled later', async () => {
  let failures = 0;
  const store = hesitantStore(await createStore(), () =>
    failures-- > 0 ? Promise.reject(new Error('disk full of 123456789')) : Promise.resolve(),
  );
  await using party = await opened(30, 2, store);
  const { client, clock } = party;
  const before = await told(party);
  const bytes = contributionOf(0);
  await party.contribute(1, anna, bytes);
  failures = 1;
  const error = await refusal(party.contribute(1, bert, contributionOf(1)));
  assert.deepEqual([error.code, error.message], ['internal', 'an unexpected error; see the log']);
  failures = 1;
  assert.equal(await codeOf(party.answer(cora, 'withdrawn')), 'internal');
  failures = 0;
  assert.deepEqual((await client.round(job, 1, never)).missing, [bert, cora]);
  assert.deepEqual(await told(party), [...before, 'round.contribution 1 anna']);
  failures = 2;
  clock.advance(30_000);
  await until('the store to have failed', () => failures === 1 && clock.pending() === 2);
  clock.advance(1000);
  await until('the store to have failed again', () => failures === 0 && clock.pending() === 2);
  assert.equal((await client.round(job, 1, never)).status, 'open');
  clock.advance(1000);
  assert.equal((await ended(party)).status, 'abandoned');
  assertOnlyUpkeep(party);
});

test('a round whose last contribution could not be stored still has its deadline', async () => {
  let failures = 0;
  const store = hesitantStore(await createStore(), () =>
    failures-- > 0 ? Promise.reject(new Error('disk full')) : Promise.resolve(),
  );
  await using party = await opened(30, 2, store);
  const { client, clock } = party;
  await party.contribute(1, anna, contributionOf(0));
  await party.contribute(1, bert, contributionOf(1));
  failures = 1;
  assert.equal(await codeOf(party.contribute(1, cora, contributionOf(2))), 'internal');
  clock.advance(30_000);
  const view = await ended(party);
  assert.deepEqual([view.status, view.missing], ['closed', [cora]]);
  assert.deepEqual(openSum(await client.aggregate(job, 1, never), 2), sumOf([0, 1]));
});

test('a withdrawal closes the round early once the others are in, and marks nobody absent', async () => {
  await using party = await opened();
  const { client } = party;
  await party.contribute(1, anna, contributionOf(0));
  await party.contribute(1, bert, contributionOf(1));
  await party.answer(cora, 'withdrawn', { reason: 'column age is missing' });
  const view = await ended(party);
  assert.equal(view.status, 'closed');
  assert.deepEqual(view.missing, [cora]);
  assert.deepEqual(openSum(await client.aggregate(job, 1, never), 2), sumOf([0, 1]));
  const { status, reason, answer } = (await client.job(job, never)).owners[2] ?? {};
  assert.deepEqual([status, reason], ['withdrawn', 'column age is missing']);
  assert.ok(answer !== undefined);
  verifyObject(party.parties, { name: cora, role: 'data-owner' }, 'answer', answer.answer, answer.signature);
  assert.deepEqual((await told(party)).slice(7), ['owner.answered cora withdrawn', 'round.closed 1']);
  assertOnlyUpkeep(party);
});

test('a withdrawal out of the quorum abandons the round at once; who still had time is not absent', async () => {
  await using party = await opened(30, 3);
  const { client } = party;
  await party.contribute(1, anna, contributionOf(0));
  await party.answer(bert, 'refused');
  const view = await ended(party);
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
  for (const [index, owner] of trio.entries()) await party.contribute(1, owner, contributionOf(index));
  await ended(party);
  await party.answer(cora, 'withdrawn');
  // Whoever opens the round has not heard of it yet.
  await party.open(2);
  await party.contribute(2, anna, contributionOf(0));
  assert.equal((await client.round(job, 2, never)).status, 'open');
  await party.contribute(2, bert, contributionOf(1));
  assert.equal((await ended(party, 2)).status, 'closed');
  await party.answer(bert, 'withdrawn');
  await party.open(3);
  assert.equal((await ended(party, 3)).status, 'abandoned');
  assert.deepEqual((await told(party)).slice(-2), ['round.opened 3', 'round.abandoned 3']);
  assertOnlyUpkeep(party);
});

test('who withdrew may come back as long as the round is open', async () => {
  await using party = await opened();
  const { client } = party;
  await party.answer(cora, 'withdrawn');
  await party.answer(cora, 'ready');
  assert.equal((await client.round(job, 1, never)).status, 'open');
  await party.contribute(1, cora, contributionOf(2));
  await party.contribute(1, anna, contributionOf(0));
  assert.equal((await client.round(job, 1, never)).status, 'open');
  await party.contribute(1, bert, contributionOf(1));
  await ended(party);
  assert.deepEqual(openSum(await client.aggregate(job, 1, never), 3), sumOf([0, 1, 2]));
});

test('who was absent and is ready again while the next round waits for it is waited for', async () => {
  await using party = await opened();
  const { client, clock } = party;
  await party.contribute(1, anna, contributionOf(0));
  await party.contribute(1, bert, contributionOf(1));
  clock.advance(30_000);
  await ended(party);
  await party.open(2);
  await party.answer(cora, 'ready');
  for (const [index, owner] of [anna, bert].entries()) await party.contribute(2, owner, contributionOf(index));
  assert.equal((await client.round(job, 2, never)).status, 'open');
  await party.contribute(2, cora, contributionOf(2));
  assert.deepEqual((await client.round(job, 2, never)).missing, []);
});

test('an answer repeated changes nothing and is told once', async () => {
  await using party = await opened();
  const before = await told(party);
  await party.answer(anna, 'ready');
  assert.deepEqual(await told(party), before);
});

test('a job may be created again with the same body, however its members are ordered, and not with another', async () => {
  await using party = await startFacilitator();
  const model = { one: 1, two: { three: 3, four: [4] } };
  const descriptor = describeJob({ model });
  const post = (body: unknown): Promise<Response> =>
    party.fetchAs(mona)(`${party.url}/jobs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const first = await post(signJob(descriptor));
  assert.equal(first.status, 201);
  assert.equal(first.headers.get('location'), '/jobs/job');
  const view: unknown = await first.json();
  const turned = {
    ...Object.fromEntries(Object.entries(descriptor).reverse()),
    model: { two: { four: [4], three: 3 }, one: 1 },
  };
  for (const body of [descriptor, turned]) {
    // Signed over the canonical form, so the order of members makes no difference.
    const again = await post({ signature: signJob(descriptor).signature, descriptor: body });
    assert.equal(again.status, 200);
    assert.deepEqual(await again.json(), view);
  }
  const others = [
    { ...descriptor, deadline_seconds: 31 },
    describeJob({ model: { one: 1, two: { three: 3, four: [5] } } }),
    { ...descriptor, quorum: 3 },
  ];
  for (const body of others) {
    const answer = await post(signJob(body));
    assert.equal(answer.status, 409);
    assert.equal(((await answer.json()) as { type: string }).type, 'urn:sealsum:problem:job-conflict');
  }
  assert.deepEqual(await told(party), ['job.created']);
});

test('a round may be opened again with the same body, also when it is over, and not with another; and only the next one', async () => {
  await using party = await opened();
  const put = async (round: number, more: RoundOptions = {}): Promise<readonly [number, string | undefined]> => {
    const signed = signRound(describeRound(describeJob({ deadline_seconds: 30, quorum: 2 }), round, more));
    // In another order than that of the canonical form.
    const body = {
      signature: signed.signature,
      descriptor: Object.fromEntries(Object.entries(signed.descriptor).reverse()),
    };
    const answer = await party.fetchAs(mona)(`${party.url}/jobs/job/rounds/${round}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const { type } = (await answer.json()) as { type?: string };
    return [answer.status, type?.slice('urn:sealsum:problem:'.length)];
  };
  assert.deepEqual(await put(1), [200, undefined]);
  assert.deepEqual(await put(1, { parameters, roster: trio }), [200, undefined]);
  assert.deepEqual(await put(1, { parameters: [0.5, -0.25] }), [409, 'round-conflict']);
  assert.deepEqual(await put(1, { roster: [anna, bert] }), [409, 'round-conflict']);
  assert.deepEqual(await put(2), [409, 'round-open']);
  assert.deepEqual(await put(3), [409, 'round-conflict']);
  for (const [index, owner] of trio.entries()) await party.contribute(1, owner, contributionOf(index));
  await ended(party);
  assert.deepEqual(await put(1), [200, undefined]);
  assert.deepEqual(await put(3), [409, 'round-conflict']);
  assert.deepEqual(await put(2, { roster: [anna] }), [409, 'owners-too-few']);
  assert.deepEqual(await put(2, { roster: [anna, 'zoe' as OwnerId] }), [403, 'owner-not-on-roster']);
  assert.deepEqual(await put(2, { roster: [anna, bert], parameters: [] }), [201, undefined]);
  assert.deepEqual(await put(1), [200, undefined]);
  assert.deepEqual(await put(1, { parameters: [] }), [409, 'round-conflict']);
});

test('the aggregate of a round that is open, or is none, is refused', async () => {
  await using party = await opened();
  assert.equal(await codeOf(party.client.aggregate(job, 1, never)), 'round_open');
  assert.equal(await codeOf(party.client.aggregate(job, 2, never)), 'round_unknown');
});

test('a job that ends forgets its ciphertexts; whoever still asks is told that it has ended', async () => {
  await using party = await opened();
  const { client } = party;
  const sent = [0, 1, 2].map((number) => contributionOf(number));
  const receipts = [];
  for (const [index, owner] of trio.entries())
    receipts.push(await party.contribute(1, owner, sent[index] ?? new Uint8Array()));
  await ended(party);
  await party.open(2);
  await party.contribute(2, anna, contributionOf(0));
  for (const round of [1, 2]) assert.equal(await blocksOf(party, round), 1);
  await client.endJob(job, 'finished', never);
  assertOnlyUpkeep(party);
  for (const round of [1, 2]) assert.equal(await blocksOf(party, round), 0);
  assert.equal((await client.job(job, never)).status, 'finished');
  assert.equal((await told(party)).at(-1), 'job.ended finished');
  const requests = [
    () => client.aggregate(job, 1, never),
    () => party.contribute(2, bert, contributionOf(1)),
    () => party.open(3),
    () => party.answer(anna, 'ready'),
  ];
  for (const request of requests) {
    const error = await refusal(request());
    assert.equal(error.code, 'job_ended', error.message);
    assert.match(error.message, /^job job has ended: finished/);
  }
  // What was signed and acknowledged stays so.
  assert.equal((await client.round(job, 1, never)).manifest?.manifest.count, 3);
  assert.deepEqual(await party.contribute(1, anna, sent[0] ?? new Uint8Array()), receipts[0]);
  assert.equal(await codeOf(client.round(job, 3, never)), 'round_unknown');
  await client.endJob(job, 'failed', never);
  assert.equal((await client.job(job, never)).status, 'finished');
  assert.equal((await told(party)).filter((each) => each.startsWith('job.ended')).length, 1);
});

test('a hundred owners at once end in one closed round with the sum of all', async () => {
  const roster = Array.from({ length: 100 }, (_, index) => `owner-${index}` as OwnerId);
  await using party = await startFacilitator({ parties: partiesWith(roster) });
  const { client } = party;
  await party.create({ roster, quorum: 100 });
  await party.open(1);
  const numbers = roster.map((_, index) => index);
  const sent = numbers.map((number) => contributionOf(number, 100));
  await Promise.all(roster.map((owner, index) => party.contribute(1, owner, sent[index] ?? new Uint8Array())));
  const view = await ended(party);
  assert.equal(view.status, 'closed');
  assert.deepEqual(new Set(view.contributors), new Set(roster));
  assert.equal(view.manifest?.manifest.count, 100);
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
  const results = await Promise.allSettled(sent.map((bytes) => party.contribute(1, anna, bytes)));
  const accepted = numbers.filter((number) => results[number]?.status === 'fulfilled');
  assert.equal(accepted.length, 1);
  for (const result of results)
    if (result.status === 'rejected') assert.equal((result.reason as { code: string }).code, 'contribution_conflict');
  await party.contribute(1, bert, contributionOf(20));
  await party.contribute(1, cora, contributionOf(21));
  await ended(party);
  assert.deepEqual(openSum(await client.aggregate(job, 1, never), 3), sumOf([...accepted, 20, 21]));
});

test('repeats, conflicts, withdrawals and the deadline all at once end in one final state that adds up', async () => {
  await using party = await opened(30);
  const { client, clock } = party;
  const bytes = contributionOf(0);
  const results = await Promise.allSettled([
    party.contribute(1, anna, bytes),
    party.contribute(1, anna, bytes),
    party.contribute(1, bert, contributionOf(1)),
    party.answer(cora, 'withdrawn'),
    party.answer(bert, 'withdrawn'),
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

test.run();
