/** model.json as data: every field, its meaning, unit and range. `parseModel` (model.ts) makes one. */
import type { Rounding } from '../encoding/quantisation.ts';
import type { PrivacyMode } from '../privacy/mode.ts';
import type { Feature, FeatureRow, Target } from './fields.ts';

export type ModelType = 'LINEAR_REGRESSION' | 'LOGISTIC_REGRESSION' | 'SOFTMAX_REGRESSION';
export type Delimiter = ',' | ';' | '\t';

export interface DataProperties {
  /** Whether the first line of the data file holds the names of the columns. */
  readonly header: boolean;
  /** Found from the first line of the file when it is not given. */
  readonly delimiter?: Delimiter | undefined;
  readonly features: readonly Feature[];
  readonly target: Target;
}

/** One round that sums XᵀX, Xᵀy and yᵀy exactly, then a Cholesky solve; linear regression only. */
export interface NormalEquationsTraining {
  readonly solver: 'normal-equations';
  /** Weight λ of the penalty λ/2·‖θ‖² beside the mean of squared error/2, intercept left out; 0 for ordinary least squares. */
  readonly l2: number;
}

export interface GradientTraining {
  readonly solver: 'gradient';
  /** Updates; one more round evaluates the final parameters. */
  readonly rounds: number;
  readonly optimizer: 'sgd' | 'momentum' | 'adam';
  readonly learning_rate: number;
  /** With the optimizer `momentum` only: the share of the last step that is kept, in [0, 1). */
  readonly momentum?: number | undefined;
  /** Weight λ of the penalty λ/2·‖θ‖² beside the mean loss, intercepts left out. */
  readonly l2: number;
  /** Stop when the objective has not improved by tolerance·max(1, |best|) for `patience` rounds; 0 never stops early. */
  readonly tolerance: number;
  readonly patience: number;
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

export interface Model {
  readonly name?: string | undefined;
  readonly model_type: ModelType;
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
