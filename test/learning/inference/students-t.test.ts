import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { twoSidedQuantile, twoSidedTail } from '../../../src/learning/inference/students-t.ts';

const test = suite("Student's t");

/** t, degrees of freedom, P(|T| > t): by mpmath 1.3 with 40 digits, betainc(v/2, 1/2, 0, v/(v + t²), regularized=True). */
const tails: readonly (readonly [number, number, number])[] = [
  [1e-6, 1, 0.9999993633802277],
  [0.1, 1, 0.9365489651388929],
  [1.96, 1, 0.3003428917760331],
  [10, 1, 0.06345103486110713],
  [1e-6, 2, 0.9999992928932188],
  [0.1, 2, 0.9294654384141402],
  [1.96, 2, 0.18905730960173228],
  [10, 2, 0.00985245702332569],
  [1e-6, 5, 0.9999992407866204],
  [0.1, 5, 0.9242301411546604],
  [1.96, 5, 0.10728795250529417],
  [10, 5, 0.0001709475757429636],
  [1e-6, 29.5, 0.9999992088473199],
  [0.1, 29.5, 0.9210208355764437],
  [1.96, 29.5, 0.05950227320315175],
  [10, 29.5, 5.487791983290751e-11],
  [1e-6, 431, 0.9999992025781147],
  [0.1, 431, 0.9203908225071556],
  [1.96, 431, 0.05063971892371373],
  [10, 431, 2.5987136777562632e-21],
  [1e-6, 1000000.0, 0.9999992021156386],
  [0.1, 1000000.0, 0.9203443454920431],
  [1.96, 1000000.0, 0.04999606758526979],
  [10, 1000000.0, 1.527861076817825e-23],
];

/** Level, degrees of freedom, quantile: where the same function is 1 − level. */
const quantiles: readonly (readonly [number, number, number])[] = [
  [0.5, 1, 1.0],
  [0.5, 2, 0.816496580927726],
  [0.5, 4, 0.7406970841126826],
  [0.5, 9, 0.7027221467513264],
  [0.5, 30, 0.6827556933212926],
  [0.5, 431, 0.6750594006115613],
  [0.5, 100000.0, 0.6744922035532922],
  [0.95, 1, 12.706204736174705],
  [0.95, 2, 4.302652729749464],
  [0.95, 4, 2.7764451051977943],
  [0.95, 9, 2.2621571627982053],
  [0.95, 30, 2.042272456301238],
  [0.95, 431, 1.9654833203397437],
  [0.95, 100000.0, 1.9599877075346095],
  [0.999, 1, 636.6192487687197],
  [0.999, 2, 31.59905457644362],
  [0.999, 4, 8.610301581379275],
  [0.999, 9, 4.780912585931139],
  [0.999, 30, 3.645958635042022],
  [0.999, 431, 3.313242859882262],
  [0.999, 100000.0, 3.2906240314118826],
];

test('tails and quantiles are those of mpmath', () => {
  for (const [t, degrees, tail] of tails) {
    const found = twoSidedTail(t, degrees);
    // A million degrees take a thousand steps of the fraction, each of which rounds.
    assert.ok(Math.abs(found / tail - 1) < (degrees > 1000 ? 1e-10 : 1e-12), `${t}, ${degrees}: ${found}`);
    assert.equal(twoSidedTail(-t, degrees), found);
  }
  for (const [level, degrees, quantile] of quantiles) {
    const found = twoSidedQuantile(level, degrees);
    assert.ok(Math.abs(found / quantile - 1) < 1e-11, `${level}, ${degrees}: ${found}`);
  }
});

test('one and two degrees of freedom have closed forms', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), (t) => {
      const cauchy = (2 / Math.PI) * Math.atan2(1, t);
      const two = 2 / (Math.sqrt(t * t + 2) * (Math.sqrt(t * t + 2) + t));
      assert.ok(Math.abs(twoSidedTail(t, 1) / cauchy - 1) < 1e-12);
      assert.ok(Math.abs(twoSidedTail(t, 2) / two - 1) < 1e-12);
    }),
  );
});

test('a quantile is where the tail is what it should be, and many degrees come to the normal distribution', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.01, max: 0.9999, noNaN: true }),
      fc.integer({ min: 1, max: 10_000 }),
      (level, degrees) => {
        assert.ok(Math.abs(twoSidedTail(twoSidedQuantile(level, degrees), degrees) - (1 - level)) < 1e-12);
      },
    ),
    { numRuns: 50 },
  );
  assert.ok(Math.abs(twoSidedQuantile(0.95, Number.POSITIVE_INFINITY) - 1.9599639845400545) < 1e-13);
  assert.ok(Math.abs(twoSidedQuantile(0.95, 1e9) - 1.9599639845400545) < 1e-8);
  for (const degrees of [1e8, 1e11, 1e14])
    assert.ok(Math.abs(twoSidedTail(1.96, degrees) / 0.04999579029644087 - 1) < 1e-7, `${degrees}`);
  assert.ok(Number.isNaN(twoSidedTail(Number.NaN, 3)));
  assert.equal(twoSidedTail(Number.POSITIVE_INFINITY, 3), 0);
  assert.equal(twoSidedTail(0, 3), 1);
});

test.run();
