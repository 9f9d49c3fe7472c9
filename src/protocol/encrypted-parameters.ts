/**
 * A model's parameters as they travel where owners do not see them: ciphertexts under the job's key in fixed-width big-endian bytes, one
 * after the other, in base64url without padding.
 */
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import { checkCiphertexts } from '../paillier/ciphertexts.ts';
import type { PublicKey } from '../paillier/public-key.ts';
import { fromBase64Url, toBase64Url } from '../platform/bytes.ts';

/** What the greatest round descriptor has room for, in characters. */
const mostCharacters = 2 ** 25;

/** That they are the ciphertexts of a key is seen by who has the job: decodeEncryptedParameters(). */
export const encryptedParametersSchema: z.ZodType<string> = z
  .string()
  .min(1)
  .max(mostCharacters)
  .refine(isCanonical, { error: 'expected bytes in base64url without padding' });

export function encodeEncryptedParameters(bytes: Uint8Array): string {
  return toBase64Url(bytes);
}

/**
 * The ciphertexts, each checked as a facilitator checks those of a contribution: of exactly the key's width, 0 < c < n², prime to n, and
 * not 1 modulo n.
 *
 * @param count how many there must be
 * @throws SealsumError message_invalid with field `encrypted_parameters`
 */
export function decodeEncryptedParameters(publicKey: PublicKey, text: string, count: number): Uint8Array {
  const refuse = (why: string, cause?: unknown): SealsumError =>
    new SealsumError('message_invalid', `encrypted_parameters: ${why}`, { field: 'encrypted_parameters', cause });
  if (!isCanonical(text)) throw refuse('expected bytes in base64url without padding');
  const bytes = fromBase64Url(text);
  try {
    checkCiphertexts(publicKey, bytes, count);
  } catch (error) {
    if (!(error instanceof SealsumError) || error.code !== 'ciphertext_invalid') throw error;
    throw refuse(error.message, error);
  }
  return bytes;
}

/** Whether a text is the only one for its bytes (RFC 4648, sections 3.5 and 5). */
function isCanonical(text: string): boolean {
  return toBase64Url(fromBase64Url(text)) === text;
}
