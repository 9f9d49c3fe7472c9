/**
 * L2 clipping into integers of up to 64 bits: as clipping.ts does it, for lengths that doubles do not count exactly. What is
 * rounded is checked in whole numbers, and what is too long by rounding is shortened as a whole: an integer is then so fine a
 * step that nobody sees it.
 */
import { toFixedPoint } from '../encoding/fixed-point.ts';
import { SealsumError } from '../errors.ts';
import { integerSquareRoot } from './integer.ts';

export interface WideClippedVector {
  /** Integers with Σv² ≤ norm²; `norm` stands for `clip`. */
  readonly values: bigint[];
  /** Whether the vector was longer than `clip`, so that its length was cut. */
  readonly clipped: boolean;
}

/** The L2 norm of finite numbers; it does not overflow before the norm does. */
export function euclideanNorm(vector: ArrayLike<number>): number {
  const { greatest, relative } = lengthOf(vector);
  return greatest * relative;
}

/**
 * @param vector finite numbers
 * @param clip above 0, the length that stands for `norm`
 * @param norm a power of two
 * @throws SealsumError number_not_finite naming the value by its index, privacy_invalid for a clip that is none
 */
export function clipToWideIntegers(vector: ArrayLike<number>, clip: number, norm: bigint): WideClippedVector {
  if (!(Number.isFinite(clip) && clip > 0))
    throw new SealsumError('privacy_invalid', `clip: expected a finite length above 0, got ${clip}`, { field: 'clip' });
  const { greatest, relative } = lengthOf(vector);
  // The length is greatest × relative, which is never multiplied out: it might overflow.
  const clipped = greatest > 0 && relative > clip / greatest;
  const parts = Float64Array.from(vector, (value) => (clipped ? value / greatest / relative : value / clip));
  return { values: shorten(toFixedPoint(parts, Number(norm)), norm), clipped };
}

function lengthOf(vector: ArrayLike<number>): { readonly greatest: number; readonly relative: number } {
  let greatest = 0;
  for (let index = 0; index < vector.length; index += 1)
    greatest = Math.max(greatest, Math.abs(vector[index] as number));
  if (greatest === 0) return { greatest, relative: 0 };
  let squares = 0;
  for (let index = 0; index < vector.length; index += 1) squares += ((vector[index] as number) / greatest) ** 2;
  return { greatest, relative: Math.sqrt(squares) };
}

/** Times norm/length, towards zero, where the length is more: Σ⌊|v|·norm/r⌋² ≤ norm²·Σv²/r² ≤ norm² with r = ⌈√Σv²⌉. */
function shorten(values: bigint[], norm: bigint): bigint[] {
  let squares = 0n;
  for (const value of values) squares += value * value;
  if (squares <= norm * norm) return values;
  const length = integerSquareRoot(squares - 1n) + 1n;
  return values.map((value) => (value * norm) / length);
}
