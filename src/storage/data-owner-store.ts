/** What a data owner remembers: the contributions it has made, so that a retry sends the same bytes and never a fresh encryption. */
import type { JobId } from '../protocol/identifiers.ts';

export interface DataOwnerStore {
  /** The bytes of this owner's contribution to a round, if it has made one. */
  contribution(job: JobId, round: number): Promise<Uint8Array | undefined>;
  /** Kept before they are sent. */
  keepContribution(job: JobId, round: number, bytes: Uint8Array): Promise<void>;
  /** Forgets a job's contributions before `round`, or all of them. */
  forgetContributions(job: JobId, before?: number): Promise<void>;
}

/** A data owner's memory for as long as its process lives. */
export function createMemoryDataOwnerStore(): DataOwnerStore {
  const jobs = new Map<JobId, Map<number, Uint8Array>>();
  return {
    contribution: (job, round) => Promise.resolve(jobs.get(job)?.get(round)),
    keepContribution: (job, round, bytes) => {
      const rounds = jobs.get(job) ?? new Map<number, Uint8Array>();
      rounds.set(round, bytes);
      jobs.set(job, rounds);
      return Promise.resolve();
    },
    forgetContributions: (job, before) => {
      if (before === undefined) jobs.delete(job);
      else for (const round of jobs.get(job)?.keys() ?? []) if (round < before) jobs.get(job)?.delete(round);
      return Promise.resolve();
    },
  };
}
