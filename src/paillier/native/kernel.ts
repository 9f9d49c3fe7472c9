/**
 * The kernel as the rest of src/paillier uses it: fixed-base tables for encryption, checks and products of ciphertexts in bytes.
 * What needs a private key is in decryption.ts, for those only who have one.
 *
 * A kernel is used after it has passed a test against BigInt, once in a process.
 */
import { modPow } from 'bigint-crypto-utils';
import { bigintToBytes, bitLength, writeBigint } from '../bytes.ts';
import { type Addon, type EngineName, engineNames, type KernelObject } from './addon.ts';
import { loadAddon } from './load-addon.ts';

export { notBuilt } from './load-addon.ts';

/** One engine of the compiled module. */
export interface Kernel {
  readonly engine: EngineName;
  readonly addon: Addon;
}

/** A table of powers of h_s = hⁿ mod n². */
export interface KernelFixedBase {
  /** Goes on building, for some milliseconds; true when the table is there. */
  build(): boolean;
  /**
   * (1 + m·n)·h_s^α mod n² for each m and its α, in a time that depends on neither, but for reading them from bigints.
   *
   * @param plaintexts in [0, n)
   * @param exponents as many, in [0, 2^exponentBits)
   * @returns ciphertexts in fixed-width big-endian bytes, one after the other
   */
  encrypt(plaintexts: readonly bigint[], exponents: readonly bigint[]): Uint8Array;
}

/** The memory of such a table, in bytes. */
export function kernelTableBytes({ addon, engine }: Kernel, n: bigint): number {
  return addon.tableBytes(engine, bitLength(n));
}

/** Squares and products between which others have their turn: 1 to 4 ms. */
const piece = 512;

/** A table that is built piece by piece, and for the first ciphertext at the latest. `h` is in [0, n). */
export function kernelFixedBase(
  { addon, engine }: Kernel,
  n: bigint,
  h: bigint,
  exponentBits: number,
): KernelFixedBase {
  const plaintextWidth = byteLength(n);
  const exponentWidth = Math.ceil(exponentBits / 8);
  const width = ciphertextWidth(n);
  const object = addon.encrypting(
    engine,
    bigintToBytes(n, plaintextWidth),
    bigintToBytes(h, plaintextWidth),
    exponentBits,
  );
  return {
    build: () => addon.build(object, piece),
    encrypt: (plaintexts, exponents) => {
      const alphas = joined(exponents, exponentWidth);
      const ciphertexts = addon.encrypt(object, joined(plaintexts, plaintextWidth), alphas, plaintexts.length, width);
      alphas.fill(0);
      return ciphertexts;
    },
  };
}

/** Checks and products of ciphertexts under one public key, in fixed-width big-endian bytes. */
export interface KernelCiphertexts {
  /** Whether all are 0 < c < n² with gcd(c, n) = 1 and c ≢ 1 mod n; it does not say which is not. */
  valid(ciphertexts: Uint8Array): boolean;
  /** The product of one block, or undefined when not all are 0 < c < n². */
  start(block: Uint8Array): KernelProduct | undefined;
}

/** The product of blocks, ciphertext by ciphertext. Its memory is that of one block. */
export interface KernelProduct {
  /** Whether all of a block of the same length are 0 < c < n²; only then it is multiplied in. */
  multiply(block: Uint8Array): boolean;
  bytes(): Uint8Array;
}

export function kernelCiphertexts({ addon, engine }: Kernel, n: bigint): KernelCiphertexts {
  const checking = addon.checking(engine, bigintToBytes(n, byteLength(n)), ciphertextWidth(n));
  return {
    valid: (ciphertexts) => addon.valid(checking, ciphertexts),
    start: (block) => {
      const product = addon.start(checking, block);
      return product === null ? undefined : kernelProduct(addon, product);
    },
  };
}

function kernelProduct(addon: Addon, product: KernelObject<'product'>): KernelProduct {
  return {
    multiply: (block) => addon.multiply(product, block),
    bytes: () => addon.productBytes(product),
  };
}

/** The kernels of this machine that pass their test, the fastest first, or why there are none. */
export function findKernels(found: Addon | string = loadAddon()): readonly Kernel[] | string {
  if (typeof found === 'string') return found;
  const kernels = engineNames
    .filter((engine) => found.available(engine))
    .map((engine): Kernel => ({ engine, addon: found }));
  const failing = kernels.find((kernel) => !kernelAgrees(kernel));
  return failing === undefined ? kernels : `its engine ${failing.engine} does not compute what BigInt computes`;
}

/** Primes of 256 bits, p < q, for tests of a kernel and nothing else: everybody can read them here. */
export const testPrimes: { readonly p: bigint; readonly q: bigint } = {
  p: 2n ** 256n - 357n,
  q: 2n ** 256n - 189n,
};

/** A test of a part of the kernel that is run when it is needed first, once for each engine; that one fails is said as a warning. */
export function testedOnce(agrees: (kernel: Kernel) => boolean, what: string): (kernel: Kernel) => boolean {
  const tested = new Map<EngineName, boolean>();
  return (kernel) => {
    const known = tested.get(kernel.engine);
    if (known !== undefined) return known;
    const passes = agrees(kernel);
    tested.set(kernel.engine, passes);
    if (!passes)
      process.emitWarning(`the kernel's engine ${kernel.engine} does not ${what} as BigInt does, and is not used`);
    return passes;
  };
}

/** Whether an engine encrypts, checks and multiplies as BigInt does. Takes some ten milliseconds. */
export function kernelAgrees(kernel: Kernel): boolean {
  const n = testPrimes.p * testPrimes.q;
  const square = n * n;
  const bits = 256;
  const h = n / 3n;
  const width = ciphertextWidth(n);
  try {
    const plaintexts = [0n, 1n, n - 1n, n / 5n, n / 7n, n / 9n, 5n, 6n, 7n];
    const exponents = [3n, 2n ** 256n - 1n, 2n ** 255n, 2n ** 256n / 3n, 1n, 2n, 4n, 8n, 16n];
    const base = modPow(h, n, square);
    const expected = plaintexts.map(
      (m, index) => ((1n + m * n) * modPow(base, exponents[index] ?? 0n, square)) % square,
    );
    const ciphertexts = kernelFixedBase(kernel, n, h, bits).encrypt(plaintexts, exponents);
    const checks = kernelCiphertexts(kernel, n);
    const product = checks.start(ciphertexts);
    if (!same(ciphertexts, joined(expected, width)) || product === undefined) return false;
    const products = expected.map((each) => (each * each * each) % square);
    if (!product.multiply(ciphertexts) || !product.multiply(ciphertexts)) return false;
    if (!same(product.bytes(), joined(products, width))) return false;
    const spoiled = [0n, square, n, testPrimes.q, 1n, 1n + 2n * n].map((value) =>
      joined(expected.with(4, value), width),
    );
    return checks.valid(ciphertexts) && spoiled.every((block) => !checks.valid(block));
  } catch {
    return false;
  }
}

/** Non-negative integers one after the other, each in so many big-endian bytes. */
export function joined(values: readonly bigint[], width: number): Uint8Array {
  const bytes = new Uint8Array(values.length * width);
  for (const [index, value] of values.entries()) writeBigint(value, bytes, index * width, width);
  return bytes;
}

export function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

export function byteLength(n: bigint): number {
  return Math.ceil(bitLength(n) / 8);
}

export function ciphertextWidth(n: bigint): number {
  return Math.ceil((2 * bitLength(n)) / 8);
}
