/**
 * The facilitator's interface as functions. Every request has a time limit, is repeated for a while on a broken connection, a
 * 5xx or a "not now" (all of them may be: repeating changes nothing), and turns problem details back into the error that was
 * thrown there.
 */
import type { z } from 'zod';
import { SealsumError } from '../errors.ts';
import { type RandomBytes, systemRandom } from '../paillier/random.ts';
import type { Clock } from '../protocol/clock.ts';
import { type JobEvent, jobEventSchema } from '../protocol/events.ts';
import type { JobId, OwnerId, PartyId } from '../protocol/identifiers.ts';
import {
  type JobOutcome,
  type JobSummary,
  type JobView,
  jobListSchema,
  jobViewSchema,
  ownerListSchema,
  type SignedAnswer,
  type SignedJob,
} from '../protocol/job-messages.ts';
import {
  type ContributionStatement,
  contributionSignatureHeader,
  type GroupReport,
  type RoundView,
  roundViewSchema,
  type SignedReceipt,
  type SignedRound,
  signedReceiptSchema,
} from '../protocol/round-messages.ts';
import type { ObjectSignature } from '../protocol/signed.ts';
import { type FollowOptions, followEvents } from './follow-events.ts';
import { parseMessage } from './problem.ts';
import { type Attempt, refusal, retry } from './retry.ts';
import { abortWith } from './signals.ts';

export interface FacilitatorClientOptions {
  /** For example http://127.0.0.1:8080 */
  readonly url: string;
  /** Signs every request, see createSignedFetch. */
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** Milliseconds that one try of a request may take; 30,000 unless said otherwise. */
  readonly timeout?: number;
  /** Milliseconds for which a request is repeated; 30,000 unless said otherwise, 0 for one try, Infinity for ever. */
  readonly patience?: number;
  /** For the jitter of the waits; the operating system's unless said otherwise. */
  readonly random?: RandomBytes;
}

/**
 * What anybody may ask of a facilitator; it answers those who may. Nothing that is signed is verified here: whoever asks knows
 * by whom it must be signed.
 */
export interface FacilitatorClient {
  createJob(signed: SignedJob, signal: AbortSignal): Promise<JobView>;
  /** Those that the asking party belongs to, oldest first. */
  jobs(signal: AbortSignal): Promise<readonly JobSummary[]>;
  /** As the asking party may see it: to a data owner, `owners` is itself. */
  job(job: JobId, signal: AbortSignal): Promise<JobView>;
  endJob(job: JobId, outcome: JobOutcome, signal: AbortSignal): Promise<void>;
  answerJob(signed: SignedAnswer, signal: AbortSignal): Promise<void>;
  openRound(signed: SignedRound, signal: AbortSignal): Promise<RoundView>;
  round(job: JobId, round: number, signal: AbortSignal): Promise<RoundView>;
  /**
   * @param signature of the statement, kind `contribution`
   * @param bytes those that the statement tells of
   */
  contribute(
    statement: ContributionStatement,
    signature: ObjectSignature,
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<SignedReceipt>;
  /** What a facilitator below the one that is asked says of its part of a round, before it contributes its aggregate. */
  report(job: JobId, round: number, facilitator: PartyId, report: GroupReport, signal: AbortSignal): Promise<void>;
  aggregate(job: JobId, round: number, signal: AbortSignal): Promise<Uint8Array>;
  /** The owners that follow the facilitator now. */
  owners(signal: AbortSignal): Promise<readonly OwnerId[]>;
  /** Follows one job after the event with this number: 0 for its beginning. */
  followJob(job: JobId, after: number, signal: AbortSignal, hooks?: FollowHooks): AsyncGenerator<JobEvent>;
  /**
   * Follows all jobs that the asking party belongs to, from now on.
   *
   * @param owner the asking owner, listed as connected meanwhile; undefined to watch without that
   */
  followAll(owner: OwnerId | undefined, signal: AbortSignal, hooks?: FollowHooks): AsyncGenerator<JobEvent>;
}

/** What a follower may be told beside the events. */
export type FollowHooks = Pick<FollowOptions<JobEvent>, 'onConnected' | 'onBroken'>;

interface ClientRequest {
  readonly method: string;
  readonly path: string;
  readonly signal: AbortSignal;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * A client of a facilitator that repeats what may be repeated. Its methods throw what the facilitator answers, as the error that it threw.
 */
export function createFacilitatorClient(options: FacilitatorClientOptions): FacilitatorClient {
  const base = options.url.replace(/\/+$/, '');
  const timeout = options.timeout ?? 30_000;

  /** Sends, repeats where that may help, and reads the answer within the same time limit. */
  async function send<T>(request: ClientRequest, read: (response: Response) => Promise<T>): Promise<T> {
    const { method, path, signal } = request;
    try {
      return await retry(() => attempt(request, read), {
        clock: options.clock,
        random: options.random ?? systemRandom,
        patience: options.patience ?? 30_000,
        signal,
      });
    } catch (cause) {
      throw signal.aborted ? new SealsumError('aborted', `${method} ${path} was stopped`, { cause }) : cause;
    }
  }

  async function attempt<T>(request: ClientRequest, read: (response: Response) => Promise<T>): Promise<Attempt<T>> {
    const { method, path, signal, body, headers } = request;
    const line = new AbortController();
    const letGo = abortWith(signal, line);
    const forgive = options.clock.after(timeout, () => {
      line.abort();
    });
    try {
      const response = await options.fetch(base + path, {
        method,
        signal: line.signal,
        // Nothing that is sent lies in memory shared between threads, which browsers refuse.
        ...(body === undefined ? {} : { body: body as string | Uint8Array<ArrayBuffer> }),
        ...(headers === undefined ? {} : { headers }),
      });
      if (response.ok) return { value: await read(response) };
      return await refusal(response, `${method} ${path}`);
    } catch (cause) {
      if (cause instanceof NotJson) return { passing: new SealsumError('request_failed', cause.message) };
      if (cause instanceof SealsumError) throw cause;
      const message = `${base} does not answer ${method} ${path}; ${unanswered(cause)}`;
      return { passing: new SealsumError('facilitator_unreachable', message, { cause }) };
    } finally {
      forgive();
      letGo();
    }
  }

  const asJson = (body: unknown): Pick<ClientRequest, 'body' | 'headers'> =>
    body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };

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
    createJob: (signed, signal) => json('POST', '/jobs', jobViewSchema, signal, signed),
    jobs: async (signal) => (await json('GET', '/jobs', jobListSchema, signal)).jobs,
    job: (job, signal) => json('GET', `/jobs/${job}`, jobViewSchema, signal),
    endJob: (job, outcome, signal) => quiet('DELETE', `/jobs/${job}?outcome=${outcome}`, signal),
    answerJob: (signed, signal) => {
      const { job, owner } = signed.answer;
      return quiet('PUT', `/jobs/${job}/owners/${owner}`, signal, signed);
    },
    openRound: (signed, signal) => {
      const { job, round } = signed.descriptor;
      return json('PUT', `/jobs/${job}/rounds/${round}`, roundViewSchema, signal, signed);
    },
    round: (job, round, signal) => json('GET', `/jobs/${job}/rounds/${round}`, roundViewSchema, signal),
    contribute: ({ job, round, owner }, signature, bytes, signal) => {
      const path = `/jobs/${job}/rounds/${round}/contributions/${owner}`;
      const headers = {
        'content-type': 'application/octet-stream',
        [contributionSignatureHeader]: `${signature.key}.${signature.value}`,
      };
      return send({ method: 'PUT', path, signal, body: bytes, headers }, (response) =>
        readJson(response, signedReceiptSchema, `the answer to PUT ${path}`),
      );
    },
    report: (job, round, facilitator, report, signal) =>
      quiet('PUT', `/jobs/${job}/rounds/${round}/reports/${facilitator}`, signal, report),
    aggregate: (job, round, signal) =>
      send(
        { method: 'GET', path: `/jobs/${job}/rounds/${round}/aggregate`, signal },
        async (response) => new Uint8Array(await response.arrayBuffer()),
      ),
    owners: async (signal) => (await json('GET', '/owners', ownerListSchema, signal)).owners,
    followJob: (job, after, signal, hooks) => follow(`/jobs/${job}/events`, signal, hooks, after),
    followAll: (owner, signal, hooks) =>
      follow(owner === undefined ? '/events' : `/events?owner=${owner}`, signal, hooks),
  };
}

/** Why a request may have got no answer at all. */
function unanswered(error: unknown): string {
  const { cause } = error instanceof Error ? error : {};
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return /CERT|SIGNATURE|^ERR_(TLS|SSL)_/.test(code) ? `TLS was refused (${code})` : 'is it running?';
}

/** An answer that came from somebody else on the way. */
class NotJson extends Error {}

/** An answer's body by its schema. What is no JSON came from somebody else on the way, and is not repeated in the error. */
async function readJson<T>(response: Response, schema: z.ZodType<T>, what: string): Promise<T> {
  const text = await response.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new NotJson(`${what} is not JSON`);
  }
  return parseMessage(schema, body, what);
}
