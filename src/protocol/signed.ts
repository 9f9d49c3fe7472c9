/**
 * Objects that carry their own signature, so that it survives proxies, stores and time. What is signed is the object in the
 * canonical JSON of RFC 8785 behind the name of its kind, so that no signature of one kind passes for another's.
 */
import canonicalize from 'canonicalize';
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import { utf8 } from '../paillier/bytes.ts';
import { fromBase64Url, toBase64Url, toHex } from '../platform/bytes.ts';
import { sha256 } from '../platform/hashes.ts';
import { type PartyId, partyIdSchema } from './identifiers.ts';
import { type Fingerprint, fingerprintSchema, type Identity, type Role } from './identity.ts';
import type { Parties } from './parties.ts';

/** What is signed anywhere in sealsum. */
export type SignedKind =
  | 'job'
  | 'round'
  | 'answer'
  | 'contribution'
  | 'manifest'
  | 'receipt'
  | 'invitation'
  | 'successor'
  | 'audit entry';

export interface ObjectSignature {
  readonly party: PartyId;
  /** Of the key that signed. */
  readonly key: Fingerprint;
  /** 64 bytes in base64url. */
  readonly value: string;
}

export const objectSignatureSchema: z.ZodType<ObjectSignature> = z.strictObject({
  party: partyIdSchema,
  key: fingerprintSchema,
  value: z.string().regex(/^[A-Za-z0-9_-]{85}[AQgw]$/, 'expected 64 bytes in base64url'),
});

/** @throws SealsumError message_invalid for what RFC 8785 cannot say, such as NaN, half a surrogate pair, or nothing at all */
function canonicalText(what: string, object: unknown): string {
  let text: string | undefined;
  let cause: unknown;
  try {
    text = canonicalize(object);
  } catch (error) {
    cause = error;
  }
  if (text === undefined)
    throw new SealsumError('message_invalid', `the ${what} cannot be written as canonical JSON`, { cause });
  return text;
}

/** What stands before an object where it is signed. */
function heading(kind: SignedKind): string {
  return `sealsum ${kind} v1\n`;
}

/** The bytes that are signed. @throws SealsumError message_invalid */
function signedBytes(kind: SignedKind, object: unknown): Uint8Array {
  return utf8(heading(kind) + canonicalText(kind, object));
}

/**
 * SHA-256 of what a signature of this kind signs, in lowercase hexadecimal: the name of exactly this object.
 *
 * @throws SealsumError message_invalid
 */
export function objectDigest(kind: SignedKind, object: unknown): string {
  // Piece by piece: a round with its parameters is long, and need not be copied for this.
  return toHex(sha256(heading(kind), canonicalText(kind, object)));
}

/**
 * SHA-256 of an object's canonical JSON alone, in lowercase hexadecimal, such as a model's.
 *
 * @throws SealsumError message_invalid
 */
export function canonicalDigest(object: unknown): string {
  return toHex(sha256(canonicalText('object', object)));
}

/** @throws SealsumError message_invalid for an object that has no canonical JSON */
export function signObject(identity: Identity, kind: SignedKind, object: unknown): ObjectSignature {
  return {
    party: identity.name,
    key: identity.fingerprint,
    value: toBase64Url(identity.sign(signedBytes(kind, object))),
  };
}

/**
 * Checks that `name` signed this object, with its present key or an earlier one.
 *
 * @returns its objectDigest(), of the bytes that the signature was checked on
 * @throws SealsumError signature_invalid; party_unknown and role_forbidden when the roster file names no such party;
 *   message_invalid
 */
export function verifyObject(
  parties: Parties,
  signer: { readonly name: PartyId; readonly role: Role },
  kind: SignedKind,
  object: unknown,
  signature: ObjectSignature,
): string {
  const { name, role } = signer;
  parties.named(name, role);
  const refuse = (why: string): SealsumError =>
    new SealsumError('signature_invalid', `the ${kind} is not signed by ${name}: ${why}`, { field: 'signature' });
  if (signature.party !== name) throw refuse(`it names ${signature.party}`);
  const signerKey = parties.keysOf(name).find(({ fingerprint }) => fingerprint === signature.key);
  if (signerKey === undefined) throw refuse('the key is none of its keys');
  const value = fromBase64Url(signature.value);
  const bytes = signedBytes(kind, object);
  if (toBase64Url(value) !== signature.value || !signerKey.verify(bytes, value))
    throw refuse('the signature does not match');
  return toHex(sha256(bytes));
}
