/** What in `training` is refused: by the name of the field, and with how to mend it. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { GradientTraining } from '../../src/learning/model.ts';
import { parseModel } from '../../src/learning/model.ts';

const test = suite("model.json's training");

type Json = Readonly<Record<string, unknown>>;

const features = [
  { name: 'age', type: 'continuous', range: [0, 100] },
  { name: 'ward', type: 'nominal', levels: ['surgery', 'medicine', 'other'] },
];
const targets = {
  LINEAR_REGRESSION: { name: 'stay', range: [0, 60] },
  LOGISTIC_REGRESSION: { name: 'died', levels: ['no', 'yes'] },
  SOFTMAX_REGRESSION: { name: 'left', levels: ['home', 'care', 'dead'] },
};
const columns = ['intercept', 'age', 'ward=medicine', 'ward=other'];

function document(training: Json, rest: Json = {}, type: keyof typeof targets = 'LINEAR_REGRESSION'): Json {
  return { model_type: type, data_props: { features, target: targets[type] }, training, ...rest };
}

function refuses(json: Json, field: string, expected: string): void {
  assert.throws(() => parseModel(json), { code: 'model_invalid', field, message: `${field}: ${expected}` });
}

const gradient = (settings: Json): Json => ({ solver: 'gradient', ...settings });

test('fills in what goes with validation, folds and a start', () => {
  const start = { columns, coefficients: [1, 2, 3, 4] };
  const { training } = parseModel(document(gradient({ validation: {}, initial_parameters: start, freeze: ['ward'] })));
  const { validation, initial_parameters, freeze } = training as GradientTraining;
  assert.deepEqual(validation, { fraction: 0.2, patience: 5, minimum_improvement: 0, seed: 0 });
  assert.deepEqual(initial_parameters, { ...start, units: 'data' });
  assert.deepEqual(freeze, ['ward']);
  const folded = parseModel(document({ cross_validation: {} }));
  assert.deepEqual(folded.training, {
    solver: 'normal-equations',
    l1: 0,
    l2: 0,
    cross_validation: { folds: 5, seed: 0 },
  });
  // What it gave it takes again.
  assert.deepEqual(parseModel(JSON.parse(JSON.stringify(folded))), folded);
});

test('refuses what the solver does not have, and says what has it', () => {
  const exact = (settings: Json): Json => document({ solver: 'normal-equations', ...settings });
  const instead = 'remove it, or set training.solver to gradient';
  refuses(exact({ freeze: ['age'] }), 'training.freeze', `normal equations fit every coefficient; ${instead}`);
  refuses(
    exact({ initial_parameters: {} }),
    'training.initial_parameters',
    `normal equations have no start; ${instead}`,
  );
  refuses(
    exact({ validation: {} }),
    'training.validation',
    `normal equations take one round, which cannot end early; ${instead}`,
  );
  refuses(
    document(gradient({ cross_validation: {} })),
    'training.cross_validation',
    'a gradient takes a training for each fold: sealsum train posts them one after the other; here hold one fold out with ' +
      'training.validation {"fold", "folds"}, or set training.solver to normal-equations',
  );
});

test('refuses values that make no sense', () => {
  refuses(document({ l1: -1 }), 'training.l1', 'expected a number of at least 0');
  const folds = 'training.cross_validation.folds';
  refuses(document({ cross_validation: { folds: 1 } }), folds, 'expected a whole number from 2 to 20');
  refuses(
    document({ cross_validation: { shuffle: true } }),
    'training.cross_validation.shuffle',
    'unknown field; remove it',
  );
  refuses(document({ cross_validation: 5 }), 'training.cross_validation', 'expected an object');
  const fraction = 'training.validation.fraction';
  refuses(document(gradient({ validation: { fraction: 0.6 } })), fraction, 'expected a number from 0.05 to 0.5');
  refuses(document(gradient({ freeze: [] })), 'training.freeze', 'expected at least 1 column or feature');
  const twice = document(gradient({ freeze: ['age', 'age'] }));
  refuses(twice, 'training.freeze', 'expected distinct columns or features');
});

test('refuses what does not go with privacy', () => {
  const local = { privacy: { rho: 1, metrics: 'local' } };
  refuses(
    document(gradient({ validation: {} }), local),
    'training.validation',
    'needs privacy.metrics to be summed: nobody sees a loss that stays with each owner',
  );
  refuses(
    document({ cross_validation: {} }, { privacy: { rho: 1, unit: 'owner' } }),
    'training.cross_validation',
    'needs the unit record: an owner that is hidden as a whole is in all folds at once; remove it',
  );
});

test('refuses to freeze what there is not, and everything there is', () => {
  refuses(
    document(gradient({ freeze: ['age', 'Ward'] })),
    'training.freeze[1]',
    `the model has no column or feature Ward; it has ${columns.join(', ')}`,
  );
  refuses(
    document(gradient({ freeze: ['intercept', 'age', 'ward'] })),
    'training.freeze',
    'leaves nothing to learn: leave a column out',
  );
  parseModel(document(gradient({ freeze: ['intercept', 'ward=other'] })));
});

test('refuses a start whose columns, numbers or classes are not those of the model', () => {
  const path = 'training.initial_parameters';
  const good = { columns, coefficients: [1, 2, 3, 4] };
  const begun = (start: unknown, type?: keyof typeof targets): Json =>
    document(gradient({ initial_parameters: start }), {}, type);
  refuses(begun([]), path, 'expected what GET /models/{id}/parameters gives');
  refuses(begun({ ...good, unit: 'data' }), `${path}.unit`, 'unknown field; remove it');
  refuses(begun({ ...good, units: 'cm' }), `${path}.units`, 'expected one of data, scaled');
  refuses(
    begun({ ...good, coefficients: [1, null, 3, 4] }),
    `${path}.coefficients`,
    'expected a list of finite numbers, or one such list per class',
  );
  refuses(begun({ ...good, coefficients: [1, 2, 3] }), `${path}.coefficients`, 'expected 4 numbers, one per column');
  refuses(
    begun({ ...good, coefficients: [1, 1.7e308, 3, 4] }),
    `${path}.coefficients`,
    'beyond what doubles hold once columns are scaled to [−1, 1]',
  );
  const missing = { columns: columns.slice(0, 3), coefficients: [1, 2, 3] };
  refuses(begun(missing), `${path}.columns`, 'expected every column of the model; missing: ward=other');
  assert.throws(() => parseModel(begun({ ...good, columns: ['intercept', 'Age', 'ward=medicine', 'ward=other'] })), {
    field: `${path}.columns[1]`,
    message:
      `${path}.columns[1]: the model has no column Age; it has ${columns.join(', ')}; ` +
      `${path}.columns: expected every column of the model; missing: age`,
  });
  refuses(
    begun({ columns: [...columns, 'age'], coefficients: [1, 2, 3, 4, 5] }),
    `${path}.columns[4]`,
    'age is there twice',
  );
  refuses(begun({ ...good, classes: ['no', 'yes'] }), `${path}.classes`, 'LINEAR_REGRESSION has no classes; remove it');
  const classes = 'expected the classes of the target, in its order: no, yes';
  refuses(begun(good, 'LOGISTIC_REGRESSION'), `${path}.classes`, classes);
  refuses(begun({ ...good, classes: ['yes', 'no'] }, 'LOGISTIC_REGRESSION'), `${path}.classes`, classes);
  refuses(
    begun({ ...good, classes: targets.SOFTMAX_REGRESSION.levels }, 'SOFTMAX_REGRESSION'),
    `${path}.coefficients`,
    'expected 3 rows, one per class, of 4 numbers, one per column',
  );
});

test('two columns of one name are taken in the order of the model only', () => {
  const json = document(
    gradient({ initial_parameters: { columns: ['age', 'intercept', 'intercept'], coefficients: [3, 1, 2] } }),
  );
  const twins = {
    ...json,
    data_props: {
      features: [features[0], { name: 'intercept', type: 'continuous', range: [0, 1] }],
      target: targets.LINEAR_REGRESSION,
    },
  };
  refuses(
    twins,
    'training.initial_parameters.columns',
    'expected the columns in the order of the model, since two of them have one name',
  );
  const start = { columns: ['intercept', 'age', 'intercept'], coefficients: [1, 2, 3] };
  parseModel({ ...twins, training: gradient({ initial_parameters: start }) });
});

test('folds count towards what an owner may have to encrypt', () => {
  const many = Array.from({ length: 600 }, (_, index) => ({ name: `x${index}`, type: 'continuous', range: [0, 1] }));
  const json = document({ cross_validation: { folds: 6 } });
  assert.throws(() => parseModel({ ...json, data_props: { features: many, target: targets.LINEAR_REGRESSION } }), {
    field: 'data_props.features',
    message: /use fewer features or levels, fewer folds, or the gradient solver$/,
  });
});

test.run();
