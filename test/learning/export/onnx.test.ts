/** What ONNX Runtime makes of exported models, beside what the model owner predicts. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { InferenceSession, Tensor } from 'onnxruntime-web';
import { suite } from 'uvu';
import { exportOnnx } from '../../../src/learning/export/onnx.ts';
import { type Cell, type Feature, fieldName, isNumeric } from '../../../src/learning/fields.ts';
import { parseModel } from '../../../src/learning/model.ts';
import type { Prediction } from '../../../src/learning/prediction.ts';
import { type Case, cases, predictionsOf } from './fitted-models.ts';

const test = suite('models exported as ONNX');

/** What the runtime predicts: numbers, or labels with a row of probabilities each. */
interface Answer {
  readonly values: readonly number[];
  readonly labels?: readonly string[];
}

function inputOf(feature: Feature, cells: readonly Cell[]): Tensor {
  const shape = [cells.length, 1];
  if (!isNumeric(feature))
    return new Tensor(
      'string',
      cells.map((cell) => (cell === null ? '' : String(cell))),
      shape,
    );
  return new Tensor(
    'float64',
    Float64Array.from(cells, (cell) => (cell === null ? Number.NaN : Number(cell))),
    shape,
  );
}

async function run({ fitted, rows }: Case): Promise<Answer> {
  const session = await InferenceSession.create(exportOnnx(fitted), { logSeverityLevel: 3 });
  const { features } = fitted.model.data_props;
  assert.deepEqual(session.inputNames, features.map(fieldName));
  const feeds = Object.fromEntries(
    features.map((feature) => [
      fieldName(feature),
      inputOf(
        feature,
        rows.map((row) => row[fieldName(feature)] ?? null),
      ),
    ]),
  );
  const results = await session.run(feeds);
  const [first = '', second] = session.outputNames;
  const numbers = results[second ?? first];
  assert.equal(numbers?.type, 'float64');
  const values = [...(numbers.data as Float64Array)];
  const labels = second === undefined ? undefined : [...((results[first]?.data ?? []) as string[])];
  await session.release();
  return { values, ...(labels === undefined ? {} : { labels }) };
}

/** Every number that a row must have; those that are none where the row has no prediction. */
function numbersOf(prediction: Prediction | null, classes: readonly string[], outputs: number): number[] {
  if (prediction === null) return Array<number>(outputs).fill(Number.NaN);
  if (typeof prediction === 'number') return [prediction];
  if ('probabilities' in prediction) return classes.map((name) => prediction.probabilities[name] ?? 0);
  const { class: likelier, probability } = prediction;
  return classes.map((name) => (name === likelier ? probability : 1 - probability));
}

function classesOf({ model_type, data_props: { target } }: Case['fitted']['model']): readonly string[] {
  if (model_type === 'LINEAR_REGRESSION') return [];
  return 'levels' in target ? target.levels : ['0', '1'];
}

test('the runtime predicts what the model owner predicts', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (each) => {
      const { model } = each.fitted;
      const classes = classesOf(model);
      const outputs = Math.max(1, classes.length);
      const { values, labels } = await run(each);
      const expected = predictionsOf(each);
      // Doubles all the way: only the order of additions and the exponentials differ.
      const { target } = model.data_props;
      const unit = 'range' in target ? Math.max(...target.range.map(Math.abs)) : 1;
      for (const [row, prediction] of expected.entries()) {
        const numbers = numbersOf(prediction, classes, outputs);
        for (const [index, number] of numbers.entries()) {
          const found = values[row * outputs + index] ?? 0;
          if (Number.isNaN(number)) assert.ok(Number.isNaN(found));
          else assert.ok(Math.abs(found - number) <= 1e-12 * Math.max(1, unit), `${found} and ${number}`);
        }
        if (labels === undefined) continue;
        // Where two are as likely but for rounding either may be the label.
        const sorted = [...numbers].sort((left, right) => right - left);
        if (prediction === null) assert.equal(labels[row], '');
        else if ((sorted[0] ?? 0) - (sorted[1] ?? 0) > 1e-9)
          assert.equal(labels[row], (prediction as { class: string }).class);
      }
    }),
  );
});

function handMade(modelType: string, target: object, parameters: readonly number[]): Case['fitted'] {
  const model = parseModel({
    model_type: modelType,
    data_props: {
      features: [
        { name: 'age', type: 'continuous', range: [0, 100] },
        { name: 'visits', type: 'discrete', range: [0, 10], missing: 4 },
        { name: 'ward', type: 'nominal', levels: ['north', 'south'], missing: 'south' },
      ],
      target: { name: 'y', ...target },
    },
    training: { solver: 'gradient' },
  });
  return { model, parameters: Float64Array.from(parameters), origin: { program: 'sealsum 0.1.0' } };
}

test('what the model owner would refuse has no prediction, and the rows beside it have', async () => {
  const refused = [
    { age: -0.001, visits: 3, ward: 'south' },
    { age: 100.001, visits: 3, ward: 'south' },
    { age: 50, visits: 3.5, ward: 'south' },
    { age: 50, visits: 11, ward: 'south' },
    { age: 50, visits: 3, ward: 'roof' },
    { age: null, visits: 3, ward: 'south' },
  ];
  const accepted = [
    { age: 50, visits: null, ward: null },
    { age: 50, visits: 4, ward: 'south' },
  ];
  const rows = refused.flatMap((row) => [row, ...accepted]);
  const linear = await run({ fitted: handMade('LINEAR_REGRESSION', { range: [0, 2] }, [0.5, 1, 2, 0.25]), rows });
  // 1 + (0.5 + 0·1 − 0.2·2 + 0.25)
  const expected = 1 + 0.5 - 0.4 + 0.25;
  for (const [index, value] of linear.values.entries())
    if (index % 3 === 0) assert.ok(Number.isNaN(value), `row ${index}`);
    else assert.ok(Math.abs(value - expected) < 1e-15, `row ${index}: ${value}`);
  const logistic = await run({
    fitted: handMade('LOGISTIC_REGRESSION', { levels: ['a', 'b'] }, [0.5, 1, 2, 0.25]),
    rows,
  });
  assert.deepEqual(
    logistic.labels,
    rows.map((_, index) => (index % 3 === 0 ? '' : 'b')),
  );
});

test('without knowledge the first class is the label, as at the model owner', async () => {
  const rows = [{ age: 50, visits: 4, ward: 'south' }];
  for (const [modelType, levels] of [
    ['LOGISTIC_REGRESSION', ['a', 'b']],
    ['SOFTMAX_REGRESSION', ['a', 'b', 'c']],
  ] as const) {
    const count = modelType === 'LOGISTIC_REGRESSION' ? 4 : 12;
    const { labels, values } = await run({
      fitted: handMade(modelType, { levels }, Array<number>(count).fill(0)),
      rows,
    });
    assert.deepEqual(labels, ['a']);
    for (const value of values) assert.ok(Math.abs(value - 1 / levels.length) < 1e-15);
  }
});

test('a model of many features is one graph of few operators', async () => {
  const features = Array.from({ length: 2000 }, (_, index) => ({
    name: `x${index}`,
    type: 'continuous',
    range: [0, 2],
  }));
  const model = parseModel({
    model_type: 'LINEAR_REGRESSION',
    data_props: { features, target: { name: 'y', range: [-1, 1] } },
    training: { solver: 'gradient' },
  });
  const parameters = Float64Array.from({ length: 2001 }, (_, index) => (index === 0 ? 0 : 1 / 2000));
  const row = Object.fromEntries(features.map(({ name }) => [name, 1.5]));
  const { values } = await run({ fitted: { model, parameters, origin: { program: 'sealsum 0.1.0' } }, rows: [row] });
  assert.ok(Math.abs((values[0] ?? 0) - 0.5) < 1e-12);
});

test.run();
