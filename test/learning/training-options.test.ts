/** Penalties, freezing, warm starts, early stopping and folds: a federated training equals the pooled one with the same options. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { CrossValidation } from '../../src/learning/cross-validation.ts';
import { gradientSums } from '../../src/learning/families.ts';
import { rowsOf } from '../../src/learning/features.ts';
import { type PooledFit, trainPooled } from '../../src/learning/pooled.ts';
import { parametersInDataUnits, predict } from '../../src/learning/prediction.ts';
import { joinRecords, recordsInPart } from '../../src/learning/records.ts';
import { contribution, statisticsOf } from '../../src/learning/task.ts';
import { createTrainer, restoreTrainer, type Trainer, type TrainerState } from '../../src/learning/trainer.ts';
import { linearSample, logisticSample, type Sample, softmaxSample, textOf } from '../end-to-end/data.ts';
import { addUp, deal, prepare, type Setting, train } from './in-process.ts';

const test = suite('options of a training');

const samples: Readonly<Record<string, Sample>> = {
  linear: linearSample(150),
  logistic: logisticSample(150),
  softmax: softmaxSample(150),
};

function settingOf(name: string, training: object, rest: object = {}): Promise<Setting> {
  const sample = samples[name];
  if (sample === undefined) throw new Error(name);
  return prepare({ ...sample.document, training, ...rest }, { text: textOf(sample) });
}

const gradient = { solver: 'gradient', rounds: 60, optimizer: 'adam', learning_rate: 0.05 };

/** The greatest |a − b| over all parameters, scaled. */
function apart(left: ArrayLike<number>, right: ArrayLike<number>): number {
  assert.equal(left.length, right.length);
  return Math.max(...Array.from(left, (value, index) => Math.abs(value - (right[index] ?? Number.NaN))));
}

function bothWays(setting: Setting, owners = 3): { trained: Trainer; pooled: PooledFit } {
  const dealt = deal(setting, owners);
  const [trained, pooled] = [train(setting, dealt), trainPooled(setting.model, dealt)];
  assert.ok(apart(trained.parameters, pooled.parameters) < 1e-6, `${apart(trained.parameters, pooled.parameters)}`);
  assert.deepEqual(Object.keys({ ...trained.metrics }), Object.keys(pooled.metrics));
  assert.ok(apart(Object.values({ ...trained.metrics }), Object.values(pooled.metrics)) < 1e-4);
  assert.equal(trained.keptRound, pooled.keptRound);
  assert.equal(trained.round, pooled.rounds);
  return { trained, pooled };
}

for (const name of Object.keys(samples))
  for (const [optimizer, learning_rate] of [
    ['sgd', 0.8],
    ['momentum', 0.2],
    ['adam', 0.01],
  ] as const)
    test(`${name}, ${optimizer}: an L1 penalty settles where its conditions of optimality hold, with exact zeros`, async () => {
      const training = { ...gradient, optimizer, learning_rate, l1: 0.03, l2: 0.01 };
      bothWays(await settingOf(name, { ...training, rounds: 40 }));
      const { model, task, records } = await settingOf(name, { ...training, rounds: 2000 });
      const { parameters } = trainPooled(model, records);
      const slopes = gradientSums(task.family, records, parameters).map((sum) => sum / records.count);
      for (const [index, value] of parameters.entries()) {
        const slope = (slopes[index] ?? Number.NaN) + (index % task.width === 0 ? 0 : 0.01 * value);
        if (index % task.width === 0) assert.ok(Math.abs(slope) < 1e-5, `intercept: ${slope}`);
        else if (value === 0) assert.ok(Math.abs(slope) <= 0.03 + 1e-6, `${index}: ${slope}`);
        else assert.ok(Math.abs(slope + 0.03 * Math.sign(value)) < 1e-5, `${index}: ${value}, ${slope}`);
      }
      assert.ok(
        parameters.some((value) => value === 0),
        'some are zero',
      );
    });

test('normal equations with penalties are where gradient descent arrives, zeros included', async () => {
  const both = { l1: 0.02, l2: 0.005 };
  const exact = await settingOf('linear', { solver: 'normal-equations', ...both });
  const { trained, pooled } = bothWays(exact);
  const descended = await settingOf('linear', {
    ...gradient,
    optimizer: 'sgd',
    learning_rate: 0.8,
    rounds: 1500,
    ...both,
  });
  assert.ok(apart(pooled.parameters, trainPooled(descended.model, descended.records).parameters) < 1e-8);
  assert.ok(trained.parameters.includes(0) && !trained.parameters.every((value) => value === 0));
  const heavy = bothWays(await settingOf('linear', { solver: 'normal-equations', l1: 10 }));
  assert.deepEqual([...heavy.trained.parameters.subarray(1)], [0, 0, 0, 0]);
});

for (const name of Object.keys(samples)) {
  test(`${name}: what is frozen stays, is not sent, and what is given to begin with is begun with`, async () => {
    const begun = await settingOf(name, gradient);
    const { trained } = bothWays(begun);
    const initial_parameters = parametersInDataUnits(begun.model, begun.map, trained.parameters);
    const freeze = ['age', 'ward'];
    const short = { ...gradient, rounds: 15 };
    const setting = await settingOf(name, { ...short, initial_parameters, freeze, l1: 0.01, l2: 0.01 });
    const next = bothWays(setting);
    const { task } = setting;
    const { outputs } = task.family;
    // Age, and two of three wards.
    assert.equal(task.statistics, outputs * 2);
    assert.equal(task.parameterCount, outputs * 5);
    assert.equal(task.names().filter((each) => /age|ward/.test(each)).length, 0);
    assert.equal(contribution(task, setting.records, trained.parameters).values.length, task.length);
    for (const [index, value] of trained.parameters.entries()) {
      const stays = [1, 3, 4].includes(index % 5);
      const moved = Math.abs((next.trained.parameters[index] ?? Number.NaN) - value);
      assert.ok(stays ? moved < 2 ** -38 : moved > 1e-6, `${index}: ${moved}`);
    }
    // Nothing to do: the first round measures what the last of the other training did.
    const resumed = createTrainer(setting.model, setting.map, task);
    assert.ok(apart(resumed.parameters, trained.parameters) < 2 ** -38);
  });

  test(`${name}: columns may come in another order, and in scaled units`, async () => {
    const begun = await settingOf(name, gradient);
    const { parameters } = train(begun, deal(begun, 2));
    const given = parametersInDataUnits(begun.model, begun.map, parameters);
    const reversed = (row: readonly number[]): number[] => [...row].reverse();
    const rows = given.coefficients;
    const documents = [
      given,
      {
        ...given,
        columns: reversed(given.columns.map((_, index) => index)).map((index) => given.columns[index]),
        coefficients: rows.map((row) => (typeof row === 'number' ? row : reversed(row))),
      },
      {
        ...given,
        units: 'scaled',
        coefficients: Array.isArray(rows[0])
          ? rows.map((_, output) => [...parameters.subarray(output * 5, output * 5 + 5)])
          : [...parameters],
      },
    ];
    if (!Array.isArray(rows[0])) Object.assign(documents[1] ?? {}, { coefficients: reversed(rows as number[]) });
    for (const initial_parameters of documents) {
      const { model, map, task } = await settingOf(name, { ...gradient, initial_parameters });
      assert.ok(apart(createTrainer(model, map, task).parameters, parameters) < 2 ** -36);
    }
  });
}

const validation = { fraction: 0.3, patience: 4 };

for (const name of Object.keys(samples))
  test(`${name}: stops when the loss on what is held out stops falling, and keeps the best`, async () => {
    // So great a step that the loss rises again.
    const training = { ...gradient, optimizer: 'sgd', learning_rate: name === 'linear' ? 1.8 : 40, rounds: 200 };
    const setting = await settingOf(name, { ...training, validation });
    const { trained } = bothWays(setting);
    assert.ok(trained.round < 200, 'it stopped');
    assert.equal(trained.keptRound, trained.round - validation.patience);
    assert.notDeepEqual(trained.metrics, trained.evaluated);
    const { validation_loss: kept = 0 } = trained.metrics ?? {};
    assert.ok(kept < (trained.evaluated?.validation_loss ?? 0));
    // Among all rounds it is the least, and that of the parameters that are kept.
    const heldOut = recordsInPart(joinRecords(deal(setting, 3)), 1);
    assert.ok(heldOut.count > 20 && heldOut.count < 70, `${heldOut.count}`);
    const sums = gradientSums(setting.task.family, heldOut, trained.parameters);
    assert.ok(Math.abs((sums[setting.task.parameterCount] ?? 0) / heldOut.count - kept) < 1e-9);
  });

test('without an improvement of at least so much it stops earlier, and a training that goes on improving runs to its end', async () => {
  const training = { ...gradient, optimizer: 'sgd', learning_rate: 0.2, rounds: 50 };
  const whole = bothWays(await settingOf('linear', { ...training, validation })).trained;
  assert.deepEqual([whole.round, whole.keptRound], [50, 50]);
  const short = bothWays(
    await settingOf('linear', { ...training, validation: { ...validation, minimum_improvement: 0.001 } }),
  ).trained;
  assert.ok(short.round < 50 && short.keptRound === short.round - validation.patience);
});

test('a training that is broken off in any round goes on as if it had not been: what was best is remembered', async () => {
  const training = { ...gradient, optimizer: 'momentum', learning_rate: 0.3, rounds: 40, l1: 0.01, freeze: ['age'] };
  const setting = await settingOf('linear', { ...training, validation });
  const { model, map, task } = setting;
  const owners = deal(setting, 3);
  const expected = train(setting, owners);
  let trainer = createTrainer(model, map, task);
  while (!trainer.finished) {
    const { parameters } = trainer;
    trainer.absorb(statisticsOf(task, addUp(owners.map((records) => contribution(task, records, parameters))), 3));
    trainer = restoreTrainer(model, map, task, JSON.parse(JSON.stringify(trainer.state())) as TrainerState);
  }
  assert.deepEqual(trainer.parameters, expected.parameters);
  assert.deepEqual([trainer.metrics, trainer.keptRound], [expected.metrics, expected.keptRound]);
});

test('quantised sums count and measure what is held out too', async () => {
  const training = { ...gradient, optimizer: 'sgd', learning_rate: 0.3, rounds: 10, validation };
  const rest = { encryption: { quantization_bits: 24 }, participation: { max_records: 150 } };
  for (const name of Object.keys(samples)) {
    const setting = await settingOf(name, training, rest);
    const dealt = deal(setting, 3);
    const trained = train(setting, dealt);
    const { metrics } = trainPooled(setting.model, dealt);
    const { validation_loss: loss = 0, validation_accuracy: accuracy = 0 } = trained.metrics ?? {};
    assert.ok(Math.abs(loss - (metrics.validation_loss ?? 1)) < 1e-4);
    assert.ok(Math.abs(accuracy - (metrics.validation_accuracy ?? 0)) < 1e-4);
  }
});

test('says that nothing is held out', async () => {
  const { document, rows, header } = linearSample(3);
  const training = { ...gradient, validation: { fraction: 0.05, seed: 1 } };
  const setting = await prepare({ ...document, training }, { text: [header, ...rows].join('\n') });
  assert.throws(() => train(setting, deal(setting, 2)), {
    code: 'weight_zero',
    field: 'training.validation.fraction',
    message: 'validation: no record is held out: raise training.validation.fraction, or change its seed',
  });
});

for (const penalties of [{}, { l1: 0.01, l2: 0.001 }])
  test(`every fold is fitted and measured as if by itself: ${JSON.stringify(penalties)}`, async () => {
    const training = { solver: 'normal-equations', ...penalties };
    const setting = await settingOf('linear', { ...training, cross_validation: { folds: 4, seed: 3 } });
    const { trained, pooled } = bothWays(setting);
    const crossed = trained.crossValidation;
    assert.ok(crossed !== undefined && crossed.folds.length === 4);
    const numbers = (each: CrossValidation | undefined): number[] =>
      [...(each?.folds ?? []), each?.mean, each?.standard_deviation].flatMap(
        (part) =>
          JSON.stringify(part)
            .match(/-?\d[\d.e-]*/g)
            ?.map(Number) ?? [],
      );
    assert.ok(apart(numbers(crossed), numbers(pooled.crossValidation)) < 1e-6);
    // The whole fit is the one without folds.
    const { model, map, records } = await settingOf('linear', training);
    assert.ok(apart(trained.parameters, trainPooled(model, records).parameters) < 1e-9);
    const divided = joinRecords(deal(setting, 3));
    const losses = crossed.folds.map((fold, index) => {
      const rest = [0, 1, 2, 3].filter((each) => each !== index).map((each) => recordsInPart(divided, each));
      const { parameters } = trainPooled(model, rest);
      const own = recordsInPart(divided, index);
      assert.equal(fold.records, own.count);
      const predictions = predict(model, map, parameters, rowsOf(own));
      const errors = predictions.map((value, at) => (Number(value) - (50 + 100 * (own.y[at] ?? 0))) ** 2);
      return errors.reduce((sum, error) => sum + error, 0) / own.count;
    });
    for (const [index, mse] of losses.entries())
      assert.ok(Math.abs((crossed.folds[index]?.metrics.mse ?? 0) / mse - 1) < 1e-7);
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / 4;
    assert.ok(Math.abs((crossed.mean.mse ?? 0) / mean - 1) < 1e-7);
    const deviation = Math.sqrt(losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0) / 4);
    assert.ok(Math.abs((crossed.standard_deviation.mse ?? 0) / deviation - 1) < 1e-6);
  });

test('a fold whose level is nowhere else is named, and so is an empty one', async () => {
  const { document, header } = linearSample(1);
  const training = { solver: 'normal-equations', cross_validation: { folds: 3 } };
  const common = Array.from({ length: 40 }, (_, index) => `${index},${index % 7},north,${index}`);
  const few = await prepare(
    { ...document, training },
    { text: [header, ...common, '50,3,south,20', '60,4,west,10', '61,5,west,10'].join('\n') },
  );
  const fold = 1 + (few.records.parts?.at(40) ?? -1);
  assert.throws(() => train(few, [few.records]), {
    code: 'matrix_singular',
    field: 'ward=south',
    message: new RegExp(`^cross-validation without fold ${fold}: column ward=south: over all records it is constant`),
  });
  const tiny = await prepare({ ...document, training }, { text: [header, ...common.slice(0, 1)].join('\n') });
  assert.throws(() => train(tiny, [tiny.records]), { code: 'weight_zero', field: 'training.cross_validation.folds' });
});

test.run();
