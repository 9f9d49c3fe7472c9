/**
 * Quantisation: real numbers within a range become integers of as few bits as a slot is to have.
 *
 * With Q = 2^(b−1) − 1, a value v within ±R becomes v·Q/R, rounded in one of two ways. For x = v·Q/R
 *
 * - `nearest`, ties to even: |error| ≤ 1/2 and round(−x) = −round(x), so that the errors of values that are distributed
 *   symmetrically around 0 cancel on average. The error of one value is the same however often it is rounded.
 * - `stochastic`, ⌊x⌋ + 1 with probability x − ⌊x⌋, else ⌊x⌋: |error| < 1 and E[round(x)] = x, exactly and for every x; each
 *   value has a coin of its own, so that errors cancel over values, owners and rounds, whatever the values are.
 *
 * Gupta, Agrawal, Gopalakrishnan, Narayanan, Deep Learning with Limited Numerical Precision (2015), Section 3.1, has both;
 * Alistarh, Grubic, Li, Tomioka, Vojnović, QSGD (2017), Section 3.1, is why gradients that are rounded without bias still converge.
 */
import { SealsumError } from '../errors.ts';
import { type RandomBytes, systemRandom } from '../paillier/random.ts';
import { type RandomWords, randomWordsFrom, WORD_BITS } from '../paillier/random-words.ts';
import { toFixedPoint } from './fixed-point.ts';

/** To the nearest integer, ties to even; or up or down by an exact coin, so that the mean is right. */
export type Rounding = 'nearest' | 'stochastic';

/** What is quantised to what. */
export interface Quantisation {
  /** b: bits of an integer, its sign included; 2 to 32. */
  readonly bits: number;
  /** R: the magnitude that stands for the greatest integer; finite and above 0. */
  readonly range: number;
  readonly rounding: Rounding;
}

/**
 * Q = 2^(bits−1) − 1, the greatest magnitude of an integer of so many bits: the `valueBound` of a plan whose `maxWeight` is 1.
 *
 * @throws SealsumError `number_out_of_bounds` unless bits is a whole number from 2 to 32
 */
export function quantisationBound(bits: number): bigint {
  if (!Number.isInteger(bits) || bits < 2 || bits > 32) {
    throw new SealsumError('number_out_of_bounds', 'bits: expected a whole number from 2 to 32', { field: 'bits' });
  }
  return (1n << BigInt(bits - 1)) - 1n;
}

/**
 * Q / R, with which integer = real × scale: the `scale` of a plan, and of `fromFixedPoint` on the way back.
 *
 * @throws SealsumError `number_out_of_bounds` with field `bits` or `range`
 */
export function quantisationScale({ bits, range }: Pick<Quantisation, 'bits' | 'range'>): number {
  const scale = Number(quantisationBound(bits)) / range;
  if (!(range > 0 && scale > 0 && Number.isFinite(scale))) {
    throw new SealsumError(
      'number_out_of_bounds',
      'range: expected a finite number above 0 whose scale doubles can hold',
      { field: 'range' },
    );
  }
  return scale;
}

/**
 * Values within ±range as integers within ±Q. Nearest rounds the product of two doubles, value × scale, as the rational that it
 * is; stochastic the double that is nearest to it.
 *
 * @param random for the coins of stochastic rounding; the operating system's generator by default
 * @throws SealsumError `number_not_finite`, `number_out_of_bounds` with field `value j`, j counted from 0, where a value is no
 *   finite number or beyond the range; `number_out_of_bounds` with field `bits` or `range`
 */
export function quantiseToBits(
  values: ArrayLike<number>,
  quantisation: Quantisation,
  random: RandomBytes = systemRandom,
): bigint[] {
  return Array.from(quantiseToWholeNumbers(values, quantisation, random), BigInt);
}

/** The same integers in doubles, which hold them exactly in a third of the memory. @throws SealsumError as quantiseToBits() */
export function quantiseToWholeNumbers(
  values: ArrayLike<number>,
  { bits, range, rounding }: Quantisation,
  random: RandomBytes = systemRandom,
): Float64Array {
  const scale = quantisationScale({ bits, range });
  requireWithin(values, range);
  const whole = Float64Array.from(values);
  if (rounding === 'nearest') {
    for (let from = 0; from < whole.length; from += atATime) {
      const few = whole.subarray(from, from + atATime);
      few.set(toFixedPoint(few, scale).map(Number));
    }
    return whole;
  }
  const most = Number(quantisationBound(bits));
  const round = stochasticRounding(random);
  // What is at the end of the range must not be beyond it because scale and product are rounded.
  return whole.map((value) => round(Math.max(-most, Math.min(most, value * scale))));
}

/** Values that are integers of any length together. */
const atATime = 4096;

/** Rounds doubles of magnitude at most 2^52 stochastically; whole numbers stay as they are, without a coin. */
export function stochasticRounding(random: RandomBytes): (value: number) => number {
  const words = randomWordsFrom(random);
  return (value) => {
    // Of a negative number's magnitude the fraction is exact; x − ⌊x⌋ would not be for one that is close to 0.
    const magnitude = Math.abs(value);
    const whole = Math.floor(magnitude);
    const rounded = coin(magnitude - whole, words) ? whole + 1 : whole;
    return value < 0 ? -rounded : rounded;
  };
}

/**
 * True with probability exactly that of a double in [0, 1): the binary digits of a uniform number, which are the words, are
 * compared with its own. A second word is needed once in 2^32 coins.
 */
function coin(fraction: number, words: RandomWords): boolean {
  let rest = fraction;
  while (rest > 0) {
    // Powers of two and differences from the floor are exact, so that after some words nothing is left.
    const scaled = rest * 2 ** WORD_BITS;
    const digit = Math.floor(scaled);
    const word = words();
    if (word !== digit) return word < digit;
    rest = scaled - digit;
  }
  return false;
}

function requireWithin(values: ArrayLike<number>, range: number): void {
  for (let index = 0; index < values.length; index += 1) {
    const magnitude = Math.abs(values[index] ?? Number.NaN);
    if (magnitude <= range) continue;
    const field = `value ${index}`;
    if (!Number.isFinite(magnitude)) {
      throw new SealsumError('number_not_finite', `${field} is NaN or infinite: every value must be a finite number`, {
        field,
      });
    }
    throw new SealsumError('number_out_of_bounds', `${field} is beyond the range ±${range}; quantise a greater range`, {
      field,
    });
  }
}
