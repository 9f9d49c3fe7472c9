/** What a facilitator shows of its jobs and rounds, in snake_case as on the wire. */
import { timestamp } from '../../src/protocol/clock.ts';
import type { JobSummary, JobView, RoundView } from '../../src/protocol/messages.ts';
import { missingOwners } from '../../src/protocol/round.ts';
import type { JobRecord, RoundRecord } from '../../src/storage/facilitator-store.ts';

export function viewJob(record: JobRecord): JobView {
  return {
    descriptor: record.descriptor,
    status: record.status,
    owners: record.owners,
    round: record.round,
    created_at: timestamp(record.createdAt),
  };
}

export function viewRound({ state, parameters, manifest }: RoundRecord): RoundView {
  return {
    job: state.job,
    round: state.round,
    status: state.status,
    roster: state.roster,
    parameters,
    opened_at: timestamp(state.openedAt),
    deadline: timestamp(state.deadline),
    contributors: state.contributions.map((each) => each.owner),
    missing: missingOwners(state),
    ...(state.reason === undefined ? {} : { reason: state.reason }),
    ...(manifest === undefined ? {} : { manifest }),
  };
}

export function summariseJob(record: JobRecord): JobSummary {
  return {
    job: record.descriptor.job,
    status: record.status,
    roster: record.descriptor.roster,
    round: record.round,
    created_at: timestamp(record.createdAt),
  };
}
