/** The name of a public key by which everybody knows it for the same. */
import { createHash } from 'node:crypto';
import { encodeInteger } from './jwk.ts';
import type { PublicKey } from './public-key.ts';

/** SHA-256 over what a JWK needs of the key, as RFC 7638 says: 43 characters of base64url. */
export function publicKeyThumbprint({ n }: PublicKey): string {
  return createHash('sha256')
    .update(JSON.stringify({ kty: 'DAJ', n: encodeInteger(n) }))
    .digest('base64url');
}
