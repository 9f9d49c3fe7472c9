/** Signed requests: the RFC's own vector, another implementation, and everything that must be refused. */
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { httpbis } from 'http-message-signatures';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import {
  defaultTolerance,
  digestOf,
  type RequestHead,
  signatureBase,
  signRequest,
  type Verification,
  verifyHead,
  verifyRequest,
} from '../../src/http/message-signatures.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import type { PartyId } from '../../src/protocol/identifiers.ts';
import { createIdentity, createParty } from '../../src/protocol/identity.ts';
import { createParties } from '../../src/protocol/parties.ts';
import { createMemoryNonceStore } from './memory-nonce-store.ts';

const test = suite('message signatures');

const now = Date.UTC(2024, 0, 1, 12);
const anna = createIdentity('anna' as PartyId, 'data-owner', new Uint8Array(32).fill(1));
const bert = createIdentity('bert' as PartyId, 'data-owner', new Uint8Array(32).fill(2));
const stranger = createIdentity('carl' as PartyId, 'data-owner', new Uint8Array(32).fill(3));
const authority = 'facilitator.example:8080';
const verification: Verification = {
  parties: createParties([anna, bert]),
  now,
  tolerance: defaultTolerance,
  authorities: ['127.0.0.1:8080', authority],
};
const body = Buffer.from('{"hello":"world"}');
const url = `http://${authority}/jobs/job/rounds/1?a=b&c=%20d`;

type Headers = Readonly<Record<string, string>>;

interface Sent {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
}

function signed(
  method = 'PUT',
  target = url,
  options: { by?: typeof anna; at?: number; digest?: Uint8Array } = {},
): Sent {
  const { by = anna, at = now, digest } = options;
  const request = { method, url: target, ...(digest === undefined ? {} : { bodyDigest: digest }) };
  return { method, url: target, headers: { ...signRequest(by, request, { now: at, random: systemRandom }) } };
}

function head({ method, url: target, headers }: Sent): RequestHead {
  const fields = new Headers(headers);
  return { method, url: target, headers: fields };
}

function refused(sent: Sent, options: Partial<Verification> = {}): SealsumError {
  try {
    verifyHead(head(sent), { ...verification, ...options });
  } catch (error) {
    assert.ok(error instanceof SealsumError, String(error));
    // Nothing of what was signed comes back.
    const value = /:([^:]{20,}):/.exec(sent.headers.signature ?? '')?.[1];
    if (value !== undefined) assert.ok(!error.message.includes(value));
    return error;
  }
  return assert.fail('it was accepted');
}

function without(headers: Headers, name: string): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([each]) => each !== name));
}

/** Changes one header; undefined takes it away. */
function changed(sent: Sent, name: string, change: (value: string) => string | undefined): Sent {
  const value = change(sent.headers[name] ?? '');
  return { ...sent, headers: { ...without(sent.headers, name), ...(value === undefined ? {} : { [name]: value }) } };
}

// RFC 9421, appendix B.1.4 (the key) and B.2.6 (the request, the base and the signature).
const rfc = {
  seed: 'n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU',
  publicKey: 'JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs',
  components: [
    ['date', 'Tue, 20 Apr 2021 02:07:55 GMT'],
    ['@method', 'POST'],
    ['@path', '/foo'],
    ['@authority', 'example.com'],
    ['content-type', 'application/json'],
    ['content-length', '18'],
  ] as const,
  parameters:
    '("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"',
  base: `"date": Tue, 20 Apr 2021 02:07:55 GMT
"@method": POST
"@path": /foo
"@authority": example.com
"content-type": application/json
"content-length": 18
"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`,
  signature: 'wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==',
};

test('RFC 9421 B.2.6 is made and verified to the byte, and no variation of it is', () => {
  const base = signatureBase(rfc.components, rfc.parameters);
  assert.equal(Buffer.from(base).toString('utf8'), rfc.base);
  const signature = Buffer.from(rfc.signature, 'base64');
  const identity = createIdentity('rfc' as PartyId, 'data-owner', Buffer.from(rfc.seed, 'base64url'));
  assert.equal(identity.publicKey, rfc.publicKey);
  assert.deepEqual(Buffer.from(identity.sign(base)), signature);
  const party = createParty('rfc' as PartyId, 'data-owner', rfc.publicKey);
  assert.ok(party.verify(base, signature));
  for (let index = 0; index < rfc.components.length; index++) {
    const altered = rfc.components.map(
      ([name, value], place) => [name, place === index ? `${value} ` : value] as const,
    );
    assert.ok(!party.verify(signatureBase(altered, rfc.parameters), signature));
    assert.ok(!party.verify(signatureBase(rfc.components.toSpliced(index, 1), rfc.parameters), signature));
  }
  assert.ok(!party.verify(signatureBase(rfc.components, rfc.parameters.replace('3;', '4;')), signature));
  for (let bit = 0; bit < 512; bit++) {
    const altered = Buffer.from(signature);
    altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.ok(!party.verify(base, altered), `bit ${bit}`);
  }
});

test('what is signed here, http-message-signatures verifies; what it signs, is verified here', async () => {
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: anna.publicKey }, format: 'jwk' });
  const privateKey = createPrivateKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: anna.publicKey, d: Buffer.from(anna.seed).toString('base64url') },
    format: 'jwk',
  });
  for (const target of [url, 'https://facilitator.example:8080', 'http://127.0.0.1:8080/a%2Fb/%C3%A9/;x?']) {
    for (const [method, digest] of [
      ['GET', undefined],
      ['PUT', digestOf(body)],
      ['DELETE', undefined],
    ] as const) {
      const ours = signed(method, target, digest === undefined ? {} : { digest });
      const seen: object[] = [];
      const verified = await httpbis.verifyMessage(
        {
          keyLookup: (parameters) => {
            seen.push(parameters);
            return Promise.resolve({ verify: (data, value) => Promise.resolve(verify(null, data, publicKey, value)) });
          },
          notAfter: new Date(now),
          all: true,
        },
        ours,
      );
      assert.equal(verified, true);
      assert.equal(seen.length, 1);
      const fields = ['@method', '@authority', '@path', '@query', ...(digest === undefined ? [] : ['content-digest'])];
      const theirs = await httpbis.signMessage(
        {
          key: { id: anna.fingerprint, alg: 'ed25519', sign: (data) => Promise.resolve(sign(null, data, privateKey)) },
          fields,
          params: ['keyid', 'tag', 'alg', 'nonce', 'created'],
          paramValues: { created: new Date(now), nonce: 'AAAAAAAAAAAAAAAAAAAAAA', tag: 'sealsum' },
        },
        {
          method,
          url: target,
          headers:
            digest === undefined ? {} : { 'content-digest': `sha-256=:${Buffer.from(digest).toString('base64')}:` },
        },
      );
      const fetched = verifyHead(head({ method, url: target, headers: lowercased(theirs.headers) }), verification);
      assert.equal(fetched.party, anna);
      assert.deepEqual(fetched.digest, digest);
    }
  }
});

function lowercased(headers: Readonly<Record<string, string | string[]>>): Headers {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
}

test('who signed, and which body, is known from the head alone', () => {
  const put = verifyHead(head(signed('PUT', url, { digest: digestOf(body) })), verification);
  assert.equal(put.party, anna);
  assert.deepEqual(Buffer.from(put.digest ?? []), Buffer.from(digestOf(body)));
  assert.match(put.nonce, /^[A-Za-z0-9_-]{22}$/);
  assert.equal(put.expiresAt, now + 2 * defaultTolerance + 1000);
  const get = verifyHead(head(signed('GET', url, { by: bert })), verification);
  assert.deepEqual([get.party, get.digest], [bert, undefined]);
  assert.notEqual(get.nonce, put.nonce);
  // A body that is empty is covered all the same.
  assert.deepEqual(verifyHead(head(signed('POST')), verification).digest, digestOf(''));
  assert.equal(
    digestHex(verifyHead(head(signed('put')), verification).digest),
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  );
});

function digestHex(digest: Uint8Array | undefined): string {
  return Buffer.from(digest ?? []).toString('hex');
}

test('no altered byte of a component, a parameter or the digest is accepted', () => {
  const request = fc.record({
    method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE'),
    path: fc.webPath().filter((path) => path.startsWith('/')),
    query: fc.webQueryParameters(),
    body: fc.uint8Array({ maxLength: 50 }),
    seed: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  });
  const original = (each: { method: string; path: string; query: string; body: Uint8Array }): Sent => {
    const target = `http://${authority}${each.path}${each.query === '' ? '' : `?${each.query}`}`;
    return signed(each.method, target, each.method === 'GET' ? {} : { digest: digestOf(each.body) });
  };
  fc.assert(
    fc.property(request, fc.nat(), fc.integer({ min: 33, max: 126 }), (each, place, character) => {
      const sent = original(each);
      assert.equal(verifyHead(head(sent), verification).party, anna);
      for (const name of Object.keys(sent.headers)) {
        const altered = changed(sent, name, (value) => {
          const index = place % value.length;
          return value.slice(0, index) + String.fromCharCode(character) + value.slice(index + 1);
        });
        // Only the label may be any; it is in both headers, so that changing one of them is refused as well.
        if (altered.headers[name] !== sent.headers[name]) refused(altered);
        refused(changed(sent, name, (value) => value + String.fromCharCode(character)));
        refused(changed(sent, name, () => undefined));
      }
      for (const method of ['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'HEAD'])
        if (method !== sent.method) refused({ ...sent, method });
      const other = new URL(sent.url);
      other.pathname += 'x';
      refused({ ...sent, url: other.href });
      const asked = new URL(sent.url);
      asked.search += '&x';
      refused({ ...sent, url: asked.href });
      refused({ ...sent, url: `${sent.url}#` });
      refused({ ...sent, url: sent.url.replace(authority, '127.0.0.1:8080') });
    }),
    { numRuns: 150 },
  );
});

test('what is refused is named', () => {
  const sent = signed('PUT', url, { digest: digestOf(body) });
  const input = (change: (value: string) => string | undefined): SealsumError =>
    refused(changed(sent, 'signature-input', change));
  const cases: readonly (readonly [what: string, SealsumError, code: string, field: string])[] = [
    ['nothing signed', refused({ ...sent, headers: {} }), 'signature_missing', 'signature'],
    ['no input', input(() => undefined), 'signature_invalid', 'signature-input'],
    ['no signature', refused(changed(sent, 'signature', () => undefined)), 'signature_invalid', 'signature'],
    [
      'no digest',
      refused({ ...sent, headers: without(sent.headers, 'content-digest') }),
      'signature_invalid',
      'content-digest',
    ],
    ['empty input', input(() => ''), 'signature_invalid', 'signature-input'],
    ['long input', input((value) => value + ';a=1'.repeat(200)), 'signature_invalid', 'signature-input'],
    [
      'two inputs',
      input((value) => `${value}, ${value.replace('sealsum', 'other')}`),
      'signature_invalid',
      'signature-input',
    ],
    ['one input twice', input((value) => `${value}, ${value}`), 'signature_invalid', 'signature-input'],
    ['less covered', input((value) => value.replace(' "@query"', '')), 'signature_invalid', 'signature-input'],
    [
      'more covered',
      input((value) => value.replace('"@query"', '"@query" "date"')),
      'signature_invalid',
      'signature-input',
    ],
    [
      'twice covered',
      input((value) => value.replace('"@query"', '"@query" "@query"')),
      'signature_invalid',
      'signature-input',
    ],
    [
      'another order',
      input((value) => value.replace('"@path" "@query"', '"@query" "@path"')),
      'signature_invalid',
      'signature-input',
    ],
    [
      'a component with a parameter',
      input((value) => value.replace('"@path"', '"@path";req')),
      'signature_invalid',
      'signature-input',
    ],
    [
      'digest not covered',
      input((value) => value.replace(' "content-digest"', '')),
      'signature_invalid',
      'signature-input',
    ],
    ['expires', input((value) => `${value};expires=9999999999`), 'signature_invalid', 'signature-input'],
    [
      'created twice',
      input((value) => value.replace(';nonce', ';created=1;nonce')),
      'signature_invalid',
      'signature-input',
    ],
    ['no created', input((value) => value.replace(/;created=\d+/, '')), 'signature_invalid', 'signature-input'],
    ['no nonce', input((value) => value.replace(/;nonce="[^"]*"/, '')), 'signature_invalid', 'signature-input'],
    ['no key', input((value) => value.replace(/;keyid="[^"]*"/, '')), 'signature_invalid', 'signature-input'],
    ['no algorithm', input((value) => value.replace(/;alg="[^"]*"/, '')), 'signature_invalid', 'signature-input'],
    ['another algorithm', input((value) => value.replace('ed25519', 'hmac-sha256')), 'signature_invalid', 'alg'],
    ['another tag', input((value) => value.replace('tag="sealsum"', 'tag="other"')), 'signature_invalid', 'tag'],
    [
      'created as text',
      input((value) => value.replace(/created=(\d+)/, 'created="$1"')),
      'signature_invalid',
      'created',
    ],
    [
      'created with a fraction',
      input((value) => value.replace(/created=(\d+)/, 'created=$1.0')),
      'signature_invalid',
      'created',
    ],
    ['created with zeros', input((value) => value.replace('created=', 'created=0')), 'signature_invalid', 'created'],
    ['a short nonce', input((value) => value.replace(/nonce="../, 'nonce="')), 'signature_invalid', 'nonce'],
    [
      'a nonce written otherwise',
      input((value) => value.replace(/(nonce="[^"]*)."/, '$1B"')),
      'signature_invalid',
      'nonce',
    ],
    ['a short key', input((value) => value.replace(/keyid="../, 'keyid="')), 'signature_invalid', 'keyid'],
    [
      'another label',
      refused(changed(sent, 'signature', (value) => value.replace('sealsum', 'sig'))),
      'signature_invalid',
      'signature',
    ],
    [
      'two signatures',
      refused(changed(sent, 'signature', (value) => `${value}, x${value}`)),
      'signature_invalid',
      'signature',
    ],
    [
      'a short signature',
      refused(changed(sent, 'signature', () => 'sealsum=:AAAA:')),
      'signature_invalid',
      'signature',
    ],
    [
      'another digest beside',
      refused(changed(sent, 'content-digest', (value) => `${value}, sha-512=:AAAA:`)),
      'signature_invalid',
      'content-digest',
    ],
    [
      'a digest of another kind',
      refused(changed(sent, 'content-digest', (value) => value.replace('256', '512'))),
      'signature_invalid',
      'content-digest',
    ],
    [
      'a GET with a digest that is not covered',
      refused({
        ...signed('GET'),
        headers: { ...signed('GET').headers, 'content-digest': sent.headers['content-digest'] ?? '' },
      }),
      'signature_invalid',
      'signature-input',
    ],
    ['a stranger', refused(signed('GET', url, { by: stranger })), 'party_unknown', 'keyid'],
    [
      'another key named',
      input((value) => value.replace(anna.fingerprint, bert.fingerprint)),
      'signature_invalid',
      'signature',
    ],
    [
      'something behind the query',
      refused({ ...signed('GET'), url: `${url}#&owner=bert` }),
      'signature_invalid',
      '@query',
    ],
    ['another server', refused(signed('GET', url.replace('facilitator', 'other'))), 'signature_invalid', '@authority'],
    ['another port', refused(signed('GET', url.replace('8080', '8081'))), 'signature_invalid', '@authority'],
  ];
  for (const [what, error, code, field] of cases) assert.deepEqual([error.code, error.field], [code, field], what);
});

test('base64 is read in one way only', () => {
  const sent = signed('PUT', url, { digest: digestOf(body) });
  // The last character before the padding carries bits that mean nothing.
  for (const [name, length] of [
    ['signature', 2],
    ['content-digest', 4],
  ] as const) {
    const altered = changed(sent, name, (value) =>
      value.replace(/(.)(=+:)$/, (_whole, last: string, end: string) => {
        const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
        const place = alphabet.indexOf(last);
        assert.equal(place % length, 0);
        return `${alphabet[place + 1] ?? ''}${end}`;
      }),
    );
    assert.notEqual(altered.headers[name], sent.headers[name]);
    assert.equal(refused(altered).field, name);
    assert.equal(refused(changed(sent, name, (value) => value.replace(/=+:$/, ':'))).field, name);
  }
});

test('clocks may differ by the tolerance, either way, and not by a second more', () => {
  for (const [offset, told] of [
    [-60_000, undefined],
    [60_000, undefined],
    [-61_000, '61 s ago'],
    [61_000, '61 s in the future'],
    [-86_400_000, '86400 s ago'],
  ] as const) {
    const sent = signed('GET', url, { at: now + offset });
    if (told === undefined) assert.equal(verifyHead(head(sent), verification).party, anna);
    else {
      const error = refused(sent);
      assert.equal(error.code, 'signature_expired');
      assert.equal(error.message, `the request was signed ${told}, and 60 s are allowed; check the clocks`);
    }
  }
  assert.match(refused(signed('GET', url, { at: now - 3000 }), { tolerance: 2000 }).message, /3 s ago, and 2 s/);
});

test('a default port is none, and letters of a host have no case', () => {
  for (const [target, authorities] of [
    ['https://FACILITATOR.example:443/a', ['facilitator.example']],
    ['http://facilitator.example:80/a', ['facilitator.example']],
    ['http://[::1]:8080/a', ['[::1]:8080']],
  ] as const)
    assert.equal(verifyHead(head(signed('GET', target)), { ...verification, authorities }).party, anna);
});

test('a nonce is good once for its key, and a refused request uses up none', async () => {
  const nonces = createMemoryNonceStore();
  const deps = { ...verification, nonces };
  const sent = signed('GET');
  await assert.rejects(verifyRequest(head(changed(sent, 'signature', () => signed('GET').headers.signature)), deps), {
    code: 'signature_invalid',
  });
  await assert.rejects(verifyRequest(head(signed('GET', url, { by: stranger })), deps), { code: 'party_unknown' });
  assert.equal(nonces.size(), 0);
  const all = await Promise.allSettled(Array.from({ length: 10 }, () => verifyRequest(head(sent), deps)));
  assert.equal(all.filter(({ status }) => status === 'fulfilled').length, 1);
  for (const each of all)
    if (each.status === 'rejected') assert.equal((each.reason as SealsumError).code, 'nonce_reused');
  // The same nonce under another key is another.
  const same = { now, random: () => new Uint8Array(16) };
  for (const by of [anna, bert]) {
    const headers = { ...signRequest(by, { method: 'GET', url }, same) };
    assert.equal((await verifyRequest(head({ method: 'GET', url, headers }), deps)).party, by);
  }
  await nonces.forget(now + 2 * defaultTolerance + 1001);
  assert.equal(nonces.size(), 0);
});

test.run();
