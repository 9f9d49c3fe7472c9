/** Records that are held out or in folds, under differential privacy: one of them moves a sum by at most S, whatever it is. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import type { WeightedVector } from '../../src/encoding/contribution.ts';
import { compileFeatures, encodeTable } from '../../src/learning/features.ts';
import { trainedCount } from '../../src/learning/held-out.ts';
import { parseModel } from '../../src/learning/model.ts';
import { evaluateNormalEquations, solveNormalEquations } from '../../src/learning/normal-equations.ts';
import { trainPooled } from '../../src/learning/pooled.ts';
import type { Records } from '../../src/learning/records.ts';
import { contribution, createTask, statisticsOf, type Task } from '../../src/learning/task.ts';
import { createTrainer } from '../../src/learning/trainer.ts';
import { CLIP_SCALE } from '../../src/privacy/clipping.ts';
import { linearSample, textOf } from '../end-to-end/data.ts';
import { recordsOf, scaled } from './generators.ts';
import { deal, prepare, train } from './in-process.ts';
import { small } from './models.ts';

const test = suite('divided records under differential privacy');

const S = CLIP_SCALE;
const numRuns = process.env.SLOW === undefined ? 200 : 10_000;

const gradient = { solver: 'gradient', validation: { fraction: 0.4 } };
const folded = { solver: 'normal-equations', cross_validation: { folds: 3 } };

const squaredNorm = ({ weight, values }: WeightedVector): bigint =>
  values.reduce((sum, value) => sum + value * value, weight * weight);

const wild = (length: number): fc.Arbitrary<Float64Array> =>
  fc
    .array(fc.oneof(fc.double(), scaled, fc.constantFrom(Number.NaN, Infinity, 1e308, 2 ** -1074)), {
      minLength: length,
      maxLength: length,
    })
    .map((values) => Float64Array.from(values));

const models = [
  { name: 'linear', type: 'LINEAR_REGRESSION', training: gradient, targets: scaled },
  { name: 'logistic', type: 'LOGISTIC_REGRESSION', training: gradient, targets: fc.nat({ max: 1 }) },
  { name: 'softmax', type: 'SOFTMAX_REGRESSION', training: gradient, targets: fc.nat({ max: 2 }) },
  { name: 'three folds', type: 'LINEAR_REGRESSION', training: folded, targets: scaled },
] as const;

for (const { name, type, training, targets } of models)
  test(`${name}: a unit is at most S, whatever part its records are in`, () => {
    const isGradient = training.solver === 'gradient';
    const cases = fc
      .record({
        unit: fc.constantFrom('record' as const, ...(isGradient ? ['owner' as const] : [])),
        signed: fc.option(fc.double({ min: 0, max: 0.9, noNaN: true }), { nil: undefined }),
        bits: fc.constantFrom(undefined, ...(isGradient ? [8, 16, 24] : [])),
        freeze: fc.boolean(),
        clip: fc.constantFrom(1, 1e-300, 0.7, 1e300),
        isWild: fc.boolean(),
      })
      .chain(({ unit, signed, bits, freeze, clip, isWild }) => {
        const greatest = bits === undefined ? S : 2n ** BigInt(bits - 1);
        const signs = unit === 'owner' && signed !== undefined;
        const sign = signs ? BigInt(Math.floor(signed * Number(greatest - 2n))) + 1n : undefined;
        const { model, map } = small(type, 2, {
          training: { ...training, ...(freeze && isGradient ? { freeze: ['x1'] } : {}) },
          encryption: bits === undefined ? {} : { quantization_bits: bits, rounding: 'stochastic' },
          privacy: { rho: 1, unit, clip, ...(signs ? { adaptive_clip: {} } : {}) },
        });
        const task = createTask(model, map, sign);
        const size = unit === 'owner' ? { minLength: 1, maxLength: 6 } : { minLength: 1, maxLength: 1 };
        const records = recordsOf(task.width, targets, size).chain((tame) =>
          fc
            .tuple(
              wild(tame.x.length),
              fc.array(fc.nat({ max: isGradient ? 1 : 2 }), { minLength: tame.count, maxLength: tame.count }),
            )
            .map(([x, parts]): Records => ({ ...tame, x: isWild ? x : tame.x, parts: Uint8Array.from(parts) })),
        );
        return fc.tuple(fc.constant(task), records, wild(task.parameterCount), fc.constant(greatest));
      });
    let heldOut = 0;
    fc.assert(
      fc.property(cases, ([task, records, parameters, greatest]) => {
        const vector = contribution(task, records, parameters);
        assert.ok(squaredNorm(vector) <= greatest ** 2n, `${squaredNorm(vector)} is more than ${greatest ** 2n}`);
        assert.equal(vector.values.length, task.length);
        assert.ok(vector.values.every((value) => value <= task.valueBound && value >= -task.valueBound));
        const allHeldOut = isGradient && trainedCount(records) === 0;
        assert.equal(vector.weight, allHeldOut ? 0n : task.weightUnit);
        if (!allHeldOut) return;
        heldOut += 1;
        assert.ok(
          vector.values.slice(0, task.statistics).every((value) => value === 0n),
          'no gradient of it leaves',
        );
      }),
      { numRuns },
    );
    assert.ok(heldOut > 0 || !isGradient);
  });

test('a record that is held out uses what the gradient of another would: its metrics have four times the room', () => {
  const [task, whole] = [gradient, { solver: 'gradient' }].map(
    (training) => small('LOGISTIC_REGRESSION', 2, { training, privacy: { rho: 1 } }).task,
  );
  assert.deepEqual(task?.metrics, ['loss', 'correct', 'held-out records', 'held-out loss', 'held-out correct']);
  const { metricBounds = [], norm } = task.clipping ?? {};
  assert.equal(norm, whole?.clipping?.norm, 'nothing is taken off the gradient');
  const third = metricBounds[2] ?? 0n;
  assert.deepEqual(metricBounds, [S / 8n, S / 8n, third, third, third]);
  assert.ok(3n * third ** 2n <= S ** 2n && 3n * (third + 1n) ** 2n > S ** 2n);
});

const table = (rows: readonly (readonly string[])[]): Parameters<typeof encodeTable>[1] => ({
  header: ['x', 'y'],
  headerLine: 1,
  width: 2,
  place: 'line',
  delimiter: ',',
  rows,
  lines: rows.map((_, index) => index + 2),
});

test('without one record all others are in the part where they were, equal ones among them: one vector is missing', () => {
  const cell = fc.constantFrom('-1', '0', '0.5');
  for (const training of [gradient, folded]) {
    const model = parseModel({
      model_type: 'LINEAR_REGRESSION',
      data_props: {
        features: [{ name: 'x', type: 'continuous', range: [-1, 1] }],
        target: { name: 'y', range: [-1, 1] },
      },
      training,
      privacy: { rho: 1 },
    });
    const map = compileFeatures(model);
    const task: Task = createTask(model, map);
    const sent = new Float64Array(task.parameterCount).fill(0.25);
    let divided = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell), { minLength: 2, maxLength: 12 }),
        fc.nat(),
        fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
        (rows, chosen, keys) => {
          const left = chosen % rows.length;
          const all = encodeTable(map, table(rows));
          const [x = '', y = ''] = rows[left] ?? [];
          const equal = rows.flatMap((row, index) => (row[0] === x && row[1] === y ? [all.parts?.[index]] : []));
          if (new Set(equal).size > 1) divided += 1;
          // In any other order, too.
          const others = rows
            .filter((_, index) => index !== left)
            .map((row, index) => ({ row, key: keys[index] ?? 0 }));
          others.sort((a, b) => a.key - b.key);
          const rest = encodeTable(map, table(others.map(({ row }) => row)));
          const [with_, without] = [all, rest].map((records) => contribution(task, records, sent));
          const difference: WeightedVector = {
            weight: (with_?.weight ?? 0n) - (without?.weight ?? 0n),
            values: (with_?.values ?? []).map((value, index) => value - (without?.values[index] ?? 0n)),
          };
          assert.ok(squaredNorm(difference) <= S ** 2n, `${squaredNorm(difference)}`);
          assert.ok(squaredNorm(difference) > 0n);
        },
      ),
      { numRuns },
    );
    assert.ok(divided > 5, 'equal records were divided');
  }
});

test('the number of held-out records is noised like the rest; noise that outweighs them ends the training and says so', () => {
  const { model, map, task } = small('LINEAR_REGRESSION', 1, { training: gradient, privacy: { rho: 1 } });
  assert.ok(task.clipping !== undefined);
  const { weightUnit, metricBounds } = task.clipping;
  const [, heldOut = 0n] = metricBounds;
  const sum = (records: bigint, loss: bigint): WeightedVector => ({
    weight: 10n * weightUnit,
    values: [0n, 0n, 0n, records, loss],
  });
  const trainer = createTrainer(model, map, task);
  trainer.absorb(statisticsOf(task, sum(4n * heldOut, heldOut), 2));
  // A loss of H stands for the bound of 2.
  assert.ok(Math.abs((trainer.metrics?.validation_loss ?? 0) - 0.5) < 1e-9);
  assert.throws(
    () => {
      trainer.absorb(statisticsOf(task, sum(heldOut / 2n, heldOut), 2));
    },
    { code: 'weight_zero', field: 'training.validation.fraction' },
  );
});

test('clipped sums of folds are those of each fold by itself', async () => {
  const { document } = linearSample();
  const training = { solver: 'normal-equations', cross_validation: { folds: 3 } };
  const text = { text: textOf(linearSample(300)) };
  const setting = await prepare({ ...document, training, privacy: { rho: 1 } }, text);
  const bare = await prepare({ ...document, training }, text);
  const [owners, all] = [deal(setting, 3), deal(bare, 3)];
  const { crossValidation: seen, parameters } = train(setting, owners);
  const { crossValidation: expected, parameters: exact } = trainPooled(bare.model, all);
  // Integers of 20 bits a record; the clip is longer than any record.
  for (const [index, value] of parameters.entries()) assert.ok(Math.abs(value - (exact[index] ?? 0)) < 1e-4);
  for (const [fold, { records = Number.NaN, metrics }] of (seen?.folds ?? []).entries()) {
    assert.ok(Math.abs(records - (expected?.folds[fold]?.records ?? 0)) < 1e-3);
    assert.ok(Math.abs(metrics.loss - (expected?.folds[fold]?.metrics.loss ?? 0)) < 1e-5);
  }
  assert.equal(seen?.folds.length, 3);
});

test('the fit to all folds has the ridge for the noise of all of them', () => {
  const { model, map, task } = small('LINEAR_REGRESSION', 1, { training: folded, privacy: { rho: 1 } });
  const sums = Float64Array.of(0.5, 0.1, 0.05, 0.3, 0.05);
  const noise = task.scale;
  const trainer = createTrainer(model, map, task, noise);
  trainer.absorb({
    weight: 30,
    statistics: Float64Array.of(...sums, ...sums, ...sums),
    metrics: Float64Array.of(1 / 3, 1 / 3, 1 / 3),
  });
  const total = sums.map((sum) => 3 * sum);
  const expected = solveNormalEquations(map, total, 30, { l1: 0, l2: 0 }, Math.sqrt(3));
  assert.deepEqual(trainer.parameters, expected.parameters);
  const two = solveNormalEquations(
    map,
    sums.map((sum) => 2 * sum),
    20,
    { l1: 0, l2: 0 },
    Math.sqrt(2),
  );
  const metrics = evaluateNormalEquations(map, sums, 10, two.parameters);
  for (const { records = Number.NaN, metrics: each } of trainer.crossValidation?.folds ?? [])
    assert.ok(Math.abs(each.loss - metrics.loss) < 1e-15 && Math.abs(records - 10) < 1e-12);
});

test.run();
