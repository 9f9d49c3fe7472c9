/** What a model.json for statistics may ask, and how it is refused. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { SealsumError } from '../../../src/errors.ts';
import { parseModel } from '../../../src/learning/model.ts';
import { parseDocument } from '../../../src/learning/model-document.ts';
import { columns, document, modelOf } from './setting.ts';

const test = suite('a model.json for statistics');

test('gives plain data that is accepted again unchanged, with every default', () => {
  for (const privacy of [undefined, { rho: 1 }, { epsilon: 1, delta: 1e-6, place: 'data-owners', silent_owners: 1 }]) {
    const model = modelOf(privacy === undefined ? {} : { privacy });
    assert.deepEqual(parseDocument(JSON.parse(JSON.stringify(model))), model);
  }
  const model = modelOf({ statistics: { moments: true, covariance: true } });
  assert.deepEqual(model.statistics.moments, ['age', 'pressure', 'visits']);
  assert.deepEqual(model.statistics.covariance, ['age', 'pressure', 'visits']);
  assert.deepEqual(
    model.data_props.columns.map(({ missing }) => missing),
    ['count', 'count', 'refuse', 'count', 'refuse'],
  );
  assert.equal(model.data_props.header, true);
  assert.equal(model.statistics.weights, undefined);
});

test('knows columns by their number', () => {
  const numbered = parseDocument({
    model_type: 'STATISTICS',
    data_props: { columns: [{ col_idx: 3, type: 'continuous', range: [0, 1] }] },
    statistics: { moments: true, histograms: [{ column: 3, bins: 2 }] },
  });
  assert.ok('statistics' in numbered);
  assert.deepEqual(numbered.statistics.moments, [3]);
  assert.equal(numbered.data_props.header, false);
});

const asking = (statistics: object): object => ({ ...document, statistics });
const wide = [...columns, { name: 'zip', type: 'discrete', range: [0, 99_999] }];

for (const [what, json, field, words] of [
  ['an unknown field', { ...document, training: {} }, 'training', /unknown field; remove it/],
  ['a target', { ...document, data_props: { columns, target: { name: 'age' } } }, 'data_props.target', /unknown field/],
  ['nothing asked', asking({}), 'statistics', /expected at least one of moments/],
  ['no statistics', { ...document, statistics: undefined }, 'statistics', /expected an object/],
  [
    'a column that is not declared',
    asking({ moments: ['age', 'height'] }),
    'statistics.moments[1]',
    /declares no column height/,
  ],
  [
    'a number that is not declared',
    asking({ covariance: ['age', 7] }),
    'statistics.covariance[1]',
    /declares no col_idx 7/,
  ],
  [
    'a mean of levels',
    asking({ moments: ['ward'] }),
    'statistics.moments[0]',
    /ward is nominal: its levels have no mean/,
  ],
  ['a column twice', asking({ covariance: ['age', 'age'] }), 'statistics.covariance[1]', /expected distinct columns/],
  ['a covariance of one', asking({ covariance: ['age'] }), 'statistics.covariance', /at least 2 columns/],
  [
    'edges that fall',
    asking({ histograms: [{ column: 'age', edges: [0, 50, 40] }] }),
    'statistics.histograms[0].edges',
    /increasing/,
  ],
  [
    'equal edges',
    asking({ histograms: [{ column: 'age', edges: [0, 0] }] }),
    'statistics.histograms[0].edges',
    /increasing/,
  ],
  [
    'edges beside the range',
    asking({ histograms: [{ column: 'age', edges: [130, 140] }] }),
    'statistics.histograms[0].edges',
    /none of the range \[0, 120\]/,
  ],
  [
    'edges and bins',
    asking({ histograms: [{ column: 'age', edges: [0, 1], bins: 3 }] }),
    'statistics.histograms[0]',
    /one of edges and bins/,
  ],
  [
    'neither',
    asking({ histograms: [{ column: 'age' }] }),
    'statistics.histograms[0]',
    /age is continuous: give edges or bins/,
  ],
  [
    'bins of levels',
    asking({ histograms: [{ column: 'ward', bins: 2 }] }),
    'statistics.histograms[0].bins',
    /its levels are bins; remove it/,
  ],
  ['no column', asking({ histograms: [{ bins: 2 }] }), 'statistics.histograms[0].column', /the name of a column/],
  [
    'a table of numbers',
    asking({ contingency: [['ward', 'age']] }),
    'statistics.contingency[0][1]',
    /age is continuous: a table needs levels/,
  ],
  ['a table of one', asking({ contingency: [['ward', 'ward']] }), 'statistics.contingency[0][1]', /another column/],
  [
    'a table with too many cells',
    {
      ...asking({
        moments: ['age'],
        contingency: [
          ['ward', 'smokes'],
          ['zip', 'visits'],
          ['zip', 'smokes'],
          ['zip', 'ward'],
        ],
      }),
      data_props: { columns: wide },
    },
    'statistics.contingency[3]',
    /1200016 values would be encrypted per owner; at most 1048576/,
  ],
  [
    'too many bins',
    asking({
      histograms: [
        { column: 'age', bins: 1_000_000 },
        { column: 'age', bins: 99_999 },
      ],
    }),
    'statistics.histograms[1]',
    /at most 1048576/,
  ],
  [
    'weights without privacy',
    asking({ moments: true, weights: { count: 2 } }),
    'statistics.weights',
    /only with privacy/,
  ],
  ['a clip', { ...document, privacy: { rho: 1, clip: 1 } }, 'privacy.clip', /unknown field/],
  [
    'sampling',
    { ...document, privacy: { rho: 1, sampling: 0.5 } },
    'privacy.sampling',
    /statistics are of all records/,
  ],
  [
    'silent owners elsewhere',
    { ...document, privacy: { rho: 1, silent_owners: 1 } },
    'privacy.silent_owners',
    /only counts where place/,
  ],
  [
    'few bits',
    { ...document, encryption: { quantization_bits: 8 } },
    'encryption.quantization_bits',
    /statistics are exact sums/,
  ],
  [
    'a name without a header',
    { ...document, data_props: { columns, header: false } },
    'data_props.columns[0].name',
    /a file without a header/,
  ],
  [
    'a quorum above the roster',
    { ...document, participation: { quorum: 3, roster: ['a', 'b'] } },
    'participation.quorum',
    /at most 2/,
  ],
] as const)
  test(`refuses ${what} by name`, () => {
    assert.throws(
      () => parseDocument(json),
      (error) => {
        assert.ok(error instanceof SealsumError && error.code === 'model_invalid', String(error));
        assert.equal(error.field, field, error.message);
        assert.match(error.message, words);
        return true;
      },
    );
  });

test('is no model that could be trained, and other types are read as before', () => {
  assert.throws(() => parseModel(document), /model_type: STATISTICS is not trained: parseDocument reads it/);
  assert.throws(() => parseDocument({ ...document, model_type: 'TREE' }), /STATISTICS/);
});

test.run();
