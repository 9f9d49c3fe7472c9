/** A model.json whose ranges are still to be found, taken apart into statistics and a training. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { parseModel } from '../../../src/learning/model.ts';
import { parseDocument } from '../../../src/learning/model-document.ts';
import { cellReader, featureScale, scaleValue } from '../../../src/learning/scaling.ts';
import type { Estimate } from '../../../src/learning/statistics/moments.ts';
import type { MomentsReport } from '../../../src/learning/statistics/report.ts';
import { standardisationOf } from '../../../src/learning/statistics/standardisation.ts';
import { deltaFromRho } from '../../../src/privacy/accounting/zcdp.ts';

const test = suite('standardisation');

const document = {
  name: 'incomes',
  model_type: 'LINEAR_REGRESSION',
  data_props: {
    features: [
      { name: 'income', type: 'continuous', standardize: { within: [0, 1e6], deviations: 2 }, missing: 'drop' },
      { name: 'age', type: 'continuous', range: [0, 120] },
    ],
    target: { name: 'rent', standardize: { within: [0, 1e4] } },
  },
  encryption: { key_bits: 2048 },
};

const exactly = (value: number | null, reason?: string): Estimate => ({
  value,
  standard_error: value === null ? null : 0,
  ...(reason === undefined ? {} : { reason }),
});

function momentsOf(column: string, mean: number, deviation: number | null, reason?: string): MomentsReport {
  const spread = exactly(deviation, reason);
  return { column, count: exactly(10), mean: exactly(mean), variance: spread, standard_deviation: spread };
}

const moments = [momentsOf('income', 3e4, 2e4), momentsOf('rent', 900, 200)];

test('asks for the moments of the columns that say so, within their bounds, and trains with what came out', () => {
  const both = standardisationOf(document);
  assert.ok(both !== undefined);
  const statistics = parseDocument(both.statistics);
  assert.ok('statistics' in statistics);
  assert.equal(statistics.name, 'incomes: standardisation');
  assert.deepEqual(statistics.statistics.moments, ['income', 'rent']);
  assert.deepEqual(
    statistics.data_props.columns.map((column) => ['range' in column && column.range, column.missing]),
    [
      [[0, 1e6], 'count'],
      [[0, 1e4], 'refuse'],
    ],
  );
  assert.equal(statistics.encryption.key_bits, 2048);
  const training = parseModel(both.training({ moments }));
  const [income, age] = training.data_props.features;
  // 30,000 ± 2·20,000 is cut off at 0.
  assert.deepEqual(income, { name: 'income', type: 'continuous', range: [0, 7e4], within: [0, 1e6], missing: 'drop' });
  assert.deepEqual(age, parseModel(both.training({ moments })).data_props.features[1]);
  const { target } = training.data_props;
  assert.ok('range' in target);
  assert.deepEqual(
    [target.range, target.within],
    [
      [300, 1500],
      [0, 1e4],
    ],
  );
  assert.deepEqual(parseDocument(JSON.parse(JSON.stringify(training))), training);
  // Beyond the range a value counts as its end; beyond the bounds it is refused.
  const read = cellReader(income);
  assert.deepEqual(read('500000'), { kind: 'value', value: 500_000 });
  assert.equal(scaleValue(featureScale(income), 500_000), 1);
  assert.equal(read('1000001').kind, 'refused');
});

test('divides what is promised, so that both together keep it', () => {
  for (const privacy of [
    { rho: 0.3, delta: 1e-6, unit: 'owner', clip: 3 },
    { epsilon: 2, delta: 1e-6, place: 'data-owners', silent_owners: 1 },
  ]) {
    const both = standardisationOf({ ...document, privacy });
    const [first, second] = [parseDocument(both?.statistics).privacy, parseModel(both?.training({ moments })).privacy];
    assert.ok(first !== undefined && second !== undefined && 'rho' in first && 'rho' in second);
    const total = first.rho + second.rho;
    if (privacy.rho !== undefined) assert.ok(total <= privacy.rho && total > 0.999 * privacy.rho);
    else {
      const delta = deltaFromRho(total, 2);
      assert.ok(delta <= 1e-6 && delta > 0.99e-6, `${delta}`);
    }
    assert.ok(Math.abs(first.rho / total - 0.1) < 1e-9);
    assert.deepEqual([first.place, first.unit, first.silent_owners], [second.place, second.unit, second.silent_owners]);
    assert.equal(second.clip, privacy.clip ?? second.clip);
  }
});

test('nothing is taken apart where every range is declared', () => {
  for (const json of [
    null,
    [],
    'x',
    {},
    { data_props: null },
    { data_props: { features: [{ name: 'a', range: [0, 1] }] } },
  ])
    assert.equal(standardisationOf(json), undefined);
});

const withFeature = (feature: object): object => ({
  ...document,
  data_props: { ...document.data_props, features: [feature] },
});

for (const [what, json, field] of [
  [
    'a range beside it',
    withFeature({ name: 'a', range: [0, 1], standardize: { within: [0, 1] } }),
    'data_props.features[0].range',
  ],
  ['no bounds', withFeature({ name: 'a', standardize: {} }), 'data_props.features[0].standardize.within'],
  [
    'an unknown field',
    withFeature({ name: 'a', standardize: { within: [0, 1], bins: 1 } }),
    'data_props.features[0].standardize',
  ],
  [
    'no deviation',
    withFeature({ name: 'a', standardize: { within: [0, 1], deviations: 0 } }),
    'data_props.features[0].standardize.deviations',
  ],
  [
    'levels',
    withFeature({ name: 'a', type: 'ordinal', standardize: { within: [0, 1] } }),
    'data_props.features[0].standardize',
  ],
  ['sampling', { ...document, privacy: { epsilon: 1, delta: 1e-6, sampling: 0.5 } }, 'privacy.sampling'],
] as const)
  test(`refuses ${what} by name`, () => {
    assert.throws(() => standardisationOf(json), { code: 'model_invalid', field });
  });

test('a column without spread, or with more noise than that, is refused by name', () => {
  const field = 'data_props.features[0].standardize';
  for (const bad of [
    momentsOf('income', 3e4, 0),
    momentsOf('income', 3e4, null, 'the noise outweighs the spread'),
    momentsOf('income', -1e6, 1),
  ])
    assert.throws(() => standardisationOf(document)?.training({ moments: [bad, ...moments.slice(1)] }), {
      code: 'model_invalid',
      field,
    });
});

test('a model owner that is posted one says who finds the ranges', () => {
  assert.throws(() => parseDocument(document), /sealsum train does that first/);
  assert.throws(
    () =>
      parseModel({
        ...document,
        data_props: {
          ...document.data_props,
          features: [{ name: 'a', type: 'continuous', range: [0, 2], within: [0, 1] }],
          target: { name: 'b', range: [0, 1] },
        },
      }),
    {
      field: 'data_props.features[0].within',
    },
  );
});

test.run();
