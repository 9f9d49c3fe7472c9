/**
 * Encryption as its users see it: the derandomised core of encryption.ts with its randomness drawn here.
 *
 * Each encryptor draws its own x, hence its own h_s, and a fresh α for every ciphertext.
 */
import { SealsumError } from '../errors.ts';
import { turn } from '../platform/event-loop.ts';
import { lanesOf, type ModularBackend, selectBackend } from './backend.ts';
import { bytesToBigint, concatBytes } from './bytes.ts';
import { encodeCiphertexts } from './ciphertexts.ts';
import { breakEven, Encryption, exponentBits } from './encryption.ts';
import { combShape } from './fixed-base.ts';
import { type Ciphertext, ciphertextBytes, type PublicKey } from './public-key.ts';
import { type RandomBytes, randomBits, randomUnit, systemRandom } from './random.ts';

/** What createEncryptor may be told. */
export interface EncryptorOptions {
  /** Where x and every α come from; the operating system's generator by default. */
  readonly random?: RandomBytes;
  /** What computes modular powers; by default what selectBackend() finds. */
  readonly backend?: ModularBackend;
  /** How many ciphertexts will be made, as far as anybody can say: the table is as large as pays for them. Any number by default. */
  readonly expected?: number;
}

/** Encrypts under one public key. */
export interface Encryptor {
  readonly publicKey: PublicKey;
  /** What computes, for whoever computes more with its ciphertexts. */
  readonly backend: ModularBackend;
  /** How many ciphertexts it was told that it will make; Infinity for any number. */
  readonly expected: number;
  /** The memory of the table when built, in bytes: at most 9 MB for 2048 bits, 13 MB for 3072 bits; half a megabyte with a kernel. */
  readonly tableBytes: number;
  /** Whether the table is built. */
  readonly prepared: boolean;
  /** From this many ciphertexts on, the table is built piece by piece beside the encryptions even without prepare(). */
  readonly breakEven: number;
  /**
   * Builds the table, a piece of some milliseconds at a time with the event loop served in between. Worth it before more
   * than `breakEven` encryptions, or where each should be fast. Throws aborted when the signal fires; a later call goes on.
   */
  prepare(signal?: AbortSignal): Promise<void>;
  /**
   * Computes ahead what the next `count` ciphertexts need, as many at a time as the backend works on at once (a few more cost
   * nothing and wait for the next time), with the event loop served in between: for whoever has nothing else to do now, and
   * will have to be fast. What is computed is used once and kept in memory only. Ends without an error when the signal fires, and at once when it is under way already.
   */
  prepareNext(count: number, signal?: AbortSignal): Promise<void>;
  /** How many of these there are now, each in as many bytes as a ciphertext has. */
  readonly ready: number;
  /** A fresh encryption of m; plaintext_out_of_range unless 0 ≤ m < n. */
  encrypt(m: bigint): Ciphertext;
  /**
   * Fresh encryptions, in fixed-width big-endian bytes, one after the other; plaintext_out_of_range unless 0 ≤ m < n for all.
   * With a kernel this is the fast way: no ciphertext becomes a bigint.
   */
  encryptBatch(plaintexts: readonly bigint[]): Uint8Array;
  /** A fresh encryption of c's plaintext, unlinkable to c for all but the key's owner; ciphertext_invalid unless 0 < c < n². */
  rerandomise(c: Ciphertext): Ciphertext;
}

/**
 * An encryptor for a key.
 *
 * @throws SealsumError key_invalid when that was not checked (see publicKeyFromModulus)
 */
export function createEncryptor(publicKey: PublicKey, options: EncryptorOptions = {}): Encryptor {
  const random = options.random ?? systemRandom;
  const backend = options.backend ?? selectBackend();
  const bits = exponentBits(publicKey);
  const { expected = Number.POSITIVE_INFINITY } = options;
  const shape = combShape(bits, expected);
  const paysFrom = breakEven(bits, shape, backend);
  const encryption = new Encryption(publicKey, randomUnit(publicKey.n, random), backend, shape);
  let made = 0;

  /** A fresh α > 0; past the break-even point, one more piece of the table is built on the way. */
  function freshExponent(): bigint {
    if (!encryption.tableComplete) {
      made += 1;
      if (made > paysFrom) encryption.buildPiece();
    }
    for (;;) {
      const alpha = randomBits(bits, random);
      if (alpha !== 0n) return alpha;
    }
  }

  /** h_s^α, each for an α of its own that nothing else is made with. */
  const ready: bigint[] = [];
  let preparing = false;

  function encrypt(m: bigint): Ciphertext {
    const randomiser = ready.pop();
    if (randomiser === undefined) return encryption.encryptWithExponent(m, freshExponent());
    return encryption.encryptWithRandomiser(m, randomiser);
  }

  /** Several h_s^α, in one go where that is faster. */
  function freshRandomisers(count: number): bigint[] {
    if (count === 1) return [encryption.encryptWithExponent(0n, freshExponent())];
    const alphas = Array.from({ length: count }, freshExponent);
    const bytes = encryption.encryptBatchWithExponents(new Array<bigint>(count).fill(0n), alphas);
    const width = ciphertextBytes(publicKey);
    return alphas.map((_, at) => bytesToBigint(bytes.subarray(at * width, (at + 1) * width)));
  }

  return {
    publicKey,
    backend,
    expected,
    tableBytes: encryption.tableBytes,
    breakEven: paysFrom,
    get prepared() {
      return encryption.tableComplete;
    },
    async prepare(signal) {
      while (!encryption.tableComplete) {
        if (signal?.aborted === true) {
          throw new SealsumError('aborted', 'preparing the encryptor was aborted', { cause: signal.reason });
        }
        encryption.buildPiece();
        await turn();
      }
    },
    async prepareNext(count, signal) {
      if (preparing) return;
      preparing = true;
      while (ready.length < count && signal?.aborted !== true) {
        // A kernel has nothing but its table.
        if (backend.kernel !== undefined && !encryption.tableComplete) encryption.buildPiece();
        else ready.push(...freshRandomisers(lanesOf(backend)));
        await turn();
      }
      preparing = false;
    },
    get ready() {
      return ready.length;
    },
    encrypt,
    encryptBatch(plaintexts) {
      const ahead = plaintexts.slice(0, ready.length).map((m) => encrypt(m));
      const rest = plaintexts.slice(ahead.length);
      const fresh = encryption.encryptBatchWithExponents(rest, rest.map(freshExponent));
      if (ahead.length === 0) return fresh;
      return concatBytes(encodeCiphertexts(publicKey, ahead), fresh);
    },
    rerandomise(c) {
      if (c <= 0n || c >= publicKey._n2) {
        throw new SealsumError('ciphertext_invalid', 'ciphertext: expected 0 < c < n²', { field: 'ciphertext' });
      }
      const randomiser = ready.pop();
      if (randomiser === undefined) return encryption.rerandomiseWithExponent(c, freshExponent());
      return ((c * randomiser) % publicKey._n2) as Ciphertext;
    },
  };
}
