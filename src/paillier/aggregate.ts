/**
 * What a facilitator computes: the product of contributions, ciphertext by ciphertext, which is an encryption of their sum.
 *
 * The product is re-randomised before anybody gets it, so that it tells nothing about the randomness of a single contribution.
 */
import { SealsumError } from '../errors.ts';
import { addCiphertexts, decodeCiphertexts, encodeCiphertexts } from './ciphertexts.ts';
import type { Encryptor } from './encryptor.ts';

/**
 * Multiplies contributions.
 *
 * @param encryptor for the model owner's public key; gives the fresh randomness
 * @param count ciphertexts per contribution
 * @param contributions at least one, each `count` ciphertexts in fixed-width big-endian bytes
 * @returns `count` ciphertexts in the same form
 * @throws SealsumError ciphertext_invalid when a contribution is not valid, or there is none
 */
export function aggregate(encryptor: Encryptor, count: number, contributions: readonly Uint8Array[]): Uint8Array {
  const { publicKey } = encryptor;
  const [first, ...others] = contributions;
  if (first === undefined) throw new SealsumError('ciphertext_invalid', 'there is no contribution to multiply');
  let product = decodeCiphertexts(publicKey, first, count);
  for (const bytes of others) {
    const factors = decodeCiphertexts(publicKey, bytes, count);
    product = product.map((each, index) => {
      const factor = factors[index];
      // decodeCiphertexts gives exactly `count`; an absent factor must never be taken for a one.
      if (factor === undefined) throw new SealsumError('ciphertext_invalid', `ciphertext ${index} is missing`);
      return addCiphertexts(publicKey, each, factor);
    });
  }
  return encodeCiphertexts(
    publicKey,
    product.map((each) => encryptor.rerandomise(each)),
  );
}
