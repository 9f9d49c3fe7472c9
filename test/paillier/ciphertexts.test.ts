import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import {
  addCiphertexts,
  addPlaintext,
  decodeCiphertexts,
  encodeCiphertexts,
  multiplyCiphertext,
  validateCiphertexts,
} from '../../src/paillier/ciphertexts.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { testOnlyGenerateKeyPair } from '../../src/paillier/key-generation.ts';
import { primesOf } from '../../src/paillier/private-key.ts';
import { type Ciphertext, ciphertextBytes } from '../../src/paillier/public-key.ts';
import { backends } from './backends.ts';
import { below, runs, smallKeys } from './keys.ts';

for (const backend of backends) {
  const test = suite(`ciphertexts, ${backend.name}`);

  const { publicKey, privateKey } = smallKeys;
  const { n, _n2: square } = publicKey;
  const { p, q } = primesOf(privateKey);
  const encryptor = createEncryptor(publicKey, { backend });
  const decryptor = createDecryptor(privateKey, { backend });
  const decrypt = (c: Ciphertext): bigint => decryptor.decrypt(c);
  const width = ciphertextBytes(publicKey);
  const modulo = (value: bigint): bigint => ((value % n) + n) % n;
  const anyInteger = fc.oneof(
    below(n),
    fc.bigInt({ min: -(n ** 2n), max: n ** 2n }),
    fc.constantFrom(-1n, -2n, -n, n, 2n * n + 1n),
  );

  test('property: D(E(a)·E(b)) = a + b mod n', () => {
    fc.assert(
      fc.property(below(n), below(n), (a, b) => {
        const sum = addCiphertexts(publicKey, encryptor.encrypt(a), encryptor.encrypt(b));
        assert.equal(decrypt(sum), (a + b) % n);
        assert.ok(sum > 0n && sum < square);
      }),
      { numRuns: runs },
    );
  });

  test('property: addition is commutative and associative in the ciphertexts themselves', () => {
    const [a, b, c] = [encryptor.encrypt(1n), encryptor.encrypt(2n), encryptor.encrypt(n - 2n)];
    assert.equal(addCiphertexts(publicKey, a, b), addCiphertexts(publicKey, b, a));
    const left = addCiphertexts(publicKey, addCiphertexts(publicKey, a, b), c);
    assert.equal(left, addCiphertexts(publicKey, a, addCiphertexts(publicKey, b, c)));
    assert.equal(decrypt(left), 1n);
  });

  test('property: D(addPlaintext(E(a), b)) = a + b mod n for any integer b', () => {
    fc.assert(
      fc.property(below(n), anyInteger, (a, b) => {
        const sum = addPlaintext(publicKey, encryptor.encrypt(a), b);
        assert.equal(decrypt(sum), modulo(a + b));
        assert.ok(sum > 0n && sum < square);
      }),
      { numRuns: runs },
    );
  });

  test('property: D(E(a)^k) = k·a mod n for any integer k, negative ones and zero too', () => {
    fc.assert(
      fc.property(below(n), anyInteger, (a, k) => {
        const product = multiplyCiphertext(publicKey, encryptor.encrypt(a), k);
        assert.equal(decrypt(product), modulo(a * k));
        assert.ok(product > 0n && product < square);
      }),
      { numRuns: runs },
    );
    assert.equal(multiplyCiphertext(publicKey, encryptor.encrypt(5n), 0n), 1n);
    const c = encryptor.encrypt(5n);
    assert.equal(multiplyCiphertext(publicKey, c, 1n), c);
    assert.equal(multiplyCiphertext(publicKey, c, n + 1n), c);
    assert.equal(decrypt(multiplyCiphertext(publicKey, c, -1n)), n - 5n);
  });

  test('property: an affine combination decrypts to the same combination', () => {
    fc.assert(
      fc.property(below(n), below(n), anyInteger, anyInteger, anyInteger, (a, b, j, k, shift) => {
        const [left, right] = [encryptor.encrypt(a), encryptor.encrypt(b)];
        const combined = addPlaintext(
          publicKey,
          addCiphertexts(publicKey, multiplyCiphertext(publicKey, left, j), multiplyCiphertext(publicKey, right, k)),
          shift,
        );
        assert.equal(decrypt(encryptor.rerandomise(combined)), modulo(a * j + b * k + shift));
      }),
      { numRuns: runs / 3 },
    );
  });

  test('property: decoding undoes encoding, and the bytes are the ciphertexts in fixed width and nothing else', () => {
    fc.assert(
      fc.property(fc.array(below(n), { maxLength: 8 }), (plaintexts) => {
        const ciphertexts = plaintexts.map((m) => encryptor.encrypt(m));
        const bytes = encodeCiphertexts(publicKey, ciphertexts);
        assert.equal(bytes.length, plaintexts.length * width);
        assert.equal(
          Buffer.from(bytes).toString('hex'),
          ciphertexts.map((c) => c.toString(16).padStart(2 * width, '0')).join(''),
        );
        assert.deepEqual(decodeCiphertexts(publicKey, bytes, plaintexts.length, backend), ciphertexts);
        assert.deepEqual(validateCiphertexts(publicKey, ciphertexts), ciphertexts);
      }),
      { numRuns: runs },
    );
  });

  test('decodes what lies in the middle of a larger buffer', () => {
    const ciphertexts = [encryptor.encrypt(1n), encryptor.encrypt(2n)];
    const larger = Buffer.alloc(3 * width + 7, 0xff);
    larger.set(encodeCiphertexts(publicKey, ciphertexts), 5);
    assert.deepEqual(decodeCiphertexts(publicKey, larger.subarray(5, 5 + 2 * width), 2, backend), ciphertexts);
  });

  test('refuses every other length', () => {
    const bytes = encodeCiphertexts(publicKey, [encryptor.encrypt(1n), encryptor.encrypt(2n)]);
    for (let length = 0; length <= 3 * width + 1; length += 1) {
      if (length === 2 * width) continue;
      const wrong = new Uint8Array(length);
      wrong.set(bytes.subarray(0, length));
      assert.throws(() => decodeCiphertexts(publicKey, wrong, 2, backend), {
        name: 'SealsumError',
        code: 'ciphertext_invalid',
        field: 'ciphertexts',
        message: `ciphertexts: expected ${2 * width} bytes (2 × ${width}), found ${length}`,
      });
    }
    for (const count of [0, 1, 3, 4, -2, 1.5, Number.NaN]) {
      assert.throws(() => decodeCiphertexts(publicKey, bytes, count, backend), {
        code: 'ciphertext_invalid',
        field: 'ciphertexts',
      });
    }
    assert.deepEqual(decodeCiphertexts(publicKey, new Uint8Array(), 0, backend), []);
  });

  test('refuses the ciphertexts of a key of another length', async () => {
    for (const bits of [504, 520, 1024]) {
      const other = await testOnlyGenerateKeyPair({ bits });
      const bytes = encodeCiphertexts(other.publicKey, [createEncryptor(other.publicKey).encrypt(1n)]);
      assert.throws(() => decodeCiphertexts(publicKey, bytes, 1, backend), {
        code: 'ciphertext_invalid',
        field: 'ciphertexts',
      });
    }
  });

  const range = 'expected 0 < c < n²';
  const unit = 'expected gcd(c, n) = 1';
  const hidden = 'expected c ≢ 1 mod n: it was encrypted without randomness';
  const widest = (1n << BigInt(8 * width)) - 1n;
  const invalid: readonly [string, bigint, string][] = [
    ['0', 0n, range],
    ['n²', square, range],
    ['n² + 1', square + 1n, range],
    ['n² + n', square + n, range],
    ['the greatest of its width', widest, range],
    ['n', n, unit],
    ['2n', 2n * n, unit],
    ['n² − n', square - n, unit],
    ['p', p, unit],
    ['q', q, unit],
    ['p²', p * p, unit],
    ['a multiple of p', 987_654_321n * p, unit],
    ['a multiple of q just below n²', square - q, unit],
    ['1', 1n, hidden],
    ['1 + n', 1n + n, hidden],
    ['1 + m·n', 1n + 123_456_789n * n, hidden],
    ['1 − n mod n²', square - n + 1n, hidden],
  ];

  for (const [name, value, expectation] of invalid) {
    test(`refuses ${name} wherever it stands, and names its index`, () => {
      for (const count of [1, 2, 3, 7, 8]) {
        const good = Array.from({ length: count }, (_, index) => encryptor.encrypt(BigInt(index)));
        for (let index = 0; index < count; index += 1) {
          const values = good.with(index, value as Ciphertext);
          const expected = {
            code: 'ciphertext_invalid',
            field: `ciphertext ${index}`,
            message: `ciphertext ${index} (of ${count}, counted from 0): ${expectation}`,
          };
          assert.throws(() => validateCiphertexts(publicKey, values), expected);
          assert.throws(
            () => decodeCiphertexts(publicKey, encodeCiphertexts(publicKey, values), count, backend),
            expected,
          );
        }
      }
    });
  }

  test('refuses negative numbers, and what is too wide to encode', () => {
    for (const value of [-1n, -square, widest + 1n]) {
      assert.throws(() => validateCiphertexts(publicKey, [value]), {
        code: 'ciphertext_invalid',
        message: `ciphertext 0 (of 1, counted from 0): ${range}`,
      });
      assert.throws(() => encodeCiphertexts(publicKey, [value as Ciphertext]), {
        code: 'number_out_of_bounds',
      });
    }
  });

  test('of several culprits the first is named, even when their factors make up n together', () => {
    const good = Array.from({ length: 9 }, () => encryptor.encrypt(1n));
    for (const [first, second] of [
      [2, 7],
      [0, 1],
      [3, 4],
      [7, 8],
    ] as const) {
      for (const [a, b] of [
        [p, q],
        [q, p],
        [n, n],
      ] as const) {
        const values: bigint[] = good.with(first, a as Ciphertext).with(second, b as Ciphertext);
        assert.throws(() => validateCiphertexts(publicKey, values), { field: `ciphertext ${first}` });
      }
    }
  });

  test('refuses mutated bytes or takes them for another plaintext, and never throws anything else', () => {
    const bytes = encodeCiphertexts(publicKey, [encryptor.encrypt(1n)]);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (position, change) => {
        const mutated = bytes.slice();
        mutated[position] = (mutated[position] ?? 0) ^ change;
        try {
          const [c] = decodeCiphertexts(publicKey, mutated, 1, backend);
          assert.ok(c !== undefined && decrypt(c) !== 1n);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'ciphertext_invalid');
        }
      }),
      { numRuns: runs },
    );
  });

  test.run();
}
