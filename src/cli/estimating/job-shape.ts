/** The jobs of a model.json as they are, and the part of one that is tried: with fewer owners, records or columns where all of them would take too long. */
import type { Plan } from '../../encoding/plan.ts';
import { SealsumError } from '../../errors.ts';
import { foldTrainingsOf } from '../../learning/fold-trainings.ts';
import { isJsonObject, type JsonObject } from '../../learning/json-object.ts';
import { type AnyModel, parseDocument } from '../../learning/model-document.ts';
import { isStatistics } from '../../learning/statistics/model.ts';
import type { Estimate } from '../../learning/statistics/moments.ts';
import { type Standardisation, standardisationOf } from '../../learning/statistics/standardisation.ts';
import { isEncrypted, mostRoundsOf } from '../../learning/task.ts';
import { selectBackend } from '../../paillier/backend.ts';
import { encodeParameters } from '../../protocol/parameters.ts';
import { type AnyTerms, isOfStatistics, termsOf } from '../../protocol/terms.ts';

/** What rounds of one kind sum and carry. */
export interface RoundShape {
  /** Of a contribution. */
  readonly ciphertexts: number;
  /** Values of a contribution. */
  readonly values: number;
  /** Ciphertexts in which the parameters go out; 0 where owners see them. */
  readonly hidden: number;
  /** Bytes of a contribution, and of an aggregate; exact. */
  readonly contributionBytes: number;
  /** Bytes of the parameters in a round's message; exact. */
  readonly parameterBytes: number;
}

export interface JobShape {
  /** The model.json of one job. */
  readonly document: JsonObject;
  readonly model: AnyModel;
  readonly terms: AnyTerms;
  readonly owners: number;
  /** Of each owner. */
  readonly records: number;
  /** Rounds that are alike, at most: all but a closing one. */
  readonly rounds: number;
  readonly round: RoundShape;
  /** The last round, where a job ends with one that sums something else. */
  readonly closing: RoundShape | undefined;
}

/** A job of which `times` follow each other. */
export interface RepeatedJob {
  readonly shape: JobShape;
  readonly times: number;
}

/** All that `sealsum train` makes of a model.json. */
export interface Jobs {
  /** The one whose parameters are the model's; or the statistics that were asked for. */
  readonly main: JobShape;
  /** In their order: statistics from which ranges follow, trainings without each fold, and last the main one. */
  readonly all: readonly RepeatedJob[];
}

/** @throws SealsumError model_invalid, plan_unsafe, privacy_invalid; message_invalid where owners or records do not go with the model */
export function jobsOf(given: JsonObject, owners: number | undefined, records: number): Jobs {
  const standardisation = standardisationOf(given);
  const ranged = standardisation === undefined ? given : widest(standardisation);
  const folds = foldTrainingsOf(ranged);
  const document = folds?.all ?? ranged;
  const model = parseDocument(document);
  const { participation } = model;
  const count =
    owners ?? participation.roster?.length ?? Math.max(3, participation.quorum, participation.target_owners ?? 0);
  if (count < participation.quorum)
    throw refuse('--owners', `${count} owners are fewer than participation.quorum, ${participation.quorum}`);
  if (records > participation.max_records)
    throw refuse('--records', `${records} are more than participation.max_records, ${participation.max_records}`);
  const jobOf = (each: JsonObject): JobShape =>
    shapeOf({ document: each, model: parseDocument(each), owners: count, records });
  const main = jobOf(document);
  const [fold] = folds?.folds ?? [];
  return {
    main,
    all: [
      ...(standardisation === undefined ? [] : [{ shape: jobOf(standardisation.statistics), times: 1 }]),
      ...(fold === undefined ? [] : [{ shape: jobOf(fold), times: folds?.folds.length ?? 0 }]),
      { shape: main, times: 1 },
    ],
  };
}

function shapeOf(part: Pick<JobShape, 'document' | 'model' | 'owners' | 'records'>): JobShape {
  const { model, owners } = part;
  const terms = termsOf(model, owners);
  const { task, plan, closing } = terms;
  const hidden = isEncrypted(task) ? task.parameterCount : 0;
  const parameters = isOfStatistics(terms) ? 0 : terms.task.parameterCount;
  return {
    ...part,
    terms,
    rounds: isStatistics(model) ? 1 : mostRoundsOf(model) - (closing === undefined ? 0 : 1),
    round: roundShape(plan, parameters, hidden),
    closing: closing && roundShape(closing.plan, closing.parameterCount, 0),
  };
}

function roundShape({ keyBits, ciphertexts, length }: Plan, parameters: number, hidden: number): RoundShape {
  // Below n², in as many bytes for every key of this size.
  const bytes = keyBits / 4;
  return {
    ciphertexts,
    values: length,
    hidden,
    contributionBytes: ciphertexts * bytes,
    parameterBytes: hidden > 0 ? base64Length(hidden * bytes) : encodeParameters(new Float64Array(parameters)).length,
  };
}

/** The training with ranges as wide as they may be found, which no plan depends on. */
function widest(standardisation: Standardisation): JsonObject {
  const { columns } = standardisation.statistics.data_props as {
    readonly columns: readonly { readonly range: readonly [number, number] }[];
  };
  const moments = columns.map(({ range: [low, high] }) => {
    const estimate = (value: number): Estimate => ({ value, standard_error: 0 });
    // At least a tenth of it is taken on both sides of the middle.
    const spread = estimate(10 * (high - low));
    return {
      column: '',
      count: estimate(1),
      mean: estimate(low / 2 + high / 2),
      variance: spread,
      standard_deviation: spread,
    };
  });
  return standardisation.training({ moments });
}

/** Without padding (RFC 4648, section 5). */
function base64Length(bytes: number): number {
  return Math.ceil((bytes * 4) / 3);
}

/** What is tried at the most, by what computes: ciphertexts of a contribution; and cells of a data file, of which some million are read in a second. */
const mostCiphertexts = { kernel: 400, openssl: 120, bigint: 6 };
const mostCells = 300_000;
const mostOwners = 3;

/**
 * The part of a job that is tried.
 *
 * @returns a job of its own with the same settings, that ends by nothing but its rounds
 */
export function trialOf({ document, owners, records, round, terms }: JobShape, cells: number): JobShape {
  const count = Math.min(owners, mostOwners);
  const backend = selectBackend();
  const most =
    backend.kernel !== undefined
      ? mostCiphertexts.kernel
      : backend.name === 'openssl'
        ? mostCiphertexts.openssl
        : mostCiphertexts.bigint;
  const few = Math.max(1, Math.min(records, Math.floor(mostCells / cells)));
  const whole = trialDocument(document, count);
  const tried = (given: JsonObject): JobShape =>
    shapeOf({ document: given, model: parseDocument(given), owners: count, records: few });
  if (round.ciphertexts <= most || isOfStatistics(terms)) return tried(whole);
  const features = featuresOf(whole);
  let [kept, tooMany] = [1, features.length];
  while (tooMany - kept > 1) {
    const middle = (kept + tooMany) >> 1;
    if (tried(withFeatures(whole, features.slice(0, middle))).round.ciphertexts <= most) kept = middle;
    else tooMany = middle;
  }
  return tried(withFeatures(whole, features.slice(0, kept)));
}

function trialDocument(document: JsonObject, owners: number): JsonObject {
  const { participation, data_props, training, privacy } = document;
  const others = without(participation, 'roster', 'target_owners');
  const quorum = Math.min(typeof others.quorum === 'number' ? others.quorum : 2, owners);
  return {
    ...without(document, 'evaluation'),
    data_props: without(data_props, 'dataset'),
    participation: { ...others, quorum, deadline_seconds: 3600 },
    ...(isJsonObject(training) ? { training: endless(training) } : {}),
    ...(isJsonObject(privacy) ? { privacy: withFewSilent(privacy, quorum - 1) } : {}),
  };
}

/** Made-up records say nothing of when a training would end early; and a closing round would be measured as one of the others. */
function endless(given: JsonObject): JsonObject {
  const training = without(given, 'tolerance', 'patience', 'inference', 'diagnostics');
  const { validation } = training;
  if (!isJsonObject(validation)) return training;
  const waits = 'fold' in validation ? {} : { patience: 100_000 };
  return { ...training, validation: { ...validation, ...waits } };
}

/** Somebody must add noise, of however few. */
function withFewSilent(privacy: JsonObject, most: number): JsonObject {
  const { silent_owners: silent } = privacy;
  return typeof silent === 'number' ? { ...privacy, silent_owners: Math.min(silent, most) } : privacy;
}

/** The fields of an object but some; none of what is no object. */
function without(given: unknown, ...names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(isJsonObject(given) ? given : {}).filter(([name]) => !names.includes(name)));
}

function featuresOf({ data_props }: JsonObject): readonly unknown[] {
  return isJsonObject(data_props) && Array.isArray(data_props.features) ? (data_props.features as unknown[]) : [];
}

/** What names columns goes with them. */
function withFeatures(document: JsonObject, features: readonly unknown[]): JsonObject {
  const { data_props, training } = document;
  return {
    ...document,
    data_props: { ...(isJsonObject(data_props) ? data_props : {}), features },
    ...(isJsonObject(training) ? { training: without(training, 'initial_parameters', 'freeze') } : {}),
  };
}

function refuse(field: string, why: string): SealsumError {
  return new SealsumError('message_invalid', `${field}: ${why}`, { field });
}
