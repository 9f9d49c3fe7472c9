/** What a trainer is and keeps, whatever is trained (trainer.ts). */
import type { CrossValidation } from './cross-validation.ts';
import type { DescentState } from './descent.ts';
import type { EarlyStoppingState } from './early-stopping.ts';
import type { Diagnostics } from './inference/diagnostics.ts';
import type { Inference } from './inference/standard-errors.ts';
import type { Metrics } from './metrics.ts';
import type { StatisticsReport } from './statistics/report.ts';
import type { Statistics } from './task.ts';

/** What the closing round has told; plain data for JSON. */
export interface ClosingReport {
  readonly inference?: Inference;
  readonly diagnostics?: Diagnostics;
}

/** Plain data for JSON. */
export type TrainerState = FittingState & {
  /** What the closing round has told, where there is one. */
  readonly closing?: ClosingReport;
};

type FittingState =
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
        readonly inference?: Inference;
      } | null;
    }
  | { readonly solver: 'statistics'; readonly report?: StatisticsReport };

/** A training that takes one sum after the other. */
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
  /** Once finished: how precise the coefficients are, or why that is not known; undefined where nothing asked for it. */
  readonly inference?: Inference | undefined;
  /** Residuals or calibration, where the model asks for them. */
  readonly diagnostics?: Diagnostics | undefined;
  /** Whether the next round is the closing one: its parameters and statistics are those of the closing task. */
  readonly closing?: boolean;
  /**
   * Takes a round's statistics.
   *
   * @throws SealsumError `plan_mismatch` (not this task's, or the training is finished), `matrix_singular`,
   * `number_not_finite` (the training diverged)
   */
  absorb(statistics: Statistics): void;
  state(): TrainerState;
}
