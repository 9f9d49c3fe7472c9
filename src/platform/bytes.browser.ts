/** Bytes as text and back, in browsers: as bytes.ts has it. */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils';

export function toHex(bytes: Uint8Array): string {
  return bytesToHex(bytes);
}

export function writeHex(target: Uint8Array, offset: number, digits: string): void {
  target.set(hexToBytes(digits), offset);
}

/** As many characters as fit the arguments of a call. */
const portion = 8192;

export function toBase64(bytes: Uint8Array): string {
  let characters = '';
  for (let at = 0; at < bytes.length; at += portion)
    characters += String.fromCharCode(...bytes.subarray(at, at + portion));
  return btoa(characters);
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  let characters: string;
  try {
    characters = atob(text);
  } catch {
    // Nothing at all is the text of no bytes, and this text is not empty.
    return new Uint8Array();
  }
  return Uint8Array.from(characters, (character) => character.charCodeAt(0));
}

export function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  return fromBase64(text.replaceAll('-', '+').replaceAll('_', '/'));
}
