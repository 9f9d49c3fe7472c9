/**
 * What a model owner does: checks a model.json, trains it with the data owners that the facilitator knows, keeps what came
 * out, and predicts. Its private keys live in memory for as long as their job and are never written anywhere.
 */
import { randomUUID } from 'node:crypto';
import { SealsumError } from '../../src/errors.ts';
import { type Bell, createBell } from '../../src/http/event-stream.ts';
import type { FacilitatorClient } from '../../src/http/facilitator-client.ts';
import type { Logger } from '../../src/http/log.ts';
import { compileFeatures, encodeRows } from '../../src/learning/features.ts';
import type { FeatureRow } from '../../src/learning/fields.ts';
import { type Model, parseModel } from '../../src/learning/model.ts';
import { type Prediction, parametersInDataUnits, predict } from '../../src/learning/prediction.ts';
import { generateKeyPair } from '../../src/paillier/key-generation.ts';
import { type RandomBytes, systemRandom } from '../../src/paillier/random.ts';
import { privacyStatement } from '../../src/privacy/statement.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import { jobIdSchema, type OwnerId, ownerIdSchema } from '../../src/protocol/identifiers.ts';
import { type Terms, termsOf } from '../../src/protocol/terms.ts';
import type { Failure, ModelRecord, ModelStore } from '../../src/storage/model-store.ts';
import { evaluationRows } from './evaluation.ts';
import { train } from './training.ts';
import type { ModelEvent, ModelView, PredictionView } from './views.ts';
import { viewModel } from './views.ts';

export interface ModelOwnerDependencies {
  readonly client: FacilitatorClient;
  readonly store: ModelStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Who is on the roster of models that do not name one; the owners connected to the facilitator unless given. */
  readonly roster?: readonly OwnerId[];
  /** The path of a data file whose rows every finished model predicts, instead of those in model.json. */
  readonly evaluationFile?: string;
  /** Where key pairs and noise come from; fresh ones and the system's generator unless given. */
  readonly newKeyPair?: typeof generateKeyPair;
  readonly random?: RandomBytes;
}

export interface ModelOwner {
  /** Checks a model and starts its training; resolves when that has begun. */
  start(document: unknown): Promise<ModelView>;
  models(): Promise<readonly ModelView[]>;
  model(id: string): Promise<ModelView>;
  /** Stops a training that runs, and forgets the model. */
  remove(id: string): Promise<void>;
  parameters(id: string): Promise<ReturnType<typeof parametersInDataUnits>>;
  predictRows(id: string, rows: readonly FeatureRow[]): Promise<(Prediction | null)[]>;
  /** The newest finished model's final cost and predicted values. */
  newestPrediction(): Promise<PredictionView>;
  predictions(): Promise<readonly PredictionView[]>;
  /** The way to read a model's events after a number; it still reads them to their end when the model is removed meanwhile. */
  events(id: string): Promise<(after: number) => readonly ModelEvent[]>;
  readonly bell: Bell;
  /** Resolves when no training runs any more. */
  idle(): Promise<void>;
}

export function createModelOwner(dependencies: ModelOwnerDependencies): ModelOwner {
  const { client, store, clock, log, signal } = dependencies;
  const bell = createBell();
  const running = new Map<string, { readonly stop: AbortController; readonly done: Promise<void> }>();
  const events = new Map<string, ModelEvent[]>();
  const evaluations = new Map<string, readonly (Float64Array | null)[]>();

  async function existing(id: string): Promise<ModelRecord> {
    const record = await store.get(id);
    if (record === undefined) throw new SealsumError('model_unknown', `there is no model ${id}`, { field: 'id' });
    return record;
  }

  async function finished(id: string): Promise<ModelRecord & { parameters: readonly number[] }> {
    const record = await existing(id);
    if (record.parameters === undefined)
      throw new SealsumError('model_unfinished', `model ${id} is ${record.status.replaceAll('_', ' ')}`, {
        field: 'id',
      });
    return { ...record, parameters: record.parameters };
  }

  async function tell(record: ModelRecord, type: ModelEvent['type']): Promise<void> {
    await store.save(record);
    const list = events.get(record.id) ?? [];
    const round = type === 'round' ? record.rounds.at(-1) : undefined;
    list.push({
      id: list.length + 1,
      type,
      status: record.status,
      updates: record.updates,
      planned_updates: record.plannedUpdates,
      owners: record.owners,
      ...(round === undefined ? {} : { round }),
      ...(record.failure === undefined ? {} : { failure: record.failure }),
    });
    events.set(record.id, list);
    bell.ring();
  }

  async function rosterFor(model: Model): Promise<readonly OwnerId[]> {
    const named = model.participation.roster?.map(ownerIdOf) ?? dependencies.roster;
    // Asked for in any case: a facilitator that does not answer is better known now than after the keys are made.
    const connected = await client.owners(signal);
    const roster = named ?? connected;
    const { quorum } = model.participation;
    if (roster.length >= quorum) return roster;
    const where = named === undefined ? 'connected to the facilitator' : 'on the roster';
    throw new SealsumError(
      'owners_too_few',
      `too few data owners are ${where}: ${roster.length}, and the quorum is ${quorum}; start more, or lower participation.quorum (2 at least)`,
      { field: 'participation.quorum' },
    );
  }

  /** Runs a training to its end, whatever that is, and keeps what happened. Never rejects. */
  async function run(first: ModelRecord, terms: Terms, roster: readonly OwnerId[], stop: AbortSignal): Promise<void> {
    let record = first;
    // What happens is told in order; a training never waits for its listeners.
    let told: Promise<void> = Promise.resolve();
    const change = (next: Partial<ModelRecord>, type: ModelEvent['type']): void => {
      record = { ...record, ...next };
      const now = record;
      told = told
        .then(() => tell(now, type))
        .catch((error: unknown) => {
          log.error({ err: error, model: now.id }, 'what happened could not be kept');
        });
    };
    const { id, model } = record;
    try {
      const trainer = await train({
        job: jobIdSchema.parse(id),
        model,
        terms,
        roster,
        client,
        clock,
        log,
        signal: stop,
        random: dependencies.random ?? systemRandom,
        newKeyPair: dependencies.newKeyPair ?? generateKeyPair,
        onWaiting: (owners) => {
          change(record.status === 'preparing' ? { owners, status: 'waiting_for_owners' } : { owners }, 'status');
        },
        onOpening: (round) => {
          record = { ...record, privacy: privacyStatement(terms.calibration, round) };
        },
        onRound: (report, { round: updates }) => {
          change({ status: 'training', rounds: [...record.rounds, report], updates }, 'round');
        },
      });
      const metrics = trainer.metrics;
      change(
        {
          status: 'finished',
          endedAt: clock.now(),
          parameters: [...trainer.parameters],
          ...(metrics === undefined ? {} : { metrics }),
        },
        'finished',
      );
    } catch (error) {
      const cancelled = stop.aborted;
      const known = error instanceof SealsumError ? error : undefined;
      if (!cancelled)
        log.error(
          known === undefined ? { model: id, err: error } : { model: id, code: known.code },
          `the training failed: ${known?.message ?? 'an unexpected error'}`,
        );
      const failure = cancelled ? { code: 'aborted', detail: 'the training was stopped' } : failureOf(error);
      change({ status: cancelled ? 'cancelled' : 'failed', endedAt: clock.now(), failure }, 'failed');
    }
    await told;
  }

  function predictionOf(record: ModelRecord & { parameters: readonly number[] }): PredictionView {
    const { model } = record;
    const map = compileFeatures(model);
    const rows = evaluations.get(record.id) ?? [];
    const predictions = predict(model, map, Float64Array.from(record.parameters), rows).filter((each) => each !== null);
    const metrics = record.metrics ?? { loss: Number.NaN };
    return {
      model: record.id,
      ...(model.name === undefined ? {} : { name: model.name }),
      model_type: model.model_type,
      cost: metrics.mse ?? metrics.log_loss ?? metrics.loss,
      metrics,
      predictions,
      dropped_rows: rows.length - predictions.length,
      privacy: record.privacy.guarantee,
    };
  }

  async function finishedModels(): Promise<(ModelRecord & { parameters: readonly number[] })[]> {
    return (await store.list())
      .flatMap((record) => (record.parameters === undefined ? [] : [{ ...record, parameters: record.parameters }]))
      .sort((left, right) => (left.endedAt ?? 0) - (right.endedAt ?? 0));
  }

  return {
    bell,

    start: async (document) => {
      const model = parseModel(document);
      const roster = await rosterFor(model);
      const terms = termsOf(model, roster.length);
      // Rows that cannot be predicted are refused now, not after the training.
      const rows = await evaluationRows(terms.map, model, dependencies.evaluationFile, signal);
      const id = randomUUID();
      evaluations.set(id, rows);
      const record: ModelRecord = {
        id,
        model,
        status: 'preparing',
        createdAt: clock.now(),
        owners: roster.map((owner) => ({ owner, status: 'invited' })),
        updates: 0,
        plannedUpdates: model.training.solver === 'gradient' ? model.training.rounds : 1,
        rounds: [],
        privacy: privacyStatement(terms.calibration, 0),
      };
      await tell(record, 'status');
      const stop = new AbortController();
      const done = run(record, terms, roster, AbortSignal.any([signal, stop.signal])).finally(() => {
        running.delete(record.id);
      });
      running.set(record.id, { stop, done });
      return viewModel(record);
    },

    models: async () => (await store.list()).map(viewModel),
    model: async (id) => viewModel(await existing(id)),

    remove: async (id) => {
      await existing(id);
      const training = running.get(id);
      training?.stop.abort();
      await training?.done;
      events.delete(id);
      evaluations.delete(id);
      await store.delete(id);
      bell.ring();
    },

    parameters: async (id) => {
      const { model, parameters } = await finished(id);
      return parametersInDataUnits(model, compileFeatures(model), Float64Array.from(parameters));
    },

    predictRows: async (id, rows) => {
      const { model, parameters } = await finished(id);
      const map = compileFeatures(model);
      return predict(model, map, Float64Array.from(parameters), encodeRows(map, rows));
    },

    newestPrediction: async () => {
      const newest = (await finishedModels()).at(-1);
      if (newest === undefined)
        throw new SealsumError('model_unfinished', 'no model is finished yet; GET /models shows what runs');
      return predictionOf(newest);
    },

    predictions: async () => (await finishedModels()).map(predictionOf),

    events: async (id) => {
      await existing(id);
      const list = events.get(id) ?? [];
      return (after) => list.slice(after);
    },

    idle: async () => {
      await Promise.all([...running.values()].map((training) => training.done));
    },
  };
}

/** A name on a model's roster. @throws SealsumError model_invalid */
function ownerIdOf(name: string, index: number): OwnerId {
  const parsed = ownerIdSchema.safeParse(name);
  if (parsed.success) return parsed.data;
  const field = `participation.roster[${index}]`;
  throw new SealsumError('model_invalid', `${field}: ${parsed.error.issues[0]?.message ?? 'expected a name'}`, {
    field,
  });
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof SealsumError)) return { code: 'internal', detail: 'an unexpected error; see the log' };
  return { code: error.code, detail: error.message, ...(error.field === undefined ? {} : { field: error.field }) };
}
