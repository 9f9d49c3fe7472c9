/**
 * Decryption by the Chinese remainder theorem (Paillier, EUROCRYPT 1999, section 7).
 *
 * Modulo p², with L_p(u) = (u − 1)/p: L_p(c^(p−1) mod p²) = m·(p − 1)·q mod p = −m·q mod p, so m mod p is that times
 * h_p = −q⁻¹ mod p; likewise modulo q; the two halves give m mod n. The secret exponents p − 1 and q − 1 go through the
 * backend. What else is computed from the plaintext is computed in BigInt, whose time depends on its operands: therefore c is
 * first multiplied by 1 + k·n with a random k, and k is subtracted from the result.
 *
 * With a kernel all of that is the kernel's affair, in a constant time and therefore without a mask: four ciphertexts at a time, or one.
 */
import { modInv } from 'bigint-crypto-utils';
import { SealsumError } from '../errors.ts';
import { type ModularBackend, selectBackend } from './backend.ts';
import { bigintToBytes } from './bytes.ts';
import { checkCiphertexts, decodeCiphertexts } from './ciphertexts.ts';
import { type KernelDecryption, kernelDecryption } from './native/decryption.ts';
import { type PrivateKey, primesOf } from './private-key.ts';
import { type Ciphertext, ciphertextBytes, type Plaintext, type PublicKey } from './public-key.ts';
import { type RandomBytes, randomBelow, systemRandom } from './random.ts';

/** What createDecryptor may be told. */
export interface DecryptorOptions {
  /** What computes modular powers; by default what selectBackend() finds. */
  readonly backend?: ModularBackend;
  /** Where the numbers that blind the computation come from; the operating system's generator by default. A kernel needs none. */
  readonly random?: RandomBytes;
}

/** Decrypts with one private key. */
export interface Decryptor {
  readonly publicKey: PublicKey;
  readonly privateKey: PrivateKey;
  /** What computes modular powers. */
  readonly backend: ModularBackend;
  /** The plaintext, 0 ≤ m < n. Throws ciphertext_invalid unless 0 < c < n² and gcd(c, n) = 1. */
  decrypt(c: Ciphertext): Plaintext;
  /**
   * The plaintexts of ciphertexts in fixed-width big-endian bytes. Throws ciphertext_invalid as decodeCiphertexts does: when the
   * bytes are not exactly `expectedCount` ciphertexts, or when one of them is none.
   */
  decryptBatch(bytes: Uint8Array, expectedCount: number): Plaintext[];
}

/**
 * A decryptor for a key.
 *
 * @throws SealsumError key_invalid when that was not checked (see privateKeyFromPrimes)
 */
export function createDecryptor(privateKey: PrivateKey, options: DecryptorOptions = {}): Decryptor {
  const { p, q } = primesOf(privateKey);
  const publicKey = privateKey.publicKey;
  const { n, _n2: square } = publicKey;
  const random = options.random ?? systemRandom;
  const backend = options.backend ?? selectBackend();
  const kernel = backend.kernel && kernelDecryption(backend.kernel, p, q);
  if (kernel !== undefined) return kernelDecryptor(privateKey, kernel, backend);
  const moduloP = halfDecryption(p, q, backend);
  const moduloQ = halfDecryption(q, p, backend);
  const inverseOfP = modInv(p, q);

  const decrypt = (c: Ciphertext): Plaintext => {
    if (c <= 0n || c >= square) throw refused('0 < c < n²');
    const mask = randomBelow(n, random);
    const blinded = c * (1n + mask * n);
    const m1 = moduloP(blinded);
    const m2 = moduloQ(blinded);
    // Garner: m ≡ m1 mod p and ≡ m2 mod q.
    const step = ((m2 - m1) * inverseOfP) % q;
    const masked = m1 + p * (step < 0n ? step + q : step);
    const m = masked - mask;
    return (m < 0n ? m + n : m) as Plaintext;
  };
  return {
    publicKey,
    privateKey,
    backend,
    decrypt,
    decryptBatch: (bytes, expectedCount) =>
      decodeCiphertexts(publicKey, bytes, expectedCount, backend).map((c) => decrypt(c)),
  };
}

function kernelDecryptor(privateKey: PrivateKey, kernel: KernelDecryption, backend: ModularBackend): Decryptor {
  const { publicKey } = privateKey;
  const width = ciphertextBytes(publicKey);
  const decryptAll = (bytes: Uint8Array): Plaintext[] => {
    const plaintexts = kernel.decrypt(bytes);
    if (typeof plaintexts === 'number') throw refused('gcd(c, n) = 1');
    return plaintexts as Plaintext[];
  };
  return {
    publicKey,
    privateKey,
    backend,
    decrypt: (c) => {
      if (c <= 0n || c >= publicKey._n2) throw refused('0 < c < n²');
      const [m] = decryptAll(bigintToBytes(c, width));
      if (m === undefined) throw new Error('one plaintext for one ciphertext');
      return m;
    },
    decryptBatch: (bytes, expectedCount) => {
      checkCiphertexts(publicKey, bytes, expectedCount, backend);
      return decryptAll(bytes);
    },
  };
}

/** h_p = L_p(g^(p−1) mod p²)⁻¹ = −q⁻¹ mod p, by which half a decryption is multiplied at its end. */
export function decryptionFactor(p: bigint, q: bigint): bigint {
  return p - modInv(q, p);
}

/** c ↦ m mod p. */
function halfDecryption(p: bigint, q: bigint, backend: ModularBackend): (c: bigint) => bigint {
  const square = p * p;
  const power = backend.modularPower(square);
  const factor = decryptionFactor(p, q);
  return (c) => {
    const residue = c % square;
    if (residue % p === 0n) throw refused('gcd(c, n) = 1');
    return (((power(residue, p - 1n) - 1n) / p) * factor) % p;
  };
}

function refused(expectation: string): SealsumError {
  return new SealsumError('ciphertext_invalid', `ciphertext: expected ${expectation}`, { field: 'ciphertext' });
}
