/** Vectors as integers and back: what is kept, what is refused by its index, and that no clipped vector is too long. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { clipToWideIntegers, euclideanNorm } from '../../src/privacy/wide-clipping.ts';
import { type FixedPointBits, parseVectorSum, type VectorSum } from '../../src/vector-sum/document.ts';
import { decodeSum, encodeVector } from '../../src/vector-sum/fixed-point-vector.ts';

const test = suite('vectors in fixed point');

const widths: readonly FixedPointBits[] = [16, 32, 64];
const sumOf = (fields: object): VectorSum => parseVectorSum({ model_type: 'VECTOR_SUM', ...fields });
const anyWidth = fc.constantFrom(...widths);
const finite = { noNaN: true, noDefaultInfinity: true } as const;

test('a value comes back to half a unit, and the ends of the range to a unit of what doubles tell apart', () => {
  fc.assert(
    fc.property(
      anyWidth,
      fc.double({ min: 1e-6, max: 1e6, ...finite }),
      fc.array(fc.double({ min: -1, max: 1, ...finite }), { minLength: 1, maxLength: 20 }),
      (bits, bound, parts) => {
        const values = Float64Array.from([bound, -bound, ...parts.map((part) => part * bound)]);
        const sum = sumOf({ length: values.length, bits, bound });
        const { vector, clipped } = encodeVector(sum, values);
        const { sum: back } = decodeSum(sum, vector, 1);
        assert.equal(clipped, false);
        const greatest = 2n ** BigInt(bits - 1);
        assert.ok(vector.values.every((value) => value <= greatest && value >= -greatest));
        // Half a unit, and what the scale and the way back are rounded by.
        const unit = bound / 2 ** (bits - 1) / 2 + bound * 2 ** -51;
        for (const [index, value] of values.entries())
          assert.ok(Math.abs((back[index] ?? Number.NaN) - value) <= unit, `${back[index]} for ${value}`);
      },
    ),
  );
});

test('with a bound that is a power of two, what 64 bits hold comes back exactly, and so does a sum', () => {
  const sum = sumOf({ length: 3, bits: 64, bound: 1024 });
  const [a, b] = [Float64Array.of(1024, 0.125 + 2 ** -53, -3.3), Float64Array.of(-1024, 2 ** -43, 1)];
  const [left, right] = [encodeVector(sum, a).vector, encodeVector(sum, b).vector];
  assert.deepEqual(decodeSum(sum, left, 1).sum, a);
  assert.deepEqual(decodeSum(sum, right, 1).sum, b);
  const both = { weight: 2n, values: left.values.map((value, index) => value + (right.values[index] ?? 0n)) };
  assert.deepEqual(decodeSum(sum, both, 2).sum, Float64Array.of(0, 0.125 + 2 ** -53 + 2 ** -43, -2.3));
});

test('levels are the steps from −bound to bound: what is on one is summed exactly, and the rest is off by half a step', () => {
  const sum = sumOf({ length: 4, bits: 32, bound: 8, levels: 4_000_000 });
  const steps = (count: number): number => (count * 16) / 4_000_000;
  const { vector } = encodeVector(sum, [-8, 8, steps(5), steps(3.4)]);
  assert.deepEqual(vector.values, [-2_000_000n, 2_000_000n, 5n, 3n]);
  assert.deepEqual(decodeSum(sum, vector, 1).sum, Float64Array.of(-8, 8, steps(5), steps(3)));
});

test('where tensors are averaged a weight may be 0, and if all are there is no mean', () => {
  const averaging = {
    tensors: [{ name: 'weight', shape: [2] }],
    sends: 'parameters',
    settings: [],
    metrics: [],
  } as const;
  const sum = sumOf({ length: 2, bits: 32, bound: 2, max_weight: 10, averaging, parameters: 2 });
  const { vector } = encodeVector(sum, [1, -2], 0);
  assert.deepEqual(vector, { weight: 0n, values: [0n, 0n] });
  assert.throws(() => decodeSum(sum, vector, 2), { code: 'weight_zero', field: 'weight' });
  assert.throws(() => encodeVector(sum, [1, -2], -1), { code: 'number_out_of_bounds', field: 'weight' });
});

test('a weight multiplies, and the mean is of all weights together', () => {
  const sum = sumOf({ length: 2, bits: 32, bound: 2, max_weight: 10 });
  const a = encodeVector(sum, [1, -2], 3).vector;
  const b = encodeVector(sum, [0.5, 2], 1).vector;
  const both = { weight: a.weight + b.weight, values: a.values.map((value, index) => value + (b.values[index] ?? 0n)) };
  assert.deepEqual(decodeSum(sum, both, 2), {
    sum: Float64Array.of(3.5, -4),
    mean: Float64Array.of(0.875, -1),
    weight: 4,
  });
});

for (const limit of [{ bound: 1 }, { norm: 1 }])
  for (const bits of widths)
    test(`nothing that cannot be converted becomes a zero: ${bits} bits, ${JSON.stringify(limit)}`, () => {
      const sum = sumOf({ length: 3, bits, ...limit });
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
        assert.throws(() => encodeVector(sum, Float64Array.of(0, 0.1, bad)), {
          code: 'number_not_finite',
          field: 'value 2',
        });
      for (const bad of [undefined, null, '1', 1n])
        assert.throws(() => encodeVector(sum, [0, bad as unknown as number, 0]), {
          code: 'number_not_finite',
          field: 'value 1',
        });
      for (const bad of [undefined, null, 3, 'abc'])
        assert.throws(() => encodeVector(sum, bad as unknown as number[]), { code: 'data_invalid', field: 'vector' });
      for (const length of [0, 2, 4])
        assert.throws(() => encodeVector(sum, new Float64Array(length)), {
          code: 'plan_mismatch',
          field: 'length',
          message: `the vector has ${length} values, the job sums vectors of 3`,
        });
      for (const weight of [0, -1, 2, 0.5, Number.NaN])
        assert.throws(() => encodeVector(sum, new Float64Array(3), weight), {
          code: 'number_out_of_bounds',
          field: 'weight',
        });
    });

test('a value beyond the bound is refused by its index, and never cut off', () => {
  for (const bits of widths) {
    const sum = sumOf({ length: 2, bits, bound: 3 });
    for (const bad of [3 + 2 ** -51, -4, 1e300])
      assert.throws(() => encodeVector(sum, [0, bad]), { code: 'number_out_of_bounds', field: 'value 1' });
    const [most = 0n, least = 0n] = encodeVector(sum, [3, -3]).vector.values;
    assert.equal(most, -least);
    assert.ok(Math.abs(Number(most) / 2 ** (bits - 1) - 1) < 2 ** -51);
  }
});

test('a clipped vector is never too long, whatever it was, and one that is not is told apart', () => {
  fc.assert(
    fc.property(
      anyWidth,
      fc.double({ min: 1e-50, max: 1e50, ...finite }),
      fc.array(fc.oneof(fc.double(finite), fc.double({ min: -1, max: 1, ...finite })), { minLength: 1, maxLength: 30 }),
      (bits, norm, values) => {
        const sum = sumOf({ length: values.length, bits, norm });
        const { vector, clipped, norm: told } = encodeVector(sum, values);
        const greatest = 2n ** BigInt(bits - 1);
        assert.ok(vector.values.reduce((squares, value) => squares + value * value, 0n) <= greatest ** 2n);
        const exact = Math.hypot(...values);
        if (Number.isFinite(exact)) assert.ok(Math.abs(told - exact) <= exact * 1e-12 + Number.MIN_VALUE * 4);
        if (exact > norm * (1 + 1e-12)) assert.equal(clipped, true);
        if (exact < norm * (1 - 1e-12)) assert.equal(clipped, false);
      },
    ),
  );
});

test('clipping keeps the direction, and leaves alone what is short enough', () => {
  for (const bits of widths) {
    const sum = sumOf({ length: 2, bits, norm: 5 });
    const step = 5 / 2 ** (bits - 1) + 1e-15;
    const long = encodeVector(sum, [30, -40]);
    assert.equal(long.clipped, true);
    assert.equal(long.norm, 50);
    const back = decodeSum(sum, long.vector, 1).sum;
    assert.ok(Math.abs((back[0] ?? 0) - 3) <= step && Math.abs((back[1] ?? 0) + 4) <= step, back.join(' '));
    const short = encodeVector(sum, [3, -4]);
    assert.equal(short.clipped, false);
    const same = decodeSum(sum, short.vector, 1).sum;
    assert.ok(Math.abs((same[0] ?? 0) - 3) <= step && Math.abs((same[1] ?? 0) + 4) <= step, same.join(' '));
  }
});

test('the norm does not overflow before its time', () => {
  assert.ok(Math.abs(euclideanNorm([3e200, -4e200]) / 5e200 - 1) < 1e-15);
  assert.equal(euclideanNorm([0, 0]), 0);
  const { values, clipped } = clipToWideIntegers([1e308, -1e308], 1, 2n ** 63n);
  assert.equal(clipped, true);
  assert.equal(values[0], -(values[1] ?? 0n));
});

test('a clip that is none is refused', () => {
  for (const clip of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(() => clipToWideIntegers([1], clip, 2n), { code: 'privacy_invalid', field: 'clip' });
});

test.run();
