import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { axisOver } from '../../src/charts/axis.ts';

const test = suite('axes');

const labels = (low: number, high: number, isExact = false): string[] =>
  axisOver(low, high, isExact).ticks.map(({ label }) => label);

test('ticks are at round numbers', () => {
  assert.deepEqual(labels(0, 65), ['0', '10', '20', '30', '40', '50', '60', '70']);
  assert.deepEqual(labels(-0.31, 0.2), ['−0.4', '−0.3', '−0.2', '−0.1', '0', '0.1', '0.2']);
  assert.deepEqual(labels(-13.2, 13.2, true), ['−10', '−5', '0', '5', '10']);
  assert.deepEqual(labels(0, 1, true), ['0', '0.2', '0.4', '0.6', '0.8', '1.0']);
  assert.deepEqual(labels(0, 3e9), ['0', '5e8', '1e9', '1.5e9', '2e9', '2.5e9', '3e9']);
  assert.deepEqual(labels(57e9, 57e9 + 1e-5), labels(57e9, 57e9));
  assert.deepEqual(labels(3, 3), ['2.4', '2.6', '2.8', '3.0', '3.2', '3.4', '3.6']);
});

test('an axis holds what it is over, has two to eleven ticks in order, and ends exactly where it is asked to', () => {
  const number = fc.double({ min: -1e12, max: 1e12, noNaN: true });
  fc.assert(
    fc.property(number, fc.double({ min: 1e-9, max: 1e12, noNaN: true }), fc.boolean(), (low, span, isExact) => {
      const high = low + span * Math.max(1, Math.abs(low) * 2);
      const axis = axisOver(low, high, isExact);
      const rounding = (high - low) * 1e-6;
      assert.ok(axis.low <= low + rounding && axis.high >= high - rounding);
      if (isExact) assert.deepEqual([axis.low, axis.high], [low, high]);
      const values = axis.ticks.map(({ value }) => value);
      assert.ok(values.length >= 2 && values.length <= 11, `${values.length}`);
      for (const [index, value] of values.entries()) {
        assert.ok(value >= axis.low - rounding && value <= axis.high + rounding);
        if (index > 0) assert.ok(value > (values[index - 1] ?? value));
      }
    }),
  );
});

test.run();
