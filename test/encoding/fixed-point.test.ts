import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import {
  decompose,
  divideRoundHalfEven,
  divideToNumber,
  fromFixedPoint,
  quantise,
  toFixedPoint,
} from '../../src/encoding/fixed-point.ts';
import { doubles, everydayScales, type KnownDouble, runs, scales } from './generators.ts';

const test = suite('fixed point');

/** Rounding by its definition: the floor of t + 1/2, and one less where t + 1/2 is an odd integer. */
function referenceRound(numerator: bigint, denominator: bigint): bigint {
  const doubled = 2n * numerator + denominator;
  const period = 2n * denominator;
  const remainder = ((doubled % period) + period) % period;
  const floor = (doubled - remainder) / period;
  return remainder === 0n && floor % 2n !== 0n ? floor - 1n : floor;
}

function referenceProduct(value: KnownDouble, scale: KnownDouble): bigint {
  return referenceRound(value.numerator * scale.numerator, value.denominator * scale.denominator);
}

/** The doubles on either side of a finite one; their order is the order of their bits. */
function neighbours(value: number): [number, number] {
  const view = new DataView(new ArrayBuffer(8));
  const step = (by: bigint): number => {
    view.setFloat64(0, Math.abs(value));
    view.setBigUint64(0, view.getBigUint64(0) + by);
    return view.getFloat64(0);
  };
  const outer = step(1n);
  const inner = value === 0 ? -outer : step(-1n);
  return value < 0 ? [-outer, -inner] : [inner, outer];
}

/** |n/d − value| as a numerator over a denominator that is the same for every value of one n/d: d × 2^1074. */
function distance(numerator: bigint, denominator: bigint, value: number): bigint {
  const { mantissa, exponent } = decompose(value);
  const difference = (numerator << 1074n) - ((mantissa * denominator) << BigInt(exponent + 1074));
  return difference < 0n ? -difference : difference;
}

function requireNearest(numerator: bigint, denominator: bigint, found: number): void {
  const here = distance(numerator, denominator, found);
  for (const other of neighbours(found)) {
    if (!Number.isFinite(other)) continue;
    const there = distance(numerator, denominator, other);
    assert.ok(here <= there, `a neighbour of ${found} is nearer`);
    if (here === there) assert.equal(decompose(found).mantissa % 2n, 0n, 'a tie goes to the even mantissa');
  }
}

test('rounds ties to even on both sides of zero', () => {
  const halves = [-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5];
  assert.deepEqual(toFixedPoint(halves, 1), [-4n, -2n, -2n, 0n, 0n, 2n, 2n, 4n]);
  assert.deepEqual(
    toFixedPoint(
      halves.map((half) => half / 1024),
      1024,
    ),
    [-4n, -2n, -2n, 0n, 0n, 2n, 2n, 4n],
  );
});

test('is not misled by products that round to a tie or to an integer', () => {
  // 0.1 is a little above a tenth and 0.3 a little below three: the doubles' exact products decide, not their rounded ones.
  assert.equal(0.1 * 5, 0.5);
  assert.deepEqual(toFixedPoint([0.1], 5), [1n]);
  assert.equal(0.3 * 5, 1.5);
  assert.deepEqual(toFixedPoint([0.3], 5), [1n]);
  assert.deepEqual(toFixedPoint([0.49999999999999994], 1), [0n]);
  assert.deepEqual(toFixedPoint([2 ** 51 + 0.5, 2 ** 51 + 1.5, -(2 ** 51) - 0.5], 1), [
    2n ** 51n,
    2n ** 51n + 2n,
    -(2n ** 51n),
  ]);
});

test('rounds any double at any scale as exact rationals do', () => {
  fc.assert(
    fc.property(fc.array(doubles, { maxLength: 5 }), fc.oneof(scales, everydayScales), (values, scale) => {
      assert.deepEqual(
        toFixedPoint(
          values.map(({ value }) => value),
          scale.value,
        ),
        values.map((value) => referenceProduct(value, scale)),
      );
    }),
    { numRuns: 3 * runs },
  );
});

test('rounds rightly where the product comes close to a tie', () => {
  fc.assert(
    fc.property(everydayScales, fc.integer({ min: -(2 ** 45), max: 2 ** 45 }), (scale, integer) => {
      const close = (integer + 0.5) / scale.value;
      for (const value of [close, ...neighbours(close)]) {
        const { mantissa, exponent } = decompose(value);
        const shift = 1n << BigInt(Math.abs(exponent));
        const known = {
          value,
          numerator: exponent < 0 ? mantissa : mantissa * shift,
          denominator: exponent < 0 ? shift : 1n,
        };
        assert.deepEqual(toFixedPoint([value], scale.value), [referenceProduct(known, scale)]);
      }
    }),
    { numRuns: 3 * runs },
  );
});

test('carries subnormals and the largest doubles', () => {
  const least = 2 ** -1074;
  assert.deepEqual(toFixedPoint([least, -least], 1), [0n, 0n]);
  assert.deepEqual(toFixedPoint([least, 3 * least], 2 ** 1023), [0n, 0n]);
  assert.deepEqual(toFixedPoint([Number.MAX_VALUE], 1), [2n ** 1024n - 2n ** 971n]);
  assert.deepEqual(toFixedPoint([-Number.MAX_VALUE], Number.MAX_VALUE), [-((2n ** 1024n - 2n ** 971n) ** 2n)]);
  assert.deepEqual(toFixedPoint([Number.MAX_VALUE], 2 ** 1000), [(2n ** 1024n - 2n ** 971n) * 2n ** 1000n]);
  assert.deepEqual(toFixedPoint([-0, 0], 3), [0n, 0n]);
});

test('refuses NaN and infinities by position, wherever they stand', () => {
  for (const wrong of [Number.NaN, Infinity, -Infinity]) {
    for (let position = 0; position < 5; position += 1) {
      const values = new Float64Array(5).fill(1.5);
      values[position] = wrong;
      for (const convert of [toFixedPoint, quantise]) {
        assert.throws(() => convert(values, 2 ** 20), {
          name: 'SealsumError',
          code: 'number_not_finite',
          field: `value ${position}`,
          message: `value ${position} is NaN or infinite: every value must be a finite number`,
        });
      }
    }
  }
});

test('refuses a scale that is not a finite number above 0', () => {
  for (const scale of [0, -0, -1, Number.NaN, Infinity]) {
    for (const convert of [
      () => toFixedPoint([1], scale),
      () => fromFixedPoint([1n], scale),
      () => quantise([1], scale),
    ]) {
      assert.throws(convert, { code: 'number_out_of_bounds', field: 'scale' });
    }
  }
});

test('comes back as the nearest double', () => {
  const integers = fc.oneof(
    fc.bigInt({ min: -(1n << 60n), max: 1n << 60n }),
    fc.bigInt({ min: -(1n << 300n), max: 1n << 300n }),
  );
  fc.assert(
    fc.property(fc.array(integers, { maxLength: 4 }), everydayScales, (values, scale) => {
      for (const [index, found] of fromFixedPoint(values, scale.value).entries()) {
        requireNearest((values[index] ?? 0n) * scale.denominator, scale.numerator, found);
      }
    }),
    { numRuns: runs },
  );
});

test('refuses by position what is beyond the largest double', () => {
  assert.throws(() => fromFixedPoint([1n, 1n << 1024n], 1), { code: 'number_out_of_bounds', field: 'value 1' });
  assert.throws(() => fromFixedPoint([5n], 2 ** -1074), { code: 'number_out_of_bounds', field: 'value 0' });
  assert.deepEqual(fromFixedPoint([(1n << 1024n) - (1n << 971n)], 1), Float64Array.of(Number.MAX_VALUE));
});

test('there and back gives every integer again, and quantising twice is quantising once', () => {
  fc.assert(
    fc.property(fc.array(fc.maxSafeInteger()), everydayScales, (integers, { value: scale }) => {
      const small = integers.map((integer) => BigInt(integer) / 4n);
      assert.deepEqual(toFixedPoint(fromFixedPoint(small, scale), scale), small);
      const reals = integers.map((integer) => integer / 2 ** 50);
      const once = quantise(reals, scale);
      assert.deepEqual(quantise(once, scale), once);
      for (const [index, real] of reals.entries()) {
        assert.ok(Math.abs((once[index] ?? Number.NaN) - real) <= (0.5 / scale) * (1 + 1e-9) + 1e-15);
      }
    }),
    { numRuns: runs },
  );
});

test('divides and rounds half to even as defined', () => {
  const table: [bigint, bigint, bigint][] = [
    [1n, 2n, 0n],
    [3n, 2n, 2n],
    [5n, 2n, 2n],
    [-1n, 2n, 0n],
    [-3n, 2n, -2n],
    [-5n, 2n, -2n],
    [7n, 3n, 2n],
    [-8n, 3n, -3n],
    [0n, 5n, 0n],
  ];
  for (const [numerator, denominator, expected] of table) {
    assert.equal(divideRoundHalfEven(numerator, denominator), expected);
  }
  fc.assert(
    fc.property(
      fc.oneof(fc.bigInt({ min: -50n, max: 50n }), fc.bigInt()),
      fc.oneof(fc.bigInt({ min: 1n, max: 10n }), fc.bigInt({ min: 1n })),
      (numerator, denominator) => {
        assert.equal(divideRoundHalfEven(numerator, denominator), referenceRound(numerator, denominator));
      },
    ),
    { numRuns: 3 * runs },
  );
});

test('divides integers into the nearest double', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.bigInt({ min: -1000n, max: 1000n }), fc.bigInt({ min: -(1n << 1100n), max: 1n << 1100n })),
      fc.oneof(fc.bigInt({ min: 1n, max: 1000n }), fc.bigInt({ min: 1n, max: 1n << 1100n })),
      fc.nat({ max: 1100 }),
      (numerator, denominator, shift) => {
        const divisor = denominator << BigInt(shift);
        const found = divideToNumber(numerator, divisor);
        if (Number.isFinite(found)) requireNearest(numerator, divisor, found);
        else assert.ok(numerator * numerator >= (divisor * divisor) << 2046n);
      },
    ),
    { numRuns: 3 * runs },
  );
});

test('divides rightly at the ends of the range of doubles', () => {
  const largest = (1n << 1024n) - (1n << 971n);
  const tie = (1n << 1024n) - (1n << 970n);
  assert.equal(divideToNumber(largest, 1n), Number.MAX_VALUE);
  assert.equal(divideToNumber(tie - 1n, 1n), Number.MAX_VALUE);
  assert.equal(divideToNumber(tie, 1n), Infinity);
  assert.equal(divideToNumber(-(1n << 5000n), 1n), -Infinity);
  assert.equal(divideToNumber(1n, 1n << 1074n), 2 ** -1074);
  assert.equal(divideToNumber(1n, 1n << 1075n), 0);
  assert.equal(divideToNumber(3n, 1n << 1076n), 2 ** -1074);
  assert.equal(divideToNumber((1n << 53n) - 1n, 1n << 1075n), 2 ** -1022);
  assert.ok(Object.is(divideToNumber(-1n, 1n << 1075n), -0));
  assert.ok(Object.is(divideToNumber(-1n, 1n << 9000n), -0));
  assert.ok(Object.is(divideToNumber(0n, 3n), 0));
});

test('takes doubles apart into what they were made from', () => {
  fc.assert(
    fc.property(doubles, ({ value, numerator, denominator }) => {
      const { mantissa, exponent } = decompose(value);
      const shift = 1n << BigInt(Math.abs(exponent));
      if (exponent < 0) assert.equal(mantissa * denominator, numerator * shift);
      else assert.equal(mantissa * shift * denominator, numerator);
    }),
    { numRuns: runs },
  );
});

test.run();
