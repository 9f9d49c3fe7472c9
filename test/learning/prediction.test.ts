import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import type { FeatureMap } from '../../src/learning/features.ts';
import { compileFeatures, encodeRows } from '../../src/learning/features.ts';
import type { FeatureRow } from '../../src/learning/fields.ts';
import type { Model } from '../../src/learning/model.ts';
import { parseModel } from '../../src/learning/model.ts';
import { parametersInDataUnits, predict } from '../../src/learning/prediction.ts';

const test = suite('prediction');

const grades = ['low', 'medium', 'high', 'severe'];
const regions = ['north', 'south', 'east'];

function setting(modelType: string, target: object): { model: Model; map: FeatureMap } {
  const model = parseModel({
    model_type: modelType,
    data_props: {
      features: [
        { name: 'age', type: 'continuous', range: [18, 98] },
        { name: 'visits', type: 'discrete', range: [-3, 20] },
        { name: 'grade', type: 'ordinal', levels: grades, missing: 'drop' },
        { name: 'region', type: 'nominal', levels: regions },
      ],
      target: { name: 'y', ...target },
    },
  });
  return { model, map: compileFeatures(model) };
}

const linear = setting('LINEAR_REGRESSION', { range: [25, 346] });
const logistic = setting('LOGISTIC_REGRESSION', { levels: ['stays', 'leaves'] });
const softmax = setting('SOFTMAX_REGRESSION', { levels: ['a', 'b', 'c'] });

const rows = fc.record({
  age: fc.double({ min: 18, max: 98, noNaN: true }),
  visits: fc.integer({ min: -3, max: 20 }),
  grade: fc.constantFrom(...grades),
  region: fc.constantFrom(...regions),
});
type Row = typeof rows extends fc.Arbitrary<infer R> ? R : never;

const parametersOf = (length: number): fc.Arbitrary<Float64Array> =>
  fc
    .array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: length, maxLength: length })
    .map((values) => Float64Array.from(values));

/** What a reader of the coefficients would compute by hand. */
function byHand(
  [intercept = 0, age = 0, visits = 0, grade = 0, south = 0, east = 0]: readonly number[],
  row: Row,
): number {
  return (
    intercept +
    age * row.age +
    visits * row.visits +
    grade * grades.indexOf(row.grade) +
    (row.region === 'south' ? south : 0) +
    (row.region === 'east' ? east : 0)
  );
}

const columns = ['intercept', 'age', 'visits', 'grade', 'region=south', 'region=east'];

test('linear: coefficients in the data’s own units give the predictions', () => {
  fc.assert(
    fc.property(parametersOf(6), rows, (parameters, row) => {
      const inUnits = parametersInDataUnits(linear.model, linear.map, parameters);
      assert.deepEqual(inUnits.columns, columns);
      assert.equal('classes' in inUnits, false);
      const [predicted] = predict(linear.model, linear.map, parameters, encodeRows(linear.map, [row]));
      assert.ok(typeof predicted === 'number');
      assert.ok(Math.abs(predicted - byHand(inUnits.coefficients as number[], row)) < 1e-9);
    }),
  );
});

test('logistic: coefficients are log-odds of the second class', () => {
  fc.assert(
    fc.property(parametersOf(6), rows, (parameters, row) => {
      const inUnits = parametersInDataUnits(logistic.model, logistic.map, parameters);
      assert.deepEqual([inUnits.columns, inUnits.classes], [columns, ['stays', 'leaves']]);
      const logOdds = byHand(inUnits.coefficients as number[], row);
      const [predicted] = predict(logistic.model, logistic.map, parameters, encodeRows(logistic.map, [row]));
      assert.ok(predicted !== null && typeof predicted === 'object' && 'probability' in predicted);
      const leaves = predicted.class === 'leaves' ? predicted.probability : 1 - predicted.probability;
      assert.ok(Math.abs(leaves - 1 / (1 + Math.exp(-logOdds))) < 1e-9);
      assert.ok(predicted.probability >= 0.5);
    }),
  );
});

test('softmax: one row of coefficients per class gives the probabilities', () => {
  fc.assert(
    fc.property(parametersOf(18), rows, (parameters, row) => {
      const inUnits = parametersInDataUnits(softmax.model, softmax.map, parameters);
      assert.deepEqual([inUnits.columns, inUnits.classes], [columns, ['a', 'b', 'c']]);
      const powers = (inUnits.coefficients as number[][]).map((coefficients) => Math.exp(byHand(coefficients, row)));
      const total = powers.reduce((sum, power) => sum + power, 0);
      const [predicted] = predict(softmax.model, softmax.map, parameters, encodeRows(softmax.map, [row]));
      assert.ok(predicted !== null && typeof predicted === 'object' && 'probabilities' in predicted);
      assert.deepEqual(Object.keys(predicted.probabilities), ['a', 'b', 'c']);
      for (const [index, name] of ['a', 'b', 'c'].entries()) {
        assert.ok(Math.abs((predicted.probabilities[name] ?? 0) - (powers[index] ?? 0) / total) < 1e-9);
      }
      const greatest = Math.max(...Object.values(predicted.probabilities));
      assert.equal(predicted.probabilities[predicted.class], greatest);
    }),
  );
});

test('says by hand what a scaled model means', () => {
  // θ = (0.5, 0.25, 0, 0.3, 0, −0.1); the target's half is 160.5 and its middle 185.5, age's are 40 and 58, grade's 1.5.
  const { coefficients } = parametersInDataUnits(linear.model, linear.map, Float64Array.of(0.5, 0.25, 0, 0.3, 0, -0.1));
  const expected = [
    185.5 + 160.5 * (0.5 - (0.25 * 58) / 40 - 0.3),
    (160.5 * 0.25) / 40,
    0,
    (160.5 * 0.3) / 1.5,
    0,
    160.5 * -0.1,
  ];
  for (const [index, value] of expected.entries()) {
    assert.ok(Math.abs(((coefficients as number[])[index] ?? Number.NaN) - value) < 1e-12);
  }
});

test('gives null for a row that a missing value drops, in its place', () => {
  const given: FeatureRow[] = [
    [50, 1, null, 'north'],
    [50, 1, 'low', 'north'],
  ];
  const encoded = encodeRows(linear.map, given);
  assert.deepEqual(predict(linear.model, linear.map, new Float64Array(6), encoded), [null, 185.5]);
});

test('without knowledge takes the first class', () => {
  const given = encodeRows(logistic.map, [[50, 1, 'low', 'north']]);
  assert.deepEqual(predict(logistic.model, logistic.map, new Float64Array(6), given), [
    { class: 'stays', probability: 0.5 },
  ]);
  assert.deepEqual(predict(softmax.model, softmax.map, new Float64Array(18), given), [
    { class: 'a', probabilities: { a: 1 / 3, b: 1 / 3, c: 1 / 3 } },
  ]);
});

test('refuses parameters of another model', () => {
  for (const [{ model, map }, expected] of [
    [linear, 6],
    [softmax, 18],
  ] as const) {
    for (const length of [0, expected - 1, expected + 1]) {
      for (const use of [
        () => parametersInDataUnits(model, map, new Float64Array(length)),
        () => predict(model, map, new Float64Array(length), []),
      ]) {
        assert.throws(use, {
          code: 'plan_mismatch',
          field: 'parameters',
          message: `parameters: expected ${expected} for this model, not ${length}`,
        });
      }
    }
  }
});

test.run();
