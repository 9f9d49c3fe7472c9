/** Cross-validation by trainings: what becomes of a model.json, and that its folds are those of normal equations. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import { type Division, partsOf } from '../../src/learning/division.ts';
import { crossValidationFrom, foldTrainingsOf } from '../../src/learning/fold-trainings.ts';
import { parseModel } from '../../src/learning/model.ts';

const test = suite('trainings without a fold');

const document = {
  name: 'late',
  model_type: 'LOGISTIC_REGRESSION',
  data_props: {
    features: [{ name: 'x', type: 'continuous', range: [0, 1] }],
    target: { name: 'y', levels: ['no', 'yes'] },
  },
  evaluation: { rows: [[0.5]] },
};
const crossed = { rounds: 3, cross_validation: { folds: 4, seed: 9 } };

function refusal(json: unknown): SealsumError {
  try {
    foldTrainingsOf(json);
  } catch (error) {
    assert.ok(error instanceof SealsumError, String(error));
    return error;
  }
  throw new Error('nothing was refused');
}

test('each is a model.json that is accepted, and holds one fold out', () => {
  const found = foldTrainingsOf({ ...document, training: crossed });
  assert.ok(found !== undefined);
  assert.equal(found.folds.length, 4);
  for (const [index, json] of found.folds.entries()) {
    const model = parseModel(json);
    assert.ok(model.training.solver === 'gradient');
    assert.deepEqual(model.training.validation, { fold: index + 1, folds: 4, seed: 9 });
    assert.deepEqual(parseModel(model), model);
    assert.equal(model.name, `late: without fold ${index + 1}`);
    assert.equal(model.evaluation, undefined);
  }
  const all = parseModel(found.all);
  assert.ok(all.training.solver === 'gradient' && all.training.validation === undefined);
  assert.deepEqual([all.name, all.evaluation?.rows.length], ['late', 1]);
});

test('standard errors and calibration are those of the training with all records', () => {
  const training = { ...crossed, inference: {}, diagnostics: {} };
  const found = foldTrainingsOf({ ...document, training });
  assert.ok(found !== undefined);
  for (const json of found.folds) {
    const { inference, diagnostics } = parseModel(json).training;
    assert.deepEqual([inference, diagnostics], [undefined, undefined]);
  }
  const { inference, diagnostics } = parseModel(found.all).training;
  assert.deepEqual([inference, diagnostics], [{ level: 0.95 }, { bins: 20 }]);
});

test('nothing is taken apart where nothing is asked, or where one round tells it', () => {
  for (const json of [
    document,
    { ...document, training: { rounds: 3 } },
    { ...document, model_type: 'LINEAR_REGRESSION', training: { cross_validation: {} } },
    { ...document, model_type: 'LINEAR_REGRESSION', training: { solver: 'normal-equations', cross_validation: {} } },
    5,
    null,
    { training: [] },
  ])
    assert.equal(foldTrainingsOf(json), undefined);
  assert.equal(
    foldTrainingsOf({ ...document, model_type: 'LINEAR_REGRESSION', training: { ...crossed, solver: 'gradient' } })
      ?.folds.length,
    4,
  );
});

test('what makes no sense is refused by its field', () => {
  const field = (json: unknown): string | undefined => {
    const error = refusal(json);
    assert.equal(error.code, 'model_invalid');
    return error.field;
  };
  assert.equal(field({ ...document, training: { cross_validation: { folds: 1 } } }), 'training.cross_validation.folds');
  assert.equal(field({ ...document, training: { cross_validation: 5 } }), 'training.cross_validation');
  assert.equal(field({ ...document, training: { ...crossed, validation: {} } }), 'training.validation');
  const linear = { ...document, model_type: 'LINEAR_REGRESSION', model_visibility: 'encrypted' };
  assert.equal(field({ ...linear, training: { ...crossed, solver: 'gradient' } }), 'training.cross_validation');
  const sampled = { epsilon: 1, delta: 1e-6, sampling: 0.5 };
  assert.equal(field({ ...document, training: crossed, privacy: sampled }), 'privacy.sampling');
});

test('together the trainings keep what is promised, and nearly use it up', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 20 }), fc.double({ min: 1e-6, max: 1e6, noNaN: true }), (folds, rho) => {
      const training = { ...crossed, cross_validation: { folds } };
      const found = foldTrainingsOf({ ...document, training, privacy: { rho, place: 'facilitator' } });
      const shares = [...(found?.folds ?? []), found?.all].map(
        (json) => json?.privacy as { rho: number; place: string },
      );
      assert.ok(shares.every(({ place }) => place === 'facilitator'));
      // Exactly: every double is a fraction.
      const scale = 2 ** 90;
      const total = shares.reduce((sum, share) => sum + BigInt(share.rho * scale), 0n);
      assert.ok(total <= BigInt(rho * scale) && Number(total) / scale > rho * (1 - 1e-12));
    }),
  );
  const inEpsilon = foldTrainingsOf({ ...document, training: crossed, privacy: { epsilon: 1, delta: 1e-6 } });
  const { rho, delta, epsilon } = (inEpsilon?.all.privacy ?? {}) as Record<string, number | undefined>;
  assert.ok((rho ?? 0) > 0 && (rho ?? 1) < 0.02);
  assert.deepEqual([delta, epsilon], [1e-6, undefined]);
});

test('every record is held out by exactly one of them, the one whose fold it is in', () => {
  const record = fc.tuple(fc.constantFrom(0, 0.5, 1), fc.constantFrom(0, 1));
  fc.assert(
    fc.property(
      fc.array(record, { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 2, max: 20 }),
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      (rows, folds, seed) => {
        const records = {
          count: rows.length,
          width: 1,
          x: Float64Array.from(rows, ([x]) => x),
          y: Float64Array.from(rows, ([, y]) => y),
          lines: new Int32Array(rows.length),
          dropped: 0,
        };
        const parts = partsOf({ kind: 'folds', seed, folds }, records);
        for (let fold = 1; fold <= folds; fold += 1) {
          const division: Division = { kind: 'held-out-fold', seed, fold, folds };
          assert.deepEqual(
            [...partsOf(division, records)],
            [...parts].map((part) => Number(part === fold - 1)),
          );
        }
      },
    ),
  );
});

test('what they tell is summed up, and a training that tells nothing is no fold', () => {
  const found = crossValidationFrom([
    { loss: 9, validation_loss: 1, validation_log_loss: 1, validation_accuracy: 0.5 },
    { loss: 9, validation_loss: 3, validation_log_loss: 3, validation_accuracy: 0.7 },
  ]);
  assert.deepEqual(found.folds[0], { metrics: { loss: 1, log_loss: 1, accuracy: 0.5 } });
  assert.deepEqual([found.mean.loss, found.standard_deviation.loss], [2, 1]);
  assert.ok(Math.abs((found.mean.accuracy ?? 0) - 0.6) < 1e-12);
  assert.throws(() => crossValidationFrom([{ loss: 9 }]), { code: 'request_failed' });
});

test.run();
