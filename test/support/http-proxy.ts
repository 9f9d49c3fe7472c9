/** An HTTP proxy that notes what goes through it and can be told, request by request, what to do with it. */
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface PassedRequest {
  readonly method: string;
  readonly path: string;
  readonly body: Buffer;
}

/** Before it is passed on: go on, or break the line. After it was answered: go on, or break the line instead of answering. */
export interface ProxyRules {
  readonly before?: (request: PassedRequest) => 'pass' | 'break' | Promise<'pass' | 'break'>;
  readonly after?: (request: PassedRequest) => 'pass' | 'break';
}

export interface HttpProxy extends AsyncDisposable {
  readonly url: string;
  /** In the order in which they arrived, whatever became of them. */
  readonly requests: readonly PassedRequest[];
  /** Breaks every line that stands. */
  cut(): void;
}

export async function startHttpProxy(target: string, rules: ProxyRules): Promise<HttpProxy> {
  const requests: PassedRequest[] = [];
  const server = createServer((incoming, answer) => {
    void pass(target, rules, requests, incoming, answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    cut: () => {
      server.closeAllConnections();
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

async function pass(
  target: string,
  { before, after }: ProxyRules,
  requests: PassedRequest[],
  incoming: IncomingMessage,
  answer: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const { method = 'GET', url: path = '/', headers } = incoming;
  const noted: PassedRequest = { method, path, body: Buffer.concat(chunks) };
  requests.push(noted);
  if ((await before?.(noted)) === 'break') {
    answer.destroy();
    return;
  }
  const outgoing = send(new URL(path, target), { method, headers }, (response) => {
    if (after?.(noted) === 'break') {
      response.resume();
      answer.destroy();
      return;
    }
    answer.writeHead(response.statusCode ?? 502, response.headers);
    response.pipe(answer);
    response.on('error', () => answer.destroy());
  });
  outgoing.on('error', () => answer.destroy());
  answer.on('close', () => outgoing.destroy());
  outgoing.end(noted.body);
}
