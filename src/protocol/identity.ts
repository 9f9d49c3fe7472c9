/**
 * Who a party is: an Ed25519 key pair (RFC 8032) under a name and a role. Others know the public half by its fingerprint, the
 * JWK thumbprint of RFC 7638 over the key of RFC 8037, which people compare by telephone.
 */
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import { bytesToBigint } from '../paillier/bytes.ts';
import { jacobiSymbol } from '../paillier/jacobi.ts';
import { fromBase64Url, toBase64Url } from '../platform/bytes.ts';
import { ed25519Key, ed25519Verifier } from '../platform/curves.ts';
import { hkdfSha256, sha256 } from '../platform/hashes.ts';
import type { PartyId } from './identifiers.ts';

declare const brand: unique symbol;

/** SHA-256 of a public key as RFC 7638 says, 43 characters of base64url. */
export type Fingerprint = string & { readonly [brand]: 'Fingerprint' };

export const fingerprintSchema: z.ZodType<Fingerprint, string> = z
  .string()
  .regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/, 'expected 43 characters of base64url')
  .transform((text) => text as Fingerprint);

export const roles = ['facilitator', 'model-owner', 'data-owner'] as const;
/** What a party is: facilitator, model-owner or data-owner. */
export type Role = (typeof roles)[number];

/** The public half: what a roster file says of a party. */
export interface Party {
  readonly name: PartyId;
  readonly role: Role;
  /** The 32 bytes of the Ed25519 public key in base64url. */
  readonly publicKey: string;
  readonly fingerprint: Fingerprint;
  /** Whether this party made a signature. */
  verify(message: Uint8Array, signature: Uint8Array): boolean;
}

/** A party with its secret: the only thing that can sign in its name. */
export interface Identity extends Party {
  /** Ed25519, deterministic, 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
  /** 32 bytes that only this identity can derive, different for every purpose (HKDF-SHA-256, RFC 5869). */
  derive(purpose: string): Uint8Array;
  /** The 32 bytes everything follows from, for writing them, encrypted, to a file; neither JSON nor a log shows them. */
  readonly seed: Uint8Array;
}

/** The field of Ed25519 and the d of its curve −x² + y² = 1 + d·x²·y² (RFC 8032, section 5.1). */
const fieldPrime = (1n << 255n) - 19n;
const curveD = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

/**
 * A party by name, role and Ed25519 key (RFC 8032), once the key was checked.
 *
 * @param publicKey 32 bytes in canonical base64url: a point of the curve in its only encoding, and none of the eight of small
 *   order, under which anybody could sign anything
 * @throws SealsumError identity_invalid
 */
export function createParty(name: PartyId, role: Role, publicKey: string): Party {
  const refuse = (expected: string): SealsumError =>
    new SealsumError('identity_invalid', `the key of ${name}: expected ${expected}`, { field: 'key' });
  const bytes = fromBase64Url(publicKey);
  if (bytes.length !== 32 || toBase64Url(bytes) !== publicKey) throw refuse('32 bytes in base64url');
  requirePoint(bytes, refuse);
  return {
    name,
    role,
    publicKey,
    fingerprint: fingerprintOf(publicKey),
    verify: ed25519Verifier(bytes),
  };
}

/** The identity that follows from a seed of 32 random bytes. @throws SealsumError identity_invalid */
export function createIdentity(name: PartyId, role: Role, seed: Uint8Array): Identity {
  if (seed.length !== 32)
    throw new SealsumError('identity_invalid', `the seed of ${name}: expected 32 bytes`, { field: 'seed' });
  const key = ed25519Key(seed);
  const identity = {
    ...createParty(name, role, toBase64Url(key.publicKey)),
    sign: (message: Uint8Array) => key.sign(message),
    derive: (purpose: string) => hkdfSha256(seed, `sealsum ${purpose}`),
    seed,
  };
  return Object.defineProperties(identity, { seed: { enumerable: false } });
}

/** OpenSSL takes any 32 bytes for a key and says of most wrong ones only that no signature matches. */
function requirePoint(bytes: Uint8Array, refuse: (expected: string) => SealsumError): void {
  const y = BigInt.asUintN(255, bytesToBigint(Uint8Array.from(bytes).reverse()));
  if (y >= fieldPrime) throw refuse('a coordinate below 2^255 − 19');
  const square = y * y;
  // x² = (y² − 1)/(d·y² + 1) must be a square; the denominator is never 0.
  if (jacobiSymbol((square - 1n) * (curveD * square + 1n), fieldPrime) === -1)
    throw refuse('a point of the curve edwards25519');
  // Orders 1 and 2 have y = ±1, order 4 has y = 0, and order 8 has x² = −y², whence d·y⁴ + 2·y² = 1.
  if ((y * (square - 1n) * (curveD * square * square + 2n * square - 1n)) % fieldPrime === 0n)
    throw refuse('a point of large order; with this key anybody could sign');
}

function fingerprintOf(publicKey: string): Fingerprint {
  const jwk = `{"crv":"Ed25519","kty":"OKP","x":"${publicKey}"}`;
  return toBase64Url(sha256(jwk)) as Fingerprint;
}
