import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import {
  composeLosses,
  deltaAt,
  epsilonAt,
  type LossGrid,
  windowOf,
} from '../../../src/privacy/accounting/loss-grid.ts';
import {
  gridBounds,
  sampledGaussianDelta,
  sampledGaussianLosses,
} from '../../../src/privacy/accounting/sampled-gaussian-losses.ts';
import { testCases } from '../vectors.ts';

const test = suite('losses of the sampled gaussian');

testCases(test, 'δ of one round in both directions, within 1e-13', 'subsampled_gaussian_delta', (each) => {
  const mechanism = { noiseMultiplier: each.sigma, sampling: each.q };
  const remove = sampledGaussianDelta(mechanism, 'remove', each.epsilon);
  const add = sampledGaussianDelta(mechanism, 'add', each.epsilon);
  for (const [found, expected] of [
    [remove, each.delta_remove],
    [remove, each.delta_remove_closed_form],
    [add, each.delta_add],
    [add, each.delta_add_closed_form],
  ] as const) {
    assert.ok(Math.abs(found - expected) < 1e-13, `σ ${each.sigma}, q ${each.q}, ε ${each.epsilon}: ${found}`);
  }
});

testCases(test, 'connecting the dots by hand, within 1e-12', 'pld_connect_the_dots_example', (each) => {
  const mechanism = { noiseMultiplier: each.sigma, sampling: each.q };
  const bounds = { interval: each.discretization, first: each.lower, last: each.upper };
  const [remove, add] = sampledGaussianLosses(mechanism, bounds);
  assert.equal(remove.probabilities.length, each.deltas.length);
  for (const [index, delta] of each.deltas.entries()) {
    const epsilon = (each.lower + index) * each.discretization;
    assert.ok(Math.abs(sampledGaussianDelta(mechanism, 'remove', epsilon) - delta) < 1e-12);
    assert.ok(Math.abs(deltaAt(remove, epsilon) - delta) < 1e-12);
    const probability = each.probs[each.lower + index] ?? Number.NaN;
    assert.ok(Math.abs((remove.probabilities[index] ?? 0) - probability) < 1e-12, `${epsilon}`);
  }
  assert.ok(Math.abs(remove.infinite - each.infinity_mass) < 1e-12);
  for (const [delta, epsilon] of Object.entries(each.epsilon_for_delta)) {
    assert.ok(Math.abs(epsilonAt(remove, Number(delta)) - epsilon) < 1e-12);
  }
  const windows = [windowOf(remove, 3), windowOf(add, 3)] as const;
  const [thrice] = composeLosses([remove, add], windows, 3);
  for (const [delta, epsilon] of Object.entries(each.self_compose_3)) {
    assert.ok(Math.abs(epsilonAt(thrice, Number(delta)) - epsilon) < 1e-12, `three rounds at ${delta}`);
  }
});

const someMechanism = fc.record({
  noiseMultiplier: fc.double({ min: 0.3, max: 30, noNaN: true }),
  sampling: fc.oneof(fc.constant(1), fc.double({ min: 1e-4, max: 1, noNaN: true })),
});

test('at the points of the grid δ is exact, and between them never understated', () => {
  fc.assert(
    fc.property(someMechanism, fc.double({ min: 0, max: 1, noNaN: true }), (mechanism, share) => {
      const interval = 0.01;
      const bounds = gridBounds(mechanism, interval);
      for (const [direction, grid] of [
        ['remove', sampledGaussianLosses(mechanism, bounds)[0]],
        ['add', sampledGaussianLosses(mechanism, bounds)[1]],
      ] as const) {
        assert.equal(grid.infinite < 1e-20, true);
        assert.ok(
          Math.abs(grid.probabilities.reduce((sum, probability) => sum + probability, grid.infinite) - 1) < 1e-12,
        );
        const point = grid.first + Math.floor(share * (grid.probabilities.length - 1));
        const at = sampledGaussianDelta(mechanism, direction, point * interval);
        assert.ok(
          Math.abs(deltaAt(grid, point * interval) - at) < 1e-11 * Math.max(1, Math.exp(point * interval)) * at + 1e-13,
        );
        const between = (point + share) * interval;
        assert.ok(deltaAt(grid, between) >= sampledGaussianDelta(mechanism, direction, between) - 1e-13);
      }
    }),
    { numRuns: 100 },
  );
});

test('without sampling both directions are alike', () => {
  const mechanism = { noiseMultiplier: 1.3, sampling: 1 };
  for (const epsilon of [-2, 0, 0.5, 3, 8]) {
    const remove = sampledGaussianDelta(mechanism, 'remove', epsilon);
    assert.ok(Math.abs(remove - sampledGaussianDelta(mechanism, 'add', epsilon)) < 1e-15);
  }
});

test('a composition is what convolution by its definition gives', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 9 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 9 }),
      fc.integer({ min: 2, max: 7 }),
      (one, other, rounds) => {
        const grids = [gridOf(one), gridOf(other)] as const;
        const composed = composeLosses(grids, [windowOf(grids[0], rounds), windowOf(grids[1], rounds)], rounds);
        for (const [index, grid] of grids.entries()) {
          let expected = [1];
          for (let round = 0; round < rounds; round += 1) expected = convolution(expected, [...grid.probabilities]);
          const found = composed[index] as LossGrid;
          for (const [place, probability] of expected.entries()) {
            const at = rounds * grid.first + place - found.first;
            assert.ok(Math.abs((found.probabilities[at] ?? 0) - probability) < 1e-14);
          }
          const infinite = 1 - (1 - grid.infinite) ** rounds;
          assert.ok(found.infinite >= infinite && found.infinite < infinite + 1e-14);
        }
      },
    ),
  );
});

function gridOf(weights: readonly number[]): LossGrid {
  const total = weights.reduce((sum, weight) => sum + weight, 0.01);
  const probabilities = Float64Array.from(weights, (weight) => weight / total);
  return { interval: 0.1, first: -3, probabilities, infinite: 0.01 / total };
}

function convolution(a: readonly number[], b: readonly number[]): number[] {
  const product = Array.from({ length: a.length + b.length - 1 }, () => 0);
  for (const [i, x] of a.entries()) for (const [j, y] of b.entries()) product[i + j] = (product[i + j] ?? 0) + x * y;
  return product;
}

test('ten thousand rounds leave the rounding error that is charged for', () => {
  // Without sampling the closed form holds for all rounds together.
  for (const [noiseMultiplier, rounds] of [
    [30, 10_000],
    [100, 10_000],
    [30, 1000],
  ] as const) {
    const grids = sampledGaussianLosses(
      { noiseMultiplier, sampling: 1 },
      gridBounds({ noiseMultiplier, sampling: 1 }, 1e-3),
    );
    const [composed] = composeLosses(grids, [windowOf(grids[0], rounds), windowOf(grids[1], rounds)], rounds);
    const together = { noiseMultiplier: noiseMultiplier / Math.sqrt(rounds), sampling: 1 };
    for (let epsilon = 0; ; epsilon += 1) {
      const exact = sampledGaussianDelta(together, 'remove', epsilon);
      // The discretisation itself costs less than this; what is left is rounding.
      const found = deltaAt(composed, epsilon);
      assert.ok(found >= exact, `σ ${noiseMultiplier}, ${rounds} rounds, ε ${epsilon}: ${found} is below ${exact}`);
      assert.ok(found <= exact * 1.05 + 3 * rounds * 1e-16);
      if (exact < 1e-18) break;
    }
  }
});

test.run();
