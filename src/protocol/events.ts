/** What a facilitator tells those who follow it, in order, each with a number that a reader resumes after. */
import { z } from 'zod';
import { type JobId, jobIdSchema, type OwnerId, ownerIdSchema } from './identifiers.ts';
import { optional } from './optional.ts';
import { type RoundView, roundViewSchema } from './round-messages.ts';

export type JobEventType =
  | 'job.created'
  | 'job.ended'
  | 'owner.answered'
  | 'round.opened'
  | 'round.contribution'
  | 'round.closed'
  | 'round.abandoned';

/** An event before it has a number. */
export interface JobEventBody {
  readonly type: JobEventType;
  readonly job: JobId;
  readonly round?: number;
  readonly owner?: OwnerId;
  /** The new status of an owner or job, where the type alone does not say it. */
  readonly status?: string;
  readonly reason?: string;
  /** RFC 3339. */
  readonly at: string;
}

export interface JobEvent extends JobEventBody {
  /** Counted from 1, over all jobs of a facilitator. */
  readonly id: number;
  /**
   * The round as it was when the event was sent, for those who would ask for it next: its owners when it opens, the model owner
   * when it is closed. Left out where it is long, or no longer the newest; whoever needs it asks.
   */
  readonly view?: RoundView;
}

export const jobEventSchema: z.ZodType<JobEvent> = z.object({
  id: z.number().int().min(1),
  type: z.enum([
    'job.created',
    'job.ended',
    'owner.answered',
    'round.opened',
    'round.contribution',
    'round.closed',
    'round.abandoned',
  ]),
  job: jobIdSchema,
  round: optional(z.number().int().min(1)),
  owner: optional(ownerIdSchema),
  status: optional(z.string()),
  reason: optional(z.string()),
  at: z.string(),
  view: optional(roundViewSchema),
});
