import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import type { Family } from '../../src/learning/families.ts';
import {
  addGradient,
  argmax,
  familyOf,
  gradientSums,
  linear,
  logistic,
  scoresOf,
  sigmoid,
  softmax,
  toProbabilities,
} from '../../src/learning/families.ts';
import type { Records } from '../../src/learning/features.ts';
import { parseModel } from '../../src/learning/model.ts';

const test = suite('families');

interface Evaluated {
  readonly residuals: Float64Array;
  readonly loss: number;
  readonly correct: number | undefined;
}

function evaluate(family: Family, scores: readonly number[], target: number): Evaluated {
  const residuals = Float64Array.from(scores);
  const metrics = new Float64Array(family.metrics.length);
  family.residuals(residuals, target, metrics);
  return { residuals, loss: metrics[0] ?? Number.NaN, correct: metrics[1] };
}

const families: [string, Family, fc.Arbitrary<number>][] = [
  ['linear', linear, fc.double({ min: -1, max: 1, noNaN: true })],
  ['logistic', logistic, fc.nat({ max: 1 })],
  ['softmax of 2', softmax(2), fc.nat({ max: 1 })],
  ['softmax of 5', softmax(5), fc.nat({ max: 4 })],
];

for (const [name, family, targets] of families) {
  test(`${name}: the gradient is the derivative of the loss`, () => {
    const width = 3;
    const numbers = (length: number, bound: number): fc.Arbitrary<number[]> =>
      fc.array(fc.double({ min: -bound, max: bound, noNaN: true }), { minLength: length, maxLength: length });
    fc.assert(
      fc.property(numbers(width, 1), targets, numbers(family.outputs * width, 3), (x, target, parameters) => {
        const row = Float64Array.from(x);
        const lossAt = (values: readonly number[]): number => {
          const scores = new Float64Array(family.outputs);
          scoresOf(Float64Array.from(values), row, scores);
          return evaluate(family, [...scores], target).loss;
        };
        const scores = new Float64Array(family.outputs);
        scoresOf(Float64Array.from(parameters), row, scores);
        const gradient = new Float64Array(parameters.length);
        addGradient(row, evaluate(family, [...scores], target).residuals, gradient);
        const step = 1e-5;
        for (const [index, value] of parameters.entries()) {
          const above = lossAt(parameters.with(index, value + step));
          const below = lossAt(parameters.with(index, value - step));
          // Central differences: the error is some step² from the third derivative and 1e-16·loss/step from rounding.
          assert.ok(Math.abs((above - below) / (2 * step) - (gradient[index] ?? 0)) < 2e-8);
        }
      }),
      { numRuns: 500 },
    );
  });
}

test('linear: squared error / 2', () => {
  assert.deepEqual(evaluate(linear, [0.5], -1), { residuals: Float64Array.of(1.5), loss: 1.125, correct: undefined });
});

test('logistic: log-loss, and the likelier class', () => {
  const undecided = evaluate(logistic, [0], 1);
  assert.deepEqual(undecided.residuals, Float64Array.of(-0.5));
  assert.equal(undecided.loss, Math.LN2);
  // Without knowledge the first class is taken.
  assert.deepEqual([evaluate(logistic, [0], 0).correct, undecided.correct], [1, 0]);
  const sure = evaluate(logistic, [Math.log(3)], 1);
  assert.ok(Math.abs(sure.loss + Math.log(0.75)) < 1e-15);
  assert.equal(sure.correct, 1);
  assert.equal(evaluate(logistic, [Math.log(3)], 0).correct, 0);
});

test('logistic is softmax of two classes of which the first scores 0', () => {
  fc.assert(
    fc.property(fc.double({ min: -30, max: 30, noNaN: true }), fc.nat({ max: 1 }), (score, target) => {
      const one = evaluate(logistic, [score], target);
      const two = evaluate(softmax(2), [0, score], target);
      assert.ok(Math.abs(one.loss - two.loss) <= 1e-14 * Math.max(1, one.loss));
      assert.ok(Math.abs((one.residuals[0] ?? 0) - (two.residuals[1] ?? 0)) < 1e-15);
      assert.equal(one.correct, two.correct);
    }),
  );
});

test('softmax: probabilities, whatever is added to every score; residuals that add up to zero', () => {
  const scores = fc.array(fc.double({ min: -20, max: 20, noNaN: true }), { minLength: 2, maxLength: 6 });
  fc.assert(
    fc.property(scores, fc.double({ min: -1e3, max: 1e3, noNaN: true }), (values, shift) => {
      const plain = Float64Array.from(values);
      const shifted = plain.map((value) => value + shift);
      const logSum = toProbabilities(plain);
      assert.ok(Math.abs(toProbabilities(shifted) - logSum - shift) < 1e-11);
      for (const [index, probability] of plain.entries()) {
        assert.ok(probability >= 0 && Math.abs(probability - (shifted[index] ?? 0)) < 1e-11);
      }
      assert.ok(Math.abs(plain.reduce((sum, value) => sum + value, 0) - 1) < 1e-14);
      const { residuals } = evaluate(softmax(values.length), values, 0);
      assert.ok(Math.abs(residuals.reduce((sum, value) => sum + value, 0)) < 1e-14);
    }),
  );
});

test('stays finite at scores whose exponentials are not', () => {
  for (const score of [750, 1e5, 1e300]) {
    for (const [sign, target] of [
      [1, 1],
      [1, 0],
      [-1, 1],
      [-1, 0],
    ] as const) {
      const wrong = sign > 0 !== (target === 1);
      for (const { loss, residuals } of [
        evaluate(logistic, [sign * score], target),
        evaluate(softmax(2), [0, sign * score], target),
      ]) {
        assert.equal(loss, wrong ? score : 0);
        assert.equal(Math.abs(residuals.at(-1) ?? Number.NaN), wrong ? 1 : 0);
      }
    }
  }
  assert.deepEqual([sigmoid(-800), sigmoid(800), sigmoid(0)], [0, 1, 0.5]);
});

test('takes the first of equally likely classes', () => {
  assert.equal(argmax(Float64Array.of(1, 3, 3, 2)), 1);
  assert.equal(argmax(Float64Array.of(0, 0)), 0);
});

test('bounds every loss that an untrained model can have', () => {
  for (const classes of [2, 3, 10, 1000]) assert.ok(softmax(classes).lossBound >= Math.log(classes) + 3);
  assert.ok(logistic.lossBound > Math.LN2);
  assert.equal(evaluate(linear, [1], -1).loss, linear.lossBound);
});

test('is chosen by the model', () => {
  const model = (modelType: string, target: object): Family =>
    familyOf(
      parseModel({
        model_type: modelType,
        data_props: { features: [{ name: 'x', type: 'continuous', range: [0, 1] }], target: { name: 'y', ...target } },
      }),
    );
  assert.equal(model('LINEAR_REGRESSION', { range: [0, 1] }), linear);
  assert.equal(model('LOGISTIC_REGRESSION', { range: [0, 1] }), logistic);
  assert.equal(model('SOFTMAX_REGRESSION', { levels: ['a', 'b', 'c'] }).outputs, 3);
});

test('sums gradients and metrics over records', () => {
  const records: Records = {
    count: 2,
    width: 2,
    x: Float64Array.of(1, 0.5, 1, -1),
    y: Float64Array.of(1, 0),
    lines: Int32Array.of(1, 2),
    dropped: 0,
  };
  // Scores 0.25 + 0.5·0.5 = 0.5 and 0.25 − 0.5 = −0.25; errors −0.5 and −0.25.
  assert.deepEqual(
    gradientSums(linear, records, Float64Array.of(0.25, 0.5)),
    Float64Array.of(-0.75, -0.25 + 0.25, 0.125 + 0.03125),
  );
  // At zero every class has probability 1/2 and the first is taken.
  assert.deepEqual(
    gradientSums(softmax(2), records, new Float64Array(4)),
    Float64Array.of(0.5 - 0.5, 0.25 + 0.5, -0.5 + 0.5, -0.25 - 0.5, 2 * Math.LN2, 1),
  );
});

test.run();
