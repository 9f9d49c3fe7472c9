import assert from 'node:assert/strict';
import { generatePrimeSync } from 'node:crypto';
import fc from 'fast-check';
import { suite } from 'uvu';
import { bitLength } from '../../src/paillier/bytes.ts';
import { integerRoot, isPerfectPower, isPrime, smallFactor } from '../../src/paillier/primality.ts';
import { integers, runs } from './keys.ts';
import { testOn } from './shared-vectors.ts';

const test = suite('primality');

/** Project Wycheproof's primality cases. */
interface WycheproofPrimality {
  readonly numberOfTests: number;
  readonly testGroups: readonly {
    readonly tests: readonly {
      readonly tcId: number;
      readonly comment: string;
      readonly value: string;
      readonly result: string;
    }[];
  }[];
}

testOn(
  test,
  'vectors/wycheproof/primality_test.json',
  'Wycheproof: every prime is one, no composite is, nor the negative of a prime',
  (text) => {
    const wycheproof = JSON.parse(text) as WycheproofPrimality;
    const cases = wycheproof.testGroups.flatMap((group) => group.tests);
    assert.equal(cases.length, wycheproof.numberOfTests);
    assert.ok(cases.length > 300);
    for (const { tcId, comment, value, result } of cases) {
      // Two's complement, most significant byte first; "acceptable" are the negatives of primes, which no key may be made of.
      const integer = BigInt.asIntN(4 * value.length, BigInt(`0x${value}`));
      assert.equal(isPrime(integer), result === 'valid', `case ${tcId}: ${comment}`);
    }
  },
);

test('agrees with trial division below 5000 and has none below 2', () => {
  for (let value = -10; value < 5000; value += 1) {
    let prime = value >= 2;
    for (let divisor = 2; divisor * divisor <= value; divisor += 1) prime &&= value % divisor !== 0;
    assert.equal(isPrime(BigInt(value)), prime, String(value));
  }
});

test('smallFactor finds the least prime factor below its limit and none at or above it', () => {
  const large = generatePrimeSync(256, { bigint: true });
  for (const prime of [3, 5, 7, 101, 65_519, 65_521]) {
    assert.equal(smallFactor(large * BigInt(prime), prime), undefined);
    assert.equal(smallFactor(large * BigInt(prime), prime + 1), prime);
    assert.equal(smallFactor(large * BigInt(prime), 65_536), prime);
  }
  assert.equal(smallFactor(large * 65_521n * 101n, 65_536), 101);
  assert.equal(smallFactor(large * 65_537n, 65_536), undefined);
  assert.equal(smallFactor(large, 2), undefined);
  assert.equal(smallFactor(2n * large, 3), 2);
});

test('property: integerRoot is the floor of the root', () => {
  fc.assert(
    fc.property(integers(700), fc.integer({ min: 2, max: 60 }), (value, degree) => {
      const positive = value + 1n;
      const root = integerRoot(positive, degree);
      assert.ok(root ** BigInt(degree) <= positive);
      assert.ok((root + 1n) ** BigInt(degree) > positive);
    }),
    { numRuns: runs },
  );
});

test('property: integerRoot is exact on and beside powers, where rounding would show', () => {
  fc.assert(
    fc.property(integers(200), fc.integer({ min: 2, max: 20 }), (root, degree) => {
      const base = root + 2n;
      const power = base ** BigInt(degree);
      assert.equal(integerRoot(power, degree), base);
      assert.equal(integerRoot(power - 1n, degree), base - 1n);
      assert.equal(integerRoot(power + 1n, degree), base);
    }),
    { numRuns: runs },
  );
});

test('isPerfectPower finds every power of large primes, and nothing beside one', () => {
  for (const bits of [17, 18, 24, 60, 160]) {
    const prime = generatePrimeSync(bits, { bigint: true });
    for (let degree = 2; degree * bits < 2100; degree += 1) {
      const power = prime ** BigInt(degree);
      assert.ok(isPerfectPower(power, 16), `${bits} bits to the ${degree}`);
      assert.ok(!isPerfectPower(power + 2n, 16));
    }
    assert.ok(!isPerfectPower(prime, 16));
  }
  const [p, q] = [generatePrimeSync(1024, { bigint: true }), generatePrimeSync(1024, { bigint: true })];
  assert.ok(!isPerfectPower(p * q, 16));
  assert.ok(isPerfectPower(p * p, 16));
  assert.ok(isPerfectPower((p * q) ** 3n, 16));
  assert.ok(bitLength(p * q) === 2048);
});

test.run();
