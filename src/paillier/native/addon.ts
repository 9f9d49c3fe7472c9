/**
 * The compiled kernel as it is: a Node-API module in build/ that scripts/build-native.js makes from the C++ beside this file. Integers
 * are big-endian bytes, objects are opaque. Only the other files of this folder call it.
 */

/** The engines, the fastest first: eight numbers at a time by AVX-512 IFMA; one at a time, by BMI2 and ADX, or on any 64-bit machine. */
export const engineNames = ['ifma', 'mulx', 'portable'] as const;
export type EngineName = (typeof engineNames)[number];

declare const objectBrand: unique symbol;
/** An object of the kernel; its memory is wiped when it is collected. */
export interface KernelObject<Kind extends string> {
  readonly [objectBrand]: Kind;
}

/** What the module exports. Wrong lengths throw a plain Error; nothing else is checked but what memory safety asks for. */
export interface Addon {
  available(engine: EngineName): boolean;
  tableBytes(engine: EngineName, modulusBits: number): number;
  encrypting(engine: EngineName, n: Uint8Array, h: Uint8Array, exponentBits: number): KernelObject<'encrypting'>;
  /** Goes on building the table by so many squares and products; true when it is there. encrypt() builds what is left. */
  build(object: KernelObject<'encrypting'>, operations: number): boolean;
  encrypt(
    object: KernelObject<'encrypting'>,
    plaintexts: Uint8Array,
    exponents: Uint8Array,
    count: number,
    width: number,
  ): Uint8Array;
  decrypting(
    engine: EngineName,
    p: Uint8Array,
    q: Uint8Array,
    factorP: Uint8Array,
    factorQ: Uint8Array,
    inverse: Uint8Array,
  ): KernelObject<'decrypting'>;
  /** The plaintexts, or the index of the first ciphertext that shares a factor with n. */
  decrypt(
    object: KernelObject<'decrypting'>,
    ciphertexts: Uint8Array,
    width: number,
    plaintextWidth: number,
  ): Uint8Array | number;
  checking(engine: EngineName, n: Uint8Array, width: number): KernelObject<'checking'>;
  valid(object: KernelObject<'checking'>, ciphertexts: Uint8Array): boolean;
  /** Null when a ciphertext is not in (0, n²). */
  start(object: KernelObject<'checking'>, block: Uint8Array): KernelObject<'product'> | null;
  /** False when a ciphertext is not in (0, n²); nothing is multiplied then. */
  multiply(object: KernelObject<'product'>, block: Uint8Array): boolean;
  productBytes(object: KernelObject<'product'>): Uint8Array;
  /** Powers modulo m of `count` bases below it, as wide as it is, each with an exponent of so many bits at most. */
  raising(
    engine: EngineName,
    m: Uint8Array,
    bases: Uint8Array,
    exponents: Uint8Array,
    exponentBits: number,
    count: number,
  ): KernelObject<'raising'>;
  /** Goes on by so many steps of five products; true when all are there. */
  raise(object: KernelObject<'raising'>, steps: number): boolean;
  powers(object: KernelObject<'raising'>, width: number): Uint8Array;
}
