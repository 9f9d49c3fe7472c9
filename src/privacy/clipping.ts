/**
 * Per-record L2 clipping into integers: what one record can change in a sum is bounded exactly, not up to rounding.
 *
 * A record's vector is clipped to length C, stretched so that C becomes `norm`, rounded to integers, and then Σv² ≤ norm²
 * is checked in whole-number arithmetic; a vector that rounding made too long is shortened until it holds. That check is the
 * sensitivity which the noise is calibrated to (Kairouz, Liu, Steinke 2021, Section 4.1, clip and round): whatever the
 * floats before it did, no record weighs more. Records are rounded before they are summed.
 *
 * Where numbers are rounded by chance, the paper draws all coins anew until the norm keeps to a greater bound (conditional
 * rounding), and calibrates to that. Here the coins are drawn once and the bound stays what it is: a vector that they make too
 * long is shortened like any other, from an entry on that is drawn too, so that it is not always the first ones that pay. It is
 * off towards zero, as it would be with repeated coins; one that is not too long is right on average.
 */
import { roundHalfEven } from '../encoding/fixed-point.ts';
import { type Rounding, stochasticRounding } from '../encoding/quantisation.ts';
import { SealsumError } from '../errors.ts';
import type { RandomBytes } from '../paillier/random.ts';
import { randomWordsFrom, WORD_BITS } from '../paillier/random-words.ts';

/** S: the integer length that stands for a record's whole allowance, unless a model asks for fewer or more bits. */
export const CLIP_SCALE: bigint = 2n ** 20n;

/** Up to this norm every sum of squares below stays under 2^53, where doubles count exactly. */
const GREATEST_NORM = 2n ** 26n;

/** A vector as integers whose L2 norm is within the bound. */
export interface ClippedVector {
  /** Integers with Σv² ≤ norm²; one stands for clip/norm. */
  readonly values: Int32Array;
  /** Whether the vector was longer than `clip`, so that its length was cut. */
  readonly clipped: boolean;
  /** False when an entry was NaN or infinite: the record then counts as the zero vector. */
  readonly finite: boolean;
}

/** How clipped vectors become whole numbers. */
export interface WholeNumbers {
  /** A whole number next to this one. */
  readonly round: (value: number) => number;
  /** The entry, of so many, with which shortening begins. */
  readonly first: (length: number) => number;
}

const toTheNearest: WholeNumbers = { round: roundHalfEven, first: () => 0 };

export function wholeNumbers(rounding: Rounding, random: RandomBytes): WholeNumbers {
  if (rounding === 'nearest') return toTheNearest;
  const words = randomWordsFrom(random);
  // As near to uniform as a word allows: that no entry is favoured matters to accuracy, and to nothing that is promised.
  return { round: stochasticRounding(random), first: (length) => Math.floor((words() / 2 ** WORD_BITS) * length) };
}

/**
 * The vector as integers of L2 norm at most `norm`, in units of clip/norm; a vector no longer than `clip` is only rounded,
 * half to even unless told otherwise, unless the rounding itself made it too long.
 *
 * `clip` is a finite number above 0, `norm` lies in [1, 2^26]. Never throws on
 * account of the vector: a record must not be able to stop a round, which would say something about it.
 *
 * @throws SealsumError privacy_invalid for `clip` or `norm`, never for the vector
 */
export function clipToIntegers(
  vector: ArrayLike<number>,
  clip: number,
  norm: bigint = CLIP_SCALE,
  { round, first }: WholeNumbers = toTheNearest,
): ClippedVector {
  if (!(Number.isFinite(clip) && clip > 0)) {
    throw new SealsumError('privacy_invalid', `clip: expected a finite length above 0, got ${clip}`, { field: 'clip' });
  }
  if (norm < 1n || norm > GREATEST_NORM) {
    throw new SealsumError('privacy_invalid', `norm: expected 1 to 2^26, got ${norm.toString()}`, { field: 'norm' });
  }
  const values = new Int32Array(vector.length);
  let greatest = 0;
  for (let index = 0; index < vector.length; index++) {
    const magnitude = Math.abs(vector[index] as number);
    if (!Number.isFinite(magnitude)) return { values, clipped: false, finite: false };
    if (magnitude > greatest) greatest = magnitude;
  }
  if (greatest === 0) return { values, clipped: false, finite: true };

  // The length is greatest × relative, where relative lies in [1, √d]. It is never multiplied out: it might overflow.
  let relativeSquares = 0;
  for (let index = 0; index < vector.length; index++) relativeSquares += ((vector[index] as number) / greatest) ** 2;
  const relative = Math.sqrt(relativeSquares);
  const clipped = relative > clip / greatest;

  const length = Number(norm);
  for (let index = 0; index < vector.length; index++) {
    const value = vector[index] as number;
    values[index] = round(clipped ? (value / greatest / relative) * length : (value / clip) * length);
  }
  shorten(values, length, first);
  return { values, clipped, finite: true };
}

/** Σv², exact below 2^53. */
function squaredNorm(values: Int32Array): number {
  let squares = 0;
  for (const value of values) squares += value * value;
  return squares;
}

/**
 * Moves entries one step towards zero, in turn, until Σv² ≤ norm². A vector rounded to the nearest exceeds by so little that a few
 * entries suffice; every step makes the sum smaller, so it ends.
 */
function shorten(values: Int32Array, norm: number, first: WholeNumbers['first']): void {
  let surplus = squaredNorm(values) - norm * norm;
  if (surplus <= 0) return;
  for (let index = first(values.length); surplus > 0; index = (index + 1) % values.length) {
    const value = values[index] as number;
    if (value === 0) continue;
    surplus -= 2 * Math.abs(value) - 1;
    values[index] = value - Math.sign(value);
  }
}
