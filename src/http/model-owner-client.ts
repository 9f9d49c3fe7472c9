/** Posts a model.json to a model owner, follows the training to its end, and fetches what came out. */
import { z } from 'zod';
import { type ErrorCode, SealsumError } from '../errors.ts';
import type { Metrics } from '../learning/metrics.ts';
import type { DataUnitParameters, Prediction } from '../learning/prediction.ts';
import type { Clock } from '../protocol/clock.ts';
import type { RoundReport } from '../storage/model-store.ts';
import { followEvents } from './event-stream.ts';
import { fromProblem } from './problem.ts';

export interface FollowModelOptions {
  /** For example http://127.0.0.1:9090 */
  readonly url: string;
  /** The content of a model.json. */
  readonly document: unknown;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** When it aborts, the training is stopped at the model owner too. */
  readonly signal: AbortSignal;
  /** Updates made, and updates planned. */
  readonly onProgress: (done: number, planned: number) => void;
}

export interface TrainedModel {
  readonly id: string;
  readonly status: 'finished';
  readonly updates: number;
  readonly cost: number;
  readonly metrics: Metrics;
  readonly parameters: DataUnitParameters;
  readonly predictions: readonly Prediction[];
  readonly rounds: readonly RoundReport[];
  /** What the model promises about its records, in a few words. */
  readonly privacy: string;
  /** What GET /prediction answers for this model. */
  readonly answer: unknown;
}

const eventSchema = z.object({
  id: z.number(),
  type: z.enum(['status', 'round', 'finished', 'failed']),
  updates: z.number(),
  planned_updates: z.number(),
  round: z.custom<RoundReport>((value) => typeof value === 'object' && value !== null).optional(),
  failure: z.object({ code: z.string(), detail: z.string(), field: z.string().optional() }).optional(),
});

/** @throws SealsumError what the model owner refused, or why the training failed */
export async function followModel(options: FollowModelOptions): Promise<TrainedModel> {
  const base = options.url.replace(/\/+$/, '');
  const body = JSON.stringify(options.document);
  const posted = await request(options, `${base}/models`, { method: 'POST', body });
  const { id } = z.object({ id: z.string() }).parse(posted);
  const rounds: RoundReport[] = [];
  let updates = 0;
  try {
    const url = `${base}/models/${id}/events`;
    const { fetch, clock, signal, onProgress } = options;
    for await (const event of followEvents({ url, schema: eventSchema, fetch, clock, signal, after: 0 })) {
      updates = event.updates;
      onProgress(updates, event.planned_updates);
      if (event.round !== undefined) rounds.push(event.round);
      if (event.type === 'failed') throw failure(event.failure);
      if (event.type === 'finished') break;
    }
    if (signal.aborted) throw new SealsumError('aborted', 'the training was stopped');
  } catch (error) {
    if (options.signal.aborted)
      await options.fetch(`${base}/models/${id}`, { method: 'DELETE', signal: AbortSignal.timeout(5000) });
    throw error;
  }
  const parameters = (await request(options, `${base}/models/${id}/parameters`)) as DataUnitParameters;
  const all = (await request(options, `${base}/predictions`)) as {
    readonly models: readonly (Pick<TrainedModel, 'cost' | 'metrics' | 'predictions' | 'privacy'> & {
      readonly model: string;
    })[];
  };
  const mine = all.models.find((each) => each.model === id);
  if (mine === undefined) throw new SealsumError('model_unknown', `model ${id} was removed`, { field: 'id' });
  const { cost, metrics, predictions, privacy } = mine;
  return { id, status: 'finished', updates, cost, metrics, parameters, predictions, rounds, privacy, answer: mine };
}

async function request(options: FollowModelOptions, url: string, init: RequestInit = {}): Promise<unknown> {
  let response: Response;
  try {
    response = await options.fetch(url, {
      ...init,
      headers: { 'content-type': 'application/json' },
      signal: AbortSignal.any([options.signal, AbortSignal.timeout(60_000)]),
    });
  } catch (cause) {
    throw new SealsumError('request_failed', `${new URL(url).origin} does not answer; is the model owner running?`, {
      cause,
    });
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return body;
  throw fromProblem(body) ?? new SealsumError('request_failed', `${url} answered ${response.status}`);
}

function failure(reported: { code: string; detail: string } | undefined): SealsumError {
  const code = (reported?.code ?? 'internal') as ErrorCode;
  return new SealsumError(code, `the training failed: ${reported?.detail ?? 'no reason was given'}`);
}
