/**
 * Ciphertexts to the power of integers that nobody else may know, which multiplies what is in them.
 *
 * A weight w with |w| < 2^t is used as w + 3·2^t, which is above 0 and has t + 2 bits whatever w is: neither its sign nor its size
 * decides how long a power takes, only t does, which is no secret. What was added is divided out again:
 *
 *     c^w = c^(w + 3·2^t) / c^(3·2^t)     and     Π cⱼ^wⱼ = Π cⱼ^(wⱼ + 3·2^t) / (Π cⱼ)^(3·2^t)
 *
 * The powers are the backend's: the kernel's and OpenSSL's take a time that does not depend on the exponent's bits, those of BigInt depend on them.
 * OpenSSL loads an exponent once, so that a weight equals the one before it does show there. A negative weight costs no more than another, where
 * python-paillier inverts every ciphertext and `multiplyCiphertext` takes an exponent as long as n.
 *
 * Ciphertexts come and go in fixed-width big-endian bytes, and were validated when they came.
 */
import { SealsumError } from '../errors.ts';
import { type Spreading, spread } from '../threads/spread.ts';
import { lanesOf, type ModularBackend } from './backend.ts';
import { bitLength } from './bytes.ts';
import { encodeCiphertexts, readIntegers } from './ciphertexts.ts';
import { inverses } from './inverses.ts';
import { raiseCiphertexts } from './many-powers.ts';
import type { PowersAsked } from './native/powers.ts';
import type { PowersOrder } from './powers-thread.ts';
import { type Ciphertext, ciphertextBytes, type PublicKey, powerModuloSquare } from './public-key.ts';

/** Weights below 2^bits in magnitude. */
export interface Weights<Value = bigint> {
  readonly values: readonly Value[];
  readonly bits: number;
}

/** A key, and what computes under it. */
export interface Powers {
  readonly publicKey: PublicKey;
  readonly backend: ModularBackend;
}

/**
 * cⱼ^wⱼ for every ciphertext and its weight.
 *
 * @throws SealsumError exponent_out_of_range where a weight has more bits, or there are not as many; aborted
 */
export async function raiseEach(
  powers: Powers,
  bytes: Uint8Array,
  weights: Weights,
  spreading: Spreading = {},
): Promise<Uint8Array> {
  const { publicKey } = powers;
  const shifted = shiftedWeights(publicKey, bytes, weights);
  const offset = new Array<bigint>(shifted.length).fill(offsetOf(weights.bits));
  const exponentBits = weights.bits + 2;
  const numerators = await raiseAll(powers, bytes, { exponents: shifted, exponentBits }, spreading);
  return divideEach(
    publicKey,
    numerators,
    await raiseAll(powers, bytes, { exponents: offset, exponentBits }, spreading),
  );
}

/**
 * Π cⱼ^wⱼ for every row of weights, one ciphertext each: the sum of the plaintexts, each times its weight.
 *
 * @param weights in rows, each with a weight for every ciphertext
 * @throws SealsumError as raiseEach does
 */
export async function raiseAndMultiply(
  powers: Powers,
  bytes: Uint8Array,
  { values: rows, bits }: Weights<readonly bigint[]>,
  spreading: Spreading = {},
): Promise<Uint8Array> {
  const { publicKey, backend } = powers;
  const shifted = rows.map((values) => shiftedWeights(publicKey, bytes, { values, bits }));
  const numerators: bigint[] = [];
  for (const exponents of shifted)
    numerators.push(
      product(publicKey, await raiseAll(powers, bytes, { exponents, exponentBits: bits + 2 }, spreading)),
    );
  const all = product(publicKey, readIntegers(publicKey, bytes));
  const divisor = powerModuloSquare(publicKey, backend)(all, offsetOf(bits));
  return divideEach(publicKey, numerators, new Array<bigint>(rows.length).fill(divisor));
}

/** Every ciphertext to the power of one integer other than 0 that everybody may know. */
export function raiseToPublic({ publicKey, backend }: Powers, bytes: Uint8Array, factor: bigint): Uint8Array {
  if (factor === 1n) return bytes;
  const ciphertexts = readIntegers(publicKey, bytes);
  const bases = factor < 0n ? inverses(publicKey._n2, ciphertexts) : ciphertexts;
  const size = factor < 0n ? -factor : factor;
  const power = powerModuloSquare(publicKey, backend);
  return encodeCiphertexts(
    publicKey,
    bases.map((base) => (size === 1n ? base : power(base, size)) as Ciphertext),
  );
}

/** Π cⱼ: the sum of what is in them. */
export function multiplyAll(publicKey: PublicKey, bytes: Uint8Array): Uint8Array {
  return encodeCiphertexts(publicKey, [product(publicKey, readIntegers(publicKey, bytes))]);
}

/** cⱼ^eⱼ for exponents of at least 0, here or on threads. */
async function raiseAll(
  { publicKey, backend }: Powers,
  bytes: Uint8Array,
  { exponents, exponentBits }: Pick<PowersAsked, 'exponents' | 'exponentBits'>,
  spreading: Spreading,
): Promise<Ciphertext[]> {
  const width = ciphertextBytes(publicKey);
  const parts = await spread<Ciphertext[]>(
    {
      count: exponents.length,
      together: lanesOf(backend),
      here: (from, to) => {
        const asked = { exponents: exponents.slice(from, to), exponentBits };
        return raiseCiphertexts(publicKey, backend, bytes.subarray(from * width, to * width), asked);
      },
      there: (from, to) => {
        const part = bytes.slice(from * width, to * width);
        const input: PowersOrder = {
          n: publicKey.n,
          backend: backend.name,
          bytes: part,
          exponents: exponents.slice(from, to),
          exponentBits,
        };
        return { work: { beside: import.meta.url, file: './powers-thread', name: 'raise' }, input };
      },
    },
    spreading,
  );
  return parts.flat();
}

function offsetOf(bits: number): bigint {
  return 3n << BigInt(bits);
}

/** w + 3·2^t for every weight. */
function shiftedWeights(publicKey: PublicKey, bytes: Uint8Array, { values, bits }: Weights): bigint[] {
  if (values.length * ciphertextBytes(publicKey) !== bytes.length) {
    throw new SealsumError('exponent_out_of_range', 'weights: expected one for each ciphertext', { field: 'weights' });
  }
  const offset = offsetOf(bits);
  return values.map((value, index) => {
    if (bitLength(value < 0n ? -value : value) > bits) {
      const field = `weight ${index}`;
      throw new SealsumError('exponent_out_of_range', `${field}: expected at most ${bits} bits`, { field });
    }
    return value + offset;
  });
}

function product(publicKey: PublicKey, ciphertexts: readonly bigint[]): Ciphertext {
  return ciphertexts.reduce<bigint>((all, each) => (all * each) % publicKey._n2, 1n) as Ciphertext;
}

function divideEach(publicKey: PublicKey, numerators: readonly bigint[], divisors: readonly bigint[]): Uint8Array {
  const inverted = inverses(publicKey._n2, divisors);
  return encodeCiphertexts(
    publicKey,
    numerators.map((each, index) => ((each * (inverted[index] ?? 0n)) % publicKey._n2) as Ciphertext),
  );
}
