/**
 * A secret as it is kept: JSON with the secret under AES-256-GCM (NIST SP 800-38D), its key from a passphrase by scrypt (RFC 7914).
 * Everything but the ciphertext and its tag is authenticated with them, as canonical JSON (RFC 8785), so that no parameter can
 * be exchanged; and there is one set of parameters only, so that none can be weakened.
 */
import canonicalize from 'canonicalize';
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import { utf8 } from '../paillier/bytes.ts';
import type { RandomBytes } from '../paillier/random.ts';
import { fromBase64Url, toBase64Url } from '../platform/bytes.ts';
import { decryptGcm, encryptGcm, type ScryptCost, scrypt } from '../platform/sealing.ts';

/** 128 MiB of memory. */
const cost: { readonly N: 131_072; readonly r: 8; readonly p: 1 } = { N: 131_072, r: 8, p: 1 };
const saltLength = 32;
const nonceLength = 12;
const tagLength = 16;

/** What is kept of a secret; bytes are in base64url. */
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
  const nonce = new Uint8Array(random(nonceLength));
  const parameters = {
    format: 'sealsum sealed secret',
    version: 1,
    purpose,
    kdf: { name: 'scrypt', ...cost, salt: toBase64Url(salt) },
    cipher: { name: 'aes-256-gcm', nonce: toBase64Url(nonce) },
  } as const;
  const key = await deriveKey(passphrase, salt, cost, 32);
  const associated = authenticated(parameters);
  const { ciphertext, tag } = await encryptGcm({ key, nonce, associated }, new Uint8Array(plaintext));
  return { ...parameters, ciphertext: toBase64Url(ciphertext), tag: toBase64Url(tag) };
}

/**
 * @param document the parsed JSON of a file
 * @param purpose what it was sealed for
 * @throws SealsumError identity_invalid when the document is not of this form or for another purpose; passphrase_wrong;
 *   backend_unavailable in a page that may not use WebCrypto
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
  const key = await deriveKey(passphrase, fromBase64Url(parameters.kdf.salt), cost, 32);
  const nonce = fromBase64Url(parameters.cipher.nonce);
  const sealed = { ciphertext: fromBase64Url(ciphertext), tag: fromBase64Url(tag) };
  try {
    return await decryptGcm({ key, nonce, associated: authenticated(parameters) }, sealed);
  } catch (cause) {
    if (cause instanceof SealsumError) throw cause;
    throw new SealsumError('passphrase_wrong', 'the passphrase does not open it, or the file was changed', {
      field: 'passphrase',
      cause,
    });
  }
}

/** scrypt (RFC 7914) of a passphrase in Unicode's composed form (NFC, as RFC 8265 has it) and UTF-8. */
export function deriveKey(
  passphrase: string,
  salt: Uint8Array,
  parameters: ScryptCost,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  return scrypt(passphrase.normalize('NFC'), salt, parameters, length);
}

function authenticated(parameters: Omit<SealedSecret, 'ciphertext' | 'tag'>): Uint8Array<ArrayBuffer> {
  return utf8(canonicalize(parameters) ?? '');
}

/** Canonical base64url: no padding, no other alphabet, no stray bits at the end. */
function bytesInBase64url(length?: number): z.ZodString {
  return z.string().refine((text) => {
    const bytes = fromBase64Url(text);
    return toBase64Url(bytes) === text && (length === undefined || bytes.length === length);
  });
}
