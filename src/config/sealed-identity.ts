/** A party's secrets as identity.json has them: the seed of its identity and the key to what it keeps, sealed under a passphrase. */
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import { utf8 } from '../paillier/bytes.ts';
import { type RandomBytes, systemRandom } from '../paillier/random.ts';
import { fromBase64Url, toBase64Url } from '../platform/bytes.ts';
import type { PartyId } from '../protocol/identifiers.ts';
import { createIdentity, type Identity, type Role } from '../protocol/identity.ts';
import { openSecret, type SealedSecret, sealSecret } from './sealed-secret.ts';

export interface Secrets {
  readonly identity: Identity;
  /** 32 bytes for what is sealed in the party's store; a rotation of the identity keeps it. */
  readonly storageKey: Uint8Array;
}

/** What an identity is sealed for: that of one party does not open in another's place. */
export function identityPurpose(name: PartyId, role: Role): string {
  return `identity of ${role} ${name}`;
}

/**
 * Secrets that may lie anywhere: who reads them has to guess the passphrase, at 128 MiB and a fifth of a second a guess.
 *
 * @param passphrase not empty, in any Unicode form
 */
export async function sealSecrets(
  { identity, storageKey }: Secrets,
  passphrase: string,
  random: RandomBytes = systemRandom,
): Promise<SealedSecret> {
  const plaintext = JSON.stringify({ seed: toBase64Url(identity.seed), storage_key: toBase64Url(storageKey) });
  return await sealSecret(utf8(plaintext), passphrase, identityPurpose(identity.name, identity.role), random);
}

/**
 * @param document the parsed JSON of an identity.json
 * @throws SealsumError identity_invalid, also for another party's; passphrase_wrong
 */
export async function openSecrets(document: unknown, name: PartyId, role: Role, passphrase: string): Promise<Secrets> {
  const plaintext = await openSecret(document, passphrase, identityPurpose(name, role));
  return parseSecrets(plaintext, name, role, 'the document');
}

const thirtyTwoBytes = z.string().regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/);
const secretsSchema = z.strictObject({ seed: thirtyTwoBytes, storage_key: thirtyTwoBytes });

/** @param what names it in the error @throws SealsumError identity_invalid */
export function parseSecrets(plaintext: Uint8Array, name: PartyId, role: Role, what: string): Secrets {
  try {
    const { seed, storage_key } = secretsSchema.parse(JSON.parse(new TextDecoder().decode(plaintext)));
    return {
      identity: createIdentity(name, role, fromBase64Url(seed)),
      storageKey: fromBase64Url(storage_key),
    };
  } catch {
    // What went wrong would quote the secret.
    throw new SealsumError('identity_invalid', `${what} opens, and holds no identity`, { field: 'identity' });
  }
}
