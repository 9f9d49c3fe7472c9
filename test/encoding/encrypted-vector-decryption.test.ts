/** Decryption believes no bound, and renormalisation makes room again, once, explicitly, by the key's owner. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import type { EncryptedVector } from '../../src/encoding/encrypted-vector.ts';
import { decryptVector, renormaliseVector } from '../../src/encoding/encrypted-vector-decryption.ts';
import { encryptVector, vectorFromCiphertexts } from '../../src/encoding/encrypted-vector-encryption.ts';
import { vectorFromJson, vectorToJson } from '../../src/encoding/encrypted-vector-json.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { testOnlyGenerateKeyPair } from '../../src/paillier/key-generation.ts';
import { rational } from '../../src/privacy/rational.ts';
import { backends } from '../paillier/backends.ts';
import { smallKeys } from '../paillier/keys.ts';
import { assertTwins, rounded, vectorsOf } from './encrypted-vectors.ts';

const runs = process.env.SLOW === undefined ? 30 : 500;
const { publicKey, privateKey } = smallKeys;

for (const backend of backends) {
  const test = suite(`encrypted vector: decryption, ${backend.name}`);
  const encryptor = createEncryptor(publicKey, { backend });
  const decryptor = createDecryptor(privateKey, { backend });

  const opened = async (vector: EncryptedVector): Promise<number[]> => [...(await decryptVector(decryptor, vector))];
  /** As somebody sends it who states another bound. */
  async function claiming(vector: EncryptedVector, bound: bigint): Promise<EncryptedVector> {
    const json = await vectorToJson(encryptor, vector);
    return vectorFromJson(publicKey, { ...json, bound: bound.toString() }, { backend });
  }

  test('a vector that does not keep to the bound it states is an error that names the value, never a number', async () => {
    for (const layout of [{}, { slotBits: 40 }]) {
      const vector = await encryptVector(encryptor, [1, -7, 6], { fractionBits: 0, bound: 10, ...layout });
      assert.deepEqual(await opened(await claiming(vector, 7n)), [1, -7, 6]);
      await assert.rejects(opened(await claiming(vector, 6n)), { code: 'slot_overflow', field: 'value 1' });
      const negated = vector.negate();
      await assert.rejects(opened(await claiming(negated, 6n)), { code: 'slot_overflow', field: 'value 1' });
    }
    // A plaintext that is no digits at all, and one with something above its last slot.
    const far = vectorFromCiphertexts(publicKey, [encryptor.encrypt(publicKey.n / 2n)], {
      fractionBits: 0,
      bound: 2 ** 500,
      backend,
    });
    await assert.rejects(opened(far), { code: 'slot_overflow', field: 'value 0' });
    const two = await vectorToJson(
      encryptor,
      await encryptVector(encryptor, [1, 2], { fractionBits: 0, bound: 2, slotBits: 40 }),
    );
    const one = vectorFromJson(publicKey, { ...two, length: 1 }, { backend });
    await assert.rejects(opened(one), { code: 'slot_overflow', field: 'value 0', message: /left over above it/ });
  });

  test('what has no randomness before it is re-randomised is read too, whichever values it is in', async () => {
    const vector = await encryptVector(encryptor, [1, 2, 3, 4], { fractionBits: 2, bound: 8 });
    assert.deepEqual(await opened(await vector.multiplyPlain([1, 0, -1, 0])), [1, 0, -3, 0]);
    assert.deepEqual(await opened(vector.subtract(vector)), [0, 0, 0, 0]);
    assert.deepEqual(await opened(vector.subtract(vector).addPlain([5, -6, 7, 0])), [5, -6, 7, 0]);
  });

  test('renormalising rounds to the new scale, keeps the layout, and makes room', async () => {
    const cases = fc.record({
      values: vectorsOf(3),
      layout: fc.constantFrom({}, { slotBits: 80 }),
      divisor: fc.integer({ min: 1, max: 30 }),
      fractionBits: fc.integer({ min: 0, max: 30 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ values, layout, divisor, fractionBits }) => {
        const start = await encryptVector(encryptor, values, { fractionBits: 20, bound: 100, ...layout });
        const long = (await start.multiplyPlain(2 ** -10, { fractionBits: 20 })).divide(divisor);
        const short = await renormaliseVector(decryptor, encryptor, long, { fractionBits });
        assert.equal(short.scale, 2n ** BigInt(fractionBits));
        assert.equal(short.slotBits, start.slotBits);
        const expected = values.map((value) => {
          // What is rounded is value·2^20 / (2^30·divisor), which need not be a double.
          const { numerator, denominator } = rounded(value, 2n ** 20n);
          return nearest(numerator, denominator * 1024n * BigInt(divisor), short.scale);
        });
        await assertTwins(decryptor, { vector: short, values: expected });
      }),
      { numRuns: runs },
    );
    const vector = await encryptVector(encryptor, [1.5, -3], { fractionBits: 20, bound: 4, slotBits: 40 });
    const product = await vector.multiplyPlain(3, { fractionBits: 14 });
    await assert.rejects(product.multiplyPlain(3, { fractionBits: 14 }), { code: 'plan_unsafe' });
    const again = await renormaliseVector(decryptor, encryptor, product, { fractionBits: 20, bound: 16 });
    assert.deepEqual(await opened(await again.multiplyPlain(3, { fractionBits: 8 })), [13.5, -27]);
  });

  test('refuses to renormalise what does not fit, and whatever has another key', async () => {
    const vector = await encryptVector(encryptor, [1.5, -3], { fractionBits: 20, bound: 4, slotBits: 40 });
    const other = await testOnlyGenerateKeyPair({ bits: 512 });
    const otherDecryptor = createDecryptor(other.privateKey);
    const otherEncryptor = createEncryptor(other.publicKey);
    const options = { fractionBits: 10 };
    for (const attempt of [
      decryptVector(otherDecryptor, vector),
      renormaliseVector(otherDecryptor, encryptor, vector, options),
      renormaliseVector(decryptor, otherEncryptor, vector, options),
      vectorToJson(otherEncryptor, vector),
    ]) {
      await assert.rejects(attempt, { code: 'plan_mismatch', field: 'key' });
    }
    for (const [wrong, code, field] of [
      [{ fractionBits: 37 }, 'plan_unsafe', 'renormalise'],
      [{ fractionBits: 10, bound: 2 }, 'number_out_of_bounds', 'value 1'],
      [{ fractionBits: 0.5 }, 'number_out_of_bounds', 'fractionBits'],
      [{ fractionBits: 10, signal: AbortSignal.abort() }, 'aborted', undefined],
    ] as const) {
      await assert.rejects(renormaliseVector(decryptor, encryptor, vector, wrong), { code, field });
    }
  });

  test.run();
}

/** The multiple of 1 / scale that is nearest to a fraction, ties to even: twice it, rounded down, decides. */
function nearest(numerator: bigint, denominator: bigint, scale: bigint): ReturnType<typeof rational> {
  const product = numerator * scale;
  const down = (product - (((product % denominator) + denominator) % denominator)) / denominator;
  const twice = 2n * (product - down * denominator);
  const up = twice > denominator || (twice === denominator && down % 2n !== 0n);
  return rational(up ? down + 1n : down, scale);
}
