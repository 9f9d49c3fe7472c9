/** Hash functions, and what is made of them, in browsers: those of @noble/hashes, since WebCrypto's answer later only. */
import { hkdf } from '@noble/hashes/hkdf';
import { hmac } from '@noble/hashes/hmac';
import { sha256 as hashSha256 } from '@noble/hashes/sha2';
import { shake256 as hashShake256 } from '@noble/hashes/sha3';
import { utf8ToBytes } from '@noble/hashes/utils';
import type { SecretKey } from './hashes.ts';

type Part = string | Uint8Array;

const bytesOf = (part: Part): Uint8Array => (typeof part === 'string' ? utf8ToBytes(part) : part);

export function sha256(...parts: readonly Part[]): Uint8Array<ArrayBuffer> {
  const hash = hashSha256.create();
  for (const part of parts) hash.update(bytesOf(part));
  return new Uint8Array(hash.digest());
}

export function shake256(length: number, ...parts: readonly Part[]): Uint8Array<ArrayBuffer> {
  const hash = hashShake256.create({ dkLen: length });
  for (const part of parts) hash.update(bytesOf(part));
  return new Uint8Array(hash.digest());
}

export function hkdfSha256(secret: Uint8Array, info: Part): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hkdf(hashSha256, secret, undefined, bytesOf(info), 32));
}

/** What SecretKey is here: nothing that is written down of it shows its bytes. */
class HiddenKey {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = new Uint8Array(bytes);
  }

  mac(message: Uint8Array): Uint8Array {
    return hmac(hashSha256, this.#bytes, message);
  }
}

export function secretKey(bytes: Uint8Array): SecretKey {
  return new HiddenKey(bytes) as unknown as SecretKey;
}

export function hmacSha256(key: SecretKey, message: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array((key as unknown as HiddenKey).mac(message));
}
