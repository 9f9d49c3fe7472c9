/** Those who wait for something to happen. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createBell } from '../../src/http/bell.ts';

const test = suite('bells');

test('a bell wakes everybody who waits, once, and whoever is stopped', async () => {
  const bell = createBell();
  const stop = new AbortController();
  const woken: string[] = [];
  const wait = async (name: string, signal: AbortSignal): Promise<void> => {
    await bell.next(signal);
    woken.push(name);
  };
  const never = new AbortController().signal;
  const waits = [wait('a', never), wait('b', never)];
  bell.ring();
  await Promise.all(waits);
  assert.deepEqual(woken, ['a', 'b']);
  const third = wait('c', stop.signal);
  const fourth = wait('d', never);
  stop.abort();
  await third;
  assert.deepEqual(woken, ['a', 'b', 'c']);
  await wait('e', stop.signal);
  bell.ring();
  await fourth;
  assert.deepEqual(woken, ['a', 'b', 'c', 'e', 'd']);
  bell.ring();
});

test.run();
