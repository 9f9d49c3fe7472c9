/** How a running party fares: what it answers, put together for `sealsum status`. */
import { z } from 'zod';
import { ledgerStatementSchema } from '../http/ledger-schema.ts';
import { parseMessage } from '../http/problem.ts';
import type { LedgerStatement } from '../privacy/ledger-statement.ts';
import type { JobId, OwnerId } from '../protocol/identifiers.ts';
import type { Role } from '../protocol/identity.ts';
import { jobListSchema, jobViewSchema, ownerListSchema } from '../protocol/job-messages.ts';
import { optional } from '../protocol/optional.ts';
import { roundViewSchema } from '../protocol/round-messages.ts';
import type { PartyAccess } from './party-access.ts';

/** What --json prints; fields as on the wire. */
export interface PartyStatus {
  readonly role: Role;
  readonly name?: string;
  readonly url: string;
  readonly ready: boolean;
  /** Why it is not. */
  readonly reason?: string;
  /** Of a data owner: whom it follows. */
  readonly facilitator?: { readonly name: string; readonly url: string; readonly connected: boolean };
  /** Of a facilitator: who follows it now. */
  readonly connected_owners?: readonly OwnerId[];
  readonly jobs?: readonly JobStatus[];
  readonly owned_jobs?: readonly OwnedJobStatus[];
  readonly models?: readonly ModelStatus[];
  /** Of a data owner: what it has spent, by data set and unit; without the entries. */
  readonly privacy?: Pick<LedgerStatement, 'accounts' | 'caps'>;
}

/** A job at its facilitator. */
export interface JobStatus {
  readonly job: JobId;
  readonly status: string;
  readonly owners: number;
  /** How many are ready, of the newest open jobs; so for what follows. */
  readonly ready?: number;
  /** The newest round; 0 before the first. */
  readonly round: number;
  readonly round_status?: string;
  readonly contributors?: number;
  readonly missing?: readonly OwnerId[];
  readonly deadline?: string;
  readonly created_at: string;
}

/** A job as one of its data owners sees it. */
export interface OwnedJobStatus {
  readonly job: string;
  readonly status: string;
  readonly records?: number;
  readonly round?: number;
  readonly reason?: string;
  readonly updated_at: string;
}

const ownedJobs: z.ZodType<{ readonly jobs: readonly OwnedJobStatus[] }> = z.object({
  jobs: z.array(
    z.object({
      job: z.string(),
      status: z.string(),
      records: optional(z.number()),
      round: optional(z.number()),
      reason: optional(z.string()),
      updated_at: z.string(),
    }),
  ),
});

interface Loss {
  readonly rho: { readonly number: number };
  readonly epsilon: number | null;
}

/** A model at its owner. */
export interface ModelStatus {
  readonly id: string;
  readonly name?: string;
  readonly model_type: string;
  readonly status: string;
  readonly created_at: string;
  readonly updates: number;
  readonly planned_updates: number;
  readonly owners: readonly { readonly owner: string; readonly status: string; readonly reason?: string }[];
  readonly last_round?: { readonly round: number; readonly contributors: number; readonly seconds: number };
  readonly privacy: { readonly guarantee: string; readonly promised?: Loss; readonly spent?: Loss };
  readonly failure?: { readonly code: string; readonly detail: string };
}

const loss = z.object({ rho: z.object({ number: z.number() }), epsilon: z.number().nullable() });
const models: z.ZodType<{ readonly models: readonly ModelStatus[] }> = z.object({
  models: z.array(
    z.object({
      id: z.string(),
      name: optional(z.string()),
      model_type: z.string(),
      status: z.string(),
      created_at: z.string(),
      updates: z.number(),
      planned_updates: z.number(),
      owners: z.array(z.object({ owner: z.string(), status: z.string(), reason: optional(z.string()) })),
      last_round: optional(z.object({ round: z.number(), contributors: z.number(), seconds: z.number() })),
      privacy: z.object({ guarantee: z.string(), promised: optional(loss), spent: optional(loss) }),
      failure: optional(z.object({ code: z.string(), detail: z.string() })),
    }),
  ),
});

const ownerStatus = z.object({
  owner: z.string(),
  facilitator: z.string(),
  facilitator_name: z.string(),
  connected: z.boolean(),
});

/** @throws SealsumError request_failed when it does not answer, and what it refused */
export async function statusOf(access: PartyAccess, signal: AbortSignal): Promise<PartyStatus> {
  const { role, url, config } = access;
  const base = {
    role,
    ...(config === undefined ? {} : { name: config.name }),
    url,
    ...(await access.ready(signal)),
  };
  switch (role) {
    case 'facilitator':
      return { ...base, ...(await facilitatorStatus(access, signal)) };
    case 'data-owner':
      return { ...base, ...(await dataOwnerStatus(access, signal)) };
    case 'model-owner':
      return { ...base, models: parseMessage(models, await access.get('/models', signal), 'GET /models').models };
  }
}

/** Of how many open jobs, the newest ones, the round is looked up: a facilitator limits how much one party may ask. */
const mostRounds = 20;

async function facilitatorStatus(access: PartyAccess, signal: AbortSignal): Promise<Partial<PartyStatus>> {
  const { owners } = parseMessage(ownerListSchema, await access.get('/owners', signal), 'GET /owners');
  const { jobs } = parseMessage(jobListSchema, await access.get('/jobs', signal), 'GET /jobs');
  const open = jobs.filter(({ status }) => status === 'open').slice(-mostRounds);
  const details = new Map<JobId, Partial<JobStatus>>();
  for (const { job, round } of open) details.set(job, await detailsOf(job, round));

  async function detailsOf(job: JobId, round: number): Promise<Partial<JobStatus>> {
    const view = parseMessage(jobViewSchema, await access.get(`/jobs/${job}`, signal), 'GET /jobs/{job}');
    const ready = view.owners.filter(({ status }) => status === 'ready').length;
    if (round === 0) return { ready };
    const path = `/jobs/${job}/rounds/${round}`;
    const found = parseMessage(roundViewSchema, await access.get(path, signal), 'GET /jobs/{job}/rounds/{round}');
    const { status: round_status, contributors, missing, deadline } = found;
    return { ready, round_status, contributors: contributors.length, missing, deadline };
  }

  return {
    connected_owners: owners,
    jobs: jobs.map(({ job, status, roster, round, created_at }) => ({
      job,
      status,
      owners: roster.length,
      round,
      created_at,
      ...details.get(job),
    })),
  };
}

async function dataOwnerStatus(access: PartyAccess, signal: AbortSignal): Promise<Partial<PartyStatus>> {
  const told = parseMessage(ownerStatus, await access.get('/status', signal), 'GET /status');
  const { jobs } = parseMessage(ownedJobs, await access.get('/jobs', signal), 'GET /jobs');
  const { accounts, caps } = parseMessage(ledgerStatementSchema, await access.get('/ledger', signal), 'GET /ledger');
  return {
    name: told.owner,
    facilitator: { name: told.facilitator_name, url: told.facilitator, connected: told.connected },
    owned_jobs: jobs,
    privacy: { accounts, caps },
  };
}
