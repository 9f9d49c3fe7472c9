/**
 * Decryption by the kernel, for those who have a private key: everything from the ciphertext's bytes to the plaintext's is
 * computed in a time that depends on neither the key nor the plaintext.
 *
 * As with the rest of the kernel, a test against BigInt comes first, once in a process for each engine.
 */
import { modInv } from 'bigint-crypto-utils';
import { bigintToBytes, bytesToBigint } from '../bytes.ts';
import { byteLength, ciphertextWidth, joined, type Kernel, testedOnce, testPrimes } from './kernel.ts';

/** Decrypts with two primes. */
export interface KernelDecryption {
  /**
   * @param ciphertexts each 0 < c < n², in fixed-width big-endian bytes, one after the other
   * @returns the plaintexts, or the index of the first ciphertext that shares a factor with n
   */
  decrypt(ciphertexts: Uint8Array): bigint[] | number;
}

const passes = testedOnce(decryptionAgrees, 'decrypt');

/**
 * The kernel's decryption for primes p < q of equal length, or undefined where it fails its test, which is said once, or where the
 * engine is the portable one: OpenSSL's powers are in assembler for every processor, and faster than what compilers make of C++.
 */
export function kernelDecryption(kernel: Kernel, p: bigint, q: bigint): KernelDecryption | undefined {
  return kernel.engine !== 'portable' && passes(kernel) ? untested(kernel, p, q) : undefined;
}

/** Whether an engine decrypts what BigInt encrypts, and refuses what shares a factor with n. */
export function decryptionAgrees(kernel: Kernel): boolean {
  const { p, q } = testPrimes;
  const n = p * q;
  const square = n * n;
  const width = ciphertextWidth(n);
  const plaintexts = [0n, 1n, n - 1n, n / 3n, p, q, n / 5n];
  try {
    const decryption = untested(kernel, p, q);
    // The randomness rⁿ of any r, which decryption has to take away; here r = 2.
    let randomness = 2n;
    for (const bit of n.toString(2).slice(1)) randomness = (randomness ** 2n * (bit === '1' ? 2n : 1n)) % square;
    const ciphertexts = plaintexts.map((m) => ((1n + m * n) * randomness) % square);
    const found = decryption.decrypt(joined(ciphertexts, width));
    if (typeof found === 'number' || !plaintexts.every((m, index) => m === found[index])) return false;
    return [5n * p, 7n * q, n].every((c) => decryption.decrypt(joined(ciphertexts.with(5, c), width)) === 5);
  } catch {
    return false;
  }
}

function untested({ addon, engine }: Kernel, p: bigint, q: bigint): KernelDecryption {
  const width = byteLength(q);
  const secrets = [p, q, p - modInv(q, p), q - modInv(p, q), modInv(p, q)].map((each) => bigintToBytes(each, width));
  const [ofP, ofQ, factorP, factorQ, inverse] = secrets;
  if (ofP === undefined || ofQ === undefined || factorP === undefined || factorQ === undefined || inverse === undefined)
    throw new Error('five numbers of a key');
  const object = addon.decrypting(engine, ofP, ofQ, factorP, factorQ, inverse);
  for (const each of secrets) each.fill(0);
  const n = p * q;
  const plaintextWidth = byteLength(n);
  return {
    decrypt: (ciphertexts) => {
      const plaintexts = addon.decrypt(object, ciphertexts, ciphertextWidth(n), plaintextWidth);
      if (typeof plaintexts === 'number') return plaintexts;
      const values = Array.from({ length: plaintexts.length / plaintextWidth }, (_, index) =>
        bytesToBigint(plaintexts.subarray(index * plaintextWidth, (index + 1) * plaintextWidth)),
      );
      plaintexts.fill(0);
      return values;
    },
  };
}
