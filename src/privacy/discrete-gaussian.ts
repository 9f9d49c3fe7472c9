/**
 * The exact discrete Gaussian: integers y with probability proportional to exp(−y²/2σ²), for any rational σ² > 0.
 *
 * Canonne, Kamath, Steinke, The Discrete Gaussian for Differential Privacy (NeurIPS 2020), Section 5, Algorithms 2 and 3.
 * All of it is whole-number arithmetic on a stream of random words, so the distribution is the paper's and not that of a
 * rounded float, whose low bits are known to give samples away (Mironov 2012).
 *
 * How long a sample takes depends on the sample. Draw noise where the time of a single draw cannot be observed.
 */
import { SealsumError } from '../errors.ts';
import { type RandomBytes, systemRandom } from '../paillier/random.ts';
import { type RandomWords, randomWordsFrom, uniformBelow } from '../paillier/random-words.ts';
import { bernoulliExponential } from './bernoulli.ts';
import { integerSquareRoot } from './integer.ts';
import { formatRational, type Rational } from './rational.ts';

/**
 * `count` independent samples of the discrete Gaussian of mean 0 and parameter σ² = `variance`.
 *
 * The parameter bounds the distribution's variance from above and is practically equal to it from σ = 1 on.
 *
 * @throws SealsumError `privacy_invalid` when the variance is not positive or the count not a whole number of at least 0
 */
export function sampleDiscreteGaussians(
  count: number,
  variance: Rational,
  random: RandomBytes = systemRandom,
): bigint[] {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new SealsumError('privacy_invalid', `count: expected a whole number of samples, at least 0; got ${count}`, {
      field: 'count',
    });
  }
  const draw = discreteGaussian(variance, randomWordsFrom(random));
  return Array.from({ length: count }, draw);
}

/**
 * One sample; to draw several, ask for them together, since every call asks `random` for a buffer of its own.
 *
 * @throws SealsumError privacy_invalid when the variance is not positive
 */
export function sampleDiscreteGaussian(variance: Rational, random: RandomBytes = systemRandom): bigint {
  return discreteGaussian(variance, randomWordsFrom(random))();
}

/** Algorithm 3: a function that draws from the discrete Gaussian of parameter σ² = `variance`. */
function discreteGaussian({ numerator, denominator }: Rational, words: RandomWords): () => bigint {
  if (numerator <= 0n) {
    throw new SealsumError(
      'privacy_invalid',
      `variance: expected more than 0, got ${formatRational({ numerator, denominator })}`,
      { field: 'variance' },
    );
  }
  // Step 1: t = ⌊σ⌋ + 1, where ⌊√(a/b)⌋ = ⌊√⌊a/b⌋⌋.
  const t = integerSquareRoot(numerator / denominator) + 1n;
  const laplace = discreteLaplace(t, words);
  // With σ² = a/b: (|y| − σ²/t)² / 2σ² = (|y|·b·t − a)² / (2·a·b·t²).
  const stretch = denominator * t;
  const divisor = 2n * numerator * denominator * t * t;
  return () => {
    for (;;) {
      // Step 2: a candidate from the discrete Laplace of scale t.
      const y = laplace();
      // Steps 3 to 5: keep it with probability exp(−(|y| − σ²/t)² / 2σ²), or start again.
      const distance = (y < 0n ? -y : y) * stretch - numerator;
      if (bernoulliExponential(distance * distance, divisor, words)) return y;
    }
  };
}

/** Algorithm 2 for a whole-number scale t ≥ 1 (its s is 1): draws y with probability proportional to exp(−|y|/t). */
export function discreteLaplace(t: bigint, words: RandomWords): () => bigint {
  const uniform = uniformBelow(t, words);
  return () => {
    for (;;) {
      // Steps 1 to 3: U uniform over [0, t), kept with probability exp(−U/t).
      const u = uniform();
      if (!bernoulliExponential(u, t, words)) continue;
      // Steps 4 to 8: V counts the successes of Bernoulli(exp(−1)) before its first failure.
      let v = 0n;
      while (bernoulliExponential(1n, 1n, words)) v += 1n;
      // Steps 9 and 10: Y = ⌊(U + t·V)/s⌋.
      const magnitude = u + t * v;
      // Steps 11 to 13: a fair sign; of the two zeros only one counts, or 0 would come up twice as often.
      const negative = words() % 2 === 1;
      if (negative && magnitude === 0n) continue;
      return negative ? -magnitude : magnitude;
    }
  };
}
