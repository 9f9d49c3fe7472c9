/** A data owner's store and ledger in a browser's own database. */
import { SealsumError } from '../errors.ts';
import type { LedgerEntry, LedgerStore } from '../privacy/ledger.ts';
import type { JobId } from '../protocol/identifiers.ts';
import type { DataOwnerStore, OwnedContribution, OwnedJobRecord } from './data-owner-store.ts';
import { type IndexedDatabase, settled } from './indexed-db.browser.ts';

/** Jobs and charges lie in the order in which they came, contributions by job and round. */
export function createDataOwnerTables(database: IDBDatabase): void {
  database.createObjectStore('jobs', { autoIncrement: true }).createIndex('job', 'job', { unique: true });
  database.createObjectStore('contributions', { keyPath: ['job', 'round'] });
  database.createObjectStore('ledger', { autoIncrement: true });
}

type Stores = (name: string) => IDBObjectStore;

export function createIndexedDataOwnerStore(database: IndexedDatabase): DataOwnerStore {
  return {
    commit: ({ job, contribution }) =>
      database.write(async (stores) => {
        if (contribution !== undefined) await writeContribution(stores, contribution);
        if (job !== undefined) await writeJob(stores, job);
      }),
    job: (job) => database.read((stores) => found<OwnedJobRecord>(stores('jobs').index('job').get(job))),
    jobs: () => database.read((stores) => all<OwnedJobRecord>(stores('jobs').getAll())),
    contribution: (job, round) =>
      database.read((stores) => found<OwnedContribution>(stores('contributions').get([job, round]))),
    receipts: (job) =>
      database.read(async (stores) => {
        const kept = await contributionsOf(stores, job);
        return kept.flatMap(({ receipt }) => (receipt === undefined ? [] : [receipt]));
      }),
    retain: ({ endedJobs }) =>
      database.write(async (stores) => {
        const records = await all<OwnedJobRecord>(stores('jobs').getAll());
        const ended = records
          .filter(({ status }) => status === 'ended')
          .sort((left, right) => right.updatedAt - left.updatedAt);
        for (const { job } of ended) await forgetBytes(stores, job);
        for (const { job } of ended.slice(endedJobs)) {
          await settled(stores('contributions').delete(roundsOf(job)));
          const key = await settled(stores('jobs').index('job').getKey(job));
          if (key !== undefined) await settled(stores('jobs').delete(key));
        }
      }),
    forgetBytes: (job) => database.write((stores) => forgetBytes(stores, job)),
  };
}

export function createIndexedLedgerStore(database: IndexedDatabase): LedgerStore {
  return {
    append: (entry) =>
      database.write(async (stores) => {
        await settled(stores('ledger').add(entry));
      }),
    entries: () => database.read((stores) => all<LedgerEntry>(stores('ledger').getAll())),
  };
}

async function writeJob(stores: Stores, record: OwnedJobRecord): Promise<void> {
  const jobs = stores('jobs');
  const key = await settled(jobs.index('job').getKey(record.job));
  await settled(jobs.put(record, key));
}

/** @throws SealsumError contribution_conflict */
async function writeContribution(stores: Stores, contribution: OwnedContribution): Promise<void> {
  const { job, round, roundDigest, digest } = contribution;
  const before = await found<OwnedContribution>(stores('contributions').get([job, round]));
  if (before !== undefined && (before.roundDigest !== roundDigest || before.digest !== digest))
    throw new SealsumError(
      'contribution_conflict',
      `other bytes were made for round ${round} of job ${job} before, or for another descriptor of it`,
    );
  const { receipt } = before ?? {};
  await settled(stores('contributions').put({ ...(receipt === undefined ? {} : { receipt }), ...contribution }));
}

async function forgetBytes(stores: Stores, job: JobId): Promise<void> {
  for (const { bytes, ...rest } of await contributionsOf(stores, job))
    if (bytes !== undefined) await settled(stores('contributions').put(rest));
}

function contributionsOf(stores: Stores, job: JobId): Promise<OwnedContribution[]> {
  return all<OwnedContribution>(stores('contributions').getAll(roundsOf(job)));
}

/** The keys of a job's rounds. */
function roundsOf(job: JobId): IDBKeyRange {
  return IDBKeyRange.bound([job, 0], [job, Number.POSITIVE_INFINITY]);
}

/** What this file alone has put there is of this form. */
async function found<T>(request: IDBRequest<unknown>): Promise<T | undefined> {
  return (await settled(request)) as T | undefined;
}

async function all<T>(request: IDBRequest<unknown[]>): Promise<T[]> {
  return (await settled(request)) as T[];
}
