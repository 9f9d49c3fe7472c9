/**
 * Digests as people read them to each other: base32 (RFC 4648, section 6), whose letters have one case and whose digits look
 * like no letter, in groups of four.
 */
import type { Fingerprint } from '../protocol/identity.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** 32 bytes are 13 groups of 4 characters. */
export function spoken(bytes: Uint8Array): string {
  let text = '';
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = ((buffer << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet.charAt((buffer >> bits) & 31);
    }
  }
  if (bits > 0) text += alphabet.charAt((buffer << (5 - bits)) & 31);
  return text.replaceAll(/(.{4})(?=.)/g, '$1 ');
}

export function spokenFingerprint(fingerprint: Fingerprint): string {
  return spoken(Buffer.from(fingerprint, 'base64url'));
}

/** Whether a text is this fingerprint: as it is spoken, in either case and any grouping, or as it stands in files. */
export function isFingerprint(text: string, fingerprint: Fingerprint): boolean {
  const bare = (each: string): string => each.replaceAll(/[\s-]/g, '').toUpperCase();
  return text.trim() === fingerprint || bare(text) === bare(spokenFingerprint(fingerprint));
}
