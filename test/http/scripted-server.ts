/** A server over real sockets that does what a test tells it, request by request, and remembers what it was asked. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What is done with one request; the last one given serves all further requests too. */
export type Act = (response: ServerResponse, request: IncomingMessage) => void;

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Uint8Array;
}

export interface ScriptedServer extends AsyncDisposable {
  readonly url: string;
  readonly asked: readonly Asked[];
  /** How many connections were ever made. */
  readonly connections: () => number;
  /** How many answers are under way. */
  readonly answering: () => number;
}

export async function startScriptedServer(...acts: readonly Act[]): Promise<ScriptedServer> {
  const asked: Asked[] = [];
  let connections = 0;
  let answering = 0;
  const server = createServer((request, response) => {
    answering += 1;
    response.once('close', () => {
      answering -= 1;
    });
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const act = acts[Math.min(asked.length, acts.length - 1)];
      asked.push({ method, url, headers, body: new Uint8Array(Buffer.concat(chunks)) });
      act?.(response, request);
    });
  });
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    connections: () => connections,
    answering: () => answering,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Answers with JSON; a problem's media type for statuses from 400 on. */
export function answer(status: number, body: unknown): Act {
  return (response) => {
    response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

/** Breaks the line instead of answering. */
export const hangUp: Act = (_response, request) => {
  request.socket.destroy();
};

/** Begins to answer, and never ends. */
export const stall: Act = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.write('{"jobs":');
};

/** Begins a stream of events with some text; the line stays open. */
export function stream(...chunks: readonly string[]): Act {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const chunk of chunks) response.write(chunk);
  };
}

/** A stream that is over after some text. */
export function shortStream(...chunks: readonly string[]): Act {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(chunks.join(''));
  };
}

/** A port at which nobody listens: that of a server that has just gone. */
export async function deafPort(): Promise<number> {
  const server = await startScriptedServer();
  await server[Symbol.asyncDispose]();
  return Number(new URL(server.url).port);
}
