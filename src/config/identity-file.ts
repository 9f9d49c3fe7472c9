/** A party's secrets in identity.json: the seed of its identity and the key to what it keeps in its store, sealed. */
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import type { RandomBytes } from '../paillier/random.ts';
import type { PartyId } from '../protocol/identifiers.ts';
import { createIdentity, type Identity, type Role } from '../protocol/identity.ts';
import type { WriteOptions } from './files.ts';
import { readSealedFile, sealSecret, writeSealedFile } from './sealed-file.ts';

export interface Secrets {
  readonly identity: Identity;
  /** 32 bytes for what is sealed in the party's store; a rotation of the identity keeps it. */
  readonly storageKey: Uint8Array;
}

/** Fresh secrets, or those of a successor: a new identity with the storage key of the one before. */
export function newSecrets(name: PartyId, role: Role, random: RandomBytes, storageKey?: Uint8Array): Secrets {
  return { identity: createIdentity(name, role, random(32)), storageKey: storageKey ?? random(32) };
}

/** @throws SealsumError identity_invalid, passphrase_wrong */
export async function readSecrets(path: string, name: PartyId, role: Role, passphrase: string): Promise<Secrets> {
  const plaintext = await readSealedFile(path, passphrase, purposeOf(name, role));
  const { seed, storage_key } = parseSecrets(Buffer.from(plaintext).toString('utf8'), path);
  return {
    identity: createIdentity(name, role, new Uint8Array(Buffer.from(seed, 'base64url'))),
    storageKey: new Uint8Array(Buffer.from(storage_key, 'base64url')),
  };
}

export async function writeSecrets(
  path: string,
  { identity, storageKey }: Secrets,
  passphrase: string,
  random: RandomBytes,
  options: WriteOptions,
): Promise<void> {
  const plaintext = JSON.stringify({
    seed: Buffer.from(identity.seed).toString('base64url'),
    storage_key: Buffer.from(storageKey).toString('base64url'),
  });
  const purpose = purposeOf(identity.name, identity.role);
  await writeSealedFile(path, await sealSecret(Buffer.from(plaintext, 'utf8'), passphrase, purpose, random), options);
}

/** Where a rotation keeps the identity from before, until everybody knows its successor. */
export function oldIdentityFile(path: string): string {
  return join(dirname(path), 'identity.old.json');
}

function purposeOf(name: PartyId, role: Role): string {
  return `identity of ${role} ${name}`;
}

const thirtyTwoBytes = z.string().regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/);
const secretsSchema = z.strictObject({ seed: thirtyTwoBytes, storage_key: thirtyTwoBytes });

function parseSecrets(text: string, path: string): z.infer<typeof secretsSchema> {
  try {
    return secretsSchema.parse(JSON.parse(text));
  } catch {
    // What went wrong would quote the secret.
    throw new SealsumError('identity_invalid', `${path} opens, and holds no identity`, { field: 'identity' });
  }
}
