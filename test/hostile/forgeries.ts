/** Ways of spoiling the signature of a request, and how each of them is refused. */
import assert from 'node:assert/strict';
import type { ErrorCode } from '../../src/errors.ts';
import { digestOf } from '../../src/http/message-signatures.ts';
import type { Identity } from '../../src/protocol/identity.ts';
import { contributionOf, identityOf, mona, otto, stranger, zoe } from '../parties/facilitator/harness.ts';
import { type LineRequest, signedBy } from './line.ts';
import type { Route, World } from './world.ts';

/** Any of them. */
export type Codes = readonly ErrorCode[];

/** A change of one header of a signed request. */
function withHeader(request: LineRequest, name: string, change: (value: string) => string): LineRequest {
  const value = request.headers[name];
  assert.ok(value !== undefined, name);
  const changed = change(value);
  assert.notEqual(changed, value, name);
  return { ...request, headers: { ...request.headers, [name]: changed } };
}

const withoutHeaders = (request: LineRequest, ...names: readonly string[]): LineRequest => ({
  ...request,
  headers: Object.fromEntries(Object.entries(request.headers).filter(([name]) => !names.includes(name))),
});

/** Another character in place of the one at a position, of the same alphabet. */
const other = (text: string, at: number): string =>
  `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`;

export interface Forgery {
  readonly name: string;
  readonly codes: Codes;
  /** What becomes of the request; undefined where it makes no sense. */
  readonly make: (world: World, route: Route) => LineRequest | undefined;
}

const invalid: Codes = ['signature_invalid'];

/** A forgery that begins with a request as its sender would sign it. */
function spoiling(
  name: string,
  spoil: (good: LineRequest) => LineRequest | undefined,
  codes: Codes = invalid,
): Forgery {
  return { name, codes, make: (world, { who, request }) => spoil(world.sign(who, request)) };
}

/** A forgery that signs something else than it sends. */
function signingOther(name: string, change: (sent: LineRequest) => LineRequest): Forgery {
  return {
    name,
    codes: invalid,
    make: (world, { who, request }) => {
      const { headers } = world.sign(who, change(request));
      const signatures = Object.entries(headers).filter(([field]) =>
        /^(signature|signature-input|content-digest)$/.test(field),
      );
      return { ...request, headers: { ...request.headers, ...Object.fromEntries(signatures) } };
    },
  };
}

const input = (change: (value: string) => string) => (good: LineRequest) => withHeader(good, 'signature-input', change);

/** A signature in the name of one identity, by the key of another. */
const inTheNameOf = (victim: Identity, forger: Identity): Identity => ({ ...forger, fingerprint: victim.fingerprint });

export const forgeries: readonly Forgery[] = [
  spoiling('not signed', (good) => withoutHeaders(good, 'signature', 'signature-input'), ['signature_missing']),
  spoiling('without the signature', (good) => withoutHeaders(good, 'signature')),
  spoiling('without what it covers', (good) => withoutHeaders(good, 'signature-input')),
  spoiling('a signature of zeros', (good) =>
    withHeader(good, 'signature', () => `sealsum=:${Buffer.alloc(64).toString('base64')}:`),
  ),
  spoiling('a signature with another byte', (good) => withHeader(good, 'signature', (value) => other(value, 30))),
  spoiling('a signature too short', (good) => withHeader(good, 'signature', (value) => value.replace(/....:$/, ':'))),
  spoiling('a signature under another label', (good) => withHeader(good, 'signature', (value) => `x${value}`)),
  spoiling('a second signature', (good) => withHeader(good, 'signature', (value) => `${value}, ${value}`)),
  spoiling(
    'a second input',
    input((value) => `${value}, ${value.replace('sealsum=', 'more=')}`),
  ),
  {
    name: 'signed by somebody else in the name of who may',
    codes: invalid,
    make: (world, { who, request }) => world.sign(inTheNameOf(who, who === mona ? otto : identityOf('anna2')), request),
  },
  signingOther('another method', (sent) => ({
    ...sent,
    method: sent.method === 'PUT' ? 'POST' : 'PUT',
    body: sent.body ?? Buffer.alloc(0),
  })),
  signingOther('another path', (sent) => ({ ...sent, path: sent.path.replace(/(\?|$)/, 'x$1') })),
  signingOther('another query', (sent) => ({
    ...sent,
    path: sent.path.includes('?') ? (sent.path.split('?')[0] ?? '') : `${sent.path}?a=1`,
  })),
  {
    name: 'signed for another server',
    codes: invalid,
    make: ({ clock }, { who, request }) => signedBy(who, request, { port: 80, now: clock.now() }),
  },
  {
    name: 'signed for another server, and addressed to it',
    codes: invalid,
    make: ({ clock }, { who, request }) => {
      const elsewhere = signedBy(who, request, { port: 80, now: clock.now() });
      return { ...elsewhere, headers: { ...elsewhere.headers, host: '127.0.0.1' } };
    },
  },
  spoiling('addressed to another server', (good) => ({
    ...good,
    headers: { ...good.headers, host: 'facilitator.example' },
  })),
  spoiling('another body', (good) => (good.body === undefined ? undefined : { ...good, body: otherBody(good) })),
  spoiling('another body with its digest', (good) =>
    good.body === undefined
      ? undefined
      : withHeader({ ...good, body: otherBody(good) }, 'content-digest', () => digestField(otherBody(good))),
  ),
  spoiling('without the digest', (good) =>
    good.body === undefined ? undefined : withoutHeaders(good, 'content-digest'),
  ),
  spoiling('a second digest', (good) =>
    good.body === undefined ? undefined : withHeader(good, 'content-digest', (value) => `${value}, sha-512=:AAAA:`),
  ),
  spoiling('a digest nobody signed', (good) =>
    good.body === undefined
      ? { ...good, headers: { ...good.headers, 'content-digest': digestField(Buffer.alloc(0)) } }
      : undefined,
  ),
  spoiling(
    'a second later',
    input((value) => value.replace(/created=([0-9]+)/, (_, at: string) => `created=${Number(at) + 1}`)),
  ),
  spoiling(
    'another nonce',
    input((value) => value.replace(/nonce="(.)/, (_, first: string) => `nonce="${first === 'A' ? 'B' : 'A'}`)),
  ),
  spoiling(
    'another key',
    input((value) => value.replace(/keyid="[^"]+"/, `keyid="${identityOf(zoe).fingerprint}"`)),
  ),
  spoiling(
    'another algorithm',
    input((value) => value.replace('"ed25519"', '"hmac-sha256"')),
  ),
  spoiling(
    'another tag',
    input((value) => value.replace('tag="sealsum"', 'tag="other"')),
  ),
  spoiling(
    'a parameter twice',
    input((value) => `${value};tag="sealsum"`),
  ),
  spoiling(
    'a parameter more',
    input((value) => `${value};expires=9999999999`),
  ),
  spoiling(
    'a parameter less',
    input((value) => value.replace(/;nonce="[^"]+"/, '')),
  ),
  spoiling(
    'a component less',
    input((value) => value.replace(' "@query"', '')),
  ),
  spoiling(
    'a component more',
    input((value) => value.replace(' "@query"', ' "@query" "host"')),
  ),
  spoiling(
    'components in another order',
    input((value) => value.replace('"@method" "@authority"', '"@authority" "@method"')),
  ),
  {
    name: 'expired',
    codes: ['signature_expired'],
    make: (world, { who, request }) => world.sign(who, request, world.clock.now() - 61_000),
  },
  {
    name: 'of the day before',
    codes: ['signature_expired'],
    make: (world, { who, request }) => world.sign(who, request, world.clock.now() - 86_400_000),
  },
  {
    name: 'from the future',
    codes: ['signature_expired'],
    make: (world, { who, request }) => world.sign(who, request, world.clock.now() + 61_000),
  },
  {
    name: 'with a key that nobody knows',
    codes: ['party_unknown'],
    make: (world, { request }) => world.sign(stranger, request),
  },
  spoiling(
    'with headers of twenty thousand bytes',
    (good) => ({ ...good, headers: { ...good.headers, 'x-more': 'x'.repeat(20_000) } }),
    ['message_invalid'],
  ),
  spoiling(
    'to an address of twenty thousand bytes',
    (good) => ({ ...good, path: `${good.path}${'x'.repeat(20_000)}` }),
    ['message_invalid'],
  ),
];

const digestField = (body: Uint8Array): string => `sha-256=:${Buffer.from(digestOf(body)).toString('base64')}:`;

const otherContribution = contributionOf(9);

/** Another body that would be understood just as well. */
function otherBody({ body, headers }: LineRequest): Uint8Array {
  if (headers['content-type'] === 'application/octet-stream') return otherContribution;
  return Buffer.concat([body ?? Buffer.alloc(0), Buffer.from(' ')]);
}
