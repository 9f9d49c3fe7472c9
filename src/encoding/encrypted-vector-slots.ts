/**
 * How the integers of an encrypted vector lie in plaintexts, and what has room there.
 *
 * As in a plan, a plaintext is k balanced digits in base 2^W, and with B the greatest magnitude of a digit
 *
 *     W ≥ ⌈log₂ B⌉ + 2   and   k·W ≤ |n| − 2
 *
 * let every vector be decoded without loss (see plan.ts, which has the proof). W stays what it was when the vector was encrypted; B grows
 * with every operation, and one after which the first inequality would fail is refused before it runs.
 */
import { SealsumError } from '../errors.ts';
import { bitLength } from '../paillier/bytes.ts';
import { greatestKeyBits } from '../paillier/jwk.ts';
import { divideToNumber } from './fixed-point.ts';

/** Where values lie. Two vectors can be added only when this is the same. */
export interface SlotLayout {
  /** |n|, in bits. */
  readonly keyBits: number;
  /** W. */
  readonly slotBits: number;
  /** k; 1: every value has a ciphertext of its own. */
  readonly slotsPerCiphertext: number;
}

/** What is known of all values of a vector: integer = real × scale, and no integer is greater in magnitude than the bound. */
export interface Range {
  readonly scale: bigint;
  readonly bound: bigint;
}

/** Bits of a key that no slot uses, and bits of a slot above its greatest magnitude. */
const MARGIN_BITS = 2;

/**
 * @param slotBits W; where only one such slot fits the key, or unless given, a slot is all that the key has
 * @throws SealsumError plan_unsafe where no slot of so many bits fits the key
 */
export function slotLayout(keyBits: number, slotBits?: number): SlotLayout {
  const usable = keyBits - MARGIN_BITS;
  if (slotBits === undefined) return { keyBits, slotBits: usable, slotsPerCiphertext: 1 };
  if (!Number.isSafeInteger(slotBits) || slotBits <= MARGIN_BITS || slotBits > usable) {
    throw new SealsumError(
      'plan_unsafe',
      `slotBits: expected an integer from ${MARGIN_BITS + 1} to ${usable}, all that a key of ${keyBits} bits has`,
      { field: 'slotBits' },
    );
  }
  const slotsPerCiphertext = Math.floor(usable / slotBits);
  return slotsPerCiphertext === 1 ? slotLayout(keyBits) : { keyBits, slotBits, slotsPerCiphertext };
}

/** How many ciphertexts carry so many values. */
export function ciphertextCount({ slotsPerCiphertext }: SlotLayout, length: number): number {
  return Math.ceil(length / slotsPerCiphertext);
}

/** ⌈log₂ B⌉ + 2: the bits that a slot needs for this bound. */
export function neededBits(bound: bigint): number {
  return (bound === 0n ? 0 : bitLength(bound - 1n)) + MARGIN_BITS;
}

/**
 * Refuses what could not be decoded.
 *
 * @param operation what is about to be done, for the error
 * @throws SealsumError plan_unsafe with the bits that are needed and those there are; number_out_of_bounds where a value could be
 *   beyond the largest double, or the scale has more bits than any key
 */
export function requireRoom(operation: string, layout: SlotLayout, { scale, bound }: Range): void {
  const needed = neededBits(bound);
  const { slotBits, slotsPerCiphertext } = layout;
  if (needed > slotBits) {
    const mend =
      slotsPerCiphertext === 1
        ? `use a key of ${needed + MARGIN_BITS} bits or more`
        : `encrypt with slotBits of ${needed} or more`;
    throw new SealsumError(
      'plan_unsafe',
      `${operation}: needs ${needed} bits a slot, slots have ${slotBits}; ${mend} or with fewer fractionBits, or renormalise`,
      { field: operation },
    );
  }
  if (bitLength(scale) > greatestKeyBits || !Number.isFinite(divideToNumber(bound, scale))) {
    throw new SealsumError(
      'number_out_of_bounds',
      `${operation}: values could be beyond the largest double, or the scale beyond ${greatestKeyBits} bits; renormalise`,
      { field: operation },
    );
  }
}

/** The plaintexts, each in [0, modulus), of integers that have room. */
export function packSlots(layout: SlotLayout, integers: readonly bigint[], modulus: bigint): bigint[] {
  const width = BigInt(layout.slotBits);
  return Array.from({ length: ciphertextCount(layout, integers.length) }, (_, ciphertext) => {
    const first = ciphertext * layout.slotsPerCiphertext;
    const packed = integers
      .slice(first, first + layout.slotsPerCiphertext)
      .reduceRight((higher, digit) => (higher << width) + digit, 0n);
    return packed < 0n ? packed + modulus : packed;
  });
}

/**
 * The inverse of packSlots.
 *
 * @param plaintexts as many as carry `length` values, each in [0, modulus)
 * @throws SealsumError slot_overflow naming the first value that is beyond the bound, or above which something is left over
 */
export function unpackSlots(
  layout: SlotLayout,
  plaintexts: readonly bigint[],
  modulus: bigint,
  length: number,
  bound: bigint,
): bigint[] {
  const { slotBits, slotsPerCiphertext } = layout;
  const integers: bigint[] = [];
  for (const plaintext of plaintexts) {
    let rest = 2n * plaintext > modulus ? plaintext - modulus : plaintext;
    const end = Math.min(integers.length + slotsPerCiphertext, length);
    while (integers.length < end) {
      const digit = BigInt.asIntN(slotBits, rest);
      if (digit > bound || digit < -bound)
        throw overflow(integers.length, 'is beyond the bound that the vector states');
      rest = (rest - digit) >> BigInt(slotBits);
      integers.push(digit);
    }
    if (rest !== 0n) throw overflow(end - 1, 'has something left over above it');
  }
  return integers;
}

function overflow(value: number, what: string): SealsumError {
  const field = `value ${value}`;
  return new SealsumError(
    'slot_overflow',
    `${field} ${what}: whoever encrypted did not keep to its bound, or the vector was made with another key or layout`,
    { field },
  );
}
