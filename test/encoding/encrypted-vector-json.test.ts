/** Vectors between parties: what was sent arrives, and nothing that is not exactly a vector. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { decryptVector } from '../../src/encoding/encrypted-vector-decryption.ts';
import { encryptVector } from '../../src/encoding/encrypted-vector-encryption.ts';
import { type EncryptedVectorJson, vectorFromJson, vectorToJson } from '../../src/encoding/encrypted-vector-json.ts';
import { bigintToBytes } from '../../src/paillier/bytes.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { testOnlyGenerateKeyPair } from '../../src/paillier/key-generation.ts';
import { ciphertextBytes } from '../../src/paillier/public-key.ts';
import { backends } from '../paillier/backends.ts';
import { smallKeys } from '../paillier/keys.ts';

const test = suite('encrypted vector: JSON');

const { publicKey, privateKey } = smallKeys;
const encryptor = createEncryptor(publicKey);
const decryptor = createDecryptor(privateKey);
const values = [1.5, -2, 0.25];
const vector = await encryptVector(encryptor, values, { fractionBits: 8, bound: 10 });
const json = await vectorToJson(encryptor, vector);
const width = ciphertextBytes(publicKey);

test('arrives as it was sent', async () => {
  assert.deepEqual(
    [json.length, json.scale, json.bound, json.slot_bits, json.ciphertexts.length],
    [3, '256', '2560', 510, Math.ceil((4 * 3 * width) / 3)],
  );
  for (const backend of backends) {
    for (const layout of [{}, { slotBits: 50 }]) {
      const sent = await encryptVector(encryptor, values, { fractionBits: 8, bound: 10, ...layout });
      const arrived = vectorFromJson(publicKey, JSON.parse(JSON.stringify(await vectorToJson(encryptor, sent))), {
        backend,
      });
      for (const field of ['length', 'scale', 'bound', 'slotBits', 'slotsPerCiphertext', 'headroomBits'] as const)
        assert.equal(arrived[field], sent[field]);
      assert.deepEqual(await vectorToJson(encryptor, arrived), await vectorToJson(encryptor, sent));
      assert.deepEqual([...(await decryptVector(decryptor, arrived.add(sent)))], [3, -4, 0.5]);
    }
  }
});

/** The same vector with other bytes in place of its second ciphertext. */
function withSecond(value: bigint): EncryptedVectorJson {
  const bytes = Buffer.from(json.ciphertexts, 'base64url');
  bytes.set(bigintToBytes(value, width), width);
  return { ...json, ciphertexts: bytes.toString('base64url') };
}

test('refuses whatever is not exactly a vector under this key, naming what it is', async () => {
  const { n, _n2: square } = publicKey;
  const other = (await testOnlyGenerateKeyPair({ bits: 512 })).publicKey;
  const withoutLength = { ...json, length: undefined };
  for (const [wrong, code, field] of [
    [null, 'message_invalid', 'vector'],
    [[], 'message_invalid', 'vector'],
    ['text', 'message_invalid', 'vector'],
    [withoutLength, 'message_invalid', 'length'],
    [{ ...json, more: 1 }, 'message_invalid', 'more'],
    [{ ...json, length: 0 }, 'message_invalid', 'length'],
    [{ ...json, length: 3.5 }, 'message_invalid', 'length'],
    [{ ...json, length: '3' }, 'message_invalid', 'length'],
    [{ ...json, length: 2 }, 'message_invalid', 'ciphertexts'],
    [{ ...json, length: 4 }, 'message_invalid', 'ciphertexts'],
    [{ ...json, length: 2 ** 53 - 1 }, 'message_invalid', 'ciphertexts'],
    [{ ...json, scale: '0' }, 'message_invalid', 'scale'],
    [{ ...json, scale: '0256' }, 'message_invalid', 'scale'],
    [{ ...json, scale: '-256' }, 'message_invalid', 'scale'],
    [{ ...json, scale: '2.5' }, 'message_invalid', 'scale'],
    [{ ...json, scale: '9'.repeat(4934) }, 'message_invalid', 'scale'],
    [{ ...json, scale: '9'.repeat(4933) }, 'number_out_of_bounds', 'bound'],
    [{ ...json, scale: 256 }, 'message_invalid', 'scale'],
    [{ ...json, bound: '0x10' }, 'message_invalid', 'bound'],
    [{ ...json, bound: '00' }, 'message_invalid', 'bound'],
    [{ ...json, bound: (2n ** 508n + 1n).toString() }, 'plan_unsafe', 'bound'],
    [{ ...json, slot_bits: 300 }, 'message_invalid', 'slot_bits'],
    [{ ...json, slot_bits: 511 }, 'plan_unsafe', 'slotBits'],
    [{ ...json, slot_bits: 0 }, 'message_invalid', 'slot_bits'],
    [{ ...json, slot_bits: 50 }, 'message_invalid', 'ciphertexts'],
    [{ ...json, key: 'x' }, 'plan_mismatch', 'key'],
    [{ ...json, ciphertexts: `${json.ciphertexts}=` }, 'message_invalid', 'ciphertexts'],
    [{ ...json, ciphertexts: `+${json.ciphertexts.slice(1)}` }, 'message_invalid', 'ciphertexts'],
    [{ ...json, ciphertexts: json.ciphertexts.slice(4) }, 'message_invalid', 'ciphertexts'],
    [withSecond(0n), 'ciphertext_invalid', 'ciphertext 1'],
    [withSecond(1n), 'ciphertext_invalid', 'ciphertext 1'],
    [withSecond(1n + 5n * n), 'ciphertext_invalid', 'ciphertext 1'],
    [withSecond(7n * n), 'ciphertext_invalid', 'ciphertext 1'],
    [withSecond(square), 'ciphertext_invalid', 'ciphertext 1'],
    [withSecond(square + 3n), 'ciphertext_invalid', 'ciphertext 1'],
  ] as const) {
    assert.throws(() => vectorFromJson(publicKey, wrong), { code, field }, JSON.stringify(wrong).slice(0, 150));
  }
  assert.throws(() => vectorFromJson(other, json), { code: 'plan_mismatch', field: 'key' });
});

test('every other spelling of the same bytes is refused', () => {
  // A vector whose bytes are no multiple of three leaves bits in its last character.
  const one = { ...json, length: 1, ciphertexts: json.ciphertexts.slice(0, Math.ceil((4 * width) / 3)) };
  assert.equal(width % 3, 2);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 63 }), (digit) => {
      const last = Buffer.from([digit << 2])
        .toString('base64url')
        .charAt(0);
      const ciphertexts = `${one.ciphertexts.slice(0, -1)}${last}`;
      const bytes = Buffer.from(ciphertexts, 'base64url');
      if (bytes.toString('base64url') === ciphertexts) return;
      assert.throws(() => vectorFromJson(publicKey, { ...one, ciphertexts }), {
        code: 'message_invalid',
        field: 'ciphertexts',
      });
    }),
  );
});

test.run();
