import assert from 'node:assert/strict';
import { createCipheriv, createHash } from 'node:crypto';
import { suite } from 'uvu';
import { type RandomBytes, systemRandom } from '../../src/paillier/random.ts';
import { randomWordsFrom } from '../../src/paillier/random-words.ts';
import {
  discreteLaplace,
  sampleDiscreteGaussian,
  sampleDiscreteGaussians,
} from '../../src/privacy/discrete-gaussian.ts';
import { formatRational, multiplyRationals, type Rational, rational, toNumber } from '../../src/privacy/rational.ts';
import {
  type Bin,
  binsOf,
  chiSquare,
  chiSquareCritical,
  discreteGaussianLaw,
  errorFunction,
  kolmogorovCritical,
  kolmogorovDistance,
  normalCritical,
  wilsonHolds,
} from './statistics.ts';
import { testCases } from './vectors.ts';

const test = suite('discrete gaussian');

function draw(count: number, variance: Rational): number[] {
  return sampleDiscreteGaussians(count, variance, systemRandom).map(Number);
}

const drawn = new Map<string, number[]>();

/** 400,000 samples, the same for all tests that look at one variance: what each may fail by does not change with it. */
function samplesOf(variance: Rational): number[] {
  const key = formatRational(variance);
  const samples = drawn.get(key) ?? draw(400_000, variance);
  drawn.set(key, samples);
  return samples;
}

/** With this chance each statistic that compares whole distributions fails though all is right: some twelve of them a run. */
const ONE_IN_A_MILLION = 1e-6;

// By the law of χ², which is an approximation, least good in the smallest bins (at least 100 expected samples).
for (const variance of [rational(1n, 4n), rational(1n), rational(10n, 3n), rational(100n), rational(2n ** 20n)]) {
  const sigmaSquared = toNumber(variance);
  test(`χ² against the exact distribution at σ² = ${sigmaSquared}, and against it with half of σ`, () => {
    const samples = samplesOf(variance);
    const count = samples.length;
    const bins = binsOf(sigmaSquared, Math.max(100 / count, sigmaSquared > 100 ? 1 / 64 : 0));
    const right = chiSquare(samples, bins);
    assert.ok(right.freedom >= 4);
    const critical = chiSquareCritical(right.freedom, ONE_IN_A_MILLION);
    assert.ok(right.statistic < critical, `χ² is ${right.statistic}, critical is ${critical}`);
    // The control: noise of half the σ must be caught, with a tenth of the samples.
    const halved = chiSquare(draw(count / 10, multiplyRationals(variance, rational(1n, 4n))), bins);
    assert.ok(halved.statistic > critical, `half of σ went unnoticed: ${halved.statistic}`);
  });
}

// Chance of failing though right: 1e-6 for each of two figures a case. Beyond σ = 2^20 the sum over an interval of the discrete
// law and the integral of the continuous one agree to more digits than a double has (Poisson summation).
for (const [name, variance] of [
  ['2^40', rational(2n ** 80n)],
  ['2^40, with a fraction in σ²', rational(2n ** 160n + 12345n, 2n ** 80n - 1n)],
  ['2^70', rational(2n ** 140n)],
] as const) {
  test(`χ², Kolmogorov and Smirnov against the normal law at σ = ${name}`, () => {
    const sigma = Math.sqrt(toNumber(variance));
    const bins: Bin[] = Array.from({ length: 64 }, (_, index) => {
      const from = index === 0 ? -Infinity : (index - 32) / 10;
      const to = index === 63 ? Infinity : (index - 31) / 10;
      return { low: from * sigma, high: to * sigma, probability: (bounded(to) - bounded(from)) / 2 };
    });
    const samples = draw(400_000, variance);
    const { statistic, freedom } = chiSquare(samples, bins);
    assert.ok(statistic < chiSquareCritical(freedom, ONE_IN_A_MILLION), `χ² is ${statistic}`);
    const law = (value: number): number => (1 + bounded(value / sigma)) / 2;
    const some = samples.slice(0, 20_000);
    const critical = kolmogorovCritical(some.length, ONE_IN_A_MILLION);
    assert.ok(kolmogorovDistance(some, law) < critical);
    // The control: a fifth less of σ must be caught.
    assert.ok(kolmogorovDistance(some, (value) => law(value * 0.8)) > critical, 'a fifth went unnoticed');
  });
}

function bounded(z: number): number {
  return Number.isFinite(z) ? errorFunction(z) : Math.sign(z);
}

// Chance of failing though right: 1e-9 for each of three figures a case, in the approximation by the normal law.
testCases(test, 'mean, variance and symmetry of samples', 'discrete_gaussian_moments', (each) => {
  const count = 100_000;
  const samples = draw(count, rational(BigInt(each.sigma2_num), BigInt(each.sigma2_den)));
  const name = `${each.sigma2_num}/${each.sigma2_den}`;
  const z = normalCritical();
  const mean = samples.reduce((total, value) => total + value, 0) / count;
  assert.ok(Math.abs(mean) < z * Math.sqrt(each.variance / count), `mean at ${name}: ${mean}`);
  const second = samples.reduce((total, value) => total + value * value, 0) / count;
  const spread = Math.sqrt((each.fourth_moment - each.variance ** 2) / count);
  assert.ok(Math.abs(second - each.variance) < z * spread, `variance at ${name}: ${second}`);
  // Of the samples that are not 0, half are positive.
  const positive = samples.filter((value) => value > 0).length;
  const nonzero = samples.filter((value) => value !== 0).length;
  assert.ok(Math.abs(positive - nonzero / 2) < (z * Math.sqrt(nonzero)) / 2, `symmetry at ${name}: ${positive}`);
});

// Chance of failing though right: 1e-9 each, by the normal law of a weighted mean of many counts.
for (const variance of [rational(1n), rational(10n, 3n), rational(100n)]) {
  const sigmaSquared = toNumber(variance);
  test(`the ratio of neighbours falls by its law's slope at σ² = ${sigmaSquared}, on both sides`, () => {
    const samples = samplesOf(variance);
    const reach = Math.max(2, Math.floor(2 * Math.sqrt(sigmaSquared)));
    for (const sign of [1, -1]) {
      const { slope, deviation } = logRatioSlope(samples, reach, sign);
      // ln(P(k + 1)/P(k)) = −(2k + 1)/2σ².
      assert.ok(Math.abs(slope + 1 / (2 * sigmaSquared)) < normalCritical() * deviation, `${slope} ± ${deviation}`);
      assert.ok(
        Math.abs(slope + 1 / (1.6 * sigmaSquared)) > normalCritical() * deviation,
        'a fifth less of σ² went unnoticed',
      );
    }
  });
}

test('the slope tells the discrete Gaussian from a normal variable that is rounded', () => {
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  const rounded = Array.from({ length: 400_000 }, () => Math.round(normal()));
  const { slope, deviation } = logRatioSlope(rounded, 2, 1);
  assert.ok(Math.abs(slope + 1 / 2) > 2 * normalCritical() * deviation, `${slope} ± ${deviation}`);
});

/**
 * How ln(n(k+1)/n(k)) grows with 2k + 1, over the counts n of sign·k for k = 0 … reach: by weighted least squares, and its standard
 * deviation, from Var(ln n(k)) = 1/n(k). The counts' dependence on each other drops out, as the weights of ln n add up to 0.
 */
function logRatioSlope(samples: readonly number[], reach: number, sign: number): { slope: number; deviation: number } {
  const counts = Array.from({ length: reach + 1 }, () => 0);
  for (const sample of samples) {
    const place = sample * sign;
    if (place >= 0 && place <= reach) counts[place] = (counts[place] ?? 0) + 1;
  }
  assert.ok(
    counts.every((count) => count > 400),
    'too few samples for logarithms of counts',
  );
  const at = (place: number): number => counts[place] ?? 0;
  const weights = Array.from({ length: reach }, (_, k) => (2 * k + 1) / (1 / at(k) + 1 / at(k + 1)));
  const total = weights.reduce((sum, weight, k) => sum + weight * (2 * k + 1), 0);
  const slope = weights.reduce((sum, weight, k) => sum + weight * Math.log(at(k + 1) / at(k)), 0) / total;
  const variance = counts.reduce((sum, count, k) => sum + ((weights[k - 1] ?? 0) - (weights[k] ?? 0)) ** 2 / count, 0);
  return { slope, deviation: Math.sqrt(variance) / total };
}

// Chance of failing though right: 1e-9 for each of twenty-four figures.
test('the tails hold as much as they should, each side of them', () => {
  const z = normalCritical();
  for (const variance of [rational(1n), rational(10n, 3n), rational(100n)]) {
    const sigma = Math.sqrt(toNumber(variance));
    const law = discreteGaussianLaw(toNumber(variance));
    const samples = samplesOf(variance);
    const count = samples.length;
    for (const distance of [1, 2, 3, 3.5].map((times) => Math.ceil(times * sigma))) {
      let beyond = 0;
      for (let value = distance + Math.ceil(40 * sigma); value >= distance; value -= 1)
        beyond += law.probability(value);
      for (const sign of [1, -1]) {
        const found = samples.filter((value) => value * sign >= distance).length;
        assert.ok(
          wilsonHolds(found, count, beyond, z),
          `${found} of ${count} from ${sign * distance} on, not ${beyond}`,
        );
      }
    }
  }
});

// Chance of failing though right: 1e-6 each.
test('χ² of the discrete Laplace against its exact distribution', () => {
  for (const scale of [1, 2, 7, 1000]) {
    const sample = discreteLaplace(BigInt(scale), randomWordsFrom(systemRandom));
    const samples = Array.from({ length: 200_000 }, () => Number(sample()));
    // P(y) = tanh(1/2t)·exp(−|y|/t), and the tail beyond k sums to exp(−(k+1)/t)/(1 + exp(−1/t)).
    const tail = (beyond: number): number => Math.exp(-(beyond + 1) / scale) / (1 + Math.exp(-1 / scale));
    const width = Math.ceil(scale / 8);
    const edge = width * Math.ceil((4 * scale) / width);
    const bins: Bin[] = [{ low: -Infinity, high: -edge - 1, probability: tail(edge) }];
    for (let low = -edge; low <= edge; low += width) {
      const high = Math.min(low + width - 1, edge);
      let probability = 0;
      for (let value = low; value <= high; value += 1) {
        probability += Math.tanh(1 / (2 * scale)) * Math.exp(-Math.abs(value) / scale);
      }
      bins.push({ low, high, probability });
    }
    bins.push({ low: edge + 1, high: Infinity, probability: tail(edge) });
    const { statistic, freedom } = chiSquare(
      samples,
      bins.filter((bin) => bin.probability > 0),
    );
    assert.ok(statistic < chiSquareCritical(freedom, ONE_IN_A_MILLION), `scale ${scale}: ${statistic}`);
  }
});

test('tails: nothing beyond what the law allows', () => {
  // P(|Y| ≥ 14σ) < 2·exp(−98): seen in these samples with a chance below 1e-35.
  assert.ok(draw(200_000, rational(100n)).every((value) => Math.abs(value) < 140));
  // σ² = 1/400: P(Y ≠ 0) = 2·exp(−200).
  assert.ok(draw(10_000, rational(1n, 400n)).every((value) => value === 0));
  assert.ok(discreteGaussianLaw(1 / 400).probability(0) === 1);
});

test('a known stream gives known samples', () => {
  for (const [variance, digest] of knownAnswers) {
    const samples = sampleDiscreteGaussians(2000, variance, keystream());
    const found = createHash('sha256').update(samples.join(',')).digest('hex');
    assert.equal(found, digest, `σ² = ${variance.numerator}/${variance.denominator}`);
    assert.equal(sampleDiscreteGaussian(variance, keystream()), samples[0]);
  }
});

/** AES-128 in counter mode under the zero key from the zero block. */
function keystream(): RandomBytes {
  const cipher = createCipheriv('aes-128-ctr', new Uint8Array(16), new Uint8Array(16));
  return (length) => cipher.update(new Uint8Array(length));
}

/** SHA-256 of 2000 samples joined by commas, by a second implementation of the paper on Python's fractions.Fraction. */
const knownAnswers: [Rational, string][] = [
  [rational(1n, 4n), '438dda3e59d27cec7ca94d04c88a6b1ededd268207fda4e3f15827b450be7720'],
  [rational(10n, 3n), 'd2385db7cc3dff1db1c50e10556f92c1c2ef62ce0a9d01fb5b24731abb96feef'],
  [rational(100n), 'b4f54cc421c56881c2b1c825fa6fc8018c8622b63d42dbd676062371c0321e8c'],
  [rational(2n ** 20n), '09525df8f83caeb320aeffde70ad36dfe43ccf1371997e66c4dfc7ccdc5589aa'],
  [rational(2n ** 80n), 'f93a7d43bedde1bb4c3af307ac5f06b27379eba0e751f0dc1e877a63c6f1d00c'],
];

test('refuses what is no variance and no count', () => {
  for (const variance of [rational(0n), rational(-1n, 3n)]) {
    assert.throws(() => sampleDiscreteGaussian(variance), { code: 'privacy_invalid', field: 'variance' });
    assert.throws(() => sampleDiscreteGaussians(3, variance), { code: 'privacy_invalid', field: 'variance' });
  }
  for (const count of [-1, 1.5, Number.NaN, Infinity]) {
    assert.throws(() => sampleDiscreteGaussians(count, rational(1n)), { code: 'privacy_invalid', field: 'count' });
  }
  assert.deepEqual(sampleDiscreteGaussians(0, rational(1n)), []);
});

test.run();
