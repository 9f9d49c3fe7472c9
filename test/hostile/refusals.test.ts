/**
 * Every address of the facilitator against everybody who may not use it like this: each request is refused with a problem of the
 * closed list, none with 5xx, none hangs, and of none is a trace left in the store.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import { ownerIdSchema } from '../../src/protocol/identifiers.ts';
import type { Identity } from '../../src/protocol/identity.ts';
import { createParties } from '../../src/protocol/parties.ts';
import {
  anna,
  answerTo,
  bert,
  contributionOf,
  cora,
  describeJob,
  facilitatorIdentity,
  identityOf,
  mona,
  otto,
  partiesWith,
  signAnswer,
  signContribution,
  signJob,
  zoe,
} from '../parties/facilitator/harness.ts';
import { createTestClock } from '../support/clock.ts';
import { testIdentity } from '../support/identities.ts';
import { assertSame, dumpOf } from './dump.ts';
import { startFacilitatorParty } from './facilitator.ts';
import { type Codes, forgeries } from './forgeries.ts';
import { jsonRequest, type LineRequest, send } from './line.ts';
import { assertNoComplaint, assertRefused, nonces, refused } from './refused.ts';
import { contribution, createWorld, statementOf, wideLimits } from './world.ts';

const test = suite('hostile requests');

test('every address that asks for a signature is tried, and nothing else is behind none', async () => {
  await using world = await createWorld();
  const document = (await (await fetch(`${world.party.url}/openapi.json`)).json()) as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly security?: unknown }>>>>;
  };
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => {
      assert.ok(security !== undefined, `${method} ${path}`);
      return `${method} ${path}`;
    }),
  );
  assert.deepEqual(world.routes.map(({ name }) => name).sort(), described.sort());
});

test('a forged, spoiled, expired or unsigned request is refused at every address', async () => {
  await using world = await createWorld();
  for (const route of world.routes)
    for (const { name, codes, make } of forgeries) {
      const request = make(world, route);
      if (request !== undefined) await refused(world, request, codes, `${route.name}, ${name}`);
    }
  assertNoComplaint(world);
});

const [annaId, bertId, coraId, zoeId] = [anna, bert, cora, zoe].map((name) => identityOf(name)) as [
  Identity,
  Identity,
  Identity,
  Identity,
];
/** The model owner, as if it were an owner. */
const notAnOwner = ownerIdSchema.parse(mona.name);
const unknown: Codes = ['job_unknown'];
const forbidden: Codes = ['role_forbidden'];

/** Who may not, by address, and what each is told; whoever may not even know of a job is told that there is none. */
const outsiders: Readonly<Record<string, readonly (readonly [Identity, Codes])[]>> = {
  // Everybody who belongs may ask, and gets a list of their own.
  'get /jobs': [],
  // The facilitator's own people read what it holds with its identity, and change nothing.
  'get /jobs/{job}': [otto, zoeId].map((who) => [who, unknown]),
  'get /jobs/{job}/rounds/{round}': [otto, zoeId].map((who) => [who, unknown]),
  'get /jobs/{job}/events': [otto, zoeId].map((who) => [who, unknown]),
  'get /jobs/{job}/rounds/{round}/aggregate': [
    [annaId, forbidden],
    [coraId, forbidden],
    [zoeId, unknown],
    [otto, unknown],
    [facilitatorIdentity, forbidden],
  ],
  'get /events': [bertId, zoeId, mona, otto, facilitatorIdentity].map((who) => [who, forbidden]),
  'get /owners': [annaId, zoeId].map((who) => [who, forbidden]),
  'post /jobs': [annaId, zoeId, otto, facilitatorIdentity].map((who) => [who, forbidden]),
  'put /jobs/{job}/rounds/{round}': [
    [annaId, forbidden],
    [zoeId, unknown],
    [otto, unknown],
    [facilitatorIdentity, forbidden],
  ],
  'put /jobs/{job}/rounds/{round}/contributions/{owner}': [annaId, coraId, zoeId, mona, otto, facilitatorIdentity].map(
    (who) => [who, forbidden],
  ),
  'put /jobs/{job}/rounds/{round}/reports/{facilitator}': [annaId, zoeId, mona, otto, facilitatorIdentity].map(
    (who) => [who, forbidden],
  ),
  'put /jobs/{job}/owners/{owner}': [bertId, coraId, zoeId, mona, otto, facilitatorIdentity].map((who) => [
    who,
    forbidden,
  ]),
  'delete /jobs/{job}': [
    [annaId, forbidden],
    [zoeId, unknown],
    [otto, unknown],
    [facilitatorIdentity, forbidden],
  ],
};

test('who belongs, but in another role, under another name or to another job, is refused at every address', async () => {
  await using world = await createWorld();
  for (const { name, request } of world.routes)
    for (const [who, codes] of outsiders[name] ?? assert.fail(name))
      await refused(world, world.sign(who, request), codes, `${name} by ${who.name}`);
  const more: readonly (readonly [Identity, LineRequest, Codes])[] = [
    // As oneself, where one has no business.
    [zoeId, jsonRequest('PUT', '/jobs/job/owners/zoe', signAnswer(answerTo(world.job, zoe, 'ready'))), unknown],
    [zoeId, contribution(world.open, zoe, contributionOf(5)), unknown],
    [
      mona,
      jsonRequest('PUT', '/jobs/job/owners/mona', signAnswer(answerTo(world.job, notAnOwner, 'ready'), mona)),
      forbidden,
    ],
    // Where one names an owner, it is oneself.
    [annaId, { method: 'GET', path: '/events?owner=bert', headers: {} }, forbidden],
    [zoeId, { method: 'GET', path: '/events?owner=anna', headers: {} }, forbidden],
    [otto, { method: 'GET', path: '/events?owner=otto', headers: {} }, forbidden],
    // A job under another's name, and another job under a name that is taken.
    [otto, jsonRequest('POST', '/jobs', signJob(describeJob({ job: 'next' }), otto)), forbidden],
    [otto, jsonRequest('POST', '/jobs', signJob({ ...describeJob(), model_owner: otto.name }, otto)), ['job_conflict']],
    [
      otto,
      jsonRequest('POST', '/jobs', signJob({ ...describeJob({ job: 'next' }), model_owner: otto.name })),
      ['signature_invalid'],
    ],
    // Signed by oneself, sent by oneself, in another's place.
    [
      bertId,
      jsonRequest('PUT', '/jobs/job/owners/anna', signAnswer(answerTo(world.job, bert, 'ready'))),
      ['message_invalid'],
    ],
    [
      bertId,
      jsonRequest('PUT', '/jobs/job/owners/bert', signAnswer(answerTo(world.job, anna, 'ready'))),
      ['message_invalid'],
    ],
    [
      bertId,
      jsonRequest('PUT', '/jobs/job/owners/bert', signAnswer(answerTo(world.job, bert, 'ready'), annaId)),
      ['signature_invalid'],
    ],
    [
      coraId,
      contribution(
        world.open,
        cora,
        contributionOf(5),
        signContribution(statementOf(world.open, cora, contributionOf(5)), annaId),
      ),
      ['signature_invalid'],
    ],
  ];
  for (const [who, request, codes] of more)
    await refused(world, world.sign(who, request), codes, `${request.method} ${request.path} by ${who.name}`);
  for (const who of [otto, zoeId]) {
    const answer = await send(world.party.port, world.sign(who, { method: 'GET', path: '/jobs', headers: {} }));
    assert.deepEqual(JSON.parse(answer?.body.toString() ?? ''), { jobs: [] });
  }
  assertNoComplaint(world);
});

test('each of these requests is granted to who may make it, once: the very same again is refused, after a restart too', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-hostile-'));
  try {
    const location = join(folder, 'facilitator.db');
    const { port, sent } = await replayedAtOnce(location);
    const clock = createTestClock();
    const parties = partiesWith();
    const again = { identity: facilitatorIdentity, parties: () => parties, clock, limiter: wideLimits };
    await using party = await startFacilitatorParty({ ...again, location, port });
    for (const { name, request } of sent)
      await refused({ party }, request, ['nonce_reused'], `${name}, replayed after a restart`);
  } finally {
    await rm(folder, { recursive: true });
  }
});

interface Sent {
  readonly name: string;
  readonly request: LineRequest;
}

/** Makes every request once, and each of them again after every further one. */
async function replayedAtOnce(location: string): Promise<{ readonly port: number; readonly sent: readonly Sent[] }> {
  await using world = await createWorld({ location });
  const { port, facilitator } = world.party;
  const sent: Sent[] = [];
  for (const { name, who, request, status } of world.routes) {
    const signed = world.sign(who, request);
    const answer = await send(port, signed);
    assert.equal(answer?.status, status, `${name}: ${answer?.body.toString()}`);
    sent.push({ name, request: signed });
    await facilitator.drained();
    for (const each of sent) await refused(world, each.request, ['nonce_reused'], `${each.name}, replayed`);
  }
  assertNoComplaint(world);
  return { port, sent };
}

test('a nonce is remembered for as long as a signature with it would be in time', async () => {
  await using world = await createWorld();
  const { clock, party } = world;
  const get: LineRequest = { method: 'GET', path: '/jobs/job', headers: {} };
  // Signed by a clock that is ahead by as much as is allowed, so it stays in time for twice as long.
  const ahead = world.sign(annaId, get, clock.now() + 60_000);
  assert.equal((await send(party.port, ahead))?.status, 200);
  for (let second = 0; second < 120; second += 10) {
    clock.advance(10_000);
    // Whatever is asked makes the facilitator forget what is too old.
    assert.equal((await send(party.port, world.sign(bertId, get)))?.status, 200);
    await refused(world, ahead, ['nonce_reused'], `replayed after ${second + 10} s`);
  }
  clock.advance(1000);
  await refused(world, ahead, ['signature_expired'], 'replayed after 121 s');
});

test('a party that was put off the roster file, or has another key now, is refused with the old one', async () => {
  let parties = partiesWith();
  await using world = await createWorld({ parties: () => parties });
  const get: LineRequest = { method: 'GET', path: '/jobs/job', headers: {} };
  assert.equal((await send(world.party.port, world.sign(annaId, get)))?.status, 200);
  const successor = testIdentity('anna', 'data-owner', 1);
  const rest = parties.all.filter(({ name }) => name !== anna);
  parties = createParties([...rest, successor], [annaId]);
  await refused(world, world.sign(annaId, get), ['party_unknown'], 'signed with the key before');
  assert.equal((await send(world.party.port, world.sign(successor, get)))?.status, 200);
  parties = createParties(rest);
  for (const who of [annaId, successor]) await refused(world, world.sign(who, get), ['party_unknown'], 'put off');
});

test('who asks too often is told when to come back, and nobody else has to wait', async () => {
  await using world = await createWorld({ limiter: { ...wideLimits, burst: 40, requestsPerSecond: 10 } });
  const get: LineRequest = { method: 'GET', path: '/jobs/job', headers: {} };
  const statuses = new Map<number, number>();
  const before = await dumpOf(world.party.database, nonces);
  for (let index = 0; index < 60; index++) {
    const answer = await send(world.party.port, world.sign(coraId, get));
    assert.ok(answer !== undefined);
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    if (answer.status === 200) continue;
    assertRefused(answer, ['too_many_requests'], 'one too many');
    assert.equal(answer.headers['retry-after'], '1');
  }
  assert.ok((statuses.get(200) ?? 0) > 30 && (statuses.get(429) ?? 0) > 15, JSON.stringify([...statuses]));
  assert.equal((await send(world.party.port, world.sign(zoeId, { ...get, path: '/jobs' })))?.status, 200);
  assertSame(await dumpOf(world.party.database, nonces), before, 'asking too often');
});

test.run();
