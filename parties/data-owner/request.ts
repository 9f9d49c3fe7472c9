/**
 * What would be released if a job were approved, told to this owner's own people. It is read off what the owner has computed by itself to
 * accept the job (src/contributing/acceptance.ts), the ledger's own arithmetic included: nothing is computed here a second time.
 */
import type { OwnerPolicy } from '../../src/config/owner-policy.ts';
import { type ConsiderationDependencies, considerJob } from '../../src/contributing/acceptance.ts';
import { requireAllowed } from '../../src/contributing/policy.ts';
import type { Plan } from '../../src/encoding/plan.ts';
import { SealsumError } from '../../src/errors.ts';
import type { JobRequest, RequestedColumn, RequestedPrivacy, RequestedSums } from '../../src/http/job-request.ts';
import { type Feature, fieldName, isNumeric, type LevelField, type NumericField } from '../../src/learning/fields.ts';
import type { ClosingTask } from '../../src/learning/inference/closing-task.ts';
import type { AnyModel } from '../../src/learning/model-document.ts';
import { isStatistics } from '../../src/learning/statistics/model.ts';
import { epsilonOf, roundsOf } from '../../src/privacy/accounting/composition.ts';
import type { Cost } from '../../src/privacy/ledger.ts';
import { accountAfter, capsView, rhoView } from '../../src/privacy/ledger-statement.ts';
import { privacyStatement } from '../../src/privacy/statement.ts';
import { timestamp } from '../../src/protocol/clock.ts';
import { objectDigest } from '../../src/protocol/signed.ts';
import { type AnyTerms, privacyTerms } from '../../src/protocol/terms.ts';
import { facilitatorsOf } from '../../src/protocol/tree.ts';
import type { AskedJob, OwnedJobRecord } from '../../src/storage/data-owner-store.ts';
import { readTraining, type Training } from './participation.ts';

export interface RequestDependencies extends ConsiderationDependencies {
  readonly policy: OwnerPolicy;
  /** How this owner stands in the job. */
  readonly status: string;
}

/** Names of values that are shown; a model may have a million. */
const mostNames = 200;

/** Levels of a column that are shown. */
const mostLevels = 50;

/**
 * @param asked the job as it was considered; it is verified once more, and held against the policy, ledger and roster of now
 * @param record what is kept of it
 * @throws SealsumError as considerJob()
 */
export async function describeRequest(
  asked: AskedJob,
  record: OwnedJobRecord,
  dependencies: RequestDependencies,
): Promise<JobRequest> {
  const { descriptor, signature } = asked;
  const { job, model_owner, quorum, roster, deadline_seconds } = descriptor;
  const digest = objectDigest('job', descriptor);
  if (digest !== record.digest)
    throw new SealsumError('internal', `what is kept of job ${job} is not what its record says`);
  const { policy, status, ledger } = dependencies;
  const isKnown = record.status !== 'asking';
  const considered = await considerJob(asked, readTraining, dependencies, isKnown);
  const { cost, spent, job: training } = considered;
  const { settings, terms, rounds, parameterCount, encryptedCount, columns } = training;
  const entries = await ledger.entries();
  const charged = entries.filter((entry) => entry.job === job).length;
  const account = { dataset: cost.dataset, unit: cost.unit ?? 'record' };
  const statement = privacyStatement(privacyTerms(settings, terms), 0);
  const { plan } = terms;
  const waits = settings.participation.answer_seconds ?? deadline_seconds;
  const bytes = bytesOf(plan);
  const closingBytes = terms.closing === undefined ? undefined : bytesOf(terms.closing.plan);
  return {
    job,
    job_digest: digest,
    status,
    asked_by: { model_owner, fingerprint: signature.key },
    name: settings.name ?? null,
    model_type: settings.model_type,
    model_visibility: encryptedCount === undefined ? 'plain' : 'encrypted',
    dataset: cost.dataset,
    records: record.records ?? null,
    dropped: record.dropped ?? null,
    columns: columnsOf(settings),
    rounds,
    rounds_charged: charged,
    release: {
      to: model_owner,
      through: facilitatorsOf(descriptor),
      values: terms.task.length,
      sums: sumsOf(terms.task),
      closing: terms.closing === undefined ? null : closingOf(terms.closing.task),
    },
    receives: { parameters: encryptedCount ?? parameterCount, encrypted: encryptedCount !== undefined },
    roster: [...roster],
    quorum,
    privacy: privacyOf(training, cost, policy),
    protects_against: statement.protects_against,
    does_not_protect_against: statement.does_not_protect_against,
    budget: {
      caps: capsView(policy.caps),
      before: accountAfter(entries, policy.caps, account, { cost, rounds: 0 }),
      after: accountAfter(entries, policy.caps, account, { cost, rounds: Math.max(0, rounds - charged) }),
    },
    deadline: { seconds: waits, until: timestamp(Date.parse(asked.created_at) + waits * 1000) },
    plan: {
      key_bits: plan.keyBits,
      slot_bits: plan.slotBits,
      ciphertexts: plan.ciphertexts,
      bytes_per_round: bytes,
      bytes_total: closingBytes === undefined ? bytes * rounds : bytes * (rounds - 1) + closingBytes,
    },
    refused: refusalOf(() => {
      requireAllowed(policy, { descriptor, settings, terms, columns, spent, encryptedCount });
    }),
  };
}

/** Of one contribution. */
function bytesOf({ ciphertexts, keyBits }: Plan): number {
  return ciphertexts * (keyBits / 4);
}

function refusalOf(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    if (error instanceof SealsumError) return error.message;
    throw error;
  }
}

function privacyOf({ settings, terms }: Training, cost: Cost, policy: OwnerPolicy): RequestedPrivacy | null {
  const statement = privacyStatement(privacyTerms(settings, terms), 0);
  if (statement.guarantee === 'no differential privacy' || cost.rho === null) return null;
  const { guarantee, unit, neighbours, place, noise, sampling = 1, promised } = statement;
  const { variance, sensitivity, shares = null } = noise;
  const delta = promised.delta ?? policy.caps.target?.delta ?? null;
  const perRound = roundsOf({ rho: cost.rho, sampling }, 1);
  return {
    guarantee,
    unit,
    neighbours,
    place,
    sampling,
    variance,
    sensitivity,
    shares,
    per_round: { rho: rhoView(cost.rho), epsilon: delta === null ? null : epsilonOf(perRound, delta).epsilon },
    total: {
      rho: promised.rho.number,
      epsilon:
        promised.epsilon ??
        (delta === null ? null : epsilonOf(roundsOf({ rho: cost.rho, sampling }, promised.rounds), delta).epsilon),
      delta,
    },
  };
}

function columnsOf(settings: AnyModel): RequestedColumn[] {
  if (isStatistics(settings)) return settings.data_props.columns.map((column) => columnOf(column, 'statistics'));
  const { features, target } = settings.data_props;
  return [...features.map((feature) => columnOf(feature, 'feature')), columnOf(target, 'target')];
}

function columnOf(
  field: (NumericField | LevelField) & { readonly missing: Feature['missing'] },
  use: RequestedColumn['use'],
): RequestedColumn {
  const { name, col_idx, type, missing, description } = field;
  const meanings: Readonly<Record<string, string>> = {
    refuse: 'the job is refused',
    drop: 'the record is left out',
    ...(use === 'statistics' ? { count: 'it is counted as missing' } : {}),
  };
  return {
    name: name ?? null,
    col_idx: col_idx ?? null,
    use,
    type,
    values: valuesOf(field),
    missing: meanings[missing] ?? `${missing} takes its place`,
    description: description ?? null,
  };
}

function valuesOf(field: NumericField | LevelField): string {
  if (isNumeric(field)) return `${field.range[0]} to ${field.range[1]}`;
  const { levels } = field;
  const more = levels.length > mostLevels ? ` and ${levels.length - mostLevels} more` : '';
  return levels.slice(0, mostLevels).join(', ') + more;
}

/** The values of a sum in the order in which they travel. */
function sumsOf(task: AnyTerms['task']): RequestedSums[] {
  if (task.solver === 'statistics') {
    const named = task.model.data_props.columns.map(fieldName);
    return task.groups.map(({ kind, columns, length }) => ({
      kind,
      values: length,
      names: [columns.map((position) => named[position] ?? '').join(' × ')],
    }));
  }
  const names = task.names();
  const { statistics, metrics, solver } = task;
  const parts: readonly [RequestedSums['kind'], from: number, to: number][] = [
    [solver === 'gradient' ? 'gradient' : 'products', 0, statistics],
    ['metric', statistics, statistics + metrics.length],
    ['count', statistics + metrics.length, task.length],
  ];
  return partsOf(names, parts);
}

function closingOf(task: ClosingTask): NonNullable<JobRequest['release']['closing']> {
  const names = task.names();
  const precision = task.information.length + task.score.length + task.squares.length;
  const parts: readonly [RequestedSums['kind'], from: number, to: number][] = [
    ['inference', 0, precision],
    ['diagnostics', precision, task.length],
  ];
  return { values: task.length, sums: partsOf(names, parts), parameters: task.parameterCount };
}

/** Those that have any values. */
function partsOf(
  names: readonly string[],
  parts: readonly [RequestedSums['kind'], from: number, to: number][],
): RequestedSums[] {
  return parts.flatMap(([kind, from, to]) =>
    to === from ? [] : [{ kind, values: to - from, names: names.slice(from, Math.min(to, from + mostNames)) }],
  );
}
