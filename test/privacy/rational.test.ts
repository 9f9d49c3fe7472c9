import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { divideRoundUp, integerSquareRoot } from '../../src/privacy/integer.ts';
import {
  addRationals,
  compareRationals,
  divideRationals,
  formatRational,
  multiplyRationals,
  type Rational,
  rational,
  rationalFromNumber,
  sumRationals,
  toNumber,
  toNumberAbove,
  ZERO,
} from '../../src/privacy/rational.ts';

const test = suite('rational');

const someRational = fc
  .tuple(fc.bigInt(-(2n ** 200n), 2n ** 200n), fc.bigInt(1n, 2n ** 200n))
  .map(([numerator, denominator]) => rational(numerator, denominator));
const someNumber = fc.double({ noNaN: true, noDefaultInfinity: true });

test('is in lowest terms with a positive denominator', () => {
  assert.deepEqual(rational(6n, -4n), { numerator: -3n, denominator: 2n });
  assert.deepEqual(rational(-6n, -4n), { numerator: 3n, denominator: 2n });
  assert.deepEqual(rational(0n, -7n), ZERO);
  assert.deepEqual(rational(7n), { numerator: 7n, denominator: 1n });
  assert.throws(() => rational(1n, 0n), { code: 'privacy_invalid' });
  assert.throws(() => divideRationals(rational(1n), ZERO), { code: 'privacy_invalid' });
});

test('a double enters as exactly what it is', () => {
  assert.deepEqual(rationalFromNumber(0.1), { numerator: 3602879701896397n, denominator: 36028797018963968n });
  assert.deepEqual(rationalFromNumber(-0.75), { numerator: -3n, denominator: 4n });
  assert.deepEqual(rationalFromNumber(-0), ZERO);
  assert.deepEqual(rationalFromNumber(5e-324), { numerator: 1n, denominator: 2n ** 1074n });
  assert.deepEqual(rationalFromNumber(Number.MAX_VALUE), { numerator: (2n ** 53n - 1n) << 971n, denominator: 1n });
  for (const value of [Number.NaN, Infinity, -Infinity]) {
    assert.throws(() => rationalFromNumber(value), { code: 'privacy_invalid' });
  }
});

test('a double comes back as the same double', () => {
  fc.assert(
    fc.property(someNumber, (value) => {
      // There is one zero among the fractions and two among the doubles.
      assert.equal(toNumber(rationalFromNumber(value)) + 0, value + 0);
      assert.equal(toNumberAbove(rationalFromNumber(value)) + 0, value + 0);
    }),
  );
});

test('the nearest double is no further away than its neighbours, and the one above is the least of those', () => {
  fc.assert(
    fc.property(someRational, (value) => {
      const nearest = toNumber(value);
      const above = toNumberAbove(value);
      const error = distance(rationalFromNumber(nearest), value);
      assert.ok(compareRationals(rationalFromNumber(above), value) >= 0);
      // A step of the doubles at this magnitude, or a finer one.
      const step = Math.abs(nearest) * 2 ** -53;
      assert.ok(compareRationals(error, rationalFromNumber(step)) <= 0);
      assert.ok(above === nearest || compareRationals(rationalFromNumber(nearest), value) < 0);
      assert.ok(above - nearest <= Math.abs(nearest) * 2 ** -52);
    }),
  );
});

test('halfway between two doubles the even one is taken, and a trace more tips it', () => {
  const tie = 2n ** 53n + 1n;
  assert.equal(toNumber(rational(tie)), 2 ** 53);
  assert.equal(toNumber(rational(tie * 2n ** 300n + 1n, 2n ** 300n)), 2 ** 53 + 2);
  assert.equal(toNumber(rational(tie + 2n)), 2 ** 53 + 4);
  assert.equal(toNumberAbove(rational(tie)), 2 ** 53 + 2);
  assert.equal(toNumberAbove(rational(-tie)), -(2 ** 53));
});

test('reaches to both ends of the doubles and beyond', () => {
  assert.equal(toNumber(rational(10n ** 400n)), Infinity);
  assert.equal(toNumber(rational(-(10n ** 400n))), -Infinity);
  assert.equal(toNumberAbove(rational(-(10n ** 400n))), -Number.MAX_VALUE);
  assert.equal(toNumber(rational(1n, 10n ** 400n)), 0);
  assert.equal(toNumberAbove(rational(1n, 10n ** 400n)), Number.MIN_VALUE);
  assert.equal(toNumber(rational(10n ** 400n, 10n ** 399n)), 10);
});

test('the laws of arithmetic', () => {
  fc.assert(
    fc.property(someRational, someRational, someRational, (a, b, c) => {
      assert.deepEqual(addRationals(a, b), addRationals(b, a));
      assert.deepEqual(addRationals(addRationals(a, b), c), addRationals(a, addRationals(b, c)));
      assert.deepEqual(
        multiplyRationals(a, addRationals(b, c)),
        addRationals(multiplyRationals(a, b), multiplyRationals(a, c)),
      );
      assert.deepEqual(sumRationals([a, b, c, b]), addRationals(addRationals(a, b), addRationals(c, b)));
      if (b.numerator !== 0n) assert.deepEqual(multiplyRationals(divideRationals(a, b), b), a);
      assert.equal(compareRationals(a, b), -compareRationals(b, a) + 0);
      assert.equal(compareRationals(addRationals(a, c), addRationals(b, c)), compareRationals(a, b));
    }),
  );
  assert.deepEqual(sumRationals([]), ZERO);
});

test('is written as a fraction, and as a whole number when it is one', () => {
  assert.equal(formatRational(rational(-6n, 4n)), '-3/2');
  assert.equal(formatRational(rational(8n, 4n)), '2');
});

test('square roots are the floor, and quotients the ceiling', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 300n), fc.bigInt(1n, 2n ** 100n), (value, divisor) => {
      const root = integerSquareRoot(value);
      assert.ok(root * root <= value && value < (root + 1n) * (root + 1n));
      assert.equal(integerSquareRoot(value * value), value);
      const quotient = divideRoundUp(value, divisor);
      assert.ok(quotient * divisor >= value && (quotient - 1n) * divisor < value);
    }),
  );
  for (let value = 0; value < 1000; value += 1) {
    assert.equal(integerSquareRoot(BigInt(value)), BigInt(Math.floor(Math.sqrt(value))));
  }
  assert.throws(() => integerSquareRoot(-1n), { code: 'privacy_invalid' });
});

function distance(a: Rational, b: Rational): Rational {
  const difference = addRationals(a, { numerator: -b.numerator, denominator: b.denominator });
  return compareRationals(difference, ZERO) < 0
    ? { numerator: -difference.numerator, denominator: difference.denominator }
    : difference;
}

test.run();
