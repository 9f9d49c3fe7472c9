/** A job as it is, and the part of it that is tried: with fewer owners, records or columns where all of them would take too long. */
import { SealsumError } from '../../errors.ts';
import { foldTrainingsOf } from '../../learning/fold-trainings.ts';
import { isJsonObject, type JsonObject } from '../../learning/json-object.ts';
import { type AnyModel, parseDocument } from '../../learning/model-document.ts';
import { isStatistics } from '../../learning/statistics/model.ts';
import { isEncrypted, mostRoundsOf } from '../../learning/task.ts';
import { selectBackend } from '../../paillier/backend.ts';
import { encodeParameters } from '../../protocol/parameters.ts';
import { type AnyTerms, isOfStatistics, termsOf } from '../../protocol/terms.ts';

export interface JobShape {
  /** The model.json of one job. */
  readonly document: JsonObject;
  readonly model: AnyModel;
  readonly terms: AnyTerms;
  readonly owners: number;
  /** Of each owner. */
  readonly records: number;
  /** At most. */
  readonly rounds: number;
  /** How many such jobs there are: with cross-validation by gradients one for each fold too. */
  readonly jobs: number;
  /** Bytes of a contribution, and of an aggregate; exact. */
  readonly contributionBytes: number;
  /** Bytes of the parameters in a round's message; exact. */
  readonly parameterBytes: number;
}

/** @throws SealsumError model_invalid, plan_unsafe, privacy_invalid; message_invalid where owners or records do not go with the model */
export function shapeOf(given: JsonObject, owners: number | undefined, records: number): JobShape {
  const ranged = withRanges(given);
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
  return shape({ document, model, owners: count, records, jobs: (folds?.folds.length ?? 0) + 1 });
}

function shape(part: Pick<JobShape, 'document' | 'model' | 'owners' | 'records' | 'jobs'>): JobShape {
  const { model, owners } = part;
  const terms = termsOf(model, owners);
  // Below n², in as many bytes for every key of this size.
  const bytes = terms.plan.keyBits / 4;
  const rounds = isStatistics(model) ? 1 : mostRoundsOf(model);
  return {
    ...part,
    terms,
    rounds,
    contributionBytes: terms.plan.ciphertexts * bytes,
    parameterBytes: parameterBytes(terms, bytes),
  };
}

function parameterBytes(terms: AnyTerms, ciphertext: number): number {
  if (isOfStatistics(terms)) return 0;
  const { task } = terms;
  if (isEncrypted(task)) return base64Length(task.parameterCount * ciphertext);
  return encodeParameters(new Float64Array(task.parameterCount)).length;
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
export function trialOf({ document, owners, records, terms }: JobShape, cells: number): JobShape {
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
    shape({ document: given, model: parseDocument(given), owners: count, records: few, jobs: 1 });
  if (terms.plan.ciphertexts <= most || terms.task.solver === 'statistics') return tried(whole);
  const features = featuresOf(whole);
  let [kept, tooMany] = [1, features.length];
  while (tooMany - kept > 1) {
    const middle = (kept + tooMany) >> 1;
    if (tried(withFeatures(whole, features.slice(0, middle))).terms.plan.ciphertexts <= most) kept = middle;
    else tooMany = middle;
  }
  return tried(withFeatures(whole, features.slice(0, kept)));
}

function trialDocument(document: JsonObject, owners: number): JsonObject {
  const { participation, data_props, training } = document;
  const others = without(participation, 'roster', 'target_owners');
  const quorum = Math.min(typeof others.quorum === 'number' ? others.quorum : 2, owners);
  return {
    ...without(document, 'evaluation'),
    data_props: without(data_props, 'dataset'),
    participation: { ...others, quorum, deadline_seconds: 3600 },
    ...(isJsonObject(training) ? { training: endless(training) } : {}),
  };
}

/** Made-up records say nothing of when a training would end early. */
function endless(given: JsonObject): JsonObject {
  const training = without(given, 'tolerance', 'patience');
  const { validation } = training;
  if (!isJsonObject(validation)) return training;
  const waits = 'fold' in validation ? {} : { patience: 100_000 };
  return { ...training, validation: { ...validation, ...waits } };
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

/** Ranges that statistics are to find are as wide as they may be found. */
function withRanges(document: JsonObject): JsonObject {
  const { data_props } = document;
  if (!isJsonObject(data_props)) return document;
  const ranged = (field: unknown): unknown => {
    if (!isJsonObject(field) || !isJsonObject(field.standardize)) return field;
    const { standardize, ...others } = field;
    return { ...others, range: standardize.within };
  };
  const { features, target } = data_props;
  const list: unknown = Array.isArray(features) ? features.map(ranged) : features;
  return {
    ...document,
    data_props: {
      ...data_props,
      ...(list === undefined ? {} : { features: list }),
      ...(target === undefined ? {} : { target: ranged(target) }),
    },
  };
}

/** Whether statistics are summed first, to find ranges. */
export function standardises({ data_props }: JsonObject): boolean {
  if (!isJsonObject(data_props)) return false;
  return [...featuresOf({ data_props }), data_props.target].some(
    (field) => isJsonObject(field) && 'standardize' in field,
  );
}

function refuse(field: string, why: string): SealsumError {
  return new SealsumError('message_invalid', `${field}: ${why}`, { field });
}
