/** What is refused before it is encrypted or computed, and python-paillier's ciphertexts as vectors. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { type EncryptedVector, meanVectors, sumVectors } from '../../src/encoding/encrypted-vector.ts';
import { decryptVector } from '../../src/encoding/encrypted-vector-decryption.ts';
import { encryptVector, vectorFromCiphertexts } from '../../src/encoding/encrypted-vector-encryption.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { testOnlyGenerateKeyPair } from '../../src/paillier/key-generation.ts';
import { privateKeyFromJwk } from '../../src/paillier/private-key.ts';
import { publicKeyFromJwk } from '../../src/paillier/public-key.ts';
import { smallKeys } from '../paillier/keys.ts';
import { sharedText } from '../support/shared.ts';

const test = suite('encrypted vector: encryption');

const { publicKey, privateKey } = smallKeys;
const encryptor = createEncryptor(publicKey);
const decryptor = createDecryptor(privateKey);
const range = { fractionBits: 8, bound: 10 };
const own = await encryptVector(encryptor, [1, 2, 3], range);
const packed = await encryptVector(encryptor, [1, 2, 3], { ...range, slotBits: 40 });

test('values are rounded to the scale, ties to even, and a value at the bound is within it', async () => {
  const vector = await encryptVector(encryptor, [0.75, 2.5, 3.5, -2.5, -10, 10], { fractionBits: 0, bound: 10 });
  assert.deepEqual([...(await decryptVector(decryptor, vector))], [1, 2, 4, -2, -10, 10]);
  assert.deepEqual([vector.scale, vector.bound, vector.length], [1n, 10n, 6]);
});

test('slots are as many as fit, and where only one fits it has all bits of the key', async () => {
  assert.deepEqual([own.slotBits, own.slotsPerCiphertext], [510, 1]);
  assert.deepEqual([packed.slotBits, packed.slotsPerCiphertext], [40, 12]);
  for (const [slotBits, expected] of [
    [255, [255, 2]],
    [256, [510, 1]],
    [510, [510, 1]],
  ] as const) {
    const vector = await encryptVector(encryptor, [1, -1], { ...range, slotBits });
    assert.deepEqual([vector.slotBits, vector.slotsPerCiphertext], expected);
    assert.deepEqual([...(await decryptVector(decryptor, vector))], [1, -1]);
  }
});

test('refuses values and options that cannot be, by name and without the value', async () => {
  for (const [values, options, code, field] of [
    [[1, Number.NaN], range, 'number_not_finite', 'value 1'],
    [[-Infinity], range, 'number_not_finite', 'value 0'],
    [[1, 2, 1234.5], range, 'number_out_of_bounds', 'value 2'],
    [[-10.1], range, 'number_out_of_bounds', 'value 0'],
    [[], range, 'number_out_of_bounds', 'values'],
    [[1], { ...range, fractionBits: -1 }, 'number_out_of_bounds', 'fractionBits'],
    [[1], { ...range, fractionBits: 1.5 }, 'number_out_of_bounds', 'fractionBits'],
    [[1], { ...range, fractionBits: 1075 }, 'number_out_of_bounds', 'fractionBits'],
    [[1], { ...range, bound: 0 }, 'number_out_of_bounds', 'bound'],
    [[1], { ...range, bound: -5 }, 'number_out_of_bounds', 'bound'],
    [[1], { ...range, bound: 2 ** -9 }, 'number_out_of_bounds', 'bound'],
    [[1], { ...range, bound: Infinity }, 'number_out_of_bounds', 'bound'],
    [[1], { ...range, bound: 2 ** 501 }, 'plan_unsafe', 'bound'],
    [[1], { ...range, slotBits: 13 }, 'plan_unsafe', 'bound'],
    [[1], { ...range, slotBits: 2 }, 'plan_unsafe', 'slotBits'],
    [[1], { ...range, slotBits: 511 }, 'plan_unsafe', 'slotBits'],
    [[1], { ...range, slotBits: 20.5 }, 'plan_unsafe', 'slotBits'],
  ] as const) {
    await assert.rejects(encryptVector(encryptor, values, options), (error: unknown) => {
      assert.ok(error instanceof Error && 'code' in error && 'field' in error);
      assert.deepEqual([error.code, error.field], [code, field]);
      assert.doesNotMatch(error.message, /1234/);
      return true;
    });
  }
  await assert.rejects(encryptVector(encryptor, [1], { ...range, signal: AbortSignal.abort() }), { code: 'aborted' });
});

test('what lies together is computed together: one factor for all, and no dot product, sum or part', async () => {
  const shared = { code: 'plan_mismatch', message: /12 values share a ciphertext; .*encrypt without slotBits$/ };
  await assert.rejects(packed.multiplyPlain([1, 2, 3]), { ...shared, field: 'multiplyPlain' });
  await assert.rejects(packed.dotPlain([1, 2, 3]), { ...shared, field: 'dotPlain' });
  assert.throws(() => packed.sum(), { ...shared, field: 'sum' });
  assert.throws(() => packed.mean(), { ...shared, field: 'sum' });
  assert.throws(() => packed.slice(0, 1), { ...shared, field: 'slice' });
  assert.deepEqual([...(await decryptVector(decryptor, await packed.multiplyPlain(-2)))], [-2, -4, -6]);
});

test('refuses vectors of another length, layout or key, and none at all', async () => {
  const otherKey = (await testOnlyGenerateKeyPair({ bits: 512 })).publicKey;
  const other = createEncryptor(otherKey);
  for (const [vector, field] of [
    [await encryptVector(encryptor, [1, 2], range), 'length'],
    [packed, 'slotBits'],
    [await encryptVector(other, [1, 2, 3], range), 'key'],
  ] as const) {
    for (const use of [() => own.add(vector), () => own.subtract(vector), () => meanVectors([own, vector])]) {
      assert.throws(use, { code: 'plan_mismatch', field });
    }
  }
  assert.throws(() => sumVectors([]), { code: 'plan_mismatch', field: 'vectors' });
  await assert.rejects(own.rerandomise(other), { code: 'plan_mismatch', field: 'key' });
});

test('refuses plain operands that are not as many, not finite, not whole or beyond their bound', async () => {
  for (const [attempt, code, field] of [
    [() => own.addPlain([1, 2]), 'plan_mismatch', 'values'],
    [() => own.addPlain([1, Number.NaN, 3]), 'number_not_finite', 'value 1'],
    [() => own.addPlain([1, 2, -3], { bound: 2 }), 'number_out_of_bounds', 'value 2'],
    [() => own.addPlain(1, { bound: 0 }), 'number_out_of_bounds', 'bound'],
    [() => own.multiplyPlain([1]), 'plan_mismatch', 'factors'],
    [() => own.multiplyPlain(Infinity), 'number_not_finite', 'factor 0'],
    [() => own.multiplyPlain([1, 0.5, 1]), 'number_out_of_bounds', 'factor 1'],
    [() => own.multiplyPlain(3, { bound: 2 }), 'number_out_of_bounds', 'factor 0'],
    [() => own.multiplyPlain(0.5, { fractionBits: -1 }), 'number_out_of_bounds', 'fractionBits'],
    [() => own.dotPlain([1, 2, 3, 4]), 'plan_mismatch', 'weights'],
    [() => own.dotPlain([1, 2, 0.1]), 'number_out_of_bounds', 'weight 2'],
    [() => own.dotRows([]), 'plan_mismatch', 'rows'],
    [
      () =>
        own.dotRows([
          [1, 2, 3],
          [1, Number.NaN, 3],
        ]),
      'number_not_finite',
      'row 1, weight 1',
    ],
    [() => own.divide(0), 'number_out_of_bounds', 'divisor'],
    [() => own.divide(-2n), 'number_out_of_bounds', 'divisor'],
    [() => own.divide(1.5), 'number_out_of_bounds', 'divisor'],
    [() => own.divide(1n << 16_384n), 'number_out_of_bounds', 'divide'],
    [() => own.slice(1, 1), 'plan_mismatch', 'slice'],
    [() => own.slice(0, 4), 'plan_mismatch', 'slice'],
    [() => own.slice(-1, 2), 'plan_mismatch', 'slice'],
  ] as const) {
    const settled = async (): Promise<EncryptedVector> => attempt();
    await assert.rejects(settled, { code, field });
  }
});

test('with a bound for the weights, what is public of a result does not depend on them', async () => {
  const options = { fractionBits: 4, bound: 3 };
  for (const weights of [
    [0, 0, 0],
    [3, -3, 3],
    [0.25, 1, -1.5],
  ]) {
    const results = [
      await own.dotPlain(weights, options),
      await own.multiplyPlain(weights, options),
      own.addPlain(weights, { bound: 3 }),
    ];
    // 10·2^8 times 3·2^4 for each of three; times 3·2^4; and 3·2^8 more.
    assert.deepEqual(
      results.map(({ bound, scale }) => [bound, scale]),
      [
        [368_640n, 4096n],
        [122_880n, 4096n],
        [3328n, 256n],
      ],
    );
  }
});

/** What this file reads of python-paillier's vectors: v × 16^e. */
interface TheirNumber {
  readonly v: string;
  readonly e: number;
}

const vectors = sharedText('vectors/paillier/phe-2048.json');
const vectorTest = "adds and multiplies python-paillier's numbers as it did";
if (vectors === undefined) test.skip(vectorTest);
else
  test(vectorTest, async () => {
    const file = JSON.parse(vectors) as {
      readonly public: unknown;
      readonly private: object;
      readonly cases: readonly {
        readonly k: number;
        readonly sum: number;
        readonly a_times_k: number;
        readonly enc_a: TheirNumber;
        readonly enc_b: TheirNumber;
        readonly enc_sum: TheirNumber;
        readonly enc_a_times_k: TheirNumber;
      }[];
    };
    const theirs = publicKeyFromJwk(file.public);
    const theirDecryptor = createDecryptor(privateKeyFromJwk(file.private));
    const read = ({ v, e }: TheirNumber): EncryptedVector =>
      vectorFromCiphertexts(theirs, [BigInt(v)], { fractionBits: -4 * e, bound: 2 ** 60 });
    const open = async (vector: EncryptedVector): Promise<number[]> => [
      ...(await decryptVector(theirDecryptor, vector)),
    ];
    assert.equal(file.cases.length, 16);
    for (const each of file.cases) {
      const [a, b] = [read(each.enc_a), read(each.enc_b)];
      assert.deepEqual(await open(a.add(b)), [each.sum]);
      assert.deepEqual(await open(read(each.enc_sum)), [each.sum]);
      assert.deepEqual(await open(await a.multiplyPlain(each.k)), [each.a_times_k]);
      assert.deepEqual(await open(read(each.enc_a_times_k)), [each.a_times_k]);
      assert.deepEqual(await open(a.subtract(b).add(b)), await open(a));
    }
  });

test('refuses ciphertexts that are none', () => {
  for (const wrong of [0n, 1n, publicKey.n, publicKey._n2]) {
    assert.throws(() => vectorFromCiphertexts(publicKey, [encryptor.encrypt(1n), wrong], range), {
      code: 'ciphertext_invalid',
      field: 'ciphertext 1',
    });
  }
  assert.throws(() => vectorFromCiphertexts(publicKey, [], range), { code: 'number_out_of_bounds', field: 'values' });
});

test.run();
