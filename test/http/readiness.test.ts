/** When a party can do its work. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import { createReadiness } from '../../src/http/readiness.ts';

const test = suite('readiness');

const ping = (): Promise<void> => Promise.resolve();
const store = '/data/state.sqlite';

test('a store that answers and has room is ready', async () => {
  assert.equal(await createReadiness({ ping, store: join(tmpdir(), 'none.sqlite'), leastFree: 1 })(), undefined);
});

test('where a store is no file here, no folder is asked for room', async () => {
  const freeBytes = (folder: string): Promise<number> => Promise.reject(new Error(`asked for ${folder}`));
  for (const store of [':memory:', 'postgres://sums@db.example/sums'])
    assert.equal(await createReadiness({ ping, store, freeBytes })(), undefined);
});

test('a store that does not answer is not, and its reason is not for everybody', async () => {
  const ready = createReadiness({ ping: () => Promise.reject(new Error('password wrong: secret-1')), store });
  assert.equal(await ready(), 'the store does not answer');
});

test('neither is a disk that is nearly full, nor a folder that is gone', async () => {
  let free = 2 ** 28;
  const asked = new Set<string>();
  const freeBytes = (folder: string): Promise<number> => {
    asked.add(folder);
    return Promise.resolve(free);
  };
  const ready = createReadiness({ ping, store, freeBytes });
  assert.equal(await ready(), undefined);
  free -= 1;
  assert.equal(await ready(), 'less than 256 MiB are free on the disk');
  assert.deepEqual([...asked], ['/data']);
  const small = createReadiness({
    ping,
    store,
    leastFree: 2 ** 20,
    freeBytes: () => Promise.resolve(2 ** 20),
  });
  assert.equal(await small(), undefined);
  const gone = createReadiness({ ping, store: '/nowhere/at/all/state.sqlite' });
  assert.equal(await gone(), 'less than 256 MiB are free on the disk');
});

test.run();
