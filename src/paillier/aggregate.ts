/**
 * What a facilitator computes: the product of contributions, ciphertext by ciphertext, which is an encryption of their sum.
 *
 * The product is re-randomised before anybody gets it, so that it tells nothing about the randomness of a single contribution.
 *
 * Contributions come whole, or in blocks of whole ciphertexts of which nobody holds more than a few: the product of blocks is the
 * block of the product.
 */
import { SealsumError } from '../errors.ts';
import type { Spreading } from '../threads/spread.ts';
import { type ModularBackend, selectBackend } from './backend.ts';
import { bytesToBigint } from './bytes.ts';
import { addCiphertexts, checkCiphertexts, ciphertextKernel, encodeCiphertexts } from './ciphertexts.ts';
import { encryptMany } from './encrypt-many.ts';
import type { Encryptor } from './encryptor.ts';
import type { KernelCiphertexts } from './native/kernel.ts';
import { type Ciphertext, ciphertextBytes, type PublicKey } from './public-key.ts';

/**
 * Multiplies contributions.
 *
 * @param encryptor for the model owner's public key; gives the fresh randomness
 * @param count ciphertexts per contribution
 * @param contributions at least one, each `count` ciphertexts in fixed-width big-endian bytes
 * @returns `count` ciphertexts in the same form
 * @throws SealsumError ciphertext_invalid when a contribution is not valid, or there is none
 */
export function aggregate(encryptor: Encryptor, count: number, contributions: readonly Uint8Array[]): Uint8Array {
  const { publicKey, backend } = encryptor;
  const [first, ...others] = contributions;
  if (first === undefined) throw new SealsumError('ciphertext_invalid', 'there is no contribution to multiply');
  checkCiphertexts(publicKey, first, count, backend);
  const product = startProduct(publicKey, first, backend);
  for (const bytes of others) {
    checkCiphertexts(publicKey, bytes, count, backend);
    product.multiply(bytes);
  }
  product.multiply(encryptor.encryptBatch(new Array<bigint>(count).fill(0n)));
  return product.bytes();
}

/** The product of blocks, ciphertext by ciphertext, as it grows. */
export interface BlockProduct {
  /**
   * @param block as many ciphertexts as the first had, in fixed-width big-endian bytes, that were validated when they came
   * @throws SealsumError ciphertext_invalid when it is not one of whole ciphertexts, or not as long as the first
   */
  multiply(block: Uint8Array): void;
  /** As many ciphertexts in the same form. */
  bytes(): Uint8Array;
}

/**
 * The product of one block, for others to be multiplied in.
 *
 * @param block ciphertexts in fixed-width big-endian bytes, that were validated when they came
 * @throws SealsumError ciphertext_invalid when it is not one of whole ciphertexts
 */
export function startProduct(
  publicKey: PublicKey,
  block: Uint8Array,
  backend: ModularBackend = selectBackend(),
): BlockProduct {
  requireWhole(publicKey, block);
  const kernel = ciphertextKernel(publicKey, backend);
  if (kernel !== undefined) return kernelProduct(publicKey, kernel, block);
  let product = readBlock(publicKey, block);
  return {
    multiply: (factors) => {
      product = multiplyEach(publicKey, product, readBlock(publicKey, factors));
    },
    bytes: () => encodeCiphertexts(publicKey, product),
  };
}

/** The product of blocks, at least one. @throws SealsumError ciphertext_invalid */
export function productOf(
  publicKey: PublicKey,
  blocks: readonly Uint8Array[],
  backend: ModularBackend = selectBackend(),
): Uint8Array {
  const [first, ...others] = blocks;
  if (first === undefined) throw new SealsumError('ciphertext_invalid', 'there is no block to multiply');
  const product = startProduct(publicKey, first, backend);
  for (const block of others) product.multiply(block);
  return product.bytes();
}

function kernelProduct(publicKey: PublicKey, kernel: KernelCiphertexts, block: Uint8Array): BlockProduct {
  const width = ciphertextBytes(publicKey);
  const product = kernel.start(block) ?? refuseBlock(publicKey, block);
  return {
    multiply: (factors) => {
      requireWhole(publicKey, factors);
      if (factors.length !== block.length) throw notAsMany(block.length / width, factors.length / width);
      if (!product.multiply(factors)) refuseBlock(publicKey, factors);
    },
    bytes: () => product.bytes(),
  };
}

/** Throws what names the ciphertext that the kernel found out of range. */
function refuseBlock(publicKey: PublicKey, block: Uint8Array): never {
  readBlock(publicKey, block);
  throw new SealsumError('ciphertext_invalid', 'expected 0 < c < n² for every ciphertext');
}

/**
 * A block with fresh randomness in every ciphertext.
 *
 * @param block ciphertexts in fixed-width big-endian bytes, that were validated when they came
 * @param spreading who does it, and who has a turn meanwhile: without a table a ciphertext takes milliseconds
 * @returns as many ciphertexts in the same form
 * @throws SealsumError ciphertext_invalid when the block is not one of whole ciphertexts; aborted
 */
export async function rerandomiseBlock(
  encryptor: Encryptor,
  block: Uint8Array,
  spreading: Spreading,
): Promise<Uint8Array> {
  const { publicKey, backend } = encryptor;
  const product = startProduct(publicKey, block, backend);
  const zeros = new Array<bigint>(block.length / ciphertextBytes(publicKey)).fill(0n);
  product.multiply(await encryptMany(encryptor, zeros, spreading));
  return product.bytes();
}

function multiplyEach(publicKey: PublicKey, product: readonly Ciphertext[], factors: readonly Ciphertext[]) {
  if (product.length !== factors.length) throw notAsMany(product.length, factors.length);
  return product.map((each, index): Ciphertext => {
    const factor = factors[index];
    // There are as many; an absent factor must never be taken for a one.
    if (factor === undefined) throw new SealsumError('ciphertext_invalid', `ciphertext ${index} is missing`);
    return addCiphertexts(publicKey, each, factor);
  });
}

function requireWhole(publicKey: PublicKey, block: Uint8Array): void {
  const width = ciphertextBytes(publicKey);
  if (block.length % width !== 0)
    throw new SealsumError('ciphertext_invalid', `expected ciphertexts of ${width} bytes, found ${block.length} bytes`);
}

/** The ciphertexts of a block that were validated when they came: whatever was kept must still be in range. */
function readBlock(publicKey: PublicKey, block: Uint8Array): Ciphertext[] {
  requireWhole(publicKey, block);
  const width = ciphertextBytes(publicKey);
  return Array.from({ length: block.length / width }, (_, index) => {
    const value = bytesToBigint(block.subarray(index * width, (index + 1) * width));
    if (value <= 0n || value >= publicKey._n2) throw notInRange(index);
    return value as Ciphertext;
  });
}

function notAsMany(expected: number, found: number): SealsumError {
  return new SealsumError(
    'ciphertext_invalid',
    `expected as many ciphertexts as the ${expected} before, found ${found}`,
  );
}

function notInRange(index: number): SealsumError {
  return new SealsumError('ciphertext_invalid', `ciphertext ${index}: expected 0 < c < n²`);
}
