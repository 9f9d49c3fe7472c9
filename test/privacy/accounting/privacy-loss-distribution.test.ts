import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { epsilonAt } from '../../../src/privacy/accounting/loss-grid.ts';
import { epsilonOfPrivacyLoss, privacyLoss } from '../../../src/privacy/accounting/privacy-loss-distribution.ts';
import { sampledGaussianDelta } from '../../../src/privacy/accounting/sampled-gaussian-losses.ts';
import { testCases } from '../vectors.ts';

const test = suite('privacy loss distribution');

function mechanism(each: { sigma: number; q: number; steps: number }) {
  return { noiseMultiplier: each.sigma, sampling: each.q, rounds: each.steps };
}

testCases(test, "Google's accountant, within 1e-5", 'pld_poisson_gaussian', (each) => {
  const epsilon = privacyLoss({ ...mechanism(each), interval: each.interval }).epsilon(each.delta);
  if (each.epsilon > 745) {
    // exp(−loss) underflows there, and the reference charges every such loss in full: 0.968 more than the exact 2268.7677….
    assert.ok(epsilon < each.epsilon && epsilon > 2268.767_721 && epsilon < 2268.8, `${epsilon}`);
  } else {
    assert.ok(Math.abs(epsilon - each.epsilon) < 1e-5, `σ ${each.sigma}, q ${each.q}, ${each.steps}: ${epsilon}`);
  }
});

testCases(test, "between Microsoft's lower and upper bound", 'prv_poisson_gaussian', (each) => {
  const epsilon = privacyLoss(mechanism(each)).epsilon(each.delta);
  assert.ok(epsilon > each.lower && epsilon < each.upper);
  assert.ok(Math.abs(epsilon - each.estimate) < 1.5e-4, `σ ${each.sigma}, q ${each.q}, ${each.steps}: ${epsilon}`);
});

testCases(test, 'the interval chosen, within 1e-4', 'pld_interval_sensitivity', (each) => {
  const loss = privacyLoss({ ...mechanism(each), interval: each.interval });
  assert.equal(loss.interval, each.interval);
  assert.ok(Math.abs(loss.epsilon(each.delta) - each.epsilon) < 1e-4);
});

const someNoise = fc.double({ min: 0.6, max: 8, noNaN: true });
const someSampling = fc.double({ min: 0.01, max: 1, noNaN: true });
const someRounds = fc.integer({ min: 1, max: 300 });

test('more noise, fewer rounds or less sampling mean less ε', () => {
  fc.assert(
    fc.property(someNoise, someSampling, someRounds, (noiseMultiplier, sampling, rounds) => {
      const interval = 2e-3;
      const epsilonOf = (changed: object) =>
        epsilonOfPrivacyLoss({ noiseMultiplier, sampling, rounds, interval, delta: 1e-6, ...changed }).epsilon;
      const epsilon = epsilonOf({});
      // What a grid adds depends on where its points fall.
      const grid = rounds * interval ** 2;
      assert.ok(epsilonOf({ noiseMultiplier: noiseMultiplier * 1.1 }) <= epsilon + grid);
      assert.ok(epsilonOf({ rounds: rounds + 5 }) + grid >= epsilon);
      assert.ok(epsilonOf({ sampling: sampling * 0.9 }) <= epsilon + grid);
      assert.ok(epsilonOf({ delta: 1e-5 }) <= epsilon);
    }),
    { numRuns: 20 },
  );
});

test('never less than the exact δ: of one round, and of many without sampling, which are one with less noise', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.6, max: 20, noNaN: true }),
      fc.oneof(fc.constant(1), fc.double({ min: 1e-3, max: 1, noNaN: true })),
      fc.integer({ min: 1, max: 1000 }),
      fc.double({ min: 0, max: 5, noNaN: true }),
      (noiseMultiplier, sampling, rounds, epsilon) => {
        const [times, alone] = sampling === 1 ? [rounds, noiseMultiplier / Math.sqrt(rounds)] : [1, noiseMultiplier];
        const loss = privacyLoss({ noiseMultiplier, sampling, rounds: times, interval: 1e-3 });
        const exact = (['remove', 'add'] as const).map((direction) =>
          sampledGaussianDelta({ noiseMultiplier: alone, sampling }, direction, epsilon),
        );
        assert.ok(loss.delta(epsilon) >= Math.max(...exact) * (1 - 1e-9) - 1e-15);
        assert.ok(loss.delta(epsilon) <= Math.max(...exact) + 1e-3);
      },
    ),
    { numRuns: 60 },
  );
});

test('ε for δ and δ for ε undo each other', () => {
  const loss = privacyLoss({ noiseMultiplier: 1.5, sampling: 0.05, rounds: 200 });
  for (const delta of [0.1, 1e-3, 1e-5, 1e-9]) {
    assert.ok(Math.abs(loss.delta(loss.epsilon(delta)) / delta - 1) < 1e-6, `${delta}`);
  }
  assert.equal(loss.epsilon(0.999_999), 0);
  assert.equal(loss.delta(0) < 1, true);
  assert.ok(loss.delta(2 ** 64) > 0 && loss.delta(2 ** 64) < 1e-12);
  // 1e-15 for truncation and 200 · 1e-16 for rounding are charged as infinite losses.
  assert.equal(loss.epsilon(2e-14), Infinity);
  assert.ok(loss.epsilon(3e-14) < 10);
});

test('a grid that would be too large is made coarser, and says so', () => {
  const loss = privacyLoss({ noiseMultiplier: 0.5, sampling: 0.1, rounds: 10_000 });
  assert.equal(loss.interval, 4e-4);
  // The interval costs at most rounds · interval²/12, and a fourfold one is within the same of it.
  const coarse = privacyLoss({ noiseMultiplier: 0.5, sampling: 0.1, rounds: 10_000, interval: 1.6e-3 });
  const [fine, cost] = [loss.epsilon(1e-5), (10_000 * coarse.interval ** 2) / 12];
  assert.ok(coarse.epsilon(1e-5) >= fine && coarse.epsilon(1e-5) < fine + 1.2 * cost);
});

test('the ends of the range', () => {
  const noiseless = privacyLoss({ noiseMultiplier: 2 ** -64, sampling: 0.5, rounds: 3 });
  assert.equal(noiseless.epsilon(0.5), Infinity);
  const nothing = privacyLoss({ noiseMultiplier: 2 ** 64, sampling: 1, rounds: 1 });
  assert.ok(nothing.epsilon(1e-5) <= 1e-4);
  assert.equal(epsilonAt({ interval: 1, first: 0, probabilities: new Float64Array(0), infinite: 0 }, 0.1), 0);
});

test('refuses numbers out of range, naming them', () => {
  const right = { noiseMultiplier: 1, sampling: 0.1, rounds: 10, delta: 1e-5 };
  for (const wrong of [0, -1, Number.NaN, Infinity]) {
    assert.throws(() => epsilonOfPrivacyLoss({ ...right, noiseMultiplier: wrong }), { field: 'noise_multiplier' });
    assert.throws(() => epsilonOfPrivacyLoss({ ...right, sampling: wrong }), { field: 'sampling' });
    assert.throws(() => epsilonOfPrivacyLoss({ ...right, rounds: wrong }), { field: 'rounds' });
    assert.throws(() => epsilonOfPrivacyLoss({ ...right, delta: wrong }), { field: 'delta' });
    assert.throws(() => epsilonOfPrivacyLoss({ ...right, interval: wrong }), { field: 'interval' });
  }
  const loss = privacyLoss(right);
  for (const wrong of [0, 1, Number.NaN]) {
    assert.throws(() => loss.epsilon(wrong), { code: 'privacy_invalid', field: 'delta' });
  }
  assert.throws(() => loss.delta(-1), { code: 'privacy_invalid', field: 'epsilon' });
});

test.run();
