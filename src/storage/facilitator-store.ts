/**
 * What a facilitator remembers. Writing is one atomic `commit` of everything that belongs together, so that no crash can
 * leave a contribution without its round or a round without its event; reading is by name.
 */
import type { JobEvent, JobEventBody } from '../protocol/events.ts';
import type { JobId, OwnerId } from '../protocol/identifiers.ts';
import type { JobDescriptor, JobView, Manifest, OwnerView } from '../protocol/messages.ts';
import type { RoundState } from '../protocol/round.ts';

export interface JobRecord {
  readonly descriptor: JobDescriptor;
  readonly status: JobView['status'];
  readonly owners: readonly OwnerView[];
  /** The newest round's number, 0 before the first. */
  readonly round: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

export interface RoundRecord {
  readonly state: RoundState;
  readonly parameters: readonly number[];
  /** Once closed. */
  readonly manifest?: Manifest;
}

/** Everything that one step changes. */
export interface FacilitatorChange {
  readonly job?: JobRecord;
  readonly round?: RoundRecord;
  readonly contribution?: {
    readonly job: JobId;
    readonly round: number;
    readonly owner: OwnerId;
    readonly bytes: Uint8Array;
  };
  readonly aggregate?: { readonly job: JobId; readonly round: number; readonly bytes: Uint8Array };
  /** What is no longer needed: the contributions to a round or, without a round, all that the job's rounds hold. */
  readonly forget?: { readonly job: JobId; readonly round?: number };
  readonly events: readonly JobEventBody[];
}

export interface FacilitatorStore {
  /** Applies all of a change or nothing of it; its events come back with their numbers. */
  commit(change: FacilitatorChange): Promise<readonly JobEvent[]>;
  job(job: JobId): Promise<JobRecord | undefined>;
  /** Oldest first. */
  jobs(): Promise<readonly JobRecord[]>;
  round(job: JobId, round: number): Promise<RoundRecord | undefined>;
  /** The bytes of a round's contributions, in the order of their acceptance. */
  contributions(job: JobId, round: number): Promise<readonly Uint8Array[]>;
  aggregate(job: JobId, round: number): Promise<Uint8Array | undefined>;
  /** The events after number `after`, of one job or of all, oldest first, at most `limit`; the oldest may be forgotten. */
  events(after: number, job: JobId | undefined, limit: number): Promise<readonly JobEvent[]>;
  /** The newest event's number, 0 when there is none. */
  lastEvent(): Promise<number>;
}
