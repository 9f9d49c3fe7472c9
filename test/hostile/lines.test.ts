/** What a server makes of requests that are wrong before any address is looked at, and of lines that carry more than one. */
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { suite } from 'uvu';
import { createBaseApp } from '../../src/http/base-app.ts';
import { createLog } from '../../src/http/log.ts';
import { type RunningServer, startServer } from '../../src/http/server.ts';
import { within } from '../support/until.ts';
import { drip, refusalIn } from './line.ts';

const test = suite('lines');

function serve(): Promise<RunningServer> {
  const app = createBaseApp({
    party: 'party',
    description: 'Only what every party has.',
    log: createLog('party', 'silent'),
    bodyLimit: 1000,
    notReady: () => Promise.resolve(undefined),
  });
  return startServer({ fetch: app.fetch, port: 0, host: '127.0.0.1' });
}

/** The refusal that came over a line. */
function refusalOf(answer: string): {
  readonly status: number;
  readonly code: string;
  readonly field: string | undefined;
} {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  const status = Number(/^HTTP\/1\.1 ([0-9]{3}) /.exec(head)?.[1]);
  const type = /^content-type: (.*)$/im.exec(head)?.[1] ?? '';
  const { code, field } = refusalIn({ status, type, headers: {}, body: Buffer.from(body) }, answer);
  return { status, code, field };
}

test('a request without the name of the server, or with one that is none, is refused with its problem', async () => {
  await using server = await serve();
  for (const head of [
    'GET /healthz HTTP/1.1\r\n',
    'GET /healthz HTTP/1.1\r\nhost: a/b\r\n',
    'GET /healthz HTTP/1.1\r\nhost: a:b:c\r\n',
  ])
    assert.deepEqual(
      refusalOf(await drip(server.port, [`${head}connection: close\r\n\r\n`])),
      { status: 400, code: 'message_invalid', field: 'Host' },
      head,
    );
});

test('an expectation that nobody meets is refused with its problem', async () => {
  await using server = await serve();
  const head = `GET /healthz HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\nconnection: close\r\n`;
  assert.deepEqual(refusalOf(await drip(server.port, [`${head}expect: 200-ok\r\n\r\n`])), {
    status: 400,
    code: 'message_invalid',
    field: 'Expect',
  });
  assert.match(
    await drip(server.port, [`${head}expect: 100-continue\r\n\r\n`]),
    /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /,
  );
});

interface Told {
  readonly status: number | undefined;
  /** Whether the line had carried a request before. */
  readonly reused: boolean;
}

function ask(agent: Agent, port: number, method: string, body: Buffer, chunked: boolean): Promise<Told> {
  const length = chunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(body.length) };
  const answered = new Promise<Told>((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port, agent, method, path: '/nowhere', headers: length },
      (response) => {
        response.resume();
        response.on('end', () => {
          resolve({ status: response.statusCode, reused: outgoing.reusedSocket });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
  return within('an answer', answered);
}

test('a refused body, however long, does not take the next request on its line with it', async () => {
  await using server = await serve();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    const none = Buffer.alloc(0);
    assert.deepEqual(await ask(agent, server.port, 'GET', none, false), { status: 404, reused: false });
    for (const chunked of [false, true])
      for (const length of [20, 70_000, 300_000, 3_000_000]) {
        const refused = await ask(agent, server.port, 'POST', Buffer.alloc(length), chunked);
        assert.deepEqual(refused, { status: chunked || length === 20 ? 404 : 413, reused: true }, `${length}`);
        assert.deepEqual(await ask(agent, server.port, 'GET', none, false), { status: 404, reused: true }, `${length}`);
      }
  } finally {
    agent.destroy();
  }
});

test.run();
