import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { fromFixedPoint } from '../../src/encoding/fixed-point.ts';
import {
  type Quantisation,
  quantisationBound,
  quantisationScale,
  quantiseToBits,
  stochasticRounding,
} from '../../src/encoding/quantisation.ts';
import { type RandomBytes, systemRandom } from '../../src/paillier/random.ts';
import { CHANCE, chiSquareCritical } from '../privacy/statistics.ts';
import { knownDouble, runs } from './generators.ts';

const test = suite('quantisation');

const roundings = ['nearest', 'stochastic'] as const;
const draws = process.env.SLOW === undefined ? 200_000 : 5_000_000;

/** Gives these bytes over and over. */
const repeating =
  (bytes: Uint8Array): RandomBytes =>
  (length) =>
    Uint8Array.from({ length }, (_, index) => bytes[index % bytes.length] ?? 0);

const someBytes = fc.uint8Array({ minLength: 1, maxLength: 200 });

/** A quantisation, and values within its range, both ends and zero often. */
const quantisations: fc.Arbitrary<{ quantisation: Quantisation; values: number[] }> = fc
  .record({
    bits: fc.integer({ min: 2, max: 32 }),
    range: fc.oneof(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), fc.constantFrom(1, 2, 1e-290, 1e290)),
    rounding: fc.constantFrom(...roundings),
  })
  .chain((quantisation) => {
    const { range } = quantisation;
    const value = fc.oneof(
      fc.double({ min: -range, max: range, noNaN: true }),
      fc.constantFrom(range, -range, 0, -0, range / 2, Number.MIN_VALUE, -Number.MIN_VALUE),
    );
    return fc.record({
      quantisation: fc.constant(quantisation),
      values: fc.array(value, { minLength: 1, maxLength: 30 }),
    });
  });

/** |q − value × scale| of two doubles and an integer, as numerator and denominator. */
function errorOf(q: bigint, value: number, scale: number): { readonly above: bigint; readonly below: bigint } {
  const exponent = 1074n * 2n;
  const units = (x: number): bigint => {
    // Every double is a multiple of 2^−1074.
    let [rest, shift] = [x, 0n];
    while (!Number.isInteger(rest)) [rest, shift] = [rest * 2, shift + 1n];
    return BigInt(rest) << (1074n - shift);
  };
  const difference = (q << exponent) - units(value) * units(scale);
  return { above: difference < 0n ? -difference : difference, below: 1n << exponent };
}

test('no integer is beyond Q, and the error is half a unit at most to the nearest, less than one by chance', () => {
  fc.assert(
    fc.property(quantisations, ({ quantisation, values }) => {
      const { bits, rounding } = quantisation;
      const bound = quantisationBound(bits);
      assert.equal(bound, 2n ** BigInt(bits - 1) - 1n);
      const scale = quantisationScale(quantisation);
      const integers = quantiseToBits(values, quantisation);
      assert.equal(integers.length, values.length);
      for (const [index, integer] of integers.entries()) {
        assert.ok(integer <= bound && integer >= -bound);
        const { above, below } = errorOf(integer, values[index] ?? Number.NaN, scale);
        // The product of doubles that is rounded by chance has been rounded to 53 bits before.
        if (rounding === 'nearest') assert.ok(2n * above <= below);
        else assert.ok(above < below + (below >> 20n));
      }
      // And it comes back as it went.
      for (const [index, real] of fromFixedPoint(integers, scale).entries())
        assert.ok(Math.abs(real - (values[index] ?? Number.NaN)) <= 1.001 / scale);
    }),
    { numRuns: runs },
  );
});

test('the ends of the range are the greatest integers, however they are rounded and whatever the coins say', () => {
  // Coins that say up for the least fraction, such as one that a product of doubles has too much.
  const up = repeating(Uint8Array.of(0));
  fc.assert(
    fc.property(quantisations, ({ quantisation }) => {
      const { bits, range } = quantisation;
      const bound = quantisationBound(bits);
      assert.deepEqual(quantiseToBits([range, -range, 0], quantisation, up), [bound, -bound, 0n]);
    }),
    { numRuns: runs },
  );
});

test('to the nearest: odd, in order, and without coins', () => {
  const noCoins: RandomBytes = () => assert.fail('no coin is needed');
  fc.assert(
    fc.property(quantisations, ({ quantisation, values }) => {
      const nearest = { ...quantisation, rounding: 'nearest' } as const;
      const sorted = Float64Array.from(values).sort();
      const integers = quantiseToBits(sorted, nearest, noCoins);
      assert.ok(integers.every((integer, index) => index === 0 || (integers[index - 1] ?? integer) <= integer));
      const opposite = quantiseToBits(
        sorted.map((value) => -value),
        nearest,
        noCoins,
      );
      assert.deepEqual(
        opposite,
        integers.map((integer) => -integer),
      );
    }),
    { numRuns: runs },
  );
});

test('to the nearest: over an even grid the errors add up to nothing, ties included, on one side of zero too', () => {
  // Steps of a sixteenth of a unit, so that every second step from a whole number to the next but one is a tie. All is exact.
  const range = 2 ** 7 - 1;
  const quantisation = { bits: 8, range, rounding: 'nearest' } as const;
  const grid = (from: number, to: number): number[] =>
    Array.from({ length: 16 * (to - from) }, (_, index) => from + index / 16);
  const errors = (values: number[]): number =>
    quantiseToBits(values, quantisation).reduce(
      (sum, integer, index) => sum + Number(integer) - (values[index] ?? 0),
      0,
    );
  assert.equal(errors([...grid(-range, range), range]), 0);
  // Where ties went away from zero, or up, each pair of units would be off by one.
  assert.equal(errors(grid(0, 126)), 0);
  assert.equal(errors(grid(-126, 0)), 0);
  assert.deepEqual(quantiseToBits([0.5, 1.5, 2.5, -0.5, -1.5, -2.5], quantisation), [0n, 2n, 2n, 0n, -2n, -2n]);
});

test('by chance: up exactly when the number that the words spell is below the fraction, to its last digit', () => {
  // 2^−1074 · mantissa and up: 35 words and more are looked at where they agree.
  const words = 40;
  const bits = BigInt(32 * words);
  const doubles = fc
    .tuple(fc.integer({ min: 1 - 2 ** 53, max: 2 ** 53 - 1 }), fc.integer({ min: -1074, max: -1 }))
    .map(([mantissa, exponent]) => knownDouble(mantissa, exponent));
  fc.assert(
    fc.property(
      doubles,
      fc.uint8Array({ minLength: 4 * words, maxLength: 4 * words }),
      fc.nat({ max: 1 }),
      fc.nat({ max: words }),
      ({ value, numerator, denominator }, bytes, below, agreeing) => {
        const magnitude = numerator < 0n ? -numerator : numerator;
        const whole = magnitude / denominator;
        const fraction = ((magnitude - whole * denominator) << bits) / denominator;
        // Words that begin as the fraction does, to see which of its digits count: up to the fraction itself, and one less in the last.
        const digits = fraction.toString(16).padStart(8 * words, '0');
        const spelt = Uint8Array.from(bytes);
        spelt.set(Buffer.from(digits, 'hex').subarray(0, 4 * agreeing));
        if (agreeing === words && below === 1 && fraction > 0n) {
          const less = (fraction - 1n).toString(16).padStart(8 * words, '0');
          spelt.set(Buffer.from(less, 'hex'));
        }
        const drawn = BigInt(`0x${Buffer.from(spelt).toString('hex')}`);
        const round = stochasticRounding((length) => {
          const all = new Uint8Array(length);
          all.set(spelt);
          return all;
        });
        const up = whole + (drawn < fraction ? 1n : 0n);
        assert.equal(BigInt(round(value)), value < 0 ? -up : up);
      },
    ),
    { numRuns: runs },
  );
});

test('by chance: whole numbers stay without a coin, and the same random bytes give the same integers', () => {
  const round = stochasticRounding(() => assert.fail('no coin is needed'));
  for (const whole of [0, 1, -1, 127, -(2 ** 31), 2 ** 52, -(2 ** 52)]) assert.equal(round(whole), whole);
  fc.assert(
    fc.property(quantisations, someBytes, ({ quantisation, values }, bytes) => {
      const once = quantiseToBits(values, quantisation, repeating(bytes));
      assert.deepEqual(quantiseToBits(values, quantisation, repeating(bytes)), once);
    }),
    { numRuns: 200 },
  );
  const values = new Float64Array(200).fill(0.3);
  const stochastic = { bits: 8, range: 1, rounding: 'stochastic' } as const;
  // The same 200 coins of 0.1 twice have a chance below 10^-17.
  assert.notDeepEqual(quantiseToBits(values, stochastic), quantiseToBits(values, stochastic));
});

// Hoeffding 1963, Theorem 2: the mean of n independent draws within [0, 1] is √(ln(2/p)/2n) off with a chance of at most p.
test('by chance: the mean of many draws is the number, whatever it is; chance of failing 10^-9 in all', () => {
  const fractions = [1e-3, 0.1, 0.25, 1 / 3, 0.5, 0.5 + 2 ** -30, 0.9, 1 - 1e-3];
  const numbers = fractions.flatMap((fraction) => [fraction, -fraction, 41 + fraction, -126 + fraction]);
  const reach = Math.sqrt(Math.log((2 * numbers.length) / CHANCE) / (2 * draws));
  const round = stochasticRounding(systemRandom);
  for (const number of numbers) {
    let sum = 0;
    for (let draw = 0; draw < draws; draw += 1) sum += round(number);
    assert.ok(Math.abs(sum / draws - number) <= reach, `${number}: ${sum / draws}, more than ${reach} off`);
  }
});

test('by chance: every value has a coin of its own; chance of failing 10^-9', () => {
  // Three values in turn, with three fractions: each of the eight ways to round them as often as independent coins would.
  const fractions = [0.3, 0.5, 0.8];
  const range = 127;
  const values = Float64Array.from({ length: 3 * Math.floor(draws / 3) }, (_, index) => fractions[index % 3] ?? 0);
  const integers = quantiseToBits(values, { bits: 8, range, rounding: 'stochastic' });
  const seen = new Array<number>(8).fill(0);
  for (let first = 0; first < integers.length; first += 3) {
    const way = integers.slice(first, first + 3).reduce((number, integer) => 2 * number + Number(integer), 0);
    seen[way] = (seen[way] ?? 0) + 1;
  }
  const statistic = seen.reduce((sum, count, way) => {
    const chance = fractions.reduce(
      (product, fraction, index) => product * ((way >> (2 - index)) & 1 ? fraction : 1 - fraction),
      1,
    );
    const expected = (chance * integers.length) / 3;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
  assert.ok(statistic < chiSquareCritical(7, CHANCE), `χ² = ${statistic}`);
  // And no value's coin is the one of a neighbour further away: lags up to 16, where buffers of words end included.
  const coins = quantiseToBits(new Float64Array(draws).fill(0.5), { bits: 8, range, rounding: 'stochastic' });
  const lags = Array.from({ length: 16 }, (_, index) => index + 1).concat(1023, 1024, 1025);
  const reach = Math.sqrt(2 * Math.log((2 * lags.length) / CHANCE));
  for (const lag of lags) {
    const pairs = coins.length - lag;
    let sum = 0;
    for (let index = 0; index < pairs; index += 1) sum += coins[index] === coins[index + lag] ? 1 : -1;
    // Products of fair signs are fair signs again, and those of one lag independent: Hoeffding's bound holds.
    assert.ok(Math.abs(sum) <= reach * Math.sqrt(pairs), `lag ${lag}: ${sum}`);
  }
});

test('refuses what is no number or beyond the range, by its position, and bits and ranges that make no sense', () => {
  for (const rounding of roundings) {
    const quantisation = { bits: 16, range: 2, rounding };
    for (const wild of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      assert.throws(() => quantiseToBits([0, wild], quantisation), {
        code: 'number_not_finite',
        field: 'value 1',
        message: 'value 1 is NaN or infinite: every value must be a finite number',
      });
    for (const beyond of [2 + 2 ** -51, -3])
      assert.throws(() => quantiseToBits([0, 1, beyond], quantisation), {
        code: 'number_out_of_bounds',
        field: 'value 2',
        message: 'value 2 is beyond the range ±2; quantise a greater range',
      });
    for (const bits of [1, 33, 7.5, Number.NaN])
      assert.throws(() => quantiseToBits([0], { ...quantisation, bits }), {
        code: 'number_out_of_bounds',
        field: 'bits',
        message: 'bits: expected a whole number from 2 to 32',
      });
    for (const range of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.MIN_VALUE])
      assert.throws(() => quantiseToBits([0], { ...quantisation, range }), {
        code: 'number_out_of_bounds',
        field: 'range',
        message: 'range: expected a finite number above 0 whose scale doubles can hold',
      });
  }
});

test.run();
