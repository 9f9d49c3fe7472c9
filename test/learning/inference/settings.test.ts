/** model.json's `training.inference` and `training.diagnostics`: what they become, and what is refused beside them. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { SealsumError } from '../../../src/errors.ts';
import { compileFeatures } from '../../../src/learning/features.ts';
import { closingSums } from '../../../src/learning/inference/closing-sums.ts';
import { closingTaskOf } from '../../../src/learning/inference/closing-task.ts';
import { notAskedFor } from '../../../src/learning/inference/standard-errors.ts';
import { parseModel } from '../../../src/learning/model.ts';
import { mostRoundsOf } from '../../../src/learning/task.ts';
import { termsOf } from '../../../src/protocol/terms.ts';
import { recordsOf } from '../generators.ts';
import { small } from '../models.ts';

const test = suite('settings of inference and diagnostics');

const features = [{ name: 'x', type: 'continuous', range: [0, 1] }];
const linear = { model_type: 'LINEAR_REGRESSION', data_props: { features, target: { name: 'y', range: [0, 1] } } };
const gradient = { solver: 'gradient', rounds: 7 };

function refusalOf(json: unknown): SealsumError {
  try {
    parseModel(json);
  } catch (error) {
    assert.ok(error instanceof SealsumError, String(error));
    return error;
  }
  throw new Error('nothing was refused');
}

test('defaults are filled in where they are asked for, and a document without them stays as it was', () => {
  const asked = parseModel({ ...linear, training: { ...gradient, inference: {}, diagnostics: {} } });
  assert.deepEqual([asked.training.inference, asked.training.diagnostics], [{ level: 0.95 }, { bins: 20 }]);
  assert.deepEqual(parseModel(asked), asked);
  for (const training of [{}, gradient]) {
    const sent = JSON.stringify(parseModel({ ...linear, training }));
    assert.ok(!/inference|diagnostics/.test(sent), sent);
  }
});

test('a closing round is one round more, and is there only where it is asked for', () => {
  const roundsOf = (training: object): number => mostRoundsOf(parseModel({ ...linear, training }));
  assert.deepEqual([roundsOf({}), roundsOf({ inference: {} }), roundsOf({ diagnostics: {} })], [1, 1, 2]);
  assert.deepEqual(
    [
      roundsOf(gradient),
      roundsOf({ ...gradient, inference: {} }),
      roundsOf({ ...gradient, inference: {}, diagnostics: {} }),
    ],
    [8, 9, 9],
  );
  assert.equal(termsOf(parseModel({ ...linear, training: gradient }), 3).closing, undefined);
  assert.equal(termsOf(parseModel({ ...linear, training: { inference: {} } }), 3).closing, undefined);
});

test('a model that did not ask is told to only where it could', () => {
  const told = (changes: object): unknown => notAskedFor(parseModel({ ...linear, training: gradient, ...changes }));
  assert.deepEqual(told({}), {
    inference_unavailable:
      'it was not asked for: post the model with training.inference, such as {"level": 0.95}, for one more round',
  });
  for (const [changes, why] of [
    [{ privacy: { rho: 1 } }, 'not with privacy: '],
    [{ model_visibility: 'encrypted' }, 'not where model_visibility is encrypted: '],
    [{ training: { ...gradient, l2: 1 } }, 'not with a penalty '],
    [{ training: { ...gradient, freeze: ['x'] } }, 'not with training.freeze, '],
    [{ training: { ...gradient, validation: {} } }, 'not with training.validation, '],
  ] as const) {
    const { inference_unavailable: reason } = told(changes) as { readonly inference_unavailable: string };
    assert.ok(reason.startsWith(`it was not asked for, and cannot be: ${why}`), reason);
    const { training = gradient, ...others } = { ...changes } as { readonly training?: object };
    assert.equal(
      refusalOf({ ...linear, ...others, training: { ...training, inference: {} } }).field,
      'training.inference',
    );
  }
});

test('more values than a round may carry are refused by the field that asks for them', () => {
  const levels = Array.from({ length: 1500 }, (_, index) => `level ${index}`);
  const wide = { features: [{ name: 'x', type: 'nominal', levels }], target: { name: 'y', range: [0, 1] } };
  const model = { ...linear, data_props: wide, training: gradient };
  parseModel(model);
  const { code, field, message } = refusalOf({ ...model, training: { ...gradient, inference: {} } });
  assert.deepEqual([code, field], ['model_invalid', 'training.inference']);
  // 1500 columns: 1,125,750 entries, 1500 and 1.
  assert.match(message, /^training\.inference: 1127251 values would be encrypted/);
});

test('every value of a record is within what the plan has room for, whatever the record', () => {
  for (const type of ['LINEAR_REGRESSION', 'LOGISTIC_REGRESSION', 'SOFTMAX_REGRESSION'] as const) {
    const training = {
      solver: 'gradient',
      diagnostics: { bins: 3 },
      ...(type === 'SOFTMAX_REGRESSION' ? {} : { inference: {} }),
    };
    const { model, map } = small(type, 2, { training });
    const task = closingTaskOf(model, map);
    assert.ok(task !== undefined);
    const target = type === 'LINEAR_REGRESSION' ? fc.double({ min: -1, max: 1, noNaN: true }) : fc.nat({ max: 1 });
    const parameter = fc.double({ min: -5, max: 5, noNaN: true });
    fc.assert(
      fc.property(
        recordsOf(3, target),
        fc.array(parameter, { minLength: task.modelParameters, maxLength: task.modelParameters }),
        fc.double({ min: 0.001, max: 4, noNaN: true }),
        (records, parameters, halfWidth) => {
          const given = Float64Array.from([...parameters, halfWidth].slice(0, task.parameterCount));
          const { weight, sums } = closingSums(task, records, given);
          assert.equal(weight, BigInt(records.count));
          const { information, histogram, profile } = task;
          for (const value of sums.subarray(information.at, information.at + information.length))
            assert.ok(Math.abs(value) <= records.count * (type === 'LOGISTIC_REGRESSION' ? 0.25 : 1) + 1e-9);
          const total = (from: number, length: number, step: number): number =>
            Array.from({ length: length / step }, (_, index) => sums[from + step * index] ?? 0).reduce(
              (a, b) => a + b,
              0,
            );
          if (histogram.length > 0) assert.equal(total(histogram.at, histogram.length, 1), records.count);
          assert.equal(total(profile.at, profile.length, 3), records.count);
        },
      ),
    );
  }
});

test('records that are held out are in no part of it', () => {
  const training = { ...gradient, validation: { fraction: 0.3 }, diagnostics: { bins: 2 } };
  const model = parseModel({ ...linear, training });
  const map = compileFeatures(model);
  const task = closingTaskOf(model, map);
  assert.ok(task !== undefined);
  const x = Float64Array.of(1, 0.5, 1, -0.5, 1, 0);
  const shared = { width: 2, y: Float64Array.of(0.1, 0.2, 0.3), lines: Int32Array.of(1, 2, 3), dropped: 0 };
  const { weight, sums } = closingSums(
    task,
    { ...shared, count: 3, x, parts: Uint8Array.of(0, 1, 0) },
    Float64Array.of(0, 0, 1),
  );
  assert.equal(weight, 2n);
  assert.deepEqual([...sums.subarray(0, 4)], [0, 0, 2, 0]);
});

test.run();
