/** What a facilitator shows of its jobs and rounds, in snake_case as on the wire. */
import { timestamp } from '../../src/protocol/clock.ts';
import type { PartyId } from '../../src/protocol/identifiers.ts';
import type { Party } from '../../src/protocol/identity.ts';
import type { JobSummary, JobView } from '../../src/protocol/job-messages.ts';
import { missingOwners } from '../../src/protocol/round.ts';
import type { RoundView } from '../../src/protocol/round-messages.ts';
import type { JobRecord, RoundRecord } from '../../src/storage/facilitator-store.ts';
import type { Standing } from './register.ts';

/**
 * A job as its model owner and its facilitator see it, or as one of its owners does: what the others have answered is not for them.
 */
export function viewJob(record: JobRecord, party: Party, facilitator: PartyId): JobView {
  const { signed, status, owners, round, createdAt } = record;
  const seesAll = party.role === 'model-owner' || party.name === facilitator;
  return {
    ...signed,
    status,
    owners: seesAll ? owners : owners.filter(({ owner }) => owner === party.name),
    round,
    created_at: timestamp(createdAt),
  };
}

export function viewRound({ state, signed, manifest }: RoundRecord): RoundView {
  return {
    job: state.job,
    round: state.round,
    status: state.status,
    ...(signed === undefined ? {} : { signed }),
    roster: state.roster,
    opened_at: timestamp(state.openedAt),
    deadline: timestamp(state.deadline),
    contributors: state.contributions.map((each) => each.owner),
    missing: missingOwners(state),
    ...(state.reason === undefined ? {} : { reason: state.reason }),
    ...(manifest === undefined ? {} : { manifest }),
  };
}

export function summariseJob({ job, status, owners, round, createdAt }: Standing): JobSummary {
  return { job, status, roster: [...owners], round, created_at: timestamp(createdAt) };
}
