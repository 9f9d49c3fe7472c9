/**
 * Requests of those who may make them, with bodies that nobody should take: too long, cut off, slow, no JSON, of another shape,
 * signed as something else, or no ciphertexts. Each is refused with a problem of the closed list, or its line is closed; none is
 * answered with 5xx, none hangs, and of none is a trace left in the store.
 */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { bigintToBytes } from '../../src/paillier/bytes.ts';
import { primesOf } from '../../src/paillier/private-key.ts';
import type { Identity } from '../../src/protocol/identity.ts';
import { encodeParameters } from '../../src/protocol/parameters.ts';
import { contributionSignatureHeader } from '../../src/protocol/round-messages.ts';
import { canonicalDigest, signObject } from '../../src/protocol/signed.ts';
import {
  anna,
  answerTo,
  bert,
  contributionOf,
  cora,
  describeJob,
  describeRound,
  identityOf,
  keys,
  mona,
  otto,
  signAnswer,
  signContribution,
  signJob,
  signRound,
  zoe,
} from '../parties/facilitator/harness.ts';
import { changesOf } from '../support/changes.ts';
import { assertLeftAsBefore, assertSame, dumpOf } from './dump.ts';
import type { Codes } from './forgeries.ts';
import { drip, headOf, jsonRequest, type LineRequest, send, statusOf } from './line.ts';
import { assertNoComplaint, assertRefused, nonces, refused, refusedOrClosed } from './refused.ts';
import { contribution, createWorld, type Route, statementOf, type World } from './world.ts';

const test = suite('hostile bodies');

const withJson = ({ routes }: World): readonly Route[] =>
  routes.filter(({ request }) => request.headers['content-type'] === 'application/json');
const withBody = ({ routes }: World): readonly Route[] => routes.filter(({ request }) => request.body !== undefined);

/** Another body of the same request. */
const sending = ({ request }: Route, body: string | Uint8Array): LineRequest => ({
  ...request,
  body: Buffer.from(body),
});

/** Bytes that are no JSON, or that JSON.parse() and others understand differently. */
const noJson: readonly (string | Uint8Array)[] = [
  '',
  ' ',
  '{',
  '{"descriptor":',
  '{"descriptor":{},}',
  "{'a':1}",
  '{"a":NaN}',
  '{"a":0x1}',
  '{"a":01}',
  '{"a":1}{"b":2}',
  '{"a":1}\u0000',
  '\ufeff{"a":1}',
  '{"a":"\n"}',
  '{"a":"\\x"}',
  Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
  Buffer.from('{"a":1}', 'utf16le'),
  '['.repeat(100_000),
  `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`,
];

/** JSON, and nothing that is asked for anywhere. */
const otherShapes: readonly unknown[] = [
  null,
  true,
  7,
  -0,

  'text',
  [],
  [[]],
  {},
  { descriptor: null },
  { descriptor: [], signature: {} },
  { answer: {}, signature: null },
  { __proto__: null, descriptor: { job: 'next' } },
  { constructor: { prototype: {} } },
  { descriptor: { job: 'a'.repeat(100_000) } },
  Array.from({ length: 20_000 }, () => ({})),
  Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`field${index}`, index])),
];

test('what is no JSON, or JSON of another shape, is refused', async () => {
  await using world = await createWorld();
  for (const route of withJson(world)) {
    for (const body of noJson)
      await refused(
        world,
        world.sign(route.who, sending(route, body)),
        ['message_invalid'],
        `${route.name} with ${label(body)}`,
      );
    for (const message of otherShapes) {
      const body = JSON.stringify(message);
      await refused(
        world,
        world.sign(route.who, sending(route, body)),
        ['message_invalid'],
        `${route.name} with ${label(body)}`,
      );
    }
    // As JSON.parse() makes an own field of it.
    const text = `{"__proto__":{"admin":true},${Buffer.from(route.request.body ?? [])
      .toString()
      .slice(1)}`;
    await refused(
      world,
      world.sign(route.who, sending(route, text)),
      ['message_invalid'],
      `${route.name} with __proto__`,
    );
    for (const type of [
      '',
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/jsonx',
      'application/octet-stream',
    ])
      await refused(
        world,
        world.sign(route.who, { ...route.request, headers: { 'content-type': type } }),
        ['media_type_unsupported'],
        `${route.name} as ${type}`,
      );
  }
  assertNoComplaint(world);
});

const label = (body: string | Uint8Array): string => JSON.stringify(Buffer.from(body).toString('latin1').slice(0, 60));

test('a message with anything changed in it is refused: nobody has signed it', async () => {
  await using world = await createWorld();
  const { party } = world;
  for (const route of withJson(world)) {
    const message: unknown = JSON.parse(Buffer.from(route.request.body ?? []).toString());
    // Of the proof's five hundred places of one form a few are enough.
    const changes = changesOf(message, ['descriptor.public_key_proof.blum', 'descriptor.public_key_proof.roots']);
    assert.ok(changes.length > 40);
    const codes: Codes = ['message_invalid', 'signature_invalid', 'role_forbidden', 'job_unknown'];
    const before = await dumpOf(party.database, nonces);
    for (const { path, value } of changes) {
      const answer = await send(party.port, world.sign(route.who, sending(route, JSON.stringify(value))));
      assert.ok(answer !== undefined);
      assertRefused(answer, codes, `${route.name}, ${path}`);
    }
    assertSame(await dumpOf(party.database, nonces), before, route.name);
  }
  assertNoComplaint(world);
});

test('a message that somebody else has signed, as something else or for another place, is refused', async () => {
  await using world = await createWorld();
  const { job, bare } = world;
  const next = describeJob({ job: 'next' });
  const round = describeRound(bare, 1);
  const answer = answerTo(job, anna, 'withdrawn', 'for a reason');
  const [annaId, bertId] = [identityOf(anna), identityOf(bert)];
  const postJob = (message: unknown): LineRequest => jsonRequest('POST', '/jobs', message);
  const putRound = (message: unknown, path = '/jobs/bare/rounds/1'): LineRequest => jsonRequest('PUT', path, message);
  const putAnswer = (message: unknown, path = '/jobs/job/owners/anna'): LineRequest =>
    jsonRequest('PUT', path, message);
  const put = (bytes: Uint8Array, who: Identity, kind: 'contribution' | 'receipt' | 'manifest'): LineRequest =>
    contribution(world.open, bert, bytes, signObject(who, kind, statementOf(world.open, bert, bytes)));
  const header = (request: LineRequest, value: string): LineRequest => ({
    ...request,
    headers: { ...request.headers, [contributionSignatureHeader]: value },
  });
  const right = contribution(world.open, bert, contributionOf(4));
  const said = right.headers[contributionSignatureHeader] ?? '';
  const otherRound = {
    ...world.open,
    descriptor: { ...world.open.descriptor, parameters: encodeParameters([1, 2, 3]) },
  };
  const cases: readonly (readonly [Identity, LineRequest, Codes])[] = [
    // Jobs.
    [mona, postJob(signJob(next, otto)), ['signature_invalid']],
    [mona, postJob(signJob(next, annaId)), ['signature_invalid']],
    [mona, postJob({ descriptor: next, signature: signObject(mona, 'round', next) }), ['signature_invalid']],
    [mona, postJob({ descriptor: next, signature: signJob(job).signature }), ['signature_invalid']],
    [mona, postJob(signJob({ ...next, facilitator: otto.name })), ['message_invalid']],
    [mona, postJob(signJob({ ...next, model_owner: otto.name })), ['role_forbidden']],
    [mona, postJob(signJob({ ...next, model: { other: 1 } })), ['message_invalid']],
    [mona, postJob(signJob({ ...next, model_hash: canonicalDigest(0) })), ['message_invalid']],
    [mona, postJob(signJob({ ...job, deadline_seconds: 31 })), ['job_conflict']],
    [mona, postJob(signJob({ ...next, roster: [...next.roster, zoe, named('nobody')] })), ['party_unknown']],
    [mona, postJob(signJob({ ...next, roster: [anna, named('otto')] })), ['role_forbidden']],
    [mona, postJob(signJob({ ...next, plan: { ...next.plan, key_bits: 3072 } })), ['plan_mismatch']],
    [mona, postJob(signJob({ ...next, plan: { ...next.plan, slots: 61 } })), ['plan_mismatch']],
    [mona, postJob(signJob({ ...next, plan: { ...next.plan, ciphertexts: 100_000_000 } })), ['plan_mismatch']],
    [
      mona,
      postJob(signJob({ ...next, public_key: { ...next.public_key, n: 'AQAB' } })),
      ['key_too_small', 'key_invalid'],
    ],
    [
      mona,
      postJob(signJob({ ...next, public_key: { ...next.public_key, n: next.public_key.n.replace(/.$/, 'A') } })),
      ['key_invalid'],
    ],
    // Rounds.
    [mona, putRound(signRound(round, otto)), ['signature_invalid']],
    [mona, putRound({ descriptor: round, signature: signObject(mona, 'job', round) }), ['signature_invalid']],
    [mona, putRound(signRound(describeRound(bare, 2))), ['message_invalid']],
    [mona, putRound(signRound(describeRound(bare, 2)), '/jobs/bare/rounds/2'), ['round_conflict']],
    [mona, putRound(signRound(describeRound(job, 1))), ['message_invalid']],
    [mona, putRound(signRound({ ...round, job: job.job }), '/jobs/job/rounds/1'), ['message_invalid']],
    [mona, putRound(signRound({ ...round, job_digest: canonicalDigest(0) })), ['message_invalid']],
    [mona, putRound(signRound({ ...round, model_hash: canonicalDigest(0) })), ['message_invalid']],
    [mona, putRound(signRound({ ...round, deadline_seconds: 29 })), ['message_invalid']],
    [mona, putRound(signRound({ ...round, roster: [anna, zoe] })), ['owner_not_on_roster']],
    [mona, putRound(signRound(describeRound(job, 3)), '/jobs/job/rounds/3'), ['round_open']],
    [
      mona,
      putRound(signRound({ ...world.open.descriptor, parameters: encodeParameters([1]) }), '/jobs/job/rounds/2'),
      ['round_conflict'],
    ],
    // Answers.
    [annaId, putAnswer(signAnswer(answer, bertId)), ['signature_invalid']],
    [annaId, putAnswer(signAnswer(answer, mona)), ['signature_invalid']],
    [annaId, putAnswer({ answer, signature: signObject(annaId, 'contribution', answer) }), ['signature_invalid']],
    [annaId, putAnswer(signAnswer({ ...answer, job_digest: canonicalDigest(0) })), ['message_invalid']],
    [annaId, putAnswer(signAnswer(answer), '/jobs/bare/owners/anna'), ['message_invalid']],
    [annaId, putAnswer(signAnswer(answerTo(bare, anna, 'ready'))), ['message_invalid']],
    // Contributions.
    [bertId, put(contributionOf(4), annaId, 'contribution'), ['signature_invalid']],
    [bertId, put(contributionOf(4), mona, 'contribution'), ['signature_invalid']],
    [bertId, put(contributionOf(4), bertId, 'receipt'), ['signature_invalid']],
    [bertId, contribution(otherRound, bert, contributionOf(4)), ['signature_invalid']],
    [bertId, { ...contribution(world.open, bert, contributionOf(4)), body: contributionOf(5) }, ['signature_invalid']],
    [
      bertId,
      contribution(
        world.open,
        bert,
        contributionOf(4),
        signContribution(statementOf(world.open, cora, contributionOf(4)), bertId),
      ),
      ['signature_invalid'],
    ],
    [bertId, { ...right, path: '/jobs/job/rounds/1/contributions/bert' }, ['signature_invalid']],
    [bertId, { ...right, path: '/jobs/job/rounds/3/contributions/bert' }, ['round_unknown']],
    [bertId, { ...right, path: '/jobs/bare/rounds/1/contributions/bert' }, ['round_unknown']],
    ...[
      '',
      '.',
      '..',
      said.slice(1),
      `${said}.`,
      `${said}A`,
      said.replace('.', ''),
      `x${said}`,
      said.split('.')[0] ?? '',
    ].map((value) => [bertId, header(right, value), ['message_invalid'] satisfies Codes] as const),
    // Other bytes than those that were accepted, and those of round 1 again.
    [annaId, contribution(world.open, anna, contributionOf(8)), ['contribution_conflict']],
  ];
  for (const [index, [who, request, codes]] of cases.entries())
    await refused(world, world.sign(who, request), codes, `case ${index}, ${request.method} ${request.path}`);
  assertNoComplaint(world);
});

const named = (name: string): typeof anna => name as typeof anna;

test('bytes that are no ciphertexts of the key are refused, the first as well as the last of them', async () => {
  await using world = await createWorld();
  const { n } = keys.publicKey;
  const { p, q } = primesOf(keys.privateKey);
  const square = n * n;
  const [good, spare] = [contributionOf(4), contributionOf(5)];
  const width = good.length / 2;
  const first = good.subarray(0, width);
  const last = good.subarray(width);
  const wrong: Readonly<Record<string, bigint>> = {
    zero: 0n,
    one: 1n,
    'a plaintext with no randomness': 1n + 7n * n,
    'the square of n': square,
    'more than the square of n': square + 1n,
    'all ones': (1n << BigInt(8 * width)) - 1n,
    n,
    'a multiple of p': 5n * p,
    'a multiple of q': square - q,
    'a multiple of both': 3n * n,
  };
  const bytesOf = (value: bigint): Uint8Array => bigintToBytes(value, width);
  const bert_ = identityOf(bert);
  for (const [name, value] of Object.entries(wrong)) {
    const spoiled = bytesOf(value);
    for (const [place, bytes] of [
      ['first', Buffer.concat([spoiled, last])],
      ['last', Buffer.concat([first, spoiled])],
      ['both', Buffer.concat([spoiled, spoiled])],
    ] as const)
      await refused(
        world,
        world.sign(bert_, contribution(world.open, bert, bytes)),
        ['ciphertext_invalid'],
        `${name}, ${place}`,
      );
  }
  // A multiple of p in one and of q in the other, whose product with the others looks like any multiple of n.
  const both = Buffer.concat([bytesOf(5n * p), bytesOf(7n * q)]);
  await refused(world, world.sign(bert_, contribution(world.open, bert, both)), ['ciphertext_invalid'], 'p and q');
  for (const bytes of [
    new Uint8Array(),
    good.subarray(1),
    good.subarray(0, width),
    good.subarray(0, -1),
    new Uint8Array(1),
  ])
    await refused(
      world,
      world.sign(bert_, contribution(world.open, bert, bytes)),
      ['ciphertext_invalid'],
      `${bytes.length} bytes`,
    );
  for (const bytes of [Buffer.concat([good, Buffer.alloc(1)]), Buffer.concat([good, spare])])
    await refused(
      world,
      world.sign(bert_, contribution(world.open, bert, bytes)),
      ['body_too_large'],
      `${bytes.length} bytes`,
    );
  assertNoComplaint(world);
});

test('a body that is too long is refused, whether it says so or not', async () => {
  await using world = await createWorld({ jsonLimit: 200_000 });
  const most = ({ request }: Route): number =>
    request.headers['content-type'] === 'application/json' ? 200_000 : 1024;
  for (const route of withBody(world))
    for (const more of [1, 1000, 3_000_000]) {
      const long = world.sign(route.who, sending(route, Buffer.alloc(most(route) + more, ' ')));
      const what = `${route.name}, ${more} bytes too long`;
      await refusedOrClosed(world, long, ['body_too_large'], what);
      // A contribution has to say how long it is.
      const chunked = { ...world.sign(route.who, long), chunked: true };
      await refusedOrClosed(world, chunked, ['body_too_large', 'message_invalid'], `${what}, in chunks`);
    }
  assertNoComplaint(world);
});

test('a body that is cut off leaves nothing', async () => {
  await using world = await createWorld();
  const { party } = world;
  for (const route of withBody(world)) {
    const body = route.request.body ?? new Uint8Array();
    const before = await dumpOf(party.database, nonces);
    for (const length of [0, 1, body.length >> 1, (body.length >> 1) + 1, body.length - 1]) {
      const signed = world.sign(route.who, route.request);
      const head = headOf(
        { ...signed, headers: { ...signed.headers, 'content-length': String(body.length) } },
        party.port,
      );
      const what = `${route.name}, ${length} of ${body.length} bytes`;
      const answer = await drip(party.port, [head, body.subarray(0, length)], { end: true });
      const status = statusOf(answer);
      assert.ok(status === undefined || (status >= 400 && status < 500), `${what}: ${answer.slice(0, 300)}`);
      await party.facilitator.drained();
      await assertLeftAsBefore(() => dumpOf(party.database, nonces), before, what);
    }
    // In chunks, without the last one.
    const chunked = world.sign(route.who, route.request);
    const head = headOf({ ...chunked, headers: { ...chunked.headers, 'transfer-encoding': 'chunked' } }, party.port);
    await drip(party.port, [head, `${body.length.toString(16)}\r\n`, body, '\r\n'], { end: true });
    const what = `${route.name} without the last chunk`;
    await assertLeftAsBefore(() => dumpOf(party.database, nonces), before, what);
  }
  assertNoComplaint(world);
});

test('a request that comes too slowly is given up, its head as well as its body', async () => {
  const pace = { headersTimeout: 300, bodyGrace: 200, bodyBytesPerSecond: 1_000_000 };
  await using world = await createWorld({ server: pace });
  const { party } = world;
  const before = await dumpOf(party.database, nonces);
  for (const route of withBody(world)) {
    const signed = world.sign(route.who, route.request);
    const body = route.request.body ?? new Uint8Array();
    const head = headOf(
      { ...signed, headers: { ...signed.headers, 'content-length': String(body.length) } },
      party.port,
    );
    // Half of it, then nothing; and byte by byte.
    for (const parts of [[head, body.subarray(0, body.length >> 1)], byteByByte(head, body)]) {
      const answer = await drip(party.port, parts, { pause: 20 });
      const [refusal, replayed] = [answer.includes('body-too-slow'), answer.includes('nonce-reused')];
      assert.ok(refusal || replayed, `${route.name}: ${answer.slice(0, 400)}`);
      assert.equal(statusOf(answer), refusal ? 408 : 401);
    }
  }
  const [route] = world.routes;
  assert.ok(route !== undefined);
  const head = headOf(world.sign(route.who, route.request), party.port);
  for (const parts of [[head.slice(0, -2)], byteByByte(head, new Uint8Array()), []]) {
    const answer = await drip(party.port, parts, { pause: 20 });
    assert.ok(statusOf(answer) === undefined || statusOf(answer) === 408, answer.slice(0, 400));
  }
  await party.facilitator.drained();
  await assertLeftAsBefore(() => dumpOf(party.database, nonces), before, 'slow requests');
  assertNoComplaint(world);
});

function* byteByByte(head: string, body: Uint8Array): Generator<Uint8Array | string> {
  if (body.length === 0) yield* head;
  else yield head;
  for (const byte of body) yield Uint8Array.of(byte);
}

test.run();
