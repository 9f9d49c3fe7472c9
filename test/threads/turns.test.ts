/** Turns: everybody's comes, in order; what many ask for at once leaves room for others; and the first one does not wait. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { createTurns } from '../../src/threads/turns.ts';

const test = suite('turns');

/** Milliseconds that only work takes. */
function workshop(): { now: () => number; work: (milliseconds: number) => void } {
  let time = 0;
  return {
    now: () => time,
    work: (milliseconds) => {
      time += milliseconds;
    },
  };
}

test('whoever asks when nobody else has does not wait for another turn', async () => {
  const turns = createTurns(() => 0);
  const seen: string[] = [];
  setImmediate(() => seen.push('next turn'));
  await turns.take();
  seen.push('mine');
  assert.deepEqual(seen, ['mine']);
});

test('everybody has a turn, in the order of asking', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 200 }), async (durations) => {
      const { now, work } = workshop();
      const turns = createTurns(now);
      const done: number[] = [];
      await Promise.all(
        durations.map(async (milliseconds, index) => {
          await turns.take();
          work(milliseconds);
          done.push(index);
        }),
      );
      assert.deepEqual(
        done,
        durations.map((_, index) => index),
      );
    }),
    { numRuns: 30 },
  );
});

test('between two turns no more is done than fits one, and what comes last', async () => {
  const { now, work } = workshop();
  const turns = createTurns(now);
  let left = 100;
  for (let asker = 0; asker < 100; asker += 1)
    void turns.take().then(() => {
      work(1);
      left -= 1;
    });
  const remaining = (): number => left;
  const longest: number[] = [];
  for (let before = now(); remaining() > 0; before = now()) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    longest.push(now() - before);
  }
  // 3 ms, and 1 ms for the one that was first asked for.
  assert.ok(Math.max(...longest) <= 4, String(longest));
  assert.ok(longest.length >= 100 / 4, String(longest));
});

test('what one does without waiting is done before the next begins', async () => {
  const turns = createTurns(() => 0);
  const seen: string[] = [];
  const step = async (name: string): Promise<void> => {
    await turns.take();
    for (let part = 0; part < 20; part += 1) {
      seen.push(name);
      await Promise.resolve();
    }
  };
  await Promise.all([turns.take(), step('a'), step('b'), step('c')]);
  assert.deepEqual(
    seen,
    ['a', 'b', 'c'].flatMap((name) => new Array<string>(20).fill(name)),
  );
});

test('a rest takes no time while the turn is young, and the next turn when it is not', async () => {
  const { now, work } = workshop();
  const turns = createTurns(now);
  const seen: string[] = [];
  const nextTurn = new Promise<void>((resolve) => {
    setImmediate(() => {
      seen.push('next turn');
      resolve();
    });
  });
  await turns.rest();
  work(2);
  await turns.rest();
  seen.push('young');
  work(1);
  await turns.rest();
  seen.push('rested');
  await nextTurn;
  assert.deepEqual(seen, ['young', 'next turn', 'rested']);
});

test('who rests goes on before those who wait', async () => {
  const { now, work } = workshop();
  const turns = createTurns(now);
  const seen: string[] = [];
  const long = async (): Promise<void> => {
    for (let part = 0; part < 3; part += 1) {
      await turns.rest();
      work(3);
      seen.push('long');
    }
  };
  const wait = async (): Promise<void> => {
    await turns.take();
    work(3);
    seen.push('waiting');
  };
  await Promise.all([long(), wait(), wait(), wait()]);
  assert.equal(seen.indexOf('waiting') > 0 && seen.filter((each) => each === 'waiting').length === 3, true);
  assert.ok(seen.lastIndexOf('long') < seen.lastIndexOf('waiting'), String(seen));
});

test('who asks again while others wait comes after them', async () => {
  const { now, work } = workshop();
  const turns = createTurns(now);
  const seen: string[] = [];
  const ask = async (name: string, times: number): Promise<void> => {
    for (let time = 0; time < times; time += 1) {
      await turns.take();
      work(3);
      seen.push(name);
    }
  };
  await Promise.all([ask('a', 3), ask('b', 3), ask('c', 3)]);
  assert.deepEqual(seen, ['a', 'b', 'c', 'a', 'b', 'c', 'a', 'b', 'c']);
});

test.run();
