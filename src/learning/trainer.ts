/**
 * The model owner's side of a training: takes the statistics of one round after the other until the model is fitted.
 *
 * Its state is plain numbers: a training that was interrupted goes on from `state()` as if it had not been.
 */
import { quantise } from '../encoding/fixed-point.ts';
import { SealsumError } from '../errors.ts';
import { nextClip } from '../privacy/adaptive-clipping.ts';
import type { DescentState } from './descent.ts';
import { createDescent } from './descent.ts';
import type { FeatureMap } from './features.ts';
import type { Metrics } from './metrics.ts';
import { metricsOf } from './metrics.ts';
import type { GradientTraining, Model, NormalEquationsTraining } from './model.ts';
import type { PrivacySettings } from './model-types.ts';
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
    }
  | {
      readonly solver: 'normal-equations';
      /** The fit, or null before it. */
      readonly fit: { readonly parameters: readonly number[]; readonly metrics: Metrics } | null;
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
  /** Of the newest parameters that were evaluated; once finished, of the fitted ones. */
  readonly metrics: Metrics | undefined;
  /** What a job for statistics has found. */
  readonly report?: StatisticsReport | undefined;
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
  const descent = createDescent(
    training,
    task.parameterCount,
    task.width,
    (parameters) => quantise(parameters, scale),
    state?.descent,
  );
  const adaptive = privacy?.adaptive_clip;
  let clip = adaptive === undefined ? undefined : (state?.clip ?? privacy?.clip);
  let metrics = state?.metrics ?? undefined;
  return {
    get parameters() {
      return descent.parameters;
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
    get metrics() {
      return metrics;
    },
    absorb(statistics) {
      requireOurs(task, statistics, descent.finished);
      const [loss, correct] = statistics.metrics;
      metrics = loss === undefined ? undefined : metricsOf(map, loss, correct);
      descent.absorb(statistics.statistics, loss);
      if (adaptive !== undefined && clip !== undefined && statistics.unclipped !== undefined)
        clip = nextClip(clip, statistics.unclipped, {
          target: adaptive.quantile,
          learningRate: adaptive.learning_rate,
        });
    },
    state: () => ({
      solver: 'gradient',
      descent: descent.state(),
      metrics: metrics ?? null,
      ...(clip === undefined ? {} : { clip }),
    }),
  };
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
    get metrics() {
      return fit?.metrics;
    },
    absorb(statistics) {
      requireOurs(task, statistics, fit !== null);
      const deviation = noise / task.scale;
      const solved = solveNormalEquations(map, statistics.statistics, statistics.weight, training.l2, deviation);
      fit = { parameters: [...solved.parameters], metrics: solved.metrics };
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
