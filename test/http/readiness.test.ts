/** When a party can do its work. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { suite } from 'uvu';
import { createReadiness } from '../../src/http/readiness.ts';

const test = suite('readiness');

const ping = (): Promise<void> => Promise.resolve();

test('a store that answers and has room is ready', async () => {
  assert.equal(await createReadiness({ ping })(), undefined);
  assert.equal(await createReadiness({ ping, folder: tmpdir(), leastFree: 1 })(), undefined);
});

test('a store that does not answer is not, and its reason is not for everybody', async () => {
  const ready = createReadiness({ ping: () => Promise.reject(new Error('password wrong: secret-1')) });
  assert.equal(await ready(), 'the store does not answer');
});

test('neither is a disk that is nearly full, nor a folder that is gone', async () => {
  let free = 2 ** 28;
  const ready = createReadiness({ ping, folder: '/data', freeBytes: () => Promise.resolve(free) });
  assert.equal(await ready(), undefined);
  free -= 1;
  assert.equal(await ready(), 'less than 256 MiB are free on the disk');
  const small = createReadiness({
    ping,
    folder: '/data',
    leastFree: 2 ** 20,
    freeBytes: () => Promise.resolve(2 ** 20),
  });
  assert.equal(await small(), undefined);
  const gone = createReadiness({ ping, folder: '/nowhere/at/all' });
  assert.equal(await gone(), 'less than 256 MiB are free on the disk');
});

test.run();
