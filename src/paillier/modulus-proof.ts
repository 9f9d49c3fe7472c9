/**
 * Proofs that a Paillier modulus n is well formed, and how they are verified; modulus-prover.ts makes them.
 *
 * Roots: gcd(n, φ(n)) = 1 (Goldberg, Reyzin, Sagga, Baldimtsi, "Efficient noninteractive certification of RSA moduli and
 * beyond", ASIACRYPT 2019, section 3), by n-th roots modulo n of 11 challenges. Otherwise a prime r divides both numbers,
 * x ↦ xⁿ maps r units to one, and at most one challenge in r has a root. The paper's α = 6370 bounds r from below and asks for
 * ⌈128/log₂ α⌉ = 11 roots; here trial division goes to 2^16 as it does for public keys. Error: below 2^−176.
 *
 * Blum: n = pq with primes p ≡ q ≡ 3 mod 4 (Canetti, Gennaro, Goldfeder, Makriyannis, Peled, "UC non-interactive, proactive,
 * threshold ECDSA with identifiable aborts", 2021, figure 16), by fourth roots of (−1)^a·w^b·y for 128 challenges y and one w
 * of Jacobi symbol −1. With gcd(n, φ(n)) = 1, n is a product of distinct primes; when they are three or more, or one is
 * ≡ 1 mod 4, the fourth powers are at most one in eight units, and the four multiples of y meet one for at most half of all y.
 * Error: 2^−128. A prime n is all that would pass wrongly, and is refused by itself. This holds for y uniform among all units:
 * squared challenges would let any number of primes ≡ 3 mod 4 pass.
 *
 * Both are made non-interactive by Fiat and Shamir's heuristic in the random oracle model: who tries Q hashes passes wrongly
 * with probability at most Q·2^−128. They are zero-knowledge: who reads them learns that n is well formed and nothing that
 * helps to factor it.
 *
 * Not proven: that p and q are of equal length; a prime factor above 2^16 passes. Nor the size of n: see publicKeyFromModulus.
 */
import { SealsumError } from '../errors.ts';
import { fromBase64Url, toBase64Url } from '../platform/bytes.ts';
import { turn as immediate } from '../platform/event-loop.ts';
import { shake256 } from '../platform/hashes.ts';
import { isProbablePrimeSoon } from '../platform/primes.ts';
import { type ModularBackend, selectBackend } from './backend.ts';
import { bigintToBytes, bitLength, bytesToBigint } from './bytes.ts';
import { greatestCommonDivisor } from './divisors.ts';
import { jacobiSymbol } from './jacobi.ts';
import { invalid } from './jwk.ts';
import { raiseInTurn } from './many-powers.ts';
import { smallFactor } from './primality.ts';
import type { PublicKey } from './public-key.ts';

/** The answer to one challenge y: x⁴ = (−1)^a·w^b·y and zⁿ = y modulo n, with 0 < x < n/2. */
export interface BlumAnswer {
  readonly x: string;
  readonly a: 0 | 1;
  readonly b: 0 | 1;
  readonly z: string;
}

/** A proof, ready for JSON. Every integer is base64url of its big-endian bytes, as many as n has; there is one text for each. */
export interface ModulusProof {
  readonly w: string;
  /** The n-th roots of `rootCount` challenges. */
  readonly roots: readonly string[];
  /** The answers to `blumCount` challenges. */
  readonly blum: readonly BlumAnswer[];
}

export const rootCount = 11;
export const blumCount = 128;

/** A proof about a larger modulus is refused: the most that model.json lets a key have, and far from what OpenSSL can do. */
export const greatestProvenBits = 8192;

/** No prime below this may divide n. */
const leastFactor = 2 ** 16;

/** What a prover has to answer: units modulo n, uniform but for a chance that is negligible unless n has a tiny factor. */
export interface ModulusChallenges {
  readonly roots: readonly bigint[];
  readonly blum: readonly bigint[];
}

/**
 * The challenges that follow from n, w (0 ≤ w < n) and the context.
 *
 * With width the bytes of n and u32 a big-endian integer of 4 bytes, seed = SHAKE256("sealsum modulus proof v1\n" ‖ u32(width)
 * ‖ n ‖ w ‖ context), 64 bytes. Challenge i of a kind ("root" or "blum") is the first of SHAKE256(seed ‖ kind ‖ u32(i) ‖
 * u32(attempt)), attempt = 0, 1, …, that is below n, each of as many bits as n has: the leading ones of its width bytes are cut.
 */
export function modulusChallenges(n: bigint, w: bigint, context: Uint8Array): ModulusChallenges {
  const bits = bitLength(n);
  const width = Math.ceil(bits / 8);
  const seed = shake256(
    64,
    'sealsum modulus proof v1\n',
    bigintToBytes(BigInt(width), 4),
    bigintToBytes(n, width),
    bigintToBytes(w, width),
    context,
  );

  const position = new Uint8Array(8);
  const view = new DataView(position.buffer);
  function challenge(kind: 'root' | 'blum', index: number): bigint {
    view.setUint32(0, index);
    for (let attempt = 0; ; attempt += 1) {
      view.setUint32(4, attempt);
      const candidate = BigInt.asUintN(bits, bytesToBigint(shake256(width, seed, kind, position)));
      if (candidate < n) return candidate;
    }
  }

  return {
    roots: Array.from({ length: rootCount }, (_, index) => challenge('root', index)),
    blum: Array.from({ length: blumCount }, (_, index) => challenge('blum', index)),
  };
}

/** The number whose fourth root answers a challenge: (−1)^a·w^b·y mod n, for 0 < y, w < n. */
export function blumTarget(n: bigint, w: bigint, y: bigint, a: 0 | 1, b: 0 | 1): bigint {
  const multiple = b === 1 ? (w * y) % n : y;
  return a === 1 ? n - multiple : multiple;
}

/** An integer of [0, n) as base64url, in as many bytes as n has. */
export function encodeResidue(n: bigint, value: bigint): string {
  return toBase64Url(bigintToBytes(value, Math.ceil(bitLength(n) / 8)));
}

/** The inverse of encodeResidue, for integers in (0, n); key_invalid naming `field` for every other text. */
function decodeResidue(n: bigint, text: unknown, field: string): bigint {
  const width = Math.ceil(bitLength(n) / 8);
  if (typeof text !== 'string' || text.length !== Math.ceil((width * 4) / 3)) {
    throw invalid(field, `expected base64url text of ${width} bytes, as many as n has`);
  }
  const bytes = fromBase64Url(text);
  if (bytes.length !== width || toBase64Url(bytes) !== text) {
    throw invalid(field, 'expected canonical base64url: no padding, no other characters');
  }
  const value = bytesToBigint(bytes);
  if (value === 0n || value >= n) throw invalid(field, 'expected a number above 0 and below n');
  return value;
}

function decodeBit(bit: unknown, field: string): 0 | 1 {
  if (bit !== 0 && bit !== 1) throw invalid(field, 'expected 0 or 1');
  return bit;
}

/**
 * Lets the event loop turn once.
 *
 * @param doing what is under way, for the error
 * @throws SealsumError aborted when the signal has fired
 */
export async function turn(doing: string, signal: AbortSignal | undefined): Promise<void> {
  await immediate();
  if (signal?.aborted === true) throw aborted(doing, signal);
}

function aborted(doing: string, signal: AbortSignal | undefined): SealsumError {
  return new SealsumError('aborted', `${doing} was aborted`, { cause: signal?.reason });
}

/** What verifyModulus may be told. */
export interface ModulusVerifierOptions {
  /** What computes modular powers; by default what selectBackend() finds. */
  readonly backend?: ModularBackend;
  readonly signal?: AbortSignal | undefined;
}

const verifying = 'verifying a modulus';

/**
 * Verifies a proof about a key's modulus.
 *
 * The key need not be checked before, but verified it is only well formed, not large: take it from publicKeyFromModulus. One
 * power modulo n for each of the 139 roots: `npm run bench` has their time as "verify"; the event loop turns between them, or every few
 * milliseconds of eight at once. A modulus above 8192 bits is refused before any work.
 *
 * @param context what the proof was made for, the same bytes as the prover's
 * @throws SealsumError key_invalid, whose field and message name the first check that failed: n, proof.w, proof, proof.roots,
 *   proof.roots[i], proof.blum, proof.blum[i].x, .a, .b or .z; aborted when the signal fires
 */
export async function verifyModulus(
  publicKey: PublicKey,
  proof: ModulusProof,
  context: Uint8Array,
  { backend = selectBackend(), signal }: ModulusVerifierOptions = {},
): Promise<void> {
  const { n } = publicKey;
  const pause = (): Promise<void> => turn(verifying, signal);

  // The form of both numbers, before any work.
  const bits = bitLength(n < 0n ? 0n : n);
  if (bits > greatestProvenBits) throw invalid('n', `expected at most ${greatestProvenBits} bits, found ${bits}`);
  if (n < 3n || n % 2n === 0n) throw invalid('n', 'expected a product of two odd primes');
  const w = decodeResidue(n, proof.w, 'proof.w');
  if (proof.roots.length !== rootCount) throw invalid('proof.roots', `expected ${rootCount} roots`);
  if (proof.blum.length !== blumCount) throw invalid('proof.blum', `expected ${blumCount} answers`);
  const roots = proof.roots.map((root, index) => decodeResidue(n, root, `proof.roots[${index}]`));
  const answers = proof.blum.map(({ x, a, b, z }, index) => {
    const field = `proof.blum[${index}]`;
    return {
      field,
      x: decodeResidue(n, x, `${field}.x`),
      a: decodeBit(a, `${field}.a`),
      b: decodeBit(b, `${field}.b`),
      z: decodeResidue(n, z, `${field}.z`),
    };
  });

  // What the verifier finds out without the proof.
  await pause();
  if (smallFactor(n, leastFactor) !== undefined) {
    throw invalid('n', `expected no prime factor below ${leastFactor}, found one`);
  }
  await pause();
  if (await isPrime(n, signal)) throw invalid('n', 'expected a product of two primes, found a prime');
  await pause();
  if (jacobiSymbol(w, n) !== -1) throw invalid('proof.w', 'expected a number of Jacobi symbol −1 modulo n');
  await pause();
  const challenges = modulusChallenges(n, w, context);
  await pause();
  const product = [...challenges.roots, ...challenges.blum].reduce((so, each) => (so * each) % n, 1n);
  // Units as challenges make units of all that answers them.
  if (greatestCommonDivisor(n, product) !== 1n)
    throw invalid('n', 'expected large primes: a challenge has a factor of n');

  // The answers, the cheap ones first.
  await pause();
  for (const [index, { field, x, a, b }] of answers.entries()) {
    const y = challenges.blum[index] ?? 0n; // one for each: both lists have the same length
    const square = (x * x) % n;
    if (2n * x > n) throw invalid(`${field}.x`, 'expected the fourth root below n/2');
    if ((square * square) % n !== blumTarget(n, w, y, a, b)) {
      throw invalid(`${field}.x`, 'expected a fourth root; n is not proven to be a product of two primes ≡ 3 mod 4');
    }
    if (index % 32 === 31) await pause();
  }
  const claims = [
    ...roots.map((root, index) => ({ root, field: `proof.roots[${index}]`, challenge: challenges.roots[index] })),
    ...answers.map(({ z, field }, index) => ({ root: z, field: `${field}.z`, challenge: challenges.blum[index] })),
  ];
  const bases = claims.map(({ root }) => root);
  const powers = raiseInTurn(backend, { modulus: n, bases, exponent: n }, pause);
  for (const { field, challenge } of claims)
    if ((await powers.next()).value !== challenge)
      throw invalid(field, 'expected an n-th root; gcd(n, φ(n)) = 1 is not proven');
}

/** @throws SealsumError aborted */
async function isPrime(candidate: bigint, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    return await isProbablePrimeSoon(candidate, signal);
  } catch (error) {
    throw signal?.aborted === true ? aborted(verifying, signal) : error;
  }
}
