/** A facilitator's memory for as long as its process lives. */
import type { JobEvent } from '../protocol/events.ts';
import type { JobId } from '../protocol/identifiers.ts';
import type { FacilitatorChange, FacilitatorStore, JobRecord, RoundRecord } from './facilitator-store.ts';

/** Older events are forgotten past this many; a reader that resumes from before them reads the state anew. */
const eventsKept = 100_000;

export function createMemoryFacilitatorStore(): FacilitatorStore {
  const jobs = new Map<JobId, JobRecord>();
  const rounds = new Map<string, RoundRecord>();
  const contributions = new Map<string, Uint8Array[]>();
  const aggregates = new Map<string, Uint8Array>();
  let events: JobEvent[] = [];
  let lastEvent = 0;

  const key = (job: JobId, round: number): string => `${job}/${round}`;

  function apply(change: FacilitatorChange): readonly JobEvent[] {
    if (change.job !== undefined) jobs.set(change.job.descriptor.job, change.job);
    if (change.round !== undefined) rounds.set(key(change.round.state.job, change.round.state.round), change.round);
    if (change.contribution !== undefined) {
      const { job, round, bytes } = change.contribution;
      const list = contributions.get(key(job, round)) ?? [];
      list.push(bytes);
      contributions.set(key(job, round), list);
    }
    if (change.aggregate !== undefined)
      aggregates.set(key(change.aggregate.job, change.aggregate.round), change.aggregate.bytes);
    if (change.forget !== undefined) forget(change.forget.job, change.forget.round);
    const numbered = change.events.map((event) => ({ ...event, id: ++lastEvent }));
    events.push(...numbered);
    if (events.length > 2 * eventsKept) events = events.slice(-eventsKept);
    return numbered;
  }

  function forget(job: JobId, round: number | undefined): void {
    if (round !== undefined) {
      contributions.delete(key(job, round));
      return;
    }
    for (const map of [contributions, aggregates, rounds])
      for (const each of map.keys()) if (each.startsWith(`${job}/`)) map.delete(each);
  }

  return {
    commit: (change) => Promise.resolve(apply(change)),
    job: (job) => Promise.resolve(jobs.get(job)),
    jobs: () => Promise.resolve([...jobs.values()]),
    round: (job, round) => Promise.resolve(rounds.get(key(job, round))),
    contributions: (job, round) => Promise.resolve(contributions.get(key(job, round)) ?? []),
    aggregate: (job, round) => Promise.resolve(aggregates.get(key(job, round))),
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
