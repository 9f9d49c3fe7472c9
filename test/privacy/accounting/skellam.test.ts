import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { epsilonOfDistributedGaussian } from '../../../src/privacy/accounting/distributed-gaussian.ts';
import { epsilonOfSkellam } from '../../../src/privacy/accounting/skellam.ts';
import { agree, testCases } from '../vectors.ts';

const test = suite('skellam');

testCases(test, 'ε over rounds, within 1e-8', 'skellam_epsilon', (each) => {
  const found = epsilonOfSkellam({
    clip: each.l2,
    scale: each.scale,
    dimension: each.dim,
    beta: each.beta,
    centralStandardDeviation: each.central_stddev,
    sampling: each.q,
    rounds: each.steps,
    delta: each.delta,
  });
  assert.ok(agree(found.epsilon, each.epsilon, 1e-8), `${found.epsilon} against ${each.epsilon}`);
  assert.ok(found.epsilon >= each.epsilon * (1 - 1e-15));
  assert.equal(found.order, each.order);
});

const someRounds = fc.record({
  clip: fc.double({ min: 0.1, max: 10, noNaN: true }),
  scale: fc.double({ min: 16, max: 2 ** 20, noNaN: true }),
  dimension: fc.integer({ min: 1, max: 10_000 }),
  beta: fc.oneof(fc.constant(0), fc.double({ min: 1e-6, max: 0.99, noNaN: true })),
  centralStandardDeviation: fc.double({ min: 0.5, max: 50, noNaN: true }),
  sampling: fc.oneof(fc.constant(1), fc.double({ min: 1e-3, max: 1, noNaN: true })),
  rounds: fc.integer({ min: 1, max: 1000 }),
  delta: fc.constantFrom(1e-3, 1e-6, 1e-9),
});

test('more noise means less ε; more rounds, sampling or length mean more; never better than the discrete Gaussian', () => {
  fc.assert(
    fc.property(someRounds, fc.double({ min: 1, max: 3, noNaN: true }), (options, factor) => {
      const epsilonOf = (changed: object) => epsilonOfSkellam({ ...options, ...changed }).epsilon;
      const epsilon = epsilonOf({}) * (1 - 1e-12);
      const more = options.centralStandardDeviation * factor;
      assert.ok(epsilonOf({ centralStandardDeviation: more }) <= epsilonOf({}) * (1 + 1e-12));
      assert.ok(epsilonOf({ rounds: options.rounds + 1 }) >= epsilon);
      assert.ok(epsilonOf({ sampling: Math.min(1, options.sampling * factor) }) >= epsilon);
      assert.ok(epsilonOf({ clip: options.clip * factor }) >= epsilon);
      const gaussian = { ...options, localStandardDeviation: options.centralStandardDeviation, contributors: 1 };
      assert.ok(epsilonOfDistributedGaussian(gaussian).epsilon <= epsilonOf({}));
    }),
    { numRuns: 50 },
  );
});

test('refuses numbers out of range, naming them', () => {
  const right = {
    clip: 1,
    scale: 1024,
    dimension: 10,
    beta: 0,
    centralStandardDeviation: 2,
    sampling: 1,
    rounds: 3,
    delta: 1e-5,
  };
  assert.ok(epsilonOfSkellam(right).epsilon > 0);
  for (const [field, changed] of [
    ['central_standard_deviation', { centralStandardDeviation: 0 }],
    ['clip', { clip: Number.NaN }],
    ['scale', { scale: -1 }],
    ['dimension', { dimension: 0 }],
    ['beta', { beta: -0.1 }],
    ['sampling', { sampling: 1.1 }],
    ['rounds', { rounds: 1.5 }],
    ['delta', { delta: 0 }],
  ] as const) {
    assert.throws(() => epsilonOfSkellam({ ...right, ...changed }), { code: 'privacy_invalid', field });
  }
});

test.run();
