/** A model.json that asks for statistics of declared columns, as data: every field, its meaning and range. `parseStatistics` makes one. */
import type { PrivacyTarget } from '../../privacy/calibration.ts';
import type { PrivacyMode } from '../../privacy/mode.ts';
import type { LevelField, NumericField } from '../fields.ts';
import type { Delimiter, EncryptionSettings, Model, ParticipationSettings } from '../model-types.ts';

/**
 * A column and what becomes of its missing values: they are counted and left out of what needs them, or refuse the file, or drop
 * the record.
 */
export type StatisticsColumn = (NumericField | LevelField) & { readonly missing: 'count' | 'refuse' | 'drop' };

/** A column by its `name`, or by its `col_idx`. */
export type ColumnReference = string | number;

/**
 * Which bins. A bin holds its lower edge and not its upper one; the last one holds both. Columns with levels have a bin for each,
 * discrete ones without edges and bins one for each whole number.
 */
export interface HistogramRequest {
  readonly column: ColumnReference;
  /** Increasing, at least 2, in the column's own units. */
  readonly edges?: readonly number[] | undefined;
  /** So many bins of the same width over the column's range. */
  readonly bins?: number | undefined;
}

/** How much each kind counts when the allowance of privacy is divided; 1 unless given. */
export type StatisticsWeights = Readonly<Record<StatisticsKind | 'count', number>>;

/** What is asked for. Number of records and contributors always come with it. */
export interface StatisticsRequest {
  /** Mean, variance and standard deviation of each, over the records in which it is not missing. */
  readonly moments: readonly ColumnReference[];
  /** Covariance and correlation of all of these, over the records in which none of them is missing; none or at least 2. */
  readonly covariance: readonly ColumnReference[];
  readonly histograms: readonly HistogramRequest[];
  readonly contingency: readonly (readonly [ColumnReference, ColumnReference])[];
  /** Given with privacy only. */
  readonly weights?: StatisticsWeights | undefined;
}

export type StatisticsKind = Exclude<keyof StatisticsRequest, 'weights'>;

/** A model.json of the type STATISTICS, with every default filled in. */
export interface StatisticsModel {
  readonly name?: string | undefined;
  readonly model_type: 'STATISTICS';
  readonly data_props: {
    /** Which of its data sets every owner takes, by name. */
    readonly dataset?: string | undefined;
    readonly header: boolean;
    readonly delimiter?: Delimiter | undefined;
    readonly columns: readonly StatisticsColumn[];
  };
  readonly statistics: StatisticsRequest;
  readonly encryption: EncryptionSettings;
  readonly participation: ParticipationSettings;
  /** Absent: no differential privacy. */
  readonly privacy?: (PrivacyMode & PrivacyTarget) | undefined;
}

export function isStatistics(model: StatisticsModel | Model): model is StatisticsModel {
  return model.model_type === 'STATISTICS';
}
