/** Contributions under differential privacy: the sensitivity that the noise is calibrated to is exact, not up to rounding. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import type { WeightedVector } from '../../src/encoding/contribution.ts';
import type { ClippingReport } from '../../src/learning/clipped-sums.ts';
import { gradientSums } from '../../src/learning/families.ts';
import type { Records } from '../../src/learning/features.ts';
import { triangleSums } from '../../src/learning/normal-equations.ts';
import { contribution, statisticsOf } from '../../src/learning/task.ts';
import { CLIP_SCALE } from '../../src/privacy/clipping.ts';
import { pick, recordsOf, scaled } from './generators.ts';
import { addUp } from './in-process.ts';
import type { Small } from './models.ts';
import { small } from './models.ts';

const test = suite('task under differential privacy');

const allowance = CLIP_SCALE ** 2n;
const gradient = { solver: 'gradient' };

const settings: [string, (clip?: number) => Small, fc.Arbitrary<number>][] = [
  [
    'linear by gradient',
    (clip) => small('LINEAR_REGRESSION', 3, { training: gradient, privacy: { rho: 1, clip } }),
    scaled,
  ],
  ['normal equations', (clip) => small('LINEAR_REGRESSION', 3, { privacy: { rho: 1, clip } }), scaled],
  ['logistic', (clip) => small('LOGISTIC_REGRESSION', 3, { privacy: { rho: 1, clip } }), fc.nat({ max: 1 })],
  ['softmax', (clip) => small('SOFTMAX_REGRESSION', 3, { privacy: { rho: 1, clip } }), fc.nat({ max: 2 })],
];

const squaredNorm = ({ weight, values }: WeightedVector): bigint =>
  values.reduce((sum, value) => sum + value * value, weight * weight);

/** Parameters from tame to absurd: an owner must clip whatever the model owner sends. */
const parametersOf = (length: number): fc.Arbitrary<Float64Array> =>
  fc
    .array(
      fc.oneof(
        fc.double({ min: -2, max: 2, noNaN: true }),
        fc.double({ min: -1e3, max: 1e3, noNaN: true }),
        fc.double(),
        fc.constantFrom(1e308, -1e308, 1e-308, Number.NaN, Number.POSITIVE_INFINITY),
      ),
      { minLength: length, maxLength: length },
    )
    .map((values) => Float64Array.from(values));

for (const [name, make, targets] of settings) {
  test(`${name}: no record weighs more than S, weight and metrics included`, () => {
    const clips = fc.constantFrom(undefined, 1, 1e-3, 0.7, 100, 1e9);
    fc.assert(
      fc.property(
        clips.chain((clip) => {
          const { task } = make(clip);
          return fc.tuple(
            fc.constant(task),
            recordsOf(task.width, targets, { minLength: 1, maxLength: 1 }),
            parametersOf(task.parameterCount),
          );
        }),
        ([task, records, parameters]) => {
          const vector = contribution(task, records, parameters);
          assert.ok(squaredNorm(vector) <= allowance);
          assert.equal(vector.weight, CLIP_SCALE / 4n);
          assert.equal(vector.values.length, task.length);
          assert.ok(vector.values.every((value) => value <= task.valueBound && value >= -task.valueBound));
        },
      ),
      { numRuns: 1500 },
    );
  });

  test(`${name}: records are rounded before they are summed`, () => {
    const { task } = make();
    fc.assert(
      fc.property(recordsOf(task.width, targets), parametersOf(task.parameterCount), (records, parameters) => {
        const alone = [...records.lines.keys()].map((position) =>
          contribution(task, pick(records, [position]), parameters),
        );
        assert.deepEqual(contribution(task, records, parameters), addUp(alone));
      }),
      { numRuns: 200 },
    );
  });

  test(`${name}: without noise and within the clip, the statistics come back`, () => {
    // Normal equations: by default no record within range is clipped. Gradients: a clip beyond what these parameters reach.
    const { task } = make(name === 'normal equations' ? undefined : 50);
    const parameters = fc
      .array(fc.double({ min: -0.3, max: 0.3, noNaN: true }), {
        minLength: task.parameterCount,
        maxLength: task.parameterCount,
      })
      .map((values) => Float64Array.from(values));
    fc.assert(
      fc.property(recordsOf(task.width, targets), parameters, (records, sent) => {
        const { weight, statistics, metrics } = statisticsOf(task, contribution(task, records, sent), 1);
        assert.equal(weight, records.count);
        // Half a unit per record and another for the mean; normal equations give sums.
        if (task.solver === 'normal-equations') {
          for (const [index, sum] of triangleSums(records).entries()) {
            const error = Math.abs((statistics[index] ?? 0) - sum);
            assert.ok(error <= (records.count * 1.001) / task.scale, `${error * task.scale}`);
          }
          return;
        }
        const means = gradientSums(task.family, records, sent).map((sum) => sum / records.count);
        for (const [index, mean] of statistics.entries()) {
          assert.ok(Math.abs(mean - (means[index] ?? 0)) <= 1.001 / task.scale);
        }
        for (const [index, metric] of metrics.entries()) {
          const unit = 1 / (task.clipping?.metricScales[index] ?? 0);
          assert.ok(Math.abs(metric - (means[task.statistics + index] ?? 0)) <= unit / 2 + 1e-12);
        }
      }),
      { numRuns: 300 },
    );
  });
}

test('divides the allowance: a quarter for the record, an eighth for each metric, the rest for the statistics', () => {
  const S = 2 ** 20;
  const linear = small('LINEAR_REGRESSION', 3, { training: gradient, privacy: { rho: 1, clip: 2 } }).task;
  const equations = small('LINEAR_REGRESSION', 3, { privacy: { rho: 1 } }).task;
  const logistic = small('LOGISTIC_REGRESSION', 3, { privacy: { rho: 1 } }).task;
  for (const [task, metrics] of [
    [equations, 0],
    [linear, 1],
    [logistic, 2],
  ] as const) {
    const norm = task.clipping?.norm ?? 0n;
    const left = allowance - BigInt(S / 4) ** 2n - BigInt(metrics) * BigInt(S / 8) ** 2n;
    assert.ok(norm ** 2n <= left && (norm + 1n) ** 2n > left);
    assert.equal(task.valueBound, norm);
    assert.equal(task.weightUnit, 2n ** 18n);
    assert.equal(task.scale, Number(norm) / (task.clipping?.clip ?? 0));
  }
  assert.deepEqual(linear.clipping?.metricScales, [S / 8 / 2]);
  assert.deepEqual(logistic.clipping?.metricScales, [S / 8 / 4, S / 8]);
});

const one = (x: readonly number[], y: number): Records => ({
  count: 1,
  width: x.length,
  x: Float64Array.from(x),
  y: Float64Array.of(y),
  lines: Int32Array.of(1),
  dropped: 0,
});

test('uses the allowance up: a clipped record with the greatest metrics is within a millionth of S', () => {
  const { task } = small('LOGISTIC_REGRESSION', 3, { privacy: { rho: 1, clip: 1e-3 } });
  const vector = contribution(task, one([1, 0.9, -0.3, 0.7], 0), Float64Array.of(1e4, 0, 0, 0));
  // Beyond its bound the loss counts as the most, S/8.
  assert.equal(vector.values.at(-2), CLIP_SCALE / 8n);
  assert.equal(vector.values.at(-1), 0n);
  const right = contribution(task, one([1, 0.9, -0.3, 0.7], 0), Float64Array.of(-3, 0, 0, 0));
  assert.equal(right.values.at(-1), CLIP_SCALE / 8n);
  for (const { weight, values } of [vector, right]) {
    // With both metrics at their most.
    const full = { weight, values: [...values.slice(0, -2), CLIP_SCALE / 8n, CLIP_SCALE / 8n] };
    assert.ok(squaredNorm(full) <= allowance && squaredNorm(full) > allowance - allowance / 500_000n);
  }
});

test('cuts long gradients to the clip and leaves their direction', () => {
  const { task } = small('LINEAR_REGRESSION', 3, { training: gradient, privacy: { rho: 1, clip: 0.5 } });
  const { statistics } = statisticsOf(
    task,
    contribution(task, one([1, 0.5, -1, 0], 1), Float64Array.of(-1, 0, 0, 0)),
    1,
  );
  // The gradient is −2·(1, 0.5, −1, 0), of length 3.
  for (const [index, value] of [-1 / 3, -1 / 6, 1 / 3, 0].entries()) {
    assert.ok(Math.abs((statistics[index] ?? 0) - value) < 1e-5);
  }
});

test('a record whose gradient is not a number contributes its weight and nothing else but the greatest metrics', () => {
  const { task } = small('LINEAR_REGRESSION', 1, { training: gradient, privacy: { rho: 1 } });
  const vector = contribution(task, one([1, 1], 0), Float64Array.of(Number.NaN, 0));
  assert.deepEqual(vector, { weight: CLIP_SCALE / 4n, values: [0n, 0n, CLIP_SCALE / 8n] });
});

test('never sends the count as a plain number: only as a weight that takes its share of the noise', () => {
  // Records that are all alike, with nothing but zeros to learn from: nothing but the weight may tell how many there are.
  const counts = [1, 2, 17];
  for (const make of [settings[0], settings[1]]) {
    const { task } = make?.[1]() ?? small('LINEAR_REGRESSION', 3, { privacy: { rho: 1 } });
    for (const count of counts) {
      const records: Records = {
        ...one([1, 0, 0, 0], 0),
        count,
        x: Float64Array.from({ length: 4 * count }, (_, index) => Number(index % 4 === 0)),
        y: new Float64Array(count),
      };
      const vector = contribution(task, records, new Float64Array(task.parameterCount));
      assert.deepEqual(vector, {
        weight: (BigInt(count) * CLIP_SCALE) / 4n,
        values: new Array<bigint>(task.length).fill(0n),
      });
    }
    assert.equal(task.names().includes('intercept × intercept'), false);
  }
});

test('an owner is one unit: no longer than S however many records it has, of weight one; of a mean only finite records are part', () => {
  const { task } = small('LINEAR_REGRESSION', 2, { training: gradient, privacy: { rho: 1, unit: 'owner' } });
  fc.assert(
    fc.property(recordsOf(3), parametersOf(3), (records, parameters) => {
      const vector = contribution(task, records, parameters);
      assert.equal(vector.weight, CLIP_SCALE / 4n);
      const norm = squaredNorm(vector);
      assert.ok(norm <= allowance, `${norm} is more than ${allowance}`);
    }),
    { numRuns: 200 },
  );
  // With parameters this large the first record's statistics are no finite numbers, and the second's are.
  const parameters = Float64Array.of(1e308, 1e308, 0);
  const y = Float64Array.of(0, 0.25);
  const two: Records = { ...one([1, 1, 0], 0), count: 2, x: Float64Array.of(1, 1, 0, 1, -1, 0), y };
  const reports: ClippingReport[] = [];
  const vector = contribution(task, two, parameters, { observe: (report) => reports.push(report) });
  assert.deepEqual(reports, [{ units: 1, clipped: 0, notFinite: 1, metrics: [] }]);
  assert.ok(vector.values.some((value) => value !== 0n));
  // Of two records one counts as zeros: the mean is half of what the other alone has.
  const alone = contribution(task, { ...one([1, -1, 0], 0.25) }, parameters);
  for (const [index, value] of vector.values.entries()) {
    const difference = 2n * value - (alone.values[index] ?? 0n);
    assert.ok(difference >= -2n && difference <= 2n, `value ${index}`);
  }
});

test.run();
