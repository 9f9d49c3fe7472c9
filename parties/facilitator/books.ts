/**
 * The facilitator's books: jobs and rounds looked up or refused, and every change of a job made in its turn, committed to the
 * store as a whole before anybody hears of it.
 */
import { SealsumError } from '../../src/errors.ts';
import { type Bell, createBell } from '../../src/http/event-stream.ts';
import type { Logger } from '../../src/http/log.ts';
import { type Clock, timestamp } from '../../src/protocol/clock.ts';
import type { JobEventBody } from '../../src/protocol/events.ts';
import type { JobId } from '../../src/protocol/identifiers.ts';
import type {
  FacilitatorChange,
  FacilitatorStore,
  JobRecord,
  RoundRecord,
} from '../../src/storage/facilitator-store.ts';

export interface FacilitatorDependencies {
  readonly store: FacilitatorStore;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Books {
  /** Rings after every commit. */
  readonly bell: Bell;
  /** Runs one change of a job after the other. */
  inTurn<T>(job: JobId, work: () => Promise<T>): Promise<T>;
  commit(change: FacilitatorChange): Promise<void>;
  /** An event that happens now. */
  event(job: JobId, type: JobEventBody['type'], more?: Partial<JobEventBody>): JobEventBody;
  /** @throws SealsumError job_unknown */
  existingJob(job: JobId): Promise<JobRecord>;
  /** @throws SealsumError job_unknown, job_ended */
  openJob(job: JobId): Promise<JobRecord>;
  /** @throws SealsumError job_unknown, job_ended, round_unknown */
  existingRound(job: JobId, round: number): Promise<RoundRecord>;
}

export function createBooks({ store, clock, log }: FacilitatorDependencies): Books {
  const bell = createBell();
  const queues = new Map<JobId, Promise<unknown>>();

  function inTurn<T>(job: JobId, work: () => Promise<T>): Promise<T> {
    const turn = (queues.get(job) ?? Promise.resolve()).then(work, work);
    queues.set(job, turn);
    const forget = (): void => {
      if (queues.get(job) === turn) queues.delete(job);
    };
    turn.then(forget, forget);
    return turn;
  }

  async function commit(change: FacilitatorChange): Promise<void> {
    const events = await store.commit(change);
    for (const event of events) log.info(event, event.type);
    bell.ring();
  }

  async function existingJob(job: JobId): Promise<JobRecord> {
    const record = await store.job(job);
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
    const record = await store.round(job, round);
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

  return { bell, inTurn, commit, event, existingJob, openJob, existingRound };
}

function jobEnded({ descriptor, status }: JobRecord, more: string): SealsumError {
  return new SealsumError('job_ended', `job ${descriptor.job} has ended: ${status}${more}`);
}
