/** One thing after the other for the same job, whoever asks for it. */
import type { JobId } from '../protocol/identifiers.ts';

export interface JobTurns {
  /** Does some work once whatever was asked for before, for the same job, is done or has failed. */
  take<T>(job: JobId, work: () => Promise<T>): Promise<T>;
  /** Resolves when what was asked for until now is done or has failed. */
  idle(): Promise<void>;
}

export function createJobTurns(): JobTurns {
  const last = new Map<JobId, Promise<unknown>>();
  return {
    take: (job, work) => {
      const result = (last.get(job) ?? Promise.resolve()).then(work);
      const turn = result
        .catch(() => undefined)
        .finally(() => {
          if (last.get(job) === turn) last.delete(job);
        });
      last.set(job, turn);
      return result;
    },
    idle: async () => {
      await Promise.all(last.values());
    },
  };
}
