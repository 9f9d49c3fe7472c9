/** Keys from passphrases, by @noble/hashes, and authenticated encryption, by the browser's own WebCrypto. */
import { scryptAsync } from '@noble/hashes/scrypt';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils';
import { SealsumError } from '../errors.ts';
import type { GcmParameters, ScryptCost, Sealed } from './sealing.ts';

export async function scrypt(
  text: string,
  salt: Uint8Array,
  { N, r, p }: ScryptCost,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const maxmem = 128 * r * (N + p + 2);
  return new Uint8Array(await scryptAsync(utf8ToBytes(text), salt, { N, r, p, dkLen: length, maxmem }));
}

const tagLength = 16;
const named = ({ nonce, associated }: GcmParameters) =>
  ({ name: 'AES-GCM', iv: nonce, additionalData: associated, tagLength: 8 * tagLength }) as const;
/** @throws SealsumError backend_unavailable */
const keyOf = async ({ key }: GcmParameters, use: 'encrypt' | 'decrypt') => {
  const { subtle } = crypto as Partial<typeof crypto>;
  if (subtle === undefined)
    throw new SealsumError('backend_unavailable', 'browsers give WebCrypto to pages from https: or localhost only');
  return await subtle.importKey('raw', key, 'AES-GCM', false, [use]);
};

export async function encryptGcm(parameters: GcmParameters, plaintext: Uint8Array<ArrayBuffer>): Promise<Sealed> {
  const key = await keyOf(parameters, 'encrypt');
  const whole = new Uint8Array(await crypto.subtle.encrypt(named(parameters), key, plaintext));
  return { ciphertext: whole.slice(0, -tagLength), tag: whole.slice(-tagLength) };
}

export async function decryptGcm(
  parameters: GcmParameters,
  { ciphertext, tag }: Sealed,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = await keyOf(parameters, 'decrypt');
  const whole = new Uint8Array(concatBytes(ciphertext, tag));
  return new Uint8Array(await crypto.subtle.decrypt(named(parameters), key, whole));
}
