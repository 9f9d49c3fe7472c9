/** One thing after the other for the same job, whoever asks for it: people decide while the facilitator's events are dealt with. */
import type { JobId } from '../protocol/identifiers.ts';

/** Does some work once whatever was asked for before, for the same job, is done or has failed. */
export type JobTurns = <T>(job: JobId, work: () => Promise<T>) => Promise<T>;

export function createJobTurns(): JobTurns {
  const last = new Map<JobId, Promise<unknown>>();
  return (job, work) => {
    const result = (last.get(job) ?? Promise.resolve()).then(work);
    const turn = result
      .catch(() => undefined)
      .finally(() => {
        if (last.get(job) === turn) last.delete(job);
      });
    last.set(job, turn);
    return result;
  };
}
