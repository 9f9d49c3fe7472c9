/** The typed client against servers that answer badly, late, or not at all. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import { createFacilitatorClient, type FacilitatorClient } from '../../src/http/facilitator-client.ts';
import { toProblem } from '../../src/http/problem.ts';
import { type Clock, systemClock } from '../../src/protocol/clock.ts';
import type { JobId, OwnerId } from '../../src/protocol/identifiers.ts';
import { createIdentity } from '../../src/protocol/identity.ts';
import type { OwnerAnswer } from '../../src/protocol/job-messages.ts';
import { sha256 } from '../../src/protocol/manifest.ts';
import { signObject } from '../../src/protocol/signed.ts';
import { createTestClock } from '../support/clock.ts';
import { until } from '../support/until.ts';
import { type Act, answer, deafPort, hangUp, stall, startScriptedServer } from './scripted-server.ts';

const test = suite('facilitator client');

const never = new AbortController().signal;
const job = 'job' as JobId;
const anna = 'anna' as OwnerId;
const identity = createIdentity(anna, 'data-owner', new Uint8Array(32).fill(7));
const answerOfAnna: OwnerAnswer = { job, owner: anna, job_digest: '1'.repeat(64), status: 'withdrawn' };
const signedAnswer = { answer: answerOfAnna, signature: signObject(identity, 'answer', answerOfAnna) };
const problem = (code: ConstructorParameters<typeof SealsumError>[0], message: string): unknown =>
  toProblem(new SealsumError(code, message, { field: 'place' }));

function clientOf(url: string, clock: Clock = systemClock, patience = 30_000): FacilitatorClient {
  return createFacilitatorClient({ url, fetch, clock, patience });
}

/** The machine's clock with waits between tries a hundred times as short; time limits are as long as ever. */
const hurried: Clock = {
  ...systemClock,
  after: (milliseconds, action) => systemClock.after(milliseconds > 10_000 ? milliseconds : milliseconds / 100, action),
};

async function refusal(work: Promise<unknown>): Promise<SealsumError> {
  const error: unknown = await work.then(
    () => new Error('nothing was refused'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof SealsumError, String(error));
  return error;
}

test('a broken line, a 5xx and an answer that is no JSON are tried again, with the same bytes', async () => {
  const bytes = Uint8Array.from({ length: 5000 }, (_, index) => index % 251);
  const digest = sha256(bytes);
  const statement = { job, round: 1, round_digest: '0'.repeat(64), owner: anna, digest, bytes: bytes.length };
  const signature = signObject(identity, 'contribution', statement);
  const receipt = { receipt: statement, signature: signObject(identity, 'receipt', statement) };
  await using server = await startScriptedServer(
    hangUp,
    answer(503, 'busy'),
    answer(500, problem('internal', 'an unexpected error; see the log')),
    answer(200, '<html>a proxy'),
    answer(201, receipt),
  );
  const client = clientOf(server.url, hurried);
  assert.deepEqual(await client.contribute(statement, signature, bytes, never), receipt);
  assert.equal(server.asked.length, 5);
  for (const asked of server.asked) {
    assert.equal(`${asked.method} ${asked.url}`, 'PUT /jobs/job/rounds/1/contributions/anna');
    assert.equal(asked.headers['content-type'], 'application/octet-stream');
    assert.equal(asked.headers['contribution-signature'], `${signature.key}.${signature.value}`);
    assert.deepEqual(asked.body, bytes);
  }
});

test('what says "not now" is tried again, and so is a request that a proxy sent twice', async () => {
  const acts = [408, 425, 429, 502].map((status) => answer(status, 'not now'));
  const twice = answer(401, problem('nonce_reused', 'the request was sent before'));
  await using server = await startScriptedServer(...acts, twice, answer(200, { jobs: [] }));
  assert.deepEqual(await clientOf(server.url, hurried).jobs(never), []);
  assert.equal(server.asked.length, 6);
});

test('a server that says when to come back is not asked sooner', async () => {
  const later: Act = (response) => {
    response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '7' });
    response.end(JSON.stringify(problem('overloaded', 'there is too much to do')));
  };
  await using server = await startScriptedServer(later, answer(200, { jobs: [] }));
  const clock = createTestClock();
  const work = clientOf(server.url, clock).jobs(never);
  await until('the wait to begin', () => server.asked.length === 1 && (clock.next() ?? 0) < 8000);
  clock.advance(6999);
  assert.equal(clock.pending(), 1);
  clock.advance(101);
  assert.deepEqual(await work, []);
  assert.equal(server.asked.length, 2);
});

test('a refusal is not tried again and comes back as the error that was thrown', async () => {
  await using server = await startScriptedServer(answer(409, problem('round_open', 'round 1 is open')));
  const error = await refusal(clientOf(server.url).aggregate(job, 1, never));
  assert.deepEqual([error.code, error.message, error.field], ['round_open', 'round 1 is open', 'place']);
  assert.equal(server.asked.length, 1);
});

test('an answer that is not as expected is not tried again; what it said is not repeated', async () => {
  await using server = await startScriptedServer(answer(200, { jobs: [{ job, secret: 'secret-1' }] }));
  const error = await refusal(clientOf(server.url).jobs(never));
  assert.equal(error.code, 'message_invalid');
  assert.match(error.message, /^the answer to GET \/jobs: jobs\.0\.status: /);
  assert.ok(!error.message.includes('secret'));
  assert.equal(server.asked.length, 1);
});

test('what stays broken is told as what it is', async () => {
  await using server = await startScriptedServer(answer(200, 'secret-2 is no JSON'));
  const noJson = await refusal(clientOf(server.url, systemClock, 110).jobs(never));
  assert.deepEqual([noJson.code, noJson.message], ['request_failed', 'the answer to GET /jobs is not JSON']);
  assert.ok(server.asked.length <= 2);
  await using other = await startScriptedServer(answer(404, 'not here'));
  const noProblem = await refusal(clientOf(other.url).jobs(never));
  assert.deepEqual([noProblem.code, noProblem.message], ['request_failed', 'GET /jobs was answered 404']);
  assert.equal(other.asked.length, 1);
  const url = `http://127.0.0.1:${await deafPort()}`;
  const deaf = await refusal(clientOf(`${url}//`, systemClock, 110).jobs(never));
  assert.deepEqual(
    [deaf.code, deaf.message],
    ['facilitator_unreachable', `${url} does not answer GET /jobs; is it running?`],
  );
});

test('an answer that does not come, or does not end, is given up after the time limit', async () => {
  for (const act of [() => undefined, stall]) {
    await using server = await startScriptedServer(act);
    const clock = createTestClock();
    const work = refusal(clientOf(server.url, clock, 0).jobs(never));
    await until('the request to arrive', () => server.asked.length === 1 && clock.pending() === 1);
    clock.advance(29_999);
    clock.advance(1);
    assert.equal((await work).code, 'facilitator_unreachable');
    assert.equal(clock.pending(), 0);
    await until('the line to be gone', () => server.answering() === 0);
  }
});

test('whoever is stopped hears so: before, during, and while it waits for the next try', async () => {
  await using server = await startScriptedServer(() => undefined);
  const before = await refusal(clientOf(server.url).jobs(AbortSignal.abort()));
  assert.deepEqual([before.code, before.message], ['aborted', 'GET /jobs was stopped']);
  assert.equal(server.asked.length, 0);
  const during = new AbortController();
  const work = refusal(clientOf(server.url).job(job, during.signal));
  await until('the request to arrive', () => server.asked.length === 1);
  during.abort(new Error('a reason of its own'));
  assert.deepEqual([(await work).code, (await work).message], ['aborted', 'GET /jobs/job was stopped']);
  await using broken = await startScriptedServer(hangUp);
  const between = new AbortController();
  const waiting = refusal(clientOf(broken.url, systemClock, Number.POSITIVE_INFINITY).jobs(between.signal));
  await until('a second try', () => broken.asked.length >= 2);
  between.abort();
  assert.equal((await waiting).code, 'aborted');
  const tries = broken.asked.length;
  assert.ok(tries < 10);
});

test('requests that need no answer leave their connection for the next, and nothing else behind', async () => {
  await using server = await startScriptedServer(answer(200, { much: 'x'.repeat(100_000) }));
  const clock = createTestClock();
  const stop = new AbortController();
  const client = clientOf(server.url, clock);
  for (let index = 0; index < 30; index++) await client.answerJob(signedAnswer, stop.signal);
  await client.endJob(job, 'finished', stop.signal);
  assert.deepEqual(
    server.asked.slice(-2).map(({ method, url }) => `${method} ${url}`),
    ['PUT /jobs/job/owners/anna', 'DELETE /jobs/job?outcome=finished'],
  );
  assert.deepEqual(JSON.parse(new TextDecoder().decode(server.asked[0]?.body)), signedAnswer);
  assert.ok(server.connections() <= 2, `${server.connections()} connections`);
  assert.equal(clock.pending(), 0);
  assert.ok(getEventListeners(stop.signal, 'abort').length <= 1);
});

test.run();
