/** What a data owner's own people ask of it over HTTP. */
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import type { LedgerStatement } from '../privacy/ledger-statement.ts';
import { type JobRequest, jobRequestSchema } from './job-request.ts';
import { ledgerStatementSchema } from './ledger-schema.ts';
import { type OwnedJobView, ownedJobSchema } from './owned-job.ts';
import { fromProblem, parseMessage } from './problem.ts';

/** How long an answer may take, in milliseconds: a decision waits for what is under way for its job. */
const patience = 60_000;

const jobsSchema = z.object({ jobs: z.array(ownedJobSchema) });

/**
 * Asks a data owner for its ledger.
 *
 * @param url of its interface, for example http://127.0.0.1:5000
 * @throws SealsumError message_invalid for an address that is none and an answer that is not a ledger's; request_failed when it does
 *   not answer; and what it refused
 */
export function fetchLedger(url: string, send: typeof fetch): Promise<LedgerStatement> {
  return ask(url, '/ledger', ledgerStatementSchema, send);
}

/** Asks for its jobs, oldest first. @throws SealsumError as fetchLedger() */
export async function fetchOwnedJobs(url: string, send: typeof fetch): Promise<readonly OwnedJobView[]> {
  return (await ask(url, '/jobs', jobsSchema, send)).jobs;
}

/** Asks what a job asks for. @throws SealsumError as fetchLedger() */
export function fetchJobRequest(url: string, job: string, send: typeof fetch): Promise<JobRequest> {
  return ask(url, `/jobs/${encodeURIComponent(job)}/request`, jobRequestSchema, send);
}

/** What a person has decided about a job that was shown. */
export interface SentDecision {
  readonly decision: 'approve' | 'refuse';
  readonly reason?: string;
  /** Of the job that was shown: another one is not decided. */
  readonly job_digest: string;
}

/** Approves or refuses a job. @throws SealsumError as fetchLedger() */
export function sendDecision(
  url: string,
  job: string,
  decision: SentDecision,
  send: typeof fetch,
): Promise<OwnedJobView> {
  return ask(url, `/jobs/${encodeURIComponent(job)}/consent`, ownedJobSchema, send, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(decision),
  });
}

async function ask<T>(
  url: string,
  path: string,
  schema: z.ZodType<T>,
  send: typeof fetch,
  init: RequestInit = {},
): Promise<T> {
  const base = url.replace(/\/+$/, '');
  if (!/^https?:/.test(base) || !URL.canParse(base))
    throw new SealsumError('message_invalid', `${url}: expected a URL such as http://127.0.0.1:5000`, { field: 'url' });
  let response: Response;
  try {
    response = await send(base + path, { ...init, signal: AbortSignal.timeout(patience) });
  } catch (cause) {
    const { origin } = new URL(base);
    throw new SealsumError('request_failed', `${origin} does not answer; is the data owner running?`, { cause });
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok)
    throw fromProblem(body) ?? new SealsumError('request_failed', `${base}${path} answered ${response.status}`);
  return parseMessage(schema, body, `the answer to ${init.method ?? 'GET'} ${path}`);
}
