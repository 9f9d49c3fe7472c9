/** TLS over real sockets, with certificates made for the test: who is trusted, and who is not. */
import assert from 'node:assert/strict';
import { connect as connectPlainly } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import { createFacilitatorClient } from '../../src/http/facilitator-client.ts';
import { type RunningServer, startServer } from '../../src/http/server.ts';
import {
  type ClientTls,
  createTransport,
  requireSafeListening,
  requireTls,
  type ServerTls,
} from '../../src/http/transport.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import { startCuttingProxy } from '../support/cutting-proxy.ts';
import { until, within } from '../support/until.ts';
import { createAuthority } from './certificates.ts';
import { answer, startScriptedServer } from './scripted-server.ts';

const test = suite('transport');

const authority = createAuthority('authority');
const other = createAuthority('other authority');

const serve = (tls: ServerTls): Promise<RunningServer> =>
  startServer({ fetch: () => new Response('hello'), port: 0, host: '127.0.0.1', tls });

/** What a client gets: the text of the answer, or the code of what broke. */
async function ask(url: string, tls: ClientTls = {}): Promise<string> {
  await using transport = createTransport(tls);
  try {
    return await (await transport.fetch(url)).text();
  } catch (error) {
    const cause: unknown = error instanceof Error ? error.cause : undefined;
    return cause instanceof Error && 'code' in cause ? String(cause.code) : String(error);
  }
}

if (authority !== undefined && other !== undefined) {
  const ca = authority.cert;
  const good = authority.issue('server', 'IP:127.0.0.1,DNS:localhost');

  test('a server with a certificate is spoken to by whoever trusts its authority, and by nobody else', async () => {
    await using server = await serve(good);
    assert.equal(server.url, `https://127.0.0.1:${server.port}`);
    assert.deepEqual(
      server.authorities,
      ['127.0.0.1', 'localhost', '[::1]'].map((host) => `${host}:${server.port}`),
    );
    assert.equal(await ask(server.url, { ca }), 'hello');
    assert.equal(await ask(`https://localhost:${server.port}`, { ca }), 'hello');
    assert.equal(await ask(server.url, { ca: other.cert }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    assert.equal(await ask(server.url), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  });

  test('an expired certificate, one for another name, and no TLS at all are not spoken to', async () => {
    await using expired = await serve(authority.issue('server', 'IP:127.0.0.1', -1));
    assert.equal(await ask(expired.url, { ca }), 'CERT_HAS_EXPIRED');
    await using elsewhere = await serve(authority.issue('server', 'IP:192.0.2.1,DNS:facilitator.example'));
    assert.equal(await ask(elsewhere.url, { ca }), 'ERR_TLS_CERT_ALTNAME_INVALID');
    await using server = await serve(good);
    assert.equal(await ask(server.url.replace('https', 'http'), { ca }), 'UND_ERR_SOCKET');
    await using plain = await startScriptedServer(answer(200, 'hello'));
    assert.match(await ask(plain.url.replace('http', 'https'), { ca }), /^(ERR_SSL_|EPROTO|ECONNRESET)/);
    assert.equal(await ask(plain.url), 'hello');
  });

  test('a client of the facilitator says when it is TLS that keeps it away', async () => {
    await using expired = await serve(authority.issue('server', 'IP:127.0.0.1', -1));
    await using transport = createTransport({ ca });
    const client = createFacilitatorClient({
      url: expired.url,
      fetch: transport.fetch,
      clock: systemClock,
      patience: 0,
    });
    await assert.rejects(client.jobs(new AbortController().signal), {
      code: 'facilitator_unreachable',
      message: `${expired.url} does not answer GET /jobs; TLS was refused (CERT_HAS_EXPIRED)`,
    });
  });

  test('where certificates of clients are asked for, only those of the authority are served', async () => {
    await using server = await serve({ ...good, clientCa: ca });
    const client = authority.issue('client', 'DNS:client');
    assert.equal(await ask(server.url, { ca, ...client }), 'hello');
    for (const wrong of [{}, other.issue('client', 'DNS:client'), authority.issue('client', 'DNS:client', -1)])
      assert.match(await ask(server.url, { ca, ...wrong }), /^(ERR_SSL_|ECONNRESET|EPIPE|UND_ERR_SOCKET)/);
  });

  test('TLS 1.1 is refused', async () => {
    await using server = await serve(good);
    const version = (most: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'): Promise<string> =>
      new Promise((resolve) => {
        const ciphers = 'DEFAULT:@SECLEVEL=0';
        const range = { minVersion: most, maxVersion: most, ciphers } as const;
        const socket = connectTls({ port: server.port, host: '127.0.0.1', ca, ...range }, () => {
          resolve(socket.getProtocol() ?? '');
          socket.destroy();
        });
        socket.on('error', () => {
          resolve('refused');
        });
      });
    assert.deepEqual(
      [await version('TLSv1.1'), await version('TLSv1.2'), await version('TLSv1.3')],
      ['refused', 'TLSv1.2', 'TLSv1.3'],
    );
  });

  test('a connection serves many requests, and none is left when the transport is gone', async () => {
    await using server = await serve(good);
    await using proxy = await startCuttingProxy(server.port);
    const url = proxy.url.replace('http', 'https');
    const transport = createTransport({ ca });
    for (let index = 0; index < 20; index++)
      assert.equal(await (await transport.fetch(url, { method: 'PUT', body: 'x' })).text(), 'hello');
    assert.ok(proxy.opened() <= 3, `${proxy.opened()} connections`);
    await transport[Symbol.asyncDispose]();
    await until('the connection to be closed', () => proxy.lines() === 0);
    await assert.rejects(transport.fetch(url));
  });

  test('a server stops at once though TLS has not begun on a connection, or is idle on another', async () => {
    const server = await serve(good);
    const bare = connectPlainly(server.port, '127.0.0.1');
    const closed = new Promise<void>((resolve) => {
      bare.once('close', () => {
        resolve();
      });
    });
    await new Promise<void>((resolve) => bare.once('connect', resolve));
    await using transport = createTransport({ ca });
    assert.equal(await (await transport.fetch(server.url)).text(), 'hello');
    await within('the server to stop', server[Symbol.asyncDispose](), 1500);
    await within('the connection to be closed', closed, 1500);
  });

  test('a request under way over TLS is finished when the server stops', async () => {
    let release = (): void => undefined;
    let asked = 0;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const server = await startServer({
      fetch: async () => {
        asked += 1;
        await held;
        return new Response('late');
      },
      port: 0,
      host: '127.0.0.1',
      tls: good,
      onStop: () => {
        release();
      },
    });
    await using transport = createTransport({ ca });
    const work = transport.fetch(server.url).then((response) => response.text());
    await until('the request', () => asked === 1);
    await within('the server to stop', server[Symbol.asyncDispose](), 5000);
    assert.equal(await work, 'late');
  });

  test('certificates that cannot be used are refused before anybody listens, and are not repeated', async () => {
    const second = other.issue('server', 'IP:127.0.0.1');
    const secret = good.key.split('\n')[1] ?? '';
    for (const tls of [
      { cert: good.cert, key: second.key },
      { cert: 'no certificate', key: good.key },
      { cert: good.cert, key: 'no key' },
      { ...good, clientCa: 'no authority' },
    ]) {
      const error: unknown = await serve(tls).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof SealsumError, JSON.stringify(tls));
      assert.equal(error.code, 'config_invalid');
      assert.ok(!error.message.includes(secret));
    }
    for (const tls of [{ cert: good.cert }, { key: good.key }, { ca: 'no authority' }])
      assert.throws(() => createTransport(tls), { code: 'config_invalid' });
    requireTls({ ...good, authority: ca });
  });
}

test('without TLS only loopback is served, unless it is said otherwise', () => {
  const exposure = { host: '127.0.0.1', tls: false, allowPlaintext: false, needsToken: true };
  for (const host of ['127.0.0.1', '127.1.2.3', 'localhost', 'LOCALHOST', '::1', '[::1]'])
    requireSafeListening({ ...exposure, host });
  for (const host of [
    '0.0.0.0',
    '::',
    '10.0.0.5',
    'facilitator.example',
    '127.0.0.1.example',
    'localhost.example',
    '128.0.0.1',
    '',
  ]) {
    assert.throws(
      () => {
        requireSafeListening({ ...exposure, host, needsToken: false });
      },
      { code: 'config_invalid', message: /give tls\.certificate and tls\.key, or set allow_plaintext = true/ },
      host,
    );
    requireSafeListening({ ...exposure, host, needsToken: false, tls: true });
    requireSafeListening({ ...exposure, host, needsToken: false, allowPlaintext: true });
  }
});

test('beyond loopback an interface for own people has a token, and a token is long', () => {
  const exposure = { host: '0.0.0.0', tls: true, allowPlaintext: false, needsToken: true };
  assert.throws(
    () => {
      requireSafeListening(exposure);
    },
    { code: 'config_invalid', field: 'token' },
  );
  requireSafeListening({ ...exposure, localToken: 'x'.repeat(22) });
  for (const host of ['0.0.0.0', '127.0.0.1'])
    for (const localToken of ['', 'short-and-secret'])
      assert.throws(
        () => {
          requireSafeListening({ ...exposure, host, localToken });
        },
        (error) => error instanceof SealsumError && error.field === 'token' && !error.message.includes('secret'),
      );
});

test.run();
