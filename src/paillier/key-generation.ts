/**
 * Key generation.
 *
 * Primes as Damgård, Jurik and Nielsen ask for (IJIS 9, 2010, the variant with a shorter exponent): p ≡ q ≡ 3 mod 4 and
 * gcd(p − 1, q − 1) = 2, so that −1 is a non-square of Jacobi symbol 1 and h = −x² generates nearly the whole group of
 * elements of symbol 1. Their range and their distance are those of FIPS 186-5, A.1.3: both at least √2·2^(k−1), so that n
 * has exactly 2k bits, and further apart than 2^(k−100), so that Fermat's method does not factor n.
 */
import { generatePrime } from 'node:crypto';
import { SealsumError } from '../errors.ts';
import { bitLength } from './bytes.ts';
import { greatestCommonDivisor } from './divisors.ts';
import { greatestKeyBits } from './jwk.ts';
import { farApart, type PrivateKey, privateKeyFromPrimes, testOnlyPrivateKeyFromPrimes } from './private-key.ts';
import { leastKeyBits, type PublicKey } from './public-key.ts';

/** A private key and the public key that belongs to it (the same object as privateKey.publicKey). */
export interface KeyPair {
  readonly publicKey: PublicKey;
  readonly privateKey: PrivateKey;
}

/** The size of a key unless another is asked for: about 128 bits of security (NIST SP 800-57 part 1, table 2). */
export const defaultKeyBits = 3072;

/**
 * A fresh key pair whose modulus has exactly `bits` bits (an even number, 2048 to 16,384; 3072 by default).
 *
 * The primes come from OpenSSL on its own threads: the event loop stays free. Takes about 0.6 s at 3072 bits.
 *
 * @throws SealsumError key_too_small below 2048 bits, key_invalid for another size that cannot be, aborted when the signal fires
 */
export async function generateKeyPair(options: { bits?: number; signal?: AbortSignal } = {}): Promise<KeyPair> {
  const bits = options.bits ?? defaultKeyBits;
  if (bits < leastKeyBits) {
    throw new SealsumError('key_too_small', `bits: expected at least ${leastKeyBits}, found ${bits}`, {
      field: 'bits',
    });
  }
  const [p, q] = await generatePrimes(bits, options.signal);
  return keyPair(privateKeyFromPrimes(p, q));
}

/** Like generateKeyPair, down to 32 bits. Keys below 2048 bits protect nothing: for tests only. */
export async function testOnlyGenerateKeyPair(options: { bits: number; signal?: AbortSignal }): Promise<KeyPair> {
  const [p, q] = await generatePrimes(options.bits, options.signal);
  return keyPair(testOnlyPrivateKeyFromPrimes(p, q));
}

function keyPair(privateKey: PrivateKey): KeyPair {
  return { publicKey: privateKey.publicKey, privateKey };
}

async function generatePrimes(bits: number, signal: AbortSignal | undefined): Promise<[bigint, bigint]> {
  if (!Number.isSafeInteger(bits) || bits % 2 !== 0 || bits < 32 || bits > greatestKeyBits) {
    throw new SealsumError(
      'key_invalid',
      `bits: expected an even number from 32 to ${greatestKeyBits}, found ${bits}`,
      {
        field: 'bits',
      },
    );
  }
  const p = await generateBlumPrime(bits / 2, signal);
  for (;;) {
    const q = await generateBlumPrime(bits / 2, signal);
    if (farApart(p, q) && greatestCommonDivisor(p - 1n, q - 1n) === 2n) return [p, q];
  }
}

/** A prime ≡ 3 mod 4 of `length` bits whose square has 2·length bits. */
async function generateBlumPrime(length: number, signal: AbortSignal | undefined): Promise<bigint> {
  for (;;) {
    const prime = await randomPrime(length, signal);
    if (bitLength(prime) === length && bitLength(prime * prime) === 2 * length) return prime;
  }
}

/** Rejects at once when the signal fires; the prime that OpenSSL was looking for is then thrown away when it comes. */
function randomPrime(length: number, signal: AbortSignal | undefined): Promise<bigint> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      reject(new SealsumError('aborted', 'key generation was aborted', { cause: signal?.reason }));
    };
    if (signal?.aborted === true) {
      stop();
      return;
    }
    signal?.addEventListener('abort', stop, { once: true });
    generatePrime(length, { bigint: true, add: 4n, rem: 3n }, (error, prime) => {
      signal?.removeEventListener('abort', stop);
      if (error) reject(error);
      else resolve(prime);
    });
  });
}
