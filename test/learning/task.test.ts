import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { contributionSlots } from '../../src/encoding/contribution.ts';
import { createPlan } from '../../src/encoding/plan.ts';
import { renormalise } from '../../src/encoding/renormalise.ts';
import { gradientSums } from '../../src/learning/families.ts';
import type { Records } from '../../src/learning/features.ts';
import { triangleSums } from '../../src/learning/normal-equations.ts';
import type { Task } from '../../src/learning/task.ts';
import { contribution, statisticsOf } from '../../src/learning/task.ts';
import { pick, recordsOf } from './generators.ts';
import { addUp } from './in-process.ts';
import { small } from './models.ts';

const test = suite('task');

const gradient = { training: { solver: 'gradient', rounds: 7 } };
const linear = small('LINEAR_REGRESSION', 2, gradient);
const equations = small('LINEAR_REGRESSION', 2);
const logistic = small('LOGISTIC_REGRESSION', 2);
const softmax = small('SOFTMAX_REGRESSION', 1);

const planOf = (task: Task, maxWeight: bigint): ReturnType<typeof createPlan> =>
  createPlan({
    keyBits: 2048,
    length: task.length,
    owners: 3,
    maxWeight,
    valueBound: task.valueBound,
    scale: task.scale,
    weightUnit: task.weightUnit,
  });

function one(x: readonly number[], y: number): Records {
  return {
    count: 1,
    width: x.length,
    x: Float64Array.from(x),
    y: Float64Array.of(y),
    lines: Int32Array.of(1),
    dropped: 0,
  };
}

test('says what a round sums', () => {
  const summary = ({ task }: { task: Task }): unknown => ({
    solver: task.solver,
    parameterCount: task.parameterCount,
    length: task.length,
    statistics: task.statistics,
    names: task.names(),
    rounds: task.rounds,
    scale: task.scale,
    valueBound: task.valueBound,
    weightUnit: task.weightUnit,
  });
  assert.deepEqual(summary(linear), {
    solver: 'gradient',
    parameterCount: 3,
    length: 4,
    statistics: 3,
    names: ['gradient of intercept', 'gradient of x1', 'gradient of x2', 'loss'],
    rounds: 8,
    scale: 2 ** 40,
    valueBound: 2n ** 50n,
    weightUnit: 1n,
  });
  assert.deepEqual(summary(equations), {
    solver: 'normal-equations',
    parameterCount: 0,
    length: 9,
    statistics: 9,
    names: [
      'intercept × x1',
      'intercept × x2',
      'intercept × y',
      'x1 × x1',
      'x1 × x2',
      'x1 × y',
      'x2 × x2',
      'x2 × y',
      'y × y',
    ],
    rounds: 1,
    scale: 2 ** 80,
    valueBound: 2n ** 80n,
    weightUnit: 1n,
  });
  assert.deepEqual(logistic.task.names().slice(-2), ['loss', 'correct']);
  assert.deepEqual(softmax.task.names(), [
    'gradient of intercept for a',
    'gradient of x1 for a',
    'gradient of intercept for b',
    'gradient of x1 for b',
    'gradient of intercept for c',
    'gradient of x1 for c',
    'loss',
    'correct',
  ]);
  const precise = small('LINEAR_REGRESSION', 1, { encryption: { fraction_bits: 48 } }).task;
  assert.deepEqual([precise.scale, precise.valueBound], [2 ** 96, 2n ** 96n]);
});

test('sends the sums of the records as integers at the task’s scale, and the count as the weight', () => {
  // Score 0.5 − 0.25 = 0.25, error 0.75; gradient 0.75·(1, −0.5, 0), loss 0.28125.
  const { weight, values } = contribution(linear.task, one([1, -0.5, 0], -0.5), Float64Array.of(0.5, 0.5, 9));
  assert.equal(weight, 1n);
  assert.deepEqual(
    values,
    [0.75, -0.375, 0, 0.28125].map((value) => BigInt(value * 2 ** 40)),
  );
  const exact = contribution(equations.task, one([1, -0.5, 0.25], -1), new Float64Array(0));
  assert.equal(exact.weight, 1n);
  assert.deepEqual(
    exact.values,
    [-0.5, 0.25, -1, 0.25, -0.125, 0.5, 0.0625, -0.25, 1].map((value) => BigInt(value * 2 ** 80)),
  );
});

test('gives back means of gradients and metrics', () => {
  for (const [{ task }, targets] of [
    [linear, fc.double({ min: -1, max: 1, noNaN: true })],
    [logistic, fc.nat({ max: 1 })],
    [softmax, fc.nat({ max: 2 })],
  ] as const) {
    const parameters = fc.array(fc.double({ min: -3, max: 3, noNaN: true }), {
      minLength: task.parameterCount,
      maxLength: task.parameterCount,
    });
    fc.assert(
      fc.property(recordsOf(task.width, targets), parameters, (records, values) => {
        const sent = Float64Array.from(values);
        const sum = contribution(task, records, sent);
        const { weight, statistics, metrics } = statisticsOf(task, sum, 1);
        const means = gradientSums(task.family, records, sent).map((value) => value / records.count);
        assert.equal(weight, records.count);
        assert.equal(statistics.length, task.statistics);
        for (const [index, mean] of [...statistics, ...metrics].entries()) {
          assert.ok(Math.abs(mean - (means[index] ?? Number.NaN)) <= 2 ** -39);
        }
        // The means that go into the parameters are those of the encoding's renormalisation, to the last bit.
        const plan = planOf(task, 100n);
        assert.deepEqual(
          [...statistics],
          renormalise(plan, sum)
            .slice(0, task.statistics)
            .map((value) => Number(value) / task.scale),
        );
      }),
      { numRuns: 200 },
    );
  }
});

test('gives back sums of products', () => {
  fc.assert(
    fc.property(recordsOf(3), (records) => {
      const { weight, statistics, metrics } = statisticsOf(
        equations.task,
        contribution(equations.task, records, new Float64Array(0)),
        1,
      );
      assert.deepEqual([weight, metrics.length], [records.count, 0]);
      for (const [index, sum] of triangleSums(records).entries()) {
        assert.ok(Math.abs((statistics[index] ?? 0) - sum) <= records.count * 2 ** -39);
      }
    }),
  );
});

test('normal equations: the same integers however the records are split among owners', () => {
  const split = recordsOf(3, undefined, { minLength: 3, maxLength: 30 }).chain((records) =>
    fc.tuple(
      fc.constant(records),
      fc.array(fc.nat({ max: 2 }), { minLength: records.count, maxLength: records.count }),
    ),
  );
  const nothing = new Float64Array(0);
  fc.assert(
    fc.property(split, ([records, owners]) => {
      const parts = [0, 1, 2].map((owner) =>
        pick(
          records,
          [...records.lines.keys()].filter((position) => owners[position] === owner),
        ),
      );
      assert.deepEqual(
        addUp(parts.map((part) => contribution(equations.task, part, nothing))),
        contribution(equations.task, records, nothing),
      );
    }),
  );
});

test('stays within the plan, up to records at the ends of every range', () => {
  const count = 50;
  for (const x of [1, -1]) {
    for (const y of [1, -1]) {
      const records: Records = {
        ...one([1, x, x], y),
        count,
        x: Float64Array.from({ length: 3 * count }, (_, index) => (index % 3 === 0 ? 1 : x)),
        y: new Float64Array(count).fill(y),
      };
      const vector = contribution(equations.task, records, new Float64Array(0));
      assert.equal(vector.values.at(-1), BigInt(count) * equations.task.valueBound);
      // Exactly as many records as the plan allows, and one more than it allows.
      contributionSlots(planOf(equations.task, BigInt(count)), vector);
      assert.throws(() => contributionSlots(planOf(equations.task, BigInt(count - 1)), vector), {
        code: 'number_out_of_bounds',
      });
    }
  }
});

test('refuses a gradient that grew beyond its bound, by name', () => {
  const message = (name: string): string =>
    `${name}: beyond 2^10 per record; the training diverges: lower training.learning_rate`;
  const at = (intercept: number): Float64Array => Float64Array.of(intercept, 0, 0);
  const records = one([1, 0.5, 0], 0);
  // The loss error²/2 reaches 2^10 first, at an error of √2048.
  assert.equal(contribution(linear.task, records, at(45)).values.length, 4);
  assert.throws(() => contribution(linear.task, records, at(45.3)), {
    code: 'number_out_of_bounds',
    field: 'loss',
    message: message('loss'),
  });
  assert.throws(() => contribution(linear.task, records, at(-1025)), {
    field: 'gradient of intercept',
    message: message('gradient of intercept'),
  });
  for (const wild of [Number.NaN, Number.POSITIVE_INFINITY, 1e300]) {
    assert.throws(() => contribution(linear.task, records, at(wild)), { code: 'number_out_of_bounds' });
  }
});

test('refuses parameters, records and sums of another task', () => {
  const records = one([1, 0, 0], 0);
  assert.throws(() => contribution(linear.task, records, new Float64Array(4)), {
    code: 'plan_mismatch',
    field: 'parameters',
    message: 'parameters: expected 3, not 4',
  });
  assert.throws(() => contribution(equations.task, records, new Float64Array(3)), {
    message: 'parameters: expected 0, not 3',
  });
  assert.throws(() => contribution(softmax.task, records, new Float64Array(6)), {
    code: 'plan_mismatch',
    field: 'records',
    message: 'records: expected 2 columns, not 3',
  });
  assert.throws(() => statisticsOf(linear.task, { weight: 1n, values: [1n] }, 1), {
    code: 'plan_mismatch',
    field: 'values',
    message: 'values: expected 4, not 1',
  });
});

test('refuses a sum without weight', () => {
  const noised = small('LINEAR_REGRESSION', 2, { privacy: { rho: 1 } }).task;
  for (const weight of [0n, -1n]) {
    for (const [task, message] of [
      [linear.task, 'weight: the records of all owners add up to none'],
      [
        noised,
        'weight: the noise outweighs the records: more records, or a greater privacy.epsilon (or rho), are needed',
      ],
    ] as const) {
      assert.throws(() => statisticsOf(task, { weight, values: new Array<bigint>(task.length).fill(0n) }, 1), {
        code: 'weight_zero',
        field: 'weight',
        message,
      });
    }
  }
});

test('under privacy a weight of less than one record is noise, and no mean is made of it', () => {
  const { task } = small('LINEAR_REGRESSION', 2, { privacy: { rho: 1 }, training: { solver: 'gradient' } });
  const values = new Array<bigint>(task.length).fill(0n);
  assert.throws(() => statisticsOf(task, { weight: task.weightUnit - 1n, values }, 1), { code: 'weight_zero' });
  assert.equal(statisticsOf(task, { weight: task.weightUnit, values }, 1).weight, 1);
});

test.run();
