/** From real numbers, or from ciphertexts that others made, to an encrypted vector. */
import { SealsumError } from '../errors.ts';
import { type ModularBackend, selectBackend } from '../paillier/backend.ts';
import { bitLength } from '../paillier/bytes.ts';
import { encodeCiphertexts, validateCiphertexts } from '../paillier/ciphertexts.ts';
import { encryptMany } from '../paillier/encrypt-many.ts';
import type { Encryptor } from '../paillier/encryptor.ts';
import type { PublicKey } from '../paillier/public-key.ts';
import type { Spreading } from '../threads/spread.ts';
import { EncryptedVector } from './encrypted-vector.ts';
import { boundAt, integersAt, requireWithin, scaleOf } from './encrypted-vector-numbers.ts';
import { packSlots, type Range, requireRoom, type SlotLayout, slotLayout } from './encrypted-vector-slots.ts';

/** How real numbers become integers. Everything here is public and travels with the vector. */
export interface VectorRange {
  /** Bits behind the binary point, 0 to 1074. */
  readonly fractionBits: number;
  /** The greatest magnitude that a value may have: what everybody may know of them, not what they happen to be. */
  readonly bound: number;
}

/** How encryptVector encrypts. */
export interface VectorOptions extends VectorRange, Spreading {
  /**
   * So many bits for each value, several of which share a ciphertext then. What can be added is less than 2^(slotBits − 2) in
   * magnitude, and there is no dot product. Unless given, each value has a ciphertext, and all bits of the key, of its own.
   */
  readonly slotBits?: number;
}

/**
 * Encrypts real numbers, rounded to multiples of 2^-fractionBits, ties to even.
 *
 * @param values at least one
 * @throws SealsumError number_not_finite, number_out_of_bounds naming the value (`value j`, j counted from 0) or the option;
 *   plan_unsafe where the bound does not fit the slots; aborted
 */
export async function encryptVector(
  encryptor: Encryptor,
  values: ArrayLike<number>,
  options: VectorOptions,
): Promise<EncryptedVector> {
  const scale = scaleOf(options.fractionBits);
  const bound = boundAt(options.bound, scale);
  const layout = slotLayout(bitLength(encryptor.publicKey.n), options.slotBits);
  requireSome(values);
  requireRoom('bound', layout, { scale, bound });
  return encryptIntegers(encryptor, integersAt(values, scale), layout, { scale, bound }, options);
}

/**
 * The vector of integers that have room.
 *
 * @throws SealsumError number_out_of_bounds naming the first that is beyond the bound; aborted
 */
export async function encryptIntegers(
  encryptor: Encryptor,
  integers: readonly bigint[],
  layout: SlotLayout,
  range: Range,
  spreading: Spreading,
): Promise<EncryptedVector> {
  requireWithin(integers, range.bound);
  const { publicKey, backend } = encryptor;
  const ciphertexts = await encryptMany(encryptor, packSlots(layout, integers, publicKey.n), spreading);
  const { scale, bound } = range;
  return new EncryptedVector({
    publicKey,
    backend,
    length: integers.length,
    layout,
    scale,
    bound,
    ciphertexts,
    fresh: true,
  });
}

/**
 * The vector of ciphertexts that others made, one for each value, such as python-paillier: its exponent e is 4·e bits before the
 * binary point, so fractionBits is −4·e. Integers are what is in them, negative ones as n − |m|; that they keep to the bound is
 * believed until they are decrypted.
 *
 * @param ciphertexts at least one
 * @throws SealsumError ciphertext_invalid naming the one that is none; number_out_of_bounds, plan_unsafe
 */
export function vectorFromCiphertexts(
  publicKey: PublicKey,
  ciphertexts: readonly bigint[],
  options: VectorRange & { readonly backend?: ModularBackend },
): EncryptedVector {
  const { fractionBits, backend = selectBackend() } = options;
  requireSome(ciphertexts);
  const scale = scaleOf(fractionBits);
  const bound = boundAt(options.bound, scale);
  const layout = slotLayout(bitLength(publicKey.n));
  requireRoom('bound', layout, { scale, bound });
  const valid = encodeCiphertexts(publicKey, validateCiphertexts(publicKey, ciphertexts));
  const { length } = ciphertexts;
  return new EncryptedVector({ publicKey, backend, length, layout, scale, bound, ciphertexts: valid, fresh: true });
}

function requireSome({ length }: ArrayLike<unknown>): void {
  if (length === 0)
    throw new SealsumError('number_out_of_bounds', 'values: expected at least one', { field: 'values' });
}
