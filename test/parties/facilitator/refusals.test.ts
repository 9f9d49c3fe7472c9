/** Everything a facilitator refuses over HTTP: the status, the problem's type, the field, and that nothing has changed. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { suite } from 'uvu';
import type { Problem } from '../../../src/http/problem.ts';
import { bigintToBytes, bytesToBigint } from '../../../src/paillier/bytes.ts';
import { privateKeyToJwk } from '../../../src/paillier/private-key.ts';
import type { JobDescriptor } from '../../../src/protocol/messages.ts';
import {
  anna,
  bert,
  contributionOf,
  cora,
  describeJob,
  keys,
  never,
  refusal,
  startFacilitator,
  type TestFacilitator,
} from './harness.ts';

const test = suite('refusals of a facilitator');

const { job } = describeJob();
const { n } = keys.publicKey;
const prime = bytesToBigint(Buffer.from(privateKeyToJwk(keys.privateKey).p, 'base64url'));
const width = 512;

interface Answer extends Omit<Problem, 'type'> {
  /** Without what all types begin with. */
  readonly type: string;
}

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly body?: RequestInit['body'];
  readonly type?: string | undefined;
}

/** Sends a request that is to be refused and reads the problem, whose media type and status must be those of a problem. */
async function refused(party: TestFacilitator, { method, path, body, type }: Sent): Promise<Answer> {
  const response = await fetch(party.url + path, {
    method,
    ...(body === undefined ? {} : { body }),
    // Without a type of its own, fetch would give a string "text/plain".
    headers: type === undefined ? {} : { 'content-type': type },
  });
  assert.equal(
    response.headers.get('content-type'),
    'application/problem+json',
    `${method} ${path}: ${response.status}`,
  );
  const problem = (await response.json()) as Problem;
  assert.equal(problem.status, response.status);
  assert.match(problem.type, /^urn:sealsum:problem:[a-z-]+$/);
  return { ...problem, type: problem.type.slice('urn:sealsum:problem:'.length) };
}

const json = (method: string, path: string, body: unknown): Sent => ({
  method,
  path,
  body: typeof body === 'string' ? body : JSON.stringify(body),
  type: 'application/json',
});
const binary = (path: string, body: Uint8Array): Sent => ({
  method: 'PUT',
  path,
  body: new Uint8Array(body),
  type: 'application/octet-stream',
});

/** A facilitator with a job of three owners whose first round is open for two of them. */
async function prepared(bodyLimit?: number): Promise<TestFacilitator> {
  const party = await startFacilitator(bodyLimit === undefined ? {} : { bodyLimit });
  await party.client.createJob(describeJob(), never);
  await party.client.openRound(job, 1, { roster: [anna, bert], parameters: [1] }, never);
  return party;
}

/** All that a refusal must leave as it was. */
async function stateOf({ store }: TestFacilitator): Promise<unknown> {
  return [
    await store.jobs(),
    await store.round(job, 1),
    await store.round(job, 2),
    await store.contributions(job, 1),
    await store.lastEvent(),
  ];
}

test('bytes that are not the two ciphertexts of the plan', async () => {
  await using party = await prepared();
  const before = await stateOf(party);
  const valid = contributionOf(0);
  const path = '/jobs/job/rounds/1/contributions/anna';
  const lengths = [0, 1, width - 1, width, width + 1, 2 * width - 1, 2 * width + 1, 3 * width, 2 * width - 2];
  for (const length of lengths) {
    const body = new Uint8Array(length);
    body.set(valid.subarray(0, length));
    const problem = await refused(party, binary(path, body));
    assert.deepEqual([problem.status, problem.type, problem.field], [422, 'ciphertext-invalid', 'ciphertexts']);
    assert.equal(problem.detail, `ciphertexts: expected 1024 bytes (2 × 512), found ${length}`);
  }
  const values: readonly (readonly [bigint, RegExp])[] = [
    [0n, /expected 0 < c < n²/],
    [n * n, /expected 0 < c < n²/],
    [n * n + 12_345n, /expected 0 < c < n²/],
    [(1n << 4096n) - 1n, /expected 0 < c < n²/],
    [n, /expected gcd\(c, n\) = 1/],
    [7n * n, /expected gcd\(c, n\) = 1/],
    [prime * 3n, /expected gcd\(c, n\) = 1/],
    [1n, /expected c ≢ 1 mod n/],
    [1n + 5n * n, /expected c ≢ 1 mod n/],
  ];
  for (const [value, expectation] of values)
    for (const index of [0, 1]) {
      const body = new Uint8Array(valid);
      body.set(bigintToBytes(value, width), index * width);
      const problem = await refused(party, binary(path, body));
      assert.deepEqual(
        [problem.status, problem.type, problem.field],
        [422, 'ciphertext-invalid', `ciphertext ${index}`],
      );
      assert.match(problem.detail, expectation);
    }
  assert.deepEqual(await stateOf(party), before);
  assert.equal((await party.client.contribute(job, 1, anna, valid, never)).owner, anna);
});

test('who is not on the roster of the job, or of the round', async () => {
  await using party = await prepared();
  const before = await stateOf(party);
  const bytes = contributionOf(0);
  const attempts = [
    binary('/jobs/job/rounds/1/contributions/zoe', bytes),
    binary('/jobs/job/rounds/1/contributions/cora', bytes),
    json('PUT', '/jobs/job/owners/zoe', { status: 'ready' }),
  ];
  for (const attempt of attempts) {
    const problem = await refused(party, attempt);
    assert.deepEqual([problem.status, problem.type, problem.field], [403, 'owner-not-on-roster', 'owner']);
    assert.match(problem.detail, /^(zoe|cora) is not on the roster of (job job|round 1)$/);
  }
  assert.deepEqual(await stateOf(party), before);
});

test('jobs and rounds that do not exist', async () => {
  await using party = await prepared();
  const round = { roster: [anna, bert], parameters: [] };
  const jobless = [
    json('PUT', '/jobs/none/owners/anna', { status: 'ready' }),
    json('PUT', '/jobs/none/rounds/1', round),
    binary('/jobs/none/rounds/1/contributions/anna', contributionOf(0)),
    ...['', '/rounds/1', '/rounds/1/aggregate', '/events'].map((rest) => ({
      method: 'GET',
      path: `/jobs/none${rest}`,
    })),
    { method: 'DELETE', path: '/jobs/none' },
  ];
  for (const attempt of jobless) {
    const problem = await refused(party, attempt);
    assert.deepEqual([problem.status, problem.type, problem.detail], [404, 'job-unknown', 'there is no job none']);
  }
  const roundless = [
    binary('/jobs/job/rounds/2/contributions/anna', contributionOf(0)),
    { method: 'GET', path: '/jobs/job/rounds/2' },
    { method: 'GET', path: '/jobs/job/rounds/2/aggregate' },
  ];
  for (const attempt of roundless) {
    const problem = await refused(party, attempt);
    assert.deepEqual([problem.status, problem.type, problem.detail], [404, 'round-unknown', 'job job has no round 2']);
  }
});

test('addresses that are none, and names that are none', async () => {
  await using party = await prepared();
  const before = await stateOf(party);
  for (const [method, path] of [
    ['GET', '/'],
    ['GET', '/job'],
    ['POST', '/jobs/job'],
    ['DELETE', '/jobs'],
    ['DELETE', '/owners'],
    ['PUT', '/jobs/job/rounds'],
    ['PATCH', '/jobs/job'],
    ['GET', '/jobs/job/rounds/1/contributions/anna'],
    ['GET', '/docs/../package.json'],
    ['GET', '/docs/package.json'],
    ['GET', '/docs/..%2fpackage.json'],
  ] as const) {
    const problem = await refused(party, { method, path, type: 'application/json' });
    assert.deepEqual([problem.status, problem.type], [404, 'route-unknown'], `${method} ${path}`);
  }
  for (const name of ['-a', 'a%20b', 'a%2fb', 'ä', 'x'.repeat(64), 'a%0Ab']) {
    const problem = await refused(party, { method: 'GET', path: `/jobs/${name}` });
    assert.deepEqual([problem.status, problem.type, problem.field], [400, 'message-invalid', 'job'], name);
    assert.match(problem.detail, /^the request's path: job: expected 1 to 63 letters/);
  }
  for (const round of [
    '0',
    '-1',
    '1.5',
    '1.0',
    '01',
    '+1',
    '1e0',
    '0x1',
    '%201',
    'one',
    '1000000001',
    '9'.repeat(400),
  ]) {
    const problem = await refused(party, { method: 'GET', path: `/jobs/job/rounds/${round}` });
    assert.deepEqual([problem.status, problem.type, problem.field], [400, 'message-invalid', 'round'], round);
  }
  assert.deepEqual(await stateOf(party), before);
});

test('a body without its content type, with the mend', async () => {
  await using party = await prepared();
  const before = await stateOf(party);
  const asBytes = (text: unknown): Uint8Array<ArrayBuffer> => new TextEncoder().encode(JSON.stringify(text));
  const attempts: readonly (readonly [string, string, Uint8Array, string])[] = [
    ['POST', '/jobs', asBytes(describeJob({ job: 'other' })), 'application/json (with curl: --json @FILE)'],
    ['PUT', '/jobs/job/owners/anna', asBytes({ status: 'ready' }), 'application/json (with curl: --json @FILE)'],
    [
      'PUT',
      '/jobs/job/rounds/2',
      asBytes({ roster: [anna, bert], parameters: [] }),
      'application/json (with curl: --json @FILE)',
    ],
    ['PUT', '/jobs/job/rounds/1/contributions/anna', contributionOf(0), 'application/octet-stream'],
  ];
  const wrong = [undefined, '', 'text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', 'json', '*/*'];
  for (const [method, path, body, expected] of attempts)
    for (const type of [
      ...wrong,
      expected.startsWith('application/json') ? 'application/octet-stream' : 'application/json',
    ]) {
      const problem = await refused(party, { method, path, body: new Uint8Array(body), type });
      assert.deepEqual([problem.status, problem.type, problem.field], [415, 'media-type-unsupported', 'content-type']);
      assert.equal(problem.detail, `send the body with content-type: ${expected}`);
    }
  assert.deepEqual(await stateOf(party), before);
});

test('a content type that only begins well is a refusal and not a fault', async () => {
  await using party = await prepared();
  for (const type of [
    'application/json;',
    'application/json; charset',
    'application/json;=',
    'application/json ; a="b',
    'APPLICATION/JSON;;;',
  ]) {
    const response = await fetch(`${party.url}/jobs/job/owners/anna`, {
      method: 'PUT',
      headers: { 'content-type': type },
      body: JSON.stringify({ status: 'ready' }),
    });
    assert.ok([200, 415].includes(response.status), `${type}: ${response.status}`);
    await response.arrayBuffer();
  }
});

test('JSON that is none', async () => {
  await using party = await prepared();
  const before = await stateOf(party);
  for (const body of ['', '{', '{"status":"ready"', 'ready', '{"status":"secret-value-1"}}', '\u0000', '{"a":1e}']) {
    const problem = await refused(party, json('PUT', '/jobs/job/owners/anna', body));
    assert.deepEqual([problem.status, problem.type, problem.field], [400, 'message-invalid', 'body'], body);
    assert.equal(problem.detail, 'Malformed JSON in request body');
  }
  for (const body of ['null', '[]', '1', '"ready"', 'true']) {
    const problem = await refused(party, json('PUT', '/jobs/job/owners/anna', body));
    assert.deepEqual([problem.status, problem.type], [400, 'message-invalid'], body);
  }
  assert.deepEqual(await stateOf(party), before);
});

test('messages with an unknown, missing or impossible field, which is named', async () => {
  await using party = await prepared();
  const before = await stateOf(party);
  const good = describeJob({ job: 'other' });
  const without = (field: keyof JobDescriptor): unknown =>
    Object.fromEntries(Object.entries(good).filter(([name]) => name !== field));
  // As text: JSON.stringify could not write what JSON.parse reads.
  const nested = (depth: number): string =>
    JSON.stringify({ ...good, model: { deep: '@' } }).replace('"@"', `${'['.repeat(depth)}1${']'.repeat(depth)}`);
  const attempts: readonly (readonly [string, string, unknown, string])[] = [
    ['POST', '/jobs', { ...good, colour: 'red' }, 'colour'],
    ['POST', '/jobs', { ...good, plan: { ...good.plan, slack: 1 } }, 'plan.slack'],
    ['POST', '/jobs', { ...good, public_key: { ...good.public_key, p: 'AQAB' } }, 'public_key.p'],
    ['POST', '/jobs', { ...good, job: 'a/b' }, 'job'],
    ['POST', '/jobs', { ...good, job: 7 }, 'job'],
    ['POST', '/jobs', { ...good, roster: [anna] }, 'roster'],
    ['POST', '/jobs', { ...good, roster: [anna, bert, anna] }, 'roster'],
    ['POST', '/jobs', { ...good, roster: [anna, 'b b'] }, 'roster.1'],
    ['POST', '/jobs', { ...good, quorum: 1 }, 'quorum'],
    ['POST', '/jobs', { ...good, quorum: 4 }, 'quorum'],
    ['POST', '/jobs', { ...good, quorum: 2.5 }, 'quorum'],
    ['POST', '/jobs', { ...good, deadline_seconds: 0 }, 'deadline_seconds'],
    ['POST', '/jobs', { ...good, deadline_seconds: 86_401 }, 'deadline_seconds'],
    ['POST', '/jobs', { ...good, model: [] }, 'model'],
    ['POST', '/jobs', nested(64), 'model'],
    ['POST', '/jobs', nested(1_000_000), 'model'],
    ['POST', '/jobs', { ...good, noise: { place: 'facilitator' } }, 'noise.place'],
    ['POST', '/jobs', { ...good, plan: { ...good.plan, sum_bound: '-1' } }, 'plan.sum_bound'],
    ['POST', '/jobs', { ...good, plan: { ...good.plan, owners: 1e9 } }, 'plan.owners'],
    ...(['job', 'model', 'public_key', 'plan', 'roster', 'quorum', 'deadline_seconds', 'noise'] as const).map(
      (field) => ['POST', '/jobs', without(field), field] as const,
    ),
    ['PUT', '/jobs/job/owners/anna', { status: 'absent' }, 'status'],
    ['PUT', '/jobs/job/owners/anna', { status: 'ready', why: 'so' }, 'why'],
    ['PUT', '/jobs/job/owners/anna', { status: 'refused', reason: 'x'.repeat(1001) }, 'reason'],
    ['PUT', '/jobs/job/rounds/2', { roster: [anna, bert] }, 'parameters'],
    ['PUT', '/jobs/job/rounds/2', { roster: [anna, bert], parameters: [1, '2'] }, 'parameters.1'],
    ['PUT', '/jobs/job/rounds/2', { roster: [anna, bert], parameters: [1, null] }, 'parameters.1'],
    ['PUT', '/jobs/job/rounds/2', { roster: [], parameters: [] }, 'roster'],
    ['PUT', '/jobs/job/rounds/2', { roster: [anna, anna], parameters: [] }, 'roster'],
    ['PUT', '/jobs/job/rounds/2', { roster: [anna, bert], parameters: [], quorum: 1 }, 'quorum'],
  ];
  for (const [method, path, body, field] of attempts) {
    const problem = await refused(party, json(method, path, body));
    assert.deepEqual([problem.status, problem.type, problem.field], [400, 'message-invalid', field], problem.detail);
    assert.ok(problem.detail.startsWith(`the request's body: ${field}: `), problem.detail);
  }
  const big = await refused(
    party,
    json('PUT', '/jobs/job/rounds/2', '{"roster":["anna","bert"],"parameters":[1e999]}'),
  );
  assert.deepEqual([big.status, big.field], [400, 'parameters.0']);
  for (const [path, field] of [
    ['/jobs/job?outcome=lost', 'outcome'],
    ['/jobs/job?outcom=failed', 'outcom'],
    ['/jobs/job?outcome=failed&outcome=finished', 'outcome'],
  ] as const) {
    const problem = await refused(party, { method: 'DELETE', path });
    assert.deepEqual([problem.status, problem.type, problem.field], [400, 'message-invalid', field]);
  }
  for (const path of ['/events?owner=', '/events?owner=a&owner=b', '/events?owners=anna', '/events?owner=a%20b']) {
    const problem = await refused(party, { method: 'GET', path });
    assert.deepEqual([problem.status, problem.type], [400, 'message-invalid'], path);
  }
  assert.deepEqual(await stateOf(party), before);
});

test('a model of 64 levels is not yet too deep', async () => {
  await using party = await prepared();
  const model: Record<string, unknown> = { deep: JSON.parse('['.repeat(63) + ']'.repeat(63)) };
  await party.client.createJob(describeJob({ job: 'deep', model }), never);
  assert.deepEqual((await party.client.job(describeJob({ job: 'deep' }).job, never)).descriptor.model, model);
});

test('an answer to a message full of mistakes names one of them and stays small', async () => {
  await using party = await prepared();
  const attempts = [
    { roster: [anna, bert], parameters: Array.from({ length: 1_000_000 }, () => '') },
    { roster: Array.from({ length: 1_000_000 }, () => ''), parameters: [] },
    { roster: [anna, bert], parameters: [], [`x${'y'.repeat(1_000_000)}`]: 1 },
  ];
  for (const body of attempts) {
    const problem = await refused(party, json('PUT', '/jobs/job/rounds/2', body));
    assert.equal(problem.status, 400);
    assert.ok(JSON.stringify(problem).length < 1000, JSON.stringify(problem).slice(0, 300));
  }
});

test('jobs whose key or plan cannot be', async () => {
  await using party = await prepared();
  const before = await stateOf(party);
  const good = describeJob({ job: 'other' });
  const keyOf = (modulus: bigint): JobDescriptor['public_key'] => ({
    kty: 'DAJ',
    alg: 'PAI-GN1',
    n: Buffer.from(bigintToBytes(modulus, Math.ceil(modulus.toString(2).length / 8))).toString('base64url'),
  });
  const attempts: readonly (readonly [Partial<JobDescriptor>, string, string])[] = [
    [{ public_key: keyOf(n >> 1024n) }, 'key-too-small', 'n'],
    [{ public_key: keyOf(n + 1n) }, 'key-invalid', 'n'],
    [{ public_key: { ...good.public_key, n: 'AAAA' } }, 'key-invalid', 'n'],
    [{ plan: { ...good.plan, key_bits: 3072 } }, 'plan-mismatch', 'plan.key_bits'],
    [{ plan: { ...good.plan, ciphertexts: 3 } }, 'plan-mismatch', 'plan.ciphertexts'],
    [{ plan: { ...good.plan, sum_bound: '1' } }, 'plan-mismatch', 'plan.sum_bound'],
    [{ plan: { ...good.plan, slot_bits: 20 } }, 'plan-unsafe', 'slotBits'],
    [{ plan: { ...good.plan, max_weight: '0' } }, 'plan-unsafe', 'maxWeight'],
    [{ roster: [anna, bert, cora, 'dora' as typeof anna] }, 'plan-mismatch', 'plan.owners'],
  ];
  for (const [change, type, field] of attempts) {
    const problem = await refused(party, json('POST', '/jobs', { ...good, ...change }));
    assert.deepEqual([problem.status, problem.type, problem.field], [422, type, field], problem.detail);
  }
  assert.deepEqual(await stateOf(party), before);
});

test('a body beyond the limit, announced or not', async () => {
  await using party = await prepared(20_000);
  const before = await stateOf(party);
  const announced = await refused(party, binary('/jobs/job/rounds/1/contributions/anna', new Uint8Array(20_001)));
  assert.deepEqual([announced.status, announced.type], [413, 'body-too-large']);
  assert.equal(announced.detail, 'the body is larger than 20000 bytes');
  assert.equal((await refused(party, json('POST', '/jobs', { a: 'x'.repeat(20_000) }))).status, 413);
  assert.equal((await refused(party, json('PUT', '/nowhere', 'x'.repeat(20_001)))).status, 413);
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const sent = request(
      `${party.url}/jobs/job/rounds/1/contributions/anna`,
      { method: 'PUT', headers: { 'content-type': 'application/octet-stream', 'transfer-encoding': 'chunked' } },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
    sent.on('error', reject);
    for (let index = 0; index < 21; index++) sent.write(new Uint8Array(1000));
    sent.end();
  });
  assert.equal(status, 413);
  assert.deepEqual(await stateOf(party), before);
});

test('the typed client turns each of them back into the error that was thrown', async () => {
  await using party = await prepared();
  const { client } = party;
  const error = await refusal(client.contribute(job, 1, anna, contributionOf(0).subarray(1), never));
  assert.deepEqual(
    [error.code, error.field, error.message],
    ['ciphertext_invalid', 'ciphertexts', 'ciphertexts: expected 1024 bytes (2 × 512), found 1023'],
  );
  const unknown = await refusal(client.openRound(job, 2, { roster: [anna, cora], parameters: [] }, never));
  assert.deepEqual([unknown.code, unknown.message], ['round_open', 'round 1 of job job is still open']);
});

test('no line of the log carries a ciphertext, a parameter or a body', async () => {
  await using party = await prepared();
  const secret = 0.123_456_789_123;
  await party.client.endJob(job, 'cancelled', never);
  await party.client.createJob(describeJob({ job: 'quiet', model: { note: 'opaque-note-1' } }), never);
  const quiet = describeJob({ job: 'quiet' }).job;
  await party.client.openRound(quiet, 1, { roster: [anna, bert], parameters: [secret] }, never);
  const bytes = contributionOf(0);
  await party.client.contribute(quiet, 1, anna, bytes, never);
  await party.client.contribute(quiet, 1, bert, contributionOf(1), never);
  await refused(
    party,
    json('PUT', '/jobs/quiet/rounds/2', { roster: [anna, bert], parameters: [secret, 'secret-text-2'] }),
  );
  await refused(party, json('PUT', '/jobs/quiet/rounds/2', '{"parameters":[0.123456789123,,'));
  await refused(party, binary('/jobs/quiet/rounds/1/contributions/cora', bytes));
  const log = party.lines.join('');
  assert.match(log, /"round\.closed"/);
  for (const hidden of [
    '0.123456789',
    'opaque-note-1',
    'secret-text-2',
    Buffer.from(bytes.subarray(0, 12)).toString('hex'),
  ])
    assert.ok(!log.includes(hidden), hidden);
  for (const encoding of ['base64', 'base64url', 'latin1'] as const)
    assert.ok(!log.includes(Buffer.from(bytes.subarray(0, 12)).toString(encoding)));
});

test.run();
