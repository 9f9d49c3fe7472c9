/**
 * The model owner's side of a training: takes the statistics of one round after the other until the model is fitted.
 *
 * Its state is plain numbers: a training that was interrupted goes on from `state()` as if it had not been.
 */
import { fromFixedPoint, quantise } from '../encoding/fixed-point.ts';
import { SealsumError } from '../errors.ts';
import { nextClip } from '../privacy/adaptive-clipping.ts';
import { initialParameters } from './coefficients.ts';
import { crossValidate } from './cross-validation.ts';
import { createDescent } from './descent.ts';
import { type EarlyStopping, earlyStoppingOf } from './early-stopping.ts';
import { boundedIntegers, lossFrom } from './encrypted-gradient.ts';
import type { FeatureMap } from './features.ts';
import { closingTaskOf } from './inference/closing-task.ts';
import { closingTrainer } from './inference/closing-trainer.ts';
import { defaultLevel } from './inference/level.ts';
import { type Inference, inferenceOf, unavailable } from './inference/standard-errors.ts';
import { heldOutMetricsOf, metricsOf } from './metrics.ts';
import type { GradientTraining, Model, NormalEquationsTraining } from './model.ts';
import type { PrivacySettings, ValidationSettings } from './model-types.ts';
import { leastSquaresSums, solveNormalEquations } from './normal-equations.ts';
import type { Statistics, Task } from './task.ts';
import type { Trainer, TrainerState } from './trainer-types.ts';

export type { Trainer, TrainerState } from './trainer-types.ts';

/**
 * A training of a task, before its first round.
 *
 * @param noise the standard deviation of the noise in every value of a sum, in integers at the task's scale; 0: none
 */
export function createTrainer(model: Model, map: FeatureMap, task: Task, noise = 0): Trainer {
  const { training } = model;
  const fitting =
    training.solver === 'gradient'
      ? gradientTrainer(training, map, task, model.privacy)
      : normalEquationsTrainer(training, map, task, noise);
  return withClosing(fitting, model, map);
}

function withClosing(fitting: Trainer, model: Model, map: FeatureMap, state?: TrainerState): Trainer {
  const closing = closingTaskOf(model, map);
  return closing === undefined ? fitting : closingTrainer(fitting, closing, map, state?.closing);
}

/**
 * The trainer as it was when `state` was taken, for the same model and noise.
 *
 * @throws SealsumError `plan_mismatch` for the state of another task
 */
export function restoreTrainer(model: Model, map: FeatureMap, task: Task, state: TrainerState, noise = 0): Trainer {
  const { training } = model;
  if (training.solver === 'gradient' && state.solver === 'gradient') {
    if (state.descent.parameters.length !== task.parameterCount) throw foreignState();
    return withClosing(gradientTrainer(training, map, task, model.privacy, state), model, map, state);
  }
  if (training.solver === 'normal-equations' && state.solver === 'normal-equations') {
    return withClosing(normalEquationsTrainer(training, map, task, noise, state), model, map, state);
  }
  throw foreignState();
}

function foreignState(): SealsumError {
  return new SealsumError('plan_mismatch', 'state: it was saved by a training of another model', { field: 'state' });
}

function gradientTrainer(
  training: GradientTraining,
  map: FeatureMap,
  task: Task,
  privacy: PrivacySettings | undefined,
  state?: Extract<TrainerState, { solver: 'gradient' }>,
): Trainer {
  const scale = 2 ** task.fractionBits;
  const descent = createDescent({
    settings: training,
    coefficients: task.coefficients,
    initial: initialParameters(task.coefficients, training, map),
    keep: (parameters) =>
      task.encrypted === undefined
        ? quantise(parameters, scale)
        : fromFixedPoint(boundedIntegers(parameters, task.encrypted.parameterBound, task.fractionBits), scale),
    state: state?.descent,
  });
  const { validation } = training;
  const stopping = earlyStoppingOf(validation, state?.validation);
  const adaptive = privacy?.adaptive_clip;
  let clip = adaptive === undefined ? undefined : (state?.clip ?? privacy?.clip);
  let evaluated = state?.metrics ?? undefined;
  const fitted = (): EarlyStopping['kept'] => (descent.finished ? stopping?.kept : undefined);
  return {
    get parameters() {
      const kept = fitted();
      return kept === undefined ? descent.parameters : Float64Array.from(kept.parameters);
    },
    get clip() {
      return clip;
    },
    get round() {
      return descent.round;
    },
    get finished() {
      return descent.finished;
    },
    get evaluated() {
      return evaluated;
    },
    get metrics() {
      return fitted()?.metrics ?? evaluated;
    },
    get keptRound() {
      return stopping?.kept?.round;
    },
    crossValidation: undefined,
    absorb(statistics) {
      requireOurs(task, statistics, descent.finished);
      const { parameters, round } = descent;
      const [summed, correct] = statistics.metrics;
      const loss =
        task.encrypted === undefined || summed === undefined
          ? summed
          : lossFrom(statistics.statistics, summed, parameters);
      const heldOut = validation === undefined ? {} : heldOutMetrics(validation, map, task, statistics);
      evaluated = loss === undefined ? undefined : { ...metricsOf(map, loss, correct), ...heldOut };
      const enough = evaluated !== undefined && stopping?.note({ parameters, metrics: evaluated, round });
      descent.absorb(statistics.statistics, loss, enough);
      if (adaptive !== undefined && clip !== undefined && statistics.unclipped !== undefined)
        clip = nextClip(clip, statistics.unclipped, {
          target: adaptive.quantile,
          learningRate: adaptive.learning_rate,
        });
    },
    state: () => ({
      solver: 'gradient',
      descent: descent.state(),
      metrics: evaluated ?? null,
      ...(clip === undefined ? {} : { clip }),
      ...(stopping === undefined ? {} : { validation: stopping.state() }),
    }),
  };
}

/** Of the records that are held out. @throws SealsumError `weight_zero` where there are none, or noise outweighs them */
function heldOutMetrics(
  validation: ValidationSettings,
  map: FeatureMap,
  { family, clipping }: Task,
  { weight, metrics }: Statistics,
): ReturnType<typeof heldOutMetricsOf> {
  const [share = 0, loss = 0, correct] = metrics.subarray(family.metrics.length);
  if (share * weight >= 1)
    return heldOutMetricsOf(map, loss / share, correct === undefined ? correct : correct / share);
  const [field, raise, more] =
    'fold' in validation
      ? (['training.validation.folds', 'take fewer training.validation.folds', 'fewer folds'] as const)
      : ([
          'training.validation.fraction',
          'raise training.validation.fraction',
          'more of them (training.validation.fraction)',
        ] as const);
  const why =
    clipping === undefined
      ? `no record is held out: ${raise}, or change its seed`
      : `the noise outweighs the records that are held out: ${more}, or a greater privacy.epsilon (or rho), are needed`;
  throw new SealsumError('weight_zero', `validation: ${why}`, { field });
}

function normalEquationsTrainer(
  training: NormalEquationsTraining,
  map: FeatureMap,
  task: Task,
  noise: number,
  state?: Extract<TrainerState, { solver: 'normal-equations' }>,
): Trainer {
  let fit = state?.fit ?? null;
  return {
    get parameters() {
      return Float64Array.from(fit?.parameters ?? []);
    },
    clip: undefined,
    get round() {
      return fit === null ? 0 : 1;
    },
    get finished() {
      return fit !== null;
    },
    get evaluated() {
      return fit?.metrics;
    },
    get metrics() {
      return fit?.metrics;
    },
    keptRound: undefined,
    get crossValidation() {
      return fit?.crossValidation;
    },
    get inference() {
      return fit?.inference;
    },
    absorb(statistics) {
      requireOurs(task, statistics, fit !== null);
      const { statistics: sums, weight, metrics } = statistics;
      const deviation = noise / task.scale;
      if (task.folds === 1) {
        const { parameters, ...solved } = solveNormalEquations(map, sums, weight, training, deviation);
        const inference = precisionOf(task.model, map, { sums, weight, parameters });
        fit = { ...solved, parameters: [...parameters], inference };
        return;
      }
      const records = Array.from(metrics, (share) => share * weight);
      const { parameters, total, ...solved } = crossValidate(map, { sums, records, weight }, training, deviation);
      const inference = precisionOf(task.model, map, { sums: total, weight, parameters });
      fit = { ...solved, parameters: [...parameters], inference };
    },
    state: () => ({ solver: 'normal-equations', fit }),
  };
}

/** Of normal equations, for which it costs no further round. */
function precisionOf(
  model: Model,
  map: FeatureMap,
  {
    sums,
    weight,
    parameters,
  }: { readonly sums: Float64Array; readonly weight: number; readonly parameters: Float64Array },
): Inference {
  const { privacy, training } = model;
  if (privacy !== undefined)
    return unavailable(
      'the noise of differential privacy is in the sums, and the classical formulas know nothing of it',
    );
  if (training.l1 > 0 || training.l2 > 0)
    return unavailable(
      'a penalty (training.l1, l2) shrinks the coefficients: there are standard errors of fits without one',
    );
  const summed = leastSquaresSums(map, sums, weight, parameters, model.encryption.fraction_bits);
  return inferenceOf(model, map, { ...summed, parameters, records: weight }, training.inference?.level ?? defaultLevel);
}

function requireOurs(task: Task, statistics: Statistics, finished: boolean): void {
  if (finished) {
    throw new SealsumError('plan_mismatch', 'the training is finished and takes no further statistics', {
      field: 'statistics',
    });
  }
  if (statistics.statistics.length !== task.statistics || statistics.metrics.length !== task.metrics.length) {
    throw new SealsumError(
      'plan_mismatch',
      `statistics: expected ${task.statistics} and ${task.metrics.length} metrics, ` +
        `not ${statistics.statistics.length} and ${statistics.metrics.length}`,
      { field: 'statistics' },
    );
  }
}
