/** Keys and generators that the tests of src/paillier share. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { bytesToBigint } from '../../src/paillier/bytes.ts';
import { type KeyPair, testOnlyGenerateKeyPair } from '../../src/paillier/key-generation.ts';

/** How often properties are tried. */
export const runs: number = process.env.SLOW === undefined ? 300 : 5000;

/** A key small enough for many runs and large enough that both p² and n² go through OpenSSL. */
export const smallKeys: KeyPair = await testOnlyGenerateKeyPair({ bits: 512 });

/** Integers in [0, 2^bits) of every length, the ends more often than chance would have it. */
export function integers(bits: number): fc.Arbitrary<bigint> {
  const most = (1n << BigInt(bits)) - 1n;
  return fc.oneof(
    { weight: 6, arbitrary: fc.bigInt({ min: 0n, max: most }) },
    { weight: 3, arbitrary: fc.uint8Array({ maxLength: bits >> 3 }).map(bytesToBigint) },
    { weight: 1, arbitrary: fc.constantFrom(0n, 1n, 2n, most >> 1n, most - 1n, most) },
  );
}

/** Integers in [0, n), with both ends and the middle. */
export function below(n: bigint): fc.Arbitrary<bigint> {
  return fc.oneof(
    { weight: 9, arbitrary: fc.bigInt({ min: 0n, max: n - 1n }) },
    { weight: 2, arbitrary: fc.constantFrom(0n, 1n, 2n, n >> 1n, (n >> 1n) + 1n, n - 2n, n - 1n) },
  );
}

export function fromBase64url(text: string): bigint {
  return bytesToBigint(Buffer.from(text, 'base64url'));
}
