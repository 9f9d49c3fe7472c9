/** Everything a facilitator refuses over HTTP: the status, the problem's type, the field, and that nothing has changed. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { suite } from 'uvu';
import { signRequest } from '../../../src/http/message-signatures.ts';
import type { Problem } from '../../../src/http/problem.ts';
import { bigintToBytes, bytesToBigint } from '../../../src/paillier/bytes.ts';
import { privateKeyToJwk } from '../../../src/paillier/private-key.ts';
import { systemRandom } from '../../../src/paillier/random.ts';
import type { OwnerId } from '../../../src/protocol/identifiers.ts';
import type { Identity } from '../../../src/protocol/identity.ts';
import type { JobDescriptor } from '../../../src/protocol/job-messages.ts';
import { sha256 } from '../../../src/protocol/manifest.ts';
import { encodeParameters } from '../../../src/protocol/parameters.ts';
import { canonicalDigest } from '../../../src/protocol/signed.ts';
import { planToWire } from '../../../src/protocol/wire-plan.ts';
import { until } from '../../support/until.ts';
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
  never,
  otto,
  partiesWith,
  planFor,
  refusal,
  signAnswer,
  signContribution,
  signJob,
  signRound,
  startFacilitator,
  type TestFacilitator,
  zoe,
} from './harness.ts';

const test = suite('refusals of a facilitator');

/** Sends a request whose signature is for one body and whose body is another. */
function sendSigned(
  party: TestFacilitator,
  { method, path, body, type, headers, by }: Sent,
  instead: Uint8Array,
  more: Readonly<Record<string, string>> = {},
): Promise<Problem> {
  const bytes = body instanceof Uint8Array ? body : new TextEncoder().encode(body);
  const url = party.url + path;
  const bodyDigest = Buffer.from(sha256(bytes), 'hex');
  const identity = typeof by === 'object' ? by : identityOf(by ?? anna);
  const signature = signRequest(
    identity,
    { method, url, bodyDigest },
    { now: party.clock.now(), random: systemRandom },
  );
  const length = 'transfer-encoding' in more ? {} : { 'content-length': String(instead.length) };
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method, headers: { 'content-type': type, ...headers, ...signature, ...length, ...more } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')) as Problem);
        });
      },
    );
    sent.on('error', reject);
    sent.end(instead);
  });
}

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
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly type?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Who signs the request; the model owner unless told. */
  readonly by?: Identity | OwnerId;
}

/** Sends a request that is to be refused and reads the problem, whose media type and status must be those of a problem. */
async function refused(party: TestFacilitator, { method, path, body, type, headers, by }: Sent): Promise<Answer> {
  const response = await party.fetchAs(by ?? mona)(party.url + path, {
    method,
    ...(body === undefined ? {} : { body }),
    // Without a type of its own, fetch would give a string "text/plain".
    headers: { ...(type === undefined ? {} : { 'content-type': type }), ...headers },
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

const json = (method: string, path: string, body: unknown, by: Identity | OwnerId = mona): Sent => ({
  method,
  path,
  body: typeof body === 'string' ? body : JSON.stringify(body),
  type: 'application/json',
  by,
});

/** A contribution that its owner has signed, for a round that is open or, as far as the signature goes, for no round. */
function contribution(party: TestFacilitator, owner: OwnerId, bytes: Uint8Array, round = 1): Sent {
  const statement = { ...party.statement(1, owner, bytes), round };
  const { key, value } = signContribution(statement);
  return {
    method: 'PUT',
    path: `/jobs/job/rounds/${round}/contributions/${owner}`,
    body: new Uint8Array(bytes),
    type: 'application/octet-stream',
    headers: { 'contribution-signature': `${key}.${value}` },
    by: owner,
  };
}

const answers = (owner: OwnerId): string => `/jobs/job/owners/${owner}`;
const ready = (owner: OwnerId) => signAnswer(answerTo(describeJob(), owner, 'ready'));
const nextRound = (change: object = {}) => {
  const descriptor = describeRound(describeJob(), 2, { roster: [anna, bert], parameters: [] });
  return signRound({ ...descriptor, ...change });
};

/** A facilitator with a job of three owners whose first round is open for two of them. */
async function prepared(bodyLimit?: number): Promise<TestFacilitator> {
  const parties = partiesWith(['dora' as OwnerId]);
  const party = await startFacilitator({ parties, ...(bodyLimit === undefined ? {} : { bodyLimit }) });
  await party.create();
  await party.open(1, { roster: [anna, bert], parameters: [1] });
  return party;
}

/** All that a refusal must leave as it was. */
async function stateOf({ store }: TestFacilitator): Promise<unknown> {
  return [
    await store.jobs(),
    await store.round(job, 1),
    await store.round(job, 2),
    await Promise.all([1, 2].map((count) => store.block({ job, round: 1, series: `product:${count}` }, 0))),
    await store.lastEvent(),
  ];
}

test('bytes that are not the two ciphertexts of the plan', async () => {
  await using party = await prepared();
  const before = await stateOf(party);
  const valid = contributionOf(0);
  const lengths = [0, 1, width - 1, width, width + 1, 2 * width - 1, 2 * width + 1, 3 * width, 2 * width - 2];
  for (const length of lengths) {
    const body = new Uint8Array(length);
    body.set(valid.subarray(0, length));
    const problem = await refused(party, contribution(party, anna, body));
    const [status, type, found] =
      length < 2 * width ? [422, 'ciphertext-invalid', String(length)] : [413, 'body-too-large', 'more'];
    assert.deepEqual([problem.status, problem.type, problem.field], [status, type, 'ciphertexts']);
    assert.equal(problem.detail, `ciphertexts: expected 1024 bytes (2 × 512), found ${found}`);
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
      const problem = await refused(party, contribution(party, anna, body));
      assert.deepEqual(
        [problem.status, problem.type, problem.field],
        [422, 'ciphertext-invalid', `ciphertext ${index}`],
      );
      assert.match(problem.detail, expectation);
    }
  assert.deepEqual(await stateOf(party), before);
  assert.equal((await party.contribute(1, anna, valid)).receipt.owner, anna);
});

test('who is not on the roster of the job, or of the round', async () => {
  await using party = await prepared();
  const before = await stateOf(party);
  const bytes = contributionOf(0);
  const problem = await refused(party, contribution(party, cora, bytes));
  assert.deepEqual([problem.status, problem.type, problem.field], [403, 'owner-not-on-roster', 'owner']);
  assert.equal(problem.detail, 'cora is not on the roster of round 1');
  for (const attempt of [contribution(party, zoe, bytes), json('PUT', answers(zoe), ready(zoe), zoe)]) {
    const hidden = await refused(party, attempt);
    assert.deepEqual([hidden.status, hidden.type, hidden.detail], [404, 'job-unknown', 'there is no job job']);
  }
  assert.deepEqual(await stateOf(party), before);
});

test('jobs and rounds that do not exist', async () => {
  await using party = await prepared();
  const none = describeJob({ job: 'none' });
  const bytes = contributionOf(0);
  const toNone = (sent: Sent): Sent => ({ ...sent, path: sent.path.replace('/jobs/job/', '/jobs/none/') });
  const jobless: readonly Sent[] = [
    json('PUT', '/jobs/none/owners/anna', signAnswer(answerTo(none, anna, 'ready')), anna),
    json('PUT', '/jobs/none/rounds/1', signRound(describeRound(none, 1))),
    toNone(contribution(party, anna, bytes)),
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
    contribution(party, anna, bytes, 2),
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
  const jsonType = 'application/json (with curl: --json @FILE)';
  const attempts: readonly (readonly [Sent, string])[] = [
    [json('POST', '/jobs', signJob(describeJob({ job: 'other' }))), jsonType],
    [json('PUT', answers(anna), ready(anna), anna), jsonType],
    [json('PUT', '/jobs/job/rounds/2', nextRound()), jsonType],
    [contribution(party, anna, contributionOf(0)), 'application/octet-stream'],
  ];
  const wrong = [undefined, '', 'text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', 'json', '*/*'];
  for (const [attempt, expected] of attempts)
    for (const type of [
      ...wrong,
      expected.startsWith('application/json') ? 'application/octet-stream' : 'application/json',
    ]) {
      // As bytes: to a text, fetch would give a type of its own.
      const body = typeof attempt.body === 'string' ? new TextEncoder().encode(attempt.body) : attempt.body;
      const problem = await refused(party, { ...attempt, ...(body === undefined ? {} : { body }), type });
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
    const response = await party.fetchAs(anna)(`${party.url}/jobs/job/owners/anna`, {
      method: 'PUT',
      headers: { 'content-type': type },
      body: JSON.stringify(ready(anna)),
    });
    assert.ok([204, 415].includes(response.status), `${type}: ${response.status}`);
    await response.arrayBuffer();
  }
});

test('JSON that is none', async () => {
  await using party = await prepared();
  const before = await stateOf(party);
  for (const body of ['', '{', '{"status":"ready"', 'ready', '{"status":"secret-value-1"}}', '\u0000', '{"a":1e}']) {
    const problem = await refused(party, json('PUT', answers(anna), body, anna));
    assert.deepEqual([problem.status, problem.type, problem.field], [400, 'message-invalid', 'body'], body);
    assert.equal(problem.detail, 'Malformed JSON in request body');
  }
  for (const body of ['null', '[]', '1', '"ready"', 'true']) {
    const problem = await refused(party, json('PUT', answers(anna), body, anna));
    assert.deepEqual([problem.status, problem.type], [400, 'message-invalid'], body);
  }
  assert.deepEqual(await stateOf(party), before);
});

test('messages with an unknown, missing or impossible field, which is named', async () => {
  await using party = await prepared();
  const before = await stateOf(party);
  const good = describeJob({ job: 'other' });
  const signature = signJob(good).signature;
  const jobWith = (change: object) => ({ descriptor: { ...good, ...change }, signature });
  const without = (field: keyof JobDescriptor): unknown => ({
    descriptor: Object.fromEntries(Object.entries(good).filter(([name]) => name !== field)),
    signature,
  });
  // As text: JSON.stringify could not write what JSON.parse reads.
  const nested = (depth: number): string =>
    JSON.stringify(jobWith({ model: { deep: '@' } })).replace('"@"', `${'['.repeat(depth)}1${']'.repeat(depth)}`);
  const answer = ready(anna);
  const answerWith = (change: object) => ({ ...answer, answer: { ...answer.answer, ...change } });
  const round = nextRound();
  const roundWith = (change: object) => ({ ...round, descriptor: { ...round.descriptor, ...change } });
  const job2 = '/jobs/job/rounds/2';
  const infinite = encodeParameters([1, Number.POSITIVE_INFINITY]);
  const attempts: readonly (readonly [string, string, unknown, string])[] = [
    ['POST', '/jobs', good, 'descriptor'],
    ['POST', '/jobs', { descriptor: good }, 'signature'],
    ['POST', '/jobs', { descriptor: good, signature: { ...signature, value: 'A' } }, 'signature.value'],
    ['POST', '/jobs', { descriptor: good, signature: { ...signature, key: 'A'.repeat(44) } }, 'signature.key'],
    ['POST', '/jobs', { descriptor: good, signature, more: 1 }, 'more'],
    ['POST', '/jobs', jobWith({ colour: 'red' }), 'descriptor.colour'],
    ['POST', '/jobs', jobWith({ plan: { ...good.plan, slack: 1 } }), 'descriptor.plan.slack'],
    ['POST', '/jobs', jobWith({ closing_plan: { ...good.plan, slack: 1 } }), 'descriptor.closing_plan.slack'],
    ['POST', '/jobs', jobWith({ public_key: { ...good.public_key, p: 'AQAB' } }), 'descriptor.public_key.p'],
    ['POST', '/jobs', jobWith({ job: 'a/b' }), 'descriptor.job'],
    ['POST', '/jobs', jobWith({ job: 7 }), 'descriptor.job'],
    ['POST', '/jobs', jobWith({ model_owner: '' }), 'descriptor.model_owner'],
    ['POST', '/jobs', jobWith({ model_hash: 'A'.repeat(64) }), 'descriptor.model_hash'],
    ['POST', '/jobs', jobWith({ tag_key: 'B'.repeat(43) }), 'descriptor.tag_key'],
    ['POST', '/jobs', jobWith({ roster: [anna] }), 'descriptor.roster'],
    ['POST', '/jobs', jobWith({ roster: [anna, bert, anna] }), 'descriptor.roster'],
    ['POST', '/jobs', jobWith({ roster: [anna, 'b b'] }), 'descriptor.roster.1'],
    ['POST', '/jobs', jobWith({ quorum: 1 }), 'descriptor.quorum'],
    ['POST', '/jobs', jobWith({ quorum: 4 }), 'descriptor.quorum'],
    ['POST', '/jobs', jobWith({ quorum: 2.5 }), 'descriptor.quorum'],
    ['POST', '/jobs', jobWith({ deadline_seconds: 0 }), 'descriptor.deadline_seconds'],
    ['POST', '/jobs', jobWith({ deadline_seconds: 86_401 }), 'descriptor.deadline_seconds'],
    ['POST', '/jobs', jobWith({ model: [] }), 'descriptor.model'],
    ['POST', '/jobs', nested(64), 'descriptor.model'],
    ['POST', '/jobs', nested(1_000_000), 'descriptor.model'],
    ['POST', '/jobs', jobWith({ noise: { place: 'nowhere' } }), 'descriptor.noise.place'],
    ['POST', '/jobs', jobWith({ noise: { place: 'facilitator' } }), 'descriptor.noise.unit'],
    ['POST', '/jobs', jobWith({ plan: { ...good.plan, sum_bound: '-1' } }), 'descriptor.plan.sum_bound'],
    ['POST', '/jobs', jobWith({ plan: { ...good.plan, owners: 1e9 } }), 'descriptor.plan.owners'],
    ...(['job', 'model', 'public_key', 'plan', 'roster', 'quorum', 'deadline_seconds', 'noise'] as const).map(
      (field) => ['POST', '/jobs', without(field), `descriptor.${field}`] as const,
    ),
    ['PUT', answers(anna), answerWith({ status: 'absent' }), 'answer.status'],
    ['PUT', answers(anna), answerWith({ why: 'so' }), 'answer.why'],
    ['PUT', answers(anna), answerWith({ status: 'refused', reason: 'x'.repeat(1001) }), 'answer.reason'],
    ['PUT', answers(anna), answerWith({ status: 'refused' }), 'answer.tag_key'],
    ['PUT', job2, roundWith({ parameters: undefined }), 'descriptor.parameters'],
    ['PUT', job2, roundWith({ parameters: [1] }), 'descriptor.parameters'],
    ['PUT', job2, roundWith({ parameters: `${encodeParameters([1])}=` }), 'descriptor.parameters'],
    ['PUT', job2, roundWith({ parameters: infinite }), 'descriptor.parameters'],
    ['PUT', job2, roundWith({ encrypted_parameters: '' }), 'descriptor.encrypted_parameters'],
    ['PUT', job2, roundWith({ encrypted_parameters: 'AA==' }), 'descriptor.encrypted_parameters'],
    ['PUT', job2, roundWith({ encrypted_parameters: [1] }), 'descriptor.encrypted_parameters'],
    ['PUT', job2, roundWith({ roster: [] }), 'descriptor.roster'],
    ['PUT', job2, roundWith({ roster: [anna, anna] }), 'descriptor.roster'],
    ['PUT', job2, roundWith({ quorum: 1 }), 'descriptor.quorum'],
    ['PUT', job2, roundWith({ closing: false }), 'descriptor.closing'],
  ];
  for (const [method, path, body, field] of attempts) {
    const problem = await refused(party, json(method, path, body, path === answers(anna) ? anna : mona));
    assert.deepEqual([problem.status, problem.type, problem.field], [400, 'message-invalid', field], problem.detail);
    assert.ok(problem.detail.startsWith(`the request's body: ${field}: `), problem.detail);
  }
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
  await party.create({ job: 'deep', model });
  assert.deepEqual((await party.client.job(describeJob({ job: 'deep' }).job, never)).descriptor.model, model);
});

test('an answer to a message full of mistakes names one of them and stays small', async () => {
  await using party = await prepared();
  const { descriptor, signature } = nextRound();
  const attempts = [
    { parameters: Array.from({ length: 1_000_000 }, () => '') },
    { parameters: '!'.repeat(1_000_000) },
    { roster: Array.from({ length: 1_000_000 }, () => '') },
    { [`x${'y'.repeat(1_000_000)}`]: 1 },
  ];
  for (const change of attempts) {
    const body = { descriptor: { ...descriptor, ...change }, signature };
    const problem = await refused(party, json('PUT', '/jobs/job/rounds/2', body));
    assert.equal(problem.status, 400);
    assert.ok(JSON.stringify(problem).length < 1000, JSON.stringify(problem).slice(0, 300));
  }
});

test('a closing round of a job that states no plan for one', async () => {
  await using party = await prepared();
  const before = await stateOf(party);
  const descriptor = { ...describeRound(describeJob(), 2), closing: true as const };
  const problem = await refused(party, json('PUT', '/jobs/job/rounds/2', signRound(descriptor)));
  assert.deepEqual([problem.status, problem.type, problem.field], [422, 'plan-mismatch', 'closing'], problem.detail);
  assert.deepEqual(await stateOf(party), before);
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
    // Even, which would be seen at once if it were looked at: its size is seen first.
    [{ public_key: keyOf(2n ** 16_000n) }, 'plan-mismatch', 'plan.key_bits'],
    [{ plan: { ...good.plan, ciphertexts: 3 } }, 'plan-mismatch', 'plan.ciphertexts'],
    [{ plan: { ...good.plan, sum_bound: '1' } }, 'plan-mismatch', 'plan.sum_bound'],
    [{ plan: { ...good.plan, slot_bits: 20 } }, 'plan-unsafe', 'slotBits'],
    [{ plan: { ...good.plan, max_weight: '0' } }, 'plan-unsafe', 'maxWeight'],
    [{ roster: [anna, bert, cora, 'dora' as typeof anna] }, 'plan-mismatch', 'plan.owners'],
    [{ closing_plan: { ...good.plan, key_bits: 3072 } }, 'plan-mismatch', 'closing_plan.key_bits'],
    [{ closing_plan: { ...good.plan, sum_bound: '1' } }, 'plan-mismatch', 'closing_plan.sum_bound'],
    [{ closing_plan: planToWire(planFor(2)) }, 'plan-mismatch', 'closing_plan.owners'],
    [{ closing_plan: planToWire(planFor(3, 99_000_000)) }, 'plan-mismatch', 'closing_plan.ciphertexts'],
  ];
  for (const [change, type, field] of attempts) {
    const problem = await refused(party, json('POST', '/jobs', signJob({ ...good, ...change })));
    assert.deepEqual([problem.status, problem.type, problem.field], [422, type, field], problem.detail);
  }
  assert.deepEqual(await stateOf(party), before);
});

test('jobs that are not for this facilitator, of this model owner, or of these owners', async () => {
  await using party = await prepared();
  const before = await stateOf(party);
  const good = describeJob({ job: 'other' });
  const attempts: readonly (readonly [Partial<JobDescriptor>, number, string, string])[] = [
    [{ facilitator: otto.name }, 400, 'message-invalid', 'descriptor.facilitator'],
    [{ model_owner: otto.name }, 403, 'role-forbidden', 'descriptor.model_owner'],
    [{ model_hash: canonicalDigest({ another: 'model' }) }, 400, 'message-invalid', 'descriptor.model_hash'],
    [{ roster: [anna, 'nobody' as OwnerId] }, 401, 'party-unknown', 'party'],
    [{ roster: [anna, 'otto' as OwnerId] }, 403, 'role-forbidden', 'party'],
  ];
  for (const [change, status, type, field] of attempts) {
    const problem = await refused(party, json('POST', '/jobs', signJob({ ...good, ...change })));
    assert.deepEqual([problem.status, problem.type, problem.field], [status, type, field], problem.detail);
  }
  assert.deepEqual(await stateOf(party), before);
});

test('a round that is not as its job says', async () => {
  await using party = await prepared();
  const before = await stateOf(party);
  const attempts: readonly (readonly [object, string])[] = [
    [{ job_digest: '0'.repeat(64) }, 'descriptor.job_digest'],
    [{ model_hash: '0'.repeat(64) }, 'descriptor.model_hash'],
    [{ quorum: 3 }, 'descriptor.quorum'],
    [{ deadline_seconds: 31 }, 'descriptor.deadline_seconds'],
    [{ round: 3 }, 'descriptor.round'],
    [{ job: 'other' }, 'descriptor.job'],
  ];
  for (const [change, field] of attempts) {
    const problem = await refused(party, json('PUT', '/jobs/job/rounds/2', nextRound(change)));
    assert.deepEqual([problem.status, problem.type, problem.field], [400, 'message-invalid', field], problem.detail);
  }
  assert.deepEqual(await stateOf(party), before);
});

test('an answer that is to another job, for another owner or another address', async () => {
  await using party = await prepared();
  const before = await stateOf(party);
  const answer = answerTo(describeJob(), anna, 'ready');
  const attempts: readonly (readonly [object, string])[] = [
    [{ job_digest: '0'.repeat(64) }, 'answer.job_digest'],
    [{ owner: bert }, 'answer.owner'],
    [{ job: 'other' }, 'answer.job'],
  ];
  for (const [change, field] of attempts) {
    const signed = signAnswer({ ...answer, ...change }, identityOf(anna));
    const problem = await refused(party, json('PUT', answers(anna), signed, anna));
    assert.deepEqual([problem.status, problem.type, problem.field], [400, 'message-invalid', field], problem.detail);
  }
  assert.deepEqual(await stateOf(party), before);
});

test('a contribution without its signature, its digest or its length', async () => {
  await using party = await prepared();
  const before = await stateOf(party);
  const good = contribution(party, anna, contributionOf(0));
  const signature = good.headers?.['contribution-signature'] ?? '';
  for (const header of [
    '',
    '.',
    'x',
    `${signature}.`,
    `.${signature}`,
    signature.slice(0, 43),
    `${signature}A`,
    `A${signature}`,
  ]) {
    const problem = await refused(party, { ...good, headers: { 'contribution-signature': header } });
    assert.deepEqual([problem.status, problem.type], [400, 'message-invalid'], header);
    assert.match(problem.detail, /^contribution-signature: /);
  }
  assert.equal((await refused(party, { ...good, headers: {} })).field, 'contribution-signature');
  assert.deepEqual(await stateOf(party), before);
});

test('bytes that are not those of the digest leave no trace, however late that turns out', async () => {
  await using party = await startFacilitator({ limits: { blockBytes: width } });
  await party.create();
  await party.open(1);
  const before = await stateOf(party);
  const bytes = contributionOf(0);
  // As a proxy could do it: the request is signed, and then its body is another.
  const announced = contribution(party, anna, bytes);
  const other = contributionOf(1);
  const response = await sendSigned(party, announced, other);
  assert.deepEqual([response.status, response.type], [401, 'urn:sealsum:problem:signature-invalid']);
  assert.deepEqual(await stateOf(party), before);
  await party.contribute(1, anna, bytes);
});

test('a body beyond the limit, announced or not', async () => {
  await using party = await prepared(200_000);
  const before = await stateOf(party);
  const announced = await refused(party, contribution(party, anna, new Uint8Array(200_001)));
  assert.deepEqual([announced.status, announced.type], [413, 'body-too-large']);
  assert.equal(announced.detail, 'the body is larger than 200000 bytes');
  assert.equal((await refused(party, json('POST', '/jobs', { a: 'x'.repeat(200_000) }))).status, 413);
  assert.equal((await refused(party, json('PUT', '/nowhere', 'x'.repeat(200_001)))).status, 413);
  const sent = contribution(party, anna, contributionOf(0));
  const chunked = await sendSigned(party, sent, new Uint8Array(210_000), { 'transfer-encoding': 'chunked' });
  assert.deepEqual([chunked.status, chunked.field], [400, 'content-length']);
  assert.deepEqual(await stateOf(party), before);
});

test('the typed client turns each of them back into the error that was thrown', async () => {
  await using party = await prepared();
  const error = await refusal(party.contribute(1, anna, contributionOf(0).subarray(1)));
  assert.deepEqual(
    [error.code, error.field, error.message],
    ['ciphertext_invalid', 'ciphertexts', 'ciphertexts: expected 1024 bytes (2 × 512), found 1023'],
  );
  const unknown = await refusal(party.open(2, { roster: [anna, cora], parameters: [] }));
  assert.deepEqual([unknown.code, unknown.message], ['round_open', 'round 1 of job job is still open']);
});

test('no line of the log carries a ciphertext, a parameter or a body', async () => {
  await using party = await prepared();
  const secret = 0.123_456_789_123;
  await party.client.endJob(job, 'cancelled', never);
  await party.create({ job: 'quiet', model: { note: 'opaque-note-1' } });
  await party.open(1, { job: 'quiet', roster: [anna, bert], parameters: [secret] });
  const bytes = contributionOf(0);
  await party.contribute(1, anna, bytes, 'quiet');
  await party.contribute(1, bert, contributionOf(1), 'quiet');
  await until('the round to be closed', () => party.lines.some((line) => line.includes('"round.closed"')));
  const round = nextRound({ job: 'quiet' });
  for (const parameters of [`${encodeParameters([secret])}?secret-text-2`, ['secret-text-2']])
    await refused(
      party,
      json('PUT', '/jobs/quiet/rounds/2', { ...round, descriptor: { ...round.descriptor, parameters } }),
    );
  await refused(party, json('PUT', '/jobs/quiet/rounds/2', '{"parameters":[0.123456789123,,'));
  await refused(party, contribution(party, cora, bytes));
  const log = party.lines.join('');
  assert.match(log, /"round\.closed"/);
  for (const hidden of [
    '0.123456789',
    encodeParameters([secret]),
    'opaque-note-1',
    'secret-text-2',
    Buffer.from(bytes.subarray(0, 12)).toString('hex'),
    signContribution(party.statement(1, anna, bytes, 'quiet')).value,
  ])
    assert.ok(!log.includes(hidden), hidden);
  for (const encoding of ['base64', 'base64url', 'latin1'] as const)
    assert.ok(!log.includes(Buffer.from(bytes.subarray(0, 12)).toString(encoding)));
});

test.run();
