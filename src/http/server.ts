/** A server that listens, says where, and stops cleanly: no new requests, the streams ended, the rest finished. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
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
      server.closeIdleConnections();
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
