/**
 * The name of a round: the digest of its descriptor. Everybody asks for it several times a round, and a descriptor with a million
 * parameters is 10.7 MB of text to write and hash. So it is computed once for each object, from the very bytes that a signature is
 * checked on where there is one; the object is frozen, so that its name stays true.
 */
import type { PartyId } from './identifiers.ts';
import type { Parties } from './parties.ts';
import type { RoundDescriptor, SignedRound } from './round-messages.ts';
import { objectDigest, verifyObject } from './signed.ts';

const known = new WeakMap<RoundDescriptor, string>();

/**
 * SHA-256 of what the model owner signs, in lowercase hexadecimal.
 *
 * @param descriptor is frozen, with all that it holds
 * @throws SealsumError message_invalid
 */
export function roundDigest(descriptor: RoundDescriptor): string {
  const digest = known.get(descriptor) ?? objectDigest('round', descriptor);
  return remember(descriptor, digest);
}

/**
 * Checks that a model owner signed a round.
 *
 * @returns roundDigest() of its descriptor
 * @throws SealsumError signature_invalid, party_unknown, role_forbidden; message_invalid
 */
export function verifyRound(parties: Parties, modelOwner: PartyId, { descriptor, signature }: SignedRound): string {
  const signer = { name: modelOwner, role: 'model-owner' } as const;
  return remember(descriptor, verifyObject(parties, signer, 'round', descriptor, signature));
}

function remember(descriptor: RoundDescriptor, digest: string): string {
  if (!known.has(descriptor)) {
    freeze(descriptor);
    known.set(descriptor, digest);
  }
  return digest;
}

/** As deep as it goes: JSON, a few levels. */
function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const each of Object.values(value)) freeze(each);
  Object.freeze(value);
}
