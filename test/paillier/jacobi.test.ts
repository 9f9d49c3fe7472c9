/** The Jacobi symbol against its definition, Euler's criterion and its laws. */
import assert from 'node:assert/strict';
import { generatePrimeSync } from 'node:crypto';
import { modPow } from 'bigint-crypto-utils';
import fc from 'fast-check';
import { suite } from 'uvu';
import { greatestCommonDivisor } from '../../src/paillier/divisors.ts';
import { jacobiSymbol } from '../../src/paillier/jacobi.ts';
import { integers, runs } from './keys.ts';

const test = suite('Jacobi symbol');

const prime = generatePrimeSync(1024, { bigint: true });
const odd = (bits: number): fc.Arbitrary<bigint> => integers(bits).map((value) => value | 1n);
const signed = (bits: number): fc.Arbitrary<bigint> =>
  fc.tuple(integers(bits), fc.boolean()).map(([value, negative]) => (negative ? -value : value));

/** By the definition: the prime factors of n, and for each the list of squares. */
function byDefinition(a: number, n: number): number {
  let symbol = 1;
  let rest = n;
  for (let factor = 3; rest > 1; factor += 2) {
    for (; rest % factor === 0; rest /= factor) {
      const residue = ((a % factor) + factor) % factor;
      const isSquare = Array.from({ length: factor }, (_, root) => (root * root) % factor).includes(residue);
      symbol *= residue === 0 ? 0 : isSquare ? 1 : -1;
    }
  }
  return symbol + 0; // no −0
}

test('is what its definition says, for every odd n below 200 and every a from −n to 2n', () => {
  for (let n = 1; n < 200; n += 2) {
    for (let a = -n; a <= 2 * n; a += 1) {
      assert.equal(jacobiSymbol(BigInt(a), BigInt(n)), byDefinition(a, n), `(${a} | ${n})`);
    }
  }
});

test("property: Euler's criterion modulo a prime of 1024 bits", () => {
  fc.assert(
    fc.property(signed(1100), (a) => {
      const residue = ((a % prime) + prime) % prime;
      const power = modPow(residue, (prime - 1n) / 2n, prime);
      assert.equal(BigInt(jacobiSymbol(a, prime)), power === prime - 1n ? -1n : power);
    }),
    { numRuns: runs / 10 },
  );
});

test('property: multiplicative above and below, periodic, 0 exactly for a common factor', () => {
  fc.assert(
    fc.property(signed(300), signed(300), odd(300), odd(300), (a, b, m, n) => {
      const product = (first: number, second: number): number => first * second + 0; // no −0
      assert.equal(jacobiSymbol(a * b, n), product(jacobiSymbol(a, n), jacobiSymbol(b, n)));
      assert.equal(jacobiSymbol(a, m * n), product(jacobiSymbol(a, m), jacobiSymbol(a, n)));
      assert.equal(jacobiSymbol(a + b * n, n), jacobiSymbol(a, n));
      assert.equal(jacobiSymbol(a, n) === 0, greatestCommonDivisor(a < 0n ? -a : a, n) !== 1n);
    }),
    { numRuns: runs },
  );
});

test('property: of powers of two up to 2^400, and of squares times them', () => {
  fc.assert(
    fc.property(fc.nat(400), odd(200), integers(150), (exponent, n, root) => {
      fc.pre(greatestCommonDivisor(n, root) === 1n);
      const expected = exponent % 2 === 1 && (n % 8n === 3n || n % 8n === 5n) ? -1 : 1;
      assert.equal(jacobiSymbol((1n << BigInt(exponent)) * root * root, n), expected);
    }),
    { numRuns: runs },
  );
});

test('refuses a modulus that is even or below 1', () => {
  for (const n of [0n, 2n, 1n << 2048n, -1n, -7n]) {
    assert.throws(() => jacobiSymbol(3n, n), {
      name: 'SealsumError',
      code: 'number_out_of_bounds',
      field: 'n',
      message: 'Jacobi symbol: expected an odd modulus of at least 1',
    });
  }
});

test.run();
