/** Changes that touch everything a facilitator keeps, and the proof that all of one is there or nothing. */
import assert from 'node:assert/strict';
import type { JobId, OwnerId } from '../../src/protocol/identifiers.ts';
import { auditEntries } from '../../src/storage/audit-log.ts';
import { verifyLog } from '../../src/storage/audit-verification.ts';
import type { Database } from '../../src/storage/database.ts';
import { createFacilitatorStore } from '../../src/storage/durable-facilitator-store.ts';
import { createNonceStore } from '../../src/storage/durable-nonce-store.ts';
import type { BlockPlace, FacilitatorChange, FacilitatorStore } from '../../src/storage/facilitator-store.ts';
import { accepted, auditLog, eventOf, facilitator, jobRecord, roundRecord } from './samples.ts';

const job = 'job' as JobId;
const anna = 'anna' as OwnerId;
const roster = [anna];
const aggregate: BlockPlace = { job, round: 1, series: 'aggregate' };
const blocks = [0, 1, 2];

function bytesOf(number: number, block: number): Uint8Array {
  return new Uint8Array(3000 + block).fill(number % 251);
}

export function nonceOf(number: number): string {
  return `nonce-${number}`;
}

export function uploadOf(number: number): [place: BlockPlace, block: number, bytes: Uint8Array] {
  return [{ job, round: 1, series: 'upload:x' }, 0, bytesOf(number, 0)];
}

/** Makes the job and its round, unless they are there. */
export async function begin(store: FacilitatorStore): Promise<void> {
  if ((await store.job(job)) === undefined)
    await store.commit({ job: jobRecord(job, roster), round: roundRecord(job, 1, roster), events: [] });
}

/** The number of the last change. */
export async function lastChange(store: FacilitatorStore): Promise<number> {
  return (await store.job(job))?.round ?? 0;
}

/** Change 1, 2, 3, …, each to be made after the one before. */
export function changeOf(number: number): FacilitatorChange {
  return {
    job: jobRecord(job, roster, { round: number }),
    owners: [{ job, view: { owner: anna, status: 'ready', reason: String(number) } }],
    round: roundRecord(job, 1, roster, { reason: String(number) }),
    contributions: { job, round: 1, accepted: [accepted(`owner-${number}` as OwnerId)] },
    blocks: blocks.map((block) => ({ place: aggregate, block, bytes: bytesOf(number, block) })),
    events: [eventOf(job, { reason: `first ${number}` }), eventOf(job, { reason: `second ${number}` })],
    audit: [{ type: 'change', job, round: number }],
  };
}

/** Makes sure that a store holds whole changes only; gives the number of the last one. */
export async function requireWhole(database: Database): Promise<number> {
  const store = createFacilitatorStore(database, auditLog());
  const record = await store.job(job);
  if (record === undefined) {
    assert.equal(await store.lastEvent(), 0);
    assert.equal(await store.round(job, 1), undefined);
    return 0;
  }
  const { round: last } = record;
  const round = await store.round(job, 1);
  assert.equal(record.owners[0]?.reason, last === 0 ? undefined : String(last));
  assert.equal(round?.state.reason, last === 0 ? undefined : String(last));
  assert.deepEqual(
    round?.state.contributions.map(({ owner }) => owner),
    Array.from({ length: last }, (_each, index) => `owner-${index + 1}`),
  );
  for (const block of blocks)
    assert.deepEqual(await store.block(aggregate, block), last === 0 ? undefined : bytesOf(last, block));
  assert.equal(await store.lastEvent(), 2 * last);
  const events = await store.events(0, job, 2 * last + 1);
  assert.deepEqual(
    events.map(({ reason }) => reason),
    Array.from({ length: last }, (_each, index) => [`first ${index + 1}`, `second ${index + 1}`]).flat(),
  );
  const log = await database.read(({ rows }) => verifyLog(auditEntries(rows), [facilitator]));
  assert.equal(log.entries, last);
  return last;
}

/** Makes sure that a nonce used before the process was killed is known. */
export async function requireUsed(database: Database, number: number): Promise<void> {
  assert.equal(await createNonceStore(database).use(facilitator.fingerprint, nonceOf(number), number), false);
}
