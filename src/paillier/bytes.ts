/**
 * Integers as big-endian bytes and back.
 *
 * Both directions go through hexadecimal text: it is linear in V8 and the fastest way between a bigint and bytes.
 */
import { SealsumError } from '../errors.ts';
import { toHex, writeHex } from '../platform/bytes.ts';

/** The number of binary digits of a non-negative integer; 0 for zero. */
export function bitLength(value: bigint): number {
  if (value === 0n) return 0;
  const digits = value.toString(16);
  return 4 * (digits.length - 1) + (32 - Math.clz32(Number.parseInt(digits.charAt(0), 16)));
}

/**
 * A non-negative integer as exactly `length` bytes, most significant first.
 *
 * Throws number_out_of_bounds when the integer is negative or needs more bytes.
 */
export function bigintToBytes(value: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  writeBigint(value, bytes, 0, length);
  return bytes;
}

/** Writes an integer into `length` bytes of `target` from `offset` on, big-endian; throws as bigintToBytes does. */
export function writeBigint(value: bigint, target: Uint8Array, offset: number, length: number): void {
  const digits = value.toString(16);
  if (value < 0n || (digits.length > 2 * length && value !== 0n)) {
    throw new SealsumError('number_out_of_bounds', `integer: expected 0 up to what ${length} bytes hold`);
  }
  if (length === 0) return;
  writeHex(target, offset, digits.padStart(2 * length, '0'));
}

/** The integer that big-endian bytes stand for; 0 for no bytes. */
export function bytesToBigint(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${toHex(bytes)}`);
}

/** Bytes one after the other. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** Text in UTF-8. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
