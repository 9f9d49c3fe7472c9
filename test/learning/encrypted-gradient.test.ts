/** Gradients on parameters that owners do not see: integers that follow from the plan, and the training that everybody could see. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { createPlan } from '../../src/encoding/plan.ts';
import { boundedIntegers, encryptedGradientOf, lossFrom, projected } from '../../src/learning/encrypted-gradient.ts';
import { gradientSums, linear } from '../../src/learning/families.ts';
import type { Records } from '../../src/learning/features.ts';
import { parseModel } from '../../src/learning/model.ts';
import { contribution, statisticsOf } from '../../src/learning/task.ts';
import { createTrainer } from '../../src/learning/trainer.ts';
import { clipToIntegers } from '../../src/privacy/clipping.ts';
import { termsOf } from '../../src/protocol/terms.ts';
import { addUp, train } from './in-process.ts';
import { type Small, small } from './models.ts';

const runs = process.env.SLOW === undefined ? 200 : 5000;

const test = suite('encrypted gradient');

/** A model on columns within [−1, 1], of which owners do not see the parameters. */
function hidden(features: number, rest: Record<string, unknown> = {}, training: Record<string, unknown> = {}): Small {
  return small('LINEAR_REGRESSION', features, { model_visibility: 'encrypted', training, ...rest });
}

const inRange = fc.oneof(fc.double({ min: -1, max: 1, noNaN: true }), fc.constantFrom(-1, 0, 1, 1e-9, -0.5));

/** Records of `width` columns, the first of which is 1. */
function recordsOf(width: number): fc.Arbitrary<Records> {
  return fc
    .array(fc.array(inRange, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 12 })
    .map((rows) => fromRows(rows));
}

/** @param rows of columns but the first, then the target */
function fromRows(rows: readonly (readonly number[])[]): Records {
  const width = rows[0]?.length ?? 0;
  return {
    count: rows.length,
    width,
    x: Float64Array.from(rows.flatMap((row) => [1, ...row.slice(0, -1)])),
    y: Float64Array.from(rows, (row) => row.at(-1) ?? 0),
    lines: Int32Array.from(rows.keys()),
    dropped: 0,
  };
}

function parametersOf(width: number, bound: number): fc.Arbitrary<Float64Array> {
  return fc
    .array(fc.double({ min: -2 * bound, max: 2 * bound, noNaN: true }), { minLength: width, maxLength: width })
    .map((values) => Float64Array.from(values));
}

test('sums are the gradient and the loss of parameters in the clear, and within what the plan has room for', () => {
  const { task } = hidden(3, {}, { parameter_bound: 4 });
  fc.assert(
    fc.property(recordsOf(4), parametersOf(4, 4), (records, free) => {
      const parameters = projected(free, 4);
      const sum = contribution(task, records, parameters);
      for (const value of sum.values)
        assert.ok(value <= task.valueBound * sum.weight && -value <= task.valueBound * sum.weight);
      const { statistics, metrics, weight } = statisticsOf(task, sum, 1);
      const visible = gradientSums(linear, records, parameters).map((value) => value / records.count);
      assert.equal(weight, records.count);
      // A unit of the matrix, 2^-28, is as much as four parameters of together 4 can turn into 4·2^-28 of a sum.
      for (const [index, value] of statistics.entries()) assert.ok(Math.abs(value - (visible[index] ?? 0)) < 2 ** -24);
      assert.ok(Math.abs(lossFrom(statistics, metrics[0] ?? 0, parameters) - (visible[4] ?? 0)) < 2 ** -22);
    }),
    { numRuns: runs },
  );
});

test('with privacy no record moves a sum by more than the noise is calibrated to, whatever it is and wherever within the bound the parameters are', () => {
  const privacy = { rho: 1, clip: 1.5 };
  const { task, model } = hidden(3, { privacy }, { parameter_bound: 2 });
  const { calibration } = termsOf(model, 2);
  const { greatestChange = 0n } = encryptedGradientOf(model) ?? {};
  assert.equal(calibration?.sensitivity, greatestChange);
  fc.assert(
    fc.property(recordsOf(4), parametersOf(4, 2), (records, parameters) => {
      const one = { ...records, count: 1 };
      const { weight, values } = contribution(task, one, parameters);
      const squares = [weight, ...values].reduce((sum, value) => sum + value * value, 0n);
      assert.ok(squares <= greatestChange ** 2n);
      assert.ok(values.every((value) => value <= task.valueBound && -value <= task.valueBound));
    }),
    { numRuns: runs },
  );
  // The longest record, and parameters that point against it, come within a tenth of what is promised.
  const worst = fromRows([[1, 1, 1, -1]]);
  const { weight, values } = contribution(task, worst, Float64Array.of(9, 9, 9, 9));
  const squares = [weight, ...values].reduce((sum, value) => sum + value * value, 0n);
  assert.ok(100n * squares > 81n * greatestChange ** 2n);
});

test('records longer than the clip are shortened, their targets with them', () => {
  const { task } = hidden(1, { privacy: { rho: 1, clip: 1 } }, { parameter_bound: 1 });
  const long = fromRows([[1, -1]]);
  const { values } = contribution(task, long, new Float64Array(2));
  const whole = clipToIntegers([1, 1, -1], 1, 2n ** 14n).values;
  // At θ = 0 the gradient is −x·y.
  const product = BigInt(whole[0] ?? 0) * BigInt(whole[2] ?? 0);
  assert.equal(values[0], -(product << 40n));
  assert.equal(values[2], (BigInt(whole[2] ?? 0) ** 2n) << 40n);
});

test('parameters go out within their bound, exactly, and are not moved further than that needs', () => {
  fc.assert(
    fc.property(parametersOf(5, 3), fc.double({ min: 0.01, max: 4, noNaN: true }), (parameters, bound) => {
      const greatest = BigInt(Math.floor(bound * 2 ** 30));
      const integers = boundedIntegers(parameters, greatest, 30);
      assert.ok(integers.reduce((sum, value) => sum + value * value, 0n) <= greatest ** 2n);
      const nearest = projected(parameters, bound);
      for (const [index, value] of integers.entries())
        assert.ok(Math.abs(Number(value) / 2 ** 30 - (nearest[index] ?? 0)) <= 4 * 2 ** -30);
    }),
    { numRuns: runs },
  );
});

/** y = 0.3 + 0.5·x₁ − 0.4·x₂ + a bit of what is no line, at 60 points. */
const points = fromRows(
  Array.from({ length: 60 }, (_, index) => {
    const [a, b] = [Math.sin(index * 1.7), Math.cos(index * 2.9) * 0.8];
    return [a, b, Math.max(-1, Math.min(1, 0.3 + 0.5 * a - 0.4 * b + 0.1 * Math.sin(index * 31)))];
  }),
);

const owners = [0, 1, 2].map((owner) => {
  const rows = Array.from({ length: 20 }, (_, index) => 3 * index + owner);
  return {
    ...points,
    count: 20,
    x: Float64Array.from(rows.flatMap((row) => [...points.x.subarray(3 * row, 3 * row + 3)])),
    y: Float64Array.from(rows, (row) => points.y[row] ?? 0),
  };
});

for (const optimizer of ['sgd', 'momentum', 'adam'] as const)
  test(`${optimizer}: the coefficients and losses of the visible training to 1e-6`, () => {
    const training = { solver: 'gradient', optimizer, rounds: 60, learning_rate: 0.2, l1: 0.001, l2: 0.01 };
    const visible = train(small('LINEAR_REGRESSION', 2, { training }), owners);
    const trainer = train(hidden(2, {}, training), owners);
    assert.equal(trainer.round, 60);
    for (const [index, value] of trainer.parameters.entries())
      assert.ok(Math.abs(value - (visible.parameters[index] ?? 0)) < 1e-6);
    assert.ok(Math.abs((trainer.metrics?.loss ?? 1) - (visible.metrics?.loss ?? 0)) < 1e-9);
  });

test('parameters that want to be longer than their bound stay on it', () => {
  const trainer = train(hidden(2, {}, { rounds: 200, parameter_bound: 0.25 }), owners);
  const length = Math.hypot(...trainer.parameters);
  assert.ok(length <= 0.25 && length > 0.2499);
});

test('nothing grows: in a thousand rounds no parameter has more bits than in the first', () => {
  const { model, map, task } = hidden(2, {}, { rounds: 1000, learning_rate: 0.01, parameter_bound: 2 });
  const trainer = createTrainer(model, map, task);
  let rounds = 0;
  while (!trainer.finished) {
    const { parameters } = trainer;
    for (const value of parameters) {
      assert.ok(Number.isInteger(value * 2 ** 40) && Math.abs(value) <= 2);
    }
    trainer.absorb(statisticsOf(task, addUp(owners.map((own) => contribution(task, own, parameters))), 3));
    rounds += 1;
  }
  assert.equal(rounds, 1001);
});

test('a plan has room for the product of the scales, and says in numbers what does not fit', () => {
  const { model, task } = hidden(3, { participation: { max_records: 1000 } });
  const { plan } = termsOf(model, 5);
  assert.equal(plan.scale, 2 ** 68);
  assert.equal(plan.valueBound, task.valueBound);
  // 2^28 · 2^40 · √(3 + 2) · √(16² + 1), rounded up.
  const exact = 2 ** 68 * Math.sqrt(5) * Math.sqrt(257);
  assert.ok(Number(task.valueBound) > exact && Number(task.valueBound) < 2 * exact);
  const { valueBound, weightUnit, maxWeight, scale, length } = task;
  assert.throws(
    () => createPlan({ keyBits: 128, length, owners: 5, maxWeight, valueBound, weightUnit, scale, tags: true }),
    ({ code, message }: { code: string; message: string }) =>
      code === 'plan_unsafe' && /5 owners × 1000 weight × 2\^7\d\.\d\d bound/.test(message) && /128/.test(message),
  );
});

test('what cannot go together is refused by its field', () => {
  const refusals: [Record<string, unknown>, string][] = [
    [{ training: { solver: 'normal-equations' } }, 'training.solver'],
    [{ training: { freeze: ['x1'] } }, 'training.freeze'],
    [{ training: { validation: {} } }, 'training.validation'],
    [{ training: { parameter_bound: 0 } }, 'training.parameter_bound'],
    [{ training: { parameter_bound: 2000 } }, 'training.parameter_bound'],
    [{ encryption: { quantization_bits: 16 } }, 'encryption.quantization_bits'],
    [{ privacy: { rho: 1, unit: 'owner' } }, 'privacy.unit'],
    [{ privacy: { epsilon: 1, delta: 1e-6, sampling: 0.5 } }, 'privacy.sampling'],
    [{ privacy: { rho: 1, metrics: 'local' } }, 'privacy.metrics'],
    [{ privacy: { rho: 1, unit: 'owner', adaptive_clip: { count_noise: 9 } } }, 'privacy.unit'],
    [{ model_visibility: 'hidden' }, 'model_visibility'],
    [{ model_visibility: 'plain', training: { solver: 'gradient', parameter_bound: 2 } }, 'training.parameter_bound'],
    [{ model_visibility: 'plain', training: { parameter_bound: 2 } }, 'training.parameter_bound'],
    [
      { training: { initial_parameters: { columns: ['weight', 'x1'], coefficients: [20, 1] } } },
      'training.initial_parameters.columns[0]',
    ],
    [
      { training: { initial_parameters: { columns: ['intercept', 'x1'], coefficients: [20, 1] } } },
      'training.initial_parameters.coefficients',
    ],
  ];
  for (const [rest, field] of refusals)
    assert.throws(() => hidden(1, rest), { code: 'model_invalid', field }, JSON.stringify(rest));
  hidden(1445);
  assert.throws(() => hidden(1446), { code: 'model_invalid', field: 'data_props.features' });
  assert.throws(() => small('LOGISTIC_REGRESSION', 1, { model_visibility: 'encrypted' }), {
    code: 'model_invalid',
    field: 'model_visibility',
  });
});

test('defaults: the gradient solver, a bound, a clip that no record exceeds; a parsed model parses to itself', () => {
  const { model } = hidden(2, { privacy: { rho: 1 } });
  assert.ok(model.training.solver === 'gradient' && model.training.parameter_bound === 16);
  assert.equal(model.privacy?.clip, 2);
  assert.deepEqual(parseModel(JSON.parse(JSON.stringify(model))), model);
  assert.equal(
    encryptedGradientOf(small('LINEAR_REGRESSION', 1, { training: { solver: 'gradient' } }).model),
    undefined,
  );
  assert.equal(encryptedGradientOf(small('LINEAR_REGRESSION', 1, { model_visibility: 'plain' }).model), undefined);
});

test.run();
