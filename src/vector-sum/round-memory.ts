/** What a client knows of the rounds that it was in since it began, so that a round is one to whoever calls: one vector, one descriptor. */
import { SealsumError } from '../errors.ts';
import type { JobId } from '../protocol/identifiers.ts';

export interface RoundMemory {
  /** Refuses another vector than the first one that was contributed. @throws SealsumError contribution_conflict */
  requireSame(job: JobId, round: number, vector: string): void;
  /** @param vector its digest */
  noteGiven(job: JobId, round: number, vector: string): void;
  /** The digest of a round whose parameters were read, if it is the newest of its job. */
  read(job: JobId, round: number): string | undefined;
  noteRead(job: JobId, round: number, digest: string): void;
}

export function createRoundMemory(): RoundMemory {
  /** The vectors that were contributed: of each round the first one. */
  const given = new Map<string, string>();
  /** The digests of the rounds whose parameters were read: of each job the newest. */
  const newest = new Map<JobId, { readonly round: number; readonly digest: string }>();
  return {
    requireSame: (job, round, vector) => {
      const before = given.get(`${job} ${round}`);
      if (before === undefined || before === vector) return;
      throw new SealsumError(
        'contribution_conflict',
        `another vector was given to round ${round} of job ${job} before; a round takes one`,
        { field: 'vector' },
      );
    },
    noteGiven: (job, round, vector) => {
      given.set(`${job} ${round}`, vector);
    },
    read: (job, round) => {
      const known = newest.get(job);
      return known?.round === round ? known.digest : undefined;
    },
    noteRead: (job, round, digest) => {
      if (round >= (newest.get(job)?.round ?? 0)) newest.set(job, { round, digest });
    },
  };
}
