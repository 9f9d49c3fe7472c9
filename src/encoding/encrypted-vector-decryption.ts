/** What the key's owner alone can do with an encrypted vector: read it, and make it short again. */
import { Buffer } from 'node:buffer';
import { bytesToBigint } from '../paillier/bytes.ts';
import { decryptMany } from '../paillier/decrypt-many.ts';
import type { Decryptor } from '../paillier/decryptor.ts';
import type { Encryptor } from '../paillier/encryptor.ts';
import { ciphertextBytes, type PublicKey } from '../paillier/public-key.ts';
import type { Spreading } from '../threads/spread.ts';
import { EncryptedVector, requireSameKey } from './encrypted-vector.ts';
import { encryptIntegers } from './encrypted-vector-encryption.ts';
import { boundAt, realsAt, scaleOf } from './encrypted-vector-numbers.ts';
import { requireRoom, unpackSlots } from './encrypted-vector-slots.ts';
import { divideRoundHalfEven } from './fixed-point.ts';

/** How a vector is made short. */
export interface RenormaliseOptions extends Spreading {
  /** Bits behind the binary point that are left. */
  readonly fractionBits: number;
  /** The greatest magnitude that a value may have, where less is known to be possible than the vector states. */
  readonly bound?: number;
}

/**
 * The real numbers: integer / scale, each rounded once, ties to even.
 *
 * @throws SealsumError slot_overflow naming the value that is beyond the bound that the vector states; plan_mismatch where the key is
 *   another; aborted
 */
export async function decryptVector(
  decryptor: Decryptor,
  vector: EncryptedVector,
  spreading: Spreading = {},
): Promise<Float64Array> {
  return realsAt(await decryptIntegers(decryptor, vector, spreading), vector.scale);
}

/**
 * The same numbers with fewer bits, freshly encrypted in the same layout: decrypts, rounds to multiples of 2^-fractionBits, ties to
 * even, and encrypts. Products and alignments have made the integers long and left their scale behind; after this there is room
 * again. It takes the private key and shows its owner the numbers: so it never happens by itself.
 *
 * @throws SealsumError as decryptVector and encryptVector do
 */
export async function renormaliseVector(
  decryptor: Decryptor,
  encryptor: Encryptor,
  vector: EncryptedVector,
  options: RenormaliseOptions,
): Promise<EncryptedVector> {
  const { layout } = EncryptedVector.partsOf(vector);
  requireSameKey(vector.publicKey, encryptor.publicKey);
  const scale = scaleOf(options.fractionBits);
  const rescale = (integer: bigint): bigint => divideRoundHalfEven(integer * scale, vector.scale);
  // Rounding is monotonic: what was within the old bound is within the old bound rounded.
  const bound = options.bound === undefined ? rescale(vector.bound) : boundAt(options.bound, scale);
  requireRoom('renormalise', layout, { scale, bound });
  const integers = await decryptIntegers(decryptor, vector, options);
  return encryptIntegers(encryptor, integers.map(rescale), layout, { scale, bound }, options);
}

async function decryptIntegers(decryptor: Decryptor, vector: EncryptedVector, spreading: Spreading): Promise<bigint[]> {
  const { publicKey, length, layout, ciphertexts, bound, fresh } = EncryptedVector.partsOf(vector);
  requireSameKey(publicKey, decryptor.publicKey);
  const width = ciphertextBytes(publicKey);
  const open = fresh ? new Map<number, bigint>() : withoutRandomness(publicKey, ciphertexts);
  const closed: Uint8Array[] = [];
  const count = ciphertexts.length / width;
  for (let index = 0; index < count; index += 1) {
    if (!open.has(index)) closed.push(ciphertexts.subarray(index * width, (index + 1) * width));
  }
  const bytes = open.size === 0 ? ciphertexts : new Uint8Array(Buffer.concat(closed));
  const decrypted = (await decryptMany(decryptor, bytes, closed.length, spreading)).values();
  const plaintexts = Array.from({ length: count }, (_, index) => {
    const plaintext = open.get(index) ?? decrypted.next().value;
    if (plaintext === undefined) throw new Error('one plaintext for each ciphertext');
    return plaintext;
  });
  return unpackSlots(layout, plaintexts, publicKey.n, length, bound);
}

/**
 * Plaintexts of ciphertexts (1 + m·n), by their index: the difference of a vector and itself, or its product by 0, has no randomness
 * before it is re-randomised. Decryptors refuse them.
 */
function withoutRandomness(publicKey: PublicKey, ciphertexts: Uint8Array): Map<number, bigint> {
  const { n } = publicKey;
  const width = ciphertextBytes(publicKey);
  const found = new Map<number, bigint>();
  for (let at = 0; at < ciphertexts.length; at += width) {
    const value = bytesToBigint(ciphertexts.subarray(at, at + width));
    if (value % n === 1n) found.set(at / width, value / n);
  }
  return found;
}
