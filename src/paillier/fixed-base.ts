/**
 * Powers of one fixed base modulo n², from a table: fixed-base windowing (Brickell, Gordon, McCurley and Wilson,
 * EUROCRYPT '92; Handbook of Applied Cryptography, 14.6.3) on a representation that halves the cost of a product.
 *
 * For the exponent Σ dᵢ·2^(w·i) with digits dᵢ < 2^w, the power is the product of the entries base^(dᵢ·2^(w·i)), one for
 * each window i. Every unit modulo n² is r·(1 + s·n) for exactly one pair (r, s) with r and s in [0, n), so
 *
 *     Π rᵢ·(1 + sᵢ·n) = (Π rᵢ)·(1 + (Σ sᵢ)·n)   mod n²,
 *
 * and entries are kept as such pairs: the second halves are only added, the first halves have half the length, and two of
 * them can be multiplied before a reduction is due. Measured against entries modulo n², a power takes 0.6 of the time.
 *
 * The table is built window by window, so that a caller can do other work in between. Neither time nor memory access is
 * independent of the exponent: this is for encryptors, whose exponents are used once, on machines they do not share.
 */
import { modInv } from 'bigint-crypto-utils';
import { SealsumError } from '../errors.ts';
import { bigintToBytes } from './bytes.ts';

/** A unit r·(1 + s·n) mod n², with the inverse of r mod n. */
interface SplitUnit {
  readonly r: bigint;
  readonly s: bigint;
  readonly inverse: bigint;
}

/** The bytes that V8 needs for a bigint besides its digits: a header, and the pointer in the array that holds it. */
const bigintOverhead = 24;

/** The memory of a whole table, in bytes. */
export function fixedBaseTableBytes(modulusBits: number, exponentBits: number, windowBits: number): number {
  const half = 8 * Math.ceil(modulusBits / 64) + bigintOverhead;
  return Math.ceil(exponentBits / windowBits) * (2 ** windowBits - 1) * 2 * half;
}

/** A table of powers of one base modulo n², for exponents in [0, 2^exponentBits). */
export class FixedBaseTable {
  readonly #n: bigint;
  readonly #square: bigint;
  readonly #windowBits: number;
  readonly #windows: number;
  /** base^(digit·2^(windowBits·window)) = r·(1 + s·n), at window·(2^windowBits − 1) + digit − 1. */
  readonly #r: bigint[] = [];
  readonly #s: bigint[] = [];
  /** base^(2^(windowBits·window)) for the next window to build. */
  #next: SplitUnit;

  /** Builds nothing yet. `base` is a unit modulo n². */
  constructor(n: bigint, base: bigint, exponentBits: number, windowBits: number) {
    this.#n = n;
    this.#square = n * n;
    this.#windowBits = windowBits;
    this.#windows = Math.ceil(exponentBits / windowBits);
    const r = base % n;
    const inverse = modInv(r, n);
    this.#next = { r, s: ((base / n) * inverse) % n, inverse };
  }

  /** Whether every window is built, so that power() may be called. */
  get complete(): boolean {
    return this.#r.length === this.#windows * (2 ** this.#windowBits - 1);
  }

  /** Builds the next window; nothing happens when all are built. */
  buildWindow(): void {
    if (this.complete) return;
    const base = this.#next;
    let entry = base;
    for (let digit = 1; digit < 2 ** this.#windowBits; digit += 1) {
      this.#r.push(entry.r);
      this.#s.push(entry.s);
      entry = this.#multiply(entry, base);
    }
    this.#next = entry;
  }

  /** r₁·r₂ = q·n + r = r·(1 + q·r⁻¹·n) mod n², so that quotient goes to the second half. */
  #multiply(a: SplitUnit, b: SplitUnit): SplitUnit {
    const product = a.r * b.r;
    const quotient = product / this.#n;
    const inverse = (a.inverse * b.inverse) % this.#n;
    return { r: product - quotient * this.#n, s: (a.s + b.s + quotient * inverse) % this.#n, inverse };
  }

  /** base^exponent·(1 + m·n) mod n², for an exponent in [0, 2^exponentBits) and any m ≥ 0. Throws backend_unavailable before the table is complete. */
  power(exponent: bigint, m: bigint): bigint {
    const windowBits = this.#windowBits;
    const bytes = bigintToBytes(exponent, Math.ceil((this.#windows * windowBits) / 8) + 4).reverse();
    const view = new DataView(bytes.buffer);
    const entries = 2 ** windowBits - 1;
    let product = 1n;
    let pending: bigint | undefined;
    let sum = m;
    for (let window = 0; window < this.#windows; window += 1) {
      const position = window * windowBits;
      const digit = (view.getUint32(position >> 3, true) >>> (position & 7)) & entries;
      if (digit === 0) continue;
      const index = window * entries + digit - 1;
      const r = this.#r[index];
      const s = this.#s[index];
      if (r === undefined || s === undefined) {
        throw new SealsumError('backend_unavailable', 'fixed-base table: not complete; build its other windows first');
      }
      sum += s;
      if (pending === undefined) {
        pending = r;
      } else {
        product = (product * (pending * r)) % this.#square;
        pending = undefined;
      }
    }
    if (pending !== undefined) product = (product * pending) % this.#square;
    return (product + this.#n * (((product % this.#n) * (sum % this.#n)) % this.#n)) % this.#square;
  }
}
