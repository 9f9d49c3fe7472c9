/** A facilitator's memory for as long as its process lives. */
import type { JobEvent } from '../protocol/events.ts';
import type { JobId } from '../protocol/identifiers.ts';
import type { FacilitatorChange, FacilitatorStore, JobRecord, RoundRecord } from './facilitator-store.ts';

export interface MemoryFacilitatorStoreOptions {
  /** Older events are forgotten past this many (twice as many at most are kept); 100,000 unless told. */
  readonly eventsKept?: number;
  /** Jobs that ended before so many others are forgotten; 1000 unless told. Open ones never are. */
  readonly endedJobsKept?: number;
}

interface KeptRound {
  record?: RoundRecord;
  readonly contributions: Uint8Array[];
  aggregate?: Uint8Array;
}

export function createMemoryFacilitatorStore(options: MemoryFacilitatorStoreOptions = {}): FacilitatorStore {
  const { eventsKept = 100_000, endedJobsKept = 1000 } = options;
  const jobs = new Map<JobId, JobRecord>();
  const rounds = new Map<JobId, Map<number, KeptRound>>();
  /** In the order of their end. */
  const ended = new Set<JobId>();
  let events: JobEvent[] = [];
  let lastEvent = 0;

  function apply(change: FacilitatorChange): readonly JobEvent[] {
    if (change.job !== undefined) keepJob(change.job);
    if (change.round !== undefined)
      roundToChange(change.round.state.job, change.round.state.round).record = change.round;
    if (change.contribution !== undefined) {
      const { job, round, bytes } = change.contribution;
      roundToChange(job, round).contributions.push(bytes);
    }
    if (change.aggregate !== undefined) {
      const { job, round, bytes } = change.aggregate;
      roundToChange(job, round).aggregate = bytes;
    }
    if (change.forget !== undefined) {
      const { job, round } = change.forget;
      if (round === undefined) rounds.delete(job);
      else rounds.get(job)?.get(round)?.contributions.splice(0);
    }
    const numbered = change.events.map((event) => ({ ...event, id: ++lastEvent }));
    events.push(...numbered);
    if (events.length > 2 * eventsKept) events = events.slice(-eventsKept);
    return numbered;
  }

  function keepJob(record: JobRecord): void {
    const { job } = record.descriptor;
    jobs.set(job, record);
    if (record.status === 'open') return;
    ended.add(job);
    for (const oldest of ended) {
      if (ended.size <= endedJobsKept) break;
      ended.delete(oldest);
      jobs.delete(oldest);
      rounds.delete(oldest);
    }
  }

  function roundToChange(job: JobId, round: number): KeptRound {
    const ofJob = rounds.get(job) ?? new Map<number, KeptRound>();
    rounds.set(job, ofJob);
    const kept = ofJob.get(round) ?? { contributions: [] };
    ofJob.set(round, kept);
    return kept;
  }

  return {
    commit: (change) => Promise.resolve(apply(change)),
    job: (job) => Promise.resolve(jobs.get(job)),
    jobs: () => Promise.resolve([...jobs.values()]),
    round: (job, round) => Promise.resolve(rounds.get(job)?.get(round)?.record),
    contributions: (job, round) => Promise.resolve([...(rounds.get(job)?.get(round)?.contributions ?? [])]),
    aggregate: (job, round) => Promise.resolve(rounds.get(job)?.get(round)?.aggregate),
    events: (after, job, limit) => {
      // Numbers are consecutive, so the place of the first event after `after` is known without a search.
      const first = Math.max(0, after + 1 - (events[0]?.id ?? 1));
      const found: JobEvent[] = [];
      for (let index = first; index < events.length && found.length < limit; index++) {
        const event = events[index];
        if (event !== undefined && (job === undefined || event.job === job)) found.push(event);
      }
      return Promise.resolve(found);
    },
    lastEvent: () => Promise.resolve(lastEvent),
  };
}
