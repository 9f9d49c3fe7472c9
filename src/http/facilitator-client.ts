/**
 * The facilitator's interface as functions. Every request has a time limit, is repeated on a broken connection or a 5xx (all
 * of them may be: repeating changes nothing), and turns problem details back into the error that was thrown there.
 */
import pRetry from 'p-retry';
import type { z } from 'zod';
import { SealsumError } from '../errors.ts';
import type { Clock } from '../protocol/clock.ts';
import { type JobEvent, jobEventSchema } from '../protocol/events.ts';
import type { JobId, OwnerId } from '../protocol/identifiers.ts';
import {
  type ContributionReceipt,
  contributionReceiptSchema,
  type JobDescriptor,
  type JobOutcome,
  type JobSummary,
  type JobView,
  jobListSchema,
  jobViewSchema,
  type OwnerAnswer,
  ownerListSchema,
  type RoundDescriptor,
  type RoundView,
  roundViewSchema,
} from '../protocol/messages.ts';
import { type FollowOptions, followEvents } from './event-stream.ts';
import { fromProblem, parseMessage } from './problem.ts';
import { abortWith } from './signals.ts';

export interface FacilitatorClientOptions {
  /** For example http://127.0.0.1:8080 */
  readonly url: string;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** Milliseconds that one request may take; 30,000 unless said otherwise. */
  readonly timeout?: number;
  /** How often a request is repeated; 4 unless said otherwise. */
  readonly retries?: number;
}

export interface FacilitatorClient {
  createJob(descriptor: JobDescriptor, signal: AbortSignal): Promise<JobView>;
  jobs(signal: AbortSignal): Promise<readonly JobSummary[]>;
  job(job: JobId, signal: AbortSignal): Promise<JobView>;
  endJob(job: JobId, outcome: JobOutcome, signal: AbortSignal): Promise<void>;
  answerJob(job: JobId, owner: OwnerId, answer: OwnerAnswer, signal: AbortSignal): Promise<void>;
  openRound(job: JobId, round: number, descriptor: RoundDescriptor, signal: AbortSignal): Promise<void>;
  round(job: JobId, round: number, signal: AbortSignal): Promise<RoundView>;
  contribute(
    job: JobId,
    round: number,
    owner: OwnerId,
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<ContributionReceipt>;
  aggregate(job: JobId, round: number, signal: AbortSignal): Promise<Uint8Array>;
  /** The owners that follow the facilitator now. */
  owners(signal: AbortSignal): Promise<readonly OwnerId[]>;
  /** Follows one job from its beginning, or all jobs from now on as `owner`. */
  followJob(job: JobId, signal: AbortSignal, hooks?: FollowHooks): AsyncGenerator<JobEvent>;
  followAll(owner: OwnerId, signal: AbortSignal, hooks?: FollowHooks): AsyncGenerator<JobEvent>;
}

/** What a follower may be told beside the events. */
export type FollowHooks = Pick<FollowOptions<JobEvent>, 'onConnected' | 'onBroken'>;

interface ClientRequest {
  readonly method: string;
  readonly path: string;
  readonly signal: AbortSignal;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly type?: string;
}

/** Milliseconds before the first repetition; each further one waits twice as long, up to a few seconds. */
const firstWait = 100;

export function createFacilitatorClient(options: FacilitatorClientOptions): FacilitatorClient {
  const base = options.url.replace(/\/+$/, '');
  const timeout = options.timeout ?? 30_000;

  /** Sends, repeats where that may help, and reads the answer within the same time limit. */
  async function send<T>(request: ClientRequest, read: (response: Response) => Promise<T>): Promise<T> {
    try {
      return await pRetry(() => attempt(request, read), {
        retries: options.retries ?? 4,
        minTimeout: firstWait,
        maxTimeout: 5000,
        signal: request.signal,
        shouldRetry: ({ error }) => error instanceof SealsumError && isPassing(error),
      });
    } catch (cause) {
      const { method, path, signal } = request;
      throw signal.aborted ? new SealsumError('aborted', `${method} ${path} was stopped`, { cause }) : cause;
    }
  }

  async function attempt<T>(request: ClientRequest, read: (response: Response) => Promise<T>): Promise<T> {
    const { method, path, signal, body, type } = request;
    const line = new AbortController();
    const letGo = abortWith(signal, line);
    const forgive = options.clock.after(timeout, () => {
      line.abort();
    });
    try {
      const response = await options.fetch(base + path, {
        method,
        signal: line.signal,
        ...(body === undefined ? {} : { body }),
        ...(type === undefined ? {} : { headers: { 'content-type': type } }),
      });
      if (response.ok) return await read(response);
      const problem = fromProblem(await response.json().catch(() => undefined));
      throw problem ?? new SealsumError('request_failed', `${method} ${path} was answered ${response.status}`);
    } catch (cause) {
      if (cause instanceof SealsumError) throw cause;
      throw new SealsumError('facilitator_unreachable', `${base} does not answer ${method} ${path}; is it running?`, {
        cause,
      });
    } finally {
      forgive();
      letGo();
    }
  }

  const asJson = (body: unknown): Pick<ClientRequest, 'body' | 'type'> =>
    body === undefined ? {} : { body: JSON.stringify(body), type: 'application/json' };

  function json<T>(method: string, path: string, schema: z.ZodType<T>, signal: AbortSignal, body?: unknown) {
    return send({ method, path, signal, ...asJson(body) }, (response) =>
      readJson(response, schema, `the answer to ${method} ${path}`),
    );
  }

  function quiet(method: string, path: string, signal: AbortSignal, body?: unknown): Promise<void> {
    // Read to its end all the same: an unread body would hold its connection, a cancelled one would close it.
    return send({ method, path, signal, ...asJson(body) }, async (response) => {
      await response.arrayBuffer();
    });
  }

  const follow = (path: string, signal: AbortSignal, hooks: FollowHooks = {}, after?: number) =>
    followEvents({
      url: base + path,
      schema: jobEventSchema,
      fetch: options.fetch,
      clock: options.clock,
      signal,
      ...(after === undefined ? {} : { after }),
      ...hooks,
    });

  return {
    createJob: (descriptor, signal) => json('POST', '/jobs', jobViewSchema, signal, descriptor),
    jobs: async (signal) => (await json('GET', '/jobs', jobListSchema, signal)).jobs,
    job: (job, signal) => json('GET', `/jobs/${job}`, jobViewSchema, signal),
    endJob: (job, outcome, signal) => quiet('DELETE', `/jobs/${job}?outcome=${outcome}`, signal),
    answerJob: (job, owner, answer, signal) => quiet('PUT', `/jobs/${job}/owners/${owner}`, signal, answer),
    openRound: (job, round, descriptor, signal) => quiet('PUT', `/jobs/${job}/rounds/${round}`, signal, descriptor),
    round: (job, round, signal) => json('GET', `/jobs/${job}/rounds/${round}`, roundViewSchema, signal),
    contribute: (job, round, owner, bytes, signal) => {
      const path = `/jobs/${job}/rounds/${round}/contributions/${owner}`;
      const request = { method: 'PUT', path, signal, body: new Uint8Array(bytes), type: 'application/octet-stream' };
      return send(request, (response) => readJson(response, contributionReceiptSchema, `the answer to PUT ${path}`));
    },
    aggregate: (job, round, signal) =>
      send(
        { method: 'GET', path: `/jobs/${job}/rounds/${round}/aggregate`, signal },
        async (response) => new Uint8Array(await response.arrayBuffer()),
      ),
    owners: async (signal) => (await json('GET', '/owners', ownerListSchema, signal)).owners,
    followJob: (job, signal, hooks) => follow(`/jobs/${job}/events`, signal, hooks, 0),
    followAll: (owner, signal, hooks) => follow(`/events?owner=${owner}`, signal, hooks),
  };
}

/** An answer's body by its schema. What is no JSON came from somebody else on the way, and is not repeated in the error. */
async function readJson<T>(response: Response, schema: z.ZodType<T>, what: string): Promise<T> {
  const text = await response.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new SealsumError('request_failed', `${what} is not JSON`);
  }
  return parseMessage(schema, body, what);
}

/** Whether trying again may help: the line or the other side failed, not the request. */
function isPassing(error: SealsumError): boolean {
  return ['facilitator_unreachable', 'request_failed', 'internal'].includes(error.code);
}
