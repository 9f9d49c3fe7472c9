/**
 * What a model owner does: checks a model.json, trains it with the data owners, keeps what came out, and predicts. Everything
 * that it must not forget is in its store before anybody hears of it: a process that ends at any point goes on at the next start.
 */

import { generateNewKey, type NewKeySource } from '../../src/collecting/new-key.ts';
import { SealsumError } from '../../src/errors.ts';
import { type Bell, createBell } from '../../src/http/bell.ts';
import type { FacilitatorClient } from '../../src/http/facilitator-client.ts';
import type { Logger } from '../../src/http/log.ts';
import type { FeatureRow } from '../../src/learning/fields.ts';
import type { ReportedParameters } from '../../src/learning/inference/standard-errors.ts';
import { type AnyModel, parseDocument, requireTrained } from '../../src/learning/model-document.ts';
import type { Prediction } from '../../src/learning/prediction.ts';
import { isStatistics } from '../../src/learning/statistics/model.ts';
import { type RandomBytes, systemRandom } from '../../src/paillier/random.ts';
import { privacyStatement } from '../../src/privacy/statement.ts';
import { type Checkpoint, noCheckpoint } from '../../src/protocol/checkpoints.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import { jobIdSchema, type OwnerId, type PartyId } from '../../src/protocol/identifiers.ts';
import type { Identity } from '../../src/protocol/identity.ts';
import type { Parties } from '../../src/protocol/parties.ts';
import { privacyTerms, termsOf } from '../../src/protocol/terms.ts';
import type {
  ModelEventRecord,
  ModelRecord,
  ModelStore,
  RoundReport,
  RoundsPage,
  TrainingRecord,
} from '../../src/storage/model-store.ts';
import type { ThreadPool } from '../../src/threads/pool.ts';
import type { Reach } from './checkpoints.ts';
import { type CardFormat, type ExportedFile, type ExportFormat, exportCard, exportModel, program } from './exports.ts';
import { createFacilitatorContact, shortPatience } from './facilitator-contact.ts';
import { openJobKeys } from './job-keys.ts';
import { openJournal } from './journal.ts';
import { type Measures, noMeasures } from './measures.ts';
import { modelCard } from './model-card.ts';
import { type PlotName, plotOf } from './plots.ts';
import { createPredictions, type FinishedModel, isFinished } from './predictions.ts';
import { rosterOf } from './roster.ts';
import { createTrainings } from './trainings.ts';
import {
  type CheckView,
  type ModelView,
  type PredictionView,
  type StatisticsView,
  viewCheck,
  viewModel,
  viewStatistics,
} from './views.ts';

export interface ModelOwnerDependencies {
  /** Whose name stands under its jobs and rounds. */
  readonly identity: Identity;
  /** Who belongs, now. */
  readonly parties: () => Parties;
  /** The name of the facilitator that its jobs are proposed to. */
  readonly facilitator: PartyId;
  /** A client of that facilitator whose requests are repeated for so many milliseconds. */
  readonly connect: (patience: number) => FacilitatorClient;
  readonly store: ModelStore;
  /** 32 bytes, under which private keys are sealed in the store. */
  readonly storageKey: Uint8Array;
  readonly clock: Clock;
  readonly log: Logger;
  /** Aborts when the process stops: trainings are parked then. */
  readonly signal: AbortSignal;
  /** Who is on the roster of models that do not name one; every data owner that belongs unless given. */
  readonly roster?: readonly OwnerId[];
  /** The path of a data file whose rows every finished model predicts, instead of those in model.json. */
  readonly evaluationFile?: string;
  /** Where key pairs come from; fresh ones unless given. */
  readonly newKey?: NewKeySource;
  /** Where everything else that is random comes from; the system's generator unless given. */
  readonly random?: RandomBytes;
  /** Threads for what takes long; none unless given. */
  readonly pool?: ThreadPool;
  readonly measures?: Measures;
  readonly checkpoint?: Checkpoint;
}

export interface ModelOwner {
  /**
   * Goes on with every training that was under way when the process ended.
   *
   * @throws SealsumError identity_invalid when the keys of one were sealed by another identity: nothing is begun then
   */
  start(): Promise<void>;
  /** Checks a model and starts its training; resolves when that has begun. */
  train(document: unknown): Promise<ModelView>;
  models(): Promise<readonly ModelView[]>;
  model(id: string): Promise<ModelView>;
  /** What training a model would take. @throws SealsumError as train() does for the model, and asks nobody */
  check(document: unknown): Promise<CheckView>;
  /** The rounds of a model that were summed. @throws SealsumError model_unknown */
  rounds(id: string, page: RoundsPage): Promise<readonly RoundReport[]>;
  /**
   * Stops a training that runs, and forgets the model.
   *
   * @throws SealsumError model_unknown; facilitator_unreachable when the facilitator has not heard of the end: the model stays
   *   until it has
   */
  remove(id: string): Promise<void>;
  /** What a model that asks for statistics has found. @throws SealsumError model_invalid for one that is trained */
  statistics(id: string): Promise<StatisticsView>;
  /** @throws SealsumError model_invalid for a model that asks for statistics, here and where rows are predicted */
  parameters(id: string): Promise<ReportedParameters>;
  /**
   * An SVG page; the loss while the model is trained too.
   *
   * @throws SealsumError model_unknown; model_unfinished where there is nothing to draw yet; model_invalid where there never will be
   */
  plot(id: string, name: PlotName): Promise<string>;
  /** Of the evaluation rows, with the final cost. */
  predictionOf(id: string): Promise<PredictionView>;
  predictRows(id: string, rows: readonly FeatureRow[]): Promise<(Prediction | null)[]>;
  /** A finished model as a file. @throws SealsumError model_unfinished; model_invalid for one that asks for statistics, here and for its card */
  export(id: string, format: ExportFormat): Promise<ExportedFile>;
  card(id: string, format: CardFormat): Promise<ExportedFile>;
  /** The newest finished model's final cost and predicted values. */
  newestPrediction(): Promise<PredictionView>;
  predictions(): Promise<readonly PredictionView[]>;
  /**
   * The way to read a model's events after a number, some at a time; the bell rings when there are more. It still reads the
   * last one when the model is removed meanwhile.
   */
  events(id: string): Promise<(after: number) => Promise<readonly ModelEventRecord[]>>;
  readonly bell: Bell;
  /** Whether the facilitator has answered lately, asked now if nobody has for a while. */
  reachesFacilitator(): Promise<boolean>;
  /** Resolves when no training runs any more. */
  idle(): Promise<void>;
}

/** Events of a model that are read at a time. */
const eventsAtATime = 1000;

export function createModelOwner(dependencies: ModelOwnerDependencies): ModelOwner {
  const { connect, store, clock, log, signal, evaluationFile } = dependencies;
  const { random = systemRandom, checkpoint = noCheckpoint, measures = noMeasures } = dependencies;
  const reach: Reach = checkpoint;
  const bell = createBell();
  const predictions = createPredictions({ log, signal, ...(evaluationFile === undefined ? {} : { evaluationFile }) });
  const contact = createFacilitatorContact({ connect, clock, signal });
  const trainings = createTrainings({
    ...dependencies,
    newKey: dependencies.newKey ?? generateNewKey,
    random,
    measures,
    reach,
    bell,
    onContact: () => {
      contact.note(true);
    },
  });
  /** Of each model whose events somebody reads: its last event, once it has been removed. */
  const readers = new Map<string, { last?: ModelEventRecord }>();

  async function existing(id: string): Promise<ModelRecord> {
    const record = await store.get(id);
    if (record === undefined) throw new SealsumError('model_unknown', `there is no model ${id}`, { field: 'id' });
    return record;
  }

  /** @param lacks what is asked of it and only a model that is trained has */
  async function finished(id: string, lacks: string): Promise<FinishedModel> {
    const record = await existing(id);
    requireTrained(record.model, lacks);
    if (isFinished(record)) return record;
    throw unfinished(record);
  }

  async function finishedModels(): Promise<FinishedModel[]> {
    const all = await store.list();
    return all.filter(isFinished).sort((left, right) => (left.endedAt ?? 0) - (right.endedAt ?? 0));
  }

  async function readToTheEnd(id: string, reader: { last?: ModelEventRecord }): Promise<void> {
    for (;;) {
      const last = (await store.events(id, reader.last?.id ?? 0, eventsAtATime)).at(-1);
      if (last === undefined) return;
      reader.last = last;
    }
  }

  return {
    bell,

    start: async () => {
      const found = await Promise.all((await store.list()).map(({ id }) => store.training(id)));
      const underWay = found.filter((training) => training !== undefined);
      // With the wrong key nothing is begun: a training whose keys do not open would fail and lose them.
      for (const { id, proposal } of underWay)
        if (proposal !== undefined) openJobKeys(jobIdSchema.parse(id), proposal.sealedKeys, dependencies.storageKey);
      for (const { id } of underWay) trainings.run(id, true);
    },

    train: async (document) => {
      const model = parseDocument(document);
      const roster = rosterOf(model, dependencies.roster, dependencies.parties());
      // A facilitator that does not answer is better known now than after the keys are made.
      await connect(shortPatience).owners(signal);
      contact.note(true);
      const terms = termsOf(model, roster.length);
      const id = randomId(random);
      // Rows that cannot be predicted are refused now, not after the training.
      if (!isStatistics(model)) await predictions.prepare(id, model);
      const record: ModelRecord = {
        id,
        model,
        status: 'preparing',
        createdAt: clock.now(),
        owners: roster.map((owner) => ({ owner, status: 'invited' })),
        updates: 0,
        plannedUpdates: plannedUpdates(model),
        privacy: privacyStatement(privacyTerms(model, terms), 0),
      };
      const training: TrainingRecord = { id, roster, round: 0, opened: 0 };
      reach('model-owner.start.checked');
      await openJournal(store, bell, record, training).commit({
        model: record,
        training,
        event: 'status',
        audit: [{ type: 'training.started', details: { owners: roster.length } }],
      });
      reach('model-owner.start.committed');
      trainings.run(id, false);
      return viewModel(record);
    },

    models: async () => (await store.list()).map(viewModel),
    model: async (id) => viewModel(await existing(id)),
    check: async (document) => {
      const model = parseDocument(document);
      const roster = rosterOf(model, dependencies.roster, dependencies.parties());
      const terms = termsOf(model, roster.length);
      if (!isStatistics(model)) await predictions.check(model);
      return viewCheck(model, roster, terms, plannedUpdates(model));
    },
    rounds: async (id, page) => {
      await existing(id);
      return store.rounds(id, page);
    },

    remove: async (id) => {
      await existing(id);
      await trainings.cancel(id);
      reach('model-owner.removal.stopped');
      const reader = readers.get(id);
      if (reader !== undefined) await readToTheEnd(id, reader);
      await store.delete(id, [{ type: 'model.deleted', job: id }]);
      reach('model-owner.removal.committed');
      readers.delete(id);
      predictions.forget(id);
      bell.ring();
    },

    statistics: async (id) => {
      const record = await existing(id);
      if (!isStatistics(record.model))
        throw new SealsumError('model_invalid', `model_type: ${record.model.model_type} asks for no statistics`, {
          field: 'model_type',
        });
      if (record.report === undefined) throw unfinished(record);
      return viewStatistics(record, record.report);
    },
    parameters: async (id) => predictions.parametersOf(await finished(id, 'parameters')),
    plot: async (id, name) => {
      const record = await existing(id);
      return plotOf(name, record, name === 'loss' ? await store.rounds(id) : []);
    },
    predictionOf: async (id) => predictions.of(await finished(id, 'predictions')),
    predictRows: async (id, rows) => predictions.ofRows(await finished(id, 'predictions'), rows),
    export: async (id, format) => exportModel(await finished(id, 'parameters to export'), format),
    card: async (id, format) => {
      const record = await finished(id, 'model card');
      const card = modelCard(record, await store.rounds(id), predictions.parametersOf(record), program);
      return exportCard(record, card, format);
    },

    newestPrediction: async () => {
      const newest = (await finishedModels()).at(-1);
      if (newest === undefined)
        throw new SealsumError('model_unfinished', 'no model is finished yet; GET /models shows what runs');
      return predictions.of(newest);
    },

    predictions: async () => {
      const views: PredictionView[] = [];
      for (const record of await finishedModels()) views.push(await predictions.of(record));
      return views;
    },

    events: async (id) => {
      await existing(id);
      const reader = readers.get(id) ?? {};
      readers.set(id, reader);
      return async (after) => {
        const page = await store.events(id, after, eventsAtATime);
        const { last } = reader;
        if (page.length === 0 && last !== undefined && last.id > after) return [last];
        // There may be more: whoever waits for the bell is to ask again.
        if (page.length === eventsAtATime) bell.ring();
        return page;
      };
    },

    reachesFacilitator: () => contact.stands(),

    idle: () => trainings.idle(),
  };
}

function unfinished({ id, status }: ModelRecord): SealsumError {
  return new SealsumError('model_unfinished', `model ${id} is ${status.replaceAll('_', ' ')}`, { field: 'id' });
}

function plannedUpdates(model: AnyModel): number {
  return 'training' in model && model.training.solver === 'gradient' ? model.training.rounds : 1;
}

/** A UUID of version 4 (RFC 9562). */
function randomId(random: RandomBytes): string {
  const bytes = Buffer.from(random(16));
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
