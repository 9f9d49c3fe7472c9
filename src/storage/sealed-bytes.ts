/**
 * Secrets inside a database: sealed with AES-256-GCM (NIST SP 800-38D) under a key that the database does not hold, bound to
 * the place where they belong, so that one row's secret does not pass for another's.
 *
 * Sealed bytes are a version byte, a nonce of 12 bytes, the ciphertext, and a tag of 16 bytes. Nonces are random: fewer than
 * 2^32 seals under one key.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { SealsumError } from '../errors.ts';
import type { RandomBytes } from '../paillier/random.ts';

const version = 1;
const keyLength = 32;
const nonceLength = 12;
const tagLength = 16;
const overhead = 1 + nonceLength + tagLength;

/**
 * @param key 32 bytes
 * @param context where the secret belongs, such as its table, row and column; the same is needed to open it
 * @throws SealsumError identity_invalid for a key of another length
 */
export function sealBytes(key: Uint8Array, plaintext: Uint8Array, context: string, random: RandomBytes): Uint8Array {
  requireKey(key);
  const nonce = random(nonceLength);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength });
  cipher.setAAD(boundContext(context));
  const ciphertext = [cipher.update(plaintext), cipher.final()];
  return new Uint8Array(Buffer.concat([Uint8Array.of(version), nonce, ...ciphertext, cipher.getAuthTag()]));
}

/** What was sealed. @throws SealsumError identity_invalid when the key, the context or the bytes are not those of the seal */
export function openBytes(key: Uint8Array, sealed: Uint8Array, context: string): Uint8Array {
  requireKey(key);
  if (sealed.length < overhead || sealed[0] !== version)
    throw new SealsumError(
      'identity_invalid',
      `the secret of ${context} is not in the form of sealed bytes, version ${version}`,
    );
  const nonce = sealed.subarray(1, 1 + nonceLength);
  const tag = sealed.subarray(sealed.length - tagLength);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength });
  decipher.setAAD(boundContext(context));
  decipher.setAuthTag(tag);
  const plaintext = decipher.update(sealed.subarray(1 + nonceLength, sealed.length - tagLength));
  try {
    decipher.final();
  } catch (cause) {
    throw new SealsumError(
      'identity_invalid',
      `the secret of ${context} does not open: the store belongs to another identity, or was changed`,
      { cause },
    );
  }
  return new Uint8Array(plaintext);
}

function boundContext(context: string): Buffer {
  return Buffer.from(`sealsum sealed bytes v${version}\n${context}`, 'utf8');
}

function requireKey(key: Uint8Array): void {
  if (key.length !== keyLength)
    throw new SealsumError('identity_invalid', `a key for sealing has ${keyLength} bytes, this one ${key.length}`);
}
