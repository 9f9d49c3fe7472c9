/**
 * Powers of one fixed base modulo n², from a table: the comb of Lim and Lee ("More flexible exponentiation with
 * precomputation", CRYPTO '94), with entries in a representation that halves the cost of a product.
 *
 * The exponent's bits stand in a matrix of `teeth` rows and a columns, a column being the bits at c, a + c, 2a + c, …; the
 * columns are cut into `blocks` of b. For each block k the table has the products of the powers base^(2^(i·a + k·b)) over every
 * set of rows i that is not empty. A power takes b steps, each a squaring and one entry of every block: that many squarings,
 * and as many products as there are columns. Windows without squarings are the special case b = 1; with b around 10 the
 * table has a tenth of their entries for the same time.
 *
 * Entries are kept as pairs (split-unit.ts): the second halves are only added, the first halves have half the length, and two of
 * them can be multiplied before a reduction is due. Measured against entries modulo n², a product takes 0.6 of the time.
 *
 * The table is built piece by piece, so that a caller can do other work in between. Neither time nor memory access is
 * independent of the exponent: this is for encryptors, whose exponents are used once, on machines they do not share.
 */
import { SealsumError } from '../errors.ts';
import { bigintToBytes } from './bytes.ts';
import { joinUnit, multiplySplit, type SplitUnit, splitUnit } from './split-unit.ts';

/** How a table is laid out. */
export interface CombShape {
  /** Rows of the comb: a block has 2^teeth − 1 entries. */
  readonly teeth: number;
  /** Blocks of columns; fewer when fewer of the same width hold them all. */
  readonly blocks: number;
}

/** The greatest shape: 13 MB at 3072 bits. */
export const greatestShape: CombShape = { teeth: 10, blocks: 16 };

/** The comb of a shape over exponents of so many bits. */
interface Comb extends CombShape {
  /** a */
  readonly columns: number;
  /** b, the columns of a block; the last block may have fewer. */
  readonly depth: number;
}

function combOf(exponentBits: number, { teeth, blocks }: CombShape): Comb {
  const columns = Math.ceil(exponentBits / teeth);
  const depth = Math.ceil(columns / blocks);
  return { teeth, columns, depth, blocks: Math.ceil(columns / depth) };
}

/** The products modulo n² that a table takes to build, and each power through it, as measured at 2048 and 3072 bits. */
export function combCost(exponentBits: number, shape: CombShape): { readonly build: number; readonly power: number } {
  const { teeth, columns, depth, blocks } = combOf(exponentBits, shape);
  return { build: teeth * columns + blocks * 2 ** teeth, power: depth + 0.6 * columns };
}

/** The shape with which a table and so many powers take the fewest products; the greatest for more than can be said. */
export function combShape(exponentBits: number, powers: number): CombShape {
  let best = greatestShape;
  const cost = (shape: CombShape): number => {
    const { build, power } = combCost(exponentBits, shape);
    return build + powers * power;
  };
  if (!Number.isFinite(powers)) return best;
  for (let teeth = 1; teeth <= greatestShape.teeth; teeth += 1)
    for (let blocks = 1; blocks <= greatestShape.blocks; blocks += 1)
      if (cost({ teeth, blocks }) < cost(best)) best = { teeth, blocks };
  return best;
}

/** The bytes that V8 needs for a bigint besides its digits: a header, and the pointer in the array that holds it. */
const bigintOverhead = 24;

/** The memory of a whole table, in bytes. */
export function fixedBaseTableBytes(modulusBits: number, exponentBits: number, shape: CombShape): number {
  const { teeth, blocks } = combOf(exponentBits, shape);
  const half = 8 * Math.ceil(modulusBits / 64) + bigintOverhead;
  return blocks * (2 ** teeth - 1) * 2 * half;
}

/** A table of powers of one base modulo n², for exponents in [0, 2^exponentBits). */
export class FixedBaseTable {
  readonly #n: bigint;
  readonly #square: bigint;
  readonly #comb: Comb;
  /** The entry of block k and rows u, a set of bits, is r·(1 + s·n) at k·(2^teeth − 1) + u − 1. */
  readonly #r: bigint[] = [];
  readonly #s: bigint[] = [];
  /** base^(2^(i·a + k·b)) for each row i and block k, at i·blocks + k, as far as they are built. */
  #roots: SplitUnit[] = [];
  /** base^(2^(i·a)) for the next row i. */
  #next: SplitUnit;

  /** Builds nothing yet. `base` is a unit modulo n². */
  constructor(n: bigint, base: bigint, exponentBits: number, shape: CombShape) {
    this.#n = n;
    this.#square = n * n;
    this.#comb = combOf(exponentBits, shape);
    this.#next = splitUnit(n, base);
  }

  /** Whether every piece is built, so that power() may be called. */
  get complete(): boolean {
    const { teeth, blocks } = this.#comb;
    return this.#r.length === blocks * (2 ** teeth - 1);
  }

  /** Builds the next piece, which takes some milliseconds: a row, or after these a block. Nothing happens when all are built. */
  buildPiece(): void {
    if (this.complete) return;
    const { teeth, blocks } = this.#comb;
    if (this.#roots.length < teeth * blocks) {
      this.#buildRow();
      return;
    }
    const block = this.#r.length / (2 ** teeth - 1);
    this.#buildBlock(block);
    if (block === blocks - 1) this.#roots = [];
  }

  #buildRow(): void {
    const { columns, depth } = this.#comb;
    for (let column = 0; column < columns; column += 1) {
      if (column % depth === 0) this.#roots.push(this.#next);
      this.#next = multiplySplit(this.#n, this.#next, this.#next);
    }
  }

  #buildBlock(block: number): void {
    const { teeth, blocks } = this.#comb;
    const entries: SplitUnit[] = [];
    for (let rows = 1; rows < 2 ** teeth; rows += 1) {
      const highest = 31 - Math.clz32(rows);
      const root = this.#roots[highest * blocks + block];
      if (root === undefined) throw notComplete();
      const rest = entries[rows - 2 ** highest - 1];
      const entry = rest === undefined ? root : multiplySplit(this.#n, rest, root);
      entries.push(entry);
      this.#r.push(entry.r);
      this.#s.push(entry.s);
    }
  }

  /** base^exponent·(1 + m·n) mod n², for an exponent in [0, 2^exponentBits) and any m ≥ 0. Throws backend_unavailable before the table is complete. */
  power(exponent: bigint, m: bigint): bigint {
    if (!this.complete) throw notComplete();
    const { teeth, columns, depth, blocks } = this.#comb;
    const bits = bigintToBytes(exponent, Math.ceil((teeth * columns) / 8)).reverse();
    const entries = 2 ** teeth - 1;
    let product = 1n;
    let sum = 0n;
    for (let step = depth - 1; step >= 0; step -= 1) {
      product = (product * product) % this.#square;
      sum *= 2n;
      let pending: bigint | undefined;
      for (let block = 0; block < blocks; block += 1) {
        const column = block * depth + step;
        if (column >= columns) break;
        let rows = 0;
        for (let tooth = 0; tooth < teeth; tooth += 1) {
          const position = tooth * columns + column;
          rows |= (((bits[position >> 3] ?? 0) >>> (position & 7)) & 1) << tooth;
        }
        if (rows === 0) continue;
        const r = this.#r[block * entries + rows - 1];
        const s = this.#s[block * entries + rows - 1];
        if (r === undefined || s === undefined) throw notComplete();
        sum += s;
        if (pending === undefined) {
          pending = r;
        } else {
          product = (product * (pending * r)) % this.#square;
          pending = undefined;
        }
      }
      if (pending !== undefined) product = (product * pending) % this.#square;
    }
    sum += m;
    return joinUnit(this.#n, this.#square, product, sum);
  }
}

function notComplete(): SealsumError {
  return new SealsumError('backend_unavailable', 'fixed-base table: not complete; build its other pieces first');
}
