import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import { createLedger, type LedgerEntry, type LedgerStore } from '../../src/privacy/ledger.ts';
import { rational } from '../../src/privacy/rational.ts';

const test = suite('ledger');

interface TestStore extends LedgerStore {
  readonly kept: LedgerEntry[];
  failNext: 'before writing' | 'after writing' | undefined;
}

/** A store that takes its time, and can fail once, on either side of the write. */
function createTestStore(kept: LedgerEntry[] = []): TestStore {
  return {
    kept,
    failNext: undefined,
    async append(entry) {
      await setImmediate();
      const failing = this.failNext;
      this.failNext = undefined;
      if (failing === 'before writing') throw new Error('disk full');
      kept.push(entry);
      if (failing === 'after writing') throw new Error('disk gone');
    },
    async entries() {
      await setImmediate();
      return [...kept];
    },
  };
}

const rho = rational(1n, 20n);
const noon = (): Date => new Date('2024-05-01T12:00:00Z');

test('keeps job, round, rho and date of a charge', async () => {
  const store = createTestStore();
  assert.equal(await createLedger(store, noon).charge({ job: 'a', round: 1, rho }), true);
  assert.deepEqual(store.kept, [{ job: 'a', round: 1, rho, at: '2024-05-01T12:00:00.000Z' }]);
});

test('charges a round once, however often it is asked, also after a restart', async () => {
  const store = createTestStore();
  const ledger = createLedger(store, noon);
  assert.equal(await ledger.charge({ job: 'a', round: 1, rho }), true);
  assert.equal(await ledger.charge({ job: 'a', round: 1, rho: rational(2n, 40n) }), false);
  assert.equal(await createLedger(store, noon).charge({ job: 'a', round: 1, rho }), false);
  assert.deepEqual(await ledger.spent(), { rho, rounds: 1, unprotectedRounds: 0 });
  assert.equal(store.kept.length, 1);
});

test('charges a round once when it is asked a hundred times at once', async () => {
  const store = createTestStore();
  const ledger = createLedger(store);
  const charges = await Promise.all(Array.from({ length: 100 }, () => ledger.charge({ job: 'a', round: 1, rho })));
  assert.equal(charges.filter(Boolean).length, 1);
  assert.equal(store.kept.length, 1);
});

test('tells jobs and rounds apart', async () => {
  const ledger = createLedger(createTestStore());
  for (const [job, round] of [
    ['a', 1],
    ['a', 11],
    ['1 a', 1],
    ['b', 1],
  ] as const) {
    assert.equal(await ledger.charge({ job, round, rho }), true);
  }
  assert.deepEqual(await ledger.spent('a'), { rho: rational(1n, 10n), rounds: 2, unprotectedRounds: 0 });
  assert.deepEqual(await ledger.spent('c'), { rho: rational(0n), rounds: 0, unprotectedRounds: 0 });
  assert.deepEqual(await ledger.spent(), { rho: rational(1n, 5n), rounds: 4, unprotectedRounds: 0 });
});

test('adds up exactly over ten thousand rounds', async () => {
  const ledger = createLedger(
    createTestStore(
      Array.from({ length: 10_000 }, (_, round) => ({
        job: round % 2 === 0 ? 'third' : 'seventh',
        round,
        rho: round % 2 === 0 ? rational(1n, 3n) : rational(1n, 7n),
        at: noon().toISOString(),
      })),
    ),
  );
  assert.deepEqual((await ledger.spent()).rho, rational(50_000n, 21n));
});

test('counts rounds without differential privacy apart', async () => {
  const ledger = createLedger(createTestStore());
  await ledger.charge({ job: 'a', round: 1, rho });
  assert.equal(await ledger.charge({ job: 'b', round: 1, rho: null }), true);
  assert.equal(await ledger.charge({ job: 'b', round: 1, rho: null }), false);
  assert.deepEqual(await ledger.spent(), { rho, rounds: 2, unprotectedRounds: 1 });
});

test('refuses another figure for the same round, and a negative one', async () => {
  const store = createTestStore();
  const ledger = createLedger(store);
  await ledger.charge({ job: 'a', round: 1, rho });
  for (const other of [rational(1n, 21n), null]) {
    await assert.rejects(ledger.charge({ job: 'a', round: 1, rho: other }), { code: 'privacy_invalid', field: 'rho' });
  }
  await assert.rejects(ledger.charge({ job: 'a', round: 2, rho: rational(-1n, 2n) }), {
    code: 'privacy_invalid',
    message: 'rho: expected at least 0, got -1/2',
  });
  assert.equal(store.kept.length, 1);
});

test('a charge that failed is not counted, and one that failed after it was written is not charged again', async () => {
  for (const failure of ['before writing', 'after writing'] as const) {
    const store = createTestStore();
    const ledger = createLedger(store);
    store.failNext = failure;
    await assert.rejects(ledger.charge({ job: 'a', round: 1, rho }), /disk/);
    assert.equal(await ledger.charge({ job: 'a', round: 1, rho }), failure === 'before writing');
    assert.deepEqual(await ledger.spent(), { rho, rounds: 1, unprotectedRounds: 0 });
    assert.equal(store.kept.length, 1);
  }
});

test('refuses books that contradict themselves', async () => {
  const at = noon().toISOString();
  const store = createTestStore([
    { job: 'a', round: 1, rho, at },
    { job: 'a', round: 1, rho: rational(1n), at },
  ]);
  await assert.rejects(createLedger(store).spent(), {
    code: 'privacy_invalid',
    message: 'job a, round 1: already charged with rho 1/20, now asked for rho 1',
  });
});

test.run();
