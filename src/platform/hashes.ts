/** Hash functions, and what is made of them: in Node, OpenSSL's. */
import { createHash, createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

/** A secret whose bytes show in no log. */
export type SecretKey = KeyObject;

/** SHA-256 of all parts, one after the other; text is in UTF-8. */
export function sha256(...parts: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** SHAKE256 (FIPS 202) of all parts, one after the other. @param length bytes of output */
export function shake256(length: number, ...parts: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  const hash = createHash('shake256', { outputLength: length });
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** 32 bytes by HKDF-SHA-256 (RFC 5869) without salt. */
export function hkdfSha256(secret: Uint8Array, info: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(), info, 32));
}

export function secretKey(bytes: Uint8Array): SecretKey {
  return createSecretKey(bytes);
}

/** HMAC-SHA-256 (RFC 2104). */
export function hmacSha256(key: SecretKey, message: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHmac('sha256', key).update(message).digest());
}
