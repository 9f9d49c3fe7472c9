/**
 * What a statistical test needs: the exact law of the discrete Gaussian, Pearson's χ², and critical values at a stated
 * chance of failing. Checked against scipy's figures in statistics.test.ts.
 */

/** One in a thousand million: the chance with which each statistic below may fail although everything is right. */
export const CHANCE = 1e-9;

/** Something with probability `weight`: an outcome, or the outcomes in [low, high]. */
export interface Bin {
  readonly low: number;
  readonly high: number;
  readonly probability: number;
}

export interface Law {
  readonly normaliser: number;
  readonly variance: number;
  readonly fourthMoment: number;
  probability(value: number): number;
}

/** The discrete Gaussian of parameter σ²: P(k) = exp(−k²/2σ²)/Σ exp(−j²/2σ²), summed over |j| ≤ 40σ + 40. */
export function discreteGaussianLaw(sigmaSquared: number): Law {
  const weight = (value: number): number => Math.exp(-(value * value) / (2 * sigmaSquared));
  let normaliser = 0;
  let second = 0;
  let fourth = 0;
  // From the far, small terms inwards, so that none is lost in a sum that is already great.
  for (let value = Math.ceil(40 * Math.sqrt(sigmaSquared)) + 40; value > 0; value -= 1) {
    const both = 2 * weight(value);
    normaliser += both;
    second += both * value ** 2;
    fourth += both * value ** 4;
  }
  normaliser += 1;
  return {
    normaliser,
    variance: second / normaliser,
    fourthMoment: fourth / normaliser,
    probability: (value) => weight(value) / normaliser,
  };
}

/** The integers cut into bins of at least `least` probability each; the outermost two reach to infinity. */
export function binsOf(sigmaSquared: number, least: number): Bin[] {
  const law = discreteGaussianLaw(sigmaSquared);
  const reach = Math.ceil(40 * Math.sqrt(sigmaSquared)) + 40;
  const bins: Bin[] = [];
  let low = -Infinity;
  let probability = 0;
  for (let value = -reach; value <= reach; value += 1) {
    probability += law.probability(value);
    if (probability < least) continue;
    bins.push({ low, high: value, probability });
    low = value + 1;
    probability = 0;
  }
  const last = bins.pop();
  if (last === undefined) throw new Error('bins: the least probability is more than there is');
  return [...bins, { low: last.low, high: Infinity, probability: last.probability + probability }];
}

/** Pearson's statistic Σ (observed − expected)²/expected, and the degrees of freedom that go with it. */
export function chiSquare(samples: readonly number[], bins: readonly Bin[]): { statistic: number; freedom: number } {
  const observed = bins.map(() => 0);
  for (const sample of samples) {
    let first = 0;
    let last = bins.length - 1;
    while (first < last) {
      const middle = (first + last) >> 1;
      if (sample > (bins[middle]?.high ?? Infinity)) first = middle + 1;
      else last = middle;
    }
    observed[first] = (observed[first] ?? 0) + 1;
  }
  const statistic = bins.reduce((total, bin, index) => {
    const expected = bin.probability * samples.length;
    return total + ((observed[index] ?? 0) - expected) ** 2 / expected;
  }, 0);
  return { statistic, freedom: bins.length - 1 };
}

/** The value that χ² with `freedom` degrees exceeds with probability `chance`. */
export function chiSquareCritical(freedom: number, chance: number = CHANCE): number {
  let low = 0;
  let high = 1;
  while (upperGamma(freedom / 2, high / 2) > chance) high *= 2;
  for (let step = 0; step < 200; step += 1) {
    const middle = (low + high) / 2;
    if (upperGamma(freedom / 2, middle / 2) > chance) low = middle;
    else high = middle;
  }
  return high;
}

/** The distance that Kolmogorov and Smirnov's statistic of `count` samples exceeds with probability `chance`, for a small one. */
export function kolmogorovCritical(count: number, chance: number): number {
  // P(D > d) is twice P(D⁺ > d), less the probability of both sides at once: about the fourth power of the half.
  // And near exp(−2nd²).
  const rough = Math.sqrt(Math.log(2 / chance) / (2 * count));
  let low = rough * 0.8;
  let high = rough * 1.2;
  while (high - low > 1e-11 * high) {
    const middle = (low + high) / 2;
    if (2 * oneSidedTail(count, middle) > chance) low = middle;
    else high = middle;
  }
  return high;
}

/** P(D⁺ > d) = d·Σ C(n, j)·(d + j/n)^(j−1)·(1 − d − j/n)^(n−j) over j ≤ n(1 − d), exactly (Birnbaum, Tingey 1951). */
function oneSidedTail(count: number, distance: number): number {
  let sum = 0;
  let logBinomial = 0;
  for (let j = 0; j < count * (1 - distance); j += 1) {
    const log =
      logBinomial + (j - 1) * Math.log(distance + j / count) + (count - j) * Math.log1p(-distance - j / count);
    sum += Math.exp(log);
    logBinomial += Math.log((count - j) / (j + 1));
  }
  return distance * sum;
}

/** Kolmogorov and Smirnov's statistic: the greatest distance between the samples' distribution function and a continuous one. */
export function kolmogorovDistance(samples: readonly number[], distribution: (value: number) => number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  let greatest = 0;
  for (const [index, value] of sorted.entries()) {
    const expected = distribution(value);
    greatest = Math.max(greatest, expected - index / sorted.length, (index + 1) / sorted.length - expected);
  }
  return greatest;
}

/** Whether a probability lies in Wilson's interval (1927) around what was observed: the score test inverted. */
export function wilsonHolds(successes: number, trials: number, probability: number, z: number): boolean {
  return (successes - trials * probability) ** 2 <= z * z * trials * probability * (1 - probability);
}

/** The z that a standard normal variable exceeds in magnitude with probability `chance`. */
export function normalCritical(chance: number = CHANCE): number {
  return Math.sqrt(chiSquareCritical(1, chance));
}

/** P(|Z| ≤ |z|)·sign(z) for a standard normal Z. */
export function errorFunction(z: number): number {
  return Math.sign(z) * (1 - upperGamma(0.5, (z * z) / 2));
}

/** Q(a, x) = Γ(a, x)/Γ(a) for a = 1/2, 1, 3/2, …: series or Lentz's continued fraction (Numerical Recipes, Section 6.2). */
function upperGamma(a: number, x: number): number {
  if (x <= 0) return 1;
  const scale = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a;
    let sum = term;
    for (let n = a + 1; term > sum * 1e-17; n += 1) {
      term *= x / n;
      sum += term;
    }
    return 1 - sum * scale;
  }
  let b = x + 1 - a;
  let c = Infinity;
  let d = 1 / b;
  let fraction = d;
  for (let n = 1; n < 10_000; n += 1) {
    const numerator = -n * (n - a);
    b += 2;
    d = 1 / (numerator * d + b);
    c = b + numerator / c;
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return fraction * scale;
}

/** ln Γ(a) for whole and half a, from Γ(a) = (a − 1)·Γ(a − 1). */
function logGamma(a: number): number {
  let result = 0;
  let rest = a;
  for (; rest > 1; rest -= 1) result += Math.log(rest - 1);
  return rest === 1 ? result : result + Math.log(Math.PI) / 2;
}
