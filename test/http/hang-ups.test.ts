/** Many lines that end at once, over real sockets: few are heard of in a turn of the event loop, and the others lose nothing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { suite } from 'uvu';
import { mostEndsInTurn, spreadHangUps } from '../../src/http/hang-ups.ts';
import { until, within } from '../support/until.ts';
import { createAuthority } from './certificates.ts';

const test = suite('hang-ups');

/** Many turns' worth. */
const many = 20 * mostEndsInTurn;

interface Watched extends AsyncDisposable {
  readonly server: Server;
  readonly port: number;
  /** How many connections were heard to end in each turn in which some did. */
  readonly turns: readonly number[];
  ended(): number;
}

/** Counts what ends, after Node and `spreadHangUps` have been told. */
async function watch(server: Server, spread: (server: Server) => void = spreadHangUps): Promise<Watched> {
  spread(server);
  const turns: number[] = [];
  let inTurn = 0;
  const end = (): void => {
    if (inTurn === 0)
      setImmediate(() => {
        turns.push(inTurn);
        inTurn = 0;
      });
    inTurn += 1;
  };
  const secure = 'setSecureContext' in server;
  server.on(secure ? 'secureConnection' : 'connection', (socket: Socket) => {
    socket.once('end', end);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    server,
    port,
    turns,
    ended: () => turns.reduce((sum, count) => sum + count, 0),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Streams that stand, bodies that are counted once they are whole, and short answers. */
function listener(): RequestListener {
  return (request, response) => {
    if (request.url === '/events') {
      response.write('connected');
      return;
    }
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on('end', () => response.end(`${bytes} bytes`));
  };
}

/** Opens a line that waits for events. */
async function follow(socket: Socket): Promise<Socket> {
  socket.write('GET /events HTTP/1.1\r\nhost: test\r\n\r\n');
  await once(socket, 'data');
  return socket;
}

async function followers(server: Watched, count: number): Promise<Socket[]> {
  return Promise.all(Array.from({ length: count }, () => follow(connect(server.port, '127.0.0.1'))));
}

test('few of the lines that end at once are heard of in a turn, and all of them soon', async () => {
  await using server = await watch(createServer(listener()));
  for (const time of [1, 2]) {
    const lines = await followers(server, many);
    for (const line of lines) line.end();
    await until('every end to be heard', () => server.ended() === time * many);
    assert.ok(Math.max(...server.turns) <= mostEndsInTurn, server.turns.join(' '));
  }
});

test('Node itself tells of many in a turn, so that the one above can fail', async () => {
  await using server = await watch(createServer(listener()), () => undefined);
  const lines = await followers(server, many);
  for (const line of lines) line.end();
  await until('every end to be heard', () => server.ended() === many);
  assert.ok(Math.max(...server.turns) > mostEndsInTurn, server.turns.join(' '));
});

test('a line that was reset is heard of as well', async () => {
  await using server = await watch(createServer(listener()));
  let closed = 0;
  server.server.on('connection', (socket: Socket) => {
    socket.once('error', () => undefined).once('close', () => (closed += 1));
  });
  const lines = await followers(server, many);
  for (const line of lines) line.resetAndDestroy();
  await until('every line to be closed', () => closed === many);
});

test('those that stay are asked and answered as before, again and again', async () => {
  await using server = await watch(createServer(listener()));
  const idle = Array.from({ length: many }, () => connect(server.port, '127.0.0.1'));
  const standing = await followers(server, 2 * mostEndsInTurn);
  for (let time = 0; time < 3; time++) {
    const lines = await followers(server, many);
    for (const line of lines) line.end();
    const answers = idle.map(async (socket) => {
      socket.write('POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\nabc');
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      assert.match(chunk.toString('latin1'), /^HTTP\/1\.1 200 .*3 bytes$/s);
    });
    await within('everybody to be answered', Promise.all(answers));
    await until('every end to be heard', () => server.ended() === (time + 1) * many);
  }
  for (const line of [...idle, ...standing]) line.end();
  await until('the others to be heard as well', () => server.ended() === 4 * many + 2 * mostEndsInTurn);
});

test('a body that is under way comes to its end, whoever hangs up meanwhile', async () => {
  await using server = await watch(createServer(listener()));
  const bytes = 4_000_000;
  const sender = connect(server.port, '127.0.0.1');
  const answer = text(sender);
  sender.write(`POST / HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: ${bytes}\r\n\r\n`);
  const rest = Buffer.alloc(bytes / 100);
  for (let part = 0; part < 100; part++) {
    const lines = part % 25 === 0 ? await followers(server, 2 * mostEndsInTurn) : [];
    for (const line of lines) line.end();
    if (!sender.write(rest)) await once(sender, 'drain');
  }
  assert.match(await within('the answer', answer), new RegExp(`${bytes} bytes`));
});

test('a body that its reader lets wait is not read because others hang up', async () => {
  let paused: Socket | undefined;
  const resumed: string[] = [];
  await using server = await watch(
    createServer((request, response) => {
      if (request.url === '/events') {
        response.write('connected');
        return;
      }
      // Nobody reads it.
      paused = request.socket;
      paused.on('resume', () => resumed.push('resumed'));
    }),
  );
  const sender = connect(server.port, '127.0.0.1');
  sender.write('POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 10000000\r\n\r\n');
  sender.write(Buffer.alloc(1_000_000));
  await until('the request', () => paused !== undefined);
  const lines = await followers(server, many);
  for (const line of lines) line.end();
  await until('every end to be heard', () => server.ended() === many);
  assert.deepEqual(resumed, []);
  sender.destroy();
});

const authority = createAuthority('authority');
if (authority !== undefined)
  test('with TLS too', async () => {
    const { cert, key } = authority.issue('127.0.0.1', 'IP:127.0.0.1');
    await using server = await watch(createTlsServer({ cert, key }, listener()));
    const count = 4 * mostEndsInTurn;
    const lines = await Promise.all(
      Array.from({ length: count }, async () => {
        const socket = connectTls({ port: server.port, host: '127.0.0.1', ca: authority.cert });
        await once(socket, 'secureConnect');
        return follow(socket);
      }),
    );
    for (const line of lines) line.end();
    await until('every end to be heard', () => server.ended() === count);
    assert.ok(Math.max(...server.turns) <= mostEndsInTurn, server.turns.join(' '));
  });

test.run();
