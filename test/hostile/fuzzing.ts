/** Requests that nobody would send, thousands of them: random ones, and right ones with one mistake. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Answer, type LineRequest, refusalIn, send } from './line.ts';

/** How many for each party. */
export const fuzzed: number = process.env.SLOW === undefined ? 4000 : 200_000;

/** Requests under way at once. */
const atOnce = 8;

/**
 * Sends so many requests and looks at every answer: none is 5xx, every refusal is a problem of the closed list, none hangs. The
 * seed is printed, and taken from SEED when it is set.
 *
 * @param make a request as it goes over the line, made when its turn comes
 * @param look looks at an answer as well; undefined where the line was closed
 * @returns how often each status was answered; 0 stands for lines that were closed
 */
export async function bombard<T>(
  port: number,
  requests: fc.Arbitrary<T>,
  make: (each: T) => LineRequest,
  look: (each: T, request: LineRequest, answer: Answer) => void = () => undefined,
): Promise<ReadonlyMap<number, number>> {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  console.log(`seed: ${seed}`);
  const seen = new Map<number, number>();
  const one = async (each: T): Promise<void> => {
    const request = make(each);
    const answer = await send(port, request);
    const status = answer?.status ?? 0;
    seen.set(status, (seen.get(status) ?? 0) + 1);
    if (answer === undefined) return;
    const what = `${request.method} ${request.path}`;
    assert.ok(status >= 200 && status < 500, `${what}: ${status} ${answer.body.toString()}`);
    if (status >= 400 && request.method !== 'HEAD') refusalIn(answer, what);
    look(each, request, answer);
  };
  // A batch is not made smaller when it fails: it says by itself which of its requests it was.
  const batches = fc.array(requests, { minLength: atOnce, maxLength: atOnce });
  const property = fc.asyncProperty(batches, async (batch) => {
    await Promise.all(batch.map(one));
  });
  const outcome = await fc.check(property, { numRuns: Math.ceil(fuzzed / atOnce), seed, endOnFailure: true });
  const { failed, errorInstance, numRuns } = outcome;
  if (failed) throw new Error(`batch ${numRuns} of seed ${seed}: ${String(errorInstance)}`, { cause: errorInstance });
  return seen;
}

/** The addresses of an OpenAPI document: methods in capitals and paths with their parameters in braces. */
export async function addressesOf(url: string): Promise<readonly { readonly method: string; readonly path: string }[]> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })),
  );
}

/** Names that are wrong in some way, and some that are not. */
const junkNames = fc.oneof(
  fc.constantFrom(
    '..',
    '.',
    '%2e%2e',
    '%00',
    '%',
    '%zz',
    '%c3%28',
    '*',
    ':job',
    '{job}',
    '__proto__',
    'constructor',
    '~',
    '%252e',
    'a%2fb',
    'a'.repeat(64),
    'a'.repeat(3000),
  ),
  fc.string({ unit: fc.constantFrom(...Array.from('a-.%2F&=;@+\\\'"<|^`[ äÿ\u0000')), maxLength: 20 }),
);
const junkNumbers = fc.constantFrom('0', '-1', '01', '1.0', '1e9', '9'.repeat(30), '%31', 'NaN', '१', '', '3', '99');

const queries = fc.oneof(
  { weight: 4, arbitrary: fc.constant('') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '?',
      '?owner=',
      '?owner=a&owner=b',
      '?owner=%00',
      '?outcome=',
      '?outcome=lost',
      '?outcome=finished&outcome=failed',
      '?a[b]=1',
      '?%',
      '?__proto__=1',
      '?=&=&',
      `?a=${'x'.repeat(3000)}`,
    ),
  },
);

/**
 * Addresses as a document has them, with right and wrong names in the places of their parameters, and some that it has not.
 *
 * @param names right ones for each parameter
 */
export function targets(
  addresses: readonly { readonly path: string }[],
  names: Readonly<Record<string, readonly string[]>>,
): fc.Arbitrary<string> {
  const filled = fc.constantFrom(...addresses).chain(({ path }) => {
    const parts = path.split('/').map((part) => {
      const parameter = /^\{(.+)\}$/.exec(part)?.[1];
      if (parameter === undefined) return fc.constant(part);
      const right = fc.constantFrom(...(names[parameter] ?? ['x']));
      const wrong = parameter === 'round' ? junkNumbers : junkNames;
      return fc.oneof({ weight: 3, arbitrary: right }, { weight: 2, arbitrary: wrong });
    });
    return fc.tuple(...parts).map((found) => found.join('/'));
  });
  const fixed = fc.constantFrom(
    '/healthz',
    '/readyz',
    '/metrics',
    '/openapi.json',
    '/docs',
    '/docs/start.js',
    '/',
    '*',
  );
  const made = fc.array(junkNames, { maxLength: 6 }).map((parts) => `/${parts.join('/')}`);
  const more = fc.tuple(filled, junkNames).map(([path, part]) => `${path}/${part}`);
  return (
    fc
      .tuple(
        fc.oneof(
          { weight: 8, arbitrary: filled },
          { weight: 1, arbitrary: fixed },
          { weight: 1, arbitrary: made },
          { weight: 1, arbitrary: more },
        ),
        queries,
      )
      // What would break the request line itself is no request.
      .map(([path, query]) => (path + query).replace(/[^\u0021-\u007e]/g, (each) => encodeURIComponent(each)))
  );
}

export const methods: fc.Arbitrary<string> = fc.constantFrom(
  ...[
    'GET',
    'GET',
    'GET',
    'POST',
    'POST',
    'PUT',
    'PUT',
    'PUT',
    'DELETE',
    'DELETE',
    'HEAD',
    'PATCH',
    'OPTIONS',
    'TRACE',
  ],
  ...['PROPFIND', 'LINK', 'M-SEARCH'],
);

/** Headers that mean something to somebody, right and wrong. */
export const headers: fc.Arbitrary<Readonly<Record<string, string>>> = fc
  .record(
    {
      'content-type': fc.oneof(
        fc.constantFrom(
          'application/json',
          'application/json',
          'application/octet-stream',
          'application/json;',
          'application/json; charset=utf-16',
          'multipart/form-data',
          'application/x-www-form-urlencoded',
          '',
          'a/b/c;;=',
        ),
        fc.stringMatching(/^[ -~]{0,30}$/).map((value) => value.trim()),
      ),
      'last-event-id': fc.constantFrom('0', '1', '99999', '-1', 'x', ''),
      accept: fc.constantFrom('*/*', 'text/event-stream', ''),
      'content-encoding': fc.constantFrom('gzip', 'identity', 'x'),
      host: fc.constantFrom('localhost', 'example.org:80', '', '[::1]', '..', 'a'.repeat(300)),
      origin: fc.constantFrom('null', 'http://example.org', 'x'),
      authorization: fc.constantFrom('Bearer', 'Bearer x', 'Basic eDp5', 'Bearer '.repeat(100)),
      'content-digest': fc.constantFrom('', 'sha-256=::', 'sha-256=:AAAA:', `sha-256=:${'A'.repeat(43)}=:`),
      'x-request-id': fc.constantFrom('ok', '\u00e4', 'x'.repeat(100), '{"a":1}'),
      expect: fc.constant('100-continue'),
      range: fc.constant('bytes=0-1'),
      upgrade: fc.constantFrom('websocket', 'h2c'),
      'x-forwarded-host': fc.constantFrom('evil', '"'),
      'x-http-method-override': fc.constant('DELETE'),
      cookie: fc.constant('a=b; __proto__=c'),
    },
    { requiredKeys: [] },
  )
  // Most requests have few of them.
  .chain((all) => {
    const found = Object.entries(all);
    return fc.subarray(found, { maxLength: Math.min(4, found.length) }).map((some) => Object.fromEntries(some));
  });

export const bodies: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.constant(new Uint8Array()),
  fc.uint8Array({ maxLength: 1000 }),
  fc.json().map((value) => new TextEncoder().encode(value)),
  // Of the length of a contribution, all zeros: nearly every other filling would be two valid ciphertexts.
  fc.constantFrom(1024, 1023, 2048, 100_001).map((length) => new Uint8Array(length)),
);
