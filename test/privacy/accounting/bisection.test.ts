import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { leastFallenTo, leastWhere } from '../../../src/privacy/accounting/bisection.ts';

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

test('where a falling function comes down to something: as bisection finds it, for powers, exponentials, steps and what is flat', () => {
  const shapes: readonly ((x: number) => number)[] = [
    (x) => 1 / x,
    (x) => x ** -2,
    (x) => x ** -0.25,
    (x) => Math.exp(-x),
    (x) => 0.5 + 1 / (1 + x),
    (x) => (x < 3 ? Infinity : 3 / x),
    (x) => (x < 3 ? 5 : 0),
    (x) => Math.max(0, 2 - x),
    (x) => 2 ** -Math.floor(Math.log2(x)),
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...shapes),
      somewhere.filter((x) => x > 2 ** -30 && x < 2 ** 30),
      somewhere.filter((x) => x > 2 ** -30 && x < 2 ** 30),
      fc.constantFrom(1e-4, 1e-12),
      (falling, most, start, tolerance) => {
        const search = { start, tolerance, least: 2 ** -40, greatest: 2 ** 130 };
        const found = leastFallenTo(falling, most, search);
        const expected = leastWhere((x) => falling(x) <= most, search);
        if (found === undefined || expected === undefined) {
          assert.equal(found, expected, 'both or none');
          return;
        }
        assert.ok(falling(found) <= most, `f(${found}) is ${falling(found)}, more than ${most}`);
        assert.ok(Math.abs(found / expected - 1) <= 3 * tolerance, `${found}, by bisection ${expected}`);
      },
    ),
    { numRuns: 500 },
  );
});

test('a function that is nearly a power is asked few times, wherever the search starts', () => {
  for (const start of [1, 350, 373, 404, 5000]) {
    let asked = 0;
    const falling = (x: number): number => {
      asked += 1;
      return 373 / x + (373 / x) ** 2 / 20;
    };
    leastFallenTo(falling, 1.05, { start, tolerance: 1e-4 });
    assert.ok(asked <= (start > 300 && start < 500 ? 6 : 16), `${asked} times from ${start}`);
  }
});

test('a search for what falls stays between its ends, however far they are', () => {
  const far = leastFallenTo((x) => (x < 2 ** -499 ? 2 : 1), 1, { start: 2 ** 500 }) ?? Number.NaN;
  assert.ok(Math.abs(far / 2 ** -499 - 1) < 2e-12, `${far}`);
  assert.equal(
    leastFallenTo(() => 1, 2, { least: 0.3 }),
    0.3,
  );
  assert.equal(
    leastFallenTo(() => 1, 0.5, { greatest: 5 }),
    undefined,
  );
  assert.equal(
    leastFallenTo((x) => 5 / x, 1, { greatest: 5 }),
    5,
  );
});

test.run();
