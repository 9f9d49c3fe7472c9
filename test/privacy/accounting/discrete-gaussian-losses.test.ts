import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import {
  discreteGaussianDelta,
  discreteGaussianPrivacyLoss,
} from '../../../src/privacy/accounting/discrete-gaussian-losses.ts';
import { privacyLoss } from '../../../src/privacy/accounting/privacy-loss-distribution.ts';
import { deltaFromRho } from '../../../src/privacy/accounting/zcdp.ts';
import { discreteGaussianLaw } from '../statistics.ts';
import { agree, testCases } from '../vectors.ts';

const test = suite('losses of the discrete gaussian');

testCases(test, 'δ of one round, within 1e-10', 'discrete_gaussian_delta_1d', (each) => {
  const delta = discreteGaussianDelta({ variance: each.sigma2, sensitivity: each.sens }, each.epsilon);
  assert.ok(agree(delta, each.delta, 1e-10), `σ² ${each.sigma2}, Δ ${each.sens}, ε ${each.epsilon}: ${delta}`);
});

testCases(test, 'many rounds, within 1e-4 by the reference’s own rounding up', 'discrete_gaussian_pld_1d', (each) => {
  const noise = { variance: each.sigma ** 2, sensitivity: each.sensitivity, rounds: each.steps };
  const roundedUp = discreteGaussianPrivacyLoss({ ...noise, discretisation: 'round up' }).epsilon(each.delta);
  assert.ok(Math.abs(roundedUp - each.epsilon_discrete_pld) < 1e-4, `${roundedUp}`);
  const gaussian = privacyLoss({ noiseMultiplier: each.sigma, sampling: 1, rounds: each.steps }).epsilon(each.delta);
  assert.ok(Math.abs(gaussian - each.epsilon_continuous_pld) < 1e-4, `${gaussian}`);
  // Connecting the dots is the better bound, above the Gaussian's, from which the discrete one differs by its steps.
  const connected = discreteGaussianPrivacyLoss(noise).epsilon(each.delta);
  assert.ok(connected < roundedUp && connected > gaussian && connected < gaussian + 2e-3, `${connected}`);
});

const someNoise = fc.record({
  variance: fc.double({ min: 0.5, max: 400, noNaN: true }),
  sensitivity: fc.integer({ min: 1, max: 5 }),
});

test('δ is the sum over outcomes of how far one probability exceeds e^ε times the other', () => {
  fc.assert(
    fc.property(someNoise, fc.double({ min: 0, max: 6, noNaN: true }), (noise, epsilon) => {
      const law = discreteGaussianLaw(noise.variance);
      const reach = Math.ceil(40 * Math.sqrt(noise.variance)) + 40;
      let delta = 0;
      for (let outcome = -reach; outcome <= reach; outcome += 1) {
        const moved = law.probability(outcome + noise.sensitivity);
        delta += Math.max(0, law.probability(outcome) - Math.exp(epsilon) * moved);
      }
      assert.ok(Math.abs(discreteGaussianDelta(noise, epsilon) - delta) < 1e-12);
    }),
    { numRuns: 200 },
  );
});

test('never more than what zCDP promises for the same noise', () => {
  fc.assert(
    fc.property(
      someNoise,
      fc.integer({ min: 1, max: 50 }),
      fc.double({ min: 0.1, max: 6, noNaN: true }),
      (noise, rounds, epsilon) => {
        const promised = deltaFromRho((rounds * noise.sensitivity ** 2) / (2 * noise.variance), epsilon);
        assert.ok(discreteGaussianDelta(noise, epsilon) <= promised);
        const found = discreteGaussianPrivacyLoss({ ...noise, rounds, interval: 5e-3 }).delta(epsilon);
        assert.ok(found <= promised * 1.01 + 1e-13, `${found} against ${promised}`);
        assert.ok(rounds > 1 || found >= discreteGaussianDelta(noise, epsilon) * (1 - 1e-9));
      },
    ),
    { numRuns: 40 },
  );
});

test('refuses numbers out of range, naming them', () => {
  const right = { variance: 4, sensitivity: 1, rounds: 2 };
  for (const variance of [0, -1, 2 ** 33, Number.NaN]) {
    assert.throws(() => discreteGaussianPrivacyLoss({ ...right, variance }), { field: 'variance' });
  }
  for (const sensitivity of [0, 1.5, Number.NaN]) {
    assert.throws(() => discreteGaussianDelta({ ...right, sensitivity }, 1), { field: 'sensitivity' });
  }
  assert.throws(() => discreteGaussianPrivacyLoss({ ...right, rounds: 0 }), { field: 'rounds' });
  assert.throws(() => discreteGaussianPrivacyLoss({ ...right, interval: 2 }), { field: 'interval' });
  assert.throws(() => discreteGaussianPrivacyLoss({ ...right, interval: 1e-9 }), { field: 'interval' });
  assert.throws(() => discreteGaussianDelta(right, -1), { field: 'epsilon' });
});

test.run();
