import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { epsilonOf, roundsOf } from '../../src/privacy/accounting/composition.ts';
import { epsilonOfSampledGaussian } from '../../src/privacy/accounting/renyi.ts';
import { rhoFromEpsilon } from '../../src/privacy/accounting/zcdp.ts';
import { calibrate, rhoOfRound } from '../../src/privacy/calibration.ts';
import { CLIP_SCALE } from '../../src/privacy/clipping.ts';
import {
  compareRationals,
  multiplyRationals,
  rational,
  rationalFromNumber,
  toNumber,
} from '../../src/privacy/rational.ts';
import { agree, testCases } from './vectors.ts';

const test = suite('calibration');

const someRho = fc.integer({ min: -12000, max: 6000 }).map((thousandths) => 10 ** (thousandths / 1000));
const someRounds = fc.integer({ min: 1, max: 100_000 });
const someSensitivity = fc.oneof(fc.constant(CLIP_SCALE), fc.bigInt(1n, 2n ** 40n));

testCases(test, 'rho and noise multiplier for epsilon, delta and rounds, within 1e-10', 'zcdp_calibration', (each) => {
  const found = calibrate({ epsilon: each.epsilon, delta: each.delta }, each.rounds);
  assert.ok(agree(toNumber(found.rhoTotal), each.rho_total, 1e-10));
  assert.ok(agree(toNumber(found.rhoPerRound), each.rho_round, 1e-10));
  const multiplier = Math.sqrt(toNumber(found.variance)) / Number(CLIP_SCALE);
  assert.ok(agree(multiplier, each.noise_multiplier, 1e-10), `${multiplier}`);
  assert.ok(found.epsilon !== undefined && found.epsilon <= each.epsilon && found.epsilon > each.epsilon * (1 - 1e-9));
  assert.equal(found.delta, each.delta);
});

test('all rounds together stay within rho exactly, and one less of σ² would not', () => {
  fc.assert(
    fc.property(someRho, someRounds, someSensitivity, (rho, rounds, sensitivity) => {
      const found = calibrate({ rho }, rounds, { sensitivity });
      const asked = rationalFromNumber(rho);
      const spentAt = (variance: bigint) => rational(BigInt(rounds) * sensitivity ** 2n, 2n * variance);
      assert.equal(found.variance.denominator, 1n);
      assert.deepEqual(found.rhoPerRound, rational(sensitivity ** 2n, 2n * found.variance.numerator));
      assert.deepEqual(found.rhoTotal, multiplyRationals(rational(BigInt(rounds)), found.rhoPerRound));
      assert.ok(compareRationals(found.rhoTotal, asked) <= 0);
      assert.deepEqual(found.rhoTotal, spentAt(found.variance.numerator));
      if (found.variance.numerator > 1n) {
        assert.ok(compareRationals(spentAt(found.variance.numerator - 1n), asked) > 0);
      }
      assert.deepEqual([found.epsilon, found.delta], [undefined, undefined]);
    }),
  );
});

test('more rounds, more sensitivity or less rho mean more noise', () => {
  fc.assert(
    fc.property(someRho, someRounds, someSensitivity, (rho, rounds, sensitivity) => {
      const { variance } = calibrate({ rho }, rounds, { sensitivity });
      for (const other of [
        calibrate({ rho }, rounds + 1, { sensitivity }),
        calibrate({ rho }, rounds, { sensitivity: sensitivity + 1n }),
        calibrate({ rho: rho * 0.99 }, rounds, { sensitivity }),
      ]) {
        assert.ok(compareRationals(other.variance, variance) >= 0);
      }
    }),
  );
});

test('from epsilon and delta it spends no more than the rho that gives them', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 1e-3, max: 50, noNaN: true }),
      fc.double({ min: 1e-12, max: 0.5, noNaN: true }),
      someRounds,
      (epsilon, delta, rounds) => {
        const found = calibrate({ epsilon, delta }, rounds);
        const greatest = rationalFromNumber(rhoFromEpsilon(epsilon, delta));
        assert.ok(compareRationals(found.rhoTotal, greatest) <= 0);
        assert.ok(found.epsilon !== undefined && found.epsilon <= epsilon);
      },
    ),
  );
});

test('figures one can follow by hand', () => {
  // Δ = 1, ten rounds of rho 1/2 in all: σ² = 10/(2 · 1/2) = 10.
  const found = calibrate({ rho: 0.5, delta: 1e-5 }, 10, { sensitivity: 1n });
  assert.deepEqual(found.variance, rational(10n));
  assert.deepEqual(found.rhoPerRound, rational(1n, 20n));
  assert.deepEqual(found.rhoTotal, rational(1n, 2n));
  assert.ok(agree(found.epsilon ?? 0, 4.728386984943314, 1e-12));
  // 0.1 as a double is a trace more than a tenth, so σ² = 5 is allowed; the double below it asks for 6.
  assert.deepEqual(calibrate({ rho: 0.1 }, 1, { sensitivity: 1n }).variance, rational(5n));
  assert.deepEqual(calibrate({ rho: 0.09999999999999999 }, 1, { sensitivity: 1n }).variance, rational(6n));
});

test('refuses what makes no sense, naming the field', () => {
  for (const rho of [0, -1, Number.NaN, Infinity]) {
    assert.throws(() => calibrate({ rho }, 1), { code: 'privacy_invalid', field: 'rho' });
  }
  for (const epsilon of [0, -1, Number.NaN, Infinity]) {
    assert.throws(() => calibrate({ epsilon, delta: 1e-5 }, 1), { code: 'privacy_invalid', field: 'epsilon' });
  }
  for (const delta of [0, 1, -1, Number.NaN]) {
    assert.throws(() => calibrate({ epsilon: 1, delta }, 1), { code: 'privacy_invalid', field: 'delta' });
    assert.throws(() => calibrate({ rho: 1, delta }, 1), { code: 'privacy_invalid', field: 'delta' });
  }
  for (const rounds of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => calibrate({ rho: 1 }, rounds), { code: 'privacy_invalid', field: 'rounds' });
  }
  assert.throws(() => calibrate({ rho: 1 }, 1, { sensitivity: 0n }), { code: 'privacy_invalid', field: 'sensitivity' });
  assert.throws(() => calibrate({ epsilon: 1e-300, delta: 1e-300 }, 1), { code: 'privacy_invalid', field: 'epsilon' });
});

testCases(test, 'with sampling, the noise that figures by others belong to', 'rdp_poisson_gaussian', (each) => {
  const { sigma, q: sampling, steps, delta, epsilon_integer_orders: epsilon } = each;
  // Just above, so that what rounding adds does not ask for more.
  const found = calibrate({ epsilon: epsilon * (1 + 1e-9), delta }, steps, { sampling });
  const multiplier = Math.sqrt(toNumber(found.variance)) / Number(CLIP_SCALE);
  assert.ok(multiplier <= sigma * (1 + 1e-8), `${JSON.stringify(each)}: ${multiplier}`);
  if (sampling === 1) return;
  // Real orders without sampling may ask for less still; and where ε hardly depends on the noise, a trace of ε is much noise.
  const lessNoise = { noiseMultiplier: multiplier * 0.999, sampling, rounds: steps };
  assert.ok(epsilonOfSampledGaussian(lessNoise, delta).epsilon > epsilon, `${JSON.stringify(each)}: ${multiplier}`);
});

const someSampledTarget = fc.record({
  epsilon: fc.integer({ min: -1500, max: 1500 }).map((thousandths) => 10 ** (thousandths / 1000)),
  delta: fc.integer({ min: -10000, max: -1000 }).map((thousandths) => 10 ** (thousandths / 1000)),
  rounds: fc.integer({ min: 1, max: 5000 }),
  sampling: fc.integer({ min: -4000, max: -1 }).map((thousandths) => 10 ** (thousandths / 1000)),
  shares: fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
});

test('with sampling: the target holds, next to no less noise would do, and it is never more than without', () => {
  fc.assert(
    fc.property(someSampledTarget, ({ epsilon, delta, rounds, sampling, shares }) => {
      const found = calibrate({ epsilon, delta }, rounds, { sampling, shares });
      const whole = calibrate({ epsilon, delta }, rounds, { shares });
      assert.equal(found.variance.denominator, 1n, 'a whole number');
      assert.ok(compareRationals(found.variance, whole.variance) <= 0, 'never more noise than without sampling');
      assert.ok(compareRationals(found.rhoPerRound, whole.rhoPerRound) >= 0, 'nor less ρ');
      assert.ok(found.epsilon !== undefined && found.epsilon <= epsilon, 'what is promised is what was asked for');
      const lossAt = (variance: bigint): number => {
        const rho = rhoOfRound({ variance: rational(variance), sensitivity: CLIP_SCALE, shares }, shares);
        return epsilonOf(roundsOf({ rho, sampling }, rounds), delta).epsilon;
      };
      const sigmaSquared = found.variance.numerator;
      if (compareRationals(found.variance, whole.variance) < 0)
        assert.ok(lossAt(sigmaSquared) <= epsilon, `${lossAt(sigmaSquared)} of ${epsilon}`);
      const less = sigmaSquared - (sigmaSquared >> 28n) - 1n;
      const least = shares === undefined ? 1n : 4096n;
      if (less >= least) assert.ok(lossAt(less) > epsilon, `${lossAt(less)} would do for ${epsilon}`);
    }),
    { numRuns: 15 },
  );
});

test('sampling needs an epsilon with its delta, and a chance', () => {
  assert.throws(() => calibrate({ rho: 1, delta: 1e-5 }, 1, { sampling: 0.5 }), {
    code: 'privacy_invalid',
    field: 'sampling',
  });
  for (const sampling of [0, -1, 1.5, Number.NaN])
    assert.throws(() => calibrate({ epsilon: 1, delta: 1e-5 }, 1, { sampling }), {
      code: 'privacy_invalid',
      field: 'sampling',
    });
});

test.run();
