/**
 * Powers modulo an odd number by the kernel, in a time that depends on neither bases nor exponents, but for reading them from bigints.
 *
 * As with the rest of the kernel, a test against BigInt comes first, once in a process for each engine.
 */
import { modPow } from 'bigint-crypto-utils';
import { bigintToBytes, bitLength, bytesToBigint } from '../bytes.ts';
import { byteLength, joined, type Kernel, testedOnce, testPrimes } from './kernel.ts';

/** Powers that are under way. */
export interface KernelPowers {
  /** Goes on for some milliseconds at most; true when all of them are there. */
  raise(): boolean;
  /** All of them. To be called when raise() was true. */
  values(): bigint[];
}

/** Bases, each in [0, modulus), and as many exponents in [0, 2^exponentBits). */
export interface PowersAsked {
  /** Odd, at least 3. */
  readonly modulus: bigint;
  readonly bases: readonly bigint[];
  readonly exponents: readonly bigint[];
  readonly exponentBits: number;
}

/** Steps of five products between which others have their turn: of eight powers 0.7 ms modulo 2048 bits and 10 ms modulo 8192 (AMD EPYC, Zen 4). */
const piece = 64;

const passes = testedOnce(powersAgree, 'raise to powers');

/** A longer modulus is refused by the kernel (binding.cc). */
const greatestModulusBits = 16_384;

/**
 * Powers by the kernel, or undefined where it fails its test, which is said once; where the modulus is too long for it; or where the engine has
 * one lane: OpenSSL's powers are in assembler for every processor, and as fast.
 */
export function kernelPowers(kernel: Kernel | undefined, asked: PowersAsked): KernelPowers | undefined {
  if (kernel?.engine !== 'ifma' || bitLength(asked.modulus) > greatestModulusBits) return undefined;
  return passes(kernel) ? untested(kernel, asked) : undefined;
}

/** Whether an engine raises numbers to powers as BigInt does. */
export function powersAgree(kernel: Kernel): boolean {
  const modulus = testPrimes.p * testPrimes.q;
  const bases = [0n, 1n, 2n, modulus - 1n, testPrimes.p, modulus / 3n, modulus / 5n, modulus / 7n, modulus / 9n];
  const exponents = [5n, 2n ** 300n - 1n, 0n, 2n ** 299n, 16n, 1n, 2n ** 300n / 7n, 255n, 2n ** 300n / 3n];
  try {
    const powers = untested(kernel, { modulus, bases, exponents, exponentBits: 300 });
    while (!powers.raise());
    const expected = bases.map((base, index) => modPow(base, exponents[index] ?? 0n, modulus));
    return powers.values().every((power, index) => power === expected[index]);
  } catch {
    return false;
  }
}

function untested({ addon, engine }: Kernel, { modulus, bases, exponents, exponentBits }: PowersAsked): KernelPowers {
  const width = byteLength(modulus);
  const written = [joined(bases, width), joined(exponents, Math.ceil(exponentBits / 8))] as const;
  const object = addon.raising(engine, bigintToBytes(modulus, width), ...written, exponentBits, bases.length);
  for (const secret of written) secret.fill(0);
  return {
    raise: () => addon.raise(object, piece),
    values: () => {
      const powers = addon.powers(object, width);
      const values = bases.map((_, index) => bytesToBigint(powers.subarray(index * width, (index + 1) * width)));
      powers.fill(0);
      return values;
    },
  };
}
