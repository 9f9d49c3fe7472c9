/** What a model owner shows of a model, in snake_case as on the wire. */
import { publicOwners } from '../../src/collecting/owner-register.ts';
import type { CrossValidation } from '../../src/learning/cross-validation.ts';
import type { Diagnostics } from '../../src/learning/inference/diagnostics.ts';
import type { Metrics } from '../../src/learning/metrics.ts';
import type { Model } from '../../src/learning/model.ts';
import type { AnyModel } from '../../src/learning/model-document.ts';
import type { Training } from '../../src/learning/model-types.ts';
import type { Prediction } from '../../src/learning/prediction.ts';
import type { StatisticsModel } from '../../src/learning/statistics/model.ts';
import type { StatisticsReport } from '../../src/learning/statistics/report.ts';
import { type PrivacyStatement, privacyStatement } from '../../src/privacy/statement.ts';
import { timestamp } from '../../src/protocol/clock.ts';
import type { OwnerView } from '../../src/protocol/job-messages.ts';
import { type AnyTerms, privacyTerms } from '../../src/protocol/terms.ts';
import type { Failure, ModelRecord, ModelStatus, RoundReport } from '../../src/storage/model-store.ts';

export interface ModelView {
  readonly id: string;
  readonly name?: string;
  readonly model_type: AnyModel['model_type'];
  readonly status: ModelStatus;
  readonly created_at: string;
  readonly ended_at?: string;
  readonly owners: readonly OwnerView[];
  /** Updates of the parameters made, and planned. */
  readonly updates: number;
  readonly planned_updates: number;
  /** The newest round; a gradient training ends with one that only evaluates. */
  readonly last_round?: RoundReport;
  readonly metrics?: Metrics;
  /** Once finished, where records were held out: after how many updates the parameters were those that are kept. */
  readonly kept_update?: number;
  readonly cross_validation?: CrossValidation;
  /** Once finished, where the model asks for residuals or calibration; /models/{id}/plots draws them. */
  readonly diagnostics?: Diagnostics;
  /** Once finished: the parameters are as long as `training.parameter_bound` lets them be, and may fit better with a greater one. */
  readonly at_parameter_bound?: true;
  /** The model's settings with every default filled in, without the parameters that it began with: there may be a million. */
  readonly settings: Pick<AnyModel, 'encryption' | 'participation' | 'privacy'> &
    Partial<Pick<Model, 'training' | 'model_visibility'> & Pick<StatisticsModel, 'statistics'>>;
  readonly privacy: PrivacyStatement;
  readonly failure?: Failure;
}

export interface PredictionView {
  readonly model: string;
  readonly name?: string;
  readonly model_type: Model['model_type'];
  /**
   * The final cost: mean squared error in the target's own unit squared, or mean log-loss in nats; null where metrics stay with
   * each data owner.
   */
  readonly cost: number | null;
  readonly metrics: Partial<Metrics>;
  readonly cross_validation?: CrossValidation;
  /** Of the evaluation rows, in their order, without those that a missing value drops. */
  readonly predictions: readonly Prediction[];
  readonly dropped_rows: number;
  /** Why there are no predictions: the evaluation file does not fit the model any more. */
  readonly unpredictable?: string;
  readonly privacy: string;
}

/** The statistics that a model asked for, and what was promised and spent for them. */
export interface StatisticsView extends StatisticsReport {
  readonly model: string;
  readonly name?: string;
  readonly privacy: PrivacyStatement;
}

export function viewStatistics({ id, model, privacy }: ModelRecord, report: StatisticsReport): StatisticsView {
  return { model: id, ...(model.name === undefined ? {} : { name: model.name }), ...report, privacy };
}

export function viewModel(record: ModelRecord): ModelView {
  const { id, model, status, owners, updates, metrics, keptUpdate, crossValidation, diagnostics } = record;
  const { privacy, failure } = record;
  const { encryption, participation } = model;
  const { lastRound: last } = record;
  return {
    id,
    ...(model.name === undefined ? {} : { name: model.name }),
    model_type: model.model_type,
    status,
    created_at: timestamp(record.createdAt),
    ...(record.endedAt === undefined ? {} : { ended_at: timestamp(record.endedAt) }),
    owners: publicOwners(owners),
    updates,
    planned_updates: record.plannedUpdates,
    ...(last === undefined ? {} : { last_round: last }),
    ...(metrics === undefined ? {} : { metrics }),
    ...(keptUpdate === undefined ? {} : { kept_update: keptUpdate }),
    ...(crossValidation === undefined ? {} : { cross_validation: crossValidation }),
    ...(diagnostics === undefined ? {} : { diagnostics }),
    ...(isAtBound(record) ? { at_parameter_bound: true } : {}),
    settings: {
      ...('model_visibility' in model ? { model_visibility: model.model_visibility } : {}),
      ...('training' in model ? { training: withoutStart(model.training) } : { statistics: model.statistics }),
      encryption,
      participation,
      ...(model.privacy === undefined ? {} : { privacy: model.privacy }),
    },
    privacy,
    ...(failure === undefined ? {} : { failure }),
  };
}

function isAtBound({ model, parameters }: ModelRecord): boolean {
  if (!('training' in model) || model.training.solver !== 'gradient' || parameters === undefined) return false;
  const { parameter_bound: bound } = model.training;
  // Projected and rounded, they may be shorter than the bound by next to nothing.
  return (
    bound !== undefined && Math.sqrt(parameters.reduce((sum, value) => sum + value * value, 0)) > 0.999_999 * bound
  );
}

function withoutStart(training: Training): Training {
  if (training.solver !== 'gradient') return training;
  const { initial_parameters: start, ...settings } = training;
  return start === undefined ? training : settings;
}

/** What training a model would take, before anybody is asked. */
export interface CheckView {
  readonly name?: string;
  readonly model_type: AnyModel['model_type'];
  readonly owners: readonly string[];
  readonly quorum: number;
  readonly planned_updates: number;
  readonly key_bits: number;
  /** Of one contribution. */
  readonly ciphertexts: number;
  readonly bytes: number;
  readonly privacy: PrivacyStatement;
}

export function viewCheck(
  model: AnyModel,
  owners: readonly string[],
  terms: AnyTerms,
  plannedUpdates: number,
): CheckView {
  const { key_bits } = model.encryption;
  const { ciphertexts } = terms.plan;
  return {
    ...(model.name === undefined ? {} : { name: model.name }),
    model_type: model.model_type,
    owners,
    quorum: model.participation.quorum,
    planned_updates: plannedUpdates,
    key_bits,
    ciphertexts,
    // A ciphertext is a number below n².
    bytes: ciphertexts * ((2 * key_bits) / 8),
    privacy: privacyStatement(privacyTerms(model, terms), 0),
  };
}
