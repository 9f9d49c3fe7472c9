/**
 * The secrets of one job: a Paillier key pair and a tag secret of its own, so that every job is a rotation of both. In the store
 * they are sealed under a key that the store does not hold, bound to their model, and gone once the job has ended.
 */
import { z } from 'zod';
import { SealsumError } from '../../src/errors.ts';
import type { KeyPair } from '../../src/paillier/key-generation.ts';
import { privateKeyFromJwk, privateKeyToJwk } from '../../src/paillier/private-key.ts';
import type { RandomBytes } from '../../src/paillier/random.ts';
import type { JobId } from '../../src/protocol/identifiers.ts';
import { createTagSecret, type TagSecret } from '../../src/protocol/tags.ts';
import { openBytes, sealBytes } from '../../src/storage/sealed-bytes.ts';

export interface JobKeys {
  readonly keyPair: KeyPair;
  readonly tagSecret: TagSecret;
}

const seedBytes = 32;

/** The keys of a new job, and the same sealed for the store. */
export function sealJobKeys(
  job: JobId,
  keyPair: KeyPair,
  storageKey: Uint8Array,
  random: RandomBytes,
): { readonly keys: JobKeys; readonly sealed: Uint8Array } {
  const tagSeed = random(seedBytes);
  const text = JSON.stringify({
    private_key: privateKeyToJwk(keyPair.privateKey),
    tag_seed: Buffer.from(tagSeed).toString('base64url'),
  });
  const sealed = sealBytes(storageKey, Buffer.from(text, 'utf8'), placeOf(job), random);
  return { keys: { keyPair, tagSecret: createTagSecret(tagSeed) }, sealed };
}

const keysSchema = z.strictObject({ private_key: z.unknown(), tag_seed: z.string() });

/** @throws SealsumError identity_invalid when the store belongs to another identity; key_invalid */
export function openJobKeys(job: JobId, sealed: Uint8Array, storageKey: Uint8Array): JobKeys {
  const text = Buffer.from(openBytes(storageKey, sealed, placeOf(job))).toString('utf8');
  const parsed = keysSchema.safeParse(JSON.parse(text));
  if (!parsed.success)
    throw new SealsumError('identity_invalid', `the keys of job ${job} were sealed by another version of sealsum`);
  const privateKey = privateKeyFromJwk(parsed.data.private_key);
  return {
    keyPair: { publicKey: privateKey.publicKey, privateKey },
    tagSecret: createTagSecret(Buffer.from(parsed.data.tag_seed, 'base64url')),
  };
}

/** Where the sealed keys belong: other bytes of the store do not pass for them. */
function placeOf(job: JobId): string {
  return `keys of job ${job}`;
}
