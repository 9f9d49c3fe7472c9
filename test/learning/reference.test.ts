/** Whole trainings on real data among three owners, against figures computed with scikit-learn and numpy. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import { rowsOf } from '../../src/learning/features.ts';
import { trainPooled } from '../../src/learning/pooled.ts';
import { parametersInDataUnits, predict } from '../../src/learning/prediction.ts';
import { contribution } from '../../src/learning/task.ts';
import { addUp, deal, prepare, relativeDifference, share, train } from './in-process.ts';
import { withData } from './shared-data.ts';

const test = suite('reference data');

const prototypeOf = (path: string): object =>
  JSON.parse(readFileSync(join(dirname(path), 'prototype-model.json'), 'utf8')) as object;

const leastSquares = [
  152.13348416, -10.01219782, -239.81908937, 519.83978679, 324.39042769, -792.18416163, 476.74583782, 101.04457032,
  177.06417623, 751.27932109, 67.62538639,
];

withData(test, 'diabetes.tsv', 'diabetes, normal equations: the least squares of numpy', async (path) => {
  const setting = await prepare(prototypeOf(path), { path });
  assert.equal(setting.records.count, 442);
  const { parameters, metrics } = train(setting, deal(setting, 3));
  const { coefficients, columns } = parametersInDataUnits(setting.model, setting.map, parameters);
  assert.deepEqual(columns.slice(0, 2), ['intercept', 'column 0']);
  assert.ok(relativeDifference(coefficients.flat(), leastSquares) < 1e-6);
  assert.ok(Math.abs((metrics?.mse ?? 0) - 2859.6904) < 1e-3);
  // R² = 1 − MSE/variance, as predictions give them too.
  const predictions = predict(setting.model, setting.map, parameters, rowsOf(setting.records));
  const targets = [...setting.records.y].map((y) => 185.5 + 160.5 * y);
  const mse = targets.reduce((sum, y, index) => sum + (y - Number(predictions[index])) ** 2, 0) / 442;
  assert.ok(Math.abs(mse - 2859.6904) < 1e-3);
});

withData(
  test,
  'diabetes.tsv',
  'diabetes, normal equations: the same integers however the rows are split',
  async (path) => {
    const setting = await prepare(prototypeOf(path), { path });
    const nothing = new Float64Array(0);
    const whole = contribution(setting.task, setting.records, nothing);
    const splits = [
      deal(setting, 2),
      deal(setting, 3),
      deal(setting, 7),
      [share(setting, (row) => row < 10), share(setting, (row) => row >= 10)],
      [share(setting, (row) => row % 100 === 3), share(setting, (row) => row % 100 !== 3)],
    ];
    for (const owners of splits) {
      assert.deepEqual(addUp(owners.map((records) => contribution(setting.task, records, nothing))), whole);
    }
  },
);

withData(test, 'diabetes.tsv', 'diabetes, gradient: every coefficient that of pooled training', async (path) => {
  const training = { solver: 'gradient', rounds: 200, optimizer: 'adam', learning_rate: 0.1 };
  const setting = await prepare({ ...prototypeOf(path), training }, { path });
  const trained = train(setting, deal(setting, 3));
  const pooled = trainPooled(setting.model, setting.records);
  assert.deepEqual([trained.round, pooled.rounds], [200, 200]);
  const [ours, theirs] = [trained.parameters, pooled.parameters].map((parameters) =>
    parametersInDataUnits(setting.model, setting.map, parameters).coefficients.flat(),
  );
  // Rounding to 2^−40 in 200 rounds; seen 3e-9.
  assert.ok(relativeDifference(ours ?? [], theirs ?? []) < 1e-7);
  assert.ok(Math.abs((trained.metrics?.mse ?? 0) - (pooled.metrics.mse ?? 0)) < 1e-6);
  assert.ok((trained.metrics?.mse ?? Number.POSITIVE_INFINITY) < 2900);
});

const mpg = (): object => {
  const numeric: [string, [number, number]][] = [
    ['cylinders', [3, 8]],
    ['displacement', [60, 460]],
    ['horsepower', [40, 240]],
    ['weight', [1500, 5500]],
    ['acceleration', [5, 30]],
    ['model_year', [70, 82]],
  ];
  return {
    model_type: 'LINEAR_REGRESSION',
    data_props: {
      header: 'true',
      features: [
        ...numeric.map(([name, range]) => ({ name, type: 'continuous', range, missing: 'drop' })),
        { name: 'origin', type: 'nominal', levels: ['usa', 'europe', 'japan'] },
      ],
      target: { name: 'mpg', range: [0, 60] },
    },
  };
};

withData(test, 'mpg.csv', 'mpg, normal equations with a nominal feature and missing values', async (path) => {
  const setting = await prepare(mpg(), { path });
  assert.deepEqual([setting.records.count, setting.records.dropped], [392, 6]);
  const { metrics } = train(setting, deal(setting, 3));
  assert.ok(Math.abs((metrics?.mse ?? 0) - 10.6821216) < 1e-4);
  assert.ok(Math.abs((metrics?.r2 ?? 0) - 0.8242) < 1e-5);
});

withData(test, 'mpg.csv', 'mpg: an undeclared level is refused by its line', async (path) => {
  const text = readFileSync(path, 'utf8').replace(',usa,', ',texas,');
  await assert.rejects(prepare(mpg(), { text }), { code: 'data_invalid', field: 'origin', line: 2 });
});

withData(test, 'penguins.csv', 'penguins, softmax', async (path) => {
  const numeric = {
    bill_length_mm: [30, 60],
    bill_depth_mm: [13, 22],
    flipper_length_mm: [170, 235],
    body_mass_g: [2500, 6500],
  };
  const setting = await prepare(
    {
      model_type: 'SOFTMAX_REGRESSION',
      data_props: {
        features: [
          ...Object.entries(numeric).map(([name, range]) => ({ name, type: 'continuous', range, missing: 'drop' })),
          { name: 'sex', type: 'nominal', levels: ['female', 'male'], missing: 'drop' },
        ],
        target: { name: 'species', levels: ['Adelie', 'Chinstrap', 'Gentoo'] },
      },
      training: { rounds: 300, optimizer: 'adam', learning_rate: 0.1 },
    },
    { path },
  );
  assert.deepEqual([setting.records.count, setting.records.dropped], [333, 11]);
  const trained = train(setting, deal(setting, 3));
  const pooled = trainPooled(setting.model, setting.records);
  assert.ok((trained.metrics?.accuracy ?? 0) >= 0.985);
  assert.ok((trained.metrics?.log_loss ?? 1) < 0.0373224);
  const [ours, theirs] = [trained.parameters, pooled.parameters].map((parameters) =>
    parametersInDataUnits(setting.model, setting.map, parameters).coefficients.flat(),
  );
  // Seen 3e-11.
  assert.ok(relativeDifference(ours ?? [], theirs ?? []) < 1e-9);
});

withData(test, 'digits.csv', 'digits, softmax on 64 features: as good on unseen rows as scikit-learn', async (path) => {
  const columns = (readFileSync(path, 'utf8').split('\n')[0] ?? '').trim().split(',');
  const setting = await prepare(
    {
      model_type: 'SOFTMAX_REGRESSION',
      data_props: {
        features: columns.slice(0, -1).map((name) => ({ name, type: 'discrete', range: [0, 16] })),
        target: { name: columns.at(-1), levels: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] },
      },
      training: { rounds: 60, l2: 1e-4 },
    },
    { path },
  );
  const owners = [0, 1, 2].map((owner) => share(setting, (row) => row % 5 !== 4 && row % 3 === owner));
  const unseen = share(setting, (row) => row % 5 === 4);
  const { parameters, metrics } = train(setting, owners);
  assert.ok((metrics?.accuracy ?? 0) > 0.98);
  const predictions = predict(setting.model, setting.map, parameters, rowsOf(unseen));
  const right = predictions.filter(
    (prediction, index) => typeof prediction === 'object' && prediction?.class === String(unseen.y[index]),
  ).length;
  // scikit-learn's reference is 0.9610 on the same rows.
  assert.ok(right / unseen.count > 0.95, `${right} of ${unseen.count}`);
});

test.run();
