/**
 * Requests to a party's interface for its own people: by them, by whoever else is on the machine, and by pages of other sites.
 * Nobody signs there; who belongs shows a token.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { LocalParty } from './consortium.ts';
import { assertSame, dumpOf } from './dump.ts';
import type { Codes } from './forgeries.ts';
import { addressesOf, bodies, headers, methods, targets } from './fuzzing.ts';
import { type Answer, drip, headOf, type LineRequest, refusalIn, statusOf } from './line.ts';
import { assertNoComplaint, assertRefused } from './refused.ts';

/** What a party's own people show. */
export const token = 'mNb5Qd_8xK2vR7tL0pW4yZ9sH3cJ6fGa';
const right = `Bearer ${token}`;

/** The greatest body, in bytes: short, so that many can be longer. */
export const bodyLimit = 100_000;

export interface Sending {
  readonly request: LineRequest;
  /** How it is refused, where that is certain; it must not be granted then. */
  readonly refused?: Codes;
}

/** Anything, anywhere, by anybody. @param names right ones for the parameters of addresses */
export async function wild(
  { url }: LocalParty,
  names: Readonly<Record<string, readonly string[]>>,
): Promise<fc.Arbitrary<Sending>> {
  return fc
    .record({
      method: methods,
      path: targets(await addressesOf(url), names),
      headers,
      body: fc.option(bodies, { nil: undefined }),
      belongs: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    })
    .map(({ headers: shown, belongs, ...rest }) => ({
      request: { ...rest, headers: belongs ? { ...shown, authorization: right } : shown },
    }));
}

/** A request with the token of those who belong. */
export function belonging(request: LineRequest): LineRequest {
  return { ...request, headers: { authorization: right, ...request.headers } };
}

/** Requests that would be granted, with exactly one mistake. @param routes without the token */
export function nearly(routes: readonly LineRequest[], port: number): fc.Arbitrary<Sending> {
  return fc.oneof(...routes.map((route) => fc.oneof(...mistakesIn(route, port))));
}

const wrongTokens: fc.Arbitrary<string | undefined> = fc.oneof(
  fc.constantFrom(
    undefined,
    '',
    'Bearer',
    token,
    `Basic ${token}`,
    `Bearer ${token}${token}`,
    `Bearer Bearer ${token}`,
    `Bearer ${token} x`,
    `Bearer ${token},x`,
    `Bearer "${token}"`,
    `Bearer ${token.toLowerCase()}`,
    `Bearer ${Buffer.from(token).toString('base64')}`,
  ),
  fc.nat(token.length - 1).map((end) => `Bearer ${token.slice(0, end)}`),
  fc
    .tuple(fc.nat(token.length - 1), fc.constantFrom('#', '.', '~'))
    .map(([at, other]) => `Bearer ${token.slice(0, at)}${other}${token.slice(at + 1)}`),
);
const foreignNames = fc.constantFrom(
  'evil.example',
  '127.0.0.1.evil.example',
  'localhost.evil.example',
  '10.0.0.1',
  '[::2]',
);

/** Each with one mistake, and the refusals that it may meet. */
function mistakesIn(route: LineRequest, port: number): readonly fc.Arbitrary<Sending>[] {
  const good = belonging(route);
  const { path, headers: shown } = good;
  const withHeaders = (more: Readonly<Record<string, string>>): LineRequest => ({
    ...good,
    headers: { ...shown, ...more },
  });
  const bare = (at: string): LineRequest => ({ ...route, path: at });
  const made: fc.Arbitrary<Sending>[] = [
    wrongTokens.map((authorization) => ({
      request: authorization === undefined ? route : withHeaders({ authorization }),
      refused: ['signature_missing'],
    })),
    fc.tuple(foreignNames, fc.constantFrom('', `:${port}`)).map(([name, at]) => ({
      request: withHeaders({ host: `${name}${at}` }),
      refused: ['role_forbidden'],
    })),
    fc
      .oneof(
        fc.constant('null'),
        fc.constant(''),
        foreignNames.map((name) => `http://${name}:${port}`),
        foreignNames.map((name) => `http://127.0.0.1:${port}@${name}`),
      )
      .map((origin) => ({ request: withHeaders({ origin }), refused: ['role_forbidden'] })),
    // Nothing is at an address by a way round through one that is open to everybody.
    fc
      .constantFrom(
        '/docs/..',
        '/docs/%2e%2e',
        '/docs/.%2E',
        '/healthz/..',
        '/docs/start.js/../..',
        '/docs//..',
        '/docs/%2f..',
        '/.',
        '/',
      )
      .map((way) => ({
        request: bare(`${way}${path}`),
        refused: ['signature_missing', 'route_unknown', 'message_invalid'],
      })),
    fc.constantFrom('PUT', 'PATCH', 'OPTIONS', 'PROPFIND').map((method) => ({
      request: { ...good, method },
      refused: ['route_unknown'],
    })),
    fc.constantFrom('/', '/more/of/it', '%00', '%2f').map((more) => ({
      request: { ...good, path: path.replace(/(\?|$)/, `${more}$1`) },
      refused: ['route_unknown', 'message_invalid', 'model_unknown', 'job_unknown'],
    })),
    fc
      .tuple(fc.constantFrom('POST', 'PUT', 'DELETE'), fc.constantFrom(1, 1000, 200_000), fc.boolean())
      .filter(([method, , chunked]) => !(chunked && method === 'DELETE'))
      .map(([method, more, chunked]) => ({
        request: { ...good, method, body: Buffer.alloc(bodyLimit + more, ' '), chunked },
        // What comes in chunks is only read where somebody wants it; who deletes does not.
        refused: chunked ? ['body_too_large', 'route_unknown', 'media_type_unsupported'] : ['body_too_large'],
      })),
  ];
  return route.body === undefined ? made : [...made, ...mistakesInBody(good, route.body)];
}

function mistakesInBody(good: LineRequest, body: Uint8Array): readonly fc.Arbitrary<Sending>[] {
  const text = Buffer.from(body).toString();
  const refused: Codes = ['message_invalid'];
  return [
    fc.nat(body.length - 1).map((end) => ({ request: { ...good, body: body.subarray(0, end) }, refused })),
    fc
      .constantFrom('x', '}', '{}', ' 1', '\u0000', '/**/')
      .map((more) => ({ request: { ...good, body: Buffer.from(text + more) }, refused })),
    fc.constantFrom("'", '\ud800', '[', '//', 'NaN').map((more) => ({
      request: { ...good, body: Buffer.from(more + text) },
      refused,
    })),
    fc
      .constantFrom(
        'text/plain',
        'application/octet-stream',
        'application/x-www-form-urlencoded',
        '',
        'application/jsonx',
      )
      .map((type) => ({
        request: { ...good, headers: { ...good.headers, 'content-type': type } },
        refused: ['media_type_unsupported'],
      })),
  ];
}

/** What is open to whoever asks. */
const open: ReadonlySet<string> = new Set([
  '/healthz',
  '/readyz',
  '/openapi.json',
  '/docs',
  '/docs/start.js',
  '/docs/swagger-ui.css',
  '/docs/swagger-ui-bundle.js',
]);

/** Fails unless an answer is a refusal where it must be, and a grant only to those who belong. */
export function assertProper(
  { refused }: Sending,
  { method, path, headers: shown }: LineRequest,
  answer: Answer,
): void {
  const { status } = answer;
  const what = `${method} ${path} ${JSON.stringify(shown)}`;
  if (refused !== undefined && method !== 'HEAD') assertRefused(answer, refused, what);
  if (status >= 400) return;
  assert.ok(refused === undefined, what);
  assert.ok(open.has(path.split('?')[0] ?? '') || shown.authorization === right, `${what}: ${status}`);
}

/** Sends what is no request, or never becomes one, and fails unless all of it is refused and leaves nothing. */
export async function assertNoLineIsKept(party: LocalParty, routes: readonly LineRequest[]): Promise<void> {
  const { port, database, lines } = party;
  const [before, from] = [await dumpOf(database), lines.length];
  const refusal = (answer: string, what: string): void => {
    const status = statusOf(answer);
    if (status === undefined) return;
    assert.ok(status >= 400 && status < 500, `${what}: ${answer.slice(0, 300)}`);
    const body = Buffer.from(answer.slice(answer.indexOf('\r\n\r\n') + 4), 'latin1');
    const type = /^content-type: *(.*?)\r$/im.exec(answer)?.[1] ?? '';
    refusalIn({ status, type, headers: {}, body: withoutChunks(answer, body) }, what);
  };
  const host = `host: 127.0.0.1:${port}`;
  for (const bytes of [
    '\r\n\r\n\r\n\u0000',
    'GET\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    '\u0016\u0003\u0001\u0002\u0000\u0001\u0000',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    `GET /jobs HTTP/1.1\r\n${host}\r\nhost: evil.example\r\nconnection: close\r\n\r\n`,
    `GET /jobs HTTP/1.1\r\n${host}\r\nx\r\n\r\n`,
    `GET /jobs HTTP/1.1\r\n${host}\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`,
    `POST /models HTTP/1.1\r\n${host}\r\nauthorization: ${right}\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}`,
    `POST /models HTTP/1.1\r\n${host}\r\nauthorization: ${right}\r\ncontent-length: -1\r\n\r\n{}`,
    `POST /models HTTP/1.1\r\n${host}\r\nauthorization: ${right}\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    `POST /models HTTP/1.1\r\n${host}\r\nauthorization: ${right}\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`,
  ])
    refusal(await drip(port, [bytes]), JSON.stringify(bytes.slice(0, 200)));
  for (const route of routes.map(belonging)) {
    const { body = Buffer.alloc(0), path } = route;
    const head = headOf({ ...route, headers: { ...route.headers, connection: 'close' } }, port);
    // A head that never ends, at once and character by character, and one that is cut off.
    refusal(await drip(port, [head.slice(0, -2)]), `${path}, without its end`);
    refusal(await drip(port, head.slice(0, -1), { pause: 20 }), `${path}, slowly`);
    refusal(await drip(port, [head.slice(0, head.length >> 1)], { end: true }), `${path}, cut off`);
    if (body.length === 0) continue;
    const announced = headOf(
      { ...route, headers: { ...route.headers, 'content-length': String(body.length), connection: 'close' } },
      port,
    );
    const half = body.subarray(0, body.length >> 1);
    refusal(await drip(port, [announced, half]), `${path}, half its body`);
    refusal(await drip(port, [announced, half], { end: true }), `${path}, half its body, and the end`);
    refusal(
      await drip(port, [announced, ...[...body].map((byte) => Uint8Array.of(byte))], { pause: 20 }),
      `${path}, byte by byte`,
    );
  }
  assertSame(await dumpOf(database), before, 'what is no request');
  assertNoComplaint({ party: { lines: lines.slice(from) } });
}

/** The body of an answer as it came over the line, when it came in chunks. */
function withoutChunks(answer: string, body: Buffer): Buffer {
  if (!/^transfer-encoding: *chunked\r$/im.test(answer)) return body;
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at);
    const length = Number.parseInt(body.subarray(at, end).toString(), 16);
    if (!(length > 0)) return Buffer.concat(parts);
    parts.push(body.subarray(end + 2, end + 2 + length));
    at = end + 2 + length + 2;
  }
}
