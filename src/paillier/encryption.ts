/**
 * The derandomised core of encryption: c = (1 + m·n)·h_s^α mod n², as Damgård, Jurik and Nielsen encrypt in their variant
 * with a shorter exponent ("A generalization of Paillier's public-key system with applications to electronic voting", Int. J.
 * Information Security 9, 2010, for s = 1): h = −x² mod n, h_s = hⁿ mod n², α of ⌈|n|/2⌉ bits.
 *
 * h_s^α comes from the backend's modular power, or from a fixed-base table once that is built; the result is the same. The
 * table costs as much as some dozens of powers and a few megabytes, which is why a process that encrypts little never
 * builds it.
 */
import { SealsumError } from '../errors.ts';
import type { ModularBackend, ModularPower } from './backend.ts';
import { bitLength } from './bytes.ts';
import { type CombShape, combCost, FixedBaseTable, fixedBaseTableBytes, greatestShape } from './fixed-base.ts';
import { assertChecked, type Ciphertext, type PublicKey, powerModuloSquare } from './public-key.ts';

/** ⌈|n|/2⌉, the number of random bits in one ciphertext. */
export function exponentBits(publicKey: PublicKey): number {
  return Math.ceil(bitLength(publicKey.n) / 2);
}

/**
 * After how many powers through the backend the table has paid for itself: the products that building takes, divided by
 * what each power through the table saves, both in products modulo n² as measured at 2048 and 3072 bits.
 */
export function breakEven(bits: number, shape: CombShape, backend: ModularBackend['name']): number {
  const { build, power } = combCost(bits, shape);
  const saved = productsPerExponentBit[backend] * bits - power;
  return saved <= 0 ? Number.POSITIVE_INFINITY : Math.ceil(build / saved);
}

/** What one bit of an exponent costs through a backend, in products modulo n². */
const productsPerExponentBit = { openssl: 0.25, bigint: 1.5 } as const;

/** Encryption under one key and one h_s, with every random number an argument. */
export class Encryption {
  readonly publicKey: PublicKey;
  /** The memory of the table when built, in bytes. */
  readonly tableBytes: number;
  readonly #base: bigint;
  readonly #power: ModularPower;
  readonly #shape: CombShape;
  #table: FixedBaseTable | undefined;

  /**
   * `x` is a unit modulo n, uniform and known to nobody else; h_s is made from it.
   *
   * Throws key_invalid for a key that was not checked.
   */
  constructor(publicKey: PublicKey, x: bigint, backend: ModularBackend, shape: CombShape = greatestShape) {
    assertChecked(publicKey);
    const n = publicKey.n;
    this.publicKey = publicKey;
    this.tableBytes = fixedBaseTableBytes(bitLength(n), exponentBits(publicKey), shape);
    this.#power = powerModuloSquare(publicKey, backend);
    this.#base = this.#power(n - ((x * x) % n), n);
    this.#shape = shape;
  }

  /** Whether the table is built. */
  get tableComplete(): boolean {
    return this.#table?.complete === true;
  }

  /** Builds the table's next piece, which takes some milliseconds. */
  buildPiece(): void {
    this.#table ??= new FixedBaseTable(this.publicKey.n, this.#base, exponentBits(this.publicKey), this.#shape);
    this.#table.buildPiece();
  }

  /**
   * (1 + m·n)·h_s^α mod n².
   *
   * Throws plaintext_out_of_range unless 0 ≤ m < n, exponent_out_of_range unless 0 < α < 2^⌈|n|/2⌉. An α that is used twice
   * gives away the difference of the two plaintexts.
   */
  encryptWithExponent(m: bigint, alpha: bigint): Ciphertext {
    const { n, _n2: square } = this.publicKey;
    requirePlaintext(m, n);
    if (alpha <= 0n || bitLength(alpha) > exponentBits(this.publicKey)) {
      throw new SealsumError('exponent_out_of_range', 'α: expected 0 < α < 2^⌈|n|/2⌉', { field: 'alpha' });
    }
    if (this.#table?.complete === true) return this.#table.power(alpha, m) as Ciphertext;
    return (((1n + m * n) * this.#power(this.#base, alpha)) % square) as Ciphertext;
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
}

function requirePlaintext(m: bigint, n: bigint): void {
  if (m >= 0n && m < n) return;
  throw new SealsumError('plaintext_out_of_range', 'plaintext: expected 0 ≤ m < n; write a negative one as n − |m|', {
    field: 'plaintext',
  });
}
