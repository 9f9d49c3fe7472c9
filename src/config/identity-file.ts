/** A party's secrets in identity.json: the seed of its identity and the key to what it keeps in its store, sealed. */
import { dirname, join } from 'node:path';
import type { RandomBytes } from '../paillier/random.ts';
import type { PartyId } from '../protocol/identifiers.ts';
import { createIdentity, type Role } from '../protocol/identity.ts';
import type { WriteOptions } from './files.ts';
import { readSealedFile, writeSealedFile } from './sealed-file.ts';
import { identityPurpose, parseSecrets, type Secrets, sealSecrets } from './sealed-identity.ts';

export type { Secrets } from './sealed-identity.ts';

/** Fresh secrets, or those of a successor: a new identity with the storage key of the one before. */
export function newSecrets(name: PartyId, role: Role, random: RandomBytes, storageKey?: Uint8Array): Secrets {
  return { identity: createIdentity(name, role, random(32)), storageKey: storageKey ?? random(32) };
}

/** @throws SealsumError identity_invalid, passphrase_wrong */
export async function readSecrets(path: string, name: PartyId, role: Role, passphrase: string): Promise<Secrets> {
  return parseSecrets(await readSealedFile(path, passphrase, identityPurpose(name, role)), name, role, path);
}

export async function writeSecrets(
  path: string,
  secrets: Secrets,
  passphrase: string,
  random: RandomBytes,
  options: WriteOptions,
): Promise<void> {
  await writeSealedFile(path, await sealSecrets(secrets, passphrase, random), options);
}

/** Where a rotation keeps the identity from before, until everybody knows its successor. */
export function oldIdentityFile(path: string): string {
  return join(dirname(path), 'identity.old.json');
}
