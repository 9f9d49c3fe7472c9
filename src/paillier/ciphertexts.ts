/**
 * What anybody can do with ciphertexts: add, scale, validate, and carry them as bytes. No secret is needed or used here.
 *
 * The results of additions and multiplications are as random as their operands and no more: whoever passes a result on to
 * somebody who has seen the operands re-randomises it first (Encryptor.rerandomise).
 */
import { SealsumError } from '../errors.ts';
import { type ModularBackend, selectBackend } from './backend.ts';
import { bytesToBigint, writeBigint } from './bytes.ts';
import { greatestCommonDivisor } from './divisors.ts';
import { type KernelCiphertexts, kernelCiphertexts } from './native/kernel.ts';
import { type Ciphertext, ciphertextBytes, type PublicKey, powerModuloSquare } from './public-key.ts';

/** An encryption of a + b mod n. */
export function addCiphertexts(publicKey: PublicKey, a: Ciphertext, b: Ciphertext): Ciphertext {
  return ((a * b) % publicKey._n2) as Ciphertext;
}

/** An encryption of c's plaintext + m mod n, for any integer m: c·(1 + m·n), as (1 + n)^m = 1 + m·n mod n². */
export function addPlaintext(publicKey: PublicKey, c: Ciphertext, m: bigint): Ciphertext {
  return ((c * (1n + modulo(m, publicKey.n) * publicKey.n)) % publicKey._n2) as Ciphertext;
}

/** An encryption of k times c's plaintext mod n, for any integer k, which is taken mod n. For k = 0 that is the number 1. */
export function multiplyCiphertext(publicKey: PublicKey, c: Ciphertext, k: bigint): Ciphertext {
  return powerModuloSquare(publicKey)(c, modulo(k, publicKey.n)) as Ciphertext;
}

/**
 * The values as ciphertexts if each is one: 0 < c < n², gcd(c, n) = 1 and c ≢ 1 mod n.
 *
 * The last refuses encryptions without any randomness, whose plaintext everybody can read. One product modulo n and one
 * gcd serve all values; only when that gcd is not 1 is the culprit searched for, by halving.
 *
 * @throws SealsumError ciphertext_invalid, which names the index of the first culprit, counted from 0
 */
export function validateCiphertexts(publicKey: PublicKey, values: readonly bigint[]): Ciphertext[] {
  const { n, _n2: square } = publicKey;
  const residues = values.map((value, index) => {
    if (value <= 0n || value >= square) throw refused(index, values.length, 'expected 0 < c < n²');
    const residue = value % n;
    if (residue === 1n)
      throw refused(index, values.length, 'expected c ≢ 1 mod n: it was encrypted without randomness');
    return residue;
  });
  if (sharesFactor(residues, n)) {
    let [low, high] = [0, residues.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (sharesFactor(residues.slice(low, middle), n)) high = middle;
      else low = middle;
    }
    throw refused(low, values.length, 'expected gcd(c, n) = 1');
  }
  return values as Ciphertext[];
}

/**
 * Ciphertexts one after the other, each big-endian in exactly ciphertextBytes(publicKey) bytes, nothing else.
 *
 * @throws SealsumError number_out_of_bounds for what is no ciphertext of this key
 */
export function encodeCiphertexts(publicKey: PublicKey, ciphertexts: readonly Ciphertext[]): Uint8Array {
  const width = ciphertextBytes(publicKey);
  const bytes = new Uint8Array(width * ciphertexts.length);
  for (const [index, ciphertext] of ciphertexts.entries()) writeBigint(ciphertext, bytes, index * width, width);
  return bytes;
}

/**
 * The inverse of encodeCiphertexts, validated as validateCiphertexts does.
 *
 * @throws SealsumError ciphertext_invalid when the bytes are not exactly `expectedCount` ciphertexts, or when one of them is none
 */
export function decodeCiphertexts(
  publicKey: PublicKey,
  bytes: Uint8Array,
  expectedCount: number,
  backend: ModularBackend = selectBackend(),
): Ciphertext[] {
  const valid = areCiphertexts(publicKey, bytes, expectedCount, backend);
  const values = readIntegers(publicKey, bytes);
  // The kernel does not say which is none, and why.
  return valid ? (values as Ciphertext[]) : validateCiphertexts(publicKey, values);
}

/**
 * Checks ciphertexts, for whoever needs the bytes only: with a kernel nothing becomes a bigint.
 *
 * @throws SealsumError as decodeCiphertexts()
 */
export function checkCiphertexts(
  publicKey: PublicKey,
  bytes: Uint8Array,
  expectedCount: number,
  backend: ModularBackend = selectBackend(),
): void {
  if (!areCiphertexts(publicKey, bytes, expectedCount, backend))
    validateCiphertexts(publicKey, readIntegers(publicKey, bytes));
}

const kernels = new WeakMap<PublicKey, Map<ModularBackend['name'], KernelCiphertexts>>();

/** The kernel's checks and products for a key, made once for each; undefined for a backend without a kernel. */
export function ciphertextKernel(
  publicKey: PublicKey,
  { name, kernel }: ModularBackend,
): KernelCiphertexts | undefined {
  if (kernel === undefined) return undefined;
  const known = kernels.get(publicKey) ?? new Map<ModularBackend['name'], KernelCiphertexts>();
  kernels.set(publicKey, known);
  const made = known.get(name) ?? kernelCiphertexts(kernel, publicKey.n);
  known.set(name, made);
  return made;
}

/** Whether a kernel takes bytes for so many ciphertexts: false also where there is none. Throws for another length. */
function areCiphertexts(publicKey: PublicKey, bytes: Uint8Array, count: number, backend: ModularBackend): boolean {
  const width = ciphertextBytes(publicKey);
  if (bytes.length !== width * count) {
    throw new SealsumError(
      'ciphertext_invalid',
      `ciphertexts: expected ${width * count} bytes (${count} × ${width}), found ${bytes.length}`,
      { field: 'ciphertexts' },
    );
  }
  return ciphertextKernel(publicKey, backend)?.valid(bytes) === true;
}

/** The integers in bytes that hold whole ciphertexts; nothing about them is checked. */
export function readIntegers(publicKey: PublicKey, bytes: Uint8Array): bigint[] {
  const width = ciphertextBytes(publicKey);
  return Array.from({ length: bytes.length / width }, (_, index) =>
    bytesToBigint(bytes.subarray(index * width, (index + 1) * width)),
  );
}

function sharesFactor(residues: readonly bigint[], n: bigint): boolean {
  return (
    greatestCommonDivisor(
      n,
      residues.reduce((product, residue) => (product * residue) % n, 1n),
    ) !== 1n
  );
}

function modulo(value: bigint, modulus: bigint): bigint {
  const residue = value % modulus;
  return residue < 0n ? residue + modulus : residue;
}

function refused(index: number, count: number, expectation: string): SealsumError {
  return new SealsumError('ciphertext_invalid', `ciphertext ${index} (of ${count}, counted from 0): ${expectation}`, {
    field: `ciphertext ${index}`,
  });
}
