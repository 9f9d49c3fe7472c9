/**
 * Requests that nobody would send, signed by those who may speak and by those who may not, or by nobody: none is answered with
 * 5xx, none changes anything, and every refusal is a problem that the typed client knows. Nearly valid ones are made from valid
 * ones with one mistake that is always one.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import fc from 'fast-check';
import { suite } from 'uvu';
import { signRequest } from '../../../src/http/message-signatures.ts';
import { fromProblem } from '../../../src/http/problem.ts';
import { systemRandom } from '../../../src/paillier/random.ts';
import type { Identity } from '../../../src/protocol/identity.ts';
import { until, within } from '../../support/until.ts';
import {
  anna,
  answerTo,
  bert,
  contributionOf,
  cora,
  describeJob,
  describeRound,
  identityOf,
  mona,
  otto,
  signAnswer,
  signContribution,
  signJob,
  signRound,
  startFacilitator,
  stranger,
  type TestFacilitator,
  zoe,
} from './harness.ts';

const test = suite('fuzz');
const runs = process.env.SLOW === undefined ? 1500 : 50_000;

const { job } = describeJob();
const agent = new Agent({ keepAlive: true, maxSockets: 8 });

interface Fuzz {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Who signs it; nobody: it is not signed. */
  readonly by: Identity | undefined;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** The answer, or undefined where the line was broken instead; of a stream only its head is read. */
function send(party: TestFacilitator, { method, path, headers, body, by }: Fuzz): Promise<Answer | undefined> {
  const signature = by === undefined ? {} : signatureOf(party, by, method, path, body);
  return new Promise((resolve) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port: party.port,
        method,
        path,
        agent,
        headers: { ...headers, ...signature, 'content-length': body.length },
      },
      (response) => {
        const type = response.headers['content-type'] ?? '';
        const status = response.statusCode ?? 0;
        if (type === 'text/event-stream') {
          response.destroy();
          resolve({ status, type, text: '' });
          return;
        }
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('close', () => {
          resolve({ status, type, text: Buffer.concat(chunks).toString('utf8') });
        });
      },
    );
    sent.on('error', () => {
      resolve(undefined);
    });
    sent.end(body);
  });
}

/** What a party would sign of a request as its server sees it, also where a client would have written the address otherwise. */
function signatureOf(party: TestFacilitator, by: Identity, method: string, path: string, body: Uint8Array) {
  const url = party.url + path;
  if (!URL.canParse(url)) return {};
  const bodyDigest = createHash('sha256').update(body).digest();
  const covered = body.length > 0 || ['PUT', 'POST', 'PATCH'].includes(method);
  return {
    ...signRequest(
      by,
      { method, url, ...(covered ? { bodyDigest } : {}) },
      { now: party.clock.now(), random: systemRandom },
    ),
  };
}

async function stateOf({ store, facilitator }: TestFacilitator): Promise<unknown> {
  return {
    jobs: await store.jobs(),
    rounds: await Promise.all([1, 2].map((round) => store.round(job, round))),
    products: await Promise.all([1, 2].map((count) => store.block({ job, round: 1, series: `product:${count}` }, 0))),
    events: await store.lastEvent(),
    owners: facilitator.connectedOwners(mona),
  };
}

function assertNoError({ lines }: TestFacilitator): void {
  const errors = lines.filter((line) => line.includes('"level":"error"'));
  assert.equal(errors.length, 0, errors[0]);
}

async function prepared(): Promise<TestFacilitator> {
  const party = await startFacilitator({ bodyLimit: 200_000 });
  await party.create();
  await party.open(1, { roster: [anna, bert], parameters: [0.5] });
  await party.contribute(1, anna, contributionOf(0));
  return party;
}

const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** Values of which none is right in any field of a message, but for the two that `fits` knows. */
const wrong = fc.constantFrom<unknown>(null, true, '', ' ', [[]], -1, -1.5, { a: 1 }, 1e300, '\u0000', ['__proto__']);
const fits = (field: string, value: unknown): boolean =>
  (field === 'noise' && value === null) || (field === 'model' && isObject(value));

/** A valid message with one mistake: a field too few, one too many, or one of a kind that is never right. */
function spoiled(valid: object): fc.Arbitrary<Uint8Array> {
  const fields = Object.keys(valid);
  return fc.oneof(
    fc.constantFrom(...fields).map((field) => text({ ...valid, [field]: undefined })),
    fc.string({ minLength: 1 }).map((name) => text({ ...valid, [`x${name}`]: 1 })),
    fc
      .tuple(fc.constantFrom(...fields), wrong)
      .filter(([field, value]) => !fits(field, value))
      .map(([field, value]) => text({ ...valid, [field]: value })),
    fc.nat(text(valid).length - 1).map((end) => text(valid).subarray(0, end)),
  );
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const other = signJob(describeJob({ job: 'other' }));
const withdrawal = signAnswer(answerTo(describeJob(), anna, 'withdrawn'));
const second = signRound(describeRound(describeJob(), 2, { roster: [anna, bert], parameters: [1, 2] }));
const spoiledJob = fc.oneof(
  spoiled(other),
  spoiled(other.descriptor).map((descriptor) => wrap('descriptor', descriptor, other.signature)),
  spoiled(other.signature).map((signature) => wrap('signature', signature, other.descriptor)),
);
const spoiledAnswer = fc.oneof(
  spoiled(withdrawal),
  spoiled(withdrawal.answer).map((answer) => wrap('answer', answer, withdrawal.signature)),
);
const spoiledRound = fc.oneof(
  spoiled(second),
  spoiled(second.descriptor).map((descriptor) => wrap('descriptor', descriptor, second.signature)),
);

/** A signed object, one part of which is text that may be no JSON. */
function wrap(name: string, part: Uint8Array, rest: object): Uint8Array {
  const restName = name === 'signature' ? 'descriptor' : 'signature';
  return Buffer.from(`{"${name}":${Buffer.from(part).toString('utf8')},"${restName}":${JSON.stringify(rest)}}`);
}

const anyBody = fc.oneof(
  fc.constant(new Uint8Array()),
  fc.uint8Array({ maxLength: 1000 }),
  fc.json().map((value) => new TextEncoder().encode(value)),
  // Of the right length, all zeros: nearly every other filling would be two valid ciphertexts.
  fc.constantFrom(1024, 1023, 2048, 200_001).map((length) => new Uint8Array(length)),
);
const messages = fc.oneof(spoiledJob, spoiledAnswer, spoiledRound);
const anybody = fc.constantFrom(
  mona,
  otto,
  identityOf(anna),
  identityOf(bert),
  identityOf(cora),
  identityOf(zoe),
  stranger,
  undefined,
);

const name = fc.oneof(
  fc.constantFrom(
    'job',
    'anna',
    'bert',
    'zoe',
    '..',
    '.',
    '%2e%2e',
    '%00',
    '%',
    '%zz',
    '%c3%28',
    '*',
    ':job',
    '{job}',
    '__proto__',
    '~',
    'a'.repeat(3000),
  ),
  fc.string({
    unit: fc.constantFrom(
      'a',
      '-',
      '.',
      '%',
      '2',
      'F',
      '&',
      '=',
      ';',
      '@',
      '+',
      '\\',
      "'",
      '"',
      '<',
      '|',
      '^',
      '`',
      '[',
    ),
  }),
);
const number = fc.constantFrom('0', '1', '2', '-1', '1.0', '1e9', '9'.repeat(30), '%31', 'NaN', '१', '');
const query = fc.oneof(
  fc.constant(''),
  fc.constantFrom(
    '?',
    '?owner=',
    '?owner=anna',
    '?owner=a&owner=b',
    '?outcome=',
    '?outcome=lost',
    '?a[b]=1',
    '?%',
    '?__proto__=1',
    '?=&=&',
  ),
);
const path = fc
  .oneof(
    fc.tuple(fc.constant('jobs'), name),
    fc.tuple(fc.constant('jobs'), name, fc.constantFrom('rounds', 'owners', 'events', 'none'), name),
    fc.tuple(fc.constant('jobs'), fc.constant('job'), fc.constant('rounds'), number),
    fc.tuple(fc.constant('jobs'), name, fc.constant('rounds'), number, fc.constantFrom('aggregate', 'contributions')),
    fc.tuple(
      fc.constant('jobs'),
      fc.constant('job'),
      fc.constant('rounds'),
      number,
      fc.constant('contributions'),
      name,
    ),
    fc.tuple(
      fc.constantFrom('jobs', 'events', 'owners', 'docs', 'metrics', 'healthz', 'readyz', 'openapi.json', '', '*'),
    ),
    fc.tuple(fc.constant('docs'), name),
    fc.array(name, { maxLength: 6 }),
  )
  // What would break the request line itself is tried on a bare socket below.
  .map((parts) => `/${parts.join('/')}`.replace(/[^\u0021-\u007e]/g, (each) => encodeURIComponent(each)));

const headers = fc.record(
  {
    'content-type': fc.oneof(
      fc.constantFrom(
        'application/json',
        'application/json',
        'application/octet-stream',
        'application/json;',
        'application/json; charset=utf-16',
        'multipart/form-data',
        'application/x-www-form-urlencoded',
        '',
        'a/b/c;;=',
      ),
      fc.stringMatching(/^[ -~]{0,30}$/).map((value) => value.trim()),
    ),
    'last-event-id': fc.constantFrom('0', '1', '99999', '-1', 'x', ''),
    accept: fc.constantFrom('*/*', 'text/event-stream', ''),
    'content-encoding': fc.constantFrom('gzip', 'identity', 'x'),
    host: fc.constantFrom('localhost', 'example.org:80', 'a b', '', '[::1]', '..', 'x'.repeat(300)),
    expect: fc.constant('100-continue'),
    range: fc.constant('bytes=0-1'),
    upgrade: fc.constantFrom('websocket', 'h2c'),
    'x-forwarded-host': fc.constantFrom('evil', '"'),
    'x-http-method-override': fc.constant('DELETE'),
    cookie: fc.constant('a=b; __proto__=c'),
  },
  { requiredKeys: [] },
);
const method = fc.constantFrom(
  'GET',
  'GET',
  'POST',
  'PUT',
  'PUT',
  'PUT',
  'DELETE',
  'HEAD',
  'PATCH',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'LINK',
  'M-SEARCH',
);

/** Requests of the right form to the right place, with something in them that is not right. */
const aimed: fc.Arbitrary<Fuzz> = fc.oneof(
  ...(
    [
      ['POST', '/jobs', spoiledJob, mona],
      ['POST', '/jobs', fc.constant(text(signJob(describeJob({ quorum: 3 })))), mona],
      // Everything right, but for the signature of the object.
      ['POST', '/jobs', fc.constant(text(signJob(other.descriptor, otto))), mona],
      ['PUT', '/jobs/job/owners/anna', spoiledAnswer, identityOf(anna)],
      ['PUT', '/jobs/job/owners/anna', fc.constant(text(withdrawal)), identityOf(bert)],
      [
        'PUT',
        '/jobs/job/owners/zoe',
        fc.constant(text(signAnswer(answerTo(describeJob(), zoe, 'ready')))),
        identityOf(zoe),
      ],
      ['PUT', '/jobs/job/rounds/2', spoiledRound, mona],
      ['PUT', '/jobs/job/rounds/2', fc.constant(text(second)), mona],
      ['PUT', '/jobs/job/rounds/2', fc.constant(text(second)), otto],
    ] as const
  ).map(([method, path, bodies, by]) =>
    fc.record({
      method: fc.constant(method),
      path: fc.constant(path),
      by: fc.constant(by),
      body: bodies,
      headers: fc.record({
        'content-type': fc.constantFrom('application/json', 'application/json;charset=utf-8', 'application/json;'),
      }),
    }),
  ),
  fc.tuple(fc.constantFrom(anna, bert, cora, zoe), anyBody, fc.nat(3)).map(([owner, body, twist]) => {
    const statement = { job, round: 1, round_digest: '0'.repeat(64), owner, digest: '0'.repeat(64), bytes: 1024 };
    const { key, value } = signContribution(statement);
    const header = ['', `${key}.${value}`, `${key}.${'A'.repeat(86)}`, `${key}.`][twist] ?? '';
    return {
      method: 'PUT',
      path: `/jobs/job/rounds/1/contributions/${owner}`,
      by: identityOf(owner),
      body,
      headers: { 'content-type': 'application/octet-stream', 'contribution-signature': header },
    };
  }),
);
const wild: fc.Arbitrary<Fuzz> = fc
  .record({ method, path, query, headers, body: fc.oneof(anyBody, messages), by: anybody })
  .map(({ path, query, ...rest }) => ({ ...rest, path: path + query }))
  // The one request of all these that is valid and changes something.
  .filter((each) => !(each.method === 'DELETE' && each.by === mona && /^\/jobs\/job(\?|\?=.*)?$/.test(each.path)));
const requests = fc.oneof({ weight: 2, arbitrary: wild }, { weight: 1, arbitrary: aimed });

test('whatever is sent, nothing fails, nothing changes, and every refusal is a problem', async () => {
  await using party = await prepared();
  const before = await stateOf(party);
  const seen = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(requests, async (each) => {
      const answer = await within('an answer', send(party, each));
      if (answer === undefined) return;
      const { status, type, text: body } = answer;
      seen.set(status, (seen.get(status) ?? 0) + 1);
      assert.ok(status >= 200 && status < 500, `${status} ${body}`);
      if (type === 'application/problem+json' && each.method !== 'HEAD')
        assert.equal(fromProblem(JSON.parse(body)) === undefined, false, body);
      assert.ok(status !== 201, body);
    }),
    { numRuns: runs },
  );
  await until('the streams to be left', () => party.facilitator.connectedOwners(mona).length === 0);
  assert.deepEqual(await stateOf(party), before);
  assert.ok(
    !party.lines.some((line) => line.includes('"level":"error"')),
    party.lines.find((line) => line.includes('"error"')),
  );
  // What was sent got somewhere: every kind of refusal was met.
  for (const status of [200, 400, 401, 403, 404, 409, 413, 415, 422])
    assert.ok((seen.get(status) ?? 0) > 0, `${status} was never answered: ${JSON.stringify([...seen])}`);
});

test('bytes that are no HTTP break their own line and nothing else', async () => {
  await using party = await prepared();
  const before = await stateOf(party);
  const lines = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc
      .constantFrom(
        'GET /jobs\u0000 HTTP/1.1\r\nHost: x\r\n\r\n',
        'GET http://[/jobs HTTP/1.1\r\nHost: x\r\n\r\n',
        'GET \\jobs HTTP/1.1\r\nHost: x\r\n\r\n',
        'PUT /jobs/job/rounds/1/contributions/bert HTTP/1.1\r\nHost: x\r\ncontent-type: application/octet-stream\r\nContent-Length: 1024\r\n\r\nshort',
        'PUT /jobs/job/owners/bert HTTP/1.1\r\nHost: x\r\ncontent-type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
        'PUT /jobs/job/owners/bert HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        'CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n',
        'GET /events?owner=bert HTTP/1.1\r\n\r\n',
        'GET /jobs HTTP/9.9\r\nHost: x\r\n\r\n',
        `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
        `GET / HTTP/1.1\r\nHost: x\r\n${'a: b\r\n'.repeat(3000)}\r\n`,
      )
      .map((line) => Buffer.from(line, 'latin1')),
  );
  await fc.assert(
    fc.asyncProperty(lines, async (bytes) => {
      const answer = await within(
        'the line to end',
        new Promise<string>((resolve) => {
          let found = '';
          const socket = connect({ port: party.port, host: '127.0.0.1', allowHalfOpen: true });
          socket.on('data', (chunk) => {
            found += chunk.toString('latin1');
          });
          socket.on('error', () => undefined);
          socket.on('close', () => {
            resolve(found);
          });
          socket.on('end', () => socket.destroy());
          socket.end(bytes);
        }),
      );
      assert.ok(!/^HTTP\/1\.1 [25]/.test(answer), answer.slice(0, 200));
    }),
    { numRuns: runs / 10 },
  );
  await until('every line to be gone', () => party.facilitator.connectedOwners(mona).length === 0);
  assert.deepEqual(await stateOf(party), before);
  assertNoError(party);
});

test.run();
