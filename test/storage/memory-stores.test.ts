/** The memories of data owners and model owners: what was kept comes back, and nothing else changes it. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { JobId } from '../../src/protocol/identifiers.ts';
import { createMemoryDataOwnerStore } from '../../src/storage/data-owner-store.ts';
import { createMemoryLedgerStore } from '../../src/storage/memory-ledger-store.ts';
import { createMemoryModelStore, type ModelRecord } from '../../src/storage/model-store.ts';

const test = suite('memory stores');

const [first, second] = ['first' as JobId, 'second' as JobId];

test('a contribution comes back byte for byte until it, or its job, is forgotten', async () => {
  const store = createMemoryDataOwnerStore();
  assert.equal(await store.contribution(first, 1), undefined);
  for (const round of [1, 2, 3]) {
    await store.keepContribution(first, round, new Uint8Array([round]));
    await store.keepContribution(second, round, new Uint8Array([10 * round]));
  }
  await store.forgetContributions(first, 3);
  assert.equal(await store.contribution(first, 2), undefined);
  assert.deepEqual(await store.contribution(first, 3), new Uint8Array([3]));
  assert.deepEqual(await store.contribution(second, 2), new Uint8Array([20]));
  await store.forgetContributions(second);
  assert.equal(await store.contribution(second, 3), undefined);
  await store.forgetContributions('unknown' as JobId, 2);
  assert.deepEqual(await store.contribution(first, 3), new Uint8Array([3]));
});

test('a ledger only grows, and what was read does not', async () => {
  const store = createMemoryLedgerStore();
  const entry = (round: number) => ({ job: 'first', round, rho: null, at: '2024-01-01T00:00:00.000Z' });
  await store.append(entry(1));
  const read = await store.entries();
  await store.append(entry(2));
  assert.deepEqual(read, [entry(1)]);
  assert.deepEqual(await store.entries(), [entry(1), entry(2)]);
  read.pop();
  assert.equal((await store.entries()).length, 2);
});

test('models are listed oldest first, the newest state of each, until they are deleted', async () => {
  const store = createMemoryModelStore();
  const model = (id: string, updates: number): ModelRecord => ({ id, updates }) as ModelRecord;
  for (const record of [model('b', 0), model('a', 0), model('b', 7)]) await store.save(record);
  assert.deepEqual(await store.list(), [model('b', 7), model('a', 0)]);
  assert.deepEqual(await store.get('b'), model('b', 7));
  await store.delete('b');
  await store.delete('b');
  assert.equal(await store.get('b'), undefined);
  assert.deepEqual(await store.list(), [model('a', 0)]);
});

test.run();
