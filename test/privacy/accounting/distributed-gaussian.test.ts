import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import {
  closenessOfShares,
  DISTRIBUTED_ORDERS,
  epsilonOfDistributedGaussian,
  LEAST_SHARE_VARIANCE,
  localStandardDeviationFor,
  rhoOfShares,
} from '../../../src/privacy/accounting/distributed-gaussian.ts';
import { roundedNormBound, roundedNorms } from '../../../src/privacy/accounting/rounded-norm.ts';
import { addRationals, compareRationals, multiplyRationals, rational } from '../../../src/privacy/rational.ts';
import { discreteGaussianLaw } from '../statistics.ts';
import { agree, testCases } from '../vectors.ts';

const test = suite('distributed discrete gaussian');

testCases(test, 'the norm after conditional rounding, within 1e-12', 'rounded_l2_norm_bound', (each) => {
  assert.ok(agree(roundedNormBound(each.l2, each.beta, each.dim), each.bound, 1e-12));
});

testCases(test, 'ε over rounds, within 1e-8, and the steps to it', 'ddgauss_epsilon', (each) => {
  const vectors = { clip: each.l2_clip, scale: 1 / each.gamma, dimension: each.dim, beta: each.beta };
  const shares = { localStandardDeviation: each.local_stddev, contributors: each.num_clients };
  const found = epsilonOfDistributedGaussian({
    ...vectors,
    ...shares,
    sampling: each.q,
    rounds: each.steps,
    delta: each.delta,
  });
  assert.ok(agree(found.epsilon, each.epsilon, 1e-8), `${found.epsilon} against ${each.epsilon}`);
  assert.ok(found.epsilon >= each.epsilon * (1 - 1e-15));
  assert.equal(found.order, each.order);
  assert.ok(agree(roundedNorms(vectors).l2, each.rounded_l2_int, 1e-12));
  assert.ok(agree(closenessOfShares(each.num_clients, each.local_stddev / each.gamma), each.tau, 1e-12));
});

testCases(test, 'ε for the shares of those who did not drop out, within 1e-8', 'ddgauss_dropout', (each) => {
  const found = epsilonOfDistributedGaussian({
    clip: 1,
    scale: each.scale,
    dimension: each.dim,
    beta: 0,
    localStandardDeviation: each.local_stddev,
    contributors: each.provisioned - each.dropped,
    sampling: 1,
    rounds: each.steps,
    delta: each.delta,
  });
  assert.ok(agree(found.epsilon, each.epsilon, 1e-8), `${found.epsilon} against ${each.epsilon}`);
  assert.equal(found.order, each.order);
});

testCases(test, "one contributor's noise for an ε, within 1e-4", 'ddgauss_calibration', (each) => {
  const options = {
    clip: 1,
    scale: each.scale,
    dimension: each.dim,
    beta: each.beta,
    contributors: each.num_clients,
    sampling: 1,
    rounds: each.steps,
    delta: each.delta,
  };
  const found = localStandardDeviationFor({ ...options, epsilon: each.target_epsilon });
  assert.ok(agree(found, each.local_stddev, 1e-4), `${found} against ${each.local_stddev}`);
  const achieved = epsilonOfDistributedGaussian({ ...options, localStandardDeviation: found }).epsilon;
  assert.ok(achieved <= each.target_epsilon && achieved > each.target_epsilon * (1 - 1e-8));
});

const someRounds = fc.record({
  clip: fc.double({ min: 0.1, max: 10, noNaN: true }),
  scale: fc.double({ min: 16, max: 2 ** 20, noNaN: true }),
  dimension: fc.integer({ min: 1, max: 10_000 }),
  beta: fc.oneof(fc.constant(0), fc.double({ min: 1e-6, max: 0.99, noNaN: true })),
  localStandardDeviation: fc.double({ min: 0.1, max: 20, noNaN: true }),
  contributors: fc.integer({ min: 1, max: 200 }),
  sampling: fc.oneof(fc.constant(1), fc.double({ min: 1e-3, max: 1, noNaN: true })),
  rounds: fc.integer({ min: 1, max: 1000 }),
  delta: fc.constantFrom(1e-3, 1e-6, 1e-9),
});

test('more noise or more shares mean less ε; more rounds, sampling, length or a lesser δ mean more', () => {
  fc.assert(
    fc.property(someRounds, fc.double({ min: 1, max: 3, noNaN: true }), (options, factor) => {
      const epsilonOf = (changed: object) => epsilonOfDistributedGaussian({ ...options, ...changed }).epsilon;
      const epsilon = epsilonOf({}) * (1 - 1e-12);
      const upper = epsilonOf({}) * (1 + 1e-12);
      assert.ok(epsilonOf({ localStandardDeviation: options.localStandardDeviation * factor }) <= upper);
      assert.ok(epsilonOf({ contributors: options.contributors + 7 }) <= upper);
      assert.ok(epsilonOf({ rounds: options.rounds + 1 }) >= epsilon);
      assert.ok(epsilonOf({ sampling: Math.min(1, options.sampling * factor) }) >= epsilon);
      assert.ok(epsilonOf({ clip: options.clip * factor }) >= epsilon);
      assert.ok(epsilonOf({ dimension: options.dimension * 2 }) >= epsilon);
      assert.ok(epsilonOf({ delta: options.delta / 10 }) >= epsilon);
    }),
    { numRuns: 50 },
  );
});

/** The law of the sum of `shares` discrete Gaussians, over the integers from −reach to reach. */
function sumLaw(shares: number, sigmaSquared: number, reach: number): number[] {
  const one = discreteGaussianLaw(sigmaSquared);
  let law = Array.from({ length: 2 * reach + 1 }, (_, index) => one.probability(index - reach));
  for (let share = 1; share < shares; share += 1) {
    law = law.map((_, index) => {
      let probability = 0;
      for (let other = 0; other <= 2 * reach; other += 1) {
        probability += (law[other] ?? 0) * one.probability(index - other);
      }
      return probability;
    });
  }
  return law;
}

test('a sum of shares is as close to one discrete Gaussian as τ says, and loses no more than Proposition 14 says', () => {
  for (const [shares, sigmaSquared, move] of [
    [2, 0.25, 1],
    [2, 0.5, 1],
    [3, 0.36, 2],
    [4, 0.64, 1],
    [5, 0.5, 3],
  ] as const) {
    const reach = 40;
    const law = sumLaw(shares, sigmaSquared, reach);
    const together = discreteGaussianLaw(shares * sigmaSquared);
    const tau = closenessOfShares(shares, Math.sqrt(sigmaSquared));
    let worst = 0;
    // Where a probability is below 1e-200 the convolution, cut off at the reach, is no longer what it stands for.
    for (let value = -14; value <= 14; value += 1) {
      worst = Math.max(worst, Math.abs(Math.log((law[value + reach] ?? 0) / together.probability(value))));
    }
    assert.ok(worst <= tau / 2 && worst > tau / 40, `${shares} shares of ${sigmaSquared}: ${worst} against ${tau / 2}`);
    for (const order of [1.5, 2, 4, 8]) {
      let moment = 0;
      for (let value = -18; value <= 18; value += 1) {
        const ratio = (law[value + reach] ?? 0) / (law[value + reach - move] ?? 0);
        moment += (law[value + reach] ?? 0) * ratio ** (order - 1);
      }
      const divergence = Math.log(moment) / (order - 1);
      assert.ok(divergence <= (order * move ** 2) / (2 * shares * sigmaSquared) + tau, `order ${order}: ${divergence}`);
    }
  }
});

test('ρ of our own rounds is an upper bound in exact fractions, and hardly more than one draw of all the noise would cost', () => {
  fc.assert(
    fc.property(
      fc.bigInt(LEAST_SHARE_VARIANCE, 2n ** 60n),
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.bigInt(0n, 2n ** 40n),
      (variance, shares, sensitivity) => {
        const rho = rhoOfShares({ variance: rational(variance), shares, sensitivity });
        const one = rational(sensitivity ** 2n, 2n * BigInt(shares) * variance);
        if (shares === 1) assert.deepEqual(rho, one);
        else assert.deepEqual(rho, addRationals(one, rational(1n, 2n ** 128n)));
        // One share less is more ρ, and a tenth more noise less.
        if (shares > 1 && sensitivity > 0n) {
          const dropped = rhoOfShares({ variance: rational(variance), shares: shares - 1, sensitivity });
          assert.ok(compareRationals(dropped, rho) > 0 || sensitivity ** 2n < 2n ** 20n);
          const more = multiplyRationals(rational(variance), rational(11n, 10n));
          assert.ok(compareRationals(rhoOfShares({ variance: more, shares, sensitivity }), rho) < 0);
        }
      },
    ),
  );
});

test('the surcharge is more than τd for as many shares and coordinates as anybody could have', () => {
  // In logarithms, since τ itself is far below the least double: ln τd ≤ ln(10·k·d) − 2π²σ²/2.
  const logTau = Math.log(10) + Math.log(2 ** 53) + 900 * Math.log(2) - Math.PI ** 2 * Number(LEAST_SHARE_VARIANCE);
  assert.ok(logTau < -128 * Math.log(2));
  assert.ok(Math.PI ** 2 * Math.LOG2E > 14);
});

test('refuses noise shares below 64 and whatever else is out of range, naming it', () => {
  const shares = { variance: rational(LEAST_SHARE_VARIANCE), shares: 3, sensitivity: 5n };
  assert.doesNotThrow(() => rhoOfShares(shares));
  assert.throws(() => rhoOfShares({ ...shares, variance: rational(LEAST_SHARE_VARIANCE * 10n - 1n, 10n) }), {
    code: 'privacy_invalid',
    field: 'variance',
    message: /at least 64² = 4096, got 40959\/10/,
  });
  for (const wrong of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => rhoOfShares({ ...shares, shares: wrong }), { code: 'privacy_invalid', field: 'shares' });
  }
  assert.throws(() => rhoOfShares({ ...shares, sensitivity: -1n }), { code: 'privacy_invalid', field: 'sensitivity' });

  const right = {
    clip: 1,
    scale: 1024,
    dimension: 10,
    beta: 0.5,
    localStandardDeviation: 1,
    contributors: 5,
    sampling: 0.5,
    rounds: 3,
    delta: 1e-5,
  };
  assert.ok(DISTRIBUTED_ORDERS.includes(epsilonOfDistributedGaussian(right).order));
  for (const [field, changed] of [
    ['clip', { clip: 0 }],
    ['scale', { scale: Infinity }],
    ['dimension', { dimension: 0.5 }],
    ['beta', { beta: 1 }],
    ['local_standard_deviation', { localStandardDeviation: -1 }],
    // Half an integer is 1/2048.
    ['local_standard_deviation', { localStandardDeviation: 0.000_48 }],
    ['contributors', { contributors: 0 }],
    ['sampling', { sampling: 0 }],
    ['rounds', { rounds: 0 }],
    ['delta', { delta: 1 }],
  ] as const) {
    assert.throws(() => epsilonOfDistributedGaussian({ ...right, ...changed }), { code: 'privacy_invalid', field });
  }
  assert.throws(() => localStandardDeviationFor({ ...right, epsilon: -1 }), { field: 'epsilon' });
  assert.throws(() => localStandardDeviationFor({ ...right, epsilon: 1e-4 }), { field: 'epsilon', message: /reach/ });
  assert.throws(() => localStandardDeviationFor({ ...right, epsilon: 1, contributors: 1.5 }), {
    field: 'contributors',
  });
});

test.run();
