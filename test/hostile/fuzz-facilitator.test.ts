/**
 * Ten thousand requests to a facilitator in the middle of its work, from nobody, from strangers and from those who belong: none is
 * answered with 5xx, none hangs, nothing is changed by them, and the round that was open is completed afterwards.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import type { Identity } from '../../src/protocol/identity.ts';
import { encodeParameters } from '../../src/protocol/parameters.ts';
import {
  anna,
  bert,
  clientOf,
  contributionOf,
  cora,
  describeRound,
  facilitatorIdentity,
  identityOf,
  mona,
  never,
  openSum,
  otto,
  signRound,
  stranger,
  sumOf,
  zoe,
} from '../parties/facilitator/harness.ts';
import { changesOf } from '../support/changes.ts';
import { until } from '../support/until.ts';
import { assertSame, dumpOf } from './dump.ts';
import { forgeries } from './forgeries.ts';
import { addressesOf, bodies, bombard, fuzzed, headers, methods, targets } from './fuzzing.ts';
import { jsonRequest, type LineRequest, send } from './line.ts';
import { assertNoComplaint, nonces } from './refused.ts';
import { contribution, createWorld, type Route, type World } from './world.ts';

const test = suite('fuzzed requests to a facilitator');

const senders: readonly Identity[] = [
  ...[anna, bert, cora, zoe].map((name) => identityOf(name)),
  mona,
  otto,
  facilitatorIdentity,
  stranger,
];

/** Who sends it, if anybody says so, and how the signature is. */
interface Sending {
  readonly who: Identity | undefined;
  readonly request: LineRequest;
  /** Seconds by which the sender's clock is wrong. */
  readonly late: number;
  /** A place in one of the headers of the signature where a character is another one; nowhere when undefined. */
  readonly flaw:
    | { readonly header: 'signature' | 'signature-input' | 'content-digest'; readonly at: number }
    | undefined;
  /** Whether there is certainly a mistake in it, so that it must not be granted, not even where it only reads. */
  readonly mistaken?: true;
}

function signed(world: World, { who, request, late, flaw }: Sending): LineRequest {
  // Of what is no address nothing can be signed.
  if (who === undefined || !request.path.startsWith('/')) return request;
  const { headers: found, ...rest } = world.sign(who, request, world.clock.now() - late * 1000);
  // What the request says of itself counts, where both do.
  const all: Record<string, string> = { ...found, ...request.headers };
  const value = flaw === undefined ? undefined : all[flaw.header];
  if (flaw !== undefined && value !== undefined) {
    const at = flaw.at % value.length;
    all[flaw.header] = `${value.slice(0, at)}${value[at] === '7' ? '8' : '7'}${value.slice(at + 1)}`;
  }
  return { ...rest, headers: all };
}

const flaw = fc.record({
  header: fc.constantFrom('signature' as const, 'signature-input' as const, 'content-digest' as const),
  at: fc.nat(300),
});
const wrongClock = fc.constantFrom(61, -61, 1e6);

/** Anything, anywhere, by anybody; but not what is right: a job that its model owner ends. */
function wild(addresses: readonly { readonly path: string }[]): fc.Arbitrary<Sending> {
  const path = targets(addresses, { job: ['job', 'bare', 'next'], round: ['1', '2'], owner: ['anna', 'bert', 'zoe'] });
  return fc
    .record({
      who: fc.option(fc.constantFrom(...senders), { freq: 5, nil: undefined }),
      request: fc.record({ method: methods, path, headers, body: fc.option(bodies, { nil: undefined }) }),
      late: fc.oneof({ weight: 15, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: wrongClock }),
      flaw: fc.oneof({ weight: 15, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: flaw }),
    })
    .filter(
      ({ who, request: { method, path } }) =>
        !(who === mona && method === 'DELETE' && /^\/(jobs|%6aobs)\/(job|bare)(\?|$)/i.test(path)),
    );
}

/** A request that would be granted, with exactly one mistake. */
function nearly(routes: readonly Route[]): fc.Arbitrary<Sending> {
  const mistakes = routes.flatMap(({ who, request }) => {
    const right = { who, request, late: 0, flaw: undefined, mistaken: true } as const;
    const made: fc.Arbitrary<Sending>[] = [
      wrongClock.map((late) => ({ ...right, late })),
      fc.nat(300).map((at) => ({ ...right, flaw: { header: 'signature' as const, at } })),
      fc.nat(300).map((at) => ({ ...right, flaw: { header: 'signature-input' as const, at } })),
      fc.constant({ ...right, who: stranger }),
    ];
    if (request.body === undefined) return made;
    const { body } = request;
    const cut = fc.nat(body.length - 1).map((end) => body.subarray(0, end));
    const longer = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((more) => Buffer.concat([body, more]));
    // In a contribution another byte makes another contribution, which nobody has signed; in JSON a space may be one.
    const spoiled = request.headers['content-type'] === 'application/json' ? changed(body) : flipped(body);
    const visible = longer.filter((each) => /[^\s]/.test(Buffer.from(each.subarray(body.length)).toString('latin1')));
    return [
      ...made,
      ...[cut, visible, spoiled].map((bytes) =>
        bytes.map((each) => ({ ...right, request: { ...request, body: each } })),
      ),
    ];
  });
  return fc.oneof(...mistakes);
}

/** What is signed as it must be, and comes at the wrong time. */
function untimely({ open, job }: World): fc.Arbitrary<Sending> {
  const later = signRound(describeRound(job, 3));
  const other = signRound({ ...open.descriptor, parameters: encodeParameters([9]) });
  const sent: readonly (readonly [Identity, LineRequest])[] = [
    [mona, jsonRequest('PUT', '/jobs/job/rounds/3', later)],
    [mona, jsonRequest('PUT', '/jobs/job/rounds/2', other)],
    [mona, { method: 'GET', path: '/jobs/job/rounds/2/aggregate', headers: {} }],
    [mona, { method: 'DELETE', path: '/jobs/job?outcome=lost', headers: {} }],
    [identityOf(anna), contribution(open, anna, contributionOf(7))],
    [identityOf(bert), contribution(later, bert, contributionOf(7))],
    [identityOf(zoe), contribution(open, zoe, contributionOf(7))],
  ];
  return fc.constantFrom(...sent.map(([who, request]) => ({ who, request, late: 0, flaw: undefined })));
}

/** A message with one thing changed in it. */
function changed(body: Uint8Array): fc.Arbitrary<Uint8Array> {
  const message: unknown = JSON.parse(Buffer.from(body).toString());
  const changes = changesOf(message, ['descriptor.public_key_proof.blum', 'descriptor.public_key_proof.roots']);
  return fc.nat(changes.length - 1).map((index) => Buffer.from(JSON.stringify(changes[index]?.value)));
}

function flipped(body: Uint8Array): fc.Arbitrary<Uint8Array> {
  return fc.tuple(fc.nat(body.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, by]) => {
    const bytes = Uint8Array.from(body);
    bytes[at] = (bytes[at] ?? 0) ^ by;
    return bytes;
  });
}

/** What is open to everybody. */
const open = /^\/(healthz|readyz|metrics|openapi\.json|docs)/;

test(`${fuzzed} requests are each refused or harmless, and the round goes on`, async () => {
  await using world = await createWorld();
  const { party } = world;
  const before = await dumpOf(party.database, nonces);
  const requests = fc.oneof(
    { weight: 6, arbitrary: wild(await addressesOf(party.url)) },
    { weight: 5, arbitrary: nearly(world.routes) },
    { weight: 1, arbitrary: untimely(world) },
  );
  const seen = await bombard(
    party.port,
    requests,
    (each) => signed(world, each),
    ({ who, late, mistaken = false }, { method, path }, { status }) => {
      assert.ok(status !== 201, `${method} ${path}`);
      if (mistaken) assert.ok(status >= 400, `${method} ${path} with a mistake: ${status}`);
      if ((who === undefined || who === stranger || late !== 0) && status < 400) assert.match(path, open);
      if (!['GET', 'HEAD'].includes(method) && !open.test(path))
        assert.ok(status >= 400, `${method} ${path}: ${status}`);
    },
  );
  // What was sent got somewhere: every kind of refusal was met.
  for (const status of [200, 400, 401, 403, 404, 409, 413, 415, 422])
    assert.ok((seen.get(status) ?? 0) > 0, `${status} was never answered: ${JSON.stringify([...seen])}`);
  await until('the streams to be left', () => party.facilitator.connectedOwners(mona).length === 0);
  await party.facilitator.drained();
  assertSame(await dumpOf(party.database, nonces), before, 'a fuzzed request');
  assertNoComplaint(world);
  await completeRound(world);
});

/** Who is still missing contributes, and the model owner opens the sum. */
async function completeRound(world: World): Promise<void> {
  const { party, clock } = world;
  for (const [number, owner] of [
    [4, bert],
    [5, cora],
  ] as const) {
    const request = world.sign(identityOf(owner), contribution(world.open, owner, contributionOf(number)));
    assert.equal((await send(party.port, request))?.status, 201);
  }
  const model = clientOf(party.url, mona, clock);
  const { job } = world.job;
  await until('the round to close', async () => (await model.round(job, 2, never)).status === 'closed');
  assert.deepEqual(openSum(await model.aggregate(job, 2, never), 3), sumOf([3, 4, 5]));
}

test('every forgery at every address, in any order and many at once', async () => {
  await using world = await createWorld();
  const { party, routes } = world;
  const before = await dumpOf(party.database, nonces);
  const pairs = routes.flatMap((route) => forgeries.map((forgery) => ({ route, forgery })));
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray(pairs, { minLength: 16, maxLength: 64 }), async (some) => {
      const answers = some.map(async ({ route, forgery }) => {
        const request = forgery.make(world, route);
        return request === undefined ? undefined : await send(party.port, request);
      });
      for (const answer of await Promise.all(answers))
        assert.ok(answer === undefined || (answer.status >= 400 && answer.status < 500));
    }),
    { numRuns: 20 },
  );
  assertSame(await dumpOf(party.database, nonces), before, 'a forgery');
  assertNoComplaint(world);
});

test.run();
