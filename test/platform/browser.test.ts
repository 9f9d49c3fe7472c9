/** What browsers do in place of Node, held against Node: the same answers to the same questions, on machines without a browser too. */
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { ED25519_TORSION_SUBGROUP, ed25519 } from '@noble/curves/ed25519';
import { sha512 } from '@noble/hashes/sha2';
import fc from 'fast-check';
import { suite } from 'uvu';
import { findKernels } from '../../src/paillier/native/kernel.ts';
import * as browserAddon from '../../src/paillier/native/load-addon.browser.ts';
import * as browserBytes from '../../src/platform/bytes.browser.ts';
import * as bytes from '../../src/platform/bytes.ts';
import * as browserCurves from '../../src/platform/curves.browser.ts';
import * as curves from '../../src/platform/curves.ts';
import * as browserLoop from '../../src/platform/event-loop.browser.ts';
import type * as loop from '../../src/platform/event-loop.ts';
import * as browserHashes from '../../src/platform/hashes.browser.ts';
import * as hashes from '../../src/platform/hashes.ts';
import * as browserExchange from '../../src/platform/modular-exchange.browser.ts';
import type * as exchange from '../../src/platform/modular-exchange.ts';
import * as browserPrimes from '../../src/platform/primes.browser.ts';
import * as primes from '../../src/platform/primes.ts';
import * as browserRandom from '../../src/platform/random-bytes.browser.ts';
import type * as random from '../../src/platform/random-bytes.ts';
import * as browserSealing from '../../src/platform/sealing.browser.ts';
import * as sealing from '../../src/platform/sealing.ts';

const test = suite('the platform of browsers');

/** Whoever imports one of these in Node's words gets what it expects. */
const pairs: {
  readonly bytes: typeof bytes;
  readonly curves: typeof curves;
  readonly hashes: Omit<typeof hashes, 'SecretKey'>;
  readonly loop: typeof loop;
  readonly exchange: typeof exchange;
  readonly primes: typeof primes;
  readonly random: typeof random;
  readonly sealing: typeof sealing;
} = {
  bytes: browserBytes,
  curves: browserCurves,
  hashes: browserHashes,
  loop: browserLoop,
  exchange: browserExchange,
  primes: browserPrimes,
  random: browserRandom,
  sealing: browserSealing,
};

const anyBytes = fc.uint8Array({ maxLength: 300 });
const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
const parts = fc.array(fc.oneof(anyBytes, fc.string({ unit: 'grapheme' })), { maxLength: 4 });

test('bytes as text, and back', () => {
  fc.assert(
    fc.property(anyBytes, (given) => {
      assert.equal(pairs.bytes.toHex(given), bytes.toHex(given));
      assert.equal(pairs.bytes.toBase64(given), bytes.toBase64(given));
      assert.equal(pairs.bytes.toBase64Url(given), bytes.toBase64Url(given));
      assert.deepEqual(pairs.bytes.fromBase64(bytes.toBase64(given)), given);
      assert.deepEqual(pairs.bytes.fromBase64Url(bytes.toBase64Url(given)), given);
      const [left, right] = [new Uint8Array(given.length + 3), new Uint8Array(given.length + 3)];
      pairs.bytes.writeHex(left, 2, bytes.toHex(given));
      bytes.writeHex(right, 2, bytes.toHex(given));
      assert.deepEqual(left, right);
    }),
  );
});

test('long bytes', () => {
  const given = Uint8Array.from({ length: 100_001 }, (_, index) => index * 7);
  assert.equal(pairs.bytes.toBase64(given), bytes.toBase64(given));
  assert.deepEqual(pairs.bytes.fromBase64Url(bytes.toBase64Url(given)), given);
});

test('what is no text of bytes is found out by writing it again, in both', () => {
  const almost = fc
    .array(fc.constantFrom('A', 'Q', 'g', 'w', 'Z', '0', '9', '-', '_', '+', '/', '=', ' ', '\n', '!', 'é'), {
      maxLength: 12,
    })
    .map((each) => each.join(''));
  fc.assert(
    fc.property(almost, (text) => {
      const isText = (of: typeof bytes): boolean[] => [
        of.toBase64(of.fromBase64(text)) === text,
        of.toBase64Url(of.fromBase64Url(text)) === text,
      ];
      assert.deepEqual(isText(pairs.bytes), isText(bytes));
    }),
    { numRuns: 2000 },
  );
});

test('hashes, and what is made of them', () => {
  fc.assert(
    fc.property(parts, fc.integer({ min: 1, max: 600 }), (given, length) => {
      assert.deepEqual(pairs.hashes.sha256(...given), hashes.sha256(...given));
      assert.deepEqual(pairs.hashes.shake256(length, ...given), hashes.shake256(length, ...given));
    }),
  );
  fc.assert(
    fc.property(anyBytes, fc.oneof(anyBytes, fc.string()), anyBytes, (secret, info, message) => {
      assert.deepEqual(pairs.hashes.hkdfSha256(secret, info), hashes.hkdfSha256(secret, info));
      const [here, there] = [pairs.hashes.secretKey(secret), hashes.secretKey(secret)];
      assert.deepEqual(pairs.hashes.hmacSha256(here, message), hashes.hmacSha256(there, message));
    }),
  );
});

test('a secret key shows its bytes to nobody', () => {
  const key = pairs.hashes.secretKey(new Uint8Array(32).fill(0xab));
  const shown = inspect(key, { depth: 9, showHidden: true }) + JSON.stringify(key);
  assert.ok(!/171|ab/i.test(shown), 'it shows them');
});

test('signatures are the same, and each is good in the other', () => {
  fc.assert(
    fc.property(seeds, anyBytes, fc.nat(63), (seed, message, at) => {
      const [here, there] = [pairs.curves.ed25519Key(seed), curves.ed25519Key(seed)];
      assert.deepEqual(here.publicKey, there.publicKey);
      const signature = here.sign(message);
      assert.deepEqual(signature, there.sign(message));
      const changed = signature.map((byte, index) => (index === at ? byte ^ 1 : byte));
      for (const { ed25519Verifier } of [pairs.curves, curves]) {
        const verify = ed25519Verifier(here.publicKey);
        assert.equal(verify(message, signature), true);
        assert.equal(verify(message, changed), false);
        assert.equal(verify(Uint8Array.of(...message, 0), signature), false);
        assert.equal(verify(message, signature.subarray(0, 63)), false);
      }
    }),
    { numRuns: 30 },
  );
});

test('signatures that others take differently are taken as OpenSSL takes them', () => {
  const { BASE, Fn } = ed25519.Point;
  const torsion = fc.constantFrom(...ED25519_TORSION_SUBGROUP).map((hex) => ed25519.Point.fromHex(hex));
  const scalars = fc.bigInt({ min: 1n, max: Fn.ORDER - 1n });
  let cofactored = 0;
  let taken = 0;
  fc.assert(
    fc.property(scalars, scalars, torsion, torsion, anyBytes, (secret, nonce, atKey, atNonce, message) => {
      // Whoever has the secret may add points of small order to the key and to R.
      const key = BASE.multiply(secret).add(atKey).toBytes();
      const first = BASE.multiply(nonce).add(atNonce).toBytes();
      const hash = sha512(Uint8Array.of(...first, ...key, ...message));
      const challenge = Fn.create(littleEndian(hash));
      const last = Fn.toBytes(Fn.create(nonce + challenge * secret));
      const signature = Uint8Array.of(...first, ...last);
      const expected = curves.ed25519Verifier(key)(message, signature);
      assert.equal(pairs.curves.ed25519Verifier(key)(message, signature), expected);
      cofactored += Number(ed25519.verify(signature, message, key));
      taken += Number(expected);
      // S + L says the same of the same point.
      const longer = littleEndian(last) + Fn.ORDER;
      if (longer < 1n << 256n) {
        const other = Uint8Array.of(
          ...first,
          ...Array.from({ length: 32 }, (_, at) => Number((longer >> BigInt(8 * at)) & 255n)),
        );
        for (const { ed25519Verifier } of [pairs.curves, curves])
          assert.equal(ed25519Verifier(key)(message, other), false);
      }
    }),
    { numRuns: 60, seed: 8032 },
  );
  assert.ok(taken > 0 && cofactored > taken, `${cofactored} and ${taken}: the cases differ`);
});

test('the signature of RFC 8032, section 7.1, test 2', () => {
  const seed = Buffer.from('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', 'hex');
  const key = pairs.curves.ed25519Key(seed);
  assert.equal(bytes.toHex(key.publicKey), '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
  assert.equal(
    bytes.toHex(key.sign(Uint8Array.of(0x72))),
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
      '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  );
});

test('shared secrets, and points of small order', () => {
  fc.assert(
    fc.property(seeds, seeds, (mine, other) => {
      const [here, there] = [pairs.curves.x25519Key(mine), curves.x25519Key(other)];
      assert.deepEqual(here.publicKey, curves.x25519Key(mine).publicKey);
      assert.deepEqual(here.share(there.publicKey), there.share(here.publicKey));
      for (const small of [new Uint8Array(32), Uint8Array.of(1, ...new Uint8Array(31))])
        for (const key of [here, there]) assert.throws(() => key.share(small));
    }),
    { numRuns: 20 },
  );
});

test('primes', async () => {
  const known = [
    2n,
    3n,
    5n,
    7n,
    561n,
    1105n,
    3215031751n,
    2n ** 61n - 1n,
    2n ** 127n - 1n,
    2n ** 128n + 1n,
    2n ** 521n - 1n,
  ];
  const candidates = [...known, ...Array.from({ length: 300 }, (_, index) => BigInt(index + 2))];
  for (const candidate of candidates) {
    const expected = primes.isProbablePrime(candidate);
    assert.equal(pairs.primes.isProbablePrime(candidate), expected, String(candidate));
    assert.equal(await pairs.primes.isProbablePrimeSoon(candidate, undefined), expected, String(candidate));
  }
  const stopped = AbortSignal.abort(new Error('stopped'));
  await assert.rejects(pairs.primes.isProbablePrimeSoon(2n ** 61n - 1n, stopped), /stopped/);
});

test('keys from passphrases: those of RFC 7914, section 12, and of any text', async () => {
  const salt = new TextEncoder().encode('NaCl');
  const key = await pairs.sealing.scrypt('password', salt, { N: 1024, r: 8, p: 16 }, 64);
  assert.match(bytes.toHex(key), /^fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162/);
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1 }), anyBytes, async (text, given) => {
      const cost = { N: 16, r: 8, p: 1 };
      const expected = await sealing.scrypt(text, given, cost, 32);
      assert.deepEqual(await pairs.sealing.scrypt(text, given, cost, 32), expected);
    }),
    { numRuns: 20 },
  );
});

test('what one seals the other opens, and neither opens what was changed', async () => {
  const plain = fc.uint8Array({ maxLength: 100 }).map((given) => new Uint8Array(given));
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((given) => new Uint8Array(given));
  const nonce = fc.uint8Array({ minLength: 12, maxLength: 12 }).map((given) => new Uint8Array(given));
  const parameters = fc.record({ key, nonce, associated: plain });
  await fc.assert(
    fc.asyncProperty(parameters, plain, fc.nat(15), async (given, plaintext, at) => {
      const sealed = await pairs.sealing.encryptGcm(given, plaintext);
      assert.deepEqual(sealed, await sealing.encryptGcm(given, plaintext));
      const tag = sealed.tag.map((byte, index) => (index === at ? byte ^ 1 : byte));
      const associated = Uint8Array.of(...given.associated, 0);
      for (const each of [pairs.sealing, sealing]) {
        assert.deepEqual(await each.decryptGcm(given, sealed), plaintext);
        await assert.rejects(each.decryptGcm(given, { ...sealed, tag }));
        await assert.rejects(each.decryptGcm({ ...given, associated }, sealed));
      }
    }),
  );
});

test('random bytes: as many as asked for, more than a browser gives at once, and not the same again', () => {
  for (const length of [0, 1, 65_536, 65_537, 200_000]) assert.equal(pairs.random.randomBytes(length).length, length);
  // A value is missing from 200,000 bytes with a chance of 10^-337; of the last 3,392, which the browser gives by themselves, fewer
  // than 129 values are different with one far below 10^-100.
  const drawn = pairs.random.randomBytes(200_000);
  assert.equal(new Set(drawn).size, 256);
  assert.ok(new Set(drawn.subarray(196_608)).size > 128);
  assert.notDeepEqual(pairs.random.randomBytes(16), pairs.random.randomBytes(16));
});

test('turns come in order, and others have theirs in between', async () => {
  const seen: string[] = [];
  setTimeout(() => seen.push('timer'), 0);
  for (let index = 0; index < 50 || !seen.includes('timer'); index += 1) await pairs.loop.turn();
  seen.push('end');
  assert.deepEqual(seen, ['timer', 'end']);
});

test('neither OpenSSL nor a kernel: what looks for them takes BigInt without a warning', () => {
  assert.throws(() => pairs.exchange.modularExchange(15n), /no OpenSSL/);
  assert.equal(findKernels(browserAddon.loadAddon()), browserAddon.notBuilt);
});

function littleEndian(of: Uint8Array): bigint {
  return of.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

test.run();
