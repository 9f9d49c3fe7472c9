/**
 * What a data owner remembers: its answers to jobs, and its contributions, so that a retry sends the same bytes and never a
 * fresh encryption, and so that it knows which rounds it was shown.
 */
import type { JobId } from '../protocol/identifiers.ts';
import type { JobView, OwnerAnswer } from '../protocol/job-messages.ts';
import type { SignedReceipt } from '../protocol/round-messages.ts';
import type { AuditBody } from './audit.ts';

/** What a person of the owner's has said of a job that waited for it. */
export interface Consent {
  readonly decision: 'approve' | 'refuse';
  /** Why, as it was typed; others are told with a refusal. */
  readonly reason?: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** One job as this owner's own people see it, and what it said to others. */
export interface OwnedJobRecord {
  readonly job: JobId;
  /** Of the descriptor that was considered. */
  readonly digest: string;
  /** `asking`: found good, and nothing said to anybody until a person has decided. */
  readonly status: 'joining' | 'asking' | 'ready' | 'refused' | 'withdrawn' | 'ended';
  readonly consent?: Consent;
  readonly answer?: OwnerAnswer;
  readonly records?: number;
  readonly dropped?: number;
  /** The newest round contributed to. */
  readonly round?: number;
  /** The closing round contributed to: no other round of the job gets anything of this owner's. */
  readonly closed?: number;
  /** In full, for the owner's own people. */
  readonly reason?: string;
  /** Milliseconds since 1970. */
  readonly updatedAt: number;
}

/** A job as it was asked of this owner: the very descriptor that was verified, with its signature, and since when it is there. */
export type AskedJob = Pick<JobView, 'descriptor' | 'signature' | 'created_at'>;

export interface OwnedContribution {
  readonly job: JobId;
  readonly round: number;
  /** Of the round descriptor that it was made for; another one for the same round is refused for ever. */
  readonly roundDigest: string;
  /** SHA-256 of the bytes. */
  readonly digest: string;
  /** Until the facilitator's receipt is kept, or the round is over. */
  readonly bytes?: Uint8Array;
  readonly receipt?: SignedReceipt;
}

export interface DataOwnerChange {
  readonly job?: OwnedJobRecord;
  /** What the record's digest is of, some hundred kilobytes: once, when it was considered. Only an AskedJobStore keeps it. */
  readonly asked?: AskedJob;
  /** Made (with bytes, before they are sent) or acknowledged (with a receipt, without bytes). */
  readonly contribution?: OwnedContribution;
  readonly audit?: readonly AuditBody[];
}

export interface DataOwnerStore {
  /** Applies all of a change durably or nothing of it. */
  commit(change: DataOwnerChange): Promise<void>;
  job(job: JobId): Promise<OwnedJobRecord | undefined>;
  /** Oldest first. */
  jobs(): Promise<readonly OwnedJobRecord[]>;
  contribution(job: JobId, round: number): Promise<OwnedContribution | undefined>;
  /** The receipts of a job, by round. */
  receipts(job: JobId): Promise<readonly SignedReceipt[]>;
  /** Forgets the bytes of a job's contributions that are still kept, and the oldest ended jobs beyond so many. */
  retain(rule: { readonly endedJobs: number }): Promise<void>;
  forgetBytes(job: JobId): Promise<void>;
}

/** The store of a process whose people look at what jobs ask for. */
export interface AskedJobStore extends DataOwnerStore {
  /** What a job asked for when this owner considered it; undefined where a version that kept no such thing did. */
  asked(job: JobId): Promise<AskedJob | undefined>;
}
