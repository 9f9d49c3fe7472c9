/** Bytes as text and back: in Node, Buffer's way of it. What is no such text gives bytes that are not written as that text. */
import { Buffer } from 'node:buffer';

/** Lowercase. */
export function toHex(bytes: Uint8Array): string {
  return view(bytes).toString('hex');
}

/** Writes bytes into `target` from `offset` on. @param digits two for each byte */
export function writeHex(target: Uint8Array, offset: number, digits: string): void {
  view(target).write(digits, offset, 'hex');
}

/** With padding (RFC 4648, section 4). */
export function toBase64(bytes: Uint8Array): string {
  return view(bytes).toString('base64');
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

/** Without padding (RFC 4648, section 5). */
export function toBase64Url(bytes: Uint8Array): string {
  return view(bytes).toString('base64url');
}

export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(text, 'base64url'));
}

/** The same memory as a Buffer. */
function view(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
