/**
 * Connections that end at the same time are let go a few in a turn of the event loop. A proxy that restarts, or a network that
 * fails, ends all that went through it; Node tells of each of them before timers and other connections are served, and each costs
 * it two errors with their stacks.
 */
import type { IncomingMessage, Server } from 'node:http';
import { Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';

/** Connections that end in a turn until no more is heard of others. */
export const mostEndsInTurn = 16;

/** Once so many have ended in a turn, no other connection is read in it, and then again as many in each turn. */
export function spreadHangUps(server: Server): void {
  /** Those that stand, and what was last asked on each. */
  const connections = new Map<Socket, IncomingMessage | undefined>();
  /** Those that are not read: nothing is heard of their end. The first was held first. */
  const held = new Set<Socket>();
  let releasing = false;
  let ended = 0;

  function release(): void {
    let released = 0;
    for (const socket of held) {
      if (released === mostEndsInTurn) break;
      held.delete(socket);
      socket.resume();
      released += 1;
    }
    releasing = held.size > 0;
    if (releasing) setImmediate(release);
  }

  function hold(): void {
    if (!releasing) setImmediate(release);
    releasing = true;
    for (const [socket, request] of connections) {
      // Whoever reads a body decides when its connection is read.
      if (held.has(socket) || request?.complete === false) continue;
      socket.pause();
      held.add(socket);
    }
  }

  function end(socket: Socket): void {
    if (!connections.delete(socket)) return;
    held.delete(socket);
    if (ended === 0)
      setImmediate(() => {
        ended = 0;
      });
    ended += 1;
    if (ended === mostEndsInTurn) hold();
  }

  server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
    connections.set(socket, undefined);
    const over = (): void => {
      end(socket);
    };
    socket.once('end', over).once('close', over);
  });
  server.on('request', (request: IncomingMessage) => {
    if (connections.has(request.socket)) connections.set(request.socket, request);
  });
}
