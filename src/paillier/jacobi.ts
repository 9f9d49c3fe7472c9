import { SealsumError } from '../errors.ts';

/**
 * The Jacobi symbol (a | n): 0 when a and n share a factor, else the product over n's prime factors, with multiplicity, of
 * 1 where a is a square modulo the prime and −1 where it is none. For any integer a and any odd n of at least 1
 * (else number_out_of_bounds); by quadratic reciprocity, without knowing the factors (Cohen, A Course in Computational
 * Algebraic Number Theory, algorithm 1.4.10). Its time depends on both numbers: for public ones only.
 */
export function jacobiSymbol(a: bigint, n: bigint): -1 | 0 | 1 {
  if (n < 1n || n % 2n === 0n) {
    throw new SealsumError('number_out_of_bounds', 'Jacobi symbol: expected an odd modulus of at least 1', {
      field: 'n',
    });
  }
  const residue = a % n;
  let [numerator, denominator] = [residue < 0n ? residue + n : residue, n];
  let negative = false;
  while (numerator !== 0n) {
    const twos = trailingZeros(numerator);
    numerator >>= BigInt(twos);
    const low = lowBits(denominator);
    // (2 | n) = −1 exactly for n ≡ ±3 mod 8.
    if (twos % 2 === 1 && (low % 8 === 3 || low % 8 === 5)) negative = !negative;
    // (a | n)·(n | a) = −1 exactly when both are ≡ 3 mod 4.
    if (low % 4 === 3 && lowBits(numerator) % 4 === 3) negative = !negative;
    [numerator, denominator] = [denominator % numerator, numerator];
  }
  if (denominator !== 1n) return 0;
  return negative ? -1 : 1;
}

/** The exponent of two in a positive integer. */
function trailingZeros(value: bigint): number {
  let zeros = 0;
  let rest = value;
  for (;;) {
    const low = lowBits(rest);
    if (low !== 0) return zeros + 31 - Math.clz32(low & -low);
    rest >>= 30n;
    zeros += 30;
  }
}

/** A non-negative integer modulo 2^30. */
function lowBits(value: bigint): number {
  return Number(BigInt.asUintN(30, value));
}
