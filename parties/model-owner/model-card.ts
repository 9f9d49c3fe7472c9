/**
 * A model card (Mitchell et al. 2019): what a finished model is, from which data and whose, how it was fitted, how well it fits, what
 * is promised of the records behind it, and by which digests those who took part find their rounds again. Nothing is in it that
 * the model owner does not show already.
 */
import type { CrossValidation } from '../../src/learning/cross-validation.ts';
import type { Feature, Target } from '../../src/learning/fields.ts';
import type { ReportedParameters } from '../../src/learning/inference/standard-errors.ts';
import type { Metrics } from '../../src/learning/metrics.ts';
import type { ModelType } from '../../src/learning/model.ts';
import type { PrivacyStatement } from '../../src/privacy/statement.ts';
import { timestamp } from '../../src/protocol/clock.ts';
import type { OwnerView } from '../../src/protocol/job-messages.ts';
import type { RoundDigests, RoundReport } from '../../src/storage/model-store.ts';
import type { FinishedModel } from './predictions.ts';
import { type ModelView, viewModel } from './views.ts';

/** Names as on the wire. */
export interface ModelCard {
  readonly model: string;
  readonly name?: string;
  readonly model_type: ModelType;
  readonly program: string;
  readonly created_at: string;
  readonly finished_at: string;
  readonly data: {
    readonly dataset?: string;
    readonly features: readonly Feature[];
    readonly target: Target;
  };
  readonly settings: ModelView['settings'];
  /** Who was asked, and what they answered at last. */
  readonly owners: readonly OwnerView[];
  readonly updates: number;
  readonly metrics?: Metrics;
  readonly kept_update?: number;
  readonly cross_validation?: CrossValidation;
  readonly privacy: PrivacyStatement;
  readonly rounds: readonly CardRound[];
  /** Absent where data owners are not to see them. */
  readonly parameters?: ReportedParameters;
  readonly limitations: readonly string[];
}

export interface CardRound {
  readonly round: number;
  readonly contributors: number;
  /** Absent of a round that an older version kept. */
  readonly digests?: RoundDigests;
}

/** @param program what writes it, such as `sealsum 0.1.0` */
export function modelCard(
  record: FinishedModel,
  rounds: readonly RoundReport[],
  parameters: ReportedParameters,
  program: string,
): ModelCard {
  const view = viewModel(record);
  const { dataset, features, target } = record.model.data_props;
  const hidden = record.model.model_visibility === 'encrypted';
  return {
    model: record.id,
    ...(view.name === undefined ? {} : { name: view.name }),
    model_type: record.model.model_type,
    program,
    created_at: view.created_at,
    finished_at: timestamp(record.endedAt ?? record.createdAt),
    data: { ...(dataset === undefined ? {} : { dataset }), features, target },
    settings: view.settings,
    owners: view.owners,
    updates: view.updates,
    ...(view.metrics === undefined ? {} : { metrics: view.metrics }),
    ...(view.kept_update === undefined ? {} : { kept_update: view.kept_update }),
    ...(view.cross_validation === undefined ? {} : { cross_validation: view.cross_validation }),
    privacy: view.privacy,
    rounds: rounds.map(({ round, contributors, digests }) => ({
      round,
      contributors,
      ...(digests === undefined ? {} : { digests }),
    })),
    ...(hidden ? {} : { parameters }),
    limitations: limitationsOf(record, view, rounds),
  };
}

/** Of all rounds: the least and the greatest number of contributors. */
export function contributorsOf(rounds: readonly Pick<CardRound, 'contributors'>[]): {
  readonly least: number;
  readonly most: number;
} {
  let [least, most] = [rounds[0]?.contributors ?? 0, 0];
  for (const { contributors } of rounds) {
    least = Math.min(least, contributors);
    most = Math.max(most, contributors);
  }
  return { least, most };
}

function limitationsOf(
  { model }: FinishedModel,
  { metrics, cross_validation: crossed, at_parameter_bound: atBound, owners }: ModelView,
  rounds: readonly RoundReport[],
): string[] {
  const { features } = model.data_props;
  const measured = metrics ?? {};
  const heldOut = crossed !== undefined || Object.keys(measured).some((name) => name.startsWith('validation_'));
  const absent = owners.filter(({ status }) => status !== 'ready').map(({ owner }) => owner);
  const { least, most } = contributorsOf(rounds);
  return [
    'It adds up one term for each column: how columns act together is in it only where a column says so.',
    'Its coefficients tell what goes together in the records of these data owners, not what causes what.',
    'It says nothing of values out of the declared ranges or of undeclared levels: they are refused.',
    ...(features.some(({ missing }) => missing === 'drop')
      ? ['Records with missing values in columns that say "drop" were left out; what is true of them may differ.']
      : []),
    ...(features.some(({ missing }) => missing !== 'drop' && missing !== 'refuse')
      ? ['Missing values in some columns were replaced by a declared one, as if it had been measured.']
      : []),
    ...(metrics === undefined
      ? ['How well it fits is known to each data owner for its own records only.']
      : heldOut
        ? []
        : ['Its metrics are of the records that it was fitted to; it may do worse on others.']),
    ...(model.privacy === undefined
      ? []
      : ['Coefficients and metrics come from sums with noise: differences smaller than the noise mean nothing.']),
    'Each data owner checked its own records; nobody else has seen them, and false values within the ranges are not found.',
    ...(absent.length === 0
      ? []
      : [`Records of ${absent.join(', ')} may be missing from it, or from its last rounds.`]),
    ...(least === most ? [] : [`Not all rounds had the same contributors: from ${least} to ${most} of them.`]),
    ...(atBound === true
      ? ['Its parameters are as long as training.parameter_bound lets them be: it may fit better with a greater one.']
      : []),
  ];
}
