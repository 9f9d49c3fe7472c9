import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import { parseModel } from '../../src/learning/model.ts';
import { withData } from './shared-data.ts';

const test = suite('model.json');

type Json = Record<string, unknown>;

function linear(): Json {
  return {
    model_type: 'LINEAR_REGRESSION',
    data_props: {
      features: [
        { name: 'age', type: 'continuous', range: [0, 100] },
        { name: 'ward', type: 'nominal', levels: ['surgery', 'medicine', 'other'] },
      ],
      target: { name: 'stay', range: [0, 60] },
    },
  };
}

function classifier(modelType: string, target: Json): Json {
  return put({ ...linear(), model_type: modelType }, { 'data_props.target': target });
}

/** A copy with values put at paths such as `data_props.features[0].range`; undefined takes the field away. */
function put(json: Json, values: Json): Json {
  const copy = structuredClone(json);
  for (const [path, value] of Object.entries(values)) {
    const steps = path.split(/[.[\]]+/).filter((step) => step !== '');
    const last = steps.pop() ?? '';
    const holder = steps.reduce((at, step) => at[step] as Json, copy);
    if (value === undefined) Reflect.deleteProperty(holder, last);
    else holder[last] = value;
  }
  return copy;
}

test('fills in every default', () => {
  assert.deepEqual(parseModel(linear()), {
    model_type: 'LINEAR_REGRESSION',
    data_props: {
      header: true,
      features: [
        { name: 'age', type: 'continuous', range: [0, 100], missing: 'refuse' },
        { name: 'ward', type: 'nominal', levels: ['surgery', 'medicine', 'other'], missing: 'refuse' },
      ],
      target: { name: 'stay', type: 'continuous', range: [0, 60], missing: 'refuse' },
    },
    training: { solver: 'normal-equations', l1: 0, l2: 0 },
    encryption: { key_bits: 3072, fraction_bits: 40 },
    participation: { quorum: 2, deadline_seconds: 30, max_records: 1_048_576 },
  });
});

test('trains classifiers by gradient unless told otherwise', () => {
  for (const [modelType, target] of [
    ['LOGISTIC_REGRESSION', { name: 'died', levels: ['no', 'yes'] }],
    ['SOFTMAX_REGRESSION', { name: 'outcome', levels: ['home', 'ward', 'hospice'] }],
  ] as const) {
    const { training, data_props } = parseModel(classifier(modelType, target));
    assert.deepEqual(training, {
      solver: 'gradient',
      rounds: 200,
      optimizer: 'adam',
      learning_rate: 0.1,
      l1: 0,
      l2: 0,
      tolerance: 0,
      patience: 5,
    });
    assert.equal(data_props.target.type, 'nominal');
  }
});

test('keeps the settings that are given and completes them with the solver of the model type', () => {
  const json = classifier('LOGISTIC_REGRESSION', { name: 'died', range: [0, 1] });
  const { training, data_props } = parseModel({ ...json, training: { rounds: 7, optimizer: 'momentum', l2: 0.5 } });
  assert.deepEqual(training, {
    solver: 'gradient',
    rounds: 7,
    optimizer: 'momentum',
    learning_rate: 0.1,
    momentum: 0.9,
    l1: 0,
    l2: 0.5,
    tolerance: 0,
    patience: 5,
  });
  assert.equal(data_props.target.type, 'discrete');
});

test('gives the momentum only to the optimizer that has one', () => {
  const { training } = parseModel({ ...linear(), training: { solver: 'gradient', optimizer: 'sgd' } });
  assert.equal('momentum' in training, false);
});

test('has no header where columns are given by position, and takes "true" and "false" for it', () => {
  const json = put(linear(), {
    'data_props.features': [{ col_idx: 0, type: 'continuous', range: [0, 1] }],
    'data_props.target': { col_idx: 1, range: [0, 1] },
  });
  const header = (values: Json): boolean => parseModel(put(json, values)).data_props.header;
  assert.equal(header({}), false);
  assert.equal(header({ 'data_props.header': 'true' }), true);
  assert.equal(header({ 'data_props.header': true }), true);
  assert.equal(header({ 'data_props.header': 'false' }), false);
  // One name is enough to need a header.
  assert.equal(header({ 'data_props.target': { name: 'stay', range: [0, 1] } }), true);
});

test('fills in rounding and range only where contributions are quantised: the range that gradients have', () => {
  const quantised = (json: Json, encryption: Json): unknown =>
    parseModel({ ...json, training: { solver: 'gradient' }, encryption }).encryption;
  const binary = classifier('LOGISTIC_REGRESSION', { name: 'died', levels: ['no', 'yes'] });
  const many = classifier('SOFTMAX_REGRESSION', { name: 'outcome', levels: ['home', 'ward', 'hospice'] });
  const rest = { key_bits: 3072, fraction_bits: 40 };
  assert.deepEqual(quantised(linear(), {}), rest);
  for (const bits of [8, 16, 24, 32])
    for (const [json, range] of [
      [linear(), 2],
      [binary, 1],
      [many, 1],
    ] as const) {
      const filled = { ...rest, quantization_bits: bits, rounding: 'nearest', quantization_range: range };
      assert.deepEqual(quantised(json, { quantization_bits: bits }), filled);
      assert.deepEqual(quantised(json, filled), filled);
    }
  const given = { ...rest, quantization_bits: 8, rounding: 'stochastic', quantization_range: 0.25 };
  assert.deepEqual(quantised(linear(), given), given);
  const noised = { ...linear(), privacy: { rho: 1 } };
  const without = { ...rest, quantization_bits: 8, rounding: 'nearest' };
  assert.deepEqual(quantised(noised, { quantization_bits: 8 }), without);
  assert.deepEqual(quantised(noised, without), without);
});

test('takes numbers for levels, as data files write them', () => {
  const json = put(classifier('SOFTMAX_REGRESSION', { name: 'digit', levels: [0, 1, 2.5] }), {
    'data_props.features': [{ name: 'grade', type: 'ordinal', levels: [1, 2, 3], missing: 2 }],
  });
  const { features, target } = parseModel(json).data_props;
  assert.deepEqual('levels' in target && target.levels, ['0', '1', '2.5']);
  assert.equal(features[0]?.missing, '2');
});

test('fills in the clip: 1 for gradients, for normal equations what no record within range exceeds', () => {
  const privacy = (values: Json): unknown => parseModel({ ...linear(), ...values }).privacy;
  // Two features: R² = 4, (R⁴ + R²)/2 − 1 = 9.
  const mode = {
    place: 'model-owner',
    unit: 'record',
    neighbours: 'zero-out',
    silent_owners: 0,
    sampling: 1,
    metrics: 'summed',
  };
  assert.deepEqual(privacy({ privacy: { epsilon: 1, delta: 1e-6 } }), { epsilon: 1, delta: 1e-6, clip: 3, ...mode });
  const training = { solver: 'gradient' };
  assert.deepEqual(privacy({ training, privacy: { rho: 0.5 } }), { rho: 0.5, clip: 1, ...mode });
  const chosen = { rho: 0.5, delta: 1e-6, clip: 0.25, place: 'data-owners', unit: 'owner', neighbours: 'substitution' };
  const given = { ...chosen, silent_owners: 1, sampling: 1, metrics: 'local' };
  assert.deepEqual(privacy({ training, privacy: given }), given);
});

test('accepts what it gives, unchanged, also after a journey as JSON', () => {
  const full = put(linear(), {
    name: 'stay in hospital',
    'data_props.delimiter': '\t',
    'data_props.features[0].missing': 50,
    'data_props.features[0].description': 'years',
    'data_props.features[1].missing': 'other',
    training: { solver: 'gradient', optimizer: 'momentum', rounds: 3, tolerance: 1e-6, patience: 2 },
    encryption: { key_bits: 2048 },
    participation: { quorum: 3, roster: ['north', 'south', 'east'], deadline_seconds: 0.5, max_records: 10 },
    privacy: { rho: 0.1 },
    evaluation: { rows: [[50, 'other'], { age: 3, ward: null }] },
  });
  const logistic = classifier('LOGISTIC_REGRESSION', { name: 'died', range: [0, 1], missing: 'drop' });
  for (const json of [linear(), full, logistic]) {
    const model = parseModel(json);
    assert.deepEqual(parseModel(model), model);
    assert.deepEqual(parseModel(JSON.parse(JSON.stringify(model))), model);
  }
});

withData(test, 'prototype-model.json', 'accepts the prototype’s model.json as it is', (path) => {
  const model = parseModel(JSON.parse(readFileSync(path, 'utf8')));
  assert.equal(model.data_props.header, false);
  assert.equal(model.data_props.features.length, 10);
  assert.deepEqual(model.training, { solver: 'normal-equations', l1: 0, l2: 0 });
  assert.deepEqual(model.data_props.features[3], {
    col_idx: 3,
    type: 'continuous',
    description: 'average blood pressure of patient',
    range: [-2, 2],
    missing: 'refuse',
  });
});

interface Refusal {
  /** What is put into the model. */
  readonly values: Json;
  readonly expected: string;
  /** The first path that is put, unless given. */
  readonly field?: string;
  /** The model it is put into; the linear one unless given. */
  readonly json?: Json;
}

/** One refusal for each of many wrong values at one path. */
function each(path: string, wrong: readonly unknown[], expected: string): Refusal[] {
  return wrong.map((value) => ({ values: { [path]: value }, expected }));
}

const feature = 'data_props.features[0]';
const nominal = 'data_props.features[1]';
const target = 'data_props.target';
const gradient = (setting: Json): Json => ({ training: { solver: 'gradient', ...setting } });
const unknown = 'unknown field; remove it';
const lowHigh = 'expected [low, high] with low < high';
const modelTypes = 'expected one of LINEAR_REGRESSION, LOGISTIC_REGRESSION, SOFTMAX_REGRESSION, STATISTICS';
const types = 'expected one of continuous, discrete, ordinal, nominal';
const notANumber = Number.NaN;
const infinity = Number.POSITIVE_INFINITY;

const wholeModel: Refusal[] = [
  ...each('model_type', [undefined, null, 'RIDGE', 'linear_regression'], modelTypes),
  ...each('modeltype', ['LINEAR_REGRESSION'], unknown),
  ...each('name', [''], 'expected a name, without spaces around it'),
  ...each('name', [3], 'expected a name'),
  ...each('data_props', [undefined, null, [], 'x'], 'expected an object'),
  ...each('data_props.rows', [3], unknown),
  ...each('data_props.header', [null, 1, 'yes', 'TRUE'], 'expected true or false'),
  ...each('data_props.delimiter', [null, '', '|', ' '], 'expected one of ",", ";", "\\t"'),
];

const features: Refusal[] = [
  ...each('data_props.features', [undefined, [], {}, 'age'], 'expected a list of at least 1 feature'),
  ...each(feature, [null, 3, 'age', []], 'expected an object'),
  ...each(`${feature}.type`, [undefined, null, 'numeric'], types),
  ...each(`${feature}.unit`, ['years'], unknown),
  ...each(`${feature}.description`, [3], 'expected a text'),
  ...each(`${feature}.name`, ['', ' age', 'age\t'], 'expected the name of a column, without spaces around it'),
  ...each(`${feature}.name`, [3, null], 'expected the name of a column'),
  { values: { [`${feature}.col_idx`]: 0 }, field: feature, expected: 'expected one of name and col_idx' },
  { values: { [`${feature}.name`]: undefined }, field: feature, expected: 'expected one of name and col_idx' },
  ...[-1, 0.5, 100_000, '0', null].map((position) => ({
    values: { [`${feature}.col_idx`]: position, [`${feature}.name`]: undefined },
    expected: 'expected a whole number from 0 to 99999',
  })),
  ...each(`${feature}.range`, [undefined, null, 3, [], [1], [1, 2, 3], [2, 2], [3, 2], ['0', 1]], lowHigh),
  ...each(
    `${feature}.range`,
    [
      [notANumber, 1],
      [0, infinity],
      [-infinity, 0],
    ],
    lowHigh,
  ),
  // Too close together to divide by half the difference.
  ...each(`${feature}.range`, [[0, 5e-324]], lowHigh),
  {
    values: { [`${feature}.range`]: [0, 1.5], [`${feature}.type`]: 'discrete' },
    expected: `${lowHigh}, both whole numbers`,
  },
  ...each(`${feature}.levels`, [['a', 'b']], unknown),
  ...each(`${nominal}.range`, [[0, 1]], unknown),
  ...each(`${nominal}.levels`, [undefined, null, {}, [], ['a']], 'expected a list of at least 2 levels'),
  ...each(
    `${nominal}.levels`,
    [
      ['a', 'a'],
      ['1', 1],
    ],
    'expected distinct levels',
  ),
  {
    values: { [`${nominal}.levels`]: ['a', null] },
    field: `${nominal}.levels[1]`,
    expected: 'expected a text or a number',
  },
  ...['', ' a', 'a\n'].map((level) => ({
    values: { [`${nominal}.levels`]: ['a', level] },
    field: `${nominal}.levels[1]`,
    expected: 'expected a text without spaces around it',
  })),
];

const missing: Refusal[] = [
  ...each(
    `${feature}.missing`,
    ['keep', null, true, notANumber],
    'expected "refuse", "drop" or a number to put in its place',
  ),
  ...each(`${feature}.missing`, [-0.5, 100.5], 'expected a number within [0, 100]'),
  {
    values: { [`${feature}.missing`]: 0.5, [`${feature}.type`]: 'discrete' },
    expected: 'expected a whole number',
  },
  ...each(`${nominal}.missing`, [null, true], 'expected "refuse", "drop" or a level to put in its place'),
  ...each(`${nominal}.missing`, ['intensive', 0], 'expected "refuse", "drop" or a declared level'),
  ...each(`${target}.missing`, [3, 'keep', null], 'expected "refuse" or "drop": a target cannot be made up'),
];

const targets: Refusal[] = [
  ...each(target, [undefined, null, [], 'stay'], 'expected an object'),
  ...each(`${target}.range`, [undefined, [1, 0]], lowHigh),
  ...each(`${target}.type`, ['number'], types),
  { values: { [`${target}.name`]: undefined }, field: target, expected: 'expected one of name and col_idx' },
  ...['ordinal', 'nominal'].map((type) => ({
    values: { [target]: { name: 'stay', type, levels: ['short', 'long'] } },
    field: `${target}.type`,
    expected: 'expected continuous or discrete for LINEAR_REGRESSION',
  })),
  {
    json: classifier('LOGISTIC_REGRESSION', { name: 'y', range: [0, 1] }),
    values: { [`${target}.type`]: 'continuous' },
    expected: 'expected nominal with 2 levels, or discrete with range [0, 1], for LOGISTIC_REGRESSION',
  },
  {
    json: classifier('LOGISTIC_REGRESSION', { name: 'y' }),
    values: { [`${target}.range`]: [0, 2] },
    expected: 'expected [0, 1] for LOGISTIC_REGRESSION',
  },
  {
    json: classifier('LOGISTIC_REGRESSION', { name: 'y' }),
    values: { [`${target}.levels`]: ['a', 'b', 'c'] },
    expected: 'expected exactly 2 levels for LOGISTIC_REGRESSION; SOFTMAX_REGRESSION takes more',
  },
  {
    json: classifier('SOFTMAX_REGRESSION', { name: 'y', range: [0, 9] }),
    values: { [`${target}.type`]: 'discrete' },
    expected: 'expected nominal or ordinal with levels for SOFTMAX_REGRESSION',
  },
];

const columns: Refusal[] = [
  ...each(`${nominal}.name`, ['age'], `age is already ${feature}: every column is used once`),
  ...each(`${target}.name`, ['ward'], `ward is already ${nominal}: every column is used once`),
  {
    values: {
      [`${target}.col_idx`]: 4,
      [`${target}.name`]: undefined,
      'data_props.features': [{ col_idx: 4, type: 'continuous', range: [0, 1] }],
    },
    expected: `column 4 is already ${feature}: every column is used once`,
  },
  {
    values: {
      [`${target}.name`]: 'stay',
      'data_props.header': false,
      'data_props.features': [{ col_idx: 4, type: 'continuous', range: [0, 1] }],
    },
    expected: 'a file without a header has no names: give col_idx, or set data_props.header to true',
  },
  {
    values: { [`${nominal}.levels`]: Array.from({ length: 2000 }, (_, level) => level) },
    field: 'data_props.features',
    expected:
      '2005002 values would be encrypted per owner and round; at most 1048576: use fewer features or levels, or the gradient solver',
  },
];

const training: Refusal[] = [
  ...each('training', [null, 'gradient', []], 'expected an object'),
  {
    values: { training: { solver: 'newton' } },
    field: 'training.solver',
    expected: 'expected one of normal-equations, gradient',
  },
  {
    values: { training: { rounds: 10 } },
    field: 'training.rounds',
    expected: 'not a setting of this solver; remove it, or set training.solver',
  },
  { values: { training: { l2: -1 } }, field: 'training.l2', expected: 'expected a number of at least 0' },
  ...[0, 1.5, 100_001, '10'].map((rounds) => ({
    values: gradient({ rounds }),
    field: 'training.rounds',
    expected: 'expected a whole number from 1 to 100000',
  })),
  {
    values: gradient({ optimizer: 'lbfgs' }),
    field: 'training.optimizer',
    expected: 'expected one of sgd, momentum, adam',
  },
  ...[0, -1, infinity, '0.1'].map((rate) => ({
    values: gradient({ learning_rate: rate }),
    field: 'training.learning_rate',
    expected: 'expected a number above 0',
  })),
  { values: gradient({ l2: -1 }), field: 'training.l2', expected: 'expected a number of at least 0' },
  { values: gradient({ tolerance: -1 }), field: 'training.tolerance', expected: 'expected a number of at least 0' },
  {
    values: gradient({ patience: 0 }),
    field: 'training.patience',
    expected: 'expected a whole number from 1 to 100000',
  },
  ...[-0.1, 1, '0.9'].map((momentum) => ({
    values: gradient({ optimizer: 'momentum', momentum }),
    field: 'training.momentum',
    expected: 'expected a number from 0 to below 1',
  })),
  ...['sgd', 'adam'].map((optimizer) => ({
    values: gradient({ optimizer, momentum: 0.5 }),
    field: 'training.momentum',
    expected: 'only with "optimizer": "momentum"',
  })),
  ...(['LOGISTIC_REGRESSION', 'SOFTMAX_REGRESSION'] as const).map((modelType) => ({
    json: classifier(modelType, { name: 'y', levels: ['a', 'b'] }),
    values: { training: { solver: 'normal-equations' } },
    field: 'training.solver',
    expected: `normal-equations fits LINEAR_REGRESSION only: use gradient for ${modelType}`,
  })),
];

const descent: Json = { training: { solver: 'gradient' } };

const conditions: Refusal[] = [
  ...each('encryption', [null, 3072], 'expected an object'),
  ...[1024, 2000, 2049, 8448, '3072'].map((bits) => ({
    values: { encryption: { key_bits: bits } },
    field: 'encryption.key_bits',
    expected: 'expected a multiple of 256 from 2048 to 8192',
  })),
  ...[15, 49, 40.5].map((bits) => ({
    values: { encryption: { fraction_bits: bits } },
    field: 'encryption.fraction_bits',
    expected: 'expected a whole number from 16 to 48',
  })),
  { values: { encryption: { bits: 3072 } }, field: 'encryption.bits', expected: unknown },
  ...[0, 7, 12, 64, '16', null].map((bits) => ({
    values: { ...descent, encryption: { quantization_bits: bits } },
    field: 'encryption.quantization_bits',
    expected: 'expected one of 8, 16, 24, 32',
  })),
  ...['up', 1].map((rounding) => ({
    values: { ...descent, encryption: { quantization_bits: 8, rounding } },
    field: 'encryption.rounding',
    expected: 'expected one of nearest, stochastic',
  })),
  ...[0, -1, 1e-7, 1025, infinity, '2'].map((range) => ({
    values: { ...descent, encryption: { quantization_bits: 8, quantization_range: range } },
    field: 'encryption.quantization_range',
    expected: 'expected a number from 1e-6 to 1024',
  })),
  ...[{ rounding: 'nearest' }, { quantization_range: 2 }].map((encryption) => ({
    values: { ...descent, encryption },
    field: `encryption.${Object.keys(encryption)[0] ?? ''}`,
    expected: 'only with encryption.quantization_bits; give those, or remove it',
  })),
  {
    values: { encryption: { quantization_bits: 16 } },
    field: 'encryption.quantization_bits',
    expected: 'only with the gradient solver: normal equations are exact sums; remove it',
  },
  {
    values: { ...descent, encryption: { quantization_bits: 32 }, privacy: { rho: 1 } },
    field: 'encryption.quantization_bits',
    expected: 'expected 8, 16 or 24 with privacy: norms of 32 bits are not checked exactly',
  },
  {
    values: { ...descent, encryption: { quantization_bits: 16, quantization_range: 1 }, privacy: { rho: 1 } },
    field: 'encryption.quantization_range',
    expected: 'not with privacy, whose clip is the range; remove it',
  },
  {
    values: { encryption: { quantization_bits: 16 }, privacy: { rho: 1 } },
    field: 'encryption.quantization_bits',
    expected: 'only with the gradient solver: normal equations are exact sums; remove it',
  },
  ...each('participation', [null, 3], 'expected an object'),
  ...[1, 0, 2.5].map((quorum) => ({
    values: { participation: { quorum } },
    field: 'participation.quorum',
    expected: 'expected a whole number from 2 to 1000000',
  })),
  ...[0, -1, 86_401, infinity].map((seconds) => ({
    values: { participation: { deadline_seconds: seconds } },
    field: 'participation.deadline_seconds',
    expected: 'expected seconds, above 0, at most 86400',
  })),
  {
    values: { participation: { roster: 'north' } },
    field: 'participation.roster',
    expected: 'expected a list of owners',
  },
  {
    values: { participation: { roster: ['north', ''] } },
    field: 'participation.roster[1]',
    expected: 'expected the name of an owner, without spaces around it',
  },
  {
    values: { participation: { roster: ['a', 'a'] } },
    field: 'participation.roster',
    expected: 'expected distinct owners',
  },
  {
    values: { participation: { roster: ['a', 'b'], quorum: 3 } },
    field: 'participation.quorum',
    expected: 'expected at most 2, the owners on the roster',
  },
  ...[0, 1.5, 2 ** 33].map((records) => ({
    values: { participation: { max_records: records } },
    field: 'participation.max_records',
    expected: 'expected a whole number from 1 to 4294967296',
  })),
];

const privacy: Refusal[] = [
  ...each(
    'privacy',
    [null, {}, 5, { epsilon: 1 }, { delta: 1e-5 }, { epsilon: 1, delta: 1e-5, rho: 1 }],
    'expected {"epsilon", "delta"} or {"rho"}',
  ),
  { values: { privacy: { epsilon: 0, delta: 1e-5 } }, field: 'privacy.epsilon', expected: 'expected a number above 0' },
  ...[0, 1, -1].map((delta) => ({
    values: { privacy: { epsilon: 1, delta } },
    field: 'privacy.delta',
    expected: 'expected a number between 0 and 1, both excluded',
  })),
  { values: { privacy: { rho: -1 } }, field: 'privacy.rho', expected: 'expected a number above 0' },
  { values: { privacy: { rho: 1, clip: 0 } }, field: 'privacy.clip', expected: 'expected a number above 0' },
  { values: { privacy: { rho: 1, sigma: 2 } }, field: 'privacy.sigma', expected: unknown },
  {
    values: { privacy: { rho: 1, place: 'nowhere' } },
    field: 'privacy.place',
    expected: 'expected one of model-owner, facilitator, data-owners',
  },
  { values: { privacy: { rho: 1, unit: 'row' } }, field: 'privacy.unit', expected: 'expected one of record, owner' },
  {
    values: { privacy: { rho: 1, neighbours: 1 } },
    field: 'privacy.neighbours',
    expected: 'expected one of zero-out, substitution',
  },
  {
    values: { privacy: { rho: 1, silent_owners: 1 } },
    field: 'privacy.silent_owners',
    expected: 'only counts where place is data-owners, not model-owner; remove it',
  },
  {
    values: { privacy: { rho: 1, place: 'data-owners', silent_owners: 2 } },
    field: 'privacy.silent_owners',
    expected: 'expected at most 1, so that one of the quorum of 2 adds noise',
  },
];

const rows: Refusal[] = [
  { values: { evaluation: {} }, field: 'evaluation.rows', expected: 'expected a list of rows' },
  ...[3, null, [true, 'other'], [[50], 'other'], { age: {} }, [infinity, 'other']].map((row) => ({
    values: { evaluation: { rows: [row] } },
    field: 'evaluation.rows[0]',
    expected: 'expected an array or an object of texts, numbers and nulls',
  })),
  {
    values: { evaluation: { rows: [[50, 'other'], [50]] } },
    field: 'evaluation.rows[1]',
    expected: "expected 2 values, one per feature in the model's order, not 1",
  },
  {
    values: { evaluation: { rows: [{ age: 101, ward: 'other' }] } },
    field: 'evaluation.rows[0].age',
    expected: 'expected a number within [0, 100]; this is out of range',
  },
];

for (const [name, refusals] of Object.entries({
  wholeModel,
  features,
  missing,
  targets,
  columns,
  training,
  conditions,
  privacy,
  rows,
})) {
  test(`refuses what is wrong, by its path, saying what was expected: ${name}`, () => {
    for (const { values, expected, field = Object.keys(values)[0] ?? '', json = linear() } of refusals) {
      const message = `${field}: ${expected}`;
      assert.throws(
        () => parseModel(put(json, values)),
        { name: 'SealsumError', code: 'model_invalid', field, line: undefined, message },
        message,
      );
    }
  });
}

test('refuses text that is not Unicode, wherever it is: it could not be signed', () => {
  const half = '\ud83d';
  const json = linear();
  const expected = 'expected Unicode text; half of a surrogate pair is none';
  for (const [values, field] of [
    [{ name: `a${half}b` }, 'name'],
    [{ 'data_props.features[0].name': half }, 'data_props.features[0].name'],
    [{ 'data_props.features[0].description': `${half}x` }, 'data_props.features[0].description'],
    [
      { 'data_props.features': [{ name: 'x', type: 'nominal', levels: ['a', half] }] },
      'data_props.features[0].levels[1]',
    ],
    [{ participation: { roster: ['anna', half] } }, 'participation.roster[1]'],
    [{ evaluation: { rows: [{ [half]: 1 }] } }, 'evaluation.rows[0]'],
  ] as const)
    assert.throws(() => parseModel(put(json, values)), {
      code: 'model_invalid',
      field,
      message: `${field}: ${expected}`,
    });
  assert.equal(parseModel(put(json, { name: '\ud83d\ude00 ä' })).name, '😀 ä');
});

test('refuses what is not an object at all', () => {
  for (const json of [null, undefined, 3, 'model', [linear()]]) {
    assert.throws(() => parseModel(json), {
      code: 'model_invalid',
      field: 'model',
      message: 'model: expected an object',
    });
  }
});

test('lists every refusal, the first one as the field', () => {
  const json: Json = { ...linear(), training: { solver: 'gradient', rounds: 0, learning_rate: -1 }, extra: true };
  assert.throws(() => parseModel(json), {
    code: 'model_invalid',
    field: 'training.rounds',
    message:
      'training.rounds: expected a whole number from 1 to 100000; ' +
      'training.learning_rate: expected a number above 0; extra: unknown field; remove it',
  });
  assert.throws(() => parseModel(put(json, { 'data_props.features': new Array(30).fill(0) })), {
    message: /data_props\.features\[9\]: expected an object; and 23 more$/,
  });
});

test.run();
