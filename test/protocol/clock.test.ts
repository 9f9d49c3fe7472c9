/** The machine's clock, and how a moment is written. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { systemClock, timestamp } from '../../src/protocol/clock.ts';

const test = suite('clock');

test('a moment is written in UTC to the millisecond', () => {
  assert.equal(timestamp(0), '1970-01-01T00:00:00.000Z');
  assert.equal(timestamp(1_704_067_199_999), '2023-12-31T23:59:59.999Z');
});

test("the machine's clock fires once, in order, not when cancelled, and does not mistake a long wait for none", async () => {
  const before = Date.now();
  assert.ok(systemClock.now() >= before && systemClock.now() <= Date.now());
  const start = systemClock.monotonic();
  const fired: string[] = [];
  const cancelLong = systemClock.after(2 ** 31, () => fired.push('long'));
  const cancel = systemClock.after(1, () => fired.push('cancelled'));
  cancel();
  // Its timers keep no process alive, so this one is kept alive by one of its own.
  const alive = setInterval(() => undefined, 1000);
  await new Promise<void>((resolve) => {
    systemClock.after(20, () => {
      fired.push('second');
      resolve();
    });
    systemClock.after(-5, () => fired.push('first'));
  });
  clearInterval(alive);
  cancelLong();
  cancelLong();
  assert.deepEqual(fired, ['first', 'second']);
  assert.ok(systemClock.monotonic() > start);
});

test.run();
