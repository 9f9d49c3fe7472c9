/** A data owner's store in memory says what the durable one says, whatever is kept, forgotten and refused, in whatever order. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import type { JobId } from '../../src/protocol/identifiers.ts';
import type { SignedReceipt } from '../../src/protocol/round-messages.ts';
import type { DataOwnerStore, OwnedContribution } from '../../src/storage/data-owner-store.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { createDataOwnerStore } from '../../src/storage/durable-data-owner-store.ts';
import { createLedgerStore } from '../../src/storage/durable-ledger-store.ts';
import { createMemoryDataOwnerStore, createMemoryLedgerStore } from '../../src/storage/memory-data-owner-store.ts';
import { anna } from '../parties/facilitator/harness.ts';
import { auditLog, signature, unprotectedEntry } from './samples.ts';

const test = suite('a data owner’s store in memory');

const jobs = ['one', 'two', 'three'] as JobId[];
const rounds = [1, 2];

const anyJob = fc.record({
  job: fc.constantFrom(...jobs),
  digest: fc.constantFrom('d', 'e'),
  status: fc.constantFrom('ready' as const, 'refused' as const, 'ended' as const),
});
const anyContribution = fc.record({
  job: fc.constantFrom(...jobs),
  round: fc.constantFrom(...rounds),
  roundDigest: fc.constantFrom('r', 'r', 'r', 's'),
  digest: fc.constantFrom('c', 'c', 'c', 'b'),
  has: fc.constantFrom('bytes', 'receipt', 'neither'),
});
const anyStep = fc.oneof(
  fc.record({ job: anyJob }),
  fc.record({ contribution: anyContribution }),
  fc.record({ job: anyJob, contribution: anyContribution }),
  fc.record({ forget: fc.constantFrom(...jobs) }),
  fc.record({ retain: fc.nat({ max: 2 }) }),
);
type Step = typeof anyStep extends fc.Arbitrary<infer T> ? T : never;

/** @returns with which code it was refused */
async function apply(store: DataOwnerStore, step: Step, updatedAt: number): Promise<string | undefined> {
  if ('forget' in step) {
    await store.forgetBytes(step.forget);
    return undefined;
  }
  if ('retain' in step) {
    await store.retain({ endedJobs: step.retain });
    return undefined;
  }
  const { job, contribution } = { job: undefined, contribution: undefined, ...step };
  try {
    await store.commit({
      ...(job === undefined ? {} : { job: { ...job, updatedAt } }),
      ...(contribution === undefined ? {} : { contribution: contributionOf(contribution) }),
    });
    return undefined;
  } catch (error) {
    assert.ok(error instanceof SealsumError);
    return error.code;
  }
}

function contributionOf({
  has,
  ...made
}: typeof anyContribution extends fc.Arbitrary<infer T> ? T : never): OwnedContribution {
  const { job, round, roundDigest, digest } = made;
  const receipt: SignedReceipt = {
    receipt: { job, round, round_digest: roundDigest, owner: anna, digest, bytes: 3 },
    signature,
  };
  return {
    ...made,
    ...(has === 'bytes' ? { bytes: new Uint8Array([0, 255, 7]) } : {}),
    ...(has === 'receipt' ? { receipt } : {}),
  };
}

async function whole(store: DataOwnerStore): Promise<unknown> {
  const shown = [];
  for (const job of jobs) {
    for (const round of rounds) shown.push(await store.contribution(job, round));
    shown.push(await store.receipts(job), await store.job(job));
  }
  return [...shown, await store.jobs()];
}

test('it shows what the durable one shows after every step', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 15 }), async (steps) => {
      await using database = await openDatabase(':memory:', { role: 'data-owner' });
      const durable = createDataOwnerStore(database, auditLog());
      const memory = createMemoryDataOwnerStore();
      for (const [index, step] of steps.entries()) {
        assert.equal(await apply(memory, step, index), await apply(durable, step, index));
        assert.deepEqual(await whole(memory), await whole(durable));
      }
    }),
    { numRuns: 60 },
  );
});

test('its ledger gives back every entry in order, and cannot be changed from outside', async () => {
  await using database = await openDatabase(':memory:', { role: 'data-owner' });
  const [memory, durable] = [createMemoryLedgerStore(), createLedgerStore(database)];
  for (const job of jobs)
    for (const store of [memory, durable]) {
      await store.append(unprotectedEntry(job));
    }
  const entries = await memory.entries();
  assert.deepEqual(entries, await durable.entries());
  entries.pop();
  assert.equal((await memory.entries()).length, 3);
});

test.run();
