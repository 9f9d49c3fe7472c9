/**
 * Exact biased coins: Bernoulli(γ) and Bernoulli(exp(−γ)) for rational γ, without a float deciding anything.
 *
 * Canonne, Kamath, Steinke, The Discrete Gaussian for Differential Privacy (2020), Section 5.1, Algorithm 1. Fractions are
 * passed as numerator and denominator, not in lowest terms: a coin costs one division, a reduction would cost dozens.
 */
import { type RandomWords, WORD_BITS } from '../paillier/random-words.ts';

const WORD = BigInt(WORD_BITS);

/**
 * True with probability exactly numerator/denominator, for 0 ≤ numerator ≤ denominator.
 *
 * Compares a uniform real number, whose binary digits are the words, with the fraction, whose digits come from long
 * division. The first word in which they differ decides; a second one is needed once in 2^32 coins.
 */
export function bernoulli(numerator: bigint, denominator: bigint, words: RandomWords): boolean {
  let remainder = numerator;
  for (;;) {
    const scaled = remainder << WORD;
    const digit = scaled / denominator;
    const word = BigInt(words());
    if (word !== digit) return word < digit;
    remainder = scaled - digit * denominator;
  }
}

/** True with probability exactly exp(−numerator/denominator), for numerator ≥ 0 and denominator > 0 (Algorithm 1). */
export function bernoulliExponential(numerator: bigint, denominator: bigint, words: RandomWords): boolean {
  let rest = numerator;
  // γ > 1: exp(−γ) = exp(−1)^⌊γ⌋ · exp(⌊γ⌋ − γ); one failure decides.
  while (rest > denominator) {
    if (!bernoulliExponentialUpToOne(1n, 1n, words)) return false;
    rest -= denominator;
  }
  return bernoulliExponentialUpToOne(rest, denominator, words);
}

/** Algorithm 1 for γ in [0, 1]: the first K at which Bernoulli(γ/K) fails is odd with probability exp(−γ). */
function bernoulliExponentialUpToOne(numerator: bigint, denominator: bigint, words: RandomWords): boolean {
  // The first word of γ; ⌊first/K⌋ is then the first word of γ/K, because ⌊⌊x⌋/K⌋ = ⌊x/K⌋.
  const first = Number((numerator << WORD) / denominator);
  let k = 1;
  for (;;) {
    const digit = (first - (first % k)) / k;
    const word = words();
    let heads = word < digit;
    if (word === digit) {
      const divisor = denominator * BigInt(k);
      heads = bernoulli((numerator << WORD) - BigInt(digit) * divisor, divisor, words);
    }
    if (!heads) return k % 2 === 1;
    k += 1;
  }
}
