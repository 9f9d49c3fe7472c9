/** Powers of ciphertexts by secret weights: plaintexts times weights, whatever the sign, and nothing of a weight in its exponent's length. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { bigintBackend, type ModularBackend } from '../../src/paillier/backend.ts';
import { bitLength } from '../../src/paillier/bytes.ts';
import { encodeCiphertexts, readIntegers } from '../../src/paillier/ciphertexts.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { generateKeyPair, testOnlyGenerateKeyPair } from '../../src/paillier/key-generation.ts';
import { multiplyAll, raiseAndMultiply, raiseEach, raiseToPublic } from '../../src/paillier/powers.ts';
import type { Ciphertext } from '../../src/paillier/public-key.ts';
import { createThreadPool } from '../../src/threads/pool.ts';
import { backends } from './backends.ts';
import { smallKeys } from './keys.ts';

const runs = process.env.SLOW === undefined ? 60 : 2000;

/** Plaintexts and weights in whole numbers modulo n, and the bits that the weights are said to have. */
const weighted = fc
  .record({
    bits: fc.integer({ min: 0, max: 90 }),
    items: fc.array(
      fc.tuple(
        fc.bigInt({ min: 0n, max: smallKeys.publicKey.n - 1n }),
        fc.bigInt({ min: -(2n ** 90n), max: 2n ** 90n }),
      ),
      { minLength: 1, maxLength: 11 },
    ),
  })
  .map(({ bits, items }) => ({
    bits,
    plaintexts: items.map(([plaintext]) => plaintext),
    weights: items.map(([, weight]) => weight % 2n ** BigInt(bits)),
  }));

for (const backend of backends) {
  const test = suite(`powers, ${backend.name}`);
  const { publicKey, privateKey } = smallKeys;
  const { n } = publicKey;
  const powers = { publicKey, backend };
  const encryptor = createEncryptor(publicKey, { backend });
  const decryptor = createDecryptor(privateKey);

  const encrypted = (plaintexts: readonly bigint[]): Uint8Array => encryptor.encryptBatch(plaintexts);
  /** Plaintexts; a power by 0 has no randomness and is 1. */
  const opened = (bytes: Uint8Array): bigint[] =>
    readIntegers(publicKey, bytes).map((c) => (c === 1n ? 0n : decryptor.decrypt(c as Ciphertext)));
  const residue = (value: bigint): bigint => ((value % n) + n) % n;

  test('each power multiplies its plaintext, their product adds the products up', async () => {
    await fc.assert(
      fc.asyncProperty(weighted, async ({ bits, plaintexts, weights }) => {
        const bytes = encrypted(plaintexts);
        const products = plaintexts.map((plaintext, index) => plaintext * (weights[index] ?? 0n));
        const negated = weights.map((weight) => -weight);
        const sum = products.reduce((total, each) => total + each, 0n);
        assert.deepEqual(opened(await raiseEach(powers, bytes, { values: weights, bits })), products.map(residue));
        assert.deepEqual(opened(await raiseAndMultiply(powers, bytes, { values: [weights, negated], bits })), [
          residue(sum),
          residue(-sum),
        ]);
      }),
      { numRuns: runs },
    );
  });

  test('public factors and products', () => {
    const plaintexts = [0n, 1n, n - 1n, 12345n];
    const bytes = encrypted(plaintexts);
    for (const factor of [1n, -1n, 2n, -2n, 3n ** 50n, -(3n ** 50n)]) {
      const expected = plaintexts.map((each) => residue(each * factor));
      assert.deepEqual(opened(raiseToPublic(powers, bytes, factor)), expected);
    }
    assert.deepEqual(opened(multiplyAll(publicKey, bytes)), [12345n]);
  });

  test('weights of more bits than stated, and another number of them, are refused before anything is computed', async () => {
    const bytes = encrypted([1n, 2n]);
    for (const values of [
      [8n, 0n],
      [-8n, 0n],
    ]) {
      for (const attempt of [
        raiseEach(powers, bytes, { values, bits: 3 }),
        raiseAndMultiply(powers, bytes, { values: [[0n, 0n], values], bits: 3 }),
      ]) {
        await assert.rejects(attempt, { code: 'exponent_out_of_range', field: 'weight 0' });
      }
    }
    for (const values of [[], [1n], [1n, 2n, 3n]]) {
      await assert.rejects(raiseEach(powers, bytes, { values, bits: 3 }), { code: 'exponent_out_of_range' });
    }
  });

  test('what is aborted is not computed', async () => {
    const signal = AbortSignal.abort();
    await assert.rejects(raiseEach(powers, encrypted([1n]), { values: [1n], bits: 1 }, { signal }), {
      code: 'aborted',
    });
  });

  test.run();
}

const test = suite('powers');

test('an exponent has as many bits for one weight as for another, zero and negative ones too', async () => {
  // Powers are kept for each key: with a key of its own, this backend is asked for all of them.
  const { publicKey } = await testOnlyGenerateKeyPair({ bits: 512 });
  const exponents: bigint[] = [];
  const backend: ModularBackend = {
    name: 'bigint',
    modularPower: (modulus) => {
      const power = bigintBackend.modularPower(modulus);
      return (base, exponent) => {
        exponents.push(exponent);
        return power(base, exponent);
      };
    },
  };
  const encryptor = createEncryptor(publicKey);
  const values = [0n, 1n, -1n, 2n, 1023n, -1023n, 512n, -512n];
  const bytes = encryptor.encryptBatch(values.map(() => 7n));
  await raiseEach({ publicKey, backend }, bytes, { values, bits: 10 });
  await raiseAndMultiply({ publicKey, backend }, bytes, { values: [values], bits: 10 });
  assert.equal(exponents.length, 3 * values.length + 1);
  assert.deepEqual([...new Set(exponents.map(bitLength))], [12]);
});

test('threads compute what is computed here', async () => {
  const { publicKey } = await generateKeyPair({ bits: 2048 });
  const powers = { publicKey, backend: bigintBackend };
  const pool = createThreadPool({ threads: 2 });
  let asked = 0;
  const counting: typeof pool = {
    ...pool,
    run: (...order) => {
      asked += 1;
      return pool.run(...order);
    },
  };
  try {
    const one = createEncryptor(publicKey).encrypt(5n);
    // Some 600 ms of work, where 100 are worth threads.
    const bytes = encodeCiphertexts(publicKey, new Array<Ciphertext>(300).fill(one));
    const weights = { values: Array.from({ length: 300 }, (_, index) => BigInt(index - 150) ** 8n), bits: 60 };
    assert.deepEqual(
      await raiseEach(powers, bytes, weights, { pool: counting }),
      await raiseEach(powers, bytes, weights),
    );
    assert.ok(asked > 0);
  } finally {
    await pool.close();
  }
});

test.run();
