/** Who may speak, over real sockets: signed requests pass, once; everything else is refused and changes nothing. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import type { OpenAPIHono } from '@hono/zod-openapi';
import { suite } from 'uvu';
import { z } from 'zod';
import { SealsumError } from '../../src/errors.ts';
import {
  type AuthenticatedEnv,
  digestChecked,
  requireParty,
  requireRole,
  streamedBody,
} from '../../src/http/authentication.ts';
import { createBell } from '../../src/http/bell.ts';
import { resumePoint, serveEvents } from '../../src/http/event-stream.ts';
import { followEvents } from '../../src/http/follow-events.ts';
import { createLimiter } from '../../src/http/limits.ts';
import { digestOf, signRequest } from '../../src/http/message-signatures.ts';
import { fromProblem } from '../../src/http/problem.ts';
import { createTransport } from '../../src/http/transport.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import { createParties } from '../../src/protocol/parties.ts';
import { createTestClock } from '../support/clock.ts';
import { startCuttingProxy } from '../support/cutting-proxy.ts';
import { until, within } from '../support/until.ts';
import { anna, bert, fetchAs, known, mona, type SignedServer, startSignedServer, stranger } from './request-parties.ts';

const test = suite('authentication');

/** What the handlers of a test server saw, and may be told to wait for. */
interface Seen {
  readonly calls: string[];
  hold: Promise<void>;
}

function routes(seen: Seen): (app: OpenAPIHono<AuthenticatedEnv>) => void {
  return (app) => {
    app.get('/signed/who', (context) => context.json({ name: context.get('party').name }));
    app.all('/signed/json', async (context) => {
      const text = await context.req.text();
      seen.calls.push(`${context.get('party').name} ${text}`);
      return context.json({ text, json: text === '' ? null : await context.req.json<unknown>() });
    });
    app.put('/signed/bytes', async (context) => {
      seen.calls.push('begun');
      await seen.hold;
      let size = 0;
      for await (const chunk of streamedBody(context)) size += chunk.length;
      seen.calls.push(`ended ${size}`);
      return context.json({ size });
    });
    app.put('/signed/fails', () => {
      throw new Error('a mistake');
    });
    app.get('/signed/models', (context) => context.json({ name: requireRole(context, 'model-owner').name }));
    app.get('/signed/anna', (context) => context.json({ name: requireParty(context, anna.name).name }));
    app.get('/open', (context) => context.json({}));
  };
}

function start(options: Parameters<typeof startSignedServer>[1] = {}, seen: Seen = idle()): Promise<SignedServer> {
  return startSignedServer(routes(seen), options);
}

function idle(): Seen {
  return { calls: [], hold: Promise.resolve() };
}

async function problemOf(response: Response, status: number): Promise<SealsumError> {
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  const error = fromProblem(JSON.parse(text));
  assert.ok(error !== undefined);
  return error;
}

/** Sends a request that was signed for one body with another, with or without its length. */
function send(
  server: SignedServer,
  init: RequestInit & { path?: string; signed?: string | Uint8Array; by?: typeof anna },
): Promise<Response> {
  const { path = '/signed/json', signed, by = anna, ...rest } = init;
  const url = server.url + path;
  const method = rest.method ?? 'PUT';
  const request = { method, url, ...(signed === undefined ? {} : { bodyDigest: digestOf(signed) }) };
  const signature = signRequest(by, request, { now: server.clock.now(), random: systemRandom });
  return fetch(url, { ...rest, method, headers: { ...(rest.headers as Record<string, string>), ...signature } });
}

const json = { 'content-type': 'application/json' };
const octets = { 'content-type': 'application/octet-stream' };

function chunked(...chunks: readonly string[]): Pick<RequestInit, 'body' | 'duplex'> {
  const body = new ReadableStream({
    start: (controller) => {
      for (const chunk of chunks) controller.enqueue(Buffer.from(chunk));
      controller.close();
    },
  });
  return { body, duplex: 'half' };
}

test('whoever signs is known by name; whoever does not is told how', async () => {
  await using server = await start();
  for (const identity of [anna, bert, mona]) {
    const response = await fetchAs(identity, server.clock)(`${server.url}/signed/who`);
    assert.deepEqual(await response.json(), { name: identity.name });
  }
  assert.equal((await problemOf(await fetch(`${server.url}/signed/who`), 401)).code, 'signature_missing');
  const unknown = await problemOf(await fetchAs(stranger, server.clock)(`${server.url}/signed/who`), 401);
  assert.equal(unknown.code, 'party_unknown');
  assert.equal((await fetch(`${server.url}/open`)).status, 200);
  assert.equal((await problemOf(await fetch(`${server.url}/signed/nothing`), 401)).code, 'signature_missing');
  const nothing = await fetchAs(anna, server.clock)(`${server.url}/signed/nothing`);
  assert.equal((await problemOf(nothing, 404)).code, 'route_unknown');
  // The names by which loopback is called are all its own.
  assert.equal(
    (await fetchAs(anna, server.clock)(`${server.url.replace('127.0.0.1', 'localhost')}/signed/who`)).status,
    200,
  );
});

test('a request is good once: word for word again it is refused, also after a clock went back', async () => {
  await using server = await start();
  const url = `${server.url}/signed/who`;
  const headers = { ...signRequest(anna, { method: 'GET', url }, { now: server.clock.now(), random: systemRandom }) };
  assert.equal((await fetch(url, { headers })).status, 200);
  for (let turn = 0; turn < 3; turn++) {
    const again = await problemOf(await fetch(url, { headers }), 401);
    assert.equal(again.code, 'nonce_reused');
    server.clock.advance(30_000);
  }
  const late = await problemOf(await fetch(url, { headers }), 401);
  assert.equal(late.code, 'signature_expired');
  assert.equal(late.message, 'the request was signed 90 s ago, and 60 s are allowed; check the clocks');
});

test('for another server it is worth nothing', async () => {
  await using server = await start();
  await using other = await start();
  const url = `${server.url}/signed/who`;
  const headers = { ...signRequest(anna, { method: 'GET', url }, { now: server.clock.now(), random: systemRandom }) };
  const stolen = await problemOf(await fetch(`${other.url}/signed/who`, { headers }), 401);
  assert.deepEqual([stolen.code, stolen.field], ['signature_invalid', 'signature']);
  await using proxy = await startCuttingProxy(server.port);
  const through = await problemOf(await fetchAs(anna, server.clock)(`${proxy.url}/signed/who`), 401);
  assert.deepEqual([through.code, through.field], ['signature_invalid', '@authority']);
});

test('what is refused uses up no nonce, and what is accepted is forgotten in time', async () => {
  await using server = await start();
  for (let turn = 0; turn < 5; turn++) {
    await (await fetchAs(stranger, server.clock)(`${server.url}/signed/who`)).text();
    await (await send(server, { by: { ...stranger, fingerprint: anna.fingerprint } })).text();
    await (await fetch(`${server.url}/signed/who`)).text();
  }
  assert.equal(server.nonces.size(), 0);
  const ask = async (): Promise<number> => {
    const response = await fetchAs(anna, server.clock)(`${server.url}/signed/who`);
    await response.text();
    return response.status;
  };
  for (let turn = 0; turn < 100; turn++) {
    assert.equal(await ask(), 200);
    server.clock.advance(10_000);
    // Two tolerances, one between two clearings, and the last one.
    assert.ok(server.nonces.size() <= 20, `${server.nonces.size()} nonces`);
  }
});

test('a body that is not the one that was signed does not reach its handler, with or without a length', async () => {
  const seen = idle();
  await using server = await start({}, seen);
  for (const method of ['PUT', 'POST', 'PATCH', 'DELETE'])
    for (const body of [{ body: '{"a":2}' }, chunked('{"a"', ':2}'), { body: '' }, {}, { body: '{"a":1} ' }]) {
      const response = await send(server, { method, headers: json, signed: '{"a":1}', ...body });
      const error = await problemOf(response, 401);
      assert.deepEqual([error.code, error.field], ['signature_invalid', 'content-digest']);
    }
  // A DELETE that was signed without a body has none.
  for (const body of [{ body: '{}' }, chunked('{}')])
    assert.equal(
      (await problemOf(await send(server, { method: 'DELETE', headers: json, ...body }), 401)).code,
      'signature_invalid',
    );
  assert.deepEqual(seen.calls, []);
  for (const body of [{ body: '{"a":1}' }, chunked('{"a', '":1}')]) {
    const response = await send(server, { headers: json, signed: '{"a":1}', ...body });
    assert.deepEqual(await response.json(), { text: '{"a":1}', json: { a: 1 } });
  }
  assert.equal((await send(server, { method: 'DELETE' })).status, 200);
  assert.equal((await send(server, { method: 'POST' })).status, 200);
  assert.deepEqual(seen.calls, ['anna {"a":1}', 'anna {"a":1}', 'anna ', 'anna ']);
});

test('a streamed body is believed at its end only', async () => {
  const seen = idle();
  await using server = await start({}, seen);
  const bytes = Buffer.alloc(300_000, 7);
  const good = await send(server, { path: '/signed/bytes', headers: octets, signed: bytes, body: bytes });
  assert.deepEqual(await good.json(), { size: 300_000 });
  const altered = Buffer.from(bytes);
  altered[299_999] = 8;
  for (const body of [altered, bytes.subarray(1), Buffer.concat([bytes, bytes])])
    for (const sent of [{ body }, chunked(body.toString('latin1'))]) {
      const response = await send(server, { path: '/signed/bytes', headers: octets, signed: bytes, ...sent });
      assert.equal((await problemOf(response, 401)).field, 'content-digest');
    }
  assert.deepEqual(seen.calls, ['begun', 'ended 300000', ...Array.from({ length: 6 }, () => 'begun')]);
});

test('digestChecked gives every chunk before it complains, and lets a reader go', async () => {
  const chunks = ['one', 'two', 'three'].map((text) => Buffer.from(text));
  const stream = (): ReadableStream<Uint8Array> =>
    new ReadableStream({
      start: (controller) => {
        for (const chunk of chunks) controller.enqueue(chunk);
        controller.close();
      },
    });
  const read = async (expected: Uint8Array): Promise<string[]> => {
    const found: string[] = [];
    try {
      for await (const chunk of digestChecked(stream(), expected)) found.push(Buffer.from(chunk).toString('utf8'));
    } catch (error) {
      assert.ok(error instanceof SealsumError);
      found.push(error.code);
    }
    return found;
  };
  assert.deepEqual(await read(digestOf('onetwothree')), ['one', 'two', 'three']);
  assert.deepEqual(await read(digestOf('onetwothre')), ['one', 'two', 'three', 'signature_invalid']);
  for await (const chunk of digestChecked(stream(), digestOf('x'))) {
    assert.equal(chunk, chunks[0]);
    break;
  }
  for await (const chunk of digestChecked(null, digestOf(''))) assert.fail(String(chunk));
  await assert.rejects(digestChecked(null, digestOf('x')).next(), { code: 'signature_invalid' });
});

test('a body held in memory has its own limit, with or without a length', async () => {
  const seen = idle();
  await using server = await start({ jsonLimit: 1000 }, seen);
  const text = JSON.stringify('x'.repeat(999));
  for (const body of [{ body: text }, chunked(text.slice(0, 500), text.slice(500))]) {
    const response = await send(server, { headers: json, signed: text, ...body });
    assert.equal((await problemOf(response, 413)).message, 'the body is larger than 1000 bytes');
  }
  assert.deepEqual(seen.calls, []);
  const bytes = new Uint8Array(100_000);
  const streamed = await send(server, { path: '/signed/bytes', headers: octets, signed: bytes, body: bytes });
  assert.equal(streamed.status, 200);
});

test('roles and names are asked for in words', async () => {
  await using server = await start();
  const ask = (identity: typeof anna, path: string): Promise<Response> =>
    fetchAs(identity, server.clock)(`${server.url}/signed/${path}`);
  assert.deepEqual(await (await ask(mona, 'models')).json(), { name: 'mona' });
  const role = await problemOf(await ask(anna, 'models'), 403);
  assert.deepEqual(
    [role.code, role.message],
    ['role_forbidden', 'anna is a data-owner; only a model-owner may do this'],
  );
  assert.deepEqual(await (await ask(anna, 'anna')).json(), { name: 'anna' });
  const name = await problemOf(await ask(bert, 'anna'), 403);
  assert.deepEqual([name.code, name.message], ['role_forbidden', 'only anna may do this, and bert signed the request']);
});

test('whoever leaves the roster is a stranger from then on', async () => {
  let members = known;
  await using server = await start({ parties: () => members });
  const ask = async (): Promise<number> => {
    const response = await fetchAs(bert, server.clock)(`${server.url}/signed/who`);
    await response.text();
    return response.status;
  };
  assert.equal(await ask(), 200);
  members = createParties([anna]);
  assert.equal(await ask(), 401);
  // A key that was given up signs no requests, though it is still known for what it signed before.
  members = createParties([{ ...anna, name: bert.name }], [bert]);
  assert.equal(await ask(), 401);
});

test('who asks too often is told when to come back; others are served', async () => {
  const clock = createTestClock();
  const limiter = createLimiter(clock, { requestsPerSecond: 1, burst: 3 });
  await using server = await start({ limiter });
  const ask = (identity: typeof anna): Promise<Response> => fetchAs(identity, server.clock)(`${server.url}/signed/who`);
  for (let turn = 0; turn < 3; turn++) assert.equal((await ask(anna)).status, 200);
  const response = await ask(anna);
  assert.equal(response.headers.get('retry-after'), '1');
  assert.equal((await problemOf(response, 429)).code, 'too_many_requests');
  assert.equal(server.nonces.size(), 3);
  assert.equal((await ask(bert)).status, 200);
  clock.advance(1000);
  assert.equal((await ask(anna)).status, 200);
});

test('false signatures in the name of somebody are paid by none of the known', async () => {
  const clock = createTestClock();
  const limiter = createLimiter(clock, { forgeriesPerSecond: 5 });
  await using server = await start({ limiter });
  const served = async (identity: typeof anna): Promise<void> => {
    assert.equal((await fetchAs(identity, server.clock)(`${server.url}/signed/who`)).status, 200);
  };
  for (let turn = 0; turn < 20; turn++) await served(anna);
  const forge = (): Promise<Response> => send(server, { by: { ...stranger, fingerprint: anna.fingerprint } });
  for (let turn = 0; turn < 10; turn++) assert.equal((await forge()).status, 401);
  const response = await forge();
  assert.equal(response.headers.get('retry-after'), '1');
  assert.equal((await problemOf(response, 503)).code, 'overloaded');
  clock.advance(1000);
  for (let turn = 0; turn < 10; turn++) for (const identity of [anna, bert]) await served(identity);
});

test('bodies take places, keep them while they are handled, and give them back however it ends', async () => {
  let release = (): void => undefined;
  const seen = idle();
  seen.hold = new Promise((resolve) => {
    release = resolve;
  });
  const clock = createTestClock();
  const limiter = createLimiter(clock, { bodies: 2, bodiesPerParty: 2, waiting: 1, patience: 5000 });
  await using server = await start({ limiter }, seen);
  const put = (identity: typeof anna): Promise<Response> =>
    send(server, { path: '/signed/bytes', headers: octets, signed: 'x', body: 'x', by: identity });
  const first = [put(anna), put(anna)];
  await until('two bodies', () => seen.calls.length === 2);
  const greedy = await put(anna);
  assert.equal(greedy.headers.get('retry-after'), '1');
  assert.equal((await problemOf(greedy, 503)).code, 'overloaded');
  const waiting = put(bert);
  await until('somebody to wait', () => clock.pending() === 1);
  assert.equal((await problemOf(await put(mona), 503)).code, 'overloaded');
  // What has no body needs no place.
  assert.equal((await fetchAs(mona, server.clock)(`${server.url}/signed/who`)).status, 200);
  release();
  for (const response of await within('all three', Promise.all([...first, waiting])))
    assert.equal(response.status, 200);
  const status = async (path: string, headers: Readonly<Record<string, string>>, body: string): Promise<number> =>
    (await within('a place', send(server, { path, headers, signed: 'x', body }))).status;
  for (let turn = 0; turn < 5; turn++) {
    assert.equal(await status('/signed/fails', {}, 'x'), 500);
    assert.equal(await status('/signed/json', json, 'y'), 401);
    assert.equal(await status('/signed/bytes', octets, 'y'), 401);
  }
  assert.equal(await status('/signed/bytes', octets, 'x'), 200);
});

test('a line that breaks while it waits, or while it sends, gives its place back', async () => {
  const seen = idle();
  const clock = createTestClock();
  const limiter = createLimiter(clock, { bodies: 1, bodiesPerParty: 5 });
  await using server = await start({ limiter }, seen);
  const url = `${server.url}/signed/bytes`;
  const openHalf = (): ReturnType<typeof connect> => {
    const signature = signRequest(
      anna,
      { method: 'PUT', url, bodyDigest: digestOf('xx') },
      { now: server.clock.now(), random: systemRandom },
    );
    const headers = { ...octets, host: new URL(url).host, 'content-length': '2', ...signature };
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    const lines = Object.entries<string>(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`PUT /signed/bytes HTTP/1.1\r\n${lines.join('')}\r\nx`);
    return socket;
  };
  const sending = openHalf();
  await until('the first to send', () => seen.calls.length === 1);
  const waiting = openHalf();
  await until('the second to wait', () => clock.pending() === 1);
  waiting.destroy();
  await until('the second to be gone', () => clock.pending() === 0);
  sending.destroy();
  const ask = async (): Promise<number> => {
    const response = await send(server, { path: '/signed/bytes', headers: octets, signed: 'x', body: 'x' });
    await response.text();
    return response.status;
  };
  assert.equal(await ask(), 200);
  assert.ok(!server.lines.some((line) => line.includes('"level":"error"')), server.lines.join(''));
});

/** A clock on which short waits are none. */
function hurried(clock: Clock): Clock {
  return {
    ...clock,
    after: (milliseconds, action) => {
      if (milliseconds > 5000) return clock.after(milliseconds, action);
      setImmediate(action);
      return () => undefined;
    },
  };
}

test('streams of events are signed, and signed anew when they are taken up again', async () => {
  const bell = createBell();
  const stop = new AbortController();
  const events = Array.from({ length: 20 }, (_, index) => ({ id: index + 1, type: 'tick' }));
  let given = 3;
  const serve = (app: OpenAPIHono<AuthenticatedEnv>, clock: Clock): void => {
    app.get('/signed/events', (context) => {
      const read = (after: number): Promise<typeof events> => Promise.resolve(events.slice(after, given));
      return serveEvents(context, { read, bell, clock, signal: stop.signal }, resumePoint(context, 0));
    });
  };
  const onStop = (): void => {
    stop.abort();
  };
  await using server = await startSignedServer(serve, { server: { onStop } });
  await using proxy = await startCuttingProxy(server.port);
  server.names.push(new URL(proxy.url).host);
  await using transport = createTransport();
  const stream = { schema: z.object({ id: z.number(), type: z.string() }), signal: stop.signal };
  const url = `${proxy.url}/signed/events`;
  const seen: number[] = [];
  let broken = 0;
  const followed = followEvents({
    ...stream,
    url,
    fetch: fetchAs(anna, server.clock, transport.fetch),
    clock: hurried(server.clock),
    onBroken: () => {
      broken += 1;
    },
  });
  for await (const { id } of followed) {
    seen.push(id);
    if (id % 3 === 0) proxy.cut();
    given += 1;
    bell.ring();
    if (id === 10) break;
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 10 }, (_, index) => index + 1),
  );
  assert.ok(broken >= 3);
  assert.equal(server.nonces.size(), broken + 1);
  const by = fetchAs(stranger, server.clock, transport.fetch);
  const strange = followEvents({ ...stream, url, fetch: by, clock: server.clock });
  await assert.rejects(strange.next(), { code: 'party_unknown' });
});

test('a store that fails lets nobody in', async () => {
  const failing = {
    use: () => Promise.reject(new SealsumError('store_unavailable', 'the disk is full')),
    forget: () => Promise.resolve(),
  };
  const seen = idle();
  await using server = await start({ nonces: failing }, seen);
  const response = await send(server, { headers: json, signed: '{}', body: '{}' });
  assert.equal(response.headers.get('retry-after'), '1');
  assert.equal((await problemOf(response, 503)).code, 'store_unavailable');
  assert.deepEqual(seen.calls, []);
});

test('the log names the sender and the request, and no signature', async () => {
  await using server = await start();
  const response = await send(server, { headers: { ...json, 'x-request-id': 'mine-1' }, signed: '{}', body: '{}' });
  assert.equal(response.headers.get('x-request-id'), 'mine-1');
  const line = JSON.parse(server.lines.at(-1) ?? '') as Record<string, unknown>;
  assert.deepEqual([line.sender, line.request_id, line.status], ['anna', 'mine-1', 200]);
  assert.ok(!server.lines.some((each) => /sealsum=|sha-256/.test(each)));
});

test.run();
