/** Posts a model.json to a model owner, follows the training to its end, and fetches what came out. */
import { z } from 'zod';
import { type ErrorCode, SealsumError } from '../errors.ts';
import type { CrossValidation } from '../learning/cross-validation.ts';
import { crossValidationFrom, type FoldTrainings, foldTrainingsOf } from '../learning/fold-trainings.ts';
import type { ReportedParameters } from '../learning/inference/standard-errors.ts';
import type { Metrics } from '../learning/metrics.ts';
import type { Prediction } from '../learning/prediction.ts';
import type { StatisticsReport } from '../learning/statistics/report.ts';
import { standardisationOf } from '../learning/statistics/standardisation.ts';
import type { PrivacyStatement } from '../privacy/statement.ts';
import type { Clock } from '../protocol/clock.ts';
import type { RoundReport } from '../storage/model-store.ts';
import { followEvents } from './follow-events.ts';
import { limitOutage } from './outage.ts';
import { fromProblem, parseMessage } from './problem.ts';

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

/** A finished training as its model owner tells it. */
export interface TrainedModel {
  readonly id: string;
  readonly status: 'finished';
  readonly updates: number;
  /** null, and no metrics, where these stay with each data owner. */
  readonly cost: number | null;
  readonly metrics: Partial<Metrics>;
  /** Where the model asks for it. */
  readonly crossValidation?: CrossValidation;
  readonly parameters: ReportedParameters;
  readonly predictions: readonly Prediction[];
  readonly rounds: readonly RoundReport[];
  /** What was promised about the records and what was spent of it. */
  readonly privacy: PrivacyStatement;
  /** Where columns were standardised: the statistics that were summed before, with what they spent. */
  readonly standardisation?: CollectedStatistics;
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

/** Milliseconds for which a model owner that fell silent is waited for, and one that is told of a stop. */
const patience = 30_000;
const farewell = 5000;

/** What a model.json of the type STATISTICS asked for, as GET /models/{id}/statistics answers. */
export interface CollectedStatistics extends StatisticsReport {
  readonly model: string;
  readonly name?: string;
  readonly privacy: PrivacyStatement;
}

/** A model whose job is over. */
interface Followed {
  /** Where it is shown. */
  readonly base: string;
  readonly id: string;
  readonly updates: number;
  readonly rounds: readonly RoundReport[];
}

async function postAndFollow(options: FollowModelOptions): Promise<Followed> {
  const base = options.url.replace(/\/+$/, '');
  if (!/^https?:/.test(base) || !URL.canParse(base))
    throw new SealsumError('message_invalid', `${base}: expected a URL such as http://127.0.0.1:9090`, {
      field: 'url',
    });
  const body = JSON.stringify(options.document);
  const posted = await request(options, `${base}/models`, { method: 'POST', body });
  const { id } = parseMessage(z.object({ id: z.string() }), posted, 'the answer to POST /models');
  const rounds: RoundReport[] = [];
  const updates = await followTraining(options, `${base}/models/${id}`, (round) => rounds.push(round));
  return { base, id, updates, rounds };
}

/**
 * Posts a model.json of the type STATISTICS, follows its round, fetches what came out.
 *
 * @throws SealsumError as followModel() does
 */
export async function followStatistics(options: FollowModelOptions): Promise<CollectedStatistics> {
  const { base, id } = await postAndFollow(options);
  return (await request(options, `${base}/models/${id}/statistics`)) as CollectedStatistics;
}

/**
 * Posts, follows, fetches; where columns are standardised, the statistics first that their ranges follow from; where a training by
 * gradients is to be cross-validated, a training without each fold before the one with all records.
 *
 * @throws SealsumError what the model owner refused or why the training failed; request_failed when it does not answer;
 *   message_invalid when the address is none; aborted when the signal says so
 */
export async function followModel(given: FollowModelOptions): Promise<TrainedModel> {
  const standardisation = standardisationOf(given.document);
  const statistics = standardisation && (await followStatistics({ ...given, document: standardisation.statistics }));
  const ranged = statistics === undefined ? given : { ...given, document: standardisation?.training(statistics) };
  const trainings = foldTrainingsOf(ranged.document);
  const crossed = trainings && (await followFolds(ranged, trainings));
  const options = trainings === undefined ? ranged : inTurn(ranged, trainings.all, trainings.folds.length, trainings);
  const { base, id, updates, rounds } = await postAndFollow(options);
  const parameters = (await request(options, `${base}/models/${id}/parameters`)) as ReportedParameters;
  const { privacy } = (await request(options, `${base}/models/${id}`)) as Pick<TrainedModel, 'privacy'>;
  const all = (await request(options, `${base}/predictions`)) as {
    readonly models: readonly (Pick<TrainedModel, 'cost' | 'metrics' | 'predictions'> & {
      readonly model: string;
      readonly cross_validation?: CrossValidation;
    })[];
  };
  const mine = all.models.find((each) => each.model === id);
  if (mine === undefined) throw new SealsumError('model_unknown', `model ${id} was removed`, { field: 'id' });
  const { cost, metrics, predictions, cross_validation: crossValidation = crossed } = mine;
  return {
    id,
    status: 'finished',
    updates,
    cost,
    metrics,
    ...(crossValidation === undefined ? {} : { crossValidation }),
    parameters,
    predictions,
    rounds,
    privacy,
    answer: crossed === undefined ? mine : { ...mine, cross_validation: crossed },
    ...(statistics === undefined ? {} : { standardisation: statistics }),
  };
}

/** The trainings without each fold, one after the other: where one fails, the others would cost their owners for nothing. */
async function followFolds(options: FollowModelOptions, trainings: FoldTrainings): Promise<CrossValidation> {
  const found: Partial<Metrics>[] = [];
  for (const [index, document] of trainings.folds.entries()) {
    const { base, id } = await postAndFollow(inTurn(options, document, index, trainings));
    const { metrics } = (await request(options, `${base}/models/${id}`)) as Pick<TrainedModel, 'metrics'>;
    found.push(metrics);
  }
  return crossValidationFrom(found);
}

/** One of the trainings, whose progress is that of all. @param before how many come before it */
function inTurn(
  options: FollowModelOptions,
  document: unknown,
  before: number,
  { folds }: FoldTrainings,
): FollowModelOptions {
  return {
    ...options,
    document,
    onProgress: (done, planned) => {
      options.onProgress(before * planned + done, (folds.length + 1) * planned);
    },
  };
}

/** Follows a training to its end; stops it there when the signal aborts here. @returns the updates made */
async function followTraining(
  { fetch, clock, signal, onProgress }: FollowModelOptions,
  address: string,
  onRound: (round: RoundReport) => void,
): Promise<number> {
  const line = new AbortController();
  const outage = limitOutage(clock, patience, () => {
    line.abort();
  });
  // The clock's timers keep no process alive, and a line that is broken does not either.
  const awake = setInterval(() => undefined, patience);
  try {
    const events = followEvents({
      url: `${address}/events`,
      schema: eventSchema,
      fetch,
      clock,
      signal: AbortSignal.any([signal, line.signal]),
      after: 0,
      ...outage,
    });
    for await (const event of events) {
      onProgress(event.updates, event.planned_updates);
      if (event.round !== undefined) onRound(event.round);
      if (event.type === 'failed') throw failure(event.failure);
      if (event.type === 'finished') return event.updates;
    }
    if (!signal.aborted) throw silent(address);
    await fetch(address, { method: 'DELETE', signal: AbortSignal.timeout(farewell) }).catch(() => undefined);
    throw new SealsumError('aborted', 'the training was stopped');
  } finally {
    clearInterval(awake);
    outage.cancel();
  }
}

function silent(url: string, cause?: unknown): SealsumError {
  return new SealsumError('request_failed', `${new URL(url).origin} does not answer; is the model owner running?`, {
    cause,
  });
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
    throw options.signal.aborted ? new SealsumError('aborted', 'the training was stopped') : silent(url, cause);
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok && body !== undefined) return body;
  throw fromProblem(body) ?? new SealsumError('request_failed', `${url} answered ${response.status}`);
}

function failure(reported: z.infer<typeof eventSchema>['failure']): SealsumError {
  const { code = 'internal', detail = 'no reason was given', field } = reported ?? {};
  return new SealsumError(code as ErrorCode, `the training failed: ${detail}`, field === undefined ? {} : { field });
}
