/** Signatures by Ed25519 and shared secrets by X25519, in browsers: those of @noble/curves. */

import { ed25519, x25519 } from '@noble/curves/ed25519';
import { bytesToNumberLE, equalBytes } from '@noble/curves/utils';
import { sha512 } from '@noble/hashes/sha2';
import type { SharingKey, SigningKey, VerifySignature } from './curves.ts';

export function ed25519Key(seed: Uint8Array): SigningKey {
  const secret = new Uint8Array(seed);
  return {
    publicKey: new Uint8Array(ed25519.getPublicKey(secret)),
    sign: (message) => new Uint8Array(ed25519.sign(message, secret)),
  };
}

/**
 * The equation of RFC 8032 without its factor 8, as OpenSSL has it and not as @noble/curves does: signatures that the two take
 * differently, which whoever has the secret can make, would be good in a browser and bad everywhere else.
 */
export function ed25519Verifier(publicKey: Uint8Array): VerifySignature {
  const { BASE, Fn } = ed25519.Point;
  const point = ed25519.Point.fromBytes(publicKey);
  return (message, signature) => {
    if (signature.length !== 64) return false;
    const [first, second] = [signature.subarray(0, 32), signature.subarray(32)];
    const s = bytesToNumberLE(second);
    if (s >= Fn.ORDER) return false;
    const hash = sha512.create().update(first).update(publicKey).update(message).digest();
    const k = Fn.create(bytesToNumberLE(hash));
    const expected = BASE.multiplyUnsafe(s).subtract(point.multiplyUnsafe(k));
    return equalBytes(expected.toBytes(), first);
  };
}

export function x25519Key(seed: Uint8Array): SharingKey {
  const secret = new Uint8Array(seed);
  return {
    publicKey: new Uint8Array(x25519.getPublicKey(secret)),
    share: (other) => new Uint8Array(x25519.getSharedSecret(secret, other)),
  };
}
