/**
 * Tests of integers that keys are made of: primality, small factors, perfect powers.
 */
import { isProbablePrime } from '../platform/primes.ts';
import { bitLength } from './bytes.ts';

/**
 * Whether an integer is a prime, by the Miller–Rabin test: 64 random bases up to 2048 bits, 128 above, so that a composite
 * passes with probability below 2^−128 even if an adversary chose it. Below 2 nothing is a prime.
 */
export function isPrime(candidate: bigint): boolean {
  return candidate >= 2n && isProbablePrime(candidate);
}

/** The least prime factor below `limit`, or undefined. */
export function smallFactor(value: bigint, limit: number): number | undefined {
  return primesBelow(limit).find((prime) => value % BigInt(prime) === 0n);
}

/**
 * Whether value = root^k for integers root and k ≥ 2, given that no prime below 2^`leastFactorBits` divides the value;
 * that bounds k by bits/leastFactorBits. Only prime k need to be tried.
 */
export function isPerfectPower(value: bigint, leastFactorBits: number): boolean {
  const greatest = Math.floor(bitLength(value) / Math.max(1, leastFactorBits));
  return primesBelow(greatest + 1).some((degree) => integerRoot(value, degree) ** BigInt(degree) === value);
}

/** ⌊value^(1/degree)⌋ for a positive value, by Newton's method from a start above the root that is right to about 40 bits. */
export function integerRoot(value: bigint, degree: number): bigint {
  const excess = Math.max(0, bitLength(value) - 53);
  const logarithm = (excess + Math.log2(Number(value >> BigInt(excess)))) / degree;
  const whole = Math.floor(logarithm);
  const leading = BigInt(Math.ceil(2 ** (logarithm - whole + 40))) + 2n;
  let root = (whole >= 40 ? leading << BigInt(whole - 40) : leading >> BigInt(40 - whole)) + 1n;
  const k = BigInt(degree);
  for (;;) {
    const next = ((k - 1n) * root + value / root ** (k - 1n)) / k;
    if (next >= root) return root;
    root = next;
  }
}

let sieved: readonly number[] = [];
let sievedBelow = 0;

/** All primes below a limit, ascending (sieve of Eratosthenes, kept for the next call). */
function primesBelow(limit: number): readonly number[] {
  if (limit > sievedBelow) {
    const composite = new Uint8Array(limit);
    const primes: number[] = [];
    for (let candidate = 2; candidate < limit; candidate += 1) {
      if (composite[candidate] === 1) continue;
      primes.push(candidate);
      for (let multiple = candidate * candidate; multiple < limit; multiple += candidate) composite[multiple] = 1;
    }
    sieved = primes;
    sievedBelow = limit;
  }
  return limit === sievedBelow ? sieved : sieved.filter((prime) => prime < limit);
}
