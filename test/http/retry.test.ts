/** Trying again on a clock that the test moves: what is waited for, for how long, and when it is over. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import { type Attempt, pause, retry } from '../../src/http/retry.ts';
import { createTestClock, type TestClock } from '../support/clock.ts';

const test = suite('retry');

const busy = new SealsumError('overloaded', 'not now');
const going = new AbortController().signal;

/** What was waited before each further try, and what came of it all, on a clock that jumps from timer to timer. */
async function waits(
  outcome: (attempt: number) => Attempt<string>,
  options: { readonly patience: number; readonly bytes?: readonly [number, number]; readonly most?: number },
): Promise<{ readonly waited: readonly number[]; readonly result: unknown; readonly clock: TestClock }> {
  const clock = createTestClock();
  const tried: number[] = [];
  let result: unknown;
  const work = retry(
    () => {
      tried.push(clock.monotonic());
      return Promise.resolve(tried.length >= (options.most ?? 1e6) ? { value: 'stopped' } : outcome(tried.length));
    },
    { clock, random: () => Uint8Array.from(options.bytes ?? [0, 0]), patience: options.patience, signal: going },
  ).then(
    (value) => {
      result = value;
    },
    (error: unknown) => {
      result = error;
    },
  );
  while (result === undefined) {
    await turn();
    clock.advance(clock.next() ?? 0);
  }
  await work;
  return { waited: tried.slice(1).map((time, index) => time - (tried[index] ?? 0)), result, clock };
}

test('the first value ends it, and what is thrown does too', async () => {
  assert.deepEqual((await waits(() => ({ value: 'done' }), { patience: 0 })).result, 'done');
  const final = new SealsumError('job_ended', 'final');
  const { result, waited } = await waits(
    (attempt) => {
      if (attempt === 3) throw final;
      return { passing: busy };
    },
    { patience: 10_000 },
  );
  assert.equal(result, final);
  assert.equal(waited.length, 2);
});

test('waits double from 0.1 s to 5 s, and are between half and all of that', async () => {
  const steps = [100, 200, 400, 800, 1600, 3200, 5000, 5000];
  const forever = { patience: Number.POSITIVE_INFINITY, most: 9 };
  const shortest = await waits(() => ({ passing: busy }), { ...forever, bytes: [0, 0] });
  assert.deepEqual(
    shortest.waited,
    steps.map((step) => step / 2),
  );
  const longest = await waits(() => ({ passing: busy }), { ...forever, bytes: [255, 255] });
  for (const [index, step] of steps.entries()) {
    const waited = longest.waited[index] ?? 0;
    assert.ok(waited < step && waited > step * 0.999, `${waited} of ${step}`);
  }
});

test('no patience is one try', async () => {
  const { waited, result, clock } = await waits(() => ({ passing: busy }), { patience: 0 });
  assert.deepEqual([waited, result, clock.pending()], [[], busy, 0]);
});

test('is over within the patience, whatever it is, and no sooner than it must be', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 120_000 }),
      fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 255 })),
      async (patience, bytes) => {
        const { waited, result, clock } = await waits(() => ({ passing: busy }), { patience, bytes });
        const spent = waited.reduce((sum, wait) => sum + wait, 0);
        assert.equal(result, busy);
        assert.ok(spent <= patience);
        // The wait that was not begun would have been at most twice the last one, and never above 5 s.
        assert.ok(spent + Math.min(5000, Math.max(100, 4 * (waited.at(-1) ?? 25))) >= patience);
        assert.equal(clock.pending(), 0);
      },
    ),
    { numRuns: 50 },
  );
});

test('the last failure is the one that is told', async () => {
  const failures = Array.from({ length: 50 }, (_, index) => new SealsumError('overloaded', `failure ${index}`));
  const { waited, result } = await waits((attempt) => ({ passing: failures[attempt] ?? busy }), { patience: 2000 });
  assert.equal(result, failures[waited.length + 1]);
});

test('whoever asks for a pause gets it, up to 30 s', async () => {
  const options = { patience: Number.POSITIVE_INFINITY, most: 2 };
  for (const [retryAfter, least] of [
    [0, 50],
    [3, 3050],
    [30, 30_050],
    [86_400, 30_050],
  ] as const)
    assert.deepEqual((await waits(() => ({ passing: busy, retryAfter }), options)).waited, [least]);
  const short = await waits(() => ({ passing: busy, retryAfter: 60 }), { patience: 10_000 });
  assert.deepEqual([short.waited, short.result], [[], busy]);
});

test('a signal ends the wait at once, and nothing is left behind', async () => {
  const clock = createTestClock();
  const stop = new AbortController();
  let tries = 0;
  const work = retry(
    () => {
      tries += 1;
      return Promise.resolve({ passing: busy });
    },
    { clock, random: (length) => new Uint8Array(length), patience: 1000, signal: stop.signal },
  );
  while (clock.pending() === 0) await turn();
  stop.abort();
  await assert.rejects(work, { code: 'aborted' });
  assert.deepEqual([tries, clock.pending(), getEventListeners(stop.signal, 'abort').length], [1, 0, 0]);
  await assert.rejects(
    retry(() => Promise.resolve({ value: 1 }), {
      clock,
      random: () => new Uint8Array(2),
      patience: 1,
      signal: stop.signal,
    }),
    { code: 'aborted' },
  );
});

test('the process is kept alive while it waits, and by nothing else', async () => {
  const clock = createTestClock();
  const stop = new AbortController();
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  let during = -1;
  const work = retry(
    () => {
      // Whoever asks holds a connection; one that never settles must leave nothing behind.
      during = timers();
      return Promise.resolve({ passing: busy });
    },
    { clock, random: (length) => new Uint8Array(length), patience: 1000, signal: stop.signal },
  );
  while (clock.pending() === 0) await turn();
  assert.deepEqual([during, timers()], [before, before + 1]);
  stop.abort();
  await assert.rejects(work, { code: 'aborted' });
  assert.equal(timers(), before);
});

test('a pause ends at its time, not before, or when it is told to', async () => {
  const clock = createTestClock();
  let over = false;
  const work = pause(clock, 1000, going).then(() => {
    over = true;
  });
  clock.advance(999);
  await turn();
  assert.equal(over, false);
  clock.advance(1);
  await work;
  await pause(clock, 1000, AbortSignal.abort());
  assert.equal(clock.pending(), 0);
});

test('many may wait on one signal, which ends all their waits', async () => {
  const clock = createTestClock();
  const stop = new AbortController();
  const waits = Array.from({ length: 50 }, () => pause(clock, 1000, stop.signal));
  // More than ten and Node.js warns of a leak.
  assert.equal(getEventListeners(stop.signal, 'abort').length, 1);
  stop.abort();
  await Promise.all(waits);
  assert.deepEqual([clock.pending(), getEventListeners(stop.signal, 'abort').length], [0, 0]);
});

test.run();
