/**
 * Encrypted numbers to compute with, as python-paillier has them, but for its overflow: a vector knows the scale of its integers and the
 * greatest magnitude one of them can have, and every operation works both out for its result first. One whose result could not be
 * decoded is refused before it runs, with the bits it would need; the way on is `renormaliseVector`, which takes the private key.
 *
 * Vectors do not change: an operation makes another. Its ciphertexts are as random as those it was made of and no more, so that whoever
 * has seen them can find out what was done by trying; `vectorToJson`, which is the way to somebody else, re-randomises such a vector.
 * Scale, bound, length and layout are public and travel with it. Where no bound for plain operands is given, the one that is
 * tracked is their own, and so tells how great they are.
 */
import { SealsumError } from '../errors.ts';
import { startProduct } from '../paillier/aggregate.ts';
import { bitLength } from '../paillier/bytes.ts';
import { addPlaintext, encodeCiphertexts } from '../paillier/ciphertexts.ts';
import { greatestCommonDivisor } from '../paillier/divisors.ts';
import { encryptMany } from '../paillier/encrypt-many.ts';
import type { Encryptor } from '../paillier/encryptor.ts';
import { multiplyAll, type Powers, raiseAndMultiply, raiseEach, raiseToPublic } from '../paillier/powers.ts';
import { type Ciphertext, ciphertextBytes, type PublicKey } from '../paillier/public-key.ts';
import type { Spreading } from '../threads/spread.ts';
import {
  boundAt,
  greatestMagnitude,
  integersAt,
  type PlainOptions,
  requireWithin,
  weightsOf,
} from './encrypted-vector-numbers.ts';
import {
  ciphertextCount,
  neededBits,
  packSlots,
  type Range,
  requireRoom,
  type SlotLayout,
} from './encrypted-vector-slots.ts';

/** What a vector is made of. */
export interface VectorParts extends Range, Powers {
  /** How many values, at least 1. */
  readonly length: number;
  readonly layout: SlotLayout;
  /** In fixed-width big-endian bytes, as many as the layout asks for, each validated. */
  readonly ciphertexts: Uint8Array;
  /** Whether these tell nothing of what was done to make them. */
  readonly fresh: boolean;
}

/** Several encrypted real numbers. Made by encryptVector, vectorFromCiphertexts and vectorFromJson, and by operations. */
export class EncryptedVector {
  readonly #parts: VectorParts;

  constructor(parts: VectorParts) {
    this.#parts = parts;
  }

  /** For the files beside this one. */
  static partsOf(vector: EncryptedVector): VectorParts {
    return vector.#parts;
  }

  get publicKey(): PublicKey {
    return this.#parts.publicKey;
  }

  /** How many values. */
  get length(): number {
    return this.#parts.length;
  }

  /** integer = real × scale. */
  get scale(): bigint {
    return this.#parts.scale;
  }

  /** The greatest magnitude that an integer of this vector can have. */
  get bound(): bigint {
    return this.#parts.bound;
  }

  /** The bits of the slot that each value lies in. */
  get slotBits(): number {
    return this.#parts.layout.slotBits;
  }

  /** How many values share a ciphertext. */
  get slotsPerCiphertext(): number {
    return this.#parts.layout.slotsPerCiphertext;
  }

  /** By how many bits the bound can still grow. */
  get headroomBits(): number {
    return this.slotBits - neededBits(this.bound);
  }

  /**
   * The sum. Where the scales differ both are multiplied up to their least common multiple, which takes room as any product does.
   *
   * @throws SealsumError plan_mismatch where length, key or layout differ; plan_unsafe
   */
  add(other: EncryptedVector): EncryptedVector {
    return combine('add', [this, other], [1n, 1n]);
  }

  /** The difference. @throws SealsumError as add does */
  subtract(other: EncryptedVector): EncryptedVector {
    return combine('subtract', [this, other], [1n, -1n]);
  }

  /** Every value with the other sign. @throws nothing: scale and bound stay as they are */
  negate(): EncryptedVector {
    return combine('negate', [this], [-1n]);
  }

  /**
   * The sum with plain numbers, rounded to this vector's scale, ties to even.
   *
   * @param values as many as this has, or one for all
   * @throws SealsumError number_not_finite, number_out_of_bounds naming the value; plan_mismatch; plan_unsafe
   */
  addPlain(values: ArrayLike<number> | number, options: Pick<PlainOptions, 'bound'> = {}): EncryptedVector {
    const { publicKey, backend, length, layout, scale, ciphertexts } = this.#parts;
    const integers = integersAt(this.#forEach(values, 'values'), scale);
    const operand = options.bound === undefined ? greatestMagnitude(integers) : boundAt(options.bound, scale);
    requireWithin(integers, operand);
    const bound = this.bound + operand;
    requireRoom('addPlain', layout, { scale, bound });
    const nothing = 1n as Ciphertext;
    const plain = packSlots(layout, integers, publicKey.n).map((m) => addPlaintext(publicKey, nothing, m));
    const product = startProduct(publicKey, ciphertexts, backend);
    product.multiply(encodeCiphertexts(publicKey, plain));
    return this.#with({ bound, length, ciphertexts: product.bytes() });
  }

  /**
   * The product with plain numbers.
   *
   * @param factors one for all values; or as many as this has, where every value has a ciphertext of its own
   * @throws SealsumError number_not_finite, number_out_of_bounds naming the factor; plan_mismatch; plan_unsafe; aborted
   */
  async multiplyPlain(factors: ArrayLike<number> | number, options: PlainOptions = {}): Promise<EncryptedVector> {
    const { layout, ciphertexts, length } = this.#parts;
    if (typeof factors !== 'number')
      this.#requireOwnCiphertexts('multiplyPlain', 'one factor for all is possible, or ');
    const plain = weightsOf(this.#forEach(factors, 'factors'), options, 'factor');
    const range = { scale: this.scale * plain.scale, bound: this.bound * plain.bound };
    requireRoom('multiplyPlain', layout, range);
    const values = plain.values.slice(0, ciphertextCount(layout, length));
    const weights = { values, bits: bitLength(plain.bound) };
    return this.#with({ ...range, ciphertexts: await raiseEach(this.#parts, ciphertexts, weights, options) });
  }

  /**
   * The dot product with plain weights, a vector of length 1, where every value has a ciphertext of its own.
   *
   * @param weights as many as this has
   * @throws SealsumError as multiplyPlain does
   */
  dotPlain(weights: ArrayLike<number>, options: PlainOptions = {}): Promise<EncryptedVector> {
    return this.dotRows([weights], options);
  }

  /**
   * The product of a plain matrix with this vector: the dot product with every row.
   *
   * @param rows at least one, each as long as this vector
   * @throws SealsumError as multiplyPlain does; a weight is named by row and column, `weight 2.0`
   */
  async dotRows(rows: readonly ArrayLike<number>[], options: PlainOptions = {}): Promise<EncryptedVector> {
    this.#requireOwnCiphertexts('dotPlain');
    const plain = rows.map((row, index) =>
      weightsOf(this.#forEach(row, 'weights'), options, rows.length === 1 ? 'weight' : `row ${index}, weight`),
    );
    const [first] = plain;
    if (first === undefined) throw mismatch('rows', 'expected at least one');
    const reach = greatestMagnitude(plain.map(({ reach }) => reach));
    const range = { scale: this.scale * first.scale, bound: this.bound * reach };
    requireRoom('dotPlain', this.#parts.layout, range);
    const bits = bitLength(greatestMagnitude(plain.map(({ bound }) => bound)));
    const values = plain.map((row) => row.values);
    const ciphertexts = await raiseAndMultiply(this.#parts, this.#parts.ciphertexts, { values, bits }, options);
    return this.#with({ ...range, length: rows.length, ciphertexts });
  }

  /**
   * The quotient by a whole number, exactly: only the scale changes, and no ciphertext is touched.
   *
   * @param divisor a whole number of at least 1
   * @throws SealsumError number_out_of_bounds
   */
  divide(divisor: number | bigint): EncryptedVector {
    if ((typeof divisor === 'number' && !Number.isSafeInteger(divisor)) || divisor < 1) {
      throw new SealsumError(
        'number_out_of_bounds',
        'divisor: expected a whole number of at least 1; multiply by the reciprocal of others, with fractionBits',
        { field: 'divisor' },
      );
    }
    const scale = this.scale * BigInt(divisor);
    requireRoom('divide', this.#parts.layout, { scale, bound: this.bound });
    return new EncryptedVector({ ...this.#parts, scale });
  }

  /**
   * The sum of this vector's own values, a vector of length 1, where every value has a ciphertext of its own.
   *
   * @throws SealsumError plan_mismatch, plan_unsafe
   */
  sum(): EncryptedVector {
    const { layout, scale, ciphertexts, length } = this.#parts;
    this.#requireOwnCiphertexts('sum');
    const bound = this.bound * BigInt(length);
    requireRoom('sum', layout, { scale, bound });
    return this.#with({ bound, length: 1, ciphertexts: multiplyAll(this.publicKey, ciphertexts) });
  }

  /** The mean of this vector's own values, exactly. @throws SealsumError as sum and divide do */
  mean(): EncryptedVector {
    return this.sum().divide(this.length);
  }

  /**
   * The values from one position to before another, where every value has a ciphertext of its own.
   *
   * @throws SealsumError plan_mismatch unless 0 ≤ from < to ≤ length
   */
  slice(from: number, to: number): EncryptedVector {
    this.#requireOwnCiphertexts('slice');
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from < 0 || from >= to || to > this.length)
      throw mismatch('slice', `expected 0 ≤ from < to ≤ ${this.length}`);
    const width = ciphertextBytes(this.publicKey);
    const ciphertexts = this.#parts.ciphertexts.slice(from * width, to * width);
    return this.#with({ length: to - from, ciphertexts });
  }

  /**
   * The same values in other ciphertexts, which nobody but the key's owner can tell from those of other values.
   *
   * @throws SealsumError plan_mismatch where the encryptor has another key; aborted
   */
  async rerandomise(encryptor: Encryptor, spreading: Spreading = {}): Promise<EncryptedVector> {
    const { publicKey, backend, ciphertexts, layout, length } = this.#parts;
    requireSameKey(publicKey, encryptor.publicKey);
    const product = startProduct(publicKey, ciphertexts, backend);
    const zeros = new Array<bigint>(ciphertextCount(layout, length)).fill(0n);
    product.multiply(await encryptMany(encryptor, zeros, spreading));
    return this.#with({ ciphertexts: product.bytes(), fresh: true });
  }

  #with(changes: Partial<VectorParts>): EncryptedVector {
    return new EncryptedVector({ ...this.#parts, fresh: false, ...changes });
  }

  /** One for each value. */
  #forEach(numbers: ArrayLike<number> | number, name: string): ArrayLike<number> {
    if (typeof numbers === 'number') return new Array<number>(this.length).fill(numbers);
    if (numbers.length === this.length) return numbers;
    throw mismatch(name, `the vector has ${this.length} values, these are ${numbers.length}`);
  }

  #requireOwnCiphertexts(operation: string, otherwise = ''): void {
    const { slotsPerCiphertext } = this;
    if (slotsPerCiphertext === 1) return;
    throw mismatch(operation, `${slotsPerCiphertext} values share a ciphertext; ${otherwise}encrypt without slotBits`);
  }
}

/**
 * The sum of vectors, of at least one.
 *
 * @throws SealsumError as EncryptedVector.add does
 */
export function sumVectors(vectors: readonly EncryptedVector[]): EncryptedVector {
  return combine('sumVectors', vectors, new Array<bigint>(vectors.length).fill(1n));
}

/** Their mean, exactly: the scale of the sum times how many they are. @throws SealsumError as EncryptedVector.add does */
export function meanVectors(vectors: readonly EncryptedVector[]): EncryptedVector {
  return sumVectors(vectors).divide(vectors.length);
}

/** @throws SealsumError plan_mismatch */
export function requireSameKey(expected: PublicKey, found: PublicKey): void {
  if (expected.n !== found.n) throw mismatch('key', 'the vector was encrypted under another');
}

/** Σ sign × vector, at the least common multiple of the scales. */
function combine(operation: string, vectors: readonly EncryptedVector[], signs: readonly bigint[]): EncryptedVector {
  const all = vectors.map((each) => EncryptedVector.partsOf(each));
  const [first] = all;
  if (first === undefined) throw mismatch('vectors', 'expected at least one');
  for (const each of all) requireAlike(first, each);
  const scale = all.reduce((common, each) => leastCommonMultiple(common, each.scale), 1n);
  const terms = all.map((each, index) => ({ ...each, factor: scale / each.scale, sign: signs[index] ?? 1n }));
  const bound = terms.reduce((total, each) => total + each.bound * each.factor, 0n);
  requireRoom(operation, first.layout, { scale, bound });
  const [start, ...others] = terms.map((each) => raiseToPublic(each, each.ciphertexts, each.factor * each.sign));
  const product = startProduct(first.publicKey, start ?? first.ciphertexts, first.backend);
  for (const each of others) product.multiply(each);
  return new EncryptedVector({ ...first, scale, bound, ciphertexts: product.bytes(), fresh: false });
}

function requireAlike(first: VectorParts, other: VectorParts): void {
  requireSameKey(first.publicKey, other.publicKey);
  if (first.length !== other.length)
    throw mismatch('length', `vectors of ${first.length} and of ${other.length} values cannot be added`);
  const [a, b] = [first.layout.slotBits, other.layout.slotBits];
  if (a !== b) throw mismatch('slotBits', `slots of ${a} and of ${b} bits cannot be added; encrypt both with the same`);
}

function leastCommonMultiple(a: bigint, b: bigint): bigint {
  return (a / greatestCommonDivisor(a, b)) * b;
}

function mismatch(field: string, what: string): SealsumError {
  return new SealsumError('plan_mismatch', `${field}: ${what}`, { field });
}
