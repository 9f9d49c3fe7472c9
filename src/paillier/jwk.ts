/**
 * The parts that public and private keys have in common as JSON Web Keys (RFC 7517), in the form that python-paillier's
 * `pheutil` writes: kty "DAJ", alg "PAI-GN1", integers as base64url of their big-endian bytes (RFC 7518, 2: Base64urlUInt).
 *
 * Decoding is strict: there is one text for each integer. Members that are not known are ignored, as RFC 7517, 4 demands.
 */
import { SealsumError } from '../errors.ts';
import { fromBase64Url, toBase64Url } from '../platform/bytes.ts';
import { bigintToBytes, bitLength, bytesToBigint } from './bytes.ts';

/** A key of more bits is refused: it would only serve to keep those busy who have to compute with it. */
export const greatestKeyBits = 16_384;

/** A positive integer as base64url without padding, in as few bytes as it needs. */
export function encodeInteger(value: bigint): string {
  return toBase64Url(bigintToBytes(value, Math.ceil(bitLength(value) / 8)));
}

/** The inverse of encodeInteger; `field` names the member in the error. Throws key_invalid for every other text. */
export function decodeInteger(value: unknown, field: string): bigint {
  if (typeof value !== 'string' || value.length > greatestKeyBits / 6 + 1) {
    throw invalid(field, `expected base64url text of an integer of at most ${greatestKeyBits} bits`);
  }
  const bytes = fromBase64Url(value);
  if (bytes.length === 0 || bytes[0] === 0 || toBase64Url(bytes) !== value) {
    throw invalid(field, 'expected canonical base64url: no padding, no leading zero byte, no other characters');
  }
  return bytesToBigint(bytes);
}

/** The members of a JSON object; key_invalid when it is none. */
export function members(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(field, 'expected a JSON object');
  return Object.fromEntries(Object.entries(value));
}

/** Checks kty, alg and key_ops; pheutil leaves alg out of private keys, and phe's library users leave out key_ops. */
export function assertMembers(
  jwk: Readonly<Record<string, unknown>>,
  prefix: string,
  expected: { readonly algorithm: 'required' | 'optional'; readonly operation: 'encrypt' | 'decrypt' },
): void {
  if (jwk.kty !== 'DAJ') throw invalid(`${prefix}kty`, 'expected "DAJ"');
  const algorithm = jwk.alg;
  if (algorithm !== 'PAI-GN1' && (algorithm !== undefined || expected.algorithm === 'required')) {
    throw invalid(`${prefix}alg`, 'expected "PAI-GN1"');
  }
  const operations = jwk.key_ops;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes(expected.operation))) {
    throw invalid(`${prefix}key_ops`, `expected a list with "${expected.operation}"`);
  }
}

/** The error for a member that is not as it must be. */
export function invalid(field: string, expectation: string): SealsumError {
  return new SealsumError('key_invalid', `${field}: ${expectation}`, { field });
}
