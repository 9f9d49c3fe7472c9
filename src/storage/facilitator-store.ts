/**
 * What a facilitator remembers. Writing is one atomic `commit` of everything that belongs together, so that no crash can
 * leave a contribution without its round or a round without its event; reading is by name.
 *
 * Ciphertexts are kept in blocks, so that nobody ever holds a whole contribution. A block by itself says nothing: which blocks count
 * follows from what was committed (an upload's blocks never, a product's when as many contributions are accepted as its series
 * says, an aggregate's once there is a manifest).
 */
import type { JobEvent, JobEventBody } from '../protocol/events.ts';
import type { JobId, OwnerId } from '../protocol/identifiers.ts';
import type { JobView, OwnerView, SignedJob } from '../protocol/job-messages.ts';
import type { AcceptedContribution, RoundState } from '../protocol/round.ts';
import type { SignedManifest, SignedRound } from '../protocol/round-messages.ts';
import type { AuditBody } from './audit.ts';

export interface JobRecord {
  readonly signed: SignedJob;
  /** Of the descriptor. */
  readonly digest: string;
  readonly status: JobView['status'];
  /** In the order of the roster. */
  readonly owners: readonly OwnerView[];
  /** The newest round's number, 0 before the first. */
  readonly round: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Of the last thing that anybody did to it. */
  readonly changedAt: number;
}

export interface RoundRecord {
  readonly state: RoundState;
  /** Absent once the retention rule has forgotten it. */
  readonly signed?: SignedRound;
  /** Of the round descriptor. */
  readonly digest: string;
  /** Once closed. */
  readonly manifest?: SignedManifest;
  /** Once closed or abandoned. */
  readonly ending?: RoundEnding;
}

export interface RoundEnding {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** From the last contribution, or the deadline, to what came out: rounded up. */
  readonly milliseconds: number;
}

/** A round in few words, for the facilitator's own people. */
export interface RoundLine {
  readonly round: number;
  readonly status: RoundState['status'];
  readonly openedAt: number;
  readonly deadline: number;
  readonly quorum: number;
  /** How many were asked. */
  readonly asked: number;
  readonly contributions: number;
  /** Of all contributions. */
  readonly bytes: number;
  /** Who was asked and has not contributed. */
  readonly missing: readonly OwnerId[];
  readonly ending?: RoundEnding;
  readonly reason?: string;
}

export interface StoreTotals {
  readonly rounds: Readonly<Record<RoundState['status'], number>>;
  readonly contributions: number;
  readonly bytes: number;
}

/**
 * A series of blocks: what is still arriving, the product of the first so many contributions, the encrypted noise that is
 * multiplied into it, or what came out; and where facilitators are a tree, in one block of JSON each, what a child has reported of
 * its part, and the receipt of the parent.
 */
export type BlockSeries =
  | `upload:${string}`
  | `product:${number}`
  | 'product:noise'
  | 'aggregate'
  | `report:${string}`
  | 'receipt';

export interface BlockPlace {
  readonly job: JobId;
  readonly round: number;
  readonly series: BlockSeries;
}

/** Everything that one step changes. */
export interface FacilitatorChange {
  /** A new job, or its new status, round number and time; owners are changed through `owners` once it exists. */
  readonly job?: JobRecord;
  /** Owners whose view is another now. */
  readonly owners?: readonly { readonly job: JobId; readonly view: OwnerView }[];
  /** A new round, or its new status, withdrawals, reason and manifest; contributions are added through `contributions`. */
  readonly round?: RoundRecord;
  /** New ones, in the order in which they were accepted. */
  readonly contributions?: {
    readonly job: JobId;
    readonly round: number;
    readonly accepted: readonly AcceptedContribution[];
  };
  readonly blocks?: readonly { readonly place: BlockPlace; readonly block: number; readonly bytes: Uint8Array }[];
  /** Blocks that are no longer needed: of one series, of all products, or without either all that the round holds, or all of the job. */
  readonly forget?: readonly {
    readonly job: JobId;
    readonly round?: number;
    readonly series?: BlockSeries | 'products';
  }[];
  readonly events: readonly JobEventBody[];
  readonly audit?: readonly AuditBody[];
}

/** What is kept for how long. Open jobs and open rounds are always kept. */
export interface Retention {
  /** Ended rounds of an open job whose descriptor and aggregate are kept; manifests stay as long as the job. */
  readonly rounds: number;
  /** Ended jobs that are kept, and for how many days at most. */
  readonly endedJobs: number;
  readonly endedJobDays: number;
  readonly events: number;
}

export interface FacilitatorStore {
  /** Applies all of a change durably or nothing of it; its events come back with their numbers. */
  commit(change: FacilitatorChange): Promise<readonly JobEvent[]>;
  job(job: JobId): Promise<JobRecord | undefined>;
  /** Oldest first. */
  jobs(): Promise<readonly JobRecord[]>;
  round(job: JobId, round: number): Promise<RoundRecord | undefined>;
  /** Of a job, newest first: those before a number, or the newest. */
  roundLines(
    job: JobId,
    page: { readonly before?: number | undefined; readonly limit: number },
  ): Promise<readonly RoundLine[]>;
  /** Of one job, or of all that are kept. */
  totals(job?: JobId): Promise<StoreTotals>;
  /** Writes or overwrites a block outside of a commit, before it counts. */
  keepBlock(place: BlockPlace, block: number, bytes: Uint8Array): Promise<void>;
  block(place: BlockPlace, block: number): Promise<Uint8Array | undefined>;
  /** Forgets the blocks of a series, or all uploads: none that was under way when a process ended can go on. */
  forgetBlocks(what: BlockPlace | 'uploads'): Promise<void>;
  /** The events after number `after`, of one job or of all, oldest first, at most `limit`; the oldest may be forgotten. */
  events(after: number, job: JobId | undefined, limit: number): Promise<readonly JobEvent[]>;
  /** The newest event's number, 0 when there never was one. */
  lastEvent(): Promise<number>;
  /** Deletes what the rule says, and tells how much of each. */
  retain(
    rule: Retention,
    now: number,
  ): Promise<{ readonly jobs: number; readonly rounds: number; readonly events: number }>;
}
