/** A party's own interface: for whoever is on the machine and not for the pages it shows, or for whoever has the token. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { authorityOf, isLoopback, listeningAuthorities } from '../../src/http/authority.ts';
import { createBaseApp } from '../../src/http/base-app.ts';
import type { LocalAccessOptions } from '../../src/http/local-access.ts';
import { createLog } from '../../src/http/log.ts';
import { fromProblem } from '../../src/http/problem.ts';
import { startServer } from '../../src/http/server.ts';

const test = suite('local access');

const token = 'a-token-of-many-characters';
const own = 'owner.example:8443';

function build(options: Partial<LocalAccessOptions> = {}, covers: 'everything' | 'metrics' = 'everything') {
  const app = createBaseApp({
    party: 'tester',
    description: 'For tests.',
    log: createLog('tester', 'silent'),
    bodyLimit: 1000,
    notReady: () => Promise.resolve(undefined),
    localAccess: { authorities: () => [own], loopback: true, covers, ...options },
  });
  app.get('/private', (context) => context.json({}));
  return app;
}

/** The status and the code of what is answered. */
async function ask(
  app: ReturnType<typeof build>,
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const response = await app.request(url, { headers });
  if (response.status === 200) return '200';
  const error = fromProblem(await response.json());
  const challenge = response.headers.get('www-authenticate');
  return [response.status, error?.code, error?.field, ...(challenge === null ? [] : [challenge])].join(' ');
}

const bearer = (value: string): Readonly<Record<string, string>> => ({ authorization: `Bearer ${value}` });
const locked = '401 signature_missing Authorization Bearer';

test('without a token, loopback and own names are served, and no other, whatever it resolves to', async () => {
  const app = build();
  for (const host of ['127.0.0.1', '127.0.0.1:5000', 'localhost', 'LOCALHOST:1', '[::1]:5000', '127.9.9.9', own])
    assert.equal(await ask(app, `http://${host}/private`), '200', host);
  for (const host of [
    'owner.example',
    'evil.example',
    'localhost.evil.example:5000',
    '127.0.0.1.evil.example',
    '10.0.0.5',
    '[::2]',
    '0.0.0.0',
  ])
    assert.equal(await ask(app, `http://${host}/private`), '403 role_forbidden Host', host);
});

test('pages of other sites are refused, own ones are not', async () => {
  const app = build();
  const from = (origin: string): Promise<string> => ask(app, 'http://127.0.0.1:5000/private', { origin });
  for (const origin of ['http://127.0.0.1:5000', 'http://localhost:9999', 'https://owner.example:8443'])
    assert.equal(await from(origin), '200', origin);
  for (const origin of ['https://evil.example', 'null', 'https://owner.example', 'file://', ''])
    assert.equal(await from(origin), '403 role_forbidden Origin', origin);
});

test('with a token, nothing private is served without it', async () => {
  const app = build({ token });
  const url = 'http://127.0.0.1:5000/private';
  assert.equal(await ask(app, url, bearer(token)), '200');
  assert.equal(await ask(app, url, { authorization: `bearer   ${token}` }), '200');
  assert.equal(await ask(app, 'http://evil.example/private', bearer(token)), '403 role_forbidden Host');
  for (const headers of [
    {},
    { authorization: token },
    { authorization: `Basic ${token}` },
    bearer(''),
    bearer(`${token} x`),
  ])
    assert.equal(await ask(app, url, headers), locked);
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: token.length - 1 }), fc.integer({ min: 33, max: 126 }), async (place, character) => {
      const altered = token.slice(0, place) + String.fromCharCode(character) + token.slice(place + 1);
      assert.equal(await ask(app, url, bearer(altered)), altered === token ? '200' : locked);
      assert.equal(await ask(app, url, bearer(token.slice(0, place))), locked);
      assert.equal(await ask(app, url, bearer(token + String.fromCharCode(character))), locked);
    }),
    { numRuns: 100 },
  );
});

test('on a network nothing private is served without a token, whatever Host says', async () => {
  const app = build({ loopback: false });
  assert.equal(await ask(app, 'http://127.0.0.1/private'), locked);
  assert.equal(await ask(app, 'http://127.0.0.1/private', bearer(token)), locked);
  assert.equal(await ask(build({ loopback: false, token }), `http://${own}/private`, bearer(token)), '200');
});

test('whether a party is well, and how it is used, stays open; its measurements do not', async () => {
  const app = build({ token });
  for (const path of ['/healthz', '/readyz', '/openapi.json', '/docs', '/docs/start.js', '/docs/swagger-ui.css'])
    assert.equal(await ask(app, `http://evil.example${path}`), '200', path);
  for (const path of ['/metrics', '/private', '/nothing', '/healthz/', '/docsx', '/docs/../private'])
    assert.equal(await ask(app, `http://127.0.0.1${path}`), locked, path);
  const facilitator = build({ token }, 'metrics');
  assert.equal(await ask(facilitator, 'http://evil.example/private'), '200');
  assert.equal(await ask(facilitator, 'http://127.0.0.1/metrics'), locked);
  assert.equal(await ask(facilitator, 'http://127.0.0.1/metrics', bearer(token)), '200');
});

test('a browser that was told a false address is refused over a socket too', async () => {
  const app = build();
  await using server = await startServer({ fetch: app.fetch, port: 0, host: '127.0.0.1' });
  assert.equal((await fetch(`${server.url}/private`)).status, 200);
  const { request } = await import('node:http');
  const status = await new Promise<number | undefined>((resolve, reject) => {
    request(`${server.url}/private`, { headers: { host: 'evil.example' } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
  assert.equal(status, 403);
});

test('names of a server follow from where it listens', () => {
  const names = (host: string, port: number, tls: boolean, more?: readonly string[]): readonly string[] =>
    listeningAuthorities({ host, port, tls }, more);
  assert.deepEqual(names('127.0.0.1', 80, false), ['127.0.0.1', 'localhost', '[::1]']);
  assert.deepEqual(names('::1', 443, true), ['127.0.0.1', 'localhost', '[::1]']);
  assert.deepEqual(names('127.0.0.9', 443, false), ['127.0.0.1:443', 'localhost:443', '[::1]:443', '127.0.0.9:443']);
  assert.deepEqual(names('10.0.0.5', 8080, true, ['Facilitator.example:443']), [
    '10.0.0.5:8080',
    'facilitator.example',
  ]);
  assert.deepEqual(names('0.0.0.0', 8080, false, ['a.example:8080', '[::1]:80']), ['a.example:8080', '[::1]']);
  assert.deepEqual(names('::', 8080, false), []);
  assert.equal(authorityOf('https://A.example:443/x'), 'a.example');
  assert.ok(!isLoopback('127.0.0.1:80') && !isLoopback('127.1') && isLoopback('127.255.255.254'));
});

test.run();
