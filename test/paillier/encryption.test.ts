import assert from 'node:assert/strict';
import { modPow } from 'bigint-crypto-utils';
import fc from 'fast-check';
import { PublicKey } from 'paillier-bigint';
import { suite } from 'uvu';
import { bigintBackend, opensslBackend } from '../../src/paillier/backend.ts';
import { bitLength } from '../../src/paillier/bytes.ts';
import { encodeCiphertexts } from '../../src/paillier/ciphertexts.ts';
import { breakEven, Encryption, exponentBits } from '../../src/paillier/encryption.ts';
import {
  type CombShape,
  combCost,
  combShape,
  FixedBaseTable,
  fixedBaseTableBytes,
  greatestShape,
} from '../../src/paillier/fixed-base.ts';
import { generateKeyPair, testOnlyGenerateKeyPair } from '../../src/paillier/key-generation.ts';
import type { Ciphertext } from '../../src/paillier/public-key.ts';
import { randomBits, systemRandom } from '../../src/paillier/random.ts';
import { backends } from './backends.ts';
import { below, runs, smallKeys } from './keys.ts';

const test = suite('encryption');

const { publicKey, privateKey } = smallKeys;
const { n, _n2: square } = publicKey;
const alphaBits = exponentBits(publicKey);
const mostAlpha = (1n << BigInt(alphaBits)) - 1n;
const alphas = fc.oneof(
  { weight: 8, arbitrary: fc.bigInt({ min: 1n, max: mostAlpha }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(1n, 2n, 255n, 256n, 257n, mostAlpha >> 8n, mostAlpha >> 1n, mostAlpha - 1n, mostAlpha),
  },
  { weight: 1, arbitrary: fc.nat(alphaBits - 1).map((bit) => 1n << BigInt(bit)) },
);
const x = 2n + randomBits(500, systemRandom);

function complete(encryption: Encryption): Encryption {
  while (!encryption.tableComplete) encryption.buildPiece();
  return encryption;
}

/** Every backend without a table and with one. */
function pathsOfAll(): Encryption[] {
  return backends.flatMap((backend) => [
    new Encryption(publicKey, x, backend),
    complete(new Encryption(publicKey, x, backend)),
  ]);
}

/** The formula as the paper has it, by plain modular powers. */
function reference(m: bigint, alpha: bigint): bigint {
  const h = n - modPow(x, 2n, n);
  return (modPow(n + 1n, m, square) * modPow(modPow(h, n, square), alpha, square)) % square;
}

test('property: backend path and table path both give (1 + n)^m·h_s^α mod n², for every backend', () => {
  const encryptions = backends.flatMap((backend) => [
    new Encryption(publicKey, x, backend),
    complete(new Encryption(publicKey, x, backend)),
  ]);
  fc.assert(
    fc.property(below(n), alphas, (m, alpha) => {
      const expected = reference(m, alpha);
      for (const encryption of encryptions) assert.equal(encryption.encryptWithExponent(m, alpha), expected);
    }),
    { numRuns: runs },
  );
});

test('every shape of table gives the same ciphertexts as the backend', () => {
  const plain = new Encryption(publicKey, x, opensslBackend);
  for (let teeth = 1; teeth <= 10; teeth += 1)
    for (const blocks of [1, 2, 3, 5, 7, 16, 64, 1000]) {
      const tabled = complete(new Encryption(publicKey, x, opensslBackend, { teeth, blocks }));
      for (const alpha of [1n, 2n ** BigInt(teeth), mostAlpha, randomBits(alphaBits, systemRandom) | 1n])
        assert.equal(
          tabled.encryptWithExponent(7n, alpha),
          plain.encryptWithExponent(7n, alpha),
          `${teeth} × ${blocks}`,
        );
    }
});

test('keys of odd lengths and lengths that fill no byte encrypt alike on both paths', async () => {
  for (const bits of [32, 34, 50, 62, 130, 254, 258]) {
    const keys = await testOnlyGenerateKeyPair({ bits });
    const own = 2n + randomBits(bits / 2 - 2, systemRandom);
    const plain = new Encryption(keys.publicKey, own, bigintBackend);
    const tabled = backends.map((backend) => complete(new Encryption(keys.publicKey, own, backend)));
    const most = (1n << BigInt(exponentBits(keys.publicKey))) - 1n;
    for (const alpha of [1n, most, most >> 1n, most - (most >> 3n)]) {
      for (const m of [0n, 1n, keys.publicKey.n - 1n]) {
        const expected = plain.encryptWithExponent(m, alpha);
        for (const each of tabled) assert.equal(each.encryptWithExponent(m, alpha), expected, `${bits} bits`);
      }
    }
  }
});

for (const bits of [2048, 3072]) {
  test(`at ${bits} bits all paths give the same, and paillier-bigint decrypts it`, async () => {
    const keys = await generateKeyPair({ bits });
    const own = randomBits(bits - 1, systemRandom) + 2n;
    const plain = new Encryption(keys.publicKey, own, opensslBackend);
    const tabled = backends.map((backend) =>
      complete(new Encryption(keys.publicKey, own, backend, { teeth: 4, blocks: 3 })),
    );
    for (const m of [0n, 1n, keys.publicKey.n - 1n, randomBits(bits - 1, systemRandom)]) {
      const alpha = randomBits(bits / 2, systemRandom) + 1n;
      const c = plain.encryptWithExponent(m, alpha);
      for (const each of tabled) assert.equal(each.encryptWithExponent(m, alpha), c);
      assert.equal(keys.privateKey.decrypt(c), m);
    }
  });
}

test('property: a batch is what its ciphertexts are one by one, in bytes; nothing is computed when one is refused', () => {
  for (const encryption of pathsOfAll()) {
    fc.assert(
      fc.property(fc.array(fc.tuple(below(n), alphas), { maxLength: 9 }), (pairs) => {
        const bytes = encryption.encryptBatchWithExponents(
          pairs.map(([m]) => m),
          pairs.map(([, alpha]) => alpha),
        );
        assert.deepEqual(
          bytes,
          encodeCiphertexts(
            publicKey,
            pairs.map(([m, alpha]) => encryption.encryptWithExponent(m, alpha)),
          ),
          'a batch',
        );
      }),
      { numRuns: runs / 10 },
    );
    assert.throws(() => encryption.encryptBatchWithExponents([1n, n], [1n, 1n]), { code: 'plaintext_out_of_range' });
    for (const wrong of [[1n, 0n], [1n, mostAlpha + 1n], [1n]])
      assert.throws(() => encryption.encryptBatchWithExponents([1n, 2n], wrong), { code: 'exponent_out_of_range' });
  }
});

test('property: rerandomiseWithExponent multiplies by h_s^α and keeps the plaintext', () => {
  for (const encryption of pathsOfAll()) {
    fc.assert(
      fc.property(below(n), alphas, alphas, (m, alpha, beta) => {
        const c = encryption.encryptWithExponent(m, alpha);
        const again = encryption.rerandomiseWithExponent(c, beta);
        assert.equal(again, (reference(m, alpha) * reference(0n, beta)) % square);
        assert.notEqual(again, c);
        assert.equal(privateKey.decrypt(again), m);
      }),
      { numRuns: runs / 3 },
    );
  }
});

test('refuses plaintexts outside [0, n) on both paths, without showing them', () => {
  for (const encryption of pathsOfAll()) {
    for (const m of [-1n, -n, n, n + 1n, square]) {
      assert.throws(() => encryption.encryptWithExponent(m, 5n), {
        name: 'SealsumError',
        code: 'plaintext_out_of_range',
        field: 'plaintext',
        message: 'plaintext: expected 0 ≤ m < n; write a negative one as n − |m|',
      });
    }
  }
});

test('refuses an α of zero, which would not hide the plaintext, a negative one and one of too many bits', () => {
  for (const encryption of pathsOfAll()) {
    for (const alpha of [0n, -1n, -mostAlpha, mostAlpha + 1n, mostAlpha << 9n]) {
      const expected = {
        code: 'exponent_out_of_range',
        field: 'alpha',
        message: 'α: expected 0 < α < 2^⌈|n|/2⌉',
      };
      assert.throws(() => encryption.encryptWithExponent(5n, alpha), expected);
      assert.throws(() => encryption.rerandomiseWithExponent(5n as Ciphertext, alpha), expected);
    }
  }
});

test('refuses a key that was never checked', () => {
  assert.throws(() => new Encryption(new PublicKey(n, n + 1n), x, opensslBackend), {
    code: 'key_invalid',
    field: 'public key',
  });
});

test('a table refuses to be used before it is complete, and building it further does nothing', () => {
  const table = new FixedBaseTable(n, 7n, 32, { teeth: 3, blocks: 2 });
  for (let piece = 0; piece < 3 + 2; piece += 1) {
    assert.ok(!table.complete);
    assert.throws(() => table.power(0xffff_ffffn, 0n), {
      code: 'backend_unavailable',
      message: 'fixed-base table: not complete; build its other pieces first',
    });
    table.buildPiece();
  }
  assert.ok(table.complete);
  table.buildPiece();
  assert.equal(table.power(0xffff_ffffn, 0n), modPow(7n, 0xffff_ffffn, square));
  assert.equal(table.power(0n, 0n), 1n);
  assert.equal(table.power(0n, 3n), 1n + 3n * n);
});

test('property: a table takes any unit as its base, not only powers of n', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 2n, max: square - 1n }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 30 }),
      below(n),
      (base, teeth, blocks, m) => {
        const table = new FixedBaseTable(n, base, 24, { teeth, blocks });
        while (!table.complete) table.buildPiece();
        for (const exponent of [1n, 0x80_0000n, 0xff_ffffn, 0x12_3456n]) {
          assert.equal(table.power(exponent, m), (modPow(base, exponent, square) * (1n + m * n)) % square);
        }
      },
    ),
    { numRuns: 40 },
  );
});

test('the memory of a table is what its entries take', () => {
  // 103 columns in 15 blocks of 7; 1023 entries each, two integers of 256 bytes and their overhead of 24.
  assert.equal(fixedBaseTableBytes(2048, 1024, greatestShape), 15 * 1023 * 2 * (256 + 24));
  assert.equal(fixedBaseTableBytes(3072, 1536, greatestShape), 16 * 1023 * 2 * (384 + 24));
  // 103 columns fill 12 blocks of 9, and no thirteenth.
  assert.equal(fixedBaseTableBytes(2049, 1025, { teeth: 10, blocks: 12 }), 12 * 1023 * 2 * (264 + 24));
  assert.equal(fixedBaseTableBytes(2049, 1025, { teeth: 10, blocks: 13 }), 13 * 1023 * 2 * (264 + 24));
  assert.equal(fixedBaseTableBytes(2049, 1025, { teeth: 10, blocks: 60 }), 52 * 1023 * 2 * (264 + 24));
  // 26 columns in 13 blocks of 2.
  assert.equal(new Encryption(publicKey, x, opensslBackend).tableBytes, 13 * 1023 * 2 * (64 + 24));
});

test('the shape for a number of powers is that with the fewest products, and grows with the number', () => {
  const products = (bits: number, powers: number, shape: CombShape): number => {
    const { build, power } = combCost(bits, shape);
    return build + powers * power;
  };
  for (const bits of [1024, 1536, 2048]) {
    let before = 0;
    for (const powers of [1, 10, 100, 1000, 1e4, 1e5, 1e6]) {
      const shape = combShape(bits, powers);
      for (let teeth = 1; teeth <= greatestShape.teeth; teeth += 1)
        for (let blocks = 1; blocks <= greatestShape.blocks; blocks += 1)
          assert.ok(products(bits, powers, shape) <= products(bits, powers, { teeth, blocks }));
      const bytes = fixedBaseTableBytes(2 * bits, bits, shape);
      assert.ok(bytes >= before);
      before = bytes;
    }
    assert.deepEqual(combShape(bits, Number.POSITIVE_INFINITY), greatestShape);
  }
});

test('a table pays for itself after some dozens of powers through OpenSSL, and sooner through BigInt', () => {
  for (const bits of [1024, 1536, 2048, 4096]) {
    const shape = combShape(bits, 200);
    assert.ok(breakEven(bits, shape, opensslBackend) < 60);
    assert.ok(breakEven(bits, greatestShape, opensslBackend) < 150);
    assert.ok(breakEven(bits, shape, bigintBackend) < breakEven(bits, shape, opensslBackend) / 4);
  }
  assert.equal(breakEven(1024, { teeth: 1, blocks: 1 }, opensslBackend), Number.POSITIVE_INFINITY);
  assert.equal(bitLength(mostAlpha), alphaBits);
});

test.run();
