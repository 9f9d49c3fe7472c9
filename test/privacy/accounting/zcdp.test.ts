import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { composeRho, deltaFromRho, epsilonFromRho, rhoFromEpsilon } from '../../../src/privacy/accounting/zcdp.ts';
import { compareRationals, rational, rationalFromNumber } from '../../../src/privacy/rational.ts';
import { agree, testCases } from '../vectors.ts';

const test = suite('zcdp');

const someRho = fc.double({ min: -30, max: 3, noNaN: true }).map((exponent) => 10 ** exponent);
const someEpsilon = fc.double({ min: -10, max: 3, noNaN: true }).map((exponent) => 10 ** exponent);
const someDelta = fc.double({ min: -30, max: -0.01, noNaN: true }).map((exponent) => 10 ** exponent);

testCases(test, 'rho to epsilon, within 1e-12 and never below the true value', 'zcdp_to_epsilon', (each) => {
  const { epsilon, order } = epsilonFromRho(each.rho, each.delta);
  assert.ok(agree(epsilon, each.epsilon, 1e-12), `rho ${each.rho}, delta ${each.delta}: ${epsilon}`);
  assert.ok(agree(order, each.alpha, 1e-9));
  const [whole = '', digits = ''] = each.epsilon_str.split('.');
  const exact = rational(BigInt(whole + digits), 10n ** BigInt(digits.length));
  assert.ok(compareRationals(rationalFromNumber(epsilon), exact) > 0);
});

testCases(test, 'rho and epsilon to delta, within 1e-10', 'zcdp_delta', (each) => {
  assert.ok(agree(deltaFromRho(each.rho, each.epsilon), each.delta, 1e-10), `rho ${each.rho}, epsilon ${each.epsilon}`);
});

testCases(test, 'epsilon and delta to rho, within 1e-10', 'zcdp_rho_for', (each) => {
  assert.ok(agree(rhoFromEpsilon(each.epsilon, each.delta), each.rho, 1e-10), `epsilon ${each.epsilon}`);
});

testCases(test, "OpenDP's unit tests, within 1e-12", 'zcdp_opendp_unit_tests', (each) => {
  const found =
    each.fn === 'cdp_delta' ? deltaFromRho(each.rho, each.epsilon) : epsilonFromRho(each.rho, each.delta).epsilon;
  assert.ok(agree(found, each.expected, 1e-12), `${each.fn} at rho ${each.rho}: ${found}`);
});

test('the order found is the best one: neighbouring orders promise less', () => {
  fc.assert(
    fc.property(someRho, someDelta, (rho, delta) => {
      const { epsilon, order } = epsilonFromRho(rho, delta);
      fc.pre(epsilon > 0 && order - 1 > 1e-6);
      for (const factor of [0.5, 0.9, 0.99, 1.01, 1.1, 2]) {
        const other = 1 + (order - 1) * factor;
        const atOther =
          other * rho + ((other - 1) * Math.log1p(-1 / other) - Math.log(other) - Math.log(delta)) / (other - 1);
        assert.ok(epsilon <= atOther * (1 + 1e-9) + 1e-9 * epsilon);
      }
    }),
  );
});

test('the three conversions undo each other, and never in favour of the promise', () => {
  fc.assert(
    fc.property(someEpsilon, someDelta, (epsilon, delta) => {
      const rho = rhoFromEpsilon(epsilon, delta);
      assert.ok(rho > 0);
      // The conversions back round against the promise again, so leave them that much room.
      assert.ok(deltaFromRho(rho * (1 - 1e-11), epsilon) <= delta);
      assert.ok(deltaFromRho(rho * (1 + 1e-11), epsilon) > delta * (1 - 1e-9));
      assert.ok(epsilonFromRho(rho * (1 - 1e-11), delta).epsilon <= epsilon);
      assert.ok(agree(epsilonFromRho(rho, delta).epsilon, epsilon, 1e-9) || epsilon < 1e-4);
    }),
    { numRuns: 1000 },
  );
});

test('grows and falls as it must', () => {
  fc.assert(
    fc.property(someRho, someEpsilon, someDelta, (rho, epsilon, delta) => {
      assert.ok(epsilonFromRho(rho * 1.01, delta).epsilon >= epsilonFromRho(rho, delta).epsilon);
      assert.ok(epsilonFromRho(rho, delta * 0.99).epsilon >= epsilonFromRho(rho, delta).epsilon);
      assert.ok(deltaFromRho(rho * 1.01, epsilon) >= deltaFromRho(rho, epsilon));
      assert.ok(deltaFromRho(rho, epsilon * 1.01) <= deltaFromRho(rho, epsilon));
      // Tighter than Bun and Steinke's closed form.
      const closed = rho + 2 * Math.sqrt(rho * Math.log(1 / delta));
      assert.ok(epsilonFromRho(rho, delta).epsilon <= closed);
    }),
  );
});

test('the ends of the range', () => {
  assert.deepEqual(epsilonFromRho(0, 1e-5), { epsilon: 0, order: Infinity });
  assert.equal(deltaFromRho(0, 0), 0);
  assert.equal(deltaFromRho(1e6, 1), 1);
  assert.equal(deltaFromRho(2 ** 64, 0), 1);
  // Below the least double: about exp(−250000).
  assert.equal(deltaFromRho(1e-4, 10), 0);
  // A rho that a double can hold gives an epsilon, however small.
  assert.ok(epsilonFromRho(5e-324, 5e-324).epsilon > 0);
  assert.equal(epsilonFromRho(1e-13, 0.999_999).epsilon, 0);
  assert.equal(rhoFromEpsilon(1e-300, 1e-300), 0);
  assert.ok(rhoFromEpsilon(0, 1e-5) > 0);
});

test('composition is the exact sum', () => {
  const tenth = rationalFromNumber(0.1);
  const rounds = Array.from({ length: 10_000 }, () => tenth);
  assert.deepEqual(composeRho(rounds), rational(10_000n * tenth.numerator, tenth.denominator));
  assert.deepEqual(composeRho([rational(1n, 3n), rational(1n, 6n), rational(1n, 2n)]), rational(1n));
  assert.deepEqual(composeRho([]), rational(0n));
});

test('refuses numbers out of range, naming them', () => {
  for (const wrong of [-1, Number.NaN, Infinity, 2 ** 65]) {
    assert.throws(() => epsilonFromRho(wrong, 1e-5), { code: 'privacy_invalid', field: 'rho' });
    assert.throws(() => deltaFromRho(wrong, 1), { code: 'privacy_invalid', field: 'rho' });
    assert.throws(() => deltaFromRho(1, wrong), { code: 'privacy_invalid', field: 'epsilon' });
    assert.throws(() => rhoFromEpsilon(wrong, 1e-5), { code: 'privacy_invalid', field: 'epsilon' });
  }
  for (const wrong of [0, 1, -1e-5, 2, Number.NaN]) {
    assert.throws(() => epsilonFromRho(1, wrong), { code: 'privacy_invalid', field: 'delta' });
    assert.throws(() => rhoFromEpsilon(1, wrong), { code: 'privacy_invalid', field: 'delta' });
  }
});

test.run();
