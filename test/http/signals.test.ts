import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { suite } from 'uvu';
import { abortWith } from '../../src/http/signals.ts';

const test = suite('signals');

test('a child aborts with its parent, for the same reason', () => {
  const parent = new AbortController();
  const children = Array.from({ length: 3 }, () => new AbortController());
  for (const child of children) abortWith(parent.signal, child);
  const reason = new Error('why');
  parent.abort(reason);
  for (const { signal } of children) assert.equal(signal.reason, reason);
});

test('a child of a parent that has aborted is aborted at once', () => {
  const child = new AbortController();
  const letGo = abortWith(AbortSignal.abort('why'), child);
  assert.equal(child.signal.reason, 'why');
  letGo();
});

test('a child that aborts or was let go leaves the parent and the others alone', () => {
  const parent = new AbortController();
  const [first, second, third] = [new AbortController(), new AbortController(), new AbortController()];
  const letGo = abortWith(parent.signal, first);
  abortWith(parent.signal, second);
  abortWith(parent.signal, third);
  letGo();
  letGo();
  second.abort();
  assert.equal(parent.signal.aborted, false);
  parent.abort();
  assert.deepEqual(
    [first, second, third].map((each) => each.signal.aborted),
    [false, true, true],
  );
});

test('a thousand children are one listener, and none is kept once it was let go', async () => {
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc') as () => void;
  const parent = new AbortController();
  const kept = (() => {
    const children = Array.from({ length: 1000 }, () => new AbortController());
    const release = children.map((child) => abortWith(parent.signal, child));
    for (const letGo of release) letGo();
    return children.map((child) => new WeakRef(child));
  })();
  assert.equal(getEventListeners(parent.signal, 'abort').length, 1);
  for (let turn = 0; turn < 5; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    collect();
  }
  assert.equal(kept.filter((each) => each.deref() !== undefined).length, 0);
});

test.run();
