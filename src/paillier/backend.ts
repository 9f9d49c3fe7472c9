/**
 * What computes: the native kernel, OpenSSL or BigInt, behind one interface.
 *
 * The kernel (native/) encrypts, decrypts, checks and multiplies ciphertexts by itself and is used where it is built and passes its
 * test. Single powers are OpenSSL's affair in either case:
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

import { modPow } from 'bigint-crypto-utils';
import { SealsumError } from '../errors.ts';
import { modularExchange } from '../platform/modular-exchange.ts';
import { bitLength, bytesToBigint } from './bytes.ts';
import { findKernels, type Kernel, notBuilt } from './native/kernel.ts';

/** base^exponent mod modulus in [0, modulus), for any base and an exponent of at least 0 (else exponent_out_of_range). */
export type ModularPower = (base: bigint, exponent: bigint) => bigint;

/** The backends: `native` is the kernel's fastest engine here, whichever it is; the others of its names are slower ones. */
export const backendNames = ['native', 'native-mulx', 'native-portable', 'openssl', 'bigint'] as const;
/** What computes modular powers; as SEALSUM_BACKEND has it. */
export type BackendName = (typeof backendNames)[number];
type NativeName = Exclude<BackendName, 'openssl' | 'bigint'>;

/** A way to compute modular powers, and with a kernel whole operations. */
export interface ModularBackend {
  readonly name: BackendName;
  readonly kernel?: Kernel;
  /** The power function of one modulus of at least 2. It costs to make and is worth keeping; it may hold the last exponent. */
  modularPower(modulus: bigint): ModularPower;
}

/** The sizes of modulus, in bits, that OpenSSL's Diffie–Hellman takes (DH_MIN_MODULUS_BITS, OPENSSL_DH_MAX_MODULUS_BITS). */
const opensslBits = { least: 512, most: 10_000 } as const;

/** How many numbers a backend works on at once. */
export function lanesOf({ kernel }: ModularBackend): number {
  return kernel === undefined ? 1 : 8;
}

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
  const exchange = modularExchange(modulus);
  let loaded: bigint | undefined;

  /** The shared secret, or undefined where OpenSSL refuses to give one. */
  function sharedSecret(base: bigint, exponent: bigint): bigint | undefined {
    if (exponent !== loaded) {
      exchange.load(exponent);
      loaded = exponent;
    }
    try {
      const secret = bytesToBigint(exchange.share(base));
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
let kernels: readonly Kernel[] | string | undefined;
const nativeBackends = new Map<NativeName, ModularBackend>();
let preferredBackend: BackendName | undefined;

/**
 * The backend to use: `preferred`, or else what preferBackend() was told, or else the fastest that passes its test against
 * BigInt, which is run once in a process.
 *
 * @throws SealsumError backend_unavailable when the one that is asked for is missing or fails its test
 */
export function selectBackend(preferred: BackendName | undefined = preferredBackend): ModularBackend {
  switch (preferred) {
    case undefined:
      return nativeBackend('native') ?? (opensslPasses() ? opensslBackend : bigintBackend);
    case 'bigint':
      return bigintBackend;
    case 'openssl':
      if (opensslPasses()) return opensslBackend;
      throw new SealsumError(
        'backend_unavailable',
        'backend: OpenSSL in this Node does not compute modular powers as expected; use the bigint backend',
      );
    case 'native':
    case 'native-mulx':
    case 'native-portable': {
      const found = nativeBackend(preferred);
      if (found !== undefined) return found;
      throw new SealsumError(
        'backend_unavailable',
        `backend: the native kernel cannot be used, ${whyNoKernel()}; run npm run build:native where a C++ compiler is, or use the openssl backend`,
      );
    }
  }
}

/**
 * Makes a backend the one that this process uses, as the people who run it ask for.
 *
 * @param setting SEALSUM_BACKEND; undefined or empty: the fastest
 * @throws SealsumError config_invalid for a name that is none, backend_unavailable
 */
export function preferBackend(setting: string | undefined): void {
  const name = setting === '' ? undefined : setting;
  const known = backendNames.find((each) => each === name);
  if (name !== known)
    throw new SealsumError('config_invalid', `SEALSUM_BACKEND: expected one of ${backendNames.join(', ')}`, {
      field: 'SEALSUM_BACKEND',
    });
  if (known !== undefined) selectBackend(known);
  preferredBackend = known;
}

/** All backends that work here, the fastest first. */
export function availableBackends(): ModularBackend[] {
  const native = (['native', 'native-mulx', 'native-portable'] as const)
    .map(nativeBackend)
    .filter((each) => each !== undefined)
    // Where `native` is one of the others, once is enough.
    .filter(({ kernel }, index, all) => all.findIndex((other) => other.kernel === kernel) === index);
  return [...native, ...(opensslPasses() ? [opensslBackend] : []), bigintBackend];
}

function opensslPasses(): boolean {
  opensslWorks ??= agrees(opensslBackend);
  return opensslWorks;
}

function kernelsHere(): readonly Kernel[] | string {
  if (kernels === undefined) {
    kernels = findKernels();
    if (typeof kernels === 'string' && kernels !== notBuilt)
      process.emitWarning(`the native kernel is not used: ${kernels}`);
  }
  return kernels;
}

function whyNoKernel(): string {
  const found = kernelsHere();
  return typeof found === 'string' ? found : 'it has no engine for this processor';
}

function nativeBackend(name: NativeName): ModularBackend | undefined {
  const found = kernelsHere();
  if (typeof found === 'string') return undefined;
  const kernel = name === 'native' ? found[0] : found.find(({ engine }) => `native-${engine}` === name);
  if (kernel === undefined) return undefined;
  const backend = nativeBackends.get(name) ?? {
    name,
    kernel,
    modularPower: (modulus: bigint) => (opensslPasses() ? opensslBackend : bigintBackend).modularPower(modulus),
  };
  nativeBackends.set(name, backend);
  return backend;
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
