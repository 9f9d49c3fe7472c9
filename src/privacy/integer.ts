/** Whole-number arithmetic on BigInt that the privacy layer needs: square roots and quotients rounded up. */
import { SealsumError } from '../errors.ts';
import { bitLength } from '../paillier/bytes.ts';

/** ⌊√value⌋ for value ≥ 0, by Newton's method from above (Cohen, A Course in Computational Algebraic Number Theory, Algorithm 1.7.1). */
export function integerSquareRoot(value: bigint): bigint {
  if (value < 0n) throw new SealsumError('privacy_invalid', 'square root: expected a value of at least 0');
  if (value === 0n) return 0n;
  // Any start ≥ √value descends to the floor without passing it.
  let root = 1n << BigInt(Math.ceil(bitLength(value) / 2));
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** ⌈numerator / denominator⌉ for numerator ≥ 0 and denominator > 0. */
export function divideRoundUp(numerator: bigint, denominator: bigint): bigint {
  return (numerator + denominator - 1n) / denominator;
}
