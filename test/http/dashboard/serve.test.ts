/** What a dashboard answers, to whom, and with which headers. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createBaseApp } from '../../../src/http/base-app.ts';
import { createBell } from '../../../src/http/bell.ts';
import type { Assets } from '../../../src/http/dashboard/assets.ts';
import { dashboardPolicy, serveLiveUpdates } from '../../../src/http/dashboard/serve.ts';
import { createSessions } from '../../../src/http/dashboard/sessions.ts';
import { serveEvents } from '../../../src/http/event-stream.ts';
import { createLog } from '../../../src/http/log.ts';
import { fromProblem } from '../../../src/http/problem.ts';
import { systemRandom } from '../../../src/paillier/random.ts';
import { partyIdSchema } from '../../../src/protocol/identifiers.ts';

import { createTestClock } from '../../support/clock.ts';

const test = suite('serving a dashboard');

const home = 'http://127.0.0.1:9090';
const name = partyIdSchema.parse('research');
const page: Assets = new Map([
  ['', { type: 'text/html', bytes: new Uint8Array([60]), tag: '"page"', immutable: false }],
  ['assets/a.js', { type: 'text/javascript', bytes: new Uint8Array([59]), tag: '"script"', immutable: true }],
]);

function build({ secure = false, token = undefined as string | undefined } = {}) {
  const clock = createTestClock();
  const state = { secret: systemRandom(32), ended: {} };
  const keep = (): Promise<void> => Promise.resolve();
  const sessions = createSessions({ party: name, state, keep, clock, random: systemRandom });
  const authorities = (): readonly string[] => ['models.example.org'];
  const dashboard = { party: { name, role: 'model-owner' as const }, sessions, assets: page, secure, authorities };
  const app = createBaseApp({
    party: 'tester',
    description: 'For tests.',
    log: createLog('tester', 'silent'),
    bodyLimit: 100_000,
    notReady: () => Promise.resolve(undefined),
    localAccess: { authorities, loopback: true, covers: 'everything', token },
    dashboard,
  });
  const bell = createBell();
  serveLiveUpdates(app, dashboard, { bell, clock, signal: new AbortController().signal });
  app.get('/models', (context) => context.json({ who: 'own' }));
  app.post('/models', (context) => context.json({ who: 'own' }));
  app.get('/ui/api/jobs', (context) => context.json({ who: 'people' }));

  async function signIn(): Promise<string> {
    const response = await login(sessions.issueToken());
    assert.equal(response.status, 200, await response.clone().text());
    return (response.headers.get('set-cookie') ?? '').split(';', 1)[0] ?? '';
  }
  const login = async (value: string, headers: Readonly<Record<string, string>> = { origin: home }) =>
    app.request(`${home}/ui/session`, {
      method: 'POST',
      body: JSON.stringify({ token: value }),
      headers: { 'content-type': 'application/json', ...headers },
    });
  return { app, clock, sessions, bell, signIn, login };
}

type App = ReturnType<typeof build>['app'];

/** The status, and the code where it is no 2xx. */
async function ask(app: App, path: string, headers: Readonly<Record<string, string>> = {}, method = 'GET') {
  const response = await app.request(path.startsWith('http') ? path : home + path, { method, headers });
  if (response.status < 300) return String(response.status);
  const error = fromProblem(await response.json().catch(() => undefined));
  return [response.status, error?.code, error?.field].filter((each) => each !== undefined).join(' ');
}

test('the page and its files have the headers that keep a browser from doing anything else', async () => {
  const { app } = build({ token: 'a-token-of-many-characters' });
  const shown = await app.request(`${home}/ui/`);
  assert.equal(shown.status, 200);
  const { headers } = shown;
  assert.equal(headers.get('content-security-policy'), dashboardPolicy);
  assert.doesNotMatch(dashboardPolicy, /unsafe|\*|https?:/);
  assert.match(dashboardPolicy, /^default-src 'none'; script-src 'self'; style-src 'self'; .*frame-ancestors 'none'/);
  assert.equal(headers.get('x-content-type-options'), 'nosniff');
  assert.equal(headers.get('referrer-policy'), 'no-referrer');
  assert.equal(headers.get('x-frame-options'), 'DENY');
  assert.equal(headers.get('cache-control'), 'no-cache');
  assert.equal(headers.get('access-control-allow-origin'), null);
  const script = await app.request(`${home}/ui/assets/a.js`);
  assert.equal(script.headers.get('cache-control'), 'public, max-age=31536000, immutable');
  const again = await app.request(`${home}/ui/`, { headers: { 'if-none-match': '"page"' } });
  assert.deepEqual([again.status, await again.text()], [304, '']);
  assert.equal((await app.request(`${home}/ui`)).headers.get('location'), '/ui/');
  for (const path of ['/ui/index.html', '/ui/assets/../a.js', '/ui/assets/%2e%2e/%2e%2e/package.json', '/ui/assets/'])
    assert.match(await ask(app, path), /^40[14]/, path);
});

test('whatever is answered under /ui, a browser may load and do nothing but what the page does', async () => {
  const { app, signIn } = build();
  const cookie = await signIn();
  const asked: readonly (readonly [path: string, init: RequestInit, status: number])[] = [
    ['/ui', {}, 308],
    ['/ui/', {}, 200],
    ['/ui/', { headers: { 'if-none-match': '"page"' } }, 304],
    ['/ui/', { method: 'HEAD' }, 200],
    ['/ui/nothing', {}, 404],
    ['/ui/assets/a.js', {}, 200],
    ['/ui/session', {}, 401],
    ['/ui/session', { headers: { cookie } }, 200],
    ['/ui/session', { method: 'POST' }, 403],
    ['/ui/api/jobs', { headers: { cookie } }, 200],
    ['/ui/api/events', { headers: { cookie } }, 200],
    ['/ui/session', { method: 'DELETE', headers: { cookie, origin: home } }, 204],
  ];
  for (const [path, init, status] of asked) {
    const { status: answered, headers, body } = await app.request(home + path, init);
    await body?.cancel();
    assert.equal(answered, status, path);
    const policy = headers.get('content-security-policy') ?? '';
    for (const each of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"])
      assert.ok(policy.split('; ').includes(each), `${path}: ${policy}`);
    assert.doesNotMatch(policy, /unsafe|\*|https?:/, path);
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
  }
});

test('a link is exchanged once for a cookie that scripts and other sites do not get', async () => {
  const { app, sessions, login } = build();
  const token = sessions.issueToken();
  const response = await login(token);
  const cookie = response.headers.get('set-cookie') ?? '';
  assert.match(cookie, /^sealsum-research=[\w.-]+; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/);
  const { party } = (await response.json()) as { party: unknown };
  assert.deepEqual(party, { name: 'research', role: 'model-owner' });
  assert.equal((await login(token)).status, 401);
  assert.equal(await ask(app, '/ui/session', { cookie: cookie.split(';', 1)[0] ?? '' }), '200');
  assert.equal(await ask(app, '/ui/session'), '401 session_missing Cookie');
  const { login: securely, sessions: others } = build({ secure: true });
  assert.match(
    (await securely(others.issueToken())).headers.get('set-cookie') ?? '',
    /^__Host-sealsum-research=[\w.-]+; Max-Age=43200; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
  );
});

test('only the page itself signs in: no other origin, nothing that is no JSON, nothing large', async () => {
  const { app, sessions, login } = build();
  const token = sessions.issueToken();
  for (const origin of ['http://127.0.0.1:9091', 'http://localhost:9090', 'https://evil.example', 'null'])
    assert.equal((await login(token, { origin })).status, 403, origin);
  assert.equal((await login(token, {})).status, 403);
  const headers = { origin: home, 'content-type': 'text/plain' };
  assert.equal(await ask(app, '/ui/session', headers, 'POST'), '415 media_type_unsupported content-type');
  assert.equal((await login('x'.repeat(900))).status, 400);
  assert.equal((await login('x'.repeat(2000))).status, 413);
  assert.equal((await login(token, { origin: home, 'sec-fetch-site': 'cross-site' })).status, 403);
  const json = { origin: home, 'content-type': 'application/json' };
  const notJson = await app.request(`${home}/ui/session`, { method: 'POST', headers: json, body: '{"token":' });
  assert.equal(fromProblem(await notJson.json())?.code, 'message_invalid');
  // Whoever is not known yet is not listened to for long.
  let taken = 0;
  const body = new ReadableStream({
    pull: (controller) => {
      taken += 1;
      if (taken <= 90) controller.enqueue(new Uint8Array(1000).fill(32));
      else controller.close();
    },
  });
  const endless = await app.request(`${home}/ui/session`, { method: 'POST', headers: json, body, duplex: 'half' });
  assert.equal(endless.status, 413);
  assert.ok(taken < 10, `${taken} kB were read`);
  assert.equal((await login(token)).status, 200);
});

test('a session stands for the token, and /ui/api is for sessions alone', async () => {
  const token = 'a-token-of-many-characters';
  const { app, signIn } = build({ token });
  const cookie = await signIn();
  assert.equal(await ask(app, '/models'), '401 signature_missing Authorization');
  assert.equal(await ask(app, '/models', { cookie }), '200');
  assert.equal(await ask(app, '/models', { cookie: `${cookie}x` }), '401 signature_missing Authorization');
  assert.equal(await ask(app, '/ui/api/jobs', { cookie }), '200');
  assert.equal(await ask(app, '/ui/api/jobs'), '401 session_missing Cookie');
  assert.equal(await ask(app, '/ui/api/jobs', { authorization: `Bearer ${token}` }), '401 session_missing Cookie');
  assert.equal(await ask(app, '/ui/api/nothing'), '401 session_missing Cookie');
});

test('what changes something comes from the page itself, and nothing from a page of another port', async () => {
  const { app, signIn } = build({ token: 'a-token-of-many-characters' });
  const cookie = await signIn();
  assert.equal(await ask(app, '/models', { cookie, origin: home }, 'POST'), '200');
  const denied = '401 signature_missing Authorization';
  assert.equal(await ask(app, '/models', { cookie }, 'POST'), denied);
  // The same name without TLS, which an Origin without its scheme would pass.
  assert.equal(await ask(app, '/models', { cookie, origin: home, 'sec-fetch-site': 'cross-site' }, 'POST'), denied);
  assert.equal(await ask(app, '/models', { cookie, origin: 'http://127.0.0.1:5000' }, 'POST'), denied);
  assert.equal(await ask(app, '/models', { cookie, 'sec-fetch-site': 'same-site' }), denied);
  assert.equal(await ask(app, '/ui/api/jobs', { cookie, 'sec-fetch-site': 'same-site' }), '403 role_forbidden Origin');
  assert.equal(await ask(app, '/ui/api/jobs', { cookie, 'sec-fetch-site': 'same-origin' }), '200');
});

test('who addresses it by a foreign name gets nothing, as after a DNS rebinding', async () => {
  const { app, signIn } = build();
  const cookie = await signIn();
  for (const path of ['/ui/', '/ui/session', '/ui/api/jobs'])
    assert.equal(await ask(app, `http://evil.example${path}`, { cookie }), '403 role_forbidden Host', path);
  assert.equal(await ask(app, 'http://models.example.org/ui/api/jobs', { cookie }), '200');
});

test('signing out ends the session, and its stream of updates', async () => {
  const { app, bell, clock, signIn } = build();
  const cookie = await signIn();
  const stream = await app.request(`${home}/ui/api/events`, { headers: { cookie } });
  assert.ok(stream.body !== null);
  const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
  const next = async (): Promise<string | undefined> => {
    const { value } = await reader.read();
    return value && new TextDecoder().decode(value);
  };
  assert.match((await next()) ?? '', /^: connected/);
  const update = next();
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  await turn();
  bell.ring();
  await turn();
  clock.advance(250);
  assert.match((await update) ?? '', /^event: changed\n/);
  const end = next();
  assert.equal(await ask(app, '/ui/session', { cookie, origin: home }, 'DELETE'), '204');
  assert.equal(await end, undefined);
  assert.equal(await ask(app, '/ui/session', { cookie }), '401 session_missing Cookie');
});

test("signing out ends the streams of the party's own interface that the session opened, and no others", async () => {
  const { app, clock, bell, signIn } = build({ token: 'secret' });
  const signal = new AbortController().signal;
  app.get('/models/7/events', (context) =>
    serveEvents(context, { read: () => Promise.resolve([]), bell, clock, signal }, 0),
  );
  const [cookie, authorization] = [await signIn(), 'Bearer secret'];
  const readers = [];
  for (const headers of [{ cookie }, { authorization }]) {
    const { body } = await app.request(`${home}/models/7/events`, { headers });
    assert.ok(body !== null);
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    assert.equal((await reader.read()).done, false);
    readers.push(reader);
  }
  let ended = 0;
  const ends = readers.map((reader) => reader.read().finally(() => (ended += 1)));
  assert.equal(await ask(app, '/ui/session', { cookie, origin: home }, 'DELETE'), '204');
  assert.equal((await ends[0])?.done, true);
  assert.equal(ended, 1);
  await readers[1]?.cancel();
});

test('without a dashboard there is nothing at /ui', async () => {
  const app = createBaseApp({
    party: 'tester',
    description: 'For tests.',
    log: createLog('tester', 'silent'),
    bodyLimit: 1000,
    notReady: () => Promise.resolve(undefined),
  });
  assert.equal(await ask(app, '/ui/'), '404 route_unknown');
});

test.run();
