/** What owners add where units take part by chance, the clip adapts or metrics stay at home: within S, exactly, whatever the data. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import type { WeightedVector } from '../../src/encoding/contribution.ts';
import { type ClippingReport, clippedSums, sampleRecords } from '../../src/learning/clipped-sums.ts';
import { gradientSums } from '../../src/learning/families.ts';
import type { Records } from '../../src/learning/features.ts';
import { compileFeatures } from '../../src/learning/features.ts';
import type { Model } from '../../src/learning/model.ts';
import { atClip, contribution, createTask, statisticsOf, type Task } from '../../src/learning/task.ts';
import { createTrainer, restoreTrainer, type TrainerState } from '../../src/learning/trainer.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { nextClip } from '../../src/privacy/adaptive-clipping.ts';
import { CLIP_SCALE } from '../../src/privacy/clipping.ts';
import { chiSquareCritical } from '../privacy/statistics.ts';
import { pick, recordsOf, scaled } from './generators.ts';
import { addUp } from './in-process.ts';
import { small } from './models.ts';

const test = suite('clipped sums');

const S = CLIP_SCALE;
const numRuns = process.env.SLOW === undefined ? 250 : 10_000;

/** With a sign of any size, as `signShare` would find for one noise or another. */
function taskOf(model: Model, sign?: bigint): Task {
  return createTask(model, compileFeatures(model), sign);
}

function modelOf(
  type: 'LINEAR_REGRESSION' | 'LOGISTIC_REGRESSION' | 'SOFTMAX_REGRESSION',
  privacy: object,
  encryption: object = {},
): Model {
  const training = { solver: 'gradient' };
  return small(type, 2, { training, encryption, privacy: { epsilon: 1, delta: 1e-5, ...privacy } }).model;
}

const squaredNorm = ({ weight, values }: WeightedVector): bigint =>
  values.reduce((sum, value) => sum + value * value, weight * weight);

/** Numbers that no honest owner has, and that no dishonest model owner must gain by. */
const anyNumber = fc.oneof(
  fc.double(),
  scaled,
  fc.constantFrom(
    0,
    -0,
    Number.NaN,
    Infinity,
    -Infinity,
    1e308,
    -1e308,
    2 ** -1074,
    -(2 ** -1022),
    2 ** 512,
    2 ** -540,
  ),
);
const wild = (length: number): fc.Arbitrary<Float64Array> =>
  fc.array(anyNumber, { minLength: length, maxLength: length }).map((values) => Float64Array.from(values));

const types = ['LINEAR_REGRESSION', 'LOGISTIC_REGRESSION', 'SOFTMAX_REGRESSION'] as const;
const targetsOf = {
  LINEAR_REGRESSION: scaled,
  LOGISTIC_REGRESSION: fc.nat({ max: 1 }),
  SOFTMAX_REGRESSION: fc.nat({ max: 2 }),
};

for (const type of types)
  for (const metrics of ['summed', 'local'] as const) {
    test(`${type}, metrics ${metrics}: one unit is at most S, sign included, whatever parameters, records and clip`, () => {
      const cases = fc
        .record({
          unit: fc.constantFrom('record' as const, 'owner' as const),
          signed: fc.option(fc.double({ min: 0, max: 0.99, noNaN: true }), { nil: undefined }),
          bits: fc.constantFrom(undefined, 8, 16, 24),
          rounding: fc.constantFrom('nearest', 'stochastic'),
          clip: fc.constantFrom(1, 1e-300, 1e-3, 0.7, 1e9, 1e300),
          wildRecords: fc.boolean(),
        })
        .chain(({ unit, signed, bits, rounding, clip, wildRecords }) => {
          const greatest = bits === undefined ? S : 2n ** BigInt(bits - 1);
          // Only owners have signs.
          const sign =
            unit === 'owner' && signed !== undefined
              ? BigInt(Math.floor(signed * Number(greatest - 2n))) + 1n
              : undefined;
          const encryption = bits === undefined ? {} : { quantization_bits: bits, rounding };
          const model = modelOf(type, { unit, metrics, clip, ...(sign && { adaptive_clip: {} }) }, encryption);
          const task = taskOf(model, sign);
          const size = unit === 'owner' ? { minLength: 1, maxLength: 6 } : { minLength: 1, maxLength: 1 };
          const records = recordsOf(task.width, targetsOf[type], size).chain((tame) =>
            wildRecords
              ? fc
                  .tuple(wild(tame.x.length), wild(tame.count))
                  .map(([x, y]): Records => ({ ...tame, x, y: type === 'LINEAR_REGRESSION' ? y : tame.y }))
              : fc.constant(tame),
          );
          return fc.tuple(fc.constant(task), records, wild(task.parameterCount), fc.constant(greatest));
        });
      fc.assert(
        fc.property(cases, ([task, records, parameters, greatest]) => {
          const vector = contribution(task, records, parameters);
          const norm = squaredNorm(vector);
          assert.ok(norm <= greatest ** 2n, `${norm} is more than ${greatest ** 2n}`);
          assert.equal(vector.weight, task.weightUnit, 'one unit');
          assert.equal(vector.values.length, task.length, 'as long as the task says');
          assert.ok(
            vector.values.every((value) => value <= task.valueBound && value >= -task.valueBound),
            'within the bound of the plan',
          );
          const { sign } = task.clipping ?? {};
          if (sign !== undefined) assert.ok([sign, -sign].includes(vector.values.at(-1) ?? 0n), 'a sign is ±B');
        }),
        { numRuns },
      );
    });
  }

test('metrics that stay at home take nothing of the allowance, and nothing of them leaves', () => {
  const [summed, local] = (['summed', 'local'] as const).map((metrics) =>
    taskOf(modelOf('LOGISTIC_REGRESSION', { metrics })),
  );
  assert.ok(summed?.clipping !== undefined && local?.clipping !== undefined);
  assert.deepEqual([summed.length - summed.statistics, local.length - local.statistics], [2, 0]);
  assert.ok(local.clipping.norm > summed.clipping.norm, 'more is left for the gradient');
  assert.equal(local.clipping.norm ** 2n <= S ** 2n - (S / 4n) ** 2n, true);
  assert.equal(local.rounds, summed.rounds - 1, 'no round to evaluate');
  fc.assert(
    fc.property(
      recordsOf(3, fc.nat({ max: 1 })),
      fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 3, maxLength: 3 }),
      (records, sent) => {
        const parameters = Float64Array.from(sent);
        const reports: ClippingReport[] = [];
        contribution(local, records, parameters, { observe: (report) => reports.push(report) });
        const [report] = reports;
        assert.ok(report !== undefined);
        assert.deepEqual(
          report.metrics.map(({ name }) => name),
          ['loss', 'correct'],
        );
        const sums = gradientSums(local.family, records, parameters);
        for (const [index, { mean }] of report.metrics.entries())
          assert.ok(Math.abs(mean - (sums[3 + index] ?? 0) / records.count) < 1e-12, 'their exact means');
        // Where they are summed, the report has none.
        contribution(summed, records, parameters, {
          observe: ({ metrics }) => {
            assert.deepEqual(metrics, []);
          },
        });
      },
    ),
    { numRuns: 50 },
  );
});

const many = (count: number): Records => ({
  count,
  width: 2,
  x: Float64Array.from({ length: 2 * count }, (_, index) => (index % 2 === 0 ? 1 : index / count - 1)),
  y: new Float64Array(count),
  lines: Int32Array.from({ length: count }, (_, index) => index + 1),
  dropped: 0,
});

test('records that take part are whole, in their order, and add what they would by themselves', () => {
  const task = taskOf(
    small('LINEAR_REGRESSION', 1, {
      training: { solver: 'gradient' },
      privacy: { epsilon: 1, delta: 1e-5, sampling: 0.4 },
    }).model,
  );
  assert.ok(task.clipping !== undefined);
  const all = many(50);
  const parameters = Float64Array.of(0.3, -0.7);
  for (let round = 0; round < 20; round += 1) {
    const sample = sampleRecords(task.clipping, all, systemRandom);
    assert.deepEqual(
      sample,
      pick(
        all,
        [...sample.lines].map((line) => line - 1),
      ),
    );
    const alone = [...sample.lines].map((line) => contribution(task, pick(all, [line - 1]), parameters));
    const none = { weight: 0n, values: new Array<bigint>(task.length).fill(0n) };
    const { weight, sums, report } = clippedSums(task, task.clipping, sample, parameters);
    assert.deepEqual({ weight, values: Array.from(sums, BigInt) }, addUp([none, ...alone]));
    assert.equal(report.units, sample.count);
  }
});

// Chance of failing though right: 1e-6 for χ²; two samples alike have a chance below 2^−480.
test('a fresh sample for every contribution: the same records, other coins', () => {
  const task = taskOf(
    small('LINEAR_REGRESSION', 1, {
      training: { solver: 'gradient' },
      privacy: { epsilon: 1, delta: 1e-5, sampling: 0.5 },
    }).model,
  );
  assert.ok(task.clipping !== undefined);
  const all = many(500);
  const samples = Array.from({ length: 40 }, () => sampleRecords(task.clipping ?? assert.fail(), all, systemRandom));
  assert.equal(new Set(samples.map(({ lines }) => lines.join())).size, 40);
  const hits = new Float64Array(500);
  for (const { lines } of samples) for (const line of lines) hits[line - 1] = (hits[line - 1] ?? 0) + 1;
  const statistic = hits.reduce((sum, count) => sum + (count - 20) ** 2 / 10, 0);
  assert.ok(statistic < chiSquareCritical(500, 1e-6), `${statistic}`);
});

// Chance of failing though right: below 1e-9 (a binomial of 2000 tosses at 0.3 is within 6.2 deviations, 127, of 600).
test('an owner takes part with all of its records or with none, and as none it adds nothing, not even to the count', () => {
  const privacy = { unit: 'owner', sampling: 0.3, adaptive_clip: {} };
  const task = taskOf(modelOf('LINEAR_REGRESSION', privacy), 1000n);
  assert.ok(task.clipping !== undefined);
  const all = { ...many(9), width: 3, x: Float64Array.from({ length: 27 }, (_, index) => index / 27) };
  let took = 0;
  for (let round = 0; round < 2000; round += 1) {
    const sample = sampleRecords(task.clipping, all, systemRandom);
    assert.ok(sample.count === 0 || sample.count === 9, 'all or nothing');
    if (sample.count === 9) took += 1;
    else if (round < 50) {
      const nothing = { weight: 0n, values: new Array<bigint>(task.length).fill(0n) };
      assert.deepEqual(contribution(task, sample, new Float64Array(task.parameterCount)), nothing);
    }
  }
  assert.ok(Math.abs(took - 600) < 127, `${took} of 2000`);
  // A round without anybody has no mean, and what is said of it names the chance.
  const nobody = contribution(task, pick(all, []), new Float64Array(task.parameterCount));
  assert.throws(() => statisticsOf(task, nobody, 3), { code: 'weight_zero', message: /privacy\.sampling/ });
});

test('without sampling every record takes part, and no randomness is asked for', () => {
  const task = taskOf(modelOf('LINEAR_REGRESSION', {}));
  assert.ok(task.clipping !== undefined);
  const all = many(7);
  const sample = sampleRecords(task.clipping, all, () => assert.fail('no coins'));
  assert.equal(sample, all);
});

test('an owner says whether its mean was longer than the clip of the round, and the model owner reads which fraction was not', () => {
  const task = taskOf(modelOf('LINEAR_REGRESSION', { unit: 'owner', adaptive_clip: {} }), 2n ** 18n);
  const owner = (y: number): Records => ({ ...many(1), width: 3, x: Float64Array.of(1, 0, 0), y: Float64Array.of(y) });
  // Gradients of length 0.1, 0.4 and 0.9.
  const owners = [0.1, 0.4, 0.9].map(owner);
  for (const [clip, fraction] of [
    [0.05, 0],
    [0.2, 1 / 3],
    [0.5, 2 / 3],
    [2, 1],
  ] as const) {
    const now = atClip(task, clip);
    const sum = addUp(owners.map((records) => contribution(now, records, new Float64Array(3))));
    const statistics = statisticsOf(now, sum, 3);
    assert.ok(Math.abs((statistics.unclipped ?? Number.NaN) - fraction) < 1e-12, `clip ${clip}`);
    const mean = [0.1, 0.4, 0.9].reduce((total, length) => total + Math.min(length, clip), 0) / 3;
    assert.ok(
      Math.abs((statistics.statistics[0] ?? 0) + mean) < 1e-5,
      `clip ${clip}: the gradient in units of the clip`,
    );
  }
  for (const clip of [0, -1, Number.NaN, Infinity])
    assert.throws(() => atClip(task, clip), { code: 'privacy_invalid', field: 'clip' });
  assert.equal(atClip(task, undefined), task);
});

test('the clip follows its path, and a training that was interrupted anywhere goes on with it', () => {
  const adaptive_clip = { quantile: 0.25, learning_rate: 0.7, count_noise: 5 };
  const training = { solver: 'gradient', rounds: 6, optimizer: 'adam' };
  const { model, map } = small('LINEAR_REGRESSION', 1, {
    training,
    privacy: { rho: 1, unit: 'owner', clip: 3, adaptive_clip },
  });
  const task = createTask(model, map, 2n ** 10n);
  const fractions = [1.4, 1, 0.3, -0.2, 0.25, 0.6, 0.1];
  fc.assert(
    fc.property(fc.nat({ max: 6 }), (interrupted) => {
      let trainer = createTrainer(model, map, task);
      let clip = 3;
      for (const [round, unclipped] of fractions.entries()) {
        if (round === interrupted) {
          const state = JSON.parse(JSON.stringify(trainer.state())) as TrainerState;
          trainer = restoreTrainer(model, map, task, state);
        }
        assert.equal(trainer.clip, clip, `round ${round}`);
        const statistics = {
          weight: 3,
          statistics: Float64Array.of(0.1, 0.2),
          metrics: Float64Array.of(0.5),
          unclipped,
        };
        trainer.absorb(statistics);
        clip = nextClip(clip, unclipped, { target: 0.25, learningRate: 0.7 });
      }
      assert.equal(trainer.finished, true);
      assert.equal(trainer.clip, clip, 'at the end');
    }),
  );
  // By hand: e^(−0.7·(1 − 1/4)) for a fraction that noise took above 1.
  const trainer = createTrainer(model, map, task);
  trainer.absorb({ weight: 3, statistics: Float64Array.of(0, 0), metrics: Float64Array.of(0.5), unclipped: 1.4 });
  assert.ok(Math.abs((trainer.clip ?? 0) - 3 * Math.exp(-0.525)) < 1e-12);
});

test('a clip that falls or grows without end stays one that a round can have', () => {
  for (const [quantile, unclipped] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const adaptive_clip = { quantile, learning_rate: 10, count_noise: 5 };
    const training = { solver: 'gradient', rounds: 200, optimizer: 'sgd' };
    const { model, map } = small('LINEAR_REGRESSION', 1, {
      training,
      privacy: { rho: 1, unit: 'owner', adaptive_clip },
    });
    const task = createTask(model, map, 2n ** 10n);
    const trainer = createTrainer(model, map, task);
    for (let round = 0; round < 150; round += 1) {
      trainer.absorb({ weight: 3, statistics: Float64Array.of(0, 0), metrics: Float64Array.of(0.5), unclipped });
      const now = atClip(task, trainer.clip);
      const records = { ...many(1), x: Float64Array.of(1, 0.5), y: Float64Array.of(0.3) };
      const { statistics } = statisticsOf(now, contribution(now, records, Float64Array.of(0, 0)), 1);
      assert.ok(statistics.every(Number.isFinite), `round ${round}, clip ${trainer.clip}`);
    }
  }
});

test.run();
