/** Ports at which parties listen again and again. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** From here on the system gives ports to outgoing connections: one of those could have a party's port while it is dead. */
function firstEphemeral(): number {
  const file = '/proc/sys/net/ipv4/ip_local_port_range';
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split(/\s+/)[0]) : 32_768;
}

const lowest = 10_000;
const taken = new Set<number>();

/** A port that is free now and that nobody is given by chance. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = lowest + Math.floor(Math.random() * (firstEphemeral() - lowest));
    if (taken.has(port) || !(await isFree(port))) continue;
    taken.add(port);
    return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen(port, '127.0.0.1', () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
