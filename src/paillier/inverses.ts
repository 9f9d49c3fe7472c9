/** The inverses of many units at once. */
import { modInv } from 'bigint-crypto-utils';

/** By one inversion and three products each (Montgomery, Math. Comp. 48, 1987, 10.3.1). @param units each prime to the modulus */
export function inverses(modulus: bigint, units: readonly bigint[]): bigint[] {
  const products: bigint[] = [];
  let all = 1n;
  for (const unit of units) {
    products.push(all);
    all = (all * unit) % modulus;
  }
  let inverse = modInv(all, modulus);
  const inverted = new Array<bigint>(units.length);
  for (let index = units.length - 1; index >= 0; index -= 1) {
    inverted[index] = ((products[index] ?? 0n) * inverse) % modulus;
    inverse = (inverse * (units[index] ?? 0n)) % modulus;
  }
  return inverted;
}
