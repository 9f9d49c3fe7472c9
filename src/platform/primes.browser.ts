/** Primality, in browsers: the Miller–Rabin test with as many random bases as OpenSSL takes. A composite fails at the first of them. */
import { modPow } from 'bigint-crypto-utils';
import { turn } from './event-loop.browser.ts';
import { randomBytes } from './random-bytes.browser.ts';

export function isProbablePrime(candidate: bigint): boolean {
  if (candidate < 4n || candidate % 2n === 0n) return candidate === 2n || candidate === 3n;
  for (let round = 0; round < roundsFor(candidate); round += 1) if (!passes(candidate)) return false;
  return true;
}

/** The same with the event loop served between bases. */
export async function isProbablePrimeSoon(candidate: bigint, signal: AbortSignal | undefined): Promise<boolean> {
  if (candidate < 4n || candidate % 2n === 0n) return candidate === 2n || candidate === 3n;
  for (let round = 0; round < roundsFor(candidate); round += 1) {
    signal?.throwIfAborted();
    if (!passes(candidate)) return false;
    await turn();
  }
  return true;
}

function roundsFor(candidate: bigint): number {
  return candidate >> 2048n === 0n ? 64 : 128;
}

/** Whether an odd number above 3 passes for a prime to one random base in [2, candidate − 2]. */
function passes(candidate: bigint): boolean {
  const last = candidate - 1n;
  let odd = last >> 1n;
  while (odd % 2n === 0n) odd >>= 1n;
  let power = modPow(2n + randomBelow(candidate - 3n), odd, candidate);
  if (power === 1n) return true;
  for (let exponent = odd; exponent < last; exponent <<= 1n) {
    if (power === last) return true;
    power = (power * power) % candidate;
  }
  return false;
}

/** An integer in [0, limit): of so many bits more than the limit has that it is as good as uniform. */
function randomBelow(limit: bigint): bigint {
  let value = 0n;
  for (const byte of randomBytes(Math.ceil(limit.toString(16).length / 2) + 16)) value = (value << 8n) | BigInt(byte);
  return value % limit;
}
