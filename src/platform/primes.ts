/**
 * Primality: in Node, OpenSSL's Miller–Rabin test, 64 random bases up to 2048 bits and 128 above, so that a composite passes with
 * probability below 2^−128 even if an adversary chose it.
 */
import { checkPrime, checkPrimeSync } from 'node:crypto';

/** @param candidate at least 2 */
export function isProbablePrime(candidate: bigint): boolean {
  return checkPrimeSync(candidate);
}

/** The same on OpenSSL's own threads: a prime takes all rounds, half a second at 3072 bits. Rejects when the signal fires. */
export function isProbablePrimeSoon(candidate: bigint, signal: AbortSignal | undefined): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      reject(signal?.reason as Error);
    };
    signal?.addEventListener('abort', stop, { once: true });
    checkPrime(candidate, (error, prime) => {
      signal?.removeEventListener('abort', stop);
      if (error) reject(error);
      else resolve(prime);
    });
  });
}
