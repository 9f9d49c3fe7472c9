/**
 * The facilitator's books: jobs and rounds looked up or refused, and every change of a job made in its turn, committed to the
 * store as a whole before anybody hears of it.
 *
 * Every write goes through here, so what is in use can be kept in memory: an open job and its newest round are read from the store
 * once, and a contribution costs neither a look into the store nor the parsing of a descriptor.
 */
import { SealsumError } from '../../src/errors.ts';
import type { Logger } from '../../src/http/log.ts';
import { type Clock, timestamp } from '../../src/protocol/clock.ts';
import type { JobEventBody } from '../../src/protocol/events.ts';
import type { JobId, PartyId } from '../../src/protocol/identifiers.ts';
import type { Parties } from '../../src/protocol/parties.ts';
import type {
  FacilitatorChange,
  FacilitatorStore,
  JobRecord,
  RoundRecord,
} from '../../src/storage/facilitator-store.ts';
import type { Turns } from '../../src/threads/turns.ts';
import { createFeed, type Feed } from './feed.ts';
import type { FacilitatorMetrics } from './metrics.ts';
import { createRegister, type Register } from './register.ts';

export interface BooksDependencies {
  /** Whose books they are. */
  readonly facilitator: PartyId;
  readonly parties: () => Parties;
  readonly store: FacilitatorStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: FacilitatorMetrics;
  /** Those of the event loop. */
  readonly eventLoop: Turns;
}

/** What a job and its newest round are once a change is committed, in full, where the change makes them something else. */
export interface Outcome {
  readonly job?: JobRecord;
  readonly round?: RoundRecord;
}

export interface Books {
  readonly register: Register;
  readonly feed: Feed;
  /** Runs one change of a job after the other. */
  inTurn<T>(job: JobId, work: () => Promise<T>): Promise<T>;
  /** Resolves once no change is under way or waits. */
  drained(): Promise<void>;
  /** In the turn of the job that it changes. */
  commit(job: JobId, change: FacilitatorChange, outcome: Outcome): Promise<void>;
  /** An event that happens now. */
  event(job: JobId, type: JobEventBody['type'], more?: Partial<JobEventBody>): JobEventBody;
  /** Undefined when there is no such job. */
  findJob(job: JobId): Promise<JobRecord | undefined>;
  findRound(job: JobId, round: number): Promise<RoundRecord | undefined>;
  /** @throws SealsumError job_unknown */
  existingJob(job: JobId): Promise<JobRecord>;
  /** @throws SealsumError job_unknown, job_ended */
  openJob(job: JobId): Promise<JobRecord>;
  /** @throws SealsumError job_unknown, job_ended, round_unknown */
  existingRound(job: JobId, round: number): Promise<RoundRecord>;
}

/** Open jobs, with their newest rounds, that are in memory at a time. */
const jobsKept = 64;

export function createBooks({ facilitator, parties, store, clock, log, metrics, eventLoop }: BooksDependencies): Books {
  const register = createRegister(facilitator);
  const feed = createFeed(
    { store, parties, clock, turns: eventLoop, newestRound: (job) => kept.get(job)?.round },
    register,
  );
  const turns = new Map<JobId, Promise<unknown>>();
  let waiting = 0;
  /** Of open jobs; the one that was not in use for longest comes first. */
  const kept = new Map<JobId, { readonly job: JobRecord; readonly round?: RoundRecord | undefined }>();
  /** Commits are made one after the other, so that events become known in the order of their numbers. */
  let lastCommit: Promise<unknown> = Promise.resolve();
  let commits = 0;
  let underWay = 0;

  function inTurn<T>(job: JobId, work: () => Promise<T>): Promise<T> {
    const turn = (turns.get(job) ?? Promise.resolve()).then(work, work);
    turns.set(job, turn);
    metrics.turns(++waiting);
    const leave = (): void => {
      if (turns.get(job) === turn) turns.delete(job);
      metrics.turns(--waiting);
    };
    turn.then(leave, leave);
    return turn;
  }

  async function drained(): Promise<void> {
    while (turns.size > 0) await Promise.allSettled(turns.values());
    await lastCommit;
  }

  function keep(job: JobRecord, round: RoundRecord | undefined): void {
    const name = job.signed.descriptor.job;
    kept.delete(name);
    if (job.status !== 'open') return;
    kept.set(name, { job, round });
    const [oldest] = kept.keys();
    if (kept.size > jobsKept && oldest !== undefined) kept.delete(oldest);
  }

  function commit(job: JobId, change: FacilitatorChange, outcome: Outcome): Promise<void> {
    underWay += 1;
    const done = lastCommit.then(() => write(job, change, outcome));
    const leave = (): void => {
      underWay -= 1;
      commits += 1;
    };
    lastCommit = done.then(leave, leave);
    return done;
  }

  async function write(job: JobId, change: FacilitatorChange, outcome: Outcome): Promise<void> {
    const started = clock.monotonic();
    const events = await store.commit(change).catch((error: unknown) => {
      // A line that broke at the wrong moment does not tell whether it was written: from here on the store knows, nobody else.
      kept.delete(job);
      feed.doubt();
      throw error;
    });
    metrics.committed((clock.monotonic() - started) / 1000);
    const before = kept.get(job);
    const record = outcome.job ?? before?.job;
    if (outcome.job !== undefined) register.note(outcome.job);
    if (record !== undefined) keep(record, outcome.round ?? before?.round);
    metrics.openJobs(register.openJobs());
    feed.publish(events);
    for (const event of events) log.info(event, event.type);
  }

  /** What is read from the store may be kept unless something was committed meanwhile. */
  async function readOnce<T>(read: () => Promise<T>, note: (found: T) => void): Promise<T> {
    const before = commits;
    const quiet = underWay === 0;
    const found = await read();
    if (quiet && underWay === 0 && commits === before) note(found);
    return found;
  }

  async function findJob(job: JobId): Promise<JobRecord | undefined> {
    const known = kept.get(job);
    if (known !== undefined) {
      keep(known.job, known.round);
      return known.job;
    }
    return readOnce(
      () => store.job(job),
      (record) => {
        if (record === undefined) return;
        register.note(record);
        keep(record, kept.get(job)?.round);
      },
    );
  }

  async function findRound(job: JobId, round: number): Promise<RoundRecord | undefined> {
    const known = kept.get(job)?.round;
    if (known?.state.round === round) return known;
    return readOnce(
      () => store.round(job, round),
      (record) => {
        const owner = kept.get(job)?.job;
        if (record !== undefined && owner?.round === round) keep(owner, record);
      },
    );
  }

  async function existingJob(job: JobId): Promise<JobRecord> {
    const record = await findJob(job);
    if (record === undefined) throw new SealsumError('job_unknown', `there is no job ${job}`, { field: 'job' });
    return record;
  }

  async function openJob(job: JobId): Promise<JobRecord> {
    const record = await existingJob(job);
    if (record.status !== 'open') throw jobEnded(record, '');
    return record;
  }

  async function existingRound(job: JobId, round: number): Promise<RoundRecord> {
    const owner = await existingJob(job);
    const record = await findRound(job, round);
    if (record !== undefined) return record;
    if (owner.status !== 'open' && round <= owner.round) throw jobEnded(owner, '; its rounds are forgotten');
    throw new SealsumError('round_unknown', `job ${job} has no round ${round}`, { field: 'round' });
  }

  const event = (job: JobId, type: JobEventBody['type'], more: Partial<JobEventBody> = {}): JobEventBody => ({
    type,
    job,
    at: timestamp(clock.now()),
    ...more,
  });

  return { register, feed, inTurn, drained, commit, event, findJob, findRound, existingJob, openJob, existingRound };
}

function jobEnded({ signed, status }: JobRecord, more: string): SealsumError {
  return new SealsumError('job_ended', `job ${signed.descriptor.job} has ended: ${status}${more}`);
}
