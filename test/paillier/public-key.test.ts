import assert from 'node:assert/strict';
import { generatePrimeSync } from 'node:crypto';
import { PublicKey } from 'paillier-bigint';
import { suite } from 'uvu';
import { encodeInteger } from '../../src/paillier/jwk.ts';
import { generateKeyPair } from '../../src/paillier/key-generation.ts';
import {
  assertChecked,
  ciphertextBytes,
  publicKeyFromJwk,
  publicKeyFromModulus,
  publicKeyToJwk,
  testOnlyPublicKeyFromModulus,
} from '../../src/paillier/public-key.ts';

const test = suite('public key');

const { publicKey } = await generateKeyPair({ bits: 2048 });
const { n } = publicKey;
const prime = (bits: number): bigint => generatePrimeSync(bits, { bigint: true });
/** A prime factor that trial division does not find, so that only the check in question can refuse. */
const factor = prime(1024);
const largePrime = prime(2050);

function refuses(modulus: bigint, message: string): void {
  for (const make of [publicKeyFromModulus, testOnlyPublicKeyFromModulus]) {
    assert.throws(() => make(modulus), { name: 'SealsumError', code: 'key_invalid', field: 'n', message });
  }
}

test('takes the product of two primes and makes the key of g = n + 1, which cannot be changed any more', () => {
  const key = publicKeyFromModulus(n);
  assert.ok(key instanceof PublicKey);
  assert.equal(key.n, n);
  assert.equal(key.g, n + 1n);
  assert.equal(key._n2, n * n);
  assert.throws(() => Object.assign(key, { n: 15n }), TypeError);
});

test('refuses an even modulus', () => {
  for (const even of [2n * largePrime, n + 1n, 1n << 2048n, 2n * n]) {
    refuses(even, 'n: expected a product of two odd primes, found an even or too small number');
  }
});

test('refuses a prime modulus', () => {
  refuses(largePrime, 'n: expected a product of two primes, found a prime');
});

test('refuses squares and higher powers', () => {
  const message = 'n: expected two distinct primes, found a perfect power';
  refuses(factor ** 2n, message);
  refuses(prime(700) ** 3n, message);
  refuses(prime(300) ** 7n, message);
  refuses(prime(18) ** 127n, message);
  refuses((prime(600) * prime(600)) ** 2n, message);
});

test('refuses small factors, and lets those pass that trial division does not reach', () => {
  for (const small of [3n, 5n, 251n, 65_521n]) {
    refuses(small * largePrime, 'n: expected a product of two large primes, found a small factor');
  }
  assert.equal(publicKeyFromModulus(65_537n * largePrime).n % 65_537n, 0n);
});

test('refuses every size below 2048 bits, and says how large a key must be', () => {
  const { n: shorter } = testOnlyPublicKeyFromModulus(prime(512) * prime(512));
  const cases: [bigint, number][] = [
    [shorter, 1024],
    [n >> 1n, 2047],
    [1n << 2046n, 2047],
    [15n, 4],
    [1n, 1],
    [0n, 0],
    [-n, 0],
  ];
  for (const [modulus, bits] of cases) {
    assert.throws(() => publicKeyFromModulus(modulus), {
      code: 'key_too_small',
      field: 'n',
      message: `n: expected at least 2048 bits, found ${bits}; make a larger key`,
    });
  }
});

test('the test-only function takes small moduli and still refuses what is no modulus', () => {
  assert.equal(testOnlyPublicKeyFromModulus(15n).n, 15n);
  assert.equal(testOnlyPublicKeyFromModulus(0xffff_fffbn * 0xffff_ffefn).bitLength, 64);
  const notTwoPrimes = 'n: expected a product of two odd primes, found an even or too small number';
  for (const modulus of [-15n, 0n, 1n, 2n, 9n, 14n, 16n]) {
    assert.throws(() => testOnlyPublicKeyFromModulus(modulus), { code: 'key_invalid', message: notTwoPrimes });
  }
  assert.throws(() => testOnlyPublicKeyFromModulus(17n), {
    message: 'n: expected a product of two primes, found a prime',
  });
  assert.throws(() => testOnlyPublicKeyFromModulus(0xffff_fffbn ** 2n), {
    message: 'n: expected two distinct primes, found a perfect power',
  });
});

test('refuses more bits than anybody needs before any work is done on them', () => {
  for (const bits of [16_385n, 1_000_000n]) {
    refuses((1n << (bits - 1n)) + 1n, `n: expected at most 16384 bits, found ${bits}`);
  }
});

test('a key made elsewhere does not count as checked', () => {
  assertChecked(publicKey);
  assertChecked(testOnlyPublicKeyFromModulus(15n));
  for (const key of [new PublicKey(n, n + 1n), new PublicKey(n, 5n)]) {
    assert.throws(
      () => {
        assertChecked(key);
      },
      {
        code: 'key_invalid',
        field: 'public key',
        message: 'public key: not checked yet; make it by publicKeyFromModulus(key.n)',
      },
    );
  }
});

test('a ciphertext is twice as wide as the modulus, in whole bytes', () => {
  assert.equal(ciphertextBytes(publicKey), 512);
  for (const bits of [64, 65, 66, 67, 68, 71, 72, 2047, 3072, 4096]) {
    const width = ciphertextBytes(new PublicKey(1n << BigInt(bits - 1), 0n));
    assert.equal(width, Math.ceil(bits / 4));
    assert.ok(((1n << BigInt(bits)) - 1n) ** 2n < 1n << BigInt(8 * width));
  }
});

test('JWK: exactly what pheutil writes, and back', () => {
  const jwk = publicKeyToJwk(publicKey, 'generated by pheutil on 2024-05-06 07:08:09');
  assert.deepEqual(jwk, {
    kty: 'DAJ',
    alg: 'PAI-GN1',
    key_ops: ['encrypt'],
    n: Buffer.from(n.toString(16), 'hex').toString('base64url'),
    kid: 'Paillier public key generated by pheutil on 2024-05-06 07:08:09',
  });
  assert.deepEqual(Object.keys(jwk), ['kty', 'alg', 'key_ops', 'n', 'kid']);
  assert.equal(publicKeyToJwk(publicKey).kid, 'Paillier public key generated by sealsum');
  assert.equal(publicKeyFromJwk(JSON.parse(JSON.stringify(jwk))).n, n);
});

test('JWK: takes other members, and no key_ops and kid', () => {
  const { kty, alg, n: text } = publicKeyToJwk(publicKey);
  assert.equal(publicKeyFromJwk({ kty, alg, n: text }).n, n);
  assert.equal(publicKeyFromJwk({ kty, alg, n: text, key_ops: ['verify', 'encrypt'], use: 'enc', kid: 7 }).n, n);
});

test('JWK: refuses everything else, naming the member', () => {
  const good = publicKeyToJwk(publicKey);
  const notCanonical = 'expected canonical base64url: no padding, no leading zero byte, no other characters';
  const notText = 'expected base64url text of an integer of at most 16384 bits';
  const text = good.n;
  const cases: [string, unknown, string][] = [
    ['kty', 'RSA', 'expected "DAJ"'],
    ['kty', undefined, 'expected "DAJ"'],
    ['kty', 'daj', 'expected "DAJ"'],
    ['alg', 'PAI-GN2', 'expected "PAI-GN1"'],
    ['alg', undefined, 'expected "PAI-GN1"'],
    ['key_ops', ['decrypt'], 'expected a list with "encrypt"'],
    ['key_ops', [], 'expected a list with "encrypt"'],
    ['key_ops', 'encrypt', 'expected a list with "encrypt"'],
    ['n', undefined, notText],
    ['n', null, notText],
    ['n', 12_345, notText],
    ['n', n, notText],
    ['n', 'A'.repeat(3000), notText],
    ['n', '', notCanonical],
    ['n', `${text}=`, notCanonical],
    ['n', `${text} `, notCanonical],
    ['n', ` ${text}`, notCanonical],
    ['n', `${text.slice(0, 20)}\n${text.slice(20)}`, notCanonical],
    ['n', `${text}AAA`, notCanonical],
    ['n', `AAAA${text}`, notCanonical],
    ['n', Buffer.from(n.toString(16), 'hex').toString('base64'), notCanonical],
    ['n', n.toString(), notCanonical],
    // The last character of 256 bytes carries 2 bits; the same bytes with a 1 among the 4 unused bits.
    ['n', text.slice(0, -1) + successor(text.slice(-1)), notCanonical],
  ];
  for (const [member, value, expectation] of cases) {
    assert.throws(
      () => publicKeyFromJwk({ ...good, [member]: value }),
      { code: 'key_invalid', field: member, message: `${member}: ${expectation}` },
      `${member} = ${String(value)}`,
    );
  }
  for (const value of [undefined, null, 7, 'text', [good], n]) {
    assert.throws(() => publicKeyFromJwk(value), {
      code: 'key_invalid',
      field: 'public key',
      message: 'public key: expected a JSON object',
    });
  }
});

test('JWK: the modulus inside is checked too', () => {
  const withModulus = (modulus: bigint): unknown => ({ ...publicKeyToJwk(publicKey), n: encodeInteger(modulus) });
  assert.throws(() => publicKeyFromJwk(withModulus(prime(512) * prime(512))), { code: 'key_too_small' });
  assert.throws(() => publicKeyFromJwk(withModulus(n + 1n)), { code: 'key_invalid', field: 'n' });
  assert.throws(() => publicKeyFromJwk(withModulus(largePrime)), { code: 'key_invalid', field: 'n' });
});

test('JWK: a private key given for a public one is refused, so that nobody passes it on by mistake', () => {
  for (const member of ['p', 'q', 'd', 'pub']) {
    assert.throws(() => publicKeyFromJwk({ ...publicKeyToJwk(publicKey), [member]: 'AQ' }), {
      code: 'key_invalid',
      field: member,
      message: `${member}: this is a private key; extract its public key and pass only that on`,
    });
  }
});

/** The next character of the base64url alphabet. */
function successor(character: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return alphabet.charAt(alphabet.indexOf(character) + 1);
}

test.run();
