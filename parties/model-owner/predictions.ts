/** What finished models predict: for rows that are sent, and for the evaluation rows that belong to the model owner. */
import { SealsumError } from '../../src/errors.ts';
import type { Logger } from '../../src/http/log.ts';
import { compileFeatures, encodeRows } from '../../src/learning/features.ts';
import type { FeatureRow } from '../../src/learning/fields.ts';
import { notAskedFor, type ReportedParameters } from '../../src/learning/inference/standard-errors.ts';
import type { Model } from '../../src/learning/model.ts';
import { type Prediction, parametersInDataUnits, predict } from '../../src/learning/prediction.ts';
import { isStatistics } from '../../src/learning/statistics/model.ts';
import type { ModelRecord } from '../../src/storage/model-store.ts';
import { evaluationRows } from './evaluation.ts';
import type { PredictionView } from './views.ts';

/** A record with the parameters that only finished models have. */
export type FinishedModel = ModelRecord & { readonly model: Model; readonly parameters: readonly number[] };

export function isFinished(record: ModelRecord): record is FinishedModel {
  return record.parameters !== undefined && !isStatistics(record.model);
}

export interface Predictions {
  /** Reads a model's evaluation rows. @throws SealsumError data_invalid naming line and column */
  prepare(id: string, model: Model): Promise<void>;
  /** Reads them and keeps nothing. @throws SealsumError data_invalid naming line and column */
  check(model: Model): Promise<void>;
  /** Of the evaluation rows; read again after a restart. */
  of(record: FinishedModel): Promise<PredictionView>;
  /** One prediction for every row; null for one that a missing value drops. @throws SealsumError model_invalid */
  ofRows(record: FinishedModel, rows: readonly FeatureRow[]): (Prediction | null)[];
  parametersOf(record: FinishedModel): ReportedParameters;
  forget(id: string): void;
}

export interface PredictionsOptions {
  /** The path of a data file whose rows every model predicts, instead of those in model.json. */
  readonly evaluationFile?: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Of how many models the encoded rows are kept in memory. */
const modelsRemembered = 16;

type EncodedRows = readonly (Float64Array | null)[];

export function createPredictions({ evaluationFile, log, signal }: PredictionsOptions): Predictions {
  /** By model, the one used last at the end. */
  const encoded = new Map<string, EncodedRows>();

  async function prepare(id: string, model: Model): Promise<EncodedRows> {
    const rows = encoded.get(id) ?? (await evaluationRows(compileFeatures(model), model, evaluationFile, signal));
    encoded.delete(id);
    encoded.set(id, rows);
    for (const oldest of encoded.keys()) {
      if (encoded.size <= modelsRemembered) break;
      encoded.delete(oldest);
    }
    return rows;
  }

  /** The rows, or why there are none: a file that has changed since the training is no reason to hide its cost. */
  async function rowsOf({ id, model }: FinishedModel): Promise<{ rows: EncodedRows; reason?: string }> {
    try {
      return { rows: await prepare(id, model) };
    } catch (error) {
      if (!(error instanceof SealsumError) || error.code === 'aborted') throw error;
      log.warn({ model: id, code: error.code }, `the evaluation rows cannot be predicted: ${error.message}`);
      return { rows: [], reason: error.message };
    }
  }

  return {
    prepare: async (id, model) => {
      await prepare(id, model);
    },
    check: async (model) => {
      await evaluationRows(compileFeatures(model), model, evaluationFile, signal);
    },
    of: async (record) => {
      const { id, model, privacy } = record;
      const { rows, reason } = await rowsOf(record);
      const predicted = predict(model, compileFeatures(model), Float64Array.from(record.parameters), rows);
      const predictions = predicted.filter((each) => each !== null);
      const { metrics, crossValidation } = record;
      return {
        model: id,
        ...(model.name === undefined ? {} : { name: model.name }),
        model_type: model.model_type,
        cost: metrics === undefined ? null : (metrics.mse ?? metrics.log_loss ?? metrics.loss),
        metrics: metrics ?? {},
        ...(crossValidation === undefined ? {} : { cross_validation: crossValidation }),
        predictions,
        dropped_rows: rows.length - predictions.length,
        ...(reason === undefined ? {} : { unpredictable: reason }),
        privacy: privacy.guarantee,
      };
    },
    ofRows: ({ model, parameters }, rows) => {
      const map = compileFeatures(model);
      return predict(model, map, Float64Array.from(parameters), encodeRows(map, rows));
    },
    parametersOf: ({ model, parameters, inference = notAskedFor(model) }) => ({
      ...parametersInDataUnits(model, compileFeatures(model), Float64Array.from(parameters)),
      ...inference,
    }),
    forget: (id) => {
      encoded.delete(id);
    },
  };
}
