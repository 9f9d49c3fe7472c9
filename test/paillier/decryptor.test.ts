import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PrivateKey } from 'paillier-bigint';
import { suite } from 'uvu';
import { bigintToBytes } from '../../src/paillier/bytes.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { generateKeyPair, testOnlyGenerateKeyPair } from '../../src/paillier/key-generation.ts';
import { primesOf, testOnlyPrivateKeyFromPrimes } from '../../src/paillier/private-key.ts';
import type { Ciphertext } from '../../src/paillier/public-key.ts';
import { backends } from './backends.ts';
import { below, runs, smallKeys } from './keys.ts';

const test = suite('decryptor');

const { publicKey, privateKey } = smallKeys;
const { n, _n2: square } = publicKey;
const { p, q } = primesOf(privateKey);
const encryptor = createEncryptor(publicKey);
const decryptors = backends.map((backend) => createDecryptor(privateKey, { backend }));
const blinding = backends.filter(({ kernel }) => kernel === undefined || kernel.engine === 'portable');

test('property: agrees with paillier-bigint on its ciphertexts and on ours, through every backend', () => {
  fc.assert(
    fc.property(below(n), (m) => {
      for (const c of [encryptor.encrypt(m), publicKey.encrypt(m)]) {
        assert.equal(privateKey.decrypt(c), m);
        for (const decryptor of decryptors) assert.equal(decryptor.decrypt(c as Ciphertext), m);
      }
    }),
    { numRuns: runs / 3 },
  );
});

test('property: every unit modulo n² is a ciphertext, and decrypts as paillier-bigint decrypts it', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: square - 1n }), (c) => {
      fc.pre(c % p !== 0n && c % q !== 0n);
      for (const decryptor of decryptors) assert.equal(decryptor.decrypt(c as Ciphertext), privateKey.decrypt(c));
    }),
    { numRuns: runs / 3 },
  );
});

test('ciphertexts without randomness: 1 + m·n decrypts to m for the ends of the range', () => {
  for (const decryptor of decryptors) {
    for (const m of [0n, 1n, 2n, p, q, n - p, n - q, n - 2n, n - 1n]) {
      assert.equal(decryptor.decrypt((1n + m * n) as Ciphertext), m);
      assert.equal(decryptor.decrypt(encryptor.encrypt(m)), m);
    }
    assert.equal(decryptor.decrypt((square - 1n) as Ciphertext), 0n);
  }
});

test('the mask never shows: extremes of randomness give the same plaintexts', () => {
  for (const backend of backends)
    for (const fill of [0, 1, 127]) {
      const decryptor = createDecryptor(privateKey, { backend, random: (length) => new Uint8Array(length).fill(fill) });
      for (const m of [0n, 1n, n >> 1n, n - 1n]) assert.equal(decryptor.decrypt(encryptor.encrypt(m)), m);
    }
});

test('a fresh mask is drawn for every decryption, but by a kernel, whose time depends on nothing that one would hide', () => {
  for (const backend of blinding) {
    let draws = 0;
    const decryptor = createDecryptor(privateKey, {
      backend,
      random: (length) => {
        draws += 1;
        return new Uint8Array(length).fill(draws);
      },
    });
    const c = encryptor.encrypt(77n);
    for (let round = 1; round <= 4; round += 1) {
      assert.equal(decryptor.decrypt(c), 77n);
      assert.equal(draws, round);
    }
  }
});

test('property: a batch of any length decrypts to what its ciphertexts decrypt to', () => {
  fc.assert(
    fc.property(fc.array(below(n), { maxLength: 11 }), (plaintexts) => {
      const bytes = encryptor.encryptBatch(plaintexts);
      for (const decryptor of decryptors)
        assert.deepEqual(decryptor.decryptBatch(bytes, plaintexts.length), plaintexts, 'a batch');
    }),
    { numRuns: runs / 3 },
  );
});

test('a batch is refused for what any of its ciphertexts is refused for, which is named', () => {
  const good = encryptor.encryptBatch([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n, 10n]);
  const width = good.length / 10;
  for (const decryptor of decryptors) {
    for (const [value, expectation] of [
      [0n, 'expected 0 < c < n²'],
      [square, 'expected 0 < c < n²'],
      [3n * p, 'expected gcd(c, n) = 1'],
      [5n * q, 'expected gcd(c, n) = 1'],
      [1n + 3n * n, 'expected c ≢ 1 mod n: it was encrypted without randomness'],
    ] as const)
      for (const index of [0, 3, 4, 8, 9]) {
        const spoiled = new Uint8Array(good);
        spoiled.set(bigintToBytes(value, width), index * width);
        assert.throws(() => decryptor.decryptBatch(spoiled, 10), {
          code: 'ciphertext_invalid',
          message: `ciphertext ${index} (of 10, counted from 0): ${expectation}`,
        });
      }
    for (const length of [0, 1, good.length - 1, good.length - width])
      assert.throws(() => decryptor.decryptBatch(good.subarray(0, length), 10), { code: 'ciphertext_invalid' });
  }
});

test('refuses 0, n² and what is outside', () => {
  for (const decryptor of decryptors) {
    for (const c of [0n, -1n, -n, square, square + 1n, square * 2n]) {
      assert.throws(() => decryptor.decrypt(c as Ciphertext), {
        name: 'SealsumError',
        code: 'ciphertext_invalid',
        field: 'ciphertext',
        message: 'ciphertext: expected 0 < c < n²',
      });
    }
  }
});

test('refuses multiples of n, of p and of q', () => {
  for (const decryptor of decryptors) {
    for (const c of [n, 2n * n, square - n, p, q, p * p, q * q, 12_345n * p, square - p, square - q, p * n]) {
      assert.throws(() => decryptor.decrypt(c as Ciphertext), {
        code: 'ciphertext_invalid',
        field: 'ciphertext',
        message: 'ciphertext: expected gcd(c, n) = 1',
      });
    }
  }
});

test('the wrong key gives another number, never the plaintext', async () => {
  const other = await testOnlyGenerateKeyPair({ bits: 514 });
  const wrong = createDecryptor(other.privateKey);
  for (const m of [0n, 1n, 123_456_789n]) assert.notEqual(wrong.decrypt(encryptor.encrypt(m)), m);
});

test('refuses a private key that was never checked', () => {
  const key = new PrivateKey(privateKey.lambda, privateKey.mu, publicKey, p, q);
  assert.throws(() => createDecryptor(key), { code: 'key_invalid', field: 'private key' });
});

test('keys of other lengths, and primes that are 1 mod 4', async () => {
  for (const bits of [32, 34, 50, 64, 130, 510, 514, 1024]) {
    const keys = await testOnlyGenerateKeyPair({ bits });
    const own = createEncryptor(keys.publicKey);
    for (const backend of backends) {
      const decryptor = createDecryptor(keys.privateKey, { backend });
      assert.equal(decryptor.publicKey, keys.publicKey);
      for (const m of [0n, 1n, keys.publicKey.n >> 1n, keys.publicKey.n - 1n]) {
        assert.equal(decryptor.decrypt(own.encrypt(m)), m, `${bits} bits, ${backend.name}`);
      }
    }
  }
  for (const [first, second] of [
    [65_537n, 65_539n],
    [65_537n, 65_581n],
    [13n, 11n],
  ] as const) {
    const key = testOnlyPrivateKeyFromPrimes(first, second);
    for (const backend of backends) {
      const decryptor = createDecryptor(key, { backend });
      for (const m of [0n, 1n, key.publicKey.n - 1n]) {
        assert.equal(decryptor.decrypt(key.publicKey.encrypt(m) as Ciphertext), m, backend.name);
      }
    }
  }
});

for (const bits of [2048, 3072]) {
  test(`at ${bits} bits all backends and paillier-bigint agree`, async () => {
    const keys = await generateKeyPair({ bits });
    const own = createEncryptor(keys.publicKey);
    for (const m of [0n, 1n, keys.publicKey.n >> 3n, keys.publicKey.n - 1n]) {
      const c = own.encrypt(m);
      assert.equal(keys.privateKey.decrypt(c), m);
      for (const backend of backends) {
        assert.equal(createDecryptor(keys.privateKey, { backend }).decrypt(c), m);
      }
    }
  });
}

test.run();
