/** A server's beginning and end: where it listens, and what it lets finish when it stops. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import { createBaseApp } from '../../src/http/base-app.ts';
import { createLog } from '../../src/http/log.ts';
import { bodyOf } from '../../src/http/message-body.ts';
import { fromProblem } from '../../src/http/problem.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../src/http/server.ts';
import { createTestClock } from '../support/clock.ts';
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

/** Writes to a server as it is told, and gives all that comes back until the line is closed. */
function converse(
  port: number,
  ...parts: readonly string[]
): { readonly answer: Promise<string>; write(part: string): void } {
  const socket = connect(port, '127.0.0.1');
  let heard = '';
  socket.on('error', () => {
    // A server that cuts the line is what is looked for.
  });
  for (const part of parts) socket.write(part);
  const answer = new Promise<string>((resolve) => {
    socket.on('data', (chunk) => {
      heard += chunk.toString('utf8');
    });
    socket.once('close', () => {
      resolve(heard);
    });
  });
  return { answer, write: (part) => socket.write(part) };
}

/** The problem in a raw answer. */
function problemIn(answer: string): readonly [status: number, SealsumError | undefined] {
  const [head = '', body = ''] = answer.split('\r\n\r\n', 2);
  assert.match(head, /\r\ncontent-type: application\/problem\+json/i, answer);
  return [Number(head.split(' ')[1]), fromProblem(JSON.parse(body))];
}

/** A server with an app that reads bodies in the ways that apps do. */
async function startReader(more: Partial<ServerOptions>): Promise<RunningServer & { readonly read: string[] }> {
  const read: string[] = [];
  const notReady = (): Promise<undefined> => Promise.resolve(undefined);
  const log = createLog('tester', 'silent');
  const app = createBaseApp({ party: 'tester', description: 'For tests.', log, bodyLimit: 1 << 20, notReady });
  app.post('/text', async (context) => {
    read.push('begun');
    return context.text(await context.req.text());
  });
  app.post('/json', async (context) => {
    read.push('begun');
    return context.json(await context.req.json().catch(() => assert.fail('as a validator does')));
  });
  app.post('/stream', async (context) => {
    read.push('begun');
    let size = 0;
    for await (const chunk of bodyOf(context.req.raw) ?? []) size += chunk.length;
    return context.text(String(size));
  });
  const server = await startServer({ fetch: app.fetch, port: 0, host: '127.0.0.1', ...more });
  return { ...server, read };
}

test('a body that arrives too slowly is given up, and its line is closed', async () => {
  for (const path of ['/text', '/json', '/stream'])
    for (const framing of ['content-length: 100000', 'transfer-encoding: chunked']) {
      const clock = createTestClock();
      await using server = await startReader({ clock });
      const first = framing.startsWith('c') ? 'x'.repeat(2048) : `800\r\n${'x'.repeat(2048)}\r\n`;
      const { answer } = converse(server.port, `POST ${path} HTTP/1.1\r\nhost: x\r\n${framing}\r\n\r\n`, first);
      // 10 s in any case, and 2 s more for 2 KiB.
      await until('the body to be waited for', () => server.read.length === 1 && (clock.next() ?? 0) > 10_000);
      assert.equal(clock.next(), 12_000);
      clock.advance(11_999);
      assert.equal(clock.pending(), 1);
      clock.advance(1);
      const heard = await within('the line to be closed', answer);
      const [status, error] = problemIn(heard);
      assert.deepEqual([status, error?.code], [408, 'body_too_slow'], path);
      assert.match(heard, /\r\nconnection: close/i);
      assert.equal(clock.pending(), 0);
    }
});

test('a body that keeps its pace may take its time, and who reads slowly has time for ever', async () => {
  const clock = createTestClock();
  await using server = await startReader({ clock });
  const line = converse(
    server.port,
    'POST /stream HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 20480\r\n\r\n',
  );
  for (let turn = 1; turn <= 20; turn++) {
    // All but what is allowed now has been waited for; another second's worth arrives.
    await until('the body to be waited for', () => clock.next() === 10_000);
    clock.advance(1000);
    line.write('x'.repeat(1024));
  }
  assert.match(await within('the answer', line.answer), /^HTTP\/1\.1 200 .*\r\n\r\n20480$/s);
  assert.equal(clock.pending(), 0);
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let asked = 0;
  await using lazy = await startServer({
    fetch: async (request) => {
      asked += 1;
      await held;
      return new Response(await request.text());
    },
    port: 0,
    host: '127.0.0.1',
    clock,
  });
  const work = fetch(lazy.url, { method: 'POST', body: 'x'.repeat(100_000) });
  await until('the request', () => asked === 1);
  clock.advance(86_400_000);
  release();
  assert.equal((await (await work).text()).length, 100_000);
});

test('a reader that stops in the middle while there is something to read may take a day', async () => {
  const clock = createTestClock();
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let goOn = (): void => undefined;
  const gathered = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let begun = 0;
  const slow = async (request: Request): Promise<Response> => {
    let size = 0;
    for await (const chunk of bodyOf(request) ?? []) {
      size += chunk.length;
      begun += 1;
      if (begun === 1) await gathered;
      if (begun === 2) await held;
    }
    return new Response(String(size));
  };
  await using server = await startServer({ fetch: slow, port: 0, host: '127.0.0.1', clock });
  const head = 'POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 200000\r\n\r\n';
  const line = converse(server.port, head);
  for (let part = 0; part < 5; part++) {
    line.write('x'.repeat(10_000));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  // All of it is there, and not more than is kept beside the reader.
  await new Promise((resolve) => setTimeout(resolve, 100));
  goOn();
  await until('the second chunk of several', () => begun === 2);
  clock.advance(86_400_000);
  release();
  line.write('x'.repeat(150_000));
  assert.match(await within('the answer', line.answer), /^HTTP\/1\.1 200 .*\r\n\r\n200000$/s);
  assert.equal(clock.pending(), 0);
});

test('a body is read from its line no faster than its reader asks for it', async () => {
  let begun = 0;
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow = async (request: Request): Promise<Response> => {
    let size = 0;
    for await (const chunk of bodyOf(request) ?? []) {
      if (size === 0) {
        begun += 1;
        await held;
      }
      size += chunk.length;
    }
    return new Response(String(size));
  };
  await using server = await startServer({ fetch: slow, port: 0, host: '127.0.0.1' });
  const length = 64 << 20;
  const socket = connect(server.port, '127.0.0.1');
  let heard = '';
  socket.on('data', (chunk) => {
    heard += chunk.toString('latin1');
  });
  socket.write(`POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${length}\r\n\r\n`);
  let sent = 0;
  for (let piece = 0; piece < 64; piece++)
    socket.write(Buffer.alloc(1 << 20), () => {
      sent += 1;
    });
  await until('the first chunk', () => begun === 1);
  await new Promise((resolve) => setTimeout(resolve, 500));
  // Two systems keep some of it for the line.
  assert.ok(sent < 32, `${sent} MiB were taken`);
  release();
  await until('the answer', () => heard.endsWith(String(length)));
  socket.destroy();
});

test('whoever leaves in the middle of a body, before or after it is read, is no failure of ours', async () => {
  for (const early of [true, false]) {
    const lines: string[] = [];
    const log = createLog('tester', 'debug', { write: (line) => lines.push(line) });
    const notReady = (): Promise<undefined> => Promise.resolve(undefined);
    const app = createBaseApp({ party: 'tester', description: 'For tests.', log, bodyLimit: 1 << 20, notReady });
    let begun = false;
    let gone = false;
    app.post('/text', async (context) => {
      begun = true;
      if (early) await until('the sender to be gone', () => gone);
      return context.text(await context.req.text());
    });
    await using server = await startServer({ fetch: app.fetch, port: 0, host: '127.0.0.1' });
    const socket = connect(server.port, '127.0.0.1');
    socket.write('POST /text HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nxxx');
    await until('the request', () => begun);
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    gone = true;
    await until('the end', () => lines.some((line) => line.includes('broke off')));
    assert.deepEqual(
      lines.filter((line) => (JSON.parse(line) as { level: number }).level >= 50),
      [],
    );
  }
});

test('what still comes after the answer, and is too slow, ends with its line', async () => {
  for (const method of ['GET', 'POST']) {
    const clock = createTestClock();
    await using server = await start(hello, { clock });
    const line = converse(server.port, `${method} / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n`, 'x');
    await until('the rest to be waited for', () => clock.next() !== undefined);
    clock.advance(10_001);
    assert.match(await within('the line to be closed', line.answer), /^HTTP\/1\.1 200 .*\r\n\r\nhello$/s);
    assert.equal(clock.pending(), 0);
  }
});

test('headers that are too long, and what is no HTTP, are answered with a problem', async () => {
  await using server = await start(hello);
  const long = await converse(server.port, `GET / HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(17_000)}\r\n\r\n`).answer;
  const [status, error] = problemIn(long);
  assert.deepEqual([status, error?.code], [400, 'message_invalid']);
  assert.equal(error?.message, 'the headers are longer than 16384 bytes');
  for (const text of [
    'hello\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    'GET / HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n',
    'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
    'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n',
    '\x16\x03\x01\x00\xa5\x01\x00\x00',
  ]) {
    const [each, problem] = problemIn(await within('the answer', converse(server.port, text).answer));
    assert.deepEqual([each, problem?.code], [400, 'message_invalid'], text);
  }
  for (const text of [
    'GET / HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n',
    'GET http://[/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
  ]) {
    const [each, problem] = problemIn(await within('the answer', converse(server.port, text).answer));
    assert.deepEqual([each, problem?.code, problem?.field], [400, 'message_invalid', 'Host'], text);
  }
  // Sixteen thousand bytes are not too many.
  const fine = converse(
    server.port,
    `GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: ${'x'.repeat(15_000)}\r\n\r\n`,
  );
  assert.match(await fine.answer, /^HTTP\/1\.1 200/);
});

test('headers that do not come to their end are given up', async () => {
  await using server = await start(hello, { limits: { headersTimeout: 100 } });
  const { answer } = converse(server.port, 'GET / HTTP/1.1\r\nhost: x\r\n');
  const [status, error] = problemIn(await within('the line to be closed', answer));
  assert.deepEqual([status, error?.code], [408, 'body_too_slow']);
});

test('connections beyond the limit are closed at once; those that stand go on', async () => {
  await using server = await start(hello, { limits: { connections: 2 } });
  const request = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';
  const standing = [converse(server.port), converse(server.port)];
  await until('the third to be closed', async () => {
    const third = await Promise.race([
      converse(server.port, request).answer,
      new Promise((resolve) => setTimeout(resolve, 200)),
    ]);
    return third === '';
  });
  for (const line of standing) line.write(request.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n'));
  for (const { answer } of standing) assert.match(await answer, /^HTTP\/1\.1 200/);
  assert.equal(await (await fetch(server.url)).text(), 'hello');
});

test('stopping twice is stopping once', async () => {
  const server = await start(hello);
  await server[Symbol.asyncDispose]();
  await within('the server to be stopped', server[Symbol.asyncDispose](), 1000);
});

test.run();
