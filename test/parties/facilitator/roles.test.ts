/**
 * Who may do what: every address asked by everybody, over real sockets, and what happens with objects that somebody else has
 * signed. Whoever may not is told no more than that, and changes nothing.
 */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { suite } from 'uvu';
import type { Problem } from '../../../src/http/problem.ts';
import { createSignedFetch } from '../../../src/http/signed-fetch.ts';
import { systemRandom } from '../../../src/paillier/random.ts';
import type { OwnerId } from '../../../src/protocol/identifiers.ts';
import type { Identity } from '../../../src/protocol/identity.ts';
import { encodeParameters } from '../../../src/protocol/parameters.ts';
import { signObject } from '../../../src/protocol/signed.ts';
import { until } from '../../support/until.ts';
import {
  anna,
  answerTo,
  bert,
  contributionOf,
  cora,
  describeJob,
  describeRound,
  facilitatorIdentity,
  identityOf,
  mona,
  never,
  otto,
  refusal,
  signAnswer,
  signContribution,
  signJob,
  signRound,
  startFacilitator,
  stranger,
  type TestFacilitator,
  zoe,
} from './harness.ts';

const test = suite('who may do what at a facilitator');

const { job } = describeJob();

/** Everybody there is: the job's model owner, another, an owner of its roster, one who is on no roster, and so on. */
const everybody = {
  mona,
  otto,
  anna: identityOf(anna),
  zoe: identityOf(zoe),
  facilitator: facilitatorIdentity,
  stranger,
  nobody: undefined,
} as const;
type Somebody = keyof typeof everybody;

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The answer's status, and for a refusal what it is. */
async function ask(party: TestFacilitator, who: Identity | undefined, asked: Asked): Promise<string> {
  const { method, path, body, headers = {} } = asked;
  const stop = new AbortController();
  const send = who === undefined ? fetch : party.fetchAs(who);
  const response = await send(party.url + path, {
    method,
    headers: { ...(typeof body === 'string' ? { 'content-type': 'application/json' } : {}), ...headers },
    signal: stop.signal,
    ...(body === undefined ? {} : { body }),
  });
  if (response.headers.get('content-type') === 'text/event-stream') {
    stop.abort();
    return 'stream';
  }
  const text = await response.text();
  if (response.ok) return String(response.status);
  return (JSON.parse(text) as Problem).type.slice('urn:sealsum:problem:'.length);
}

const json = (method: string, path: string, body: object): Asked => ({ method, path, body: JSON.stringify(body) });
const get = (path: string): Asked => ({ method: 'GET', path });

/** What the same address answers to each of them; to strangers and to nobody it is always the same. */
const told = (
  mona: string,
  otto: string,
  anna: string,
  zoe: string,
  facilitator: string,
): Record<Somebody, string> => ({
  mona,
  otto,
  anna,
  zoe,
  facilitator,
  stranger: 'party-unknown',
  nobody: 'signature-missing',
});

test('every address, asked by everybody', async () => {
  await using party = await startFacilitator();
  await party.create();
  await party.open(1);
  const bytes = contributionOf(0);
  const { key, value } = signContribution(party.statement(1, anna, bytes));
  const hidden = 'job-unknown';
  const forbidden = 'role-forbidden';
  const read = told('200', hidden, '200', hidden, '200');
  const contribution: Asked = {
    method: 'PUT',
    path: '/jobs/job/rounds/1/contributions/anna',
    body: new Uint8Array(bytes),
    headers: { 'content-type': 'application/octet-stream', 'contribution-signature': `${key}.${value}` },
  };
  const table: readonly (readonly [Asked, Record<Somebody, string>])[] = [
    [json('POST', '/jobs', signJob(describeJob())), told('200', forbidden, forbidden, forbidden, forbidden)],
    [get('/jobs'), told('200', '200', '200', '200', '200')],
    [get('/jobs/job'), read],
    [get('/jobs/job/rounds/1'), read],
    [get('/jobs/job/rounds/2'), told('round-unknown', hidden, 'round-unknown', hidden, 'round-unknown')],
    [get('/jobs/job/rounds/1/aggregate'), told('round-open', hidden, forbidden, hidden, forbidden)],
    [get('/jobs/job/events'), told('stream', hidden, 'stream', hidden, 'stream')],
    [get('/events'), told('stream', 'stream', 'stream', 'stream', 'stream')],
    [get('/events?owner=anna'), told(forbidden, forbidden, 'stream', forbidden, forbidden)],
    [get('/events?owner=mona'), told(forbidden, forbidden, forbidden, forbidden, forbidden)],
    [get('/owners'), told('200', '200', forbidden, forbidden, '200')],
    [
      json('PUT', '/jobs/job/owners/anna', signAnswer(answerTo(describeJob(), anna, 'ready'))),
      told(forbidden, forbidden, '204', forbidden, forbidden),
    ],
    [
      json('PUT', '/jobs/job/owners/zoe', signAnswer(answerTo(describeJob(), zoe, 'ready'))),
      told(forbidden, forbidden, forbidden, hidden, forbidden),
    ],
    [
      json('PUT', '/jobs/job/rounds/1', signRound(describeRound(describeJob(), 1))),
      told('200', hidden, forbidden, hidden, forbidden),
    ],
    [contribution, told(forbidden, forbidden, '201', forbidden, forbidden)],
    [contribution, told(forbidden, forbidden, '200', forbidden, forbidden)],
    [
      json('PUT', '/jobs/job/rounds/1/reports/facilitator', { status: 'abandoned', reason: 'none', absent: [] }),
      told(forbidden, forbidden, forbidden, forbidden, forbidden),
    ],
  ];
  for (const [asked, expected] of table)
    for (const [name, who] of Object.entries(everybody)) {
      const found = await ask(party, who, asked);
      assert.equal(found, expected[name as Somebody], `${asked.method} ${asked.path} by ${name}`);
    }
  // In this order, as the model owner's ends the job.
  const end = { method: 'DELETE', path: '/jobs/job?outcome=finished' };
  const expected = told('204', hidden, forbidden, hidden, forbidden);
  for (const name of ['nobody', 'stranger', 'facilitator', 'zoe', 'anna', 'otto', 'mona', 'mona'] as const)
    assert.equal(await ask(party, everybody[name], end), expected[name], `DELETE by ${name}`);
});

test('what is no secret needs no signature', async () => {
  await using party = await startFacilitator();
  for (const path of ['/healthz', '/readyz', '/openapi.json', '/docs', '/metrics'])
    assert.equal((await fetch(party.url + path)).status, 200, path);
});

test('everybody is listed the jobs it belongs to, and an owner sees of the owners itself', async () => {
  await using party = await startFacilitator();
  await party.create();
  await party.create({ job: 'second', roster: [anna, bert] });
  const ottos = signJob({ ...describeJob({ job: 'third', roster: [anna, zoe] }), model_owner: otto.name }, otto);
  await party.as(otto).createJob(ottos, never);
  const listed = async (who: Identity | OwnerId): Promise<string> =>
    (await party.as(who).jobs(never)).map((each) => each.job).join(' ');
  assert.equal(await listed(mona), 'job second');
  assert.equal(await listed(otto), 'third');
  assert.equal(await listed(anna), 'job second third');
  assert.equal(await listed(bert), 'job second');
  assert.equal(await listed(cora), 'job');
  assert.equal(await listed(facilitatorIdentity), 'job second third');
  assert.equal(await listed(zoe), 'third');
  await party.answer(bert, 'refused', { reason: 'column age is missing' });
  await party.answer(anna, 'ready');
  const seen = async (who: Identity | OwnerId): Promise<unknown> =>
    (await party.as(who).job(job, never)).owners.map(({ owner, status, reason }) => [owner, status, reason]);
  assert.deepEqual(await seen(mona), [
    [anna, 'ready', undefined],
    [bert, 'refused', 'column age is missing'],
    [cora, 'invited', undefined],
  ]);
  assert.deepEqual(await seen(anna), [[anna, 'ready', undefined]]);
  assert.deepEqual(await seen(cora), [[cora, 'invited', undefined]]);
  const own = (await party.as(anna).job(job, never)).owners[0]?.answer;
  assert.deepEqual(own, signAnswer(answerTo(describeJob(), anna, 'ready')));
});

test("an owner's stream of a job tells nothing of what others answered, whatever number it resumes after", async () => {
  await using party = await startFacilitator();
  await party.create();
  await party.answer(bert, 'refused', { reason: 'private-reason-1' });
  for (const headers of [{}, { 'last-event-id': '1' }, { 'last-event-id': '0' }]) {
    const stop = new AbortController();
    const response = await party.fetchAs(anna)(`${party.url}/jobs/job/events`, { headers, signal: stop.signal });
    await party.answer(bert, 'withdrawn', { reason: 'private-reason-2' });
    await party.answer(anna, 'refused', { reason: `anna ${JSON.stringify(headers)}` });
    await party.answer(anna, 'ready');
    let text = '';
    for await (const chunk of response.body as ReadableStream<Uint8Array>) {
      text += new TextDecoder().decode(chunk);
      if (text.includes('"status":"ready"')) break;
    }
    stop.abort();
    assert.ok(!text.includes('private-reason') && !text.includes('bert'), text);
    await party.answer(bert, 'ready');
  }
});

/** Everything that must not have changed. */
async function stateOf({ store }: TestFacilitator): Promise<unknown> {
  return [
    await store.jobs(),
    await store.round(job, 1),
    await store.round(job, 2),
    await store.block({ job, round: 1, series: 'product:1' }, 0),
    await store.lastEvent(),
  ];
}

test('objects that somebody else has signed, or that were signed as something else, are refused', async () => {
  await using party = await startFacilitator();
  await party.create();
  await party.open(1);
  const before = await stateOf(party);
  const descriptor = describeJob({ job: 'other' });
  const round = describeRound(describeJob(), 2);
  const answer = answerTo(describeJob(), anna, 'ready');
  const bytes = contributionOf(0);
  const statement = party.statement(1, anna, bytes);
  const asAnna = identityOf(anna);
  const right = signContribution(statement);
  const flip = (value: string): string => (value.startsWith('A') ? 'B' : 'A') + value.slice(1);
  const attempts: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['a job signed by another', () => party.client.createJob(signJob(descriptor, otto), never)],
    [
      'a job signed by another in her name',
      () =>
        party.client.createJob(
          { descriptor, signature: { ...signJob(descriptor, otto).signature, party: mona.name } },
          never,
        ),
    ],
    [
      'a job changed after it was signed',
      () => party.client.createJob({ ...signJob(descriptor), descriptor: { ...descriptor, quorum: 3 } }, never),
    ],
    [
      'a job signed as a round',
      () => party.client.createJob({ descriptor, signature: signObject(mona, 'round', descriptor) }, never),
    ],
    ['a round signed by another', () => party.client.openRound(signRound(round, otto), never)],
    [
      'a round changed after it was signed',
      () =>
        party.client.openRound(
          { ...signRound(round), descriptor: { ...round, parameters: encodeParameters([1]) } },
          never,
        ),
    ],
    ['an answer signed by another', () => party.as(anna).answerJob(signAnswer(answer, identityOf(bert)), never)],
    [
      'an answer changed after it was signed',
      () =>
        party
          .as(anna)
          .answerJob({ ...signAnswer(answer), answer: { ...answer, tag_key: 'C'.repeat(42).concat('A') } }, never),
    ],
    [
      'a contribution signed by another',
      () =>
        party
          .as(anna)
          .contribute(statement, { ...signContribution(statement, identityOf(bert)), party: anna }, bytes, never),
    ],
    [
      'a contribution with a signature of nobody',
      () => party.as(anna).contribute(statement, { ...right, value: flip(right.value) }, bytes, never),
    ],
    [
      'a contribution signed for other bytes',
      () =>
        party.as(anna).contribute(statement, signContribution({ ...statement, digest: '0'.repeat(64) }), bytes, never),
    ],
    [
      'a contribution signed for another round',
      () => party.as(anna).contribute(statement, signContribution({ ...statement, round: 2 }), bytes, never),
    ],
    [
      'a contribution signed for another descriptor of the round',
      () =>
        party
          .as(anna)
          .contribute(statement, signContribution({ ...statement, round_digest: '0'.repeat(64) }), bytes, never),
    ],
    [
      'a contribution signed as a receipt',
      () => party.as(anna).contribute(statement, signObject(asAnna, 'receipt', statement), bytes, never),
    ],
  ];
  for (const [what, attempt] of attempts) {
    const error = await refusal(attempt());
    assert.deepEqual([error.code, error.field], ['signature_invalid', 'signature'], what);
  }
  assert.deepEqual(await stateOf(party), before);
  assert.equal((await party.contribute(1, anna, bytes)).receipt.owner, anna);
});

test('a request that was recorded and is sent again is refused', async () => {
  await using party = await startFacilitator();
  await party.create();
  const recorded: [string, RequestInit][] = [];
  const recording = createSignedFetch({
    identity: mona,
    clock: party.clock,
    random: systemRandom,
    fetch: (input, init = {}) => {
      assert.ok(typeof input === 'string');
      recorded.push([input, init]);
      return fetch(input, init);
    },
  });
  await recording(`${party.url}/jobs/job?outcome=failed`, { method: 'DELETE' });
  const [url, init] = recorded[0] ?? ['', {}];
  const again = await fetch(url, init);
  assert.equal(((await again.json()) as Problem).type, 'urn:sealsum:problem:nonce-reused');
});

test('a model owner has at most so many open jobs, and others are none of its business', async () => {
  await using party = await startFacilitator({ limits: { openJobs: 2 } });
  await party.create({ job: 'one' });
  await party.create({ job: 'two' });
  const error = await refusal(party.create({ job: 'three' }));
  assert.deepEqual([error.code, error.message], ['too_many_requests', 'mona has 2 open jobs; end one of them first']);
  await party.create({ job: 'two' });
  const ottos = signJob({ ...describeJob({ job: 'third' }), model_owner: otto.name }, otto);
  await party.as(otto).createJob(ottos, never);
  await party.client.endJob(describeJob({ job: 'one' }).job, 'cancelled', never);
  await party.create({ job: 'three' });
  const conflict = await refusal(party.client.createJob(signJob(describeJob({ job: 'third' })), never));
  assert.equal(conflict.code, 'job_conflict');
});

test('who may not contribute is refused before its bytes are taken', async () => {
  await using party = await startFacilitator();
  await party.create({ quorum: 3 });
  await party.open(1);
  let taken = 0;
  const bytes = contributionOf(0);
  const statement = party.statement(1, anna, bytes);
  const body = (): Readable =>
    new Readable({
      read() {
        taken += 1;
        this.push(bytes);
        this.push(null);
      },
    });
  const request = { job, round: 1, owner: anna, digest: statement.digest, bytes: bytes.length, body: body() };
  const forged = signContribution(statement, identityOf(bert));
  for (const who of [identityOf(bert), mona, identityOf(anna)])
    await refusal(party.facilitator.contribute(who, { ...request, signature: forged }));
  assert.equal(taken, 0);
  await party.facilitator.contribute(identityOf(anna), { ...request, signature: signContribution(statement) });
  assert.equal(taken, 1);
  // Nor are they taken again.
  await party.facilitator.contribute(identityOf(anna), {
    ...request,
    body: body(),
    signature: signContribution(statement),
  });
  assert.equal(taken, 1);
  await until('its event', async () => (await party.store.lastEvent()) === 3);
});

test.run();
