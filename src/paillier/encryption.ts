/**
 * The derandomised core of encryption: c = (1 + m·n)·h_s^α mod n², as Damgård, Jurik and Nielsen encrypt in their variant
 * with a shorter exponent ("A generalization of Paillier's public-key system with applications to electronic voting", Int. J.
 * Information Security 9, 2010, for s = 1): h = −x² mod n, h_s = hⁿ mod n², α of ⌈|n|/2⌉ bits.
 *
 * With a kernel, h_s^α comes from the kernel's own table, which costs so little that it is built for the first ciphertext.
 *
 * Otherwise h_s^α comes from the backend's modular power, or from a fixed-base table once that is built; the result is the same. The
 * table costs as much as some dozens of powers and a few megabytes, which is why a process that encrypts little never
 * builds it.
 */
import { SealsumError } from '../errors.ts';
import type { ModularBackend } from './backend.ts';
import { bitLength, bytesToBigint } from './bytes.ts';
import { encodeCiphertexts } from './ciphertexts.ts';
import { type CombShape, combCost, FixedBaseTable, fixedBaseTableBytes, greatestShape } from './fixed-base.ts';
import { type Kernel, type KernelFixedBase, kernelFixedBase, kernelTableBytes } from './native/kernel.ts';
import { assertChecked, type Ciphertext, type PublicKey, powerModuloSquare } from './public-key.ts';

/** ⌈|n|/2⌉, the number of random bits in one ciphertext. */
export function exponentBits(publicKey: PublicKey): number {
  return Math.ceil(bitLength(publicKey.n) / 2);
}

/**
 * After how many powers through the backend the table has paid for itself: the products that building takes, divided by
 * what each power through the table saves, both in products modulo n² as measured at 2048 and 3072 bits.
 */
export function breakEven(bits: number, shape: CombShape, { name, kernel }: ModularBackend): number {
  if (kernel !== undefined) return 0;
  const { build, power } = combCost(bits, shape);
  const saved = productsPerExponentBit[name === 'bigint' ? name : 'openssl'] * bits - power;
  return saved <= 0 ? Number.POSITIVE_INFINITY : Math.ceil(build / saved);
}

/** What one bit of an exponent costs through a backend, in products modulo n². */
const productsPerExponentBit = { openssl: 0.25, bigint: 1.5 } as const;

/** What gives (1 + m·n)·h_s^α mod n², for numbers in their ranges. */
interface Powers {
  /** The memory of the table when built, in bytes. */
  readonly tableBytes: number;
  readonly tableComplete: boolean;
  buildPiece(): void;
  encrypt(m: bigint, alpha: bigint): bigint;
  /** In fixed-width big-endian bytes, one after the other. */
  encryptBatch(plaintexts: readonly bigint[], alphas: readonly bigint[]): Uint8Array;
}

function kernelPowers(kernel: Kernel, publicKey: PublicKey, h: bigint): Powers {
  const { n } = publicKey;
  let table: KernelFixedBase | undefined;
  let complete = false;
  const begun = (): KernelFixedBase => {
    table ??= kernelFixedBase(kernel, n, h, exponentBits(publicKey));
    return table;
  };
  const encryptBatch = (plaintexts: readonly bigint[], alphas: readonly bigint[]): Uint8Array => {
    if (plaintexts.length > 0) complete = true;
    return begun().encrypt(plaintexts, alphas);
  };
  return {
    tableBytes: kernelTableBytes(kernel, n),
    get tableComplete() {
      return complete;
    },
    buildPiece: () => {
      complete = begun().build();
    },
    encrypt: (m, alpha) => bytesToBigint(encryptBatch([m], [alpha])),
    encryptBatch,
  };
}

function backendPowers(backend: ModularBackend, publicKey: PublicKey, h: bigint, shape: CombShape): Powers {
  const { n, _n2: square } = publicKey;
  const bits = exponentBits(publicKey);
  const power = powerModuloSquare(publicKey, backend);
  const base = power(h, n);
  let table: FixedBaseTable | undefined;
  const encrypt = (m: bigint, alpha: bigint): bigint =>
    table?.complete === true ? table.power(alpha, m) : ((1n + m * n) * power(base, alpha)) % square;
  return {
    tableBytes: fixedBaseTableBytes(bitLength(n), bits, shape),
    get tableComplete() {
      return table?.complete === true;
    },
    buildPiece: () => {
      table ??= new FixedBaseTable(n, base, bits, shape);
      table.buildPiece();
    },
    encrypt,
    encryptBatch: (plaintexts, alphas) =>
      encodeCiphertexts(
        publicKey,
        plaintexts.map((m, index) => encrypt(m, alphas[index] ?? 0n) as Ciphertext),
      ),
  };
}

/** Encryption under one key and one h_s, with every random number an argument. */
export class Encryption {
  readonly publicKey: PublicKey;
  readonly #powers: Powers;

  /**
   * `x` is a unit modulo n, uniform and known to nobody else; h_s is made from it.
   *
   * Throws key_invalid for a key that was not checked.
   */
  constructor(publicKey: PublicKey, x: bigint, backend: ModularBackend, shape: CombShape = greatestShape) {
    assertChecked(publicKey);
    this.publicKey = publicKey;
    const h = publicKey.n - ((x * x) % publicKey.n);
    this.#powers =
      backend.kernel === undefined
        ? backendPowers(backend, publicKey, h, shape)
        : kernelPowers(backend.kernel, publicKey, h);
  }

  /** The memory of the table when built, in bytes. */
  get tableBytes(): number {
    return this.#powers.tableBytes;
  }

  /** Whether the table is built. */
  get tableComplete(): boolean {
    return this.#powers.tableComplete;
  }

  /** Builds the table's next piece, which takes some milliseconds. */
  buildPiece(): void {
    this.#powers.buildPiece();
  }

  /**
   * (1 + m·n)·h_s^α mod n².
   *
   * Throws plaintext_out_of_range unless 0 ≤ m < n, exponent_out_of_range unless 0 < α < 2^⌈|n|/2⌉. An α that is used twice
   * gives away the difference of the two plaintexts.
   */
  encryptWithExponent(m: bigint, alpha: bigint): Ciphertext {
    requirePlaintext(m, this.publicKey.n);
    this.#requireExponent(alpha);
    return this.#powers.encrypt(m, alpha) as Ciphertext;
  }

  /** The same for each plaintext and its α, in fixed-width big-endian bytes, one after the other. Throws before any is computed. */
  encryptBatchWithExponents(plaintexts: readonly bigint[], alphas: readonly bigint[]): Uint8Array {
    if (plaintexts.length !== alphas.length)
      throw new SealsumError('exponent_out_of_range', 'α: expected one for each plaintext', { field: 'alpha' });
    for (const m of plaintexts) requirePlaintext(m, this.publicKey.n);
    for (const alpha of alphas) this.#requireExponent(alpha);
    return this.#powers.encryptBatch(plaintexts, alphas);
  }

  /** The same from h_s^α that was computed before: `randomiser` is encryptWithExponent(0, α), for an α that is used here only. */
  encryptWithRandomiser(m: bigint, randomiser: bigint): Ciphertext {
    const { n, _n2: square } = this.publicKey;
    requirePlaintext(m, n);
    return (((1n + m * n) * randomiser) % square) as Ciphertext;
  }

  /** c·h_s^α mod n²: another encryption of the same plaintext. Throws as encryptWithExponent does. */
  rerandomiseWithExponent(c: Ciphertext, alpha: bigint): Ciphertext {
    return ((c * this.encryptWithExponent(0n, alpha)) % this.publicKey._n2) as Ciphertext;
  }

  #requireExponent(alpha: bigint): void {
    if (alpha > 0n && bitLength(alpha) <= exponentBits(this.publicKey)) return;
    throw new SealsumError('exponent_out_of_range', 'α: expected 0 < α < 2^⌈|n|/2⌉', { field: 'alpha' });
  }
}

function requirePlaintext(m: bigint, n: bigint): void {
  if (m >= 0n && m < n) return;
  throw new SealsumError('plaintext_out_of_range', 'plaintext: expected 0 ≤ m < n; write a negative one as n − |m|', {
    field: 'plaintext',
  });
}
