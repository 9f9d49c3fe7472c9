/**
 * Modular exponentiation, native or in BigInt, behind one interface.
 *
 * Node has no modular power of its own, but a Diffie–Hellman exchange is one: the shared secret of the public value `base`
 * and the private value `exponent` is base^exponent mod modulus, for any odd modulus. OpenSSL computes it with Montgomery
 * multiplication and in a time that does not depend on the exponent's bits (BN_mod_exp_mont_consttime), six to
 * eight times faster than BigInt does. What is peculiar about it is handled here:
 *
 * - a secret of 0, 1 or modulus − 1 is refused as weak (NIST SP 800-56A, 5.7.1.1), so those results are found otherwise;
 * - a modulus below 512 or above 10,000 bits is refused, sometimes silently by a secret of zero bytes: BigInt does these;
 * - making the exchange tests its modulus for primality, 14 ms at 4096 bits: one exchange is kept for each modular power.
 *
 * The BigInt backend's time depends on its operands. It stands in where OpenSSL is missing or fails its self-test.
 */

import { Buffer } from 'node:buffer';
import { createDiffieHellman } from 'node:crypto';
import { modPow } from 'bigint-crypto-utils';
import { SealsumError } from '../errors.ts';
import { bitLength, bytesToBigint } from './bytes.ts';

/** base^exponent mod modulus in [0, modulus), for any base and an exponent of at least 0 (else exponent_out_of_range). */
export type ModularPower = (base: bigint, exponent: bigint) => bigint;

/** A way to compute modular powers. */
export interface ModularBackend {
  readonly name: 'openssl' | 'bigint';
  /** The power function of one modulus of at least 2. It costs to make and is worth keeping; it may hold the last exponent. */
  modularPower(modulus: bigint): ModularPower;
}

/** The sizes of modulus, in bits, that OpenSSL's Diffie–Hellman takes (DH_MIN_MODULUS_BITS, OPENSSL_DH_MAX_MODULUS_BITS). */
const opensslBits = { least: 512, most: 10_000 } as const;

/** Modular powers through bigint-crypto-utils. */
export const bigintBackend: ModularBackend = {
  name: 'bigint',
  modularPower(modulus: bigint): ModularPower {
    assertModulus(modulus);
    return (base, exponent) => {
      assertExponent(exponent);
      return modPow(base, exponent, modulus);
    };
  },
};

/** Modular powers through OpenSSL; moduli that its Diffie–Hellman does not take go to BigInt. */
export const opensslBackend: ModularBackend = {
  name: 'openssl',
  modularPower(modulus: bigint): ModularPower {
    assertModulus(modulus);
    const bits = bitLength(modulus);
    if (bits < opensslBits.least || bits > opensslBits.most || modulus % 2n === 0n) {
      return bigintBackend.modularPower(modulus);
    }
    return opensslPower(modulus);
  },
};

function opensslPower(modulus: bigint): ModularPower {
  const exchange = createDiffieHellman(toBuffer(modulus), 2);
  let loaded: bigint | undefined;

  /** The shared secret, or undefined where OpenSSL refuses to give one. */
  function sharedSecret(base: bigint, exponent: bigint): bigint | undefined {
    if (exponent !== loaded) {
      exchange.setPrivateKey(toBuffer(exponent));
      loaded = exponent;
    }
    try {
      const secret = bytesToBigint(exchange.computeSecret(toBuffer(base)));
      return secret === 0n ? undefined : secret;
    } catch {
      return undefined;
    }
  }

  return (base, exponent) => {
    assertExponent(exponent);
    const residue = base % modulus;
    const reduced = residue < 0n ? residue + modulus : residue;
    if (exponent === 0n) return 1n;
    if (reduced <= 1n) return reduced;
    if (reduced === modulus - 1n) return exponent % 2n === 0n ? 1n : reduced;
    const power = sharedSecret(reduced, exponent);
    if (power !== undefined) return power;
    // Refused, so the power is 0, 1 or −1: one factor further it is 0, base or −base, and the last two are not refused.
    const next = sharedSecret(reduced, exponent + 1n);
    if (next === reduced) return 1n;
    if (next === modulus - reduced) return modulus - 1n;
    return modPow(reduced, exponent, modulus);
  };
}

let opensslWorks: boolean | undefined;

/**
 * The backend to use: OpenSSL if it passes a self-test against BigInt (run once in a process), else BigInt.
 *
 * `preferred` asks for one of them; backend_unavailable when that is OpenSSL and it fails the self-test.
 */
export function selectBackend(preferred?: 'openssl' | 'bigint'): ModularBackend {
  if (preferred === 'bigint') return bigintBackend;
  opensslWorks ??= agrees(opensslBackend);
  if (opensslWorks) return opensslBackend;
  if (preferred === undefined) return bigintBackend;
  throw new SealsumError(
    'backend_unavailable',
    'backend: OpenSSL in this Node does not compute modular powers as expected; use the bigint backend',
  );
}

/** Whether a backend gives the same powers as BigInt: an odd composite modulus, the bases that OpenSSL refuses, and others. */
export function agrees(backend: ModularBackend): boolean {
  const modulus = (1n << 1031n) - 0x2f1b_4d65n;
  const exponent = (1n << 521n) - 0x1357_9bdfn;
  try {
    const power = backend.modularPower(modulus);
    return [0n, 1n, 2n, 3n, modulus >> 1n, modulus - 2n, modulus - 1n, modulus, modulus + 7n].every(
      (base) =>
        power(base, exponent) === modPow(base, exponent, modulus) &&
        power(base, 65_537n) === modPow(base, 65_537n, modulus) &&
        power(base, 0n) === 1n,
    );
  } catch {
    return false;
  }
}

function toBuffer(value: bigint): Buffer {
  const digits = value.toString(16);
  return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
}

function assertModulus(modulus: bigint): void {
  if (modulus < 2n)
    throw new SealsumError('number_out_of_bounds', 'modulus: expected at least 2', { field: 'modulus' });
}

function assertExponent(exponent: bigint): void {
  if (exponent < 0n) {
    throw new SealsumError('exponent_out_of_range', 'exponent: expected at least 0; reduce it modulo the order first', {
      field: 'exponent',
    });
  }
}
