import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import {
  epsilonOfSampledGaussian,
  RENYI_ORDERS,
  renyiConversion,
  sampledGaussianDivergence,
  sampledGaussianDivergences,
} from '../../../src/privacy/accounting/renyi.ts';
import { epsilonFromRho } from '../../../src/privacy/accounting/zcdp.ts';
import { agree, integerOrders, testCases } from '../vectors.ts';

const test = suite('renyi');

const someNoise = fc.double({ min: -1, max: 3, noNaN: true }).map((exponent) => 10 ** exponent);
const someSampling = fc.double({ min: -6, max: 0, noNaN: true }).map((exponent) => 10 ** exponent);
const someDelta = fc.double({ min: -15, max: -1, noNaN: true }).map((exponent) => 10 ** exponent);
const someRounds = fc.integer({ min: 1, max: 100_000 });
const someOrder = fc.constantFrom(...RENYI_ORDERS);

testCases(test, 'one round at one order, within 1e-9', 'rdp_per_order', ({ q, sigma, rows }) => {
  for (const { order, rdp_mpmath_quadrature, rdp_opacus } of rows) {
    if (!Number.isInteger(order)) continue;
    const found = sampledGaussianDivergence(order, sigma, q);
    assert.ok(agree(found, rdp_mpmath_quadrature ?? rdp_opacus, 1e-9), `q ${q}, sigma ${sigma}, order ${order}`);
  }
});

testCases(test, 'epsilon over rounds, within 1e-9, and its order', 'rdp_poisson_gaussian', (each) => {
  const rounds = { noiseMultiplier: each.sigma, sampling: each.q, rounds: each.steps };
  const { epsilon, order } = epsilonOfSampledGaussian(rounds, each.delta);
  assert.ok(agree(epsilon, each.epsilon_integer_orders, 1e-9), `${JSON.stringify(rounds)}: ${epsilon}`);
  assert.equal(order, each.order_integer);
});

testCases(
  test,
  'the sampled discrete Gaussian loses no more, in either direction',
  'subsampled_discrete_gaussian_check',
  (each) => {
    if (each.bound_integer_formula === null) return;
    const bound = sampledGaussianDivergence(each.order, each.sigma / each.sens, each.q);
    assert.ok(agree(bound, each.bound_integer_formula, 1e-9), JSON.stringify(each));
    // The sums were made in doubles, of an expectation near 1: they are off by some 1e-15 of that, not of its small logarithm.
    const off = 1e-13 / (each.order - 1);
    assert.ok(
      each.rdp_mix_vs_base <= bound + off + 1e-12 * bound && each.rdp_base_vs_mix <= bound + off,
      JSON.stringify(each),
    );
  },
);

if (integerOrders === undefined) test.skip('the orders of the vectors');
else
  test('the orders of the vectors', () => {
    assert.deepEqual(RENYI_ORDERS, integerOrders);
  });

/** D_α(P‖Q) of two weighted lists, where P and Q differ by `difference` = P/Q − 1: what is small is not lost beside 1. */
function divergenceOf(order: number, weights: readonly number[], difference: readonly number[]): number {
  const mean = weights.reduce((sum, weight, index) => {
    const each = difference[index] ?? 0;
    // E[(1+d)^α] − 1 = E[(1+d)^α − 1 − αd], for E[d] = 0; the series where nothing would be left of it.
    const power =
      Math.abs(each) < 1e-4
        ? (order * (order - 1) * each * each * (1 + ((order - 2) * each) / 3)) / 2
        : (1 + each) ** order - 1 - order * each;
    return sum + weight * power;
  }, 0);
  return Math.log1p(mean) / (order - 1);
}

test('for discrete Gaussian noise, summed here point by point, the bound holds and is reached', () => {
  for (const [variance, move, sampling] of [
    [1, 1, 0.01],
    [1, 1, 0.5],
    [9, 2, 0.1],
    [0.25, 1, 0.1],
    [100, 10, 0.3],
  ] as const) {
    const reach = Math.ceil(36 * Math.sqrt(variance));
    const values = Array.from({ length: 2 * reach + 1 }, (_, index) => index - reach);
    const weight = (value: number): number => Math.exp(-(value * value) / (2 * variance));
    const total = values.reduce((sum, value) => sum + weight(value), 0);
    const base = values.map((value) => weight(value) / total);
    // Mixed/base − 1 = q·(moved/base − 1).
    const excess = values.map((value) => sampling * Math.expm1((2 * value * move - move * move) / (2 * variance)));
    const mixed = base.map((each, index) => each * (1 + (excess[index] ?? 0)));
    const deficit = excess.map((each) => -each / (1 + each));
    for (const order of [2, 3, 5, 8]) {
      const bound = sampledGaussianDivergence(order, Math.sqrt(variance) / move, sampling);
      const there = divergenceOf(order, base, excess);
      const back = divergenceOf(order, mixed, deficit);
      assert.ok(there <= bound * (1 + 1e-9) && back <= bound, `${variance} ${move} ${sampling} ${order}`);
      assert.ok(there > bound * 0.999_999, 'the bound is reached');
    }
  }
});

test('everybody in every round: the plain Gaussian, α/2z²', () => {
  fc.assert(
    fc.property(someOrder, someNoise, (order, noiseMultiplier) => {
      const plain = order / (2 * noiseMultiplier ** 2);
      assert.ok(agree(sampledGaussianDivergence(order, noiseMultiplier, 1), plain, 1e-14), 'plain');
      // And nothing jumps on the way there.
      const nearly = sampledGaussianDivergence(order, noiseMultiplier, 1 - 2 ** -53);
      assert.ok(agree(nearly, plain, 1e-9), 'nearly plain');
    }),
  );
});

test('grows with sampling, rounds and order, falls with noise and delta', () => {
  fc.assert(
    fc.property(someNoise, someSampling, someRounds, someDelta, (noiseMultiplier, sampling, rounds, delta) => {
      const { epsilon } = epsilonOfSampledGaussian({ noiseMultiplier, sampling, rounds }, delta);
      const other = (change: object): number =>
        epsilonOfSampledGaussian({ noiseMultiplier, sampling, rounds, ...change }, delta).epsilon;
      assert.ok(other({ noiseMultiplier: noiseMultiplier * 1.01 }) <= epsilon, 'noise');
      assert.ok(other({ sampling: sampling * 0.99 }) <= epsilon, 'sampling');
      assert.ok(other({ rounds: rounds + 1 }) >= epsilon, 'rounds');
      assert.ok(
        epsilonOfSampledGaussian({ noiseMultiplier, sampling, rounds }, delta * 1.01).epsilon <= epsilon,
        'delta',
      );
    }),
    { numRuns: 50 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 1023 }), someNoise, someSampling, (order, noiseMultiplier, sampling) => {
      const found = sampledGaussianDivergence(order, noiseMultiplier, sampling);
      assert.ok(
        found > 0 && found <= sampledGaussianDivergence(order + 1, noiseMultiplier, sampling) * (1 + 1e-11),
        'order',
      );
    }),
  );
});

test('integer orders never promise more than all real orders do', () => {
  fc.assert(
    fc.property(someNoise, someRounds, someDelta, (noiseMultiplier, rounds, delta) => {
      const { epsilon } = epsilonOfSampledGaussian({ noiseMultiplier, sampling: 1, rounds }, delta);
      assert.ok(
        epsilon >= epsilonFromRho(rounds / (2 * noiseMultiplier ** 2), delta).epsilon * (1 - 1e-13),
        `${epsilon}`,
      );
    }),
    { numRuns: 50 },
  );
});

test('rounds add up: the curve is the same as each of its points', () => {
  const curve = renyiConversion(sampledGaussianDivergences(1.1, 0.02), 1e-6);
  for (const rounds of [1, 17, 10_000])
    assert.deepEqual(curve(rounds), epsilonOfSampledGaussian({ noiseMultiplier: 1.1, sampling: 0.02, rounds }, 1e-6));
});

test('the ends of the ranges', () => {
  assert.ok(Number.isFinite(sampledGaussianDivergence(1024, 2 ** -64, 1e-300)));
  assert.ok(Number.isFinite(sampledGaussianDivergence(1024, 2 ** -64, 1)));
  assert.ok(sampledGaussianDivergence(2, 2 ** 64, 1) > 0);
  assert.ok(sampledGaussianDivergence(2, 1, 1e-100) > 0);
  assert.ok(agree(sampledGaussianDivergence(2, 1, 1e-100), Math.expm1(1) * 1e-200, 1e-9));
});

test('refuses what is out of range, naming it', () => {
  const good = { noiseMultiplier: 1, sampling: 0.1, rounds: 1 };
  for (const [change, field] of [
    [{ noiseMultiplier: 0 }, 'noise_multiplier'],
    [{ noiseMultiplier: Number.NaN }, 'noise_multiplier'],
    [{ noiseMultiplier: 2 ** 65 }, 'noise_multiplier'],
    [{ sampling: 0 }, 'sampling'],
    [{ sampling: 1.1 }, 'sampling'],
    [{ rounds: 0 }, 'rounds'],
    [{ rounds: 1.5 }, 'rounds'],
  ] as const) {
    assert.throws(() => epsilonOfSampledGaussian({ ...good, ...change }, 1e-5), { code: 'privacy_invalid', field });
  }
  for (const delta of [0, 1, Number.NaN])
    assert.throws(() => epsilonOfSampledGaussian(good, delta), { code: 'privacy_invalid', field: 'delta' });
  for (const order of [1, 2.5, 1025])
    assert.throws(() => sampledGaussianDivergence(order, 1, 1), { code: 'privacy_invalid', field: 'order' });
});

test.run();
