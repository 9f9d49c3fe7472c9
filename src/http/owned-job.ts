/** One job as its data owner's own people see it: in the answers to GET /jobs and PUT /jobs/{job}/consent. */
import { z } from 'zod';

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
  records: z.number().exactOptional(),
  dropped: z.number().exactOptional(),
  round: z.number().exactOptional(),
  reason: z.string().exactOptional(),
  consent: z
    .object({ decision: z.enum(['approve', 'refuse']), reason: z.string().exactOptional(), at: z.string() })
    .exactOptional(),
  updated_at: z.string(),
});
