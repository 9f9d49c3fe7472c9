import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { normalTail } from '../../../src/privacy/accounting/normal-distribution.ts';
import { agree } from '../vectors.ts';

const test = suite('normal distribution');

test('the tail at points of the table, to 2e-15 of itself', () => {
  // erfc(x/√2)/2 by mpmath at forty digits.
  for (const [x, tail] of [
    [0, 0.5],
    [0.25, 0.4012936743170763],
    [1, 0.15865525393145705],
    [2, 0.02275013194817921],
    [3, 0.0013498980316300946],
    [5, 2.866515718791939e-7],
    [5.7, 5.990371401063528e-9],
    [8, 6.220960574271784e-16],
    [12, 1.776482112077679e-33],
    [20, 2.7536241186062337e-89],
    [7.7, 6.803311540773961e-15],
    [21.7, 1.0258139526968736e-104],
    [33.3, 1.93050550592784e-243],
    [37, 5.725571222524577e-300],
  ] as const) {
    assert.ok(agree(normalTail(x), tail, 2e-15), `at ${x}: ${normalTail(x)}`);
    assert.ok(agree(normalTail(-x), 1 - tail, 2e-15), `at ${-x}: ${normalTail(-x)}`);
  }
  assert.deepEqual([normalTail(Infinity), normalTail(-Infinity), normalTail(40)], [0, 1, 0]);
});

test('never rises, also where one formula takes over from the other', () => {
  const seams = [0.46875 * Math.SQRT2, 4 * Math.SQRT2];
  fc.assert(
    fc.property(
      fc.oneof(fc.double({ min: -40, max: 40, noNaN: true }), ...seams.map((seam) => fc.constant(seam))),
      fc.double({ min: 1e-12, max: 1, noNaN: true }),
      (x, step) => {
        assert.ok(normalTail(x + step) <= normalTail(x) * (1 + 2e-15));
        assert.ok(normalTail(x) <= normalTail(x - step) * (1 + 2e-15));
      },
    ),
    { numRuns: 1000 },
  );
});

test.run();
