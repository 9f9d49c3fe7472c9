import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { quantise } from '../../src/encoding/fixed-point.ts';
import { gradientSums } from '../../src/learning/families.ts';
import { trainPooled } from '../../src/learning/pooled.ts';
import type { Statistics, Task } from '../../src/learning/task.ts';
import { contribution, statisticsOf } from '../../src/learning/task.ts';
import type { Trainer, TrainerState } from '../../src/learning/trainer.ts';
import { createTrainer, restoreTrainer } from '../../src/learning/trainer.ts';
import { pick, recordsOf } from './generators.ts';
import { train } from './in-process.ts';
import { small } from './models.ts';

const test = suite('trainer');

const gradient = (settings: Record<string, unknown>): Record<string, unknown> => ({
  training: { solver: 'gradient', ...settings },
});

/** A round whose mean gradient and metrics are made up. */
function statistics(task: Task, slope: readonly number[], metrics: readonly number[]): Statistics {
  assert.equal(slope.length, task.statistics);
  return { weight: 10, statistics: Float64Array.from(slope), metrics: Float64Array.from(metrics) };
}

const newTrainer = ({ model, map, task }: ReturnType<typeof small>): Trainer => createTrainer(model, map, task);

test('makes as many updates as rounds, then one round more that only evaluates', () => {
  const setting = small('LINEAR_REGRESSION', 1, gradient({ rounds: 2, optimizer: 'sgd', learning_rate: 0.5 }));
  const trainer = newTrainer(setting);
  const seen = (): unknown => [[...trainer.parameters], trainer.round, trainer.finished, trainer.metrics?.loss];
  assert.deepEqual(seen(), [[0, 0], 0, false, undefined]);
  trainer.absorb(statistics(setting.task, [1, -0.5], [0.5]));
  assert.deepEqual(seen(), [[-0.5, 0.25], 1, false, 0.5]);
  trainer.absorb(statistics(setting.task, [0.5, 0], [0.25]));
  assert.deepEqual(seen(), [[-0.75, 0.25], 2, false, 0.25]);
  trainer.absorb(statistics(setting.task, [1, 1], [0.125]));
  assert.deepEqual(seen(), [[-0.75, 0.25], 2, true, 0.125]);
  assert.throws(
    () => {
      trainer.absorb(statistics(setting.task, [1, 1], [0.125]));
    },
    { code: 'plan_mismatch', field: 'statistics', message: 'the training is finished and takes no further statistics' },
  );
});

test('reports metrics in the terms of the model type', () => {
  const metrics = (setting: ReturnType<typeof small>, values: readonly number[]): unknown => {
    const trainer = newTrainer(setting);
    trainer.absorb(statistics(setting.task, new Array<number>(setting.task.statistics).fill(0), values));
    return trainer.metrics;
  };
  // The target's range [−1, 1] is its own scale here.
  assert.deepEqual(metrics(small('LINEAR_REGRESSION', 1, gradient({})), [0.25]), { loss: 0.25, mse: 0.5 });
  const expected = { loss: 0.25, log_loss: 0.25, accuracy: 0.75 };
  assert.deepEqual(metrics(small('LOGISTIC_REGRESSION', 1), [0.25, 0.75]), expected);
  assert.deepEqual(metrics(small('SOFTMAX_REGRESSION', 1), [0.25, 0.75]), expected);
});

test('pulls slopes towards zero and leaves the intercept of every output alone', () => {
  const setting = small(
    'SOFTMAX_REGRESSION',
    1,
    gradient({ rounds: 2, optimizer: 'sgd', learning_rate: 0.5, l2: 0.5 }),
  );
  const trainer = newTrainer(setting);
  trainer.absorb(statistics(setting.task, [-2, -2, 2, 2, 0, 0], [1, 0]));
  assert.deepEqual([...trainer.parameters], [1, 1, -1, -1, 0, 0]);
  trainer.absorb(statistics(setting.task, [0, 0, 0, 0, 0, 0], [1, 0]));
  assert.deepEqual([...trainer.parameters], [1, 0.75, -1, -0.75, 0, 0]);
});

test('sends out parameters that have no more bits than the plan says', () => {
  for (const fractionBits of [16, 40]) {
    const setting = small('LINEAR_REGRESSION', 2, {
      ...gradient({ rounds: 50, learning_rate: 0.1 }),
      encryption: { fraction_bits: fractionBits },
    });
    const trainer = newTrainer(setting);
    for (let round = 0; round < 50; round += 1) {
      trainer.absorb(statistics(setting.task, [Math.sin(round), Math.cos(round) / 3, 1 / 3], [0.5]));
      assert.deepEqual(trainer.parameters, quantise(trainer.parameters, 2 ** fractionBits));
    }
    assert.ok(trainer.parameters.every((value) => value !== 0));
  }
});

test('stops when the loss has settled, with the metrics of the parameters that it keeps', () => {
  const losses = [1, 0.5, 0.49, 0.495, 0.44, 0.43, 0.42, 0.41];
  const setting = small('LINEAR_REGRESSION', 1, gradient({ rounds: 100, tolerance: 0.05, patience: 3 }));
  const trainer = newTrainer(setting);
  for (const loss of losses) {
    assert.equal(trainer.finished, false);
    trainer.absorb(statistics(setting.task, [1, 1], [loss]));
  }
  // 1, 0.5 and 0.44 are improvements by 0.05 on the best before; three rounds without one follow.
  assert.deepEqual([trainer.finished, trainer.round, trainer.metrics?.loss], [true, 7, 0.41]);
});

test('measures a settled loss with the penalty, and relative to a great one', () => {
  // The loss falls by less than the penalty rises.
  const penalised = small(
    'LINEAR_REGRESSION',
    1,
    gradient({ rounds: 100, tolerance: 0.01, patience: 1, l2: 1, optimizer: 'sgd', learning_rate: 1 }),
  );
  const trainer = newTrainer(penalised);
  trainer.absorb(statistics(penalised.task, [0, -1], [0.5]));
  assert.deepEqual([...trainer.parameters], [0, 1]);
  trainer.absorb(statistics(penalised.task, [0, 0], [0.1]));
  assert.equal(trainer.finished, true);
  // The intercept is free of it.
  const free = newTrainer(penalised);
  free.absorb(statistics(penalised.task, [-1, 0], [0.5]));
  assert.deepEqual([...free.parameters], [1, 0]);
  free.absorb(statistics(penalised.task, [0, 0], [0.1]));
  assert.equal(free.finished, false);
  // 100 → 95 is no improvement by a tenth, 100 → 89 is.
  for (const [loss, finished] of [
    [95, true],
    [89, false],
  ] as const) {
    const great = small('LINEAR_REGRESSION', 1, gradient({ rounds: 100, tolerance: 0.1, patience: 1 }));
    const other = newTrainer(great);
    other.absorb(statistics(great.task, [1, 1], [100]));
    other.absorb(statistics(great.task, [1, 1], [loss]));
    assert.equal(other.finished, finished);
  }
});

test('never stops early without a tolerance', () => {
  const setting = small('LINEAR_REGRESSION', 1, gradient({ rounds: 30 }));
  const trainer = newTrainer(setting);
  for (let round = 0; round < 30; round += 1) trainer.absorb(statistics(setting.task, [0, 0], [1]));
  assert.equal(trainer.finished, false);
});

const kinds = [
  small('LINEAR_REGRESSION', 2, gradient({ rounds: 6, optimizer: 'momentum' })),
  small('LINEAR_REGRESSION', 2, { training: { l2: 0.01 } }),
  small('LOGISTIC_REGRESSION', 2, gradient({ rounds: 6, optimizer: 'adam', tolerance: 1e-3, patience: 2 })),
  small('SOFTMAX_REGRESSION', 2, gradient({ rounds: 6, optimizer: 'sgd', l2: 0.1 })),
];

test('goes on from its saved state, after a journey as JSON, to the last bit', () => {
  fc.assert(
    fc.property(
      fc
        .constantFrom(...kinds)
        .chain((kind) =>
          fc.tuple(fc.constant(kind), recordsOf(3, fc.nat({ max: 1 }), { minLength: 6, maxLength: 12 })),
        ),
      ([{ model, map, task }, records]) => {
        const whole = createTrainer(model, map, task);
        let broken = createTrainer(model, map, task);
        const step = (trainer: Trainer): void => {
          trainer.absorb(statisticsOf(task, contribution(task, records, trainer.parameters), 1));
        };
        while (!whole.finished) {
          step(whole);
          broken = restoreTrainer(model, map, task, JSON.parse(JSON.stringify(broken.state())) as TrainerState);
          step(broken);
          assert.deepEqual(broken.state(), whole.state());
        }
        const restored = restoreTrainer(model, map, task, JSON.parse(JSON.stringify(whole.state())) as TrainerState);
        assert.deepEqual(
          [restored.parameters, restored.finished, restored.round, restored.metrics],
          [whole.parameters, true, whole.round, whole.metrics],
        );
      },
    ),
    { numRuns: 100 },
  );
});

test('refuses the state of another model', () => {
  const [first, second, third] = kinds;
  if (first === undefined || second === undefined || third === undefined) throw new Error('three kinds');
  const other = small('LINEAR_REGRESSION', 5, gradient({}));
  for (const [state, { model, map, task }] of [
    [newTrainer(first).state(), second],
    [newTrainer(second).state(), first],
    [newTrainer(other).state(), third],
  ] as const) {
    assert.throws(() => restoreTrainer(model, map, task, state), {
      code: 'plan_mismatch',
      field: 'state',
      message: 'state: it was saved by a training of another model',
    });
  }
});

test('refuses statistics of another task', () => {
  const { model, map, task } = small('LOGISTIC_REGRESSION', 2);
  const trainer = createTrainer(model, map, task);
  const wrong: [number, number][] = [
    [2, 2],
    [4, 2],
    [3, 1],
    [3, 0],
  ];
  for (const [length, metrics] of wrong) {
    assert.throws(
      () => {
        trainer.absorb({ weight: 1, statistics: new Float64Array(length), metrics: new Float64Array(metrics) });
      },
      {
        code: 'plan_mismatch',
        field: 'statistics',
        message: `statistics: expected 3 and 2 metrics, not ${length} and ${metrics}`,
      },
    );
  }
  assert.equal(trainer.round, 0);
});

test('refuses to go on from parameters that are no longer numbers', () => {
  const setting = small('LINEAR_REGRESSION', 1, gradient({ optimizer: 'sgd', learning_rate: 1e300 }));
  const trainer = newTrainer(setting);
  assert.throws(
    () => {
      trainer.absorb(statistics(setting.task, [1e300, 0], [1]));
    },
    {
      code: 'number_not_finite',
      field: 'parameters',
      message: 'parameters: no longer finite after round 1; the training diverges: lower training.learning_rate',
    },
  );
  assert.deepEqual([...trainer.parameters], [0, 0]);
});

test('hands out copies: nobody outside changes a training', () => {
  const setting = small('LINEAR_REGRESSION', 1, gradient({}));
  const trainer = newTrainer(setting);
  trainer.parameters.fill(7);
  assert.deepEqual([...trainer.parameters], [0, 0]);
});

test('normal equations: sends nothing, takes one round, and has the fit afterwards', () => {
  const { model, map, task } = small('LINEAR_REGRESSION', 1);
  const trainer = createTrainer(model, map, task);
  assert.deepEqual(
    [trainer.parameters.length, trainer.round, trainer.finished, trainer.metrics],
    [0, 0, false, undefined],
  );
  // y = 0.25 + 0.5·x at x = ±1: Σx = 0, Σy = 1, Σx² = 4, Σxy = 2, Σy² = 2·(0.75² + 0.25²).
  trainer.absorb({ weight: 4, statistics: Float64Array.of(0, 1, 4, 2, 1.25), metrics: new Float64Array(0) });
  assert.deepEqual([[...trainer.parameters], trainer.round, trainer.finished], [[0.25, 0.5], 1, true]);
  assert.deepEqual(trainer.metrics, { loss: 0, mse: 0, r2: 1 });
  assert.throws(
    () => {
      trainer.absorb({ weight: 4, statistics: new Float64Array(5), metrics: new Float64Array(0) });
    },
    { code: 'plan_mismatch' },
  );
});

test('normal equations: the end of any gradient descent on the same data', () => {
  fc.assert(
    fc.property(recordsOf(3, undefined, { minLength: 15, maxLength: 30 }), (records) => {
      const l2 = 0.1;
      const solved = small('LINEAR_REGRESSION', 2, { training: { l2 } });
      const descended = small(
        'LINEAR_REGRESSION',
        2,
        gradient({ l2, rounds: 1000, optimizer: 'momentum', learning_rate: 0.3, momentum: 0.9 }),
      );
      const [exact, near] = [solved, descended].map((setting) => train(setting, [records]));
      for (const [index, value] of exact?.parameters.entries() ?? []) {
        assert.ok(Math.abs(value - (near?.parameters[index] ?? Number.NaN)) < 1e-8);
      }
      assert.ok(Math.abs((exact?.metrics?.loss ?? 0) - (near?.metrics?.loss ?? 1)) < 1e-8);
    }),
    { numRuns: 5 },
  );
});

test('gives the final metrics of the parameters that it gives', () => {
  const setting = small('LOGISTIC_REGRESSION', 2, gradient({ rounds: 20 }));
  fc.assert(
    fc.property(recordsOf(3, fc.nat({ max: 1 }), { minLength: 2, maxLength: 20 }), (records) => {
      const halves = [0, 1].map((owner) =>
        pick(
          records,
          [...records.lines.keys()].filter((line) => line % 2 === owner),
        ),
      );
      const { parameters, metrics, round } = train(setting, halves);
      const [loss, correct] = gradientSums(setting.task.family, records, parameters)
        .subarray(3)
        .map((sum) => sum / records.count);
      assert.equal(round, 20);
      assert.ok(Math.abs((metrics?.loss ?? 0) - (loss ?? 1)) < 1e-11);
      assert.ok(Math.abs((metrics?.accuracy ?? 0) - (correct ?? 1)) < 1e-11);
    }),
    { numRuns: 20 },
  );
});

test('pooled training is the same training: parameters, metrics and rounds', () => {
  // Not Adam: it divides by the size of the gradient, so where the gradient is zero but for rounding, so are its steps.
  const settled = gradient({ rounds: 6, optimizer: 'momentum', tolerance: 1e-3, patience: 2 });
  for (const setting of [
    ...kinds.filter(({ map }) => map.classes?.length !== 2),
    small('LOGISTIC_REGRESSION', 2, settled),
  ]) {
    fc.assert(
      fc.property(recordsOf(3, fc.nat({ max: 1 }), { minLength: 8, maxLength: 20 }), (records) => {
        const halves = [0, 1].map((owner) =>
          pick(
            records,
            [...records.lines.keys()].filter((line) => line % 2 === owner),
          ),
        );
        const trained = train(setting, halves);
        const pooled = trainPooled(setting.model, records);
        assert.equal(pooled.rounds, trained.round);
        for (const [index, value] of pooled.parameters.entries()) {
          assert.ok(Math.abs(value - (trained.parameters[index] ?? Number.NaN)) < 1e-9);
        }
        assert.ok(Math.abs(pooled.metrics.loss - (trained.metrics?.loss ?? Number.NaN)) < 1e-9);
      }),
      { numRuns: 50 },
    );
  }
});

test.run();
