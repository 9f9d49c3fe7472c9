/** Least squares: NIST's certified figures, and the laws of powers. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { fitLine, fitPower } from '../../../scripts/bench/fit.ts';
import { norris } from '../../support/norris.ts';

const test = suite('fit');

function close(found: number, expected: number, digits: number): void {
  assert.ok(Math.abs(found - expected) <= Math.abs(expected) * 10 ** -digits, `${found} instead of ${expected}`);
}

test("NIST's certified slope, intercept and standard error of Norris", () => {
  const { intercept, slope, slopeError } = fitLine(norris);
  close(slope, 1.00211681802045, 12);
  close(intercept, -0.262323073774029, 10);
  close(slopeError, 0.429796848199937e-3, 10);
});

const positive = fc.double({ min: 1e-3, max: 1e3, noNaN: true });

test('finds the exponent of a power without error, whatever its factor and unit', () => {
  const sizes = fc.uniqueArray(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 3, maxLength: 9 });
  fc.assert(
    fc.property(
      sizes,
      fc.double({ min: -3, max: 3, noNaN: true }),
      positive,
      positive,
      (xs, exponent, factor, unit) => {
        // Sizes that are almost alike tell nothing.
        fc.pre(Math.max(...xs) > 2 * Math.min(...xs));
        const fitted = fitPower(xs.map((x) => [x * unit, factor * x ** exponent]));
        assert.ok(Math.abs(fitted.exponent - exponent) < 1e-9);
        assert.ok(fitted.error < 1e-7);
        const there = fitted.factor * unit ** fitted.exponent;
        assert.ok(Math.abs(there / factor - 1) < 1e-7);
      },
    ),
  );
});

test('two points have an exponent, and no error of it', () => {
  const { exponent, error } = fitPower([
    [10, 5],
    [100, 500],
  ]);
  close(exponent, 2, 12);
  assert.ok(Number.isNaN(error));
});

test.run();
