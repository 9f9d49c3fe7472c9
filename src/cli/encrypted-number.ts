/**
 * python-paillier's EncryptedNumber (phe/paillier.py, version 1.5): the ciphertext of a mantissa with a public power of 16, and
 * what `pheutil` does with it. On disk it is `{"v": "decimal", "e": exponent}`.
 */
import { z } from 'zod';
import { encodeNumber, exponentFactor, greatestMantissa } from '../encoding/python-paillier-number.ts';
import { SealsumError } from '../errors.ts';
import { parseMessage } from '../http/problem.ts';
import { addCiphertexts, addPlaintext, multiplyCiphertext, validateCiphertexts } from '../paillier/ciphertexts.ts';
import { createEncryptor } from '../paillier/encryptor.ts';
import type { Ciphertext, PublicKey } from '../paillier/public-key.ts';

/** The ciphertext of m, which stands for m × 16^exponent. */
export interface EncryptedNumber {
  readonly ciphertext: Ciphertext;
  readonly exponent: number;
}

/** Numbers are written with this exponent or a lower one, so that it says little about them; `pheutil` does so too. */
const greatestExponent = -32;

const fileSchema = z.strictObject({
  // Long enough for a ciphertext under the longest key that is accepted; anything else is left to the check against the key.
  v: z
    .string({ error: 'expected the ciphertext as a decimal string' })
    .regex(/^[1-9][0-9]{0,9999}$/, 'expected the ciphertext in decimal digits'),
  e: z.int({ error: 'expected the exponent, an integer' }),
});

/**
 * The number in a file made under this key.
 *
 * Throws message_invalid naming the field where the file is not as expected, ciphertext_invalid where `v` is no ciphertext.
 */
export function parseEncryptedNumber(publicKey: PublicKey, json: unknown): EncryptedNumber {
  const { v, e } = parseMessage(fileSchema, json, 'ciphertext');
  const [ciphertext] = validateCiphertexts(publicKey, [BigInt(v)]);
  if (ciphertext === undefined)
    throw new SealsumError('ciphertext_invalid', 'v: expected a ciphertext', { field: 'v' });
  return { ciphertext, exponent: e };
}

/** The text of a file that holds the number, without a newline. */
export function formatEncryptedNumber(number: EncryptedNumber): string {
  return JSON.stringify({ v: number.ciphertext.toString(), e: number.exponent });
}

/** What can be made with a public key; every result is an encryption with fresh randomness, unlinkable to its operands. */
export interface NumberEncryptor {
  encrypt(value: number): EncryptedNumber;
  /** The sum of an encrypted number and a plain one. */
  add(number: EncryptedNumber, value: number): EncryptedNumber;
  /** The sum of two encrypted numbers. */
  addEncrypted(first: EncryptedNumber, second: EncryptedNumber): EncryptedNumber;
  /** The product of an encrypted number and a plain one. */
  multiply(number: EncryptedNumber, value: number): EncryptedNumber;
}

/**
 * Encrypts and computes as python-paillier does: of two exponents the lower one counts, and a product adds them.
 *
 * All methods throw number_not_finite for NaN and infinities, and exponent_out_of_range where exponents are too far apart for
 * the key. Whether a sum or product has outgrown the key shows only when it is decrypted, in the range that marks overflows.
 */
export function createNumberEncryptor(publicKey: PublicKey): NumberEncryptor {
  const encryptor = createEncryptor(publicKey);
  const { n } = publicKey;

  /** The same number with a lower exponent. */
  function lower({ ciphertext, exponent }: EncryptedNumber, target: number): EncryptedNumber {
    const factor = exponentFactor(exponent, target);
    if (factor > greatestMantissa(n)) {
      throw new SealsumError(
        'exponent_out_of_range',
        `exponent: ${exponent} is too far from ${target} for this key; use a larger key, or numbers closer in size`,
        { field: 'exponent' },
      );
    }
    const lowered = factor === 1n ? ciphertext : multiplyCiphertext(publicKey, ciphertext, factor);
    return { ciphertext: lowered, exponent: target };
  }

  function finish(number: EncryptedNumber): EncryptedNumber {
    const { ciphertext, exponent } = lower(number, Math.min(number.exponent, greatestExponent));
    return { ciphertext: encryptor.rerandomise(ciphertext), exponent };
  }

  return {
    encrypt(value) {
      const { encoding, exponent } = encodeNumber(value, n, { maxExponent: greatestExponent });
      return { ciphertext: encryptor.encrypt(encoding), exponent };
    },
    add(number, value) {
      const { encoding, exponent } = encodeNumber(value, n, { maxExponent: number.exponent });
      const { ciphertext } = lower(number, exponent);
      return finish({ ciphertext: addPlaintext(publicKey, ciphertext, encoding), exponent });
    },
    addEncrypted(first, second) {
      const exponent = Math.min(first.exponent, second.exponent);
      const sum = addCiphertexts(publicKey, lower(first, exponent).ciphertext, lower(second, exponent).ciphertext);
      return finish({ ciphertext: sum, exponent });
    },
    multiply(number, value) {
      const { encoding, exponent } = encodeNumber(value, n);
      const product = multiplyCiphertext(publicKey, number.ciphertext, encoding);
      return finish({ ciphertext: product, exponent: number.exponent + exponent });
    },
  };
}
