/** A prover of the modulus proofs that knows the factors of any n, however bad, and answers each challenge that has an answer. */
import { modInv, modPow } from 'bigint-crypto-utils';
import { greatestCommonDivisor } from '../../src/paillier/divisors.ts';
import { jacobiSymbol } from '../../src/paillier/jacobi.ts';
import {
  type BlumAnswer,
  blumTarget,
  encodeResidue,
  type ModulusProof,
  modulusChallenges,
} from '../../src/paillier/modulus-proof.ts';
import { randomBelow, systemRandom } from '../../src/paillier/random.ts';

/** prime^exponent, exactly dividing n. */
export interface Factor {
  readonly prime: bigint;
  readonly exponent: number;
}

/** The best proof there is for a bad modulus, and which of its answers are true. */
export interface DishonestProof {
  readonly proof: ModulusProof;
  readonly w: bigint;
  /** Whether each of the challenges has the n-th root that `roots` and `blum[i].z` should be. */
  readonly rootsAnswered: readonly boolean[];
  readonly zAnswered: readonly boolean[];
  /** Whether (−1)^a·w^b·y has a fourth root for some a and b. */
  readonly xAnswered: readonly boolean[];
}

export function productOf(factors: readonly Factor[]): bigint {
  return factors.reduce((product, { prime, exponent }) => product * prime ** BigInt(exponent), 1n);
}

/** `square` answers the squares of the challenges instead, for a verifier that makes that mistake. */
export function proveDishonestly(
  factors: readonly Factor[],
  context: Uint8Array,
  options: { readonly square?: boolean } = {},
): DishonestProof {
  const n = productOf(factors);
  const w = bestW(factors);
  const asked = modulusChallenges(n, w, context);
  const challenges = { roots: asked.roots, blum: asked.blum.map((y) => (options.square === true ? (y * y) % n : y)) };
  const roots = challenges.roots.map((y) => root(y, n, factors));
  const answers = challenges.blum.map((y) => ({ ...fourthRoot(y, w, factors), z: root(y, n, factors) }));
  return {
    w,
    rootsAnswered: roots.map((each) => each !== undefined),
    xAnswered: answers.map(({ x }) => x !== undefined),
    zAnswered: answers.map(({ z }) => z !== undefined),
    proof: {
      w: encodeResidue(n, w),
      roots: roots.map((each) => encodeResidue(n, each ?? 1n)),
      blum: answers.map(
        ({ x = 1n, a, b, z = 1n }): BlumAnswer => ({ x: encodeResidue(n, x), a, b, z: encodeResidue(n, z) }),
      ),
    },
  };
}

/**
 * A w of Jacobi symbol −1 with which y, −y, w·y and −w·y are as different as they can be: neither w nor −w has a fourth root.
 * Where there is none, as modulo a prime, any w of Jacobi symbol −1; and where there is none of these, as modulo a square, 1.
 */
function bestW(factors: readonly Factor[]): bigint {
  const n = productOf(factors);
  let best = 1n;
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const w = randomBelow(n - 1n, systemRandom) + 1n;
    if (jacobiSymbol(w, n) !== -1) continue;
    best = w;
    if (root(w, 4n, factors) === undefined && root(n - w, 4n, factors) === undefined) break;
  }
  return best;
}

function fourthRoot(y: bigint, w: bigint, factors: readonly Factor[]): { x: bigint | undefined; a: 0 | 1; b: 0 | 1 } {
  const n = productOf(factors);
  for (const a of [0, 1] as const) {
    for (const b of [0, 1] as const) {
      const x = root(blumTarget(n, w, y, a, b), 4n, factors);
      if (x !== undefined) return { x: 2n * x < n ? x : n - x, a, b };
    }
  }
  return { x: undefined, a: 0, b: 0 };
}

/** A degree-th root of y modulo the product of the factors, or undefined where there is none. */
function root(y: bigint, degree: bigint, factors: readonly Factor[]): bigint | undefined {
  const n = productOf(factors);
  let combined = 0n;
  for (const { prime, exponent } of factors) {
    const modulus = prime ** BigInt(exponent);
    const found = rootModuloPower(y % modulus, degree, prime, modulus);
    if (found === undefined) return undefined;
    const others = n / modulus;
    combined += found * others * modInv(others, modulus);
  }
  return combined % n;
}

/**
 * In the cyclic group of units modulo a power of an odd prime, the subgroup whose order has no factor in common with the
 * degree has unique roots. It is all that has roots, unless a prime divides the order more often than the degree.
 */
function rootModuloPower(y: bigint, degree: bigint, prime: bigint, modulus: bigint): bigint | undefined {
  const groupOrder = modulus - modulus / prime;
  let order = groupOrder;
  for (;;) {
    const common = greatestCommonDivisor(order, degree);
    if (common === 1n) break;
    order /= common;
  }
  if (degree % (groupOrder / order) !== 0n) throw new Error('roots modulo this prime are more than this prover finds');
  if (modPow(y, order, modulus) !== 1n) return undefined;
  return order === 1n ? 1n : modPow(y, modInv(degree, order), modulus);
}
