/** One job as its data owner's own people see it: in the answers to GET /jobs and PUT /jobs/{job}/consent. */
import { z } from 'zod';
import { optional } from '../protocol/optional.ts';

export interface OwnedJobView {
  readonly job: string;
  /** `asking`: it waits until a person approves or refuses it. */
  readonly status: 'joining' | 'asking' | 'ready' | 'refused' | 'withdrawn' | 'ended';
  /** How many records take part, and how many a missing value left out. */
  readonly records?: number;
  readonly dropped?: number;
  /** The newest round contributed to. */
  readonly round?: number;
  /** In full, for the owner's own people: names lines where the data do not fit. */
  readonly reason?: string;
  /** What a person has said of it. */
  readonly consent?: { readonly decision: 'approve' | 'refuse'; readonly reason?: string; readonly at: string };
  /** RFC 3339. */
  readonly updated_at: string;
}

export const ownedJobSchema: z.ZodType<OwnedJobView> = z.object({
  job: z.string(),
  status: z.enum(['joining', 'asking', 'ready', 'refused', 'withdrawn', 'ended']),
  records: optional(z.number()),
  dropped: optional(z.number()),
  round: optional(z.number()),
  reason: optional(z.string()),
  consent: optional(
    z.object({ decision: z.enum(['approve', 'refuse']), reason: optional(z.string()), at: z.string() }),
  ),
  updated_at: z.string(),
});
