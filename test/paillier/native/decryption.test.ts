/**
 * Decryption by the kernel for keys of many lengths and shapes, against BigInt: single ciphertexts and every size of a batch up to
 * two runs of all lanes and one more. How an engine lays its numbers out depends on the length of the primes and on how many ciphertexts there are.
 */
import assert from 'node:assert/strict';
import { checkPrimeSync, generatePrimeSync } from 'node:crypto';
import { modInv, modPow } from 'bigint-crypto-utils';
import fc from 'fast-check';
import { suite } from 'uvu';
import { decryptionFactor } from '../../../src/paillier/decryptor.ts';
import { kernelDecryption, longPrimes } from '../../../src/paillier/native/decryption.ts';
import { ciphertextWidth, findKernels, joined, type Kernel } from '../../../src/paillier/native/kernel.ts';
import { randomBits, systemRandom } from '../../../src/paillier/random.ts';
import { runs } from '../keys.ts';

const test = suite('kernel, decryption');

const found = findKernels();
const kernels = typeof found === 'string' ? [] : found.filter(({ engine }) => engine !== 'portable');
if (typeof found === 'string') console.log(`skipped: decryption by the native kernel, ${found} (npm run build:native)`);

function testKernel(name: string, body: () => void): void {
  if (kernels.length === 0) test.skip(name);
  else test(name, body);
}

type Primes = readonly [p: bigint, q: bigint];

/** The first prime from `start` on in steps. */
function primeFrom(start: bigint, step: bigint): bigint {
  let each = start;
  while (!checkPrimeSync(each)) each += step;
  return each;
}

const inOrder = (first: bigint, second: bigint): Primes => (first < second ? [first, second] : [second, first]);

/** All ones at the top; one and zeros. */
function shapesOfTop(bits: bigint): readonly Primes[] {
  const top = 1n << (bits - 1n);
  const greatest = primeFrom(2n * top - 1n, -2n);
  const least = primeFrom(top + 1n, 2n);
  return [inOrder(greatest, primeFrom(greatest - 2n, -2n)), inOrder(least, primeFrom(least + 2n, 2n))];
}

/** Ones in the lowest third, but of two limbs of 52 bits at most; or zeros there but for a one. */
function shapeOfBottom(bits: bigint, lowest: 'ones' | 'zeros'): Primes {
  const low = bits / 3n < 104n ? bits / 3n : 104n;
  const prime = (): bigint => {
    const above = randomBits(Number(bits - low), systemRandom) | (1n << (bits - low - 1n));
    const found = primeFrom((above << low) + (lowest === 'ones' ? (1n << low) - 1n : 1n), 1n << low);
    return found >> bits === 0n ? found : prime();
  };
  const first = prime();
  let second = prime();
  while (second === first) second = prime();
  return inOrder(first, second);
}

/** Decryption as the paper has it (../../../src/paillier/decryptor.ts says how), by BigInt. */
function decrypted(c: bigint, [p, q]: Primes): bigint {
  const half = (prime: bigint, other: bigint): bigint =>
    (((modPow(c, prime - 1n, prime * prime) - 1n) / prime) * decryptionFactor(prime, other)) % prime;
  const [ofP, ofQ] = [half(p, q), half(q, p)];
  const step = ((ofQ - ofP) * modInv(p, q)) % q;
  return ofP + p * (step < 0n ? step + q : step);
}

/** What a kernel decrypts, or the index of what it refuses. */
function decryption(kernel: Kernel, [p, q]: Primes): (ciphertexts: readonly bigint[]) => bigint[] | number {
  const object = kernelDecryption(kernel, p, q);
  assert.ok(object !== undefined, `${kernel.engine} decrypts`);
  return (ciphertexts) => object.decrypt(joined(ciphertexts, ciphertextWidth(p * q)));
}

function agree(primes: Primes, kernel: Kernel): void {
  const [p, q] = primes;
  const n = p * q;
  const square = n * n;
  const unit = square / 3n - 1n;
  const m = decrypted(unit, primes);
  // (1 + k·n)·c decrypts to m + k, so one power of BigInt's gives ciphertexts of any plaintext.
  const plaintexts = [0n, 1n, n - 1n, p, q, m, n - p, n - q, n >> 1n];
  const ciphertexts = plaintexts.map((each) => ((1n + (((each - m) % n) + n) * n) * unit) % square);
  const decrypt = decryption(kernel, primes);
  const where = `${kernel.engine}, p = ${p}, q = ${q}`;
  for (const [index, c] of ciphertexts.entries()) assert.deepEqual(decrypt([c]), [plaintexts[index]], where);
  assert.deepEqual(decrypt([1n]), [0n], where);
  assert.deepEqual(decrypt([square - 1n]), [0n], where);
  for (const shared of [p, q * (q - 2n), n, square - p, square - q]) assert.equal(decrypt([shared]), 0, where);
  for (let count = 2; count <= 9; count += 1) {
    assert.deepEqual(decrypt(ciphertexts.slice(9 - count)), plaintexts.slice(9 - count), `${where}, ${count}`);
    const some = ciphertexts.slice(0, count);
    const last = count - 1;
    assert.equal(decrypt(some.with(last, count % 2 === 0 ? 3n * p : 5n * q)), last, `${where}, ${count}`);
    assert.equal(decrypt(some.fill(count % 2 === 0 ? q : p, count >> 1)), count >> 1, `${where}, ${count}`);
  }
}

const inLanes = kernels.filter(({ engine }) => engine === 'ifma');

// Primes of these lengths are numbers of 1, 2, 3, 4, 5, 6, 7 and 10 limbs of 52 bits: 8 bits are to spare.
for (const bits of [18n, 44n, 45n, 96n, 140n, 200n, 201n, 256n, 300n, 356n, 500n])
  testKernel(`primes of ${bits} bits, of any shape`, () => {
    for (const primes of [...shapesOfTop(bits), shapeOfBottom(bits, 'ones'), shapeOfBottom(bits, 'zeros')])
      for (const kernel of kernels) agree(primes, kernel);
  });

/** The least two primes 2^(bits − 1) + factor·2^104 + lowest: of ones or of zeros in the lowest two limbs. Finding them takes seconds. */
const bordering: readonly (readonly [bits: bigint, lowest: bigint, factors: Primes])[] = [
  [700n, -1n, [631n, 799n]],
  [980n, -1n, [211n, 424n]],
  [1008n, -1n, [1060n, 1164n]],
  [1032n, -1n, [130n, 261n]],
  [1033n, 1n, [441n, 510n]],
  [1290n, -1n, [493n, 870n]],
  [1656n, -1n, [504n, 2209n]],
  [1657n, 1n, [299n, 849n]],
  [2010n, -1n, [72n, 495n]],
  [2072n, -1n, [951n, 2431n]],
  [2073n, 1n, [1031n, 1662n]],
];

// 14, 19, 20, 20, 21, 25, 32, 33, 39 and 40 limbs; and 41, for which the engine with lanes has one number in each only.
for (const [bits, lowest, [first, second]] of bordering)
  testKernel(`primes of ${bits} bits`, () => {
    const prime = (factor: bigint): bigint => (1n << (bits - 1n)) + (factor << 104n) + lowest;
    for (const kernel of inLanes) agree([prime(first), prime(second)], kernel);
  });

testKernel('primes of the lengths of real keys, all ones at the top', () => {
  for (const primes of longPrimes) for (const kernel of inLanes) agree(primes, kernel);
});

testKernel('property: any primes of any short length, any units, any number of them', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 10, max: 420 }),
      fc.array(fc.bigInt({ min: 0n, max: 2n ** 1700n }), { minLength: 1, maxLength: 9 }),
      (bits, numbers) => {
        const some = [0, 1, 2, 3].map(() => generatePrimeSync(bits, { bigint: true }));
        const [p = 0n, q = 0n] = [...new Set(some)].sort((a, b) => (a < b ? -1 : 1));
        fc.pre(q !== 0n);
        const n = p * q;
        const units = numbers.map((each) => each % (n * n)).filter((each) => each % p !== 0n && each % q !== 0n);
        const plaintexts = units.map((c) => decrypted(c, [p, q]));
        for (const kernel of kernels) assert.deepEqual(decryption(kernel, [p, q])(units), plaintexts, kernel.engine);
      },
    ),
    { numRuns: runs / 3 },
  );
});

test.run();
