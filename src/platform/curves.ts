/** Signatures by Ed25519 (RFC 8032) and shared secrets by X25519 (RFC 7748): in Node, OpenSSL's. */
import { Buffer } from 'node:buffer';
import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject, sign, verify } from 'node:crypto';

export interface SigningKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  /** 64 bytes, the same for the same message. */
  sign(message: Uint8Array): Uint8Array<ArrayBuffer>;
}

export type VerifySignature = (message: Uint8Array, signature: Uint8Array) => boolean;

export interface SharingKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  /** The 32 bytes shared with the other side. @throws Error for a point of small order */
  share(otherPublicKey: Uint8Array): Uint8Array<ArrayBuffer>;
}

/** The prefixes of DER that Node wants around raw secrets (RFC 8410). */
const ed25519Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
const x25519Prefix = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** @param seed 32 bytes */
export function ed25519Key(seed: Uint8Array): SigningKey {
  const key = secretOf(ed25519Prefix, seed);
  return { publicKey: publicBytes(key), sign: (message) => new Uint8Array(sign(null, message, key)) };
}

/**
 * Whether signatures are those of a key: R must be the very bytes of S·B − k·A, and S canonical.
 *
 * @param publicKey a point of the curve
 */
export function ed25519Verifier(publicKey: Uint8Array): VerifySignature {
  const key = publicOf('Ed25519', publicKey);
  return (message, signature) => signature.length === 64 && verify(null, message, key, signature);
}

/** @param seed 32 bytes, clamped as RFC 7748 says */
export function x25519Key(seed: Uint8Array): SharingKey {
  const key = secretOf(x25519Prefix, seed);
  return {
    publicKey: publicBytes(key),
    // OpenSSL refuses to derive the all-zero secret that a point of small order gives.
    share: (other) => new Uint8Array(diffieHellman({ privateKey: key, publicKey: publicOf('X25519', other) })),
  };
}

function secretOf(prefix: Buffer, seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([prefix, seed]), format: 'der', type: 'pkcs8' });
}

function publicOf(crv: 'Ed25519' | 'X25519', bytes: Uint8Array): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv, x: Buffer.from(bytes).toString('base64url') }, format: 'jwk' });
}

function publicBytes(secret: KeyObject): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(createPublicKey(secret).export({ format: 'jwk' }).x ?? '', 'base64url'));
}
