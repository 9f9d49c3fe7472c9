/**
 * A secret in a file: JSON with the secret under AES-256-GCM (NIST SP 800-38D), its key from a passphrase by scrypt (RFC 7914).
 * Everything but the ciphertext and its tag is authenticated with them, as canonical JSON (RFC 8785), so that no parameter can
 * be exchanged; and there is one set of parameters only, so that none can be weakened.
 */
import { createCipheriv, createDecipheriv, scrypt } from 'node:crypto';
import canonicalize from 'canonicalize';
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import type { RandomBytes } from '../paillier/random.ts';
import { readPrivateFile, type WriteOptions, writePrivateFile } from './files.ts';

/** What scrypt costs: memory is 128·N·r bytes, 128 MiB here. */
export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

const cost: { readonly N: 131_072; readonly r: 8; readonly p: 1 } = { N: 131_072, r: 8, p: 1 };
const saltLength = 32;
const nonceLength = 12;
const tagLength = 16;

/** What a file with a secret says; bytes are in base64url. */
export interface SealedSecret {
  readonly format: 'sealsum sealed secret';
  readonly version: 1;
  /** What the secret is for, such as `identity of data-owner north`: one does not open in another's place. */
  readonly purpose: string;
  readonly kdf: typeof cost & { readonly name: 'scrypt'; readonly salt: string };
  readonly cipher: { readonly name: 'aes-256-gcm'; readonly nonce: string };
  readonly ciphertext: string;
  readonly tag: string;
}

const sealedSecretSchema: z.ZodType<SealedSecret> = z.strictObject({
  format: z.literal('sealsum sealed secret'),
  version: z.literal(1),
  purpose: z.string(),
  kdf: z.strictObject({
    name: z.literal('scrypt'),
    N: z.literal(cost.N),
    r: z.literal(cost.r),
    p: z.literal(cost.p),
    salt: bytesInBase64url(saltLength),
  }),
  cipher: z.strictObject({ name: z.literal('aes-256-gcm'), nonce: bytesInBase64url(nonceLength) }),
  ciphertext: bytesInBase64url(),
  tag: bytesInBase64url(tagLength),
});

/** @param passphrase not empty, in any Unicode form */
export async function sealSecret(
  plaintext: Uint8Array,
  passphrase: string,
  purpose: string,
  random: RandomBytes,
): Promise<SealedSecret> {
  const salt = random(saltLength);
  const nonce = random(nonceLength);
  const parameters = {
    format: 'sealsum sealed secret',
    version: 1,
    purpose,
    kdf: { name: 'scrypt', ...cost, salt: encode(salt) },
    cipher: { name: 'aes-256-gcm', nonce: encode(nonce) },
  } as const;
  const key = await deriveKey(passphrase, salt, cost, 32);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength });
  cipher.setAAD(authenticated(parameters));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return { ...parameters, ciphertext: encode(ciphertext), tag: encode(cipher.getAuthTag()) };
}

/**
 * @param document the parsed JSON of a file
 * @param purpose what it was sealed for
 * @throws SealsumError identity_invalid when the document is not of this form or for another purpose; passphrase_wrong
 */
export async function openSecret(document: unknown, passphrase: string, purpose: string): Promise<Uint8Array> {
  const parsed = sealedSecretSchema.safeParse(document);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = [...(issue?.path ?? []), ...(issue?.code === 'unrecognized_keys' ? issue.keys : [])].join('.');
    const what = issue?.code === 'unrecognized_keys' ? 'is not a known field' : 'is not as sealsum writes it';
    throw new SealsumError('identity_invalid', field === '' ? 'this is no sealed secret' : `${field} ${what}`, {
      field,
    });
  }
  const { ciphertext, tag, ...parameters } = parsed.data;
  if (parameters.purpose !== purpose)
    throw new SealsumError('identity_invalid', `this is the ${parameters.purpose}, not the ${purpose}`, {
      field: 'purpose',
    });
  const key = await deriveKey(passphrase, decode(parameters.kdf.salt), cost, 32);
  const decipher = createDecipheriv('aes-256-gcm', key, decode(parameters.cipher.nonce), { authTagLength: tagLength });
  decipher.setAAD(authenticated(parameters));
  decipher.setAuthTag(decode(tag));
  const plaintext = decipher.update(decode(ciphertext));
  try {
    decipher.final();
  } catch (cause) {
    throw new SealsumError('passphrase_wrong', 'the passphrase does not open it, or the file was changed', {
      field: 'passphrase',
      cause,
    });
  }
  return new Uint8Array(plaintext);
}

/** scrypt (RFC 7914) of a passphrase in Unicode's composed form (NFC, as RFC 8265 has it) and UTF-8. */
export function deriveKey(
  passphrase: string,
  salt: Uint8Array,
  { N, r, p }: ScryptCost,
  length: number,
): Promise<Buffer> {
  const maxmem = 128 * r * (N + p + 2);
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize('NFC'), salt, length, { N, r, p, maxmem }, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/** Reads and opens a file. @throws SealsumError what readPrivateFile and openSecret throw, with the file's name */
export async function readSealedFile(path: string, passphrase: string, purpose: string): Promise<Uint8Array> {
  const content = await readPrivateFile(path, 'identity');
  let document: unknown;
  try {
    document = JSON.parse(content.toString('utf8'));
  } catch {
    throw new SealsumError('identity_invalid', `${path}: expected JSON`, { field: 'identity' });
  }
  try {
    return await openSecret(document, passphrase, purpose);
  } catch (cause) {
    if (!(cause instanceof SealsumError)) throw cause;
    throw new SealsumError(cause.code, `${path}: ${cause.message}`, {
      cause,
      ...(cause.field === undefined ? {} : { field: cause.field }),
    });
  }
}

export async function writeSealedFile(path: string, secret: SealedSecret, options: WriteOptions): Promise<void> {
  await writePrivateFile(path, `${JSON.stringify(secret, undefined, 2)}\n`, options);
}

function authenticated(parameters: Omit<SealedSecret, 'ciphertext' | 'tag'>): Buffer {
  return Buffer.from(canonicalize(parameters) ?? '', 'utf8');
}

/** Canonical base64url: no padding, no other alphabet, no stray bits at the end. */
function bytesInBase64url(length?: number): z.ZodString {
  return z.string().refine((text) => {
    const bytes = decode(text);
    return encode(bytes) === text && (length === undefined || bytes.length === length);
  });
}

function encode(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

function decode(text: string): Buffer {
  return Buffer.from(text, 'base64url');
}
