/** What this owner knows of its jobs: read once from the store, in memory since, and written before it is known. */
import type { Clock } from '../protocol/clock.ts';
import type { JobId } from '../protocol/identifiers.ts';
import type { DataOwnerChange, DataOwnerStore, OwnedJobRecord } from '../storage/data-owner-store.ts';

export interface JobRecords {
  get(job: JobId): OwnedJobRecord | undefined;
  /** Oldest first. */
  all(): readonly OwnedJobRecord[];
  /** Keeps a record, durably and together with whatever else belongs to the same step. */
  keep(record: Omit<OwnedJobRecord, 'updatedAt'>, also?: Omit<DataOwnerChange, 'job'>): Promise<void>;
  /** Forgets the oldest jobs that are over, beyond so many. */
  forgetOldest(): Promise<void>;
}

/** How an owner stands in a job: for one that is over, whether it took part to the end. */
export function standingOf({ status, answer }: OwnedJobRecord): OwnedJobRecord['status'] {
  return status === 'ended' && answer !== undefined && answer.status !== 'ready' ? answer.status : status;
}

/** Jobs that are over and still shown. */
const endedJobsKept = 100;

/**
 * @param onKept told of every record that was kept
 * @throws SealsumError store_unavailable
 */
export async function openJobRecords(
  store: DataOwnerStore,
  clock: Clock,
  onKept: (record: OwnedJobRecord) => void = () => undefined,
): Promise<JobRecords> {
  const records = new Map((await store.jobs()).map((record) => [record.job, record]));
  return {
    get: (job) => records.get(job),
    all: () => [...records.values()],
    keep: async (change, also = {}) => {
      const record = { ...change, updatedAt: clock.now() };
      await store.commit({ ...also, job: record });
      records.set(record.job, record);
      onKept(record);
    },
    forgetOldest: async () => {
      const before = [...records.keys()];
      await store.retain({ endedJobs: endedJobsKept });
      const left = new Set((await store.jobs()).map(({ job }) => job));
      // What was kept meanwhile is not among those from before.
      for (const job of before) if (!left.has(job)) records.delete(job);
    },
  };
}
