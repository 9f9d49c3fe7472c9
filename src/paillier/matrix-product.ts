/**
 * A matrix of integers that nobody else may know, times a vector of which only ciphertexts are known, packed on the way:
 *
 *     C_k = Π_i ( Π_j c_j^(A_ij) )^(2^(W·i)) · (1 + m_k·n) · u^n   mod n²
 *
 * over the rows i that lie in output ciphertext k, with slots of W bits. Naively every entry costs a power of its own. Here all rows
 * share one table of small powers for each c_j (Straus 1964; Menezes, van Oorschot, Vanstone 1996, Algorithm 14.88), and the squarings
 * that shift a row into its slot are those that its digits need anyway: an entry costs one product of half length for each of its
 * digits, and a row W squarings.
 *
 * An entry a with |a| ≤ B is used as a + B ≥ 0, in a fixed number of digits, and what was added is divided out again, (Π c_j)^(−B) in
 * every row. Every digit costs one product, zeros too, and all table entries have a unit of their own as a factor, so that none of them is a
 * one or short: the sequence of operations and the lengths of their operands depend on B and on how many rows and columns there
 * are, not on the matrix. What remains is what BigInt and the processor's caches make of values and addresses.
 *
 * u is a uniform unit for each output, so that u^n is a uniform n-th residue: even for whoever has the private key, and chose the
 * ciphertexts c_j as it liked, an output tells its plaintext and nothing else. (A contribution of fresh encryptions needs no more than the short
 * exponents of encryption.ts, since nothing but these is in it.)
 */
import { SealsumError } from '../errors.ts';
import type { ModularBackend } from './backend.ts';
import { encodeCiphertexts, readIntegers } from './ciphertexts.ts';
import { inverses } from './inverses.ts';
import { type Ciphertext, ciphertextBytes, type PublicKey, powerModuloSquare } from './public-key.ts';
import { type RandomBytes, randomUnit, systemRandom } from './random.ts';
import type { RecodedMatrix } from './recoded-matrix.ts';
import { joinUnit, multiplySplit, type SplitUnit, splitUnit } from './split-unit.ts';

/** Where rows lie in the outputs: row i in slot `first + i`, slots of `slotBits` bits, `slotsPerCiphertext` of them in each. */
export interface RowSlots {
  readonly slotBits: number;
  readonly slotsPerCiphertext: number;
  readonly first: number;
}

/** What is multiplied. */
export interface Factors {
  readonly publicKey: PublicKey;
  readonly matrix: RecodedMatrix;
  /** One for each column, in fixed-width big-endian bytes, validated when they came. */
  readonly ciphertexts: Uint8Array;
  readonly slots: RowSlots;
  /** What is added to each output, in [0, n); there are as many outputs. */
  readonly plaintexts: readonly bigint[];
}

/** Some of the outputs, all of it at once. */
export function multiplyRange(factors: Factors, range: OutputRange, backend: ModularBackend): Uint8Array {
  const steps = productSteps(factors, range, backend, systemRandom);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return encodeCiphertexts(factors.publicKey, step.value);
  }
}

/** The outputs from one to before another. */
export interface OutputRange {
  readonly from: number;
  readonly to: number;
}

/** A product in steps of some milliseconds. */
export function* productSteps(
  { publicKey, matrix, ciphertexts, slots, plaintexts }: Factors,
  { from, to }: OutputRange,
  backend: ModularBackend,
  random: RandomBytes,
): Generator<void, Ciphertext[]> {
  const { n, _n2: square } = publicKey;
  const { columns, rows, bound, window, length } = matrix;
  if ((length - 1) * window >= slots.slotBits)
    throw new SealsumError('plan_unsafe', `slots of ${slots.slotBits} bits have no room for ±${bound.toString()}`, {
      field: 'slotBits',
    });
  if (ciphertexts.length !== columns * ciphertextBytes(publicKey))
    throw new SealsumError('exponent_out_of_range', 'matrix: expected a ciphertext for each column', {
      field: 'ciphertexts',
    });
  const power = powerModuloSquare(publicKey, backend);
  const residue = (): bigint => power(randomUnit(n, random), n);
  const units = readIntegers(publicKey, ciphertexts);
  const [inverse = 1n] = inverses(square, [units.reduce((product, unit) => (product * unit) % square, 1n)]);
  const correction = power(inverse, bound);
  const tables = new PowerTables(n, matrix.window);
  const blind = splitUnit(n, residue());
  yield;
  const inverted = inverses(
    n,
    units.map((unit) => unit % n),
  );
  for (const [column, unit] of units.entries()) {
    tables.add(blind, splitUnit(n, unit, inverted[column]));
    yield;
  }
  const outputs: Ciphertext[] = [];
  for (let output = from; output < to; output += 1) {
    let product = 1n;
    let sum = plaintexts[output] ?? 0n;
    let added = 0n;
    const last = Math.min((output + 1) * slots.slotsPerCiphertext - slots.first, rows) - 1;
    const lowest = output * slots.slotsPerCiphertext - slots.first;
    for (let row = last; row >= lowest; row -= 1) {
      const shifted = shiftIn(matrix, tables, row, slots.slotBits, square, { product, sum: added });
      product = row < 0 ? shifted.product : (shifted.product * correction) % square;
      added = shifted.sum % n;
      yield;
    }
    sum += added;
    outputs.push(((joinUnit(n, square, product, sum) * residue()) % square) as Ciphertext);
    yield;
  }
  return outputs;
}

/** A unit product·(1 + sum·n) mod n² in the making. */
interface Growing {
  readonly product: bigint;
  readonly sum: bigint;
}

/** One slot further: so many squarings, and on the way the digits of a row; of a slot before the first row the squarings only. */
function shiftIn(
  { window, length, columns, digits }: RecodedMatrix,
  tables: PowerTables,
  row: number,
  slotBits: number,
  square: bigint,
  { product: begun, sum: counted }: Growing,
): Growing {
  let [product, sum] = [begun, counted];
  for (let step = slotBits - 1; step >= 0; step -= 1) {
    product = (product * product) % square;
    sum *= 2n;
    const digit = step / window;
    if (row < 0 || digit >= length || !Number.isInteger(digit)) continue;
    const at = (row * length + (length - 1 - digit)) * columns;
    for (let column = 0; column < columns; column += 1) {
      const entry = (column << window) | (digits[at + column] ?? 0);
      product = (product * tables.r(entry)) % square;
      sum += tables.s(entry);
    }
  }
  return { product, sum };
}

/** Of each unit its powers by 0 to 2^window − 1, all times the same other unit. */
class PowerTables {
  readonly #n: bigint;
  readonly #window: number;
  readonly #r: bigint[] = [];
  readonly #s: bigint[] = [];

  constructor(n: bigint, window: number) {
    this.#n = n;
    this.#window = window;
  }

  add(blind: SplitUnit, unit: SplitUnit): void {
    let entry = blind;
    for (let digit = 0; digit < 2 ** this.#window; digit += 1) {
      if (digit > 0) entry = multiplySplit(this.#n, entry, unit);
      this.#r.push(entry.r);
      this.#s.push(entry.s);
    }
  }

  /** The halves of an entry: unit × 2^window + digit. */
  r(entry: number): bigint {
    return required(this.#r[entry]);
  }

  s(entry: number): bigint {
    return required(this.#s[entry]);
  }
}

/** An absent entry must never be taken for a one. */
function required(entry: bigint | undefined): bigint {
  if (entry === undefined) throw new SealsumError('internal', 'matrix product: an entry of its tables is missing');
  return entry;
}
