/** Every bad modulus with its best prover: what refuses it, and what would not have. */
import assert from 'node:assert/strict';
import { checkPrimeSync } from 'node:crypto';
import { modPow } from 'bigint-crypto-utils';
import { suite } from 'uvu';
import { jacobiSymbol } from '../../src/paillier/jacobi.ts';
import {
  blumCount,
  blumTarget,
  encodeResidue,
  type ModulusProof,
  modulusChallenges,
  rootCount,
  verifyModulus,
} from '../../src/paillier/modulus-proof.ts';
import { testOnlyPublicKeyFromModulus } from '../../src/paillier/public-key.ts';
import { type Factor, productOf, proveDishonestly } from './dishonest-prover.ts';
import { fromBase64url } from './keys.ts';
import { context, noRoot, notBlum, primeModulo, refuses, unchecked } from './modulus-refusals.ts';

const test = suite('bad moduli');

const once = (...primes: bigint[]): Factor[] => primes.map((each) => ({ prime: each, exponent: 1 }));

/** 128 challenges with answers to a share of them: 45 is nearly 8 standard deviations, exceeded by chance below 10^−13. */
function assertShare(answered: readonly boolean[], share: number): void {
  const count = answered.filter(Boolean).length;
  assert.ok(count > 0 && Math.abs(count - 128 * share) < 45, `${count} answers`);
}

test('the dishonest prover is a good one: of a good modulus it proves everything', async () => {
  const factors = once(primeModulo(160, 3n), primeModulo(160, 3n));
  const { proof, rootsAnswered, xAnswered, zAnswered } = proveDishonestly(factors, context);
  assert.ok([...rootsAnswered, ...xAnswered, ...zAnswered].every(Boolean));
  await verifyModulus(unchecked(productOf(factors)), proof, context);
});

test('a prime n: every challenge has its answers, so the test of primality alone refuses it', async () => {
  for (const [rem, add] of [
    [3n, 4n],
    [5n, 8n],
  ] as const) {
    const factors = once(primeModulo(320, rem, add));
    const { proof, rootsAnswered, xAnswered, zAnswered } = proveDishonestly(factors, context);
    assert.ok([...rootsAnswered, ...xAnswered, ...zAnswered].every(Boolean));
    await refuses(productOf(factors), proof, 'n', 'expected a product of two primes, found a prime');
    assert.throws(() => testOnlyPublicKeyFromModulus(productOf(factors)), {
      message: 'n: expected a product of two primes, found a prime',
    });
  }
});

test('three and four primes: half of the challenges have fourth roots at most, the keys alone do not show it', async () => {
  for (const [factors, share] of [
    [once(primeModulo(107, 3n), primeModulo(107, 3n), primeModulo(107, 3n)), 1 / 2],
    [once(primeModulo(80, 3n), primeModulo(80, 3n), primeModulo(80, 3n), primeModulo(80, 3n)), 1 / 4],
    [once(primeModulo(107, 3n), primeModulo(107, 3n), primeModulo(107, 5n, 8n)), 1 / 4],
  ] as const) {
    const { proof, rootsAnswered, xAnswered, zAnswered } = proveDishonestly(factors, context);
    assert.ok([...rootsAnswered, ...zAnswered].every(Boolean));
    assertShare(xAnswered, share);
    await refuses(productOf(factors), proof, `proof.blum[${xAnswered.indexOf(false)}].x`, notBlum);
    assert.equal(testOnlyPublicKeyFromModulus(productOf(factors)).n, productOf(factors));
  }
});

test('primes ≡ 1 mod 4, one or both: half of the challenges have fourth roots at most, the keys alone do not show it', async () => {
  for (const [factors, share] of [
    [once(primeModulo(160, 3n), primeModulo(160, 5n, 8n)), 1 / 2],
    [once(primeModulo(160, 5n, 8n), primeModulo(160, 5n, 8n)), 1 / 4],
  ] as const) {
    const { proof, rootsAnswered, xAnswered, zAnswered } = proveDishonestly(factors, context);
    assert.ok([...rootsAnswered, ...zAnswered].every(Boolean));
    assertShare(xAnswered, share);
    await refuses(productOf(factors), proof, `proof.blum[${xAnswered.indexOf(false)}].x`, notBlum);
    assert.equal(testOnlyPublicKeyFromModulus(productOf(factors)).n, productOf(factors));
  }
});

test('p²: no w has Jacobi symbol −1', async () => {
  const factors = [{ prime: primeModulo(160, 3n), exponent: 2 }];
  const { proof } = proveDishonestly(factors, context);
  await refuses(productOf(factors), proof, 'proof.w', 'expected a number of Jacobi symbol −1 modulo n');
  assert.throws(() => testOnlyPublicKeyFromModulus(productOf(factors)), {
    message: 'n: expected two distinct primes, found a perfect power',
  });
});

test('p²q, p³q and p³: every challenge has its fourth root, none has its n-th root', async () => {
  for (const factors of [
    [{ prime: primeModulo(107, 3n), exponent: 2 }, ...once(primeModulo(109, 3n))],
    [{ prime: primeModulo(80, 3n), exponent: 3 }, ...once(primeModulo(80, 3n))],
    [{ prime: primeModulo(107, 3n), exponent: 3 }],
  ]) {
    const { proof, rootsAnswered, xAnswered, zAnswered } = proveDishonestly(factors, context);
    assert.ok(xAnswered.every(Boolean));
    assert.ok(![...rootsAnswered, ...zAnswered].some(Boolean));
    await refuses(productOf(factors), proof, 'proof.roots[0]', noRoot);
  }
});

test('p dividing q − 1: every challenge has its fourth root, none has its n-th root', async () => {
  const p = primeModulo(130, 3n);
  const factors = once(p, primeModulo(190, 1n + 2n * p, 4n * p));
  const { proof, rootsAnswered, xAnswered, zAnswered } = proveDishonestly(factors, context);
  assert.ok(xAnswered.every(Boolean));
  assert.ok(![...rootsAnswered, ...zAnswered].some(Boolean));
  await refuses(productOf(factors), proof, 'proof.roots[0]', noRoot);
  assert.equal(testOnlyPublicKeyFromModulus(productOf(factors)).n, productOf(factors));
});

test('a factor of 16 bits or fewer, though all else be well: trial division finds it', async () => {
  for (const small of [3n, 6367n, 32_771n, 65_519n]) {
    const factors = once(small, primeModulo(320, 4n * small - 1n, 4n * small));
    const { proof, xAnswered, zAnswered } = proveDishonestly(factors, context);
    // All answers but those to challenges that the factor divides.
    if (small > 30_000n) assert.ok([...xAnswered, ...zAnswered].filter(Boolean).length >= 250);
    await refuses(productOf(factors), proof, 'n', 'expected no prime factor below 65536, found one');
    assert.throws(() => testOnlyPublicKeyFromModulus(productOf(factors)), {
      message: 'n: expected a product of two large primes, found a small factor',
    });
  }
});

test('what is not proven: a prime factor of 61 bits passes, when the modulus is a product of two such primes', async () => {
  const factors = once((1n << 61n) - 1n, primeModulo(259, 3n));
  await verifyModulus(unchecked(productOf(factors)), proveDishonestly(factors, context).proof, context);
});

test('a challenge that is no unit shows a factor of n, and is refused whatever answers it', async () => {
  // Of many primes just above 2^16, so that it happens soon.
  const primes: bigint[] = [];
  for (let each = 65_537n; primes.length < 30; each += 2n) if (checkPrimeSync(each)) primes.push(each);
  const modulus = primes.reduce((product, each) => product * each);
  let w = 2n;
  while (jacobiSymbol(w, modulus) !== -1) w += 1n;
  const proof: ModulusProof = {
    w: encodeResidue(modulus, w),
    roots: Array.from({ length: rootCount }, () => encodeResidue(modulus, 1n)),
    blum: Array.from({ length: blumCount }, () => ({
      x: encodeResidue(modulus, 1n),
      a: 0 as const,
      b: 0 as const,
      z: encodeResidue(modulus, 1n),
    })),
  };
  for (const kind of ['roots', 'blum'] as const) {
    let bytes = new Uint8Array();
    const isUnit = (y: bigint): boolean => primes.every((each) => y % each !== 0n);
    for (let attempt = 0; attempt < 2000; attempt += 1) {
      bytes = new TextEncoder().encode(`attempt ${attempt}`);
      if (!modulusChallenges(modulus, w, bytes)[kind].every(isUnit)) break;
    }
    await refuses(modulus, proof, 'n', 'expected large primes: a challenge has a factor of n', bytes);
  }
});

test('a verifier that squares its challenges accepts three primes ≡ 3 mod 4; this one refuses the same proof', async () => {
  const factors = once(primeModulo(107, 3n), primeModulo(107, 3n), primeModulo(107, 3n));
  const modulus = productOf(factors);
  const { proof, w, xAnswered, zAnswered } = proveDishonestly(factors, context, { square: true });
  assert.ok([...xAnswered, ...zAnswered].every(Boolean));
  const { blum } = modulusChallenges(modulus, w, context);
  const accepted = proof.blum.every(({ x, a, b, z }, index) => {
    const challenge = (blum[index] ?? assert.fail()) ** 2n % modulus;
    return (
      modPow(fromBase64url(x), 4n, modulus) === blumTarget(modulus, w, challenge, a, b) &&
      modPow(fromBase64url(z), modulus, modulus) === challenge
    );
  });
  assert.ok(accepted && !checkPrimeSync(modulus) && jacobiSymbol(w, modulus) === -1);
  await refuses(modulus, proof, 'proof.blum[0].x', notBlum);
});

test.run();
