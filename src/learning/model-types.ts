/** model.json as data: every field, its meaning, unit and range. `parseModel` (model.ts) makes one. */
import type { Rounding } from '../encoding/quantisation.ts';
import type { PrivacyMode } from '../privacy/mode.ts';
import type { Feature, FeatureRow, Target } from './fields.ts';

export type ModelType = 'LINEAR_REGRESSION' | 'LOGISTIC_REGRESSION' | 'SOFTMAX_REGRESSION';
export type Delimiter = ',' | ';' | '\t';

export interface DataProperties {
  /** Which of its data sets every owner takes, by name; the one of its configuration, or its only one, when it is not given. */
  readonly dataset?: string | undefined;
  /** Whether the first line of the data file holds the names of the columns. */
  readonly header: boolean;
  /** Found from the first line of the file when it is not given. */
  readonly delimiter?: Delimiter | undefined;
  readonly features: readonly Feature[];
  readonly target: Target;
}

interface Penalties {
  /** Weight λ₁ of the penalty λ₁·‖θ‖₁ beside the mean loss, intercepts left out; gives exact zeros. */
  readonly l1: number;
  /** Weight λ₂ of the penalty λ₂/2·‖θ‖² beside the mean loss, intercepts left out. */
  readonly l2: number;
}

/** Every record is in one of the folds, by its content and the seed (division.ts). */
export interface CrossValidationSettings {
  /** How many; 2 to 20. */
  readonly folds: number;
  readonly seed: number;
}

/** Standard errors and intervals (inference/standard-errors.ts). */
export interface InferenceSettings {
  /** The share of repetitions in which an interval covers what it is about; above 0, below 1. */
  readonly level: number;
}

/** Residuals or calibration in bins, from a round of their own (inference/closing-task.ts). */
export interface DiagnosticsSettings {
  /** 2 to 100. */
  readonly bins: number;
}

/** What is asked for beside the fit. */
interface Examination {
  /** Absent: for normal equations intervals of 95 %, which cost nothing; for the gradient solver none. */
  readonly inference?: InferenceSettings | undefined;
  /** Absent: none. */
  readonly diagnostics?: DiagnosticsSettings | undefined;
}

/** One round that sums XᵀX, Xᵀy and yᵀy exactly, then a solve; linear regression only. */
export interface NormalEquationsTraining extends Penalties, Examination {
  readonly solver: 'normal-equations';
  /** Absent: none. Each fold is summed by itself: the fits without one, and how they fit it, follow from the same round. */
  readonly cross_validation?: CrossValidationSettings | undefined;
}

/** Parameters to begin with, as `GET /models/{id}/parameters` gives them. */
export interface InitialParameters {
  /** All columns of the model, each once, in any order. */
  readonly columns: readonly string[];
  /** One for each column; for softmax one row per class. */
  readonly coefficients: readonly number[] | readonly (readonly number[])[];
  /** Classifiers: those of the target, in its order. */
  readonly classes?: readonly string[] | undefined;
  /** Whether they are in the units of the data file, or of columns scaled to [−1, 1]. */
  readonly units: 'data' | 'scaled';
}

/** Records that are not trained on, by their content and the seed (division.ts), and how they end the training. */
export interface EarlyStoppingSettings {
  /** The expected share of records; 0.05 to 0.5. */
  readonly fraction: number;
  /** Stop when their loss has not improved for so many rounds. */
  readonly patience: number;
  /** By how much the loss (of the scaled problem, as `metrics.validation_loss`) must fall to count as improved. */
  readonly minimum_improvement: number;
  readonly seed: number;
}

/** One fold of records that are not trained on and end nothing: its metrics at the last parameters are what is asked for. */
export interface HeldOutFold {
  /** Counted from 1. */
  readonly fold: number;
  /** How many there are; 2 to 20. */
  readonly folds: number;
  readonly seed: number;
}

export type ValidationSettings = EarlyStoppingSettings | HeldOutFold;

export interface GradientTraining extends Penalties, Examination {
  readonly solver: 'gradient';
  /** Updates; one more round evaluates the final parameters. */
  readonly rounds: number;
  readonly optimizer: 'sgd' | 'momentum' | 'adam';
  readonly learning_rate: number;
  /** With the optimizer `momentum` only: the share of the last step that is kept, in [0, 1). */
  readonly momentum?: number | undefined;
  /** Stop when the objective has not improved by tolerance·max(1, |best|) for `patience` rounds; 0 never stops early. */
  readonly tolerance: number;
  readonly patience: number;
  /** Absent: zeros. */
  readonly initial_parameters?: InitialParameters | undefined;
  /** Names of columns, or of nominal features for all of their columns, whose coefficients stay as they were at first. */
  readonly freeze?: readonly string[] | undefined;
  /** R: parameters (scaled units, intercept included) are projected onto this length; given if and only if they are encrypted. */
  readonly parameter_bound?: number | undefined;
  readonly validation?: ValidationSettings | undefined;
}

export type Training = NormalEquationsTraining | GradientTraining;

export interface EncryptionSettings {
  readonly key_bits: number;
  /** Bits after the binary point of every number that is encrypted. */
  readonly fraction_bits: number;
  /** Bits of every integer that an owner sends, the sign included; absent: as many as `fraction_bits` and the bounds need. */
  readonly quantization_bits?: 8 | 16 | 24 | 32 | undefined;
  /** How they are rounded; given if and only if `quantization_bits` are. */
  readonly rounding?: Rounding | undefined;
  /** The greatest magnitude in the mean of an owner's gradients; given if and only if `quantization_bits` are, and no privacy. */
  readonly quantization_range?: number | undefined;
}

export interface ParticipationSettings {
  /** The least number of contributors of a round. */
  readonly quorum: number;
  readonly deadline_seconds: number;
  /** How long the first round waits for owners that have not answered; absent: as long as a round would. */
  readonly answer_seconds?: number | undefined;
  /** How many owners must be ready before the first round; absent: it waits until all have answered. */
  readonly target_owners?: number | undefined;
  /** Who may contribute; whoever the facilitator enrols unless given. */
  readonly roster?: readonly string[] | undefined;
  /** The most records one owner may have; the plan's bounds rest on it. */
  readonly max_records: number;
}

/** A clip that follows a quantile of the owners' norms (src/privacy/adaptive-clipping.ts). */
export interface AdaptiveClipSettings {
  /** The fraction of owners that should remain unclipped, in [0, 1]. */
  readonly quantile: number;
  /** The clip's logarithm moves by at most this much in a round; above 0, at most 10. */
  readonly learning_rate: number;
  /** The standard deviation of the noise on the number of unclipped owners; a twentieth of the quorum unless given. */
  readonly count_noise: number;
}

interface ClippingSettings {
  /** The L2 norm (scaled units) to which every unit's statistics are clipped; in the first round, where it adapts. */
  readonly clip: number;
  /** Absent: the clip is the same in every round. */
  readonly adaptive_clip?: AdaptiveClipSettings | undefined;
  /** Whether loss and accuracy are summed and noised with the rest, or stay with each owner. */
  readonly metrics: 'summed' | 'local';
}

type PrivacyTarget =
  | { readonly epsilon: number; readonly delta: number }
  | { readonly rho: number; readonly delta?: number };

/** Differential privacy. */
export type PrivacySettings = PrivacyMode & ClippingSettings & PrivacyTarget;

/**
 * A model.json of a training, with every default filled in; the README has a table of the fields. Made by `parseModel`.
 */
export interface Model {
  readonly name?: string | undefined;
  readonly model_type: ModelType;
  /** Whether owners see the parameters of every round; absent: as with `plain` they do. */
  readonly model_visibility?: 'plain' | 'encrypted' | undefined;
  readonly data_props: DataProperties;
  readonly training: Training;
  readonly encryption: EncryptionSettings;
  readonly participation: ParticipationSettings;
  /** Absent: no differential privacy. */
  readonly privacy?: PrivacySettings | undefined;
  /** Rows to predict when training is finished. */
  readonly evaluation?: { readonly rows: readonly FeatureRow[] } | undefined;
}

/** A model before the defaults of the clip, which depend on other fields. */
export type ParsedModel = Omit<Model, 'privacy'> & {
  readonly privacy?:
    | (PrivacyMode &
        PrivacyTarget &
        Pick<ClippingSettings, 'metrics'> & {
          readonly clip?: number | undefined;
          readonly adaptive_clip?:
            | (Omit<AdaptiveClipSettings, 'count_noise'> & { readonly count_noise?: number | undefined })
            | undefined;
        })
    | undefined;
};
