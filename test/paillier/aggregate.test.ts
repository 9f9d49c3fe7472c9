/** Products of blocks: what holds for whole contributions holds for every way to cut them. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import { aggregate, rerandomiseBlock, startProduct } from '../../src/paillier/aggregate.ts';
import { lanesOf } from '../../src/paillier/backend.ts';
import { bigintToBytes } from '../../src/paillier/bytes.ts';
import { decodeCiphertexts, encodeCiphertexts } from '../../src/paillier/ciphertexts.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { multiplyMany } from '../../src/paillier/multiply-many.ts';
import { ciphertextBytes } from '../../src/paillier/public-key.ts';
import { backends } from './backends.ts';
import { runs, smallKeys } from './keys.ts';

for (const backend of backends) {
  const test = suite(`aggregate, ${backend.name}`);

  const { publicKey, privateKey } = smallKeys;
  const encryptor = createEncryptor(publicKey, { backend });
  const decryptor = createDecryptor(privateKey, { backend });
  const width = ciphertextBytes(publicKey);

  const encrypted = (values: readonly bigint[]): Uint8Array =>
    encodeCiphertexts(
      publicKey,
      values.map((value) => encryptor.encrypt(value)),
    );
  const opened = (bytes: Uint8Array): bigint[] =>
    decodeCiphertexts(publicKey, bytes, bytes.length / width, backend).map((each) => decryptor.decrypt(each));
  function multiplied(first: Uint8Array, ...others: readonly Uint8Array[]): Uint8Array {
    const product = startProduct(publicKey, first, backend);
    for (const each of others) product.multiply(each);
    return product.bytes();
  }

  const value = fc.bigInt({ min: 0n, max: publicKey.n - 1n });
  const pairs = fc.array(fc.tuple(value, value), { minLength: 1, maxLength: 6 });

  test('the product of two blocks decrypts to the sums, and the blocks of a product are the products of the blocks', () => {
    fc.assert(
      fc.property(pairs, fc.nat(6), (values, cut) => {
        const one = encrypted(values.map(([first]) => first));
        const other = encrypted(values.map(([, second]) => second));
        const product = multiplied(one, other);
        assert.deepEqual(
          opened(product),
          values.map(([first, second]) => (first + second) % publicKey.n),
        );
        assert.deepEqual(multiplied(other, one), product);
        const at = Math.min(cut, values.length) * width;
        const parts = [
          multiplied(one.subarray(0, at), other.subarray(0, at)),
          multiplied(one.subarray(at), other.subarray(at)),
        ];
        assert.deepEqual(new Uint8Array(Buffer.concat(parts)), product);
      }),
      { numRuns: runs },
    );
  });

  test('a re-randomised block decrypts to the same and has no ciphertext in common; everybody has a turn after every few', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(value, { maxLength: 5 }), async (values) => {
        const block = encrypted(values);
        let pauses = 0;
        const fresh = await rerandomiseBlock(encryptor, block, {
          pause: () => {
            pauses += 1;
            return Promise.resolve();
          },
        });
        assert.equal(pauses, Math.max(1, Math.ceil(values.length / lanesOf(encryptor.backend))));
        assert.deepEqual(opened(fresh), values);
        for (let at = 0; at < block.length; at += width)
          assert.notDeepEqual(fresh.subarray(at, at + width), block.subarray(at, at + width));
      }),
      { numRuns: runs },
    );
  });

  test('what stops it in between stops it', async () => {
    let pauses = 0;
    const stop = (): Promise<void> => {
      pauses += 1;
      return pauses === 2 ? Promise.reject(new Error('stop')) : Promise.resolve();
    };
    const many = encrypted(Array.from({ length: 2 * lanesOf(encryptor.backend) + 1 }, () => 1n));
    await assert.rejects(rerandomiseBlock(encryptor, many, { pause: stop }), /^Error: stop$/);
    assert.equal(pauses, 2);
    const aborting = { pause: () => Promise.resolve(), signal: AbortSignal.abort() };
    await assert.rejects(rerandomiseBlock(encryptor, many, aborting), { code: 'aborted' });
  });

  test('block by block is as good as all at once', async () => {
    const contributions = [3n, 5n, 7n].map((owner) => encrypted([owner, owner * owner, 0n, publicKey.n - owner]));
    const [first, ...others] = contributions;
    assert.ok(first !== undefined);
    const product = multiplied(first, ...others);
    const whole = aggregate(encryptor, 4, contributions);
    assert.deepEqual(opened(await rerandomiseBlock(encryptor, product, {})), opened(whole));
    assert.deepEqual(opened(whole), [15n, 83n, 0n, publicKey.n - 15n]);
    let pauses = 0;
    const pause = (): Promise<void> => {
      pauses += 1;
      return Promise.resolve();
    };
    assert.deepEqual(await multiplyMany(publicKey, contributions, {}, encryptor.backend), product);
    assert.deepEqual(await multiplyMany(publicKey, contributions, { pause }, encryptor.backend), product);
    assert.ok(pauses >= 2, `${pauses} pauses`);
    assert.deepEqual(await multiplyMany(publicKey, [first], {}, encryptor.backend), first);
  });

  test('blocks that are none, or not as long as each other, are refused', async () => {
    const block = encrypted([1n, 2n]);
    const refused = (error: unknown): boolean => error instanceof SealsumError && error.code === 'ciphertext_invalid';
    for (const length of [1, width - 1, width + 1, 2 * width - 1]) {
      assert.throws(() => multiplied(block.subarray(0, length), block.subarray(0, length)), refused);
      await assert.rejects(rerandomiseBlock(encryptor, block.subarray(0, length), {}), refused);
    }
    assert.throws(() => multiplied(block, block.subarray(width)), refused);
    assert.throws(() => multiplied(block.subarray(width), block), refused);
    for (const value of [0n, publicKey._n2]) {
      const spoiled = new Uint8Array(block);
      spoiled.set(bigintToBytes(value, width), width);
      assert.throws(() => multiplied(block, spoiled), refused);
      assert.throws(() => multiplied(spoiled, block), refused);
      await assert.rejects(rerandomiseBlock(encryptor, spoiled, {}), refused);
    }
    assert.throws(() => aggregate(encryptor, 2, []), refused);
    await assert.rejects(multiplyMany(publicKey, [], {}, encryptor.backend), refused);
    await assert.rejects(multiplyMany(publicKey, [block, block.subarray(width)], {}, encryptor.backend), refused);
  });

  test.run();
}
