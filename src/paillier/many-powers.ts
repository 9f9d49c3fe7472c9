/**
 * Many powers modulo one odd number: as many at a time as the kernel has lanes, where it is there and there are enough, else one after
 * the other by the backend. Either way a power of OpenSSL or of the kernel takes a time that does not depend on the exponent's bits.
 */
import { SealsumError } from '../errors.ts';
import { lanesOf, type ModularBackend, type ModularPower } from './backend.ts';
import { bitLength } from './bytes.ts';
import { readIntegers } from './ciphertexts.ts';
import type { Kernel } from './native/kernel.ts';
import { kernelPowers, type PowersAsked } from './native/powers.ts';
import { type Ciphertext, type PublicKey, powerModuloSquare } from './public-key.ts';

/** Fewer are made sooner one by one: all lanes take as long as one of them. */
const fewest = 3;

/**
 * All at once.
 *
 * @param power of the same modulus, for those that are made one by one
 * @throws SealsumError exponent_out_of_range where an exponent is below 0 or longer than it may be
 */
export function raiseMany(power: ModularPower, kernel: Kernel | undefined, asked: PowersAsked): bigint[] {
  assertExponents(asked);
  const { bases, exponents } = asked;
  const many = bases.length < fewest ? undefined : kernelPowers(kernel, asked);
  if (many !== undefined) {
    while (!many.raise());
    return many.values();
  }
  return bases.map((base, index) => power(base, exponents[index] ?? 0n));
}

/** Ciphertexts to powers modulo n², all at once. @throws SealsumError exponent_out_of_range as raiseMany does */
export function raiseCiphertexts(
  publicKey: PublicKey,
  backend: ModularBackend,
  bytes: Uint8Array,
  exponents: Pick<PowersAsked, 'exponents' | 'exponentBits'>,
): Ciphertext[] {
  const asked = { modulus: publicKey._n2, bases: readIntegers(publicKey, bytes), ...exponents };
  return raiseMany(powerModuloSquare(publicKey, backend), backend.kernel, asked) as Ciphertext[];
}

/** Bases and the one exponent that they are raised to, which has as many bits as the modulus at most. */
export interface PowersInTurn {
  /** Odd, at least 3. */
  readonly modulus: bigint;
  /** Each in [0, modulus). */
  readonly bases: readonly bigint[];
  readonly exponent: bigint;
}

/**
 * One after the other, in their order.
 *
 * @param pause awaited every few milliseconds, so that others have their turn; or throws to stop
 * @throws SealsumError exponent_out_of_range as raiseMany does
 */
export async function* raiseInTurn(
  backend: ModularBackend,
  { modulus, bases, exponent }: PowersInTurn,
  pause: () => Promise<void>,
): AsyncGenerator<bigint, void> {
  const exponentBits = bitLength(modulus);
  assertExponents({ exponents: [exponent], exponentBits });
  const atOnce = lanesOf(backend);
  let power: ModularPower | undefined;
  for (let from = 0; from < bases.length; from += atOnce) {
    const some = bases.slice(from, from + atOnce);
    const exponents = some.map(() => exponent);
    const many =
      some.length < fewest
        ? undefined
        : kernelPowers(backend.kernel, { modulus, bases: some, exponents, exponentBits });
    if (many !== undefined) {
      do await pause();
      while (!many.raise());
      yield* many.values();
      continue;
    }
    power ??= backend.modularPower(modulus);
    for (const base of some) {
      await pause();
      yield power(base, exponent);
    }
  }
}

function assertExponents({ exponents, exponentBits }: Pick<PowersAsked, 'exponents' | 'exponentBits'>): void {
  for (const exponent of exponents)
    if (exponent < 0n || bitLength(exponent) > exponentBits)
      throw new SealsumError('exponent_out_of_range', `exponent: expected one of 0 to ${exponentBits} bits`, {
        field: 'exponent',
      });
}
