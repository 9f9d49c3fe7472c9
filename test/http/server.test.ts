/** A server's beginning and end: where it listens, and what it lets finish when it stops. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../src/http/server.ts';
import { until, within } from '../support/until.ts';

const test = suite('server');

const hello = (): Response => new Response('hello');
const start = (fetch: () => Response | Promise<Response>, more: Partial<ServerOptions> = {}): Promise<RunningServer> =>
  startServer({ fetch, port: 0, host: '127.0.0.1', ...more });

test('says where it listens', async () => {
  await using server = await start(hello);
  assert.equal(server.url, `http://127.0.0.1:${server.port}`);
  assert.equal(await (await fetch(server.url)).text(), 'hello');
});

test('a taken port and an address of somebody else are refused with the mend', async () => {
  await using server = await start(hello);
  for (const [host, port, message] of [
    [
      '127.0.0.1',
      server.port,
      `cannot listen on 127.0.0.1:${server.port}: the port is taken; choose another with --port`,
    ],
    ['192.0.2.1', 0, /^cannot listen on 192\.0\.2\.1:0: .*EADDRNOTAVAIL/],
  ] as const) {
    const error: unknown = await startServer({ fetch: hello, port, host }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof SealsumError);
    assert.equal(error.code, 'request_failed');
    if (typeof message === 'string') assert.equal(error.message, message);
    else assert.match(error.message, message);
  }
});

test('a request under way is finished, then what is to be drained, then it is gone', async () => {
  const order: string[] = [];
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let asked = 0;
  const server = await start(
    async () => {
      asked += 1;
      await held;
      order.push('answered');
      return new Response('late');
    },
    {
      onStop: () => {
        order.push('told');
        release();
      },
      drain: () => {
        order.push('drained');
        return Promise.resolve();
      },
    },
  );
  const answer = fetch(server.url).then((response) => response.text());
  await until('the request', () => asked === 1);
  const gone = server[Symbol.asyncDispose]().then(() => order.push('gone'));
  assert.equal(await answer, 'late');
  await within('the server to stop', gone, 1000);
  assert.deepEqual(order, ['told', 'answered', 'drained', 'gone']);
  await assert.rejects(fetch(server.url));
});

test('connections that were opened in advance, or wait for another request, are not waited for', async () => {
  const server = await start(hello);
  const socket = connect(server.port, '127.0.0.1');
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  await Promise.all(Array.from({ length: 5 }, async () => (await fetch(server.url)).text()));
  await within('the server to stop', server[Symbol.asyncDispose](), 1000);
  await within('the connection to be closed', closed, 1000);
});

test('whoever does not read its answer is not waited for long', async () => {
  let cancelled = false;
  const endless = (): Response =>
    new Response(
      new ReadableStream({
        pull: (controller) => {
          controller.enqueue(new Uint8Array(1 << 16));
        },
        cancel: () => {
          cancelled = true;
        },
      }),
    );
  const server = await start(endless);
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => {
    // The server will cut it.
  });
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise<void>((resolve) => socket.once('readable', resolve));
  await within('the server to stop', server[Symbol.asyncDispose](), 4000);
  await until('the stream to be cancelled', () => cancelled);
  socket.destroy();
});

test('stopping twice is stopping once', async () => {
  const server = await start(hello);
  await server[Symbol.asyncDispose]();
  await within('the server to be stopped', server[Symbol.asyncDispose](), 1000);
});

test.run();
