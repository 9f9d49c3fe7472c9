import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { leastWhere } from '../../../src/privacy/accounting/bisection.ts';

const test = suite('bisection');

const somewhere = fc.double({ min: -100, max: 100, noNaN: true }).map((exponent) => 2 ** exponent);

test('finds where a condition begins to hold, from above, wherever it starts', () => {
  fc.assert(
    fc.property(somewhere, somewhere, fc.constantFrom(1e-3, 1e-12), (threshold, start, tolerance) => {
      const found = leastWhere((x) => x >= threshold, { start, tolerance }) ?? Number.NaN;
      assert.ok(found >= threshold && found <= threshold * (1 + 2 * tolerance), `${found}`);
    }),
  );
});

test('stays between its ends', () => {
  assert.equal(
    leastWhere(() => true, { least: 0.3 }),
    0.3,
  );
  assert.equal(
    leastWhere(() => false, { greatest: 5 }),
    undefined,
  );
  assert.equal(
    leastWhere((x) => x >= 5, { greatest: 5 }),
    5,
  );
  assert.equal(
    leastWhere((x) => x >= 1, { least: 1, start: 1 }),
    1,
  );
});

test.run();
