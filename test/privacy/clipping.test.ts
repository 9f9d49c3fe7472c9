import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { systemRandom } from '../../src/paillier/random.ts';
import { CLIP_SCALE, clipToIntegers, wholeNumbers } from '../../src/privacy/clipping.ts';
import { integerSquareRoot } from '../../src/privacy/integer.ts';
import { rationalFromNumber } from '../../src/privacy/rational.ts';
import { CHANCE } from './statistics.ts';

const test = suite('clipping');

/** Σv² in BigInt: the check that the sensitivity rests on, made a second way. */
function squares(values: Iterable<number>): bigint {
  let total = 0n;
  for (const value of values) total += BigInt(value) ** 2n;
  return total;
}

/** x·norm/clip rounded half to even, on exact fractions. */
function rounded(value: number, clip: number, norm: bigint): number {
  const x = rationalFromNumber(value);
  const c = rationalFromNumber(clip);
  const numerator = 2n * x.numerator * c.denominator * norm + x.denominator * c.numerator;
  const denominator = 2n * x.denominator * c.numerator;
  const remainder = ((numerator % denominator) + denominator) % denominator;
  const floor = (numerator - remainder) / denominator;
  return Number(remainder === 0n && floor % 2n !== 0n ? floor - 1n : floor);
}

const anyVector = fc.array(fc.double(), { maxLength: 40 });
const someVector = fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 1, maxLength: 40 });
const someClip = fc.double({ min: 5e-324, max: Number.MAX_VALUE, noNaN: true });
const someNorm = fc.oneof(fc.bigInt(1n, 2n ** 26n), fc.bigInt(1n, 9n), fc.constant(CLIP_SCALE));

test('the norm is never above its bound: for any doubles, NaN, ±Inf, subnormal and huge ones too', () => {
  fc.assert(
    fc.property(anyVector, someClip, someNorm, (vector, clip, norm) => {
      const { values, finite } = clipToIntegers(vector, clip, norm);
      assert.equal(values.length, vector.length);
      assert.ok(squares(values) <= norm ** 2n);
      assert.equal(finite, vector.every(Number.isFinite));
    }),
    { numRuns: 2000 },
  );
});

test('nor for vectors about as long as the clip, where only rounding is at stake', () => {
  fc.assert(
    fc.property(someVector, someNorm, fc.double({ min: 0.999, max: 1.001, noNaN: true }), (vector, norm, factor) => {
      const length = Math.hypot(...vector);
      fc.pre(length > 1e-300);
      const { values } = clipToIntegers(vector, length * factor, norm);
      assert.ok(squares(values) <= norm ** 2n);
    }),
    { numRuns: 2000 },
  );
});

test('a vector already within the norm is only rounded', () => {
  fc.assert(
    // A clip that is a power of two: then the scaling is exact and halves are halves.
    fc.property(someVector, fc.integer({ min: -60, max: 60 }), (vector, exponent) => {
      const clip = 2 ** exponent;
      const longest = Math.hypot(...vector);
      fc.pre(longest > 1e-3);
      const shorter = vector.map((value) => (value / longest) * clip * 0.99);
      const { values, clipped, finite } = clipToIntegers(shorter, clip);
      assert.deepEqual(
        [...values],
        shorter.map((value) => rounded(value, clip, CLIP_SCALE) + 0),
      );
      assert.deepEqual([clipped, finite], [false, true]);
    }),
  );
});

test('a longer vector keeps its direction and is cut to the clip, not below it', () => {
  fc.assert(
    fc.property(someVector, fc.double({ min: 1e-6, max: 0.999, noNaN: true }), (vector, share) => {
      const length = Math.hypot(...vector);
      fc.pre(length > 1e-3);
      const { values, clipped } = clipToIntegers(vector, length * share);
      assert.ok(clipped);
      for (const [index, value] of values.entries()) {
        // Half a step of rounding, and where that made the vector too long one step towards zero.
        assert.ok(Math.abs(value - ((vector[index] ?? 0) / length) * Number(CLIP_SCALE)) < 1.51);
      }
      const norm = integerSquareRoot(squares(values));
      assert.ok(CLIP_SCALE - norm <= BigInt(Math.ceil(1.51 * Math.sqrt(vector.length))) + 1n);
    }),
  );
});

/** Doubles of every size: from the least subnormal to the greatest, as many of each exponent. */
const anySize = fc
  .tuple(
    fc.integer({ min: -1074, max: 1023 }),
    fc.double({ min: 1, max: 2, maxExcluded: true, noNaN: true }),
    fc.boolean(),
  )
  .map(([exponent, mantissa, negative]) => {
    // In two steps: 2^-1074 itself is a double, but a fraction times it must not be rounded twice.
    const size = exponent < -1000 ? mantissa * 2 ** -1000 * 2 ** (exponent + 1000) : mantissa * 2 ** exponent;
    return negative ? -size : size;
  });

/** Numbers around one size, so that they matter beside each other. */
const someSizes = fc
  .tuple(
    fc.integer({ min: -1074, max: 1020 }),
    fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 1, maxLength: 12 }),
  )
  .map(([exponent, values]) =>
    values.map((value) => (exponent < -1000 ? value * 2 ** -1000 * 2 ** (exponent + 1000) : value * 2 ** exponent)),
  );

test('subnormal and huge vectors are clipped as exact arithmetic clips them, to a billionth of a step', () => {
  fc.assert(
    fc.property(
      fc.oneof(someSizes, fc.array(anySize, { minLength: 1, maxLength: 6 })),
      anySize,
      someNorm,
      (vector, size, norm) => {
        // A clip of any size at all, or about as long as the vector.
        for (const clip of [Math.abs(size), Math.max(5e-324, ...vector.map(Math.abs))]) {
          const { values, clipped, finite } = clipToIntegers(vector, clip, norm);
          assert.ok(finite);
          // All in whole numbers: every double is an integer over 2^1074.
          const integers = vector.map(overLeastDouble);
          const length = integers.reduce((total, integer) => total + integer ** 2n, 0n);
          const limit = overLeastDouble(clip);
          const near = abs(length - limit ** 2n) * 10n ** 12n < limit ** 2n;
          if (!near) assert.equal(clipped, length > limit ** 2n);
          // The last step of shortening takes at most 2·norm off the square.
          const shortened = squares(values) >= (norm - 1n) ** 2n - 1n;
          for (const [index, value] of values.entries()) {
            const integer = abs(integers[index] ?? 0n);
            const found = BigInt(Math.abs(value));
            assert.ok(Math.sign(value) * Math.sign(vector[index] ?? 0) >= 0);
            // found ≤ |x|·norm/length + 1/2, where length is the vector's or, if that is less, the clip: both sides squared.
            const divisor = clipped ? length : limit ** 2n;
            const within = (step: bigint): boolean =>
              (2n * found - step) ** 2n * divisor * BILLION < 4n * (integer * norm) ** 2n * (BILLION + 1n) + divisor;
            assert.ok(2n * found <= 1n || within(1n), `too great: ${value} of ${vector[index]}`);
            // And not less than it by more than 1/2, unless the vector had to be shortened for rounding.
            const reaches =
              (2n * found + 1n) ** 2n * divisor * (BILLION + 1n) + divisor >= 4n * (integer * norm) ** 2n * BILLION;
            assert.ok(reaches || shortened, `too small: ${value} of ${vector[index]}`);
          }
        }
      },
    ),
    // Shrinking doubles of every size takes minutes, and what it finds is no plainer.
    { numRuns: 1000, endOnFailure: true },
  );
});

const BILLION = 10n ** 9n;

function abs(value: bigint): bigint {
  return value < 0n ? -value : value;
}

/** A double as a multiple of the least one, 2^-1074. */
function overLeastDouble(value: number): bigint {
  const { numerator, denominator } = rationalFromNumber(value);
  return (numerator * 2n ** 1074n) / denominator;
}

test('the order of records does not matter to their sum, since each is rounded before they are summed', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.double(), fc.double(), fc.double()), { maxLength: 30 }),
      someClip,
      (records, clip) => {
        const sumOf = (some: readonly (readonly number[])[]): bigint[] => {
          const sum = [0n, 0n, 0n];
          for (const record of some) {
            for (const [index, value] of clipToIntegers(record, clip).values.entries()) {
              sum[index] = (sum[index] ?? 0n) + BigInt(value);
            }
          }
          return sum;
        };
        const sum = sumOf(records);
        assert.deepEqual(sumOf(records.toReversed()), sum);
        // Without any one record, or with it as zeros, the sum is nearer than the norm: that is the sensitivity.
        for (const [left] of records.entries()) {
          const rest = sumOf(records.toSpliced(left, 1));
          const moved = sum.reduce((total, value, index) => total + (value - (rest[index] ?? 0n)) ** 2n, 0n);
          assert.ok(moved <= CLIP_SCALE ** 2n);
          assert.deepEqual(sumOf(records.with(left, [0, 0, 0])), rest);
          assert.deepEqual(sumOf(records.with(left, [1, Number.NaN, 1])), rest);
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('a vector that rounding makes too long is shortened, and only by what is needed', () => {
  // Four entries of 1.5 have length 3; rounded to 2 they would have length 4.
  assert.deepEqual([...clipToIntegers([0.5, 0.5, 0.5, 0.5], 1, 3n).values], [1, 1, 1, 2]);
  assert.deepEqual([...clipToIntegers([-0.5, -0.5, -0.5, -0.5], 1, 3n).values], [-1, -1, -1, -2]);
  // Ten thousand entries of 0.6 would each become 1, of length 100 where 60 is allowed.
  const { values } = clipToIntegers(new Float64Array(10_000).fill(0.01), 1, 60n);
  assert.equal(squares(values), 3600n);
  assert.deepEqual([...clipToIntegers([0, 3, 0, 4], 5, 5n).values], [0, 3, 0, 4]);
});

test('by chance: the norm is never above its bound, for any doubles and whatever the coins say', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 50 });
  const near = fc
    .tuple(someVector, fc.double({ min: 0.9, max: 1.1, noNaN: true }))
    .map(([vector, factor]): [number[], number] => [vector, Math.max(Math.hypot(...vector) * factor, 1e-300)]);
  const cases = fc.oneof(fc.tuple(anyVector, someClip), near);
  fc.assert(
    fc.property(cases, fc.oneof(someNorm, fc.constantFrom(128n, 110n)), bytes, ([vector, clip], norm, coins) => {
      const random = (length: number): Uint8Array =>
        Uint8Array.from({ length }, (_, index) => coins[index % coins.length] ?? 0);
      const { values, finite } = clipToIntegers(vector, clip, norm, wholeNumbers('stochastic', random));
      assert.ok(squares(values) <= norm ** 2n);
      assert.equal(finite, vector.every(Number.isFinite));
    }),
    { numRuns: 3000 },
  );
});

// Hoeffding 1963, Theorem 2: the mean of n independent draws within an interval of length r is r·√(ln(2/p)/2n) off with a chance of at
// most p. Chance of failing though right: 10^-9.
test('by chance: within the norm every entry is right on average; beyond it no entry pays more for it than another', () => {
  const draws = 40_000;
  const meansOf = (vector: readonly number[], clip: number, norm: bigint): Float64Array => {
    const chance = wholeNumbers('stochastic', systemRandom);
    const means = new Float64Array(vector.length);
    for (let draw = 0; draw < draws; draw += 1)
      for (const [index, value] of clipToIntegers(vector, clip, norm, chance).values.entries())
        means[index] = (means[index] ?? 0) + value / draws;
    return means;
  };
  const vector = [0.3, -0.01, 0.005, 0.25, -0.333, 0];
  const reach = Math.sqrt(Math.log((2 * 22) / CHANCE) / (2 * draws));
  for (const [index, mean] of meansOf(vector, 1, 110n).entries())
    assert.ok(Math.abs(mean - (vector[index] ?? 0) * 110) <= reach, `${index}: ${mean}`);
  // Sixteen entries of 2.5 have length 10: about half of all coins make them longer. Each becomes 1, 2 or 3.
  const alike = meansOf(new Array<number>(16).fill(1), 4, 10n);
  const middle = alike.reduce((sum, mean) => sum + mean / 16, 0);
  assert.ok(middle < 2.5 - reach && middle > 2.3, `${middle}`);
  for (const mean of alike) assert.ok(Math.abs(mean - middle) <= 2 * 2 * reach, [...alike].join(' '));
});

test('halves go to the even neighbour', () => {
  assert.deepEqual(
    [...clipToIntegers([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999999999999994], 64, 64n).values],
    [0, 2, 2, 0, -2, -2, 0],
  );
});

test('a record that is not finite counts as nothing and is flagged; it stops nothing', () => {
  for (const strange of [Number.NaN, Infinity, -Infinity]) {
    for (const place of [0, 1, 2]) {
      const { values, clipped, finite } = clipToIntegers([1, 2, 3].with(place, strange), 1);
      assert.deepEqual([...values], [0, 0, 0]);
      assert.deepEqual([clipped, finite], [false, false]);
    }
  }
});

test('huge and subnormal vectors neither overflow nor vanish', () => {
  const scale = Number(CLIP_SCALE);
  const diagonal = Math.round(scale / Math.sqrt(2));
  for (const size of [Number.MAX_VALUE, 1e300, 1, 1e-300, 5e-324]) {
    const { values, clipped } = clipToIntegers([size, -size], size / 4 || 5e-324);
    assert.ok(clipped);
    assert.ok(Math.abs((values[0] ?? 0) - diagonal) <= 1);
    assert.ok(Math.abs((values[1] ?? 0) + diagonal) <= 1);
  }
  assert.deepEqual([...clipToIntegers([5e-324], 5e-324).values], [scale]);
  assert.deepEqual([...clipToIntegers([Number.MAX_VALUE], Number.MAX_VALUE).values], [scale]);
  assert.deepEqual([...clipToIntegers([5e-324], Number.MAX_VALUE).values], [0]);
  assert.deepEqual([...clipToIntegers([], 1).values], []);
  assert.deepEqual([...clipToIntegers([0, -0], 1).values], [0, 0]);
});

test('refuses a clip that is no length and a norm out of range', () => {
  for (const clip of [0, -1, Number.NaN, Infinity]) {
    assert.throws(() => clipToIntegers([1], clip), { code: 'privacy_invalid', field: 'clip' });
  }
  for (const norm of [0n, -5n, 2n ** 26n + 1n]) {
    assert.throws(() => clipToIntegers([1], 1, norm), { code: 'privacy_invalid', field: 'norm' });
  }
});

test('control: a vector that is rounded but not clipped is caught by the check of the norm', () => {
  const unclipped = [0.9, 0.9].map((value) => rounded(value, 1, CLIP_SCALE));
  assert.ok(squares(unclipped) > CLIP_SCALE ** 2n);
  // And one that was clipped but rounded without the check after it.
  const unchecked = [0.5, 0.5, 0.5, 0.5].map((value) => rounded(value, 1, 3n));
  assert.ok(squares(unchecked) > 9n);
});

test.run();
