import assert from 'node:assert/strict';
import { suite } from 'uvu';
import {
  binsOf,
  chiSquareCritical,
  discreteGaussianLaw,
  errorFunction,
  kolmogorovCritical,
  kolmogorovDistance,
  normalCritical,
  wilsonHolds,
} from './statistics.ts';
import { agree, testCases } from './vectors.ts';

const test = suite('the statistics of these tests');

testCases(test, 'critical values of χ²', 'chi2_critical', ({ df, alpha, critical }) => {
  assert.ok(agree(chiSquareCritical(df, alpha), critical, 1e-10), `${df} degrees at ${alpha}`);
});

testCases(test, 'critical values of the normal law', 'wilson_z', ({ alpha, z }) => {
  assert.ok(agree(normalCritical(alpha), z, 1e-10), `${alpha}`);
});

testCases(test, "critical values of Kolmogorov and Smirnov's statistic", 'ks_critical', ({ n, alpha, critical }) => {
  // The reference takes Pelz and Good's expansion in 1/√n, which is a ten-thousandth of alpha off at a thousand samples.
  const tolerance = n < 20_000 ? 4e-6 : 1e-8;
  assert.ok(agree(kolmogorovCritical(n, alpha), critical, tolerance), `${n} samples at ${alpha}`);
});

test("Kolmogorov and Smirnov's statistic, by hand", () => {
  assert.ok(Math.abs(kolmogorovDistance([0.1, 0.7, 0.4], (value) => value) - 0.3) < 1e-15);
  assert.ok(Math.abs(kolmogorovDistance([0.9, 0.95], (value) => value) - 0.9) < 1e-15);
});

test("Wilson's interval at its edges", () => {
  // Of 100 trials 60 succeeded: at z = 2 it is (62 ± 2·√25)/104, from 0.5 to 0.6923.
  for (const [probability, holds] of [
    [0.4999, false],
    [0.5001, true],
    [0.6923, true],
    [0.6924, false],
  ] as const) {
    assert.equal(wilsonHolds(60, 100, probability, 2), holds, `${probability}`);
  }
});

testCases(test, 'the law of the discrete Gaussian', 'discrete_gaussian_moments', (each) => {
  const law = discreteGaussianLaw(each.sigma2_num / each.sigma2_den);
  assert.ok(agree(law.normaliser, each.norm_const, 1e-12), `normaliser of ${each.sigma2_num}/${each.sigma2_den}`);
  assert.ok(agree(law.variance, each.variance, 1e-12), `variance of ${each.sigma2_num}/${each.sigma2_den}`);
  assert.ok(
    agree(law.fourthMoment, each.fourth_moment, 1e-12),
    `fourth moment of ${each.sigma2_num}/${each.sigma2_den}`,
  );
  for (const [value, probability] of Object.entries(each.pmf)) {
    assert.ok(
      agree(law.probability(Number(value)), probability, 1e-12),
      `${value} of ${each.sigma2_num}/${each.sigma2_den}`,
    );
  }
});

test('bins cover the integers once, and their probabilities add up to 1', () => {
  const bins = binsOf(100, 0.001);
  assert.equal(bins[0]?.low, -Infinity);
  assert.equal(bins.at(-1)?.high, Infinity);
  for (const [index, bin] of bins.entries()) if (index > 0) assert.equal(bin.low, (bins[index - 1]?.high ?? 0) + 1);
  assert.ok(Math.abs(bins.reduce((total, bin) => total + bin.probability, 0) - 1) < 1e-12);
});

test('the error function at points of the table', () => {
  assert.ok(agree(errorFunction(1), 0.682_689_492_137_086, 1e-12));
  assert.ok(agree(errorFunction(-2), -0.954_499_736_103_642, 1e-12));
  assert.equal(errorFunction(0), 0);
});

test.run();
