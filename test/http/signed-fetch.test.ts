/** What a signed fetch sends, seen by a server that remembers it. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import { digestOf, verifyHead } from '../../src/http/message-signatures.ts';
import { createTransport } from '../../src/http/transport.ts';
import { createTestClock } from '../support/clock.ts';
import { anna, fetchAs, known } from './request-parties.ts';
import { type Asked, answer, startScriptedServer } from './scripted-server.ts';

const test = suite('signed fetch');

const clock = createTestClock();

function verified(asked: Asked | undefined, url: string): ReturnType<typeof verifyHead> {
  assert.ok(asked !== undefined);
  const headers = new Headers();
  for (const [name, value] of Object.entries(asked.headers)) headers.set(name, String(value));
  const head = { method: asked.method, url: url + asked.url, headers };
  const authorities = [new URL(url).host];
  return verifyHead(head, { parties: known, now: clock.now(), tolerance: 60_000, authorities });
}

test('every kind of body is signed as it arrives, through any fetch, and headers are kept', async () => {
  await using server = await startScriptedServer(answer(200, {}));
  await using transport = createTransport();
  for (const through of [fetch, transport.fetch]) {
    const send = fetchAs(anna, clock, through);
    const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
    const part = bytes.subarray(10, 20);
    for (const [body, sent] of [
      ['text with ünïcode', Buffer.from('text with ünïcode')],
      [bytes, bytes],
      [part, part],
      [bytes.buffer, bytes],
      ['', new Uint8Array()],
      [null, new Uint8Array()],
      [undefined, new Uint8Array()],
    ] as const) {
      const init = body === undefined ? {} : { body };
      const headers = { 'content-type': 'application/x', 'x-other': 'kept' };
      const response = await send(`${server.url}/a/b?c=d`, { method: 'PUT', headers, ...init });
      assert.equal(response.status, 200);
      await response.arrayBuffer();
      const asked = server.asked.at(-1);
      assert.deepEqual([asked?.headers['content-type'], asked?.headers['x-other']], ['application/x', 'kept']);
      assert.deepEqual(Buffer.from(asked?.body ?? []), Buffer.from(sent));
      const { party, digest } = verified(asked, server.url);
      assert.equal(party, anna);
      assert.deepEqual(digest, digestOf(sent));
    }
  }
});

test('a path is signed as it travels, whatever was written', async () => {
  await using server = await startScriptedServer(answer(200, {}));
  const send = fetchAs(anna, clock);
  for (const path of ['', '/', '?', '/?a', '/a/../b', '/a b/é?q=ü x', '/a%2fb//c', '/#fragment', '/;x=%20'])
    for (const url of [server.url + path, new URL(server.url + path)]) {
      await (await send(url)).arrayBuffer();
      assert.equal(verified(server.asked.at(-1), server.url).party, anna);
    }
  await (await send(server.url, { method: 'DELETE' })).arrayBuffer();
  assert.equal(verified(server.asked.at(-1), server.url).digest, undefined);
});

test('each try has a nonce of its own', async () => {
  await using server = await startScriptedServer(answer(200, {}));
  const send = fetchAs(anna, clock);
  for (let turn = 0; turn < 20; turn++) await (await send(server.url, { method: 'POST', body: 'same' })).arrayBuffer();
  const nonces = server.asked.map((asked) => verified(asked, server.url).nonce);
  assert.equal(new Set(nonces).size, 20);
});

test('a redirection is not followed, and a body that cannot be signed is refused', async () => {
  await using other = await startScriptedServer(answer(200, {}));
  await using server = await startScriptedServer((response) => {
    response.writeHead(307, { location: other.url });
    response.end();
  });
  const send = fetchAs(anna, clock);
  await assert.rejects(send(server.url), TypeError);
  assert.equal(other.asked.length, 0);
  for (const body of [new ReadableStream(), new Blob(['x']), new URLSearchParams('a=b')])
    await assert.rejects(send(other.url, { method: 'POST', body }), (error) => error instanceof SealsumError);
  await assert.rejects(send(new Request(other.url)), { code: 'internal', field: 'input' });
  assert.equal(other.asked.length, 0);
});

test("the fetch that it is given is nobody's method, which a browser's own refuses to be", async () => {
  const callers: unknown[] = [];
  function send(this: unknown): Promise<Response> {
    callers.push(this);
    return Promise.resolve(new Response());
  }
  await fetchAs(anna, clock, send)('http://127.0.0.1/');
  assert.deepEqual(callers, [undefined]);
});

test('who stops it, stops it', async () => {
  await using server = await startScriptedServer(() => undefined);
  const stop = new AbortController();
  const work = fetchAs(anna, clock)(server.url, { signal: stop.signal });
  stop.abort();
  await assert.rejects(work, { name: 'AbortError' });
});

test.run();
