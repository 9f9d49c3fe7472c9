/** A server that listens, says where, and stops cleanly: no new requests, the streams ended, the rest finished. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { serve } from '@hono/node-server';
import { SealsumError } from '../errors.ts';

export interface RunningServer extends AsyncDisposable {
  /** For example http://127.0.0.1:8080 */
  readonly url: string;
  readonly port: number;
}

export interface ServerOptions {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** 0 for any free port. */
  readonly port: number;
  /** The address to listen on, for example 127.0.0.1 */
  readonly host: string;
  /** Called when the server is asked to stop, so that open streams end. */
  readonly onStop?: () => void;
  /** Awaited before the server is gone: the work that must still be told to others. */
  readonly drain?: () => Promise<void>;
}

/** @throws SealsumError request_failed when the port is taken or the address is not this machine's */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const server = serve({ fetch: options.fetch, port: options.port, hostname: options.host }) as Server;
  // A header or body that never ends must not hold a connection for ever.
  server.headersTimeout = 15_000;
  server.requestTimeout = 120_000;
  const connections = watchConnections(server);
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'the port is taken; choose another with --port' : error.message;
      reject(new SealsumError('request_failed', `cannot listen on ${options.host}:${options.port}: ${why}`));
    });
  });
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return {
    url: `http://${host}:${port}`,
    port,
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

/**
 * Knows which connections are busy with a request. Node's own closeIdleConnections() does not: it closes no connection that
 * was opened in advance and never used, as browsers and fetch do, and none that becomes idle later.
 */
function watchConnections(server: Server): { closeWhenIdle(): void } {
  const requests = new Map<Socket, number>();
  let closing = false;
  const change = (socket: Socket, by: number): void => {
    const count = requests.get(socket);
    if (count === undefined) return;
    requests.set(socket, count + by);
    if (closing && count + by === 0) socket.destroySoon();
  };
  server.on('connection', (socket: Socket) => {
    requests.set(socket, 0);
    socket.once('close', () => requests.delete(socket));
  });
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    change(socket, 1);
    response.once('close', () => {
      change(socket, -1);
    });
  });
  return {
    closeWhenIdle: () => {
      closing = true;
      for (const socket of requests.keys()) change(socket, 0);
    },
  };
}
