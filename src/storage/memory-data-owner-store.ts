/** A data owner's store and ledger in memory: for where there is no disk, such as a page in a browser. Both are lost with it. */
import { SealsumError } from '../errors.ts';
import type { LedgerEntry, LedgerStore } from '../privacy/ledger.ts';
import type { JobId } from '../protocol/identifiers.ts';
import type { DataOwnerStore, OwnedContribution, OwnedJobRecord } from './data-owner-store.ts';

export function createMemoryDataOwnerStore(): DataOwnerStore {
  const jobs = new Map<JobId, OwnedJobRecord>();
  const contributions = new Map<JobId, Map<number, OwnedContribution>>();

  function keep(contribution: OwnedContribution): void {
    const { job, round, roundDigest, digest } = contribution;
    const rounds = contributions.get(job) ?? new Map<number, OwnedContribution>();
    const before = rounds.get(round);
    if (before !== undefined && (before.roundDigest !== roundDigest || before.digest !== digest))
      throw new SealsumError(
        'contribution_conflict',
        `other bytes were made for round ${round} of job ${job} before, or for another descriptor of it`,
      );
    const { receipt } = before ?? {};
    rounds.set(round, { ...(receipt === undefined ? {} : { receipt }), ...contribution });
    contributions.set(job, rounds);
  }

  function forgetBytes(job: JobId): void {
    const rounds = contributions.get(job) ?? new Map<number, OwnedContribution>();
    for (const [round, kept] of rounds) {
      const { roundDigest, digest, receipt } = kept;
      rounds.set(round, { job, round, roundDigest, digest, ...(receipt === undefined ? {} : { receipt }) });
    }
  }

  return {
    // eslint-disable-next-line @typescript-eslint/require-await -- what is thrown is to reject
    commit: async ({ job, contribution }) => {
      if (contribution !== undefined) keep(contribution);
      if (job !== undefined) jobs.set(job.job, job);
    },
    job: (job) => Promise.resolve(jobs.get(job)),
    jobs: () => Promise.resolve([...jobs.values()]),
    contribution: (job, round) => Promise.resolve(contributions.get(job)?.get(round)),
    receipts: (job) =>
      Promise.resolve(
        [...(contributions.get(job)?.values() ?? [])]
          .sort((left, right) => left.round - right.round)
          .flatMap(({ receipt }) => (receipt === undefined ? [] : [receipt])),
      ),
    retain: ({ endedJobs }) => {
      const ended = [...jobs.values()]
        .filter(({ status }) => status === 'ended')
        .sort((left, right) => right.updatedAt - left.updatedAt);
      for (const { job } of ended) forgetBytes(job);
      for (const { job } of ended.slice(endedJobs)) {
        contributions.delete(job);
        jobs.delete(job);
      }
      return Promise.resolve();
    },
    forgetBytes: (job) => {
      forgetBytes(job);
      return Promise.resolve();
    },
  };
}

export function createMemoryLedgerStore(): LedgerStore {
  const entries: LedgerEntry[] = [];
  return {
    append: (entry) => {
      entries.push(entry);
      return Promise.resolve();
    },
    entries: () => Promise.resolve([...entries]),
  };
}
