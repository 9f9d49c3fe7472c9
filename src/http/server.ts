/** A server that listens, says where, and stops cleanly: no new requests, the streams ended, the rest finished. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener, RequestError } from '@hono/node-server';
import { SealsumError } from '../errors.ts';
import { type Clock, systemClock } from '../protocol/clock.ts';
import { systemTurns } from '../threads/turns.ts';
import { listeningAuthorities } from './authority.ts';
import { spreadHangUps } from './hang-ups.ts';
import { noteMessage } from './message-body.ts';
import { PacedMessage, pacedMessages } from './paced-message.ts';
import { problemHeaders, problemResponse, toProblem } from './problem.ts';
import { explainBody } from './request-body.ts';
import { oldestTls, requireTls, type ServerTls } from './transport.ts';

export interface RunningServer extends AsyncDisposable {
  /** For example http://127.0.0.1:8080 */
  readonly url: string;
  readonly port: number;
  /** Every name by which the server may be addressed because of where it listens. */
  readonly authorities: readonly string[];
}

/** What one client may cost before anything is known of it. */
export interface ServerLimits {
  /** The headers of a request, in bytes. */
  readonly headerBytes: number;
  /** Milliseconds for the headers, and for a TLS handshake. */
  readonly headersTimeout: number;
  /** Milliseconds for a whole request; a body that keeps its pace may need them. */
  readonly requestTimeout: number;
  /** Connections at a time; further ones are closed at once. */
  readonly connections: number;
  /** Milliseconds for which a body is waited for in any case, and what must arrive of it beyond that. */
  readonly bodyGrace: number;
  readonly bodyBytesPerSecond: number;
}

export const defaultServerLimits: ServerLimits = {
  headerBytes: 16_384,
  headersTimeout: 15_000,
  requestTimeout: 3_600_000,
  connections: 4096,
  bodyGrace: 10_000,
  bodyBytesPerSecond: 1024,
};

/** Milliseconds for which an idle connection is kept for the next request. */
const keepAlive = 30_000;

export interface ServerOptions {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** 0 for any free port. */
  readonly port: number;
  /** The address to listen on, for example 127.0.0.1 */
  readonly host: string;
  /** Without it, plain HTTP is served. */
  readonly tls?: ServerTls;
  /** Decides how slow a body is; the machine's unless said otherwise. */
  readonly clock?: Clock;
  readonly limits?: Partial<ServerLimits>;
  /** Called when the server is asked to stop, so that open streams end. */
  readonly onStop?: () => void;
  /** Awaited before the server is gone: the work that must still be told to others. */
  readonly drain?: () => Promise<void>;
}

/** @throws SealsumError request_failed when the port is taken or the address is not this machine's; config_invalid */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const limits: ServerLimits = { ...defaultServerLimits, ...options.limits };
  const server = createListener(options, limits);
  server.headersTimeout = limits.headersTimeout;
  server.requestTimeout = limits.requestTimeout;
  server.keepAliveTimeout = keepAlive;
  server.maxConnections = limits.connections;
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    refuseUnreadable(error, socket, limits);
  });
  const connections = watchConnections(server);
  spreadHangUps(server);
  const tls = options.tls !== undefined;
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'the port is taken; choose another with --port' : error.message;
      reject(new SealsumError('request_failed', `cannot listen on ${options.host}:${options.port}: ${why}`));
    });
    server.listen(options.port, options.host);
  });
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return {
    url: `${tls ? 'https' : 'http'}://${host}:${port}`,
    port,
    authorities: listeningAuthorities({ host: options.host, port, tls }),
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      options.onStop?.();
      connections.closeWhenIdle();
      // Whoever still holds a connection after this long is not waited for.
      const impatience = setTimeout(() => {
        server.closeAllConnections();
      }, 2000);
      await closed;
      clearTimeout(impatience);
      await options.drain?.();
    },
  };
}

function createListener({ fetch, tls, clock = systemClock }: ServerOptions, limits: ServerLimits): Server {
  const answer = getRequestListener(
    (request, { incoming }) => {
      if (incoming instanceof PacedMessage) {
        explainBody(request, () => incoming.slowness);
        noteMessage(request, incoming);
      }
      return fetch(request);
    },
    { errorHandler: unaddressed },
  );
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    response.once('finish', () => {
      discardRest(request);
    });
    void systemTurns.take().then(() => {
      // Whoever left meanwhile is not answered.
      if (!request.destroyed) void answer(request, response);
    });
  };
  // How often Node looks whether a time is over.
  const connectionsCheckingInterval = Math.min(5000, limits.headersTimeout);
  // Node itself would refuse a request without a Host in words that are no problem; the listener does it in ours.
  const common = {
    maxHeaderSize: limits.headerBytes,
    connectionsCheckingInterval,
    requireHostHeader: false,
    IncomingMessage: pacedMessages({ clock, grace: limits.bodyGrace, bytesPerSecond: limits.bodyBytesPerSecond }),
  };
  if (tls === undefined) return refusingExpectations(createServer(common, listener));
  const { cert, key, clientCa } = tls;
  requireTls({ cert, key, authority: clientCa });
  const clients = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  const handshake = { minVersion: oldestTls, handshakeTimeout: limits.headersTimeout } as const;
  return refusingExpectations(createTlsServer({ ...common, ...handshake, ...clients, cert, key }, listener));
}

/** In place of Node's own refusal, which is no problem. */
function refusingExpectations(server: Server): Server {
  return server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const why = new SealsumError('message_invalid', 'only "100-continue" may be expected', { field: 'Expect' });
    const problem = toProblem(why);
    const body = JSON.stringify(problem);
    const headers = { ...problemHeaders(problem, why), 'content-length': Buffer.byteLength(body) };
    response.writeHead(problem.status, headers).end(body);
  });
}

/**
 * Throws away what nobody read of a body before its answer was written: the next request on the line waits behind it. Whoever
 * began to read it has paused the line, so its listeners go. The adapter gives up a body that is too long for this.
 */
function discardRest(request: IncomingMessage): void {
  if (request.readableEnded || request.destroyed) return;
  if (request instanceof PacedMessage) request.answered();
  request.removeAllListeners('data');
  request.resume();
}

/** What is answered when not even the address can be read, and to a mistake of this layer. */
function unaddressed(error: unknown): Response {
  return problemResponse(
    error instanceof RequestError
      ? new SealsumError('message_invalid', `the address: ${error.message}`, { field: 'Host' })
      : error,
  );
}

/** Answers to what is no HTTP, too long, or does not come to its end. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket, limits: ServerLimits): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const why =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? new SealsumError('message_invalid', `the headers are longer than ${limits.headerBytes} bytes`)
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? new SealsumError('body_too_slow', 'the request did not arrive in time')
        : new SealsumError('message_invalid', 'this is no HTTP');
  const problem = toProblem(why);
  const body = JSON.stringify(problem);
  const headers = { ...problemHeaders(problem, why), 'content-length': Buffer.byteLength(body), connection: 'close' };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${problem.status} Refused\r\n${lines.join('')}\r\n${body}`, () => {
    socket.destroySoon();
  });
}

/**
 * Knows which connections are busy with a request. Node's own closeIdleConnections() does not: it closes no connection that
 * was opened in advance and never used, as browsers and fetch do, and none that becomes idle later.
 */
function watchConnections(server: Server): { closeWhenIdle(): void } {
  const requests = new Map<Socket, number>();
  /** Connections on which TLS has not begun, by where they come from: the socket that carries requests is another. */
  const bare = new Map<string, Socket>();
  const origin = ({ remoteAddress = '', remotePort = 0 }: Socket): string => `${remoteAddress} ${remotePort}`;
  const secure = server instanceof TlsServer;
  let closing = false;
  const change = (socket: Socket, by: number): void => {
    const count = requests.get(socket);
    if (count === undefined) return;
    requests.set(socket, count + by);
    if (closing && count + by === 0) socket.destroySoon();
  };
  const watch = (socket: Socket): void => {
    bare.delete(origin(socket));
    requests.set(socket, 0);
    socket.once('close', () => requests.delete(socket));
  };
  if (secure) {
    server.on('connection', (socket: Socket) => {
      const name = origin(socket);
      bare.set(name, socket);
      socket.once('close', () => {
        if (bare.get(name) === socket) bare.delete(name);
      });
    });
  }
  server.on(secure ? 'secureConnection' : 'connection', watch);
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    change(socket, 1);
    response.once('close', () => {
      change(socket, -1);
    });
  });
  return {
    closeWhenIdle: () => {
      closing = true;
      for (const socket of bare.values()) socket.destroy();
      for (const socket of requests.keys()) change(socket, 0);
    },
  };
}
