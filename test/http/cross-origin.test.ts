/** Pages of other origins at a facilitator over real sockets: whom it means, what they may send and read, and that all still sign. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createSignedFetch } from '../../src/http/signed-fetch.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import { contributionSignatureHeader } from '../../src/protocol/round-messages.ts';
import { createCast, type RunningFacilitator, startFacilitator } from '../end-to-end/parties.ts';

const test = suite('cross-origin');

const cast = createCast(1);
const meant = 'https://owners.example.org';
const stranger = 'https://elsewhere.example.org';

/** What a browser asks before it sends. */
function ask(
  { url }: RunningFacilitator,
  origin: string,
  path = '/jobs/a/rounds/1/contributions/owner-1',
): Promise<Response> {
  const wanted = ['signature', 'signature-input', 'content-digest', 'content-type', contributionSignatureHeader];
  return fetch(url + path, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'PUT',
      'access-control-request-headers': wanted.join(','),
    },
  });
}

const listed = (response: Response, header: string): string[] =>
  (response.headers.get(header) ?? '').toLowerCase().split(/,\s*/);

test('a page that is meant is told what it may send, and may read answers and refusals', async () => {
  await using facilitator = await startFacilitator({ cast, origins: ['http://127.0.0.1:1', meant] });
  for (const path of ['/jobs', '/jobs/a/events', '/events?owner=owner-1', '/jobs/a/rounds/1/contributions/owner-1']) {
    const answer = await ask(facilitator, meant, path);
    assert.equal(answer.status, 204);
    assert.equal(answer.headers.get('access-control-allow-origin'), meant);
    assert.equal(answer.headers.get('access-control-allow-credentials'), null);
    assert.deepEqual(listed(answer, 'access-control-allow-methods'), ['get', 'put']);
    for (const header of [
      'signature',
      'signature-input',
      'content-digest',
      'last-event-id',
      contributionSignatureHeader,
    ])
      assert.ok(listed(answer, 'access-control-allow-headers').includes(header.toLowerCase()), header);
  }
  const [identity] = cast.owners;
  assert.ok(identity !== undefined);
  const signed = createSignedFetch({ identity, fetch, clock: systemClock, random: systemRandom });
  const jobs = await signed(`${facilitator.url}/jobs`, { headers: { origin: meant } });
  assert.equal(jobs.status, 200);
  assert.equal(jobs.headers.get('access-control-allow-origin'), meant);
  assert.match(jobs.headers.get('vary') ?? '', /origin/i);
  assert.ok(listed(jobs, 'access-control-expose-headers').includes('retry-after'));
  await jobs.body?.cancel();
  const refused = await signed(`${facilitator.url}/jobs/none`, { headers: { origin: meant } });
  assert.equal(refused.status, 404);
  assert.equal(refused.headers.get('access-control-allow-origin'), meant);
  await refused.body?.cancel();
  const unsigned = await fetch(`${facilitator.url}/jobs`, { headers: { origin: meant } });
  assert.equal(unsigned.status, 401);
  assert.equal(unsigned.headers.get('access-control-allow-origin'), meant);
  await unsigned.body?.cancel();
});

test('a page that is not meant is told nothing', async () => {
  await using facilitator = await startFacilitator({ cast, origins: [meant] });
  for (const origin of [stranger, 'null', `${meant}:8443`, meant.toUpperCase(), `${meant}.evil.example`]) {
    const answer = await ask(facilitator, origin);
    assert.equal(answer.headers.get('access-control-allow-origin'), null, origin);
    const unsigned = await fetch(`${facilitator.url}/jobs`, { headers: { origin } });
    assert.equal(unsigned.status, 401);
    assert.equal(unsigned.headers.get('access-control-allow-origin'), null, origin);
    await unsigned.body?.cancel();
  }
  const open = await fetch(`${facilitator.url}/healthz`, { headers: { origin: meant } });
  assert.equal(open.headers.get('access-control-allow-origin'), null);
  await open.body?.cancel();
});

test('without the option the question is a request like all others, and is not signed', async () => {
  await using facilitator = await startFacilitator({ cast });
  const answer = await ask(facilitator, meant);
  assert.equal(answer.status, 401);
  assert.equal(answer.headers.get('access-control-allow-origin'), null);
  await answer.body?.cancel();
});

test.run();
