import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { suite } from 'uvu';
import { roundHalfEven, toFixedPoint } from '../../src/encoding/fixed-point.ts';
import type { FeatureMap, Records } from '../../src/learning/features.ts';
import { compileFeatures } from '../../src/learning/features.ts';
import { parseModel } from '../../src/learning/model.ts';
import {
  exactTriangleSums,
  noiseRidge,
  recordTriangle,
  solveNormalEquations,
  triangleLength,
  triangleNames,
  triangleSums,
} from '../../src/learning/normal-equations.ts';
import { pick, recordsOf, scaled } from './generators.ts';

const test = suite('normal equations');

/** Columns x1, x2, … and a target, all within [−1, 1] already. */
function mapOf(width: number): FeatureMap {
  const features = Array.from({ length: width - 1 }, (_, index) => ({
    name: `x${index + 1}`,
    type: 'continuous',
    range: [-1, 1],
  }));
  const target = { name: 'y', range: [-1, 1] };
  return compileFeatures(parseModel({ model_type: 'LINEAR_REGRESSION', data_props: { features, target } }));
}

function recordsFrom(rows: readonly (readonly number[])[], y: readonly number[]): Records {
  return {
    count: rows.length,
    width: (rows[0]?.length ?? 0) + 1,
    x: Float64Array.from(rows.flatMap((row) => [1, ...row])),
    y: Float64Array.from(y),
    lines: Int32Array.from(y, (_, index) => index + 1),
    dropped: 0,
  };
}

/** The sums with nothing but big integers, as they are defined. */
function plainSums(records: Records, fractionBits: number): bigint[] {
  const sums = new Array<bigint>(triangleLength(records.width)).fill(0n);
  for (let index = 0; index < records.count; index += 1) {
    const row = records.x.subarray(index * records.width, (index + 1) * records.width);
    const z = toFixedPoint([...row, records.y[index] ?? 0], 2 ** fractionBits);
    let position = -1;
    for (const [i, a] of z.entries()) {
      for (const b of z.slice(i)) {
        if (position >= 0) sums[position] = (sums[position] ?? 0n) + a * b;
        position += 1;
      }
    }
  }
  return sums;
}

test('lays the triangle out row by row, without its first entry', () => {
  assert.deepEqual(triangleNames(['intercept', 'age'], 'stay'), [
    'intercept × age',
    'intercept × stay',
    'age × age',
    'age × stay',
    'stay × stay',
  ]);
  for (const width of [1, 2, 3, 11]) {
    const columns = Array.from({ length: width }, (_, index) => `x${index}`);
    assert.equal(triangleNames(columns, 'y').length, triangleLength(width));
  }
  const into = new Float64Array(5);
  recordTriangle(Float64Array.of(1, 3), 5, into);
  assert.deepEqual([...into], [3, 5, 9, 15, 25]);
});

test('sums exactly, at every number of fraction bits', () => {
  fc.assert(
    fc.property(recordsOf(4), fc.integer({ min: 16, max: 48 }), (records, fractionBits) => {
      assert.deepEqual(exactTriangleSums(records, fractionBits), plainSums(records, fractionBits));
    }),
    { numRuns: 500 },
  );
});

test('sums exactly beyond the records that fit one block of doubles, at the bound', () => {
  // Doubles hold 2^(53 − f) records: 32 at 48 bits, 64 at 47, 8192 at 40.
  for (const [count, fractionBits] of [
    [31, 48],
    [32, 48],
    [33, 48],
    [1000, 48],
    [1000, 47],
    [20_000, 40],
  ] as const) {
    const ones = recordsFrom(
      Array.from({ length: count }, () => [1, -1]),
      new Array<number>(count).fill(-1),
    );
    const unit = BigInt(count) << BigInt(2 * fractionBits);
    assert.deepEqual(
      exactTriangleSums(ones, fractionBits),
      [1n, -1n, -1n, 1n, -1n, -1n, 1n, 1n, 1n].map((sign) => sign * unit),
    );
    // Odd low halves, and odd high halves whose squares fill the block to its last bit.
    for (const near of [1 - 2 ** -fractionBits, 1 - 2 ** -Math.floor(fractionBits / 2)]) {
      const rows = Array.from({ length: count }, () => [near, -near]);
      const nearOnes = recordsFrom(rows, new Array<number>(count).fill(near));
      assert.deepEqual(exactTriangleSums(nearOnes, fractionBits), plainSums(nearOnes, fractionBits));
    }
  }
});

test('sums the same integers however the records are ordered and split', () => {
  const split = recordsOf(4, scaled, { minLength: 3, maxLength: 40 }).chain((records) =>
    fc.record({
      records: fc.constant(records),
      owners: fc.array(fc.nat({ max: 4 }), { minLength: records.count, maxLength: records.count }),
      order: fc.shuffledSubarray([...records.lines.keys()], { minLength: records.count }),
    }),
  );
  fc.assert(
    fc.property(split, ({ records, owners, order }) => {
      const whole = exactTriangleSums(records, 40);
      const parts = [0, 1, 2, 3, 4].map((owner) =>
        exactTriangleSums(
          pick(
            records,
            order.filter((position) => owners[position] === owner),
          ),
          40,
        ),
      );
      assert.deepEqual(
        whole,
        whole.map((_, index) => parts.reduce((sum, part) => sum + (part[index] ?? 0n), 0n)),
      );
    }),
    { numRuns: 300 },
  );
});

test('rounds to integers as the fixed-point encoding does', () => {
  const ties = fc.integer({ min: -(2 ** 40), max: 2 ** 40 }).map((half) => half / 2);
  fc.assert(
    fc.property(fc.oneof(ties, fc.double({ min: -(2 ** 48), max: 2 ** 48, noNaN: true })), (value) => {
      assert.equal(BigInt(roundHalfEven(value)), toFixedPoint([value], 1)[0]);
    }),
    { numRuns: 2000 },
  );
});

test('finds the line through points, and what is left of it', () => {
  // y = 0.25 + 0.5·x exactly, then with errors ±0.125 that are orthogonal to the intercept and to x.
  const rows = [[-1], [-1], [1], [1]];
  const exact = recordsFrom(rows, [-0.25, -0.25, 0.75, 0.75]);
  const fit = solveNormalEquations(mapOf(2), triangleSums(exact), 4, { l1: 0, l2: 0 }, 0);
  assert.deepEqual([...fit.parameters], [0.25, 0.5]);
  assert.equal(fit.metrics.loss, 0);
  assert.equal(fit.metrics.r2, 1);
  const noisy = recordsFrom(rows, [-0.375, -0.125, 0.625, 0.875]);
  const rough = solveNormalEquations(mapOf(2), triangleSums(noisy), 4, { l1: 0, l2: 0 }, 0);
  assert.deepEqual([...rough.parameters], [0.25, 0.5]);
  assert.equal(rough.metrics.loss, 2 ** -7);
  assert.equal(rough.metrics.mse, 2 ** -6);
  assert.ok(Math.abs((rough.metrics.r2 ?? 0) - (1 - 2 ** -6 / (0.25 + 2 ** -6))) < 1e-15);
});

test('solves (XᵀX/n + λI)θ = Xᵀy/n with the intercept free of the penalty', () => {
  fc.assert(
    fc.property(
      recordsOf(3, scaled, { minLength: 8, maxLength: 30 }),
      fc.double({ min: 0.01, max: 10, noNaN: true }),
      (records, l2) => {
        const fit = solveNormalEquations(mapOf(3), triangleSums(records), records.count, { l1: 0, l2 }, 0);
        const { parameters } = fit;
        const slope = new Float64Array(3);
        let loss = 0;
        for (let index = 0; index < records.count; index += 1) {
          const row = records.x.subarray(index * 3, index * 3 + 3);
          const error =
            row.reduce((sum, value, column) => sum + value * (parameters[column] ?? 0), 0) - (records.y[index] ?? 0);
          loss += error ** 2 / 2 / records.count;
          for (let column = 0; column < 3; column += 1)
            slope[column] = (slope[column] ?? 0) + error * (row[column] ?? 0);
        }
        for (let column = 0; column < 3; column += 1) {
          const penalty = column === 0 ? 0 : l2 * (parameters[column] ?? 0);
          assert.ok(Math.abs((slope[column] ?? 0) / records.count + penalty) < 1e-12);
        }
        // The loss is that of the records alone.
        assert.ok(Math.abs(fit.metrics.loss - loss) < 1e-12);
      },
    ),
    { numRuns: 300 },
  );
});

/** What makes a fit ambiguous, and the column that is to be named. */
const ambiguous: [string, Records, string][] = [
  [
    'a column twice',
    recordsFrom(
      [
        [0.1, 0.1],
        [0.5, 0.5],
        [-0.3, -0.3],
        [0.9, 0.9],
      ],
      [0, 1, 0.5, -1],
    ),
    'x2',
  ],
  [
    'a combination',
    recordsFrom(
      [
        [0.1, 0.45],
        [0.5, 0.25],
        [-0.3, 0.65],
        [0.9, 0.05],
      ],
      [0, 1, 0.5, -1],
    ),
    'x2',
  ],
  [
    'a constant column',
    recordsFrom(
      [
        [0.3, 0.1],
        [0.3, 0.2],
        [0.3, -0.7],
        [0.3, 0.9],
      ],
      [0, 1, 0.5, -1],
    ),
    'x1',
  ],
  [
    'a level that nobody has',
    recordsFrom(
      [
        [0.1, 0],
        [0.5, 0],
        [-0.3, 0],
        [0.9, 0],
      ],
      [0, 1, 0.5, -1],
    ),
    'x2',
  ],
  [
    'fewer records than columns',
    recordsFrom(
      [
        [0.1, 0.4],
        [0.5, -0.4],
      ],
      [0, 1],
    ),
    'x2',
  ],
];

test('refuses an ambiguous fit by the column that makes it so, and solves it with a penalty', () => {
  for (const [why, records, column] of ambiguous) {
    // From doubles as pooled training has them, and from rounded integers as owners send them.
    const integers = Float64Array.from(exactTriangleSums(records, 40), (sum) => Number(sum) / 2 ** 80);
    for (const sums of [triangleSums(records), integers]) {
      assert.throws(
        () => solveNormalEquations(mapOf(3), sums, records.count, { l1: 0, l2: 0 }, 0),
        {
          name: 'SealsumError',
          code: 'matrix_singular',
          field: column,
          message:
            `column ${column}: over all records it is constant or a combination of the columns before it, so that the fit is ` +
            'not unique: leave the feature out (or merge its levels), or set training.l2, such as 1e-6',
        },
        why,
      );
      const { parameters } = solveNormalEquations(mapOf(3), sums, records.count, { l1: 0, l2: 1e-6 }, 0);
      assert.ok(parameters.every(Number.isFinite), why);
    }
  }
});

test('under differential privacy names the noise and its mend', () => {
  // A sum of squares that noise pushed below zero.
  const sums = Float64Array.of(0, 0, -0.5, 0, 1);
  assert.throws(() => solveNormalEquations(mapOf(2), sums, 4, { l1: 0, l2: 0 }, 1e-9), {
    code: 'matrix_singular',
    field: 'x1',
    message:
      'column x1: the noise of differential privacy outweighs what the records say about it: raise privacy.epsilon (or rho), or training.l2',
  });
  // The mend that needs none: a ridge as great as the noise makes it a matrix that has a fit.
  const { parameters } = solveNormalEquations(mapOf(2), sums, 4, { l1: 0, l2: 0 }, 1);
  assert.ok(parameters.every(Number.isFinite));
  // A mean of squares cannot be negative, whatever the noise.
  const { metrics } = solveNormalEquations(mapOf(2), Float64Array.of(0, 0, 4, 4, -1), 4, { l1: 0, l2: 0 }, 1e-9);
  assert.equal(metrics.loss, 0);
});

// For each size 2000 matrices, each beyond the ridge with a chance of at most 0.05: that 200 are has a chance below 10^-17.
test('the ridge is as great as the noise in a Gram matrix can make an eigenvalue, nearly always', () => {
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  for (const width of [2, 5, 12]) {
    let beyond = 0;
    for (let trial = 0; trial < 2000; trial += 1) {
      const noise = Matrix.zeros(width, width);
      for (let row = 0; row < width; row += 1)
        for (let column = row; column < width; column += 1) {
          const entry = 3 * normal();
          noise.set(row, column, entry);
          noise.set(column, row, entry);
        }
      const least = Math.min(...new EigenvalueDecomposition(noise).realEigenvalues);
      if (-least > noiseRidge(width, 3)) beyond += 1;
    }
    assert.ok(beyond < 200, `${width} columns: ${beyond}`);
  }
});

test('where noise outweighs the records, the ridge keeps the fit near nothing instead of far from everything', () => {
  // Many weak records: the noise in each sum is as great as the sums themselves.
  const sums = Float64Array.of(0.5, 0.1, 0.05, 0.3, 0.05);
  const bare = solveNormalEquations(mapOf(2), sums, 10, { l1: 0, l2: 0 }, 0).parameters;
  const ridged = solveNormalEquations(mapOf(2), sums, 10, { l1: 0, l2: 0 }, 5).parameters;
  assert.ok(Math.abs(ridged[1] ?? 0) < Math.abs(bare[1] ?? 0) / 100);
  // A greater penalty that was asked for stays.
  const asked = solveNormalEquations(mapOf(2), sums, 10, { l1: 0, l2: 1e6 }, 5).parameters;
  assert.ok(Math.abs(asked[1] ?? 0) < Math.abs(ridged[1] ?? 0));
});

test.run();
