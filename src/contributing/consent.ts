/**
 * What people of an owner say of a job that waits for them. Their word is kept before anything follows from it; once this owner's
 * answer follows from it, it is the last one.
 */
import { SealsumError } from '../errors.ts';
import type { Consent, OwnedJobRecord } from '../storage/data-owner-store.ts';

/** What a person says. */
export interface Decision {
  readonly decision: Consent['decision'];
  /** At most `longestReason` characters; of a refusal the others read it. */
  readonly reason?: string | undefined;
  /** Of the job that the person was shown; the present one unless given. */
  readonly jobDigest?: string | undefined;
}

/** The longest reason, in characters: it travels with the owner's answer. */
export const longestReason = 500;

/**
 * Whether a decision is still to be kept: false if the same was made before.
 *
 * @throws SealsumError job_conflict when another job is meant, job_ended, consent_conflict when the job does not wait for a decision
 */
export function isNewDecision(record: OwnedJobRecord, { decision, jobDigest }: Decision): boolean {
  const { job, digest, status, consent, reason } = record;
  if (jobDigest !== undefined && jobDigest !== digest)
    throw new SealsumError(
      'job_conflict',
      `job ${job} is another one (${digest}) than was looked at; look at it again`,
      {
        field: 'job_digest',
      },
    );
  if (consent?.decision === decision) return false;
  if (status === 'asking') return true;
  if (status === 'ended') throw new SealsumError('job_ended', `job ${job} is over; there is nothing to decide`);
  const decided = { approve: 'approved by a person', refuse: 'refused by a person' } as const;
  const how = consent === undefined ? howWithoutAsking(status, reason) : `was ${decided[consent.decision]}`;
  throw new SealsumError('consent_conflict', `job ${job} ${how}, and this owner's answer is given`, {
    field: 'decision',
  });
}

function howWithoutAsking(status: OwnedJobRecord['status'], reason: string | undefined): string {
  const why = reason === undefined ? '' : ` (${reason})`;
  return status === 'ready' ? 'was accepted without asking anybody' : `was ${status} without asking anybody${why}`;
}

/** Why this owner takes no part, as everybody may read it: the person's words only where there are any. */
export function declinedBy(owner: string, { reason }: Decision): SealsumError {
  const why = reason === undefined ? '' : `: ${reason}`;
  return new SealsumError('policy_refused', `policy.consent: a person at ${owner} declined the job${why}`, {
    field: 'policy.consent',
  });
}
