/** What the tests of modulus proofs share: a context, primes of a form, and how a refusal reads. */
import assert from 'node:assert/strict';
import { generatePrimeSync } from 'node:crypto';
import { PublicKey } from 'paillier-bigint';
import { type ModulusProof, verifyModulus } from '../../src/paillier/modulus-proof.ts';

export const context: Uint8Array = new TextEncoder().encode('job 7');

export const notBlum = 'expected a fourth root; n is not proven to be a product of two primes ≡ 3 mod 4';
export const noRoot = 'expected an n-th root; gcd(n, φ(n)) = 1 is not proven';

/** The key of any n, as nobody would make it who checks. */
export function unchecked(n: bigint): PublicKey {
  return new PublicKey(n, n + 1n);
}

/** Asserts that a proof about n is refused, and why. */
export async function refuses(
  n: bigint,
  proof: ModulusProof,
  field: string,
  expectation: string,
  forContext: Uint8Array = context,
): Promise<void> {
  await assert.rejects(verifyModulus(unchecked(n), proof, forContext), {
    name: 'SealsumError',
    code: 'key_invalid',
    field,
    message: `${field}: ${expectation}`,
  });
}

/** A random prime ≡ rem mod add. */
export function primeModulo(bits: number, rem: bigint, add = 4n): bigint {
  return generatePrimeSync(bits, { bigint: true, rem, add });
}
