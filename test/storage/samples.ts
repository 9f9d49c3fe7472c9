/** Identities, jobs and rounds for tests of stores, which look at names and numbers only. */
import type { LedgerEntry } from '../../src/privacy/ledger.ts';
import type { JobEventBody } from '../../src/protocol/events.ts';
import type { JobId, OwnerId, PartyId } from '../../src/protocol/identifiers.ts';
import { createIdentity, type Identity } from '../../src/protocol/identity.ts';
import type { SignedJob } from '../../src/protocol/job-messages.ts';
import { encodeParameters } from '../../src/protocol/parameters.ts';
import type { AcceptedContribution } from '../../src/protocol/round.ts';
import type { SignedManifest, SignedRound } from '../../src/protocol/round-messages.ts';
import { type ObjectSignature, signObject } from '../../src/protocol/signed.ts';
import { type AuditLog, createAuditLog } from '../../src/storage/audit-log.ts';
import type { JobRecord, RoundRecord } from '../../src/storage/facilitator-store.ts';
import type { ModelEventRecord, ModelRecord } from '../../src/storage/model-store.ts';
import { createTestClock } from '../support/clock.ts';

export const facilitator: Identity = createIdentity(
  'facilitator' as PartyId,
  'facilitator',
  new Uint8Array(32).fill(1),
);

export function auditLog(): AuditLog {
  return createAuditLog(facilitator, createTestClock());
}

const at = '2024-01-01T00:00:00.000Z';

export function eventOf(job: JobId, more: Partial<JobEventBody> = {}): JobEventBody {
  return { type: 'round.contribution', job, at, ...more };
}

export const signature: ObjectSignature = signObject(facilitator, 'contribution', {});

/** Of a round without differential privacy. */
export function unprotectedEntry(job: JobId): LedgerEntry {
  return { job, round: 1, dataset: 'data.csv', rho: null, unit: null, neighbours: null, sampling: null, at };
}

/** The descriptor of a job as a store sees it: something that is JSON and has a name and a roster. */
export function signedJob(job: JobId, roster: readonly OwnerId[], text = ''): SignedJob {
  const descriptor = { job, roster, model: { text }, quorum: 2 };
  // A store reads nothing of it but the name.
  return { descriptor: descriptor as unknown as SignedJob['descriptor'], signature };
}

export function jobRecord(job: JobId, roster: readonly OwnerId[], more: Partial<JobRecord> = {}): JobRecord {
  return {
    signed: signedJob(job, roster),
    digest: 'd'.repeat(64),
    status: 'open',
    owners: roster.map((owner) => ({ owner, status: 'invited' })),
    round: 0,
    createdAt: 1_700_000_000_000,
    changedAt: 1_700_000_000_000,
    ...more,
  };
}

export function roundRecord(
  job: JobId,
  round: number,
  roster: readonly OwnerId[],
  more: Partial<RoundRecord['state']> = {},
  parameters: readonly number[] = [0.5, -3, 1e-300],
): RoundRecord & { readonly signed: SignedRound } {
  const digest = 'e'.repeat(64);
  return {
    state: {
      job,
      round,
      status: 'open',
      roster,
      quorum: 2,
      openedAt: 1_700_000_000_000,
      deadline: 1_700_000_060_000,
      contributions: [],
      withdrawn: [],
      ...more,
    },
    digest,
    signed: {
      descriptor: {
        job,
        round,
        job_digest: digest,
        model_hash: digest,
        roster,
        quorum: 2,
        deadline_seconds: 60,
        parameters: encodeParameters(parameters),
      },
      signature,
    },
  };
}

export function accepted(owner: OwnerId, digest: string = 'c'.repeat(64)): AcceptedContribution {
  return { owner, digest, bytes: 512, signature: { ...signature, party: owner } };
}

export function manifestOf(
  { state, digest }: RoundRecord,
  contributions: readonly AcceptedContribution[],
): SignedManifest {
  const { job, round } = state;
  return {
    manifest: {
      job,
      round,
      job_digest: digest,
      round_digest: digest,
      model_hash: digest,
      contributions,
      count: contributions.length,
      aggregate_digest: 'a'.repeat(64),
    },
    signature,
  };
}

export function modelRecord(id: string, roster: readonly OwnerId[], more: Partial<ModelRecord> = {}): ModelRecord {
  return {
    id,
    // A store reads nothing of it.
    model: { model_type: 'LINEAR_REGRESSION', name: id } as unknown as ModelRecord['model'],
    status: 'training',
    createdAt: 1_700_000_000_000,
    owners: roster.map((owner) => ({ owner, status: 'ready' })),
    updates: 0,
    plannedUpdates: 10,
    privacy: { guarantee: 'no differential privacy', protects_against: [], does_not_protect_against: [] },
    ...more,
  };
}

export function modelEvent({ status, owners }: ModelRecord, updates = 0): Omit<ModelEventRecord, 'id'> {
  return { type: 'status', status, updates, planned_updates: 10, owners };
}
