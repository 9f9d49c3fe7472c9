/**
 * Making the proofs of modulus-proof.ts, with the two primes.
 *
 * Modulo a prime p ≡ 3 mod 4 the squares are a group of odd order h = (p − 1)/2, in which the fourth root is the power
 * ((p + 1)/4)² mod h. That exponent, or it plus h, is even, and then takes y and −y to the same fourth root, of whichever is a
 * square: one power answers which is one, too. An n-th root is the power n⁻¹ mod (p − 1). All four secret exponents, two for
 * each prime, go through the backend. What else is computed modulo p is computed in BigInt, whose time depends on its
 * operands: they are one-time values that follow from a hash, and nobody chooses them.
 */
import { modInv } from 'bigint-crypto-utils';
import { SealsumError } from '../errors.ts';
import { type ModularBackend, selectBackend } from './backend.ts';
import { jacobiSymbol } from './jacobi.ts';
import { invalid } from './jwk.ts';
import { raiseInTurn } from './many-powers.ts';
import {
  type BlumAnswer,
  blumTarget,
  encodeResidue,
  type ModulusProof,
  modulusChallenges,
  rootCount,
  turn,
} from './modulus-proof.ts';
import { type PrivateKey, primesOf } from './private-key.ts';
import { type RandomBytes, randomBelow, systemRandom } from './random.ts';

/** What proveModulus may be told. */
export interface ModulusProverOptions {
  /** Where w comes from; the operating system's generator by default. */
  readonly random?: RandomBytes;
  /** What computes modular powers; by default what selectBackend() finds. */
  readonly backend?: ModularBackend;
  readonly signal?: AbortSignal;
}

/**
 * A proof that a key's modulus is well formed, bound to a context.
 *
 * 268 powers modulo each prime: `npm run bench` has their time as "prove"; the event loop turns between them, or every few milliseconds of
 * eight at once.
 *
 * @param context what the proof is for, such as the name of a job; whoever verifies must pass the same bytes
 * @throws SealsumError key_invalid for a key that was not checked (see privateKeyFromPrimes) or whose primes are not both
 *   ≡ 3 mod 4; aborted when the signal fires; internal when the computer computed wrongly
 */
export async function proveModulus(
  privateKey: PrivateKey,
  context: Uint8Array,
  options: ModulusProverOptions = {},
): Promise<ModulusProof> {
  const { p, q } = primesOf(privateKey);
  const { n } = privateKey.publicKey;
  const { random = systemRandom, backend = selectBackend(), signal } = options;
  if (p % 4n !== 3n || q % 4n !== 3n) {
    throw invalid('p, q', 'expected primes ≡ 3 mod 4, or nothing can be proven of n; make a new key');
  }
  const pause = (): Promise<void> => turn('proving a modulus', signal);
  await pause();

  const inverseOfP = modInv(p, q);
  /** The number in [0, n) that is ≡ atP mod p and ≡ atQ mod q (Garner). */
  const combine = (atP: bigint, atQ: bigint): bigint => {
    const step = ((atQ - atP) * inverseOfP) % q;
    return atP + p * (step < 0n ? step + q : step);
  };

  let w = randomBelow(n, random);
  while (jacobiSymbol(w, n) !== -1) w = randomBelow(n, random);
  await pause();
  const challenges = modulusChallenges(n, w, context);
  const asked = { nth: [...challenges.roots, ...challenges.blum], fourth: [w, ...challenges.blum] };
  const atP = await rootsModulo(p, n, asked, backend, pause);
  const atQ = await rootsModulo(q, n, asked, backend, pause);

  // A root that is wrong modulo one prime only reveals that prime (Boneh, DeMillo, Lipton, EUROCRYPT 1997), so none leaves
  // unchecked: the fourth roots one by one, of the n-th roots the product.
  let rootsSoFar = 1n;
  let challengesSoFar = 1n;
  const roots: string[] = [];
  for (const [index, y] of asked.nth.entries()) {
    const root = combine(atP.nth[index] ?? 0n, atQ.nth[index] ?? 0n);
    rootsSoFar = (rootsSoFar * root) % n;
    challengesSoFar = (challengesSoFar * y) % n;
    roots.push(encodeResidue(n, root));
    if (index % 32 === 31) await pause();
  }
  const power = backend.modularPower(n);
  await pause();
  if (power(rootsSoFar, n) !== challengesSoFar) throw miscalculated();

  /** From the fourth roots of y and of w. */
  function answer(y: bigint, [atP, atQ]: FourthRoots, [wAtP, wAtQ]: FourthRoots): Omit<BlumAnswer, 'z'> {
    // y or −y is a square modulo both primes, or w·y or −w·y is: w is a square modulo one of them.
    const b = atP.isSquare === atQ.isSquare ? 0 : 1;
    const a = (b === 0 || wAtP.isSquare) === atP.isSquare ? 0 : 1;
    const root =
      b === 0 ? combine(atP.root, atQ.root) : combine((atP.root * wAtP.root) % p, (atQ.root * wAtQ.root) % q);
    if (root ** 4n % n !== blumTarget(n, w, y, a, b)) throw miscalculated();
    const x = 2n * root < n ? root : n - root;
    return { x: encodeResidue(n, x), a, b };
  }

  const [ofW, ...fourthRoots] = asked.fourth.map((_, index): FourthRoots => {
    const [rootAtP, rootAtQ] = [atP.fourth[index], atQ.fourth[index]];
    if (rootAtP === undefined || rootAtQ === undefined) throw miscalculated();
    return [rootAtP, rootAtQ];
  });
  const nthRoots = roots.splice(rootCount);
  const blum: BlumAnswer[] = [];
  for (const [index, y] of challenges.blum.entries()) {
    const [fourth, z] = [fourthRoots[index], nthRoots[index]];
    if (fourth === undefined || ofW === undefined || z === undefined) throw miscalculated();
    blum.push({ ...answer(y, fourth, ofW), z });
    if (index % 32 === 31) await pause();
  }
  return { w: encodeResidue(n, w), roots, blum };
}

/** The fourth root of y or −y modulo a prime, whichever is a square, and whether y is. */
interface FourthRoot {
  readonly root: bigint;
  readonly isSquare: boolean;
}

/** Of one number, modulo p and modulo q. */
type FourthRoots = readonly [FourthRoot, FourthRoot];

/** y^(1/n) and fourth roots modulo one prime, of some y modulo n. */
async function rootsModulo(
  prime: bigint,
  n: bigint,
  asked: { readonly nth: readonly bigint[]; readonly fourth: readonly bigint[] },
  backend: ModularBackend,
  pause: () => Promise<void>,
): Promise<{ readonly nth: readonly bigint[]; readonly fourth: readonly FourthRoot[] }> {
  // Modulo a multiple, because OpenSSL tests the modulus for primality first, which takes long only for a prime.
  const modulus = 3n * prime;
  const raised = async (values: readonly bigint[], exponent: bigint): Promise<bigint[]> => {
    const powers: bigint[] = [];
    for await (const power of raiseInTurn(backend, { modulus, bases: values.map((y) => y % prime), exponent }, pause))
      powers.push(power % prime);
    return powers;
  };
  const order = (prime - 1n) / 2n;
  const fourth = ((prime + 1n) / 4n) ** 2n % order;
  const evenFourth = fourth % 2n === 0n ? fourth : fourth + order;
  const nth = await raised(asked.nth, modInv(n, prime - 1n));
  const roots = await raised(asked.fourth, evenFourth);
  return {
    nth,
    fourth: roots.map((root, index) => ({
      root,
      isSquare: root ** 4n % prime === (asked.fourth[index] ?? 0n) % prime,
    })),
  };
}

function miscalculated(): SealsumError {
  return new SealsumError(
    'internal',
    'proving a modulus: the proof came out wrong, so it is withheld; try again, and suspect the hardware if it happens again',
  );
}
