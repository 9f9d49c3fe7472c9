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

/**
 * Whether an engine decrypts what BigInt encrypts, and refuses what shares a factor with n, one by one and together. The engine with
 * lanes has loops of its own for few ciphertexts, for each length of a key: there it must give the same for one as for four.
 */
export function decryptionAgrees(kernel: Kernel): boolean {
  try {
    if (!agreesWithBigint(kernel)) return false;
    return kernel.engine !== 'ifma' || longPrimes.every(([p, q]) => oneAgreesWithFour(kernel, p, q));
  } catch {
    return false;
  }
}

/** The greatest two primes of as many bits as in keys of 2048, 3072 and 4096 bits, for tests and nothing else. */
export const longPrimes: readonly (readonly [bigint, bigint])[] = [
  [2n ** 1024n - 179n, 2n ** 1024n - 105n],
  [2n ** 1536n - 4977n, 2n ** 1536n - 3453n],
  [2n ** 2048n - 2543n, 2n ** 2048n - 1557n],
];

function agreesWithBigint(kernel: Kernel): boolean {
  const { p, q } = testPrimes;
  const n = p * q;
  const square = n * n;
  const width = ciphertextWidth(n);
  const plaintexts = [0n, 1n, n - 1n, n / 3n, p, q, n / 5n];
  const decryption = untested(kernel, p, q);
  // The randomness rⁿ of any r, which decryption has to take away; here r = 2.
  let randomness = 2n;
  for (const bit of n.toString(2).slice(1)) randomness = (randomness ** 2n * (bit === '1' ? 2n : 1n)) % square;
  const ciphertexts = plaintexts.map((m) => ((1n + m * n) * randomness) % square);
  // One alone, two, three, and all.
  for (const [from, to] of [
    [0, 1],
    [1, 2],
    [2, 4],
    [4, 7],
    [0, 7],
  ])
    if (!equal(decryption.decrypt(joined(ciphertexts.slice(from, to), width)), plaintexts.slice(from, to)))
      return false;
  return [5n * p, 7n * q, n].every(
    (c) =>
      decryption.decrypt(joined([c], width)) === 0 && decryption.decrypt(joined(ciphertexts.with(5, c), width)) === 5,
  );
}

function oneAgreesWithFour(kernel: Kernel, p: bigint, q: bigint): boolean {
  const n = p * q;
  const square = n * n;
  const width = ciphertextWidth(n);
  const decryption = untested(kernel, p, q);
  // Numbers that nobody encrypted decrypt to something as well; the last is 1 + m·n with the randomness (−1)ⁿ.
  const ciphertexts = [square / 3n, square / 5n, square / 7n, square - 1n - (n / 3n) * n];
  const together = decryption.decrypt(joined(ciphertexts, width));
  if (typeof together === 'number' || together[3] !== n / 3n) return false;
  return (
    ciphertexts.every((c, index) => equal(decryption.decrypt(joined([c], width)), together.slice(index, index + 1))) &&
    [5n * p, 7n * q].every((c) => decryption.decrypt(joined([c], width)) === 0)
  );
}

function equal(found: readonly bigint[] | number, expected: readonly bigint[]): boolean {
  return (
    typeof found !== 'number' && found.length === expected.length && expected.every((m, index) => m === found[index])
  );
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
