import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { deltaOfGaussian, epsilonOfGaussian } from '../../../src/privacy/accounting/analytic-gaussian.ts';
import { leastWhere } from '../../../src/privacy/accounting/bisection.ts';
import { deltaFromRho, epsilonFromRho } from '../../../src/privacy/accounting/zcdp.ts';
import { errorFunction } from '../statistics.ts';
import { agree, testCases } from '../vectors.ts';

const test = suite('analytic Gaussian');

const someNoise = fc.double({ min: -2, max: 6, noNaN: true }).map((exponent) => 10 ** exponent);
const someEpsilon = fc.double({ min: -6, max: 3, noNaN: true }).map((exponent) => 10 ** exponent);
const someDelta = fc.double({ min: -15, max: -0.1, noNaN: true }).map((exponent) => 10 ** exponent);
const someRounds = fc.integer({ min: 1, max: 100_000 });

testCases(test, 'epsilon within 1e-10, never below the true value', 'gaussian_analytic', (each) => {
  const { epsilon } = epsilonOfGaussian({ noiseMultiplier: each.sigma, rounds: each.steps }, each.delta);
  assert.ok(agree(epsilon, each.epsilon_mpmath, 1e-10), `sigma ${each.sigma}, ${each.steps} steps: ${epsilon}`);
  assert.ok(epsilon >= each.epsilon_mpmath, `sigma ${each.sigma}, ${each.steps} steps: ${epsilon}`);
});

testCases(test, 'noise for epsilon and delta, within 1e-9', 'gaussian_sigma_for', ({ epsilon, delta, sigma }) => {
  const found = leastWhere((noiseMultiplier) => deltaOfGaussian({ noiseMultiplier, rounds: 1 }, epsilon) <= delta);
  assert.ok(found !== undefined && agree(found, sigma, 1e-9), `epsilon ${epsilon}, delta ${delta}: ${found ?? 'none'}`);
});

/** Balle and Wang's formula as it stands, in mpmath 1.3 at 80 digits and more. */
const exact = [
  { noiseMultiplier: 1e6, rounds: 1, epsilon: 0, delta: 3.9894228040141607e-7 },
  { noiseMultiplier: 1e6, rounds: 1, epsilon: 1e-6, delta: 8.331551224542541e-8 },
  { noiseMultiplier: 1e6, rounds: 1, epsilon: 1e-5, delta: 7.4745976274830535e-31 },
  { noiseMultiplier: 1e9, rounds: 7, epsilon: 1e-8, delta: 4.9102744670476623e-14 },
  { noiseMultiplier: 2 ** 40, rounds: 1, epsilon: 2 ** -38, delta: 6.498574687083113e-18 },
  { noiseMultiplier: 50, rounds: 1, epsilon: 0.5, delta: 3.129776772980134e-141 },
  { noiseMultiplier: 50, rounds: 1, epsilon: 0.7, delta: 9.106566021615723e-272 },
  { noiseMultiplier: 3, rounds: 1, epsilon: 0.1, delta: 0.0929021705448766 },
  { noiseMultiplier: 1, rounds: 1, epsilon: 35, delta: 1.1279712145050898e-262 },
  { noiseMultiplier: 100, rounds: 10_000, epsilon: 3, delta: 0.0015371853694009549 },
  { noiseMultiplier: 0.1, rounds: 1, epsilon: 30, delta: 0.9706018543468586 },
  { noiseMultiplier: 0.1, rounds: 1, epsilon: 80, delta: 0.0010109690516184806 },
  { noiseMultiplier: 0.01, rounds: 1, epsilon: 4900, delta: 0.8389008466372178 },
  { noiseMultiplier: 0.01, rounds: 1, epsilon: 5300, delta: 0.0013068744317680148 },
];

test('small deltas, large noise, large losses: within 1e-11, never below', () => {
  for (const { noiseMultiplier, rounds, epsilon, delta } of exact) {
    const found = deltaOfGaussian({ noiseMultiplier, rounds }, epsilon);
    assert.ok(agree(found, delta, 1e-11) && found >= delta, `${noiseMultiplier} ${epsilon}: ${found} for ${delta}`);
  }
});

test('at epsilon 0 delta is the distance of two Gaussians, erf(μ/2√2)', () => {
  fc.assert(
    fc.property(someNoise, someRounds, (noiseMultiplier, rounds) => {
      const mu = Math.sqrt(rounds) / noiseMultiplier;
      fc.pre(mu > 0.01);
      assert.ok(agree(deltaOfGaussian({ noiseMultiplier, rounds }, 0), errorFunction(mu / 2), 1e-12), `mu ${mu}`);
    }),
  );
});

test('epsilon and delta undo each other, never in favour of the promise', () => {
  fc.assert(
    fc.property(someNoise, someRounds, someDelta, (noiseMultiplier, rounds, delta) => {
      const { epsilon } = epsilonOfGaussian({ noiseMultiplier, rounds }, delta);
      fc.pre(epsilon < 2 ** 64);
      assert.ok(deltaOfGaussian({ noiseMultiplier, rounds }, epsilon) <= delta * (1 + 1e-13), `${epsilon} is enough`);
      if (epsilon === 0) return;
      const less = deltaOfGaussian({ noiseMultiplier, rounds }, epsilon * (1 - 1e-9));
      assert.ok(less > delta * (1 - 1e-12), `less than ${epsilon} is not`);
    }),
  );
});

test('grows with rounds, falls with noise, epsilon and delta; k rounds are one with 1/√k of the noise', () => {
  fc.assert(
    fc.property(someNoise, someRounds, someEpsilon, someDelta, (noiseMultiplier, rounds, epsilon, delta) => {
      const delta0 = deltaOfGaussian({ noiseMultiplier, rounds }, epsilon);
      assert.ok(deltaOfGaussian({ noiseMultiplier: noiseMultiplier * 1.01, rounds }, epsilon) <= delta0, 'noise');
      assert.ok(deltaOfGaussian({ noiseMultiplier, rounds: rounds + 1 }, epsilon) >= delta0 * (1 - 1e-12), 'rounds');
      assert.ok(deltaOfGaussian({ noiseMultiplier, rounds }, epsilon * 1.01) <= delta0, 'epsilon');
      const epsilon0 = epsilonOfGaussian({ noiseMultiplier, rounds }, delta).epsilon;
      assert.ok(epsilonOfGaussian({ noiseMultiplier, rounds }, delta * 1.01).epsilon <= epsilon0, 'delta');
      const one = epsilonOfGaussian({ noiseMultiplier: noiseMultiplier / Math.sqrt(rounds), rounds: 1 }, delta).epsilon;
      assert.ok(agree(one, epsilon0, 1e-9) || one < 1e-6, 'one round');
    }),
  );
});

test('zCDP never promises more: its rho is that of the same noise', () => {
  fc.assert(
    fc.property(someNoise, someRounds, someEpsilon, someDelta, (noiseMultiplier, rounds, epsilon, delta) => {
      const rho = rounds / (2 * noiseMultiplier ** 2);
      assert.ok(
        epsilonFromRho(rho, delta).epsilon >=
          epsilonOfGaussian({ noiseMultiplier, rounds }, delta).epsilon * (1 - 1e-11),
        'epsilon',
      );
      assert.ok(
        deltaFromRho(rho, epsilon) >= deltaOfGaussian({ noiseMultiplier, rounds }, epsilon) * (1 - 1e-9),
        'delta',
      );
    }),
  );
});

test('the ends of the ranges', () => {
  assert.deepEqual(epsilonOfGaussian({ noiseMultiplier: 2 ** 64, rounds: 1 }, 1e-5), { epsilon: 0 });
  assert.ok(
    epsilonOfGaussian({ noiseMultiplier: 2 ** -64, rounds: Number.MAX_SAFE_INTEGER }, 5e-324).epsilon > 1e54,
    'much',
  );
  assert.ok(agree(epsilonOfGaussian({ noiseMultiplier: 1, rounds: 1 }, 5e-324).epsilon, 38.87, 1e-3), 'least delta');
  assert.equal(deltaOfGaussian({ noiseMultiplier: 1e-3, rounds: 1 }, 1), 1);
  assert.equal(deltaOfGaussian({ noiseMultiplier: 100, rounds: 1 }, 10), 0);
});

test('refuses what is out of range, naming it', () => {
  for (const [noiseMultiplier, rounds, field] of [
    [0, 1, 'noise_multiplier'],
    [Infinity, 1, 'noise_multiplier'],
    [1, 0, 'rounds'],
  ] as const) {
    assert.throws(() => epsilonOfGaussian({ noiseMultiplier, rounds }, 1e-5), { code: 'privacy_invalid', field });
    assert.throws(() => deltaOfGaussian({ noiseMultiplier, rounds }, 1), { code: 'privacy_invalid', field });
  }
  const one = { noiseMultiplier: 1, rounds: 1 };
  for (const delta of [0, 1, Number.NaN])
    assert.throws(() => epsilonOfGaussian(one, delta), { code: 'privacy_invalid', field: 'delta' });
  for (const epsilon of [-1, Infinity])
    assert.throws(() => deltaOfGaussian(one, epsilon), { code: 'privacy_invalid', field: 'epsilon' });
});

test.run();
