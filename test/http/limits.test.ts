/** Limits on a clock that the test moves. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import { createLimiter } from '../../src/http/limits.ts';
import type { PartyId } from '../../src/protocol/identifiers.ts';
import { createTestClock } from '../support/clock.ts';

const test = suite('limits');

const anna = 'anna' as PartyId;
const bert = 'bert' as PartyId;
const going = new AbortController().signal;

function refusal(action: () => void): SealsumError | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof SealsumError);
    return error;
  }
}

async function refused(work: Promise<unknown>): Promise<SealsumError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof SealsumError, String(error));
  return error;
}

test('a party may ask at once as often as the burst, then as often as the rate; others do not notice', () => {
  const clock = createTestClock();
  const limiter = createLimiter(clock, { requestsPerSecond: 10, burst: 25 });
  for (let index = 0; index < 25; index++) limiter.admit(anna);
  const error = refusal(() => {
    limiter.admit(anna);
  });
  assert.deepEqual([error?.code, error?.retryAfter], ['too_many_requests', 1]);
  assert.match(error?.message ?? '', /^anna asks more than 10 times a second/);
  limiter.admit(bert);
  clock.advance(100);
  limiter.admit(anna);
  assert.equal(
    refusal(() => {
      limiter.admit(anna);
    })?.code,
    'too_many_requests',
  );
  clock.advance(1_000_000);
  for (let index = 0; index < 25; index++) limiter.admit(anna);
  assert.equal(
    refusal(() => {
      limiter.admit(anna);
    })?.code,
    'too_many_requests',
  );
});

test('never more pass in any time than the burst and what the rate gives, and all who keep to the rate pass', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 200 }),
      (requestsPerSecond, burst, pauses) => {
        const clock = createTestClock();
        const limiter = createLimiter(clock, { requestsPerSecond, burst });
        const passed: number[] = [];
        for (const pause of pauses) {
          clock.advance(pause);
          const error = refusal(() => {
            limiter.admit(anna);
          });
          if (error === undefined) passed.push(clock.monotonic());
          // Whoever comes back when told, is let in.
          else assert.ok((error.retryAfter ?? 0) * requestsPerSecond >= 1 - 1e-9 || error.retryAfter === 1);
        }
        for (const [from, start] of passed.entries())
          for (const [to, end] of passed.entries())
            if (to > from) assert.ok(to - from + 1 <= burst + ((end - start) * requestsPerSecond) / 1000 + 1e-3);
        const steady = createLimiter(clock, { requestsPerSecond, burst });
        for (let index = 0; index < 100; index++) {
          steady.admit(anna);
          clock.advance(1000 / requestsPerSecond + 0.01);
        }
      },
    ),
    { numRuns: 100 },
  );
});

test('who is told to come back in some seconds is let in then', () => {
  const clock = createTestClock();
  const limiter = createLimiter(clock, { requestsPerSecond: 0.2, burst: 1 });
  limiter.admit(anna);
  const error = refusal(() => {
    limiter.admit(anna);
  });
  assert.equal(error?.retryAfter, 5);
  clock.advance(4000);
  assert.equal(
    refusal(() => {
      limiter.admit(anna);
    })?.retryAfter,
    1,
  );
  clock.advance(1001);
  limiter.admit(anna);
});

test('only false signatures use up what all have in common', () => {
  const clock = createTestClock();
  const limiter = createLimiter(clock, { forgeriesPerSecond: 10 });
  for (let index = 0; index < 1000; index++) {
    limiter.examine();
    limiter.proven();
  }
  for (let index = 0; index < 20; index++) limiter.examine();
  const error = refusal(() => {
    limiter.examine();
  });
  assert.deepEqual([error?.code, error?.retryAfter], ['overloaded', 1]);
  clock.advance(100);
  limiter.examine();
  assert.equal(
    refusal(() => {
      limiter.examine();
    })?.code,
    'overloaded',
  );
});

test('bodies have places; who finds none waits, first come, first served', async () => {
  const clock = createTestClock();
  const limiter = createLimiter(clock, { bodies: 2, bodiesPerParty: 100 });
  const [first, second] = [await limiter.enter(anna, going), await limiter.enter(bert, going)];
  const order: number[] = [];
  const later = [1, 2, 3].map((number) =>
    limiter.enter(anna, going).then((leave) => {
      order.push(number);
      return leave;
    }),
  );
  await turn();
  assert.deepEqual(order, []);
  first();
  first();
  await turn();
  assert.deepEqual(order, [1]);
  second();
  await turn();
  assert.deepEqual(order, [1, 2]);
  (await later[0])?.();
  await turn();
  assert.deepEqual(order, [1, 2, 3]);
  for (const leave of await Promise.all(later)) leave();
  assert.equal(clock.pending(), 0);
  const again = [await limiter.enter(anna, going), await limiter.enter(anna, going)];
  assert.equal(again.length, 2);
});

test('a wait has an end, and so has the queue', async () => {
  const clock = createTestClock();
  const limiter = createLimiter(clock, { bodies: 1, bodiesPerParty: 100, waiting: 2, patience: 5000 });
  const leave = await limiter.enter(anna, going);
  const stop = new AbortController();
  const waiting = refused(limiter.enter(anna, going));
  const gone = refused(limiter.enter(bert, stop.signal));
  const turnedAway = await refused(limiter.enter(bert, going));
  assert.deepEqual([turnedAway.code, turnedAway.retryAfter], ['overloaded', 1]);
  stop.abort();
  assert.equal((await gone).code, 'aborted');
  assert.equal(getEventListeners(stop.signal, 'abort').length, 0);
  assert.equal((await refused(limiter.enter(bert, stop.signal))).code, 'aborted');
  clock.advance(5000);
  assert.equal((await waiting).code, 'overloaded');
  leave();
  (await limiter.enter(bert, going))();
  assert.equal(clock.pending(), 0);
});

test('one party cannot take all places, not even in the queue', async () => {
  const clock = createTestClock();
  const limiter = createLimiter(clock, { bodies: 2, bodiesPerParty: 3 });
  const leaves = [await limiter.enter(anna, going), await limiter.enter(anna, going)];
  const third = limiter.enter(anna, going);
  const error = await refused(limiter.enter(anna, going));
  assert.deepEqual([error.code, error.retryAfter], ['overloaded', 1]);
  assert.match(error.message, /^anna sends 3 bodies at once/);
  const other = limiter.enter(bert, going);
  for (const leave of leaves) leave();
  (await third)();
  (await other)();
});

test('places are neither lost nor gained, whatever comes and goes', async () => {
  const step = fc.record({ kind: fc.constantFrom('enter', 'leave', 'abort', 'wait'), which: fc.nat({ max: 30 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const clock = createTestClock();
      const limiter = createLimiter(clock, { bodies: 3, bodiesPerParty: 5, waiting: 4, patience: 1000 });
      const inside: (() => void)[] = [];
      const stops: AbortController[] = [];
      let most = 0;
      for (const { kind, which } of steps) {
        if (kind === 'enter') {
          const stop = new AbortController();
          stops.push(stop);
          limiter.enter(which % 2 === 0 ? anna : bert, stop.signal).then(
            (leave) => {
              inside.push(leave);
              most = Math.max(most, inside.length);
            },
            () => undefined,
          );
        } else if (kind === 'leave') inside.splice(which % (inside.length || 1), 1)[0]?.();
        else if (kind === 'abort') stops[which % (stops.length || 1)]?.abort();
        else clock.advance(which * 50);
        await turn();
      }
      assert.ok(most <= 3);
      for (const leave of inside) leave();
      clock.advance(1000);
      await turn();
      for (const leave of inside) leave();
      assert.equal(clock.pending(), 0);
      // All three are free again, and no fourth.
      const free = [
        await limiter.enter(anna, going),
        await limiter.enter(bert, going),
        await limiter.enter(bert, going),
      ];
      const fourth = limiter.enter(anna, going);
      let entered = false;
      fourth.then(
        () => {
          entered = true;
        },
        () => undefined,
      );
      await turn();
      assert.equal(entered, false);
      for (const leave of free) leave();
      (await fourth)();
    }),
    { numRuns: 60 },
  );
});

test('who has not come for long is forgotten', async () => {
  const clock = createTestClock();
  const limiter = createLimiter(clock, { requestsPerSecond: 1, burst: 2 });
  const kept = await limiter.enter('kept' as PartyId, going);
  for (let index = 0; index < 100_000; index++) {
    limiter.admit(`party${index}` as PartyId);
    clock.advance(10);
  }
  kept();
  // Nothing but memory would tell; what is left must still count.
  limiter.admit('party99999' as PartyId);
  assert.equal(
    refusal(() => {
      limiter.admit('party99999' as PartyId);
    })?.code,
    'too_many_requests',
  );
});

test.run();
