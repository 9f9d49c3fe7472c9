/**
 * The model owner's side of a training: takes the statistics of one round after the other until the model is fitted.
 *
 * Its state is plain numbers: a training that was interrupted goes on from `state()` as if it had not been.
 */
import { fromFixedPoint, quantise } from '../encoding/fixed-point.ts';
import { SealsumError } from '../errors.ts';
import { nextClip } from '../privacy/adaptive-clipping.ts';
import { initialParameters } from './coefficients.ts';
import { type CrossValidation, crossValidate } from './cross-validation.ts';
import type { DescentState } from './descent.ts';
import { createDescent } from './descent.ts';
import { type EarlyStopping, type EarlyStoppingState, earlyStoppingOf } from './early-stopping.ts';
import { boundedIntegers, lossFrom } from './encrypted-gradient.ts';
import type { FeatureMap } from './features.ts';
import type { Metrics } from './metrics.ts';
import { heldOutMetricsOf, metricsOf } from './metrics.ts';
import type { GradientTraining, Model, NormalEquationsTraining } from './model.ts';
import type { PrivacySettings, ValidationSettings } from './model-types.ts';
import { solveNormalEquations } from './normal-equations.ts';
import type { StatisticsReport } from './statistics/report.ts';
import type { Statistics, Task } from './task.ts';

/** Plain data for JSON. */
export type TrainerState =
  | {
      readonly solver: 'gradient';
      readonly descent: DescentState;
      readonly metrics: Metrics | null;
      /** Where the clip adapts. */
      readonly clip?: number;
      /** Where records are held out for validation. */
      readonly validation?: EarlyStoppingState;
    }
  | {
      readonly solver: 'normal-equations';
      /** The fit, or null before it. */
      readonly fit: {
        readonly parameters: readonly number[];
        readonly metrics: Metrics;
        readonly crossValidation?: CrossValidation;
      } | null;
    }
  | { readonly solver: 'statistics'; readonly report?: StatisticsReport };

export interface Trainer {
  /**
   * Those to send for the next round (a copy; none for normal equations), and once finished the fitted ones: outputs × width
   * row by row, in scaled units, multiples of 2^−fraction_bits for the gradient solver.
   */
  readonly parameters: Float64Array;
  /** To send for the next round, where the clip adapts: scaled units, above 0. */
  readonly clip: number | undefined;
  /** Updates made: up to `training.rounds`; normal equations make one. */
  readonly round: number;
  readonly finished: boolean;
  /** Of the newest parameters that were evaluated. */
  readonly evaluated: Metrics | undefined;
  /** The same until it is finished; then of the fitted ones. */
  readonly metrics: Metrics | undefined;
  /** What a job for statistics has found. */
  readonly report?: StatisticsReport | undefined;
  /** Where records are held out: after how many updates the parameters were that have fitted these best so far. */
  readonly keptRound: number | undefined;
  /** Once finished, where the model asks for it. */
  readonly crossValidation: CrossValidation | undefined;
  /**
   * Takes a round's statistics.
   *
   * @throws SealsumError `plan_mismatch` (not this task's, or the training is finished), `matrix_singular`,
   * `number_not_finite` (the training diverged)
   */
  absorb(statistics: Statistics): void;
  state(): TrainerState;
}

/** @param noise the standard deviation of the noise in every value of a sum, in integers at the task's scale; 0: none */
export function createTrainer(model: Model, map: FeatureMap, task: Task, noise = 0): Trainer {
  const { training } = model;
  return training.solver === 'gradient'
    ? gradientTrainer(training, map, task, model.privacy)
    : normalEquationsTrainer(training, map, task, noise);
}

/** The trainer as it was when `state` was taken, for the same model and noise. */
export function restoreTrainer(model: Model, map: FeatureMap, task: Task, state: TrainerState, noise = 0): Trainer {
  const { training } = model;
  if (training.solver === 'gradient' && state.solver === 'gradient') {
    if (state.descent.parameters.length !== task.parameterCount) throw foreignState();
    return gradientTrainer(training, map, task, model.privacy, state);
  }
  if (training.solver === 'normal-equations' && state.solver === 'normal-equations') {
    return normalEquationsTrainer(training, map, task, noise, state);
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
    absorb(statistics) {
      requireOurs(task, statistics, fit !== null);
      const { statistics: sums, weight, metrics } = statistics;
      const deviation = noise / task.scale;
      if (task.folds === 1) {
        const { parameters, ...solved } = solveNormalEquations(map, sums, weight, training, deviation);
        fit = { ...solved, parameters: [...parameters] };
        return;
      }
      const records = Array.from(metrics, (share) => share * weight);
      const { parameters, ...solved } = crossValidate(map, { sums, records, weight }, training, deviation);
      fit = { ...solved, parameters: [...parameters] };
    },
    state: () => ({ solver: 'normal-equations', fit }),
  };
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
