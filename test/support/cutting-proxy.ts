/** A TCP proxy that stands between a client and a server and can cut, or silence, every line that goes through it. */

import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';

export interface CuttingProxy extends AsyncDisposable {
  readonly url: string;
  /** How many lines stand now. */
  readonly lines: () => number;
  /** How many lines ever stood. */
  readonly opened: () => number;
  /** Destroys every line that stands, on both sides; new ones are taken. */
  cut(): void;
  /** From now on nothing that the server says reaches the client, on lines that stand; they stay open. */
  silence(): void;
}

export async function startCuttingProxy(port: number): Promise<CuttingProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let opened = 0;
  const server = createServer((inner) => {
    opened += 1;
    const outer = connect(port, '127.0.0.1');
    const pair = [inner, outer] as const;
    pairs.add(pair);
    inner.pipe(outer);
    outer.pipe(inner);
    for (const socket of pair) {
      socket.on('error', () => {
        // A cut line is what this proxy is for.
      });
      socket.on('close', () => {
        pairs.delete(pair);
        inner.destroy();
        outer.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lines: () => pairs.size,
    opened: () => opened,
    cut,
    silence: () => {
      for (const [inner, outer] of pairs) {
        outer.unpipe(inner);
        outer.resume();
      }
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      cut();
      await closed;
    },
  };
}
