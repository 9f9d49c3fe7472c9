/** HTTP requests as they go over the line, in nobody's name or signed, so that a test can spoil any part of them. */
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import type { SealsumError } from '../../src/errors.ts';
import { digestOf, signRequest } from '../../src/http/message-signatures.ts';
import { fromProblem } from '../../src/http/problem.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import type { Identity } from '../../src/protocol/identity.ts';
import { within } from '../support/until.ts';

export interface LineRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  /** Sent in chunks, without saying how long it is. */
  readonly chunked?: boolean;
}

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

const watched = new WeakSet<object>();
const agent = new Agent({ keepAlive: true, maxSockets: 16 });

/** Milliseconds after which a request that has no answer hangs. */
const patience = 20_000;

/** The answer, or undefined where the line was broken instead; of a stream of events only its head is read. */
export async function send(port: number, sent: LineRequest): Promise<Answer | undefined> {
  const outcome = await within(
    `an answer to ${sent.method} ${sent.path.slice(0, 200)}`,
    sendOnce(port, sent),
    patience,
  );
  // A line that was kept and has been closed meanwhile says nothing about this request.
  return outcome === 'stale' ? send(port, sent) : outcome;
}

function sendOnce(port: number, sent: LineRequest): Promise<Answer | 'stale' | undefined> {
  const { method, path, headers, body, chunked = false } = sent;
  const length = body === undefined || chunked ? {} : { 'content-length': String(body.length) };
  const coding = chunked ? { 'transfer-encoding': 'chunked' } : {};
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, method, path, agent, headers: { ...length, ...coding, ...headers } };
    const outgoing = request(options, (response) => {
      const type = response.headers['content-type'] ?? '';
      const status = response.statusCode ?? 0;
      const chunks: Buffer[] = [];
      const finish = (): void => {
        resolve({ status, type, headers: response.headers, body: Buffer.concat(chunks) });
      };
      if (type === 'text/event-stream') {
        response.destroy();
        finish();
        return;
      }
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('close', () => {
        if (!outgoing.writableFinished) outgoing.destroy();
        finish();
      });
    });
    // Who answers before it has read everything may close the line while something is still on its way.
    outgoing.on('socket', (socket) => {
      if (!watched.has(socket)) socket.on('error', () => undefined);
      watched.add(socket);
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      resolve(outgoing.reusedSocket && error.code === 'ECONNRESET' ? 'stale' : undefined);
    });
    outgoing.end(body);
  });
}

/**
 * What comes back on a line of one's own for bytes that are sent one after the other, until the other side ends it.
 *
 * @param pause milliseconds between two of them
 * @param end whether the line is closed after the last one, or left open as if more would come
 */
export function drip(
  port: number,
  parts: Iterable<Uint8Array | string>,
  { pause = 0, end = false }: { readonly pause?: number; readonly end?: boolean } = {},
): Promise<string> {
  const answer = new Promise<string>((resolve) => {
    let found = '';
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const iterator = parts[Symbol.iterator]();
    let timer: NodeJS.Timeout | undefined;
    const next = (): void => {
      const part = iterator.next();
      if (socket.destroyed) return;
      if (part.done === true) {
        if (end) socket.end();
        return;
      }
      socket.write(part.value);
      timer = setTimeout(next, pause);
    };
    socket.on('data', (chunk) => {
      found += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(found);
    });
    socket.on('connect', next);
  });
  return within('the line to end', answer, patience);
}

/** The head of a request as it is written. */
export function headOf({ method, path, headers }: LineRequest, port: number): string {
  const lines = Object.entries({ host: `127.0.0.1:${port}`, ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** The status of an answer as it came over the line; undefined when it was broken without one. */
export function statusOf(answer: string): number | undefined {
  const status = /^HTTP\/1\.1 ([0-9]{3}) /.exec(answer)?.[1];
  return status === undefined ? undefined : Number(status);
}

export interface Signing {
  /** Where it is sent, or said to be sent. */
  readonly port: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** A request in somebody's name. */
export function signedBy(identity: Identity, sent: LineRequest, { port, now }: Signing): LineRequest {
  const { method, path, body } = sent;
  const url = `http://127.0.0.1:${port}${path}`;
  const digest = body === undefined ? {} : { bodyDigest: digestOf(body) };
  const headers = signRequest(identity, { method, url, ...digest }, { now, random: systemRandom });
  return { ...sent, headers: { ...sent.headers, ...headers } };
}

/** A request with JSON in it. */
export function jsonRequest(method: string, path: string, message: unknown): LineRequest {
  const body = typeof message === 'string' ? message : JSON.stringify(message);
  return { method, path, headers: { 'content-type': 'application/json' }, body: Buffer.from(body) };
}

/** The refusal that an answer is; fails when it is none of the closed list. */
export function refusalIn(answer: Answer, what: string): SealsumError {
  const { status, type, body } = answer;
  const text = body.toString('utf8');
  assert.equal(type, 'application/problem+json', `${what} was answered ${status} ${type} ${text.slice(0, 300)}`);
  const problem: unknown = JSON.parse(text);
  const refusal = fromProblem(problem);
  assert.ok(refusal !== undefined, `${what}: no type of the closed list: ${text}`);
  assert.deepEqual((problem as { status?: unknown }).status, status, text);
  return refusal;
}
