/** A matrix of integers in digits of a fixed number, ready to be multiplied with ciphertexts (matrix-product.ts). */
import { SealsumError } from '../errors.ts';
import { bigintToBytes, bitLength } from './bytes.ts';

/** A matrix made ready for products with any vectors. Plain data, as secret as the matrix. */
export interface RecodedMatrix {
  readonly rows: number;
  readonly columns: number;
  /** B: no entry is greater in magnitude. Public. */
  readonly bound: bigint;
  /** Bits of a digit, 1 to 8. */
  readonly window: number;
  /** Digits of an entry. */
  readonly length: number;
  /** The digits of entry + B: row by row, of each digit from the highest down those of all columns. */
  readonly digits: Uint8Array;
}

/** The most bytes that the tables of one product may take. */
const mostTableBytes = 2 ** 26;
/** What an entry of a table costs, in products of half length. */
export const entryCost = 1.7;

/**
 * @param rows all of the same length
 * @param bound the greatest magnitude that an entry may have, whatever the matrix is
 * @param keyBits of the keys that it will be used with
 * @throws SealsumError `number_out_of_bounds` naming the entry that is greater
 */
export function recodeMatrix(rows: readonly (readonly bigint[])[], bound: bigint, keyBits: number): RecodedMatrix {
  const columns = rows[0]?.length ?? 0;
  const bits = bitLength(2n * bound);
  const window = bestWindow(rows.length, columns, bits, keyBits);
  const length = Math.ceil(bits / window);
  const digits = new Uint8Array(rows.length * length * columns);
  const mask = (1 << window) - 1;
  for (const [i, row] of rows.entries()) {
    for (const [j, entry] of row.entries()) {
      if (entry > bound || entry < -bound) {
        const field = `entry ${i}, ${j}`;
        throw new SealsumError('number_out_of_bounds', `${field} is beyond ±${bound.toString()}`, { field });
      }
      const bytes = bigintToBytes(entry + bound, Math.ceil((length * window) / 8) + 1).reverse();
      for (let digit = 0; digit < length; digit += 1) {
        const at = digit * window;
        const pair = (bytes[at >> 3] ?? 0) | ((bytes[(at >> 3) + 1] ?? 0) << 8);
        digits[(i * length + (length - 1 - digit)) * columns + j] = (pair >> (at & 7)) & mask;
      }
    }
  }
  return { rows: rows.length, columns, bound, window, length, digits };
}

/** The width of digits with which tables and rows take the fewest products; whatever the matrix is. */
function bestWindow(rows: number, columns: number, bits: number, keyBits: number): number {
  const cost = (window: number): number => entryCost * 2 ** window + rows * Math.ceil(bits / window);
  let best = 1;
  for (let window = 2; window <= 8; window += 1) {
    if (columns * 2 ** window * (keyBits / 4) > mostTableBytes) break;
    if (cost(window) < cost(best)) best = window;
  }
  return best;
}
