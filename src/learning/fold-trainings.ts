/**
 * k-fold cross-validation of a model that is trained by gradients (Stone 1974): one training without each fold, whose records are held out
 * and measured, and one with all records. Normal equations need one round for all of it (cross-validation.ts).
 *
 * All k + 1 jobs are shown to every owner and charged: with privacy each has an equal share of what is promised in ρ, so that together they
 * keep it (Bun, Steinke 2016, Lemma 2.3).
 */

import { SealsumError } from '../errors.ts';
import { type CrossValidation, type FoldResult, summaryOf } from './cross-validation.ts';
import { isJsonObject, type JsonObject } from './json-object.ts';
import type { Metrics } from './metrics.ts';
import { shareOfPrivacy } from './privacy-share.ts';
import { crossValidation } from './training-schema.ts';

/** A cross-validation by gradient as trainings of its own: k + 1 of them. */
export interface FoldTrainings {
  /** The model.json of the training without each fold. */
  readonly folds: readonly JsonObject[];
  /** The one with all records. */
  readonly all: JsonObject;
}

/**
 * Takes a model.json apart.
 *
 * @returns undefined where nothing is to be cross-validated by trainings
 * @throws SealsumError model_invalid naming the field
 */
export function foldTrainingsOf(document: unknown): FoldTrainings | undefined {
  if (!isJsonObject(document) || !isJsonObject(document.training)) return undefined;
  const { cross_validation: asked, ...training } = document.training;
  const { model_type, model_visibility } = document;
  const isGradient =
    training.solver === 'gradient' || (training.solver === undefined && model_type !== 'LINEAR_REGRESSION');
  if (asked === undefined || !isGradient) return undefined;
  const refuse = (field: string, why: string): SealsumError =>
    new SealsumError('model_invalid', `${field}: ${why}`, { field });
  const parsed = crossValidation.safeParse(asked);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw refuse(
      ['training.cross_validation', ...(issue?.path ?? [])].join('.'),
      issue?.message ?? 'expected an object',
    );
  }
  if (training.validation !== undefined)
    throw refuse(
      'training.validation',
      'not beside cross_validation, which holds every fold out in turn; remove one of them',
    );
  if (model_visibility === 'encrypted')
    throw refuse(
      'training.cross_validation',
      'not on encrypted parameters: owners sum their records once, all of them; remove it',
    );
  const { folds, seed } = parsed.data;
  const privacy = shareOfPrivacy(document.privacy, 1 / (folds + 1), 'beside cross_validation; leave it out');
  const all = {
    ...document,
    ...(privacy === undefined ? {} : { privacy }),
    training: { ...training, solver: 'gradient' },
  };
  // What is to be predicted is predicted by the one with all records.
  const shared = Object.fromEntries(Object.entries(all).filter(([field]) => field !== 'evaluation'));
  // And so are standard errors and residuals.
  const examined = ['inference', 'diagnostics'];
  const fitting = Object.fromEntries(Object.entries(all.training).filter(([field]) => !examined.includes(field)));
  return {
    folds: Array.from({ length: folds }, (_fold, index) => ({
      ...shared,
      ...(typeof document.name === 'string' ? { name: `${document.name}: without fold ${index + 1}` } : {}),
      training: { ...fitting, validation: { fold: index + 1, folds, seed } },
    })),
    all,
  };
}

/** What the trainings without each fold tell, in their order. @throws SealsumError request_failed where one tells nothing of it */
export function crossValidationFrom(metrics: readonly Partial<Metrics>[]): CrossValidation {
  const folds = metrics.map((each, index): FoldResult => {
    const {
      validation_loss: loss,
      validation_mse: mse,
      validation_log_loss: logLoss,
      validation_accuracy: accuracy,
    } = each;
    if (loss === undefined)
      throw new SealsumError('request_failed', `the training without fold ${index + 1} tells nothing of that fold`);
    return {
      metrics: {
        loss,
        ...(mse === undefined ? {} : { mse }),
        ...(logLoss === undefined ? {} : { log_loss: logLoss }),
        ...(accuracy === undefined ? {} : { accuracy }),
      },
    };
  });
  return { folds, ...summaryOf(folds.map(({ metrics: each }) => each)) };
}
