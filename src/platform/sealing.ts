/** Keys from passphrases, and authenticated encryption: in Node, OpenSSL's. */
import { createCipheriv, createDecipheriv, scrypt as scryptOf } from 'node:crypto';

/** What scrypt costs: memory is 128·N·r bytes. */
export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** scrypt (RFC 7914) of a text in UTF-8. */
export function scrypt(
  text: string,
  salt: Uint8Array,
  { N, r, p }: ScryptCost,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const maxmem = 128 * r * (N + p + 2);
  return new Promise((resolve, reject) => {
    scryptOf(text, salt, length, { N, r, p, maxmem }, (error, key) => {
      if (error === null) resolve(new Uint8Array(key));
      else reject(error);
    });
  });
}

/** What AES-256-GCM (NIST SP 800-38D) takes beside what it encrypts. */
export interface GcmParameters {
  /** 32 bytes. */
  readonly key: Uint8Array<ArrayBuffer>;
  /** 12 bytes, never the same for two plaintexts under one key. */
  readonly nonce: Uint8Array<ArrayBuffer>;
  /** Authenticated with the ciphertext. */
  readonly associated: Uint8Array<ArrayBuffer>;
}

export interface Sealed {
  readonly ciphertext: Uint8Array<ArrayBuffer>;
  /** 16 bytes. */
  readonly tag: Uint8Array<ArrayBuffer>;
}

const tagLength = 16;

export function encryptGcm(
  { key, nonce, associated }: GcmParameters,
  plaintext: Uint8Array<ArrayBuffer>,
): Promise<Sealed> {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength });
  cipher.setAAD(associated);
  const ciphertext = new Uint8Array(Buffer.concat([cipher.update(plaintext), cipher.final()]));
  return Promise.resolve({ ciphertext, tag: new Uint8Array(cipher.getAuthTag()) });
}

/** The plaintext. Rejects with what stands beneath where the tag does not match. */
export async function decryptGcm(
  { key, nonce, associated }: GcmParameters,
  { ciphertext, tag }: Sealed,
): Promise<Uint8Array<ArrayBuffer>> {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength });
  decipher.setAAD(associated);
  decipher.setAuthTag(tag);
  return await Promise.resolve(new Uint8Array(Buffer.concat([decipher.update(ciphertext), decipher.final()])));
}
