/**
 * One data owner in one job: accept or refuse its descriptor, then contribute to its rounds.
 *
 * Before it says "ready", an owner has computed the job's plan and noise by itself from the model (and found them equal to
 * the descriptor's), checked the key, and encoded all of its records. What it tells others of a refusal names columns and
 * fields of the model, never a line or a value of its data.
 */
import { SealsumError } from '../../src/errors.ts';
import { type Model, parseModel } from '../../src/learning/model.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { publicKeyFromJwk } from '../../src/paillier/public-key.ts';
import { type Sealer, seal } from '../../src/pipeline.ts';
import type { Rational } from '../../src/privacy/rational.ts';
import type { OwnerId } from '../../src/protocol/identifiers.ts';
import type { JobDescriptor, RoundView } from '../../src/protocol/messages.ts';
import { noiseToWire, type Terms, termsOf } from '../../src/protocol/terms.ts';
import { planDifferences, planToWire } from '../../src/protocol/wire-plan.ts';
import type { Dataset } from './dataset.ts';

/** A job that this owner has accepted. */
export interface Participation {
  readonly descriptor: JobDescriptor;
  /** How many of the owner's records take part, and how many a missing value left out. */
  readonly records: number;
  readonly dropped: number;
  /** What each round charges to the ledger; null: no differential privacy. */
  readonly rhoPerRound: Rational | null;
  /** Refuses a round that the job did not promise. @throws SealsumError privacy_invalid, owners_too_few, message_invalid */
  check(round: RoundView): void;
  /** The bytes of this owner's contribution to a round: a fresh encryption each time it is called. */
  contribution(round: RoundView): Uint8Array;
  /**
   * Makes contributions cheaper, where the job has enough of them to be worth it. They work without: an owner answers and
   * contributes meanwhile. @throws SealsumError aborted when the signal fires
   */
  prepare(signal: AbortSignal): Promise<void>;
}

/**
 * Accepts a job.
 *
 * @throws SealsumError saying why not: owner_not_on_roster, model_invalid, key_invalid, plan_mismatch, privacy_invalid,
 *   data_invalid
 */
export async function acceptJob(
  descriptor: JobDescriptor,
  owner: OwnerId,
  dataset: Dataset,
  signal: AbortSignal,
): Promise<Participation> {
  if (!descriptor.roster.includes(owner))
    throw new SealsumError('owner_not_on_roster', `the roster of job ${descriptor.job} does not name ${owner}`);
  const model = parseModel(descriptor.model);
  const terms = termsOf(model, descriptor.roster.length);
  const differences = planDifferences(planToWire(terms.plan), descriptor.plan);
  if (differences.length > 0)
    throw new SealsumError(
      'plan_mismatch',
      `the model gives another plan than the job states, in ${differences.join(', ')}`,
      { field: `plan.${differences[0] ?? ''}` },
    );
  const expected = noiseToWire(terms);
  if (JSON.stringify(expected) !== JSON.stringify(descriptor.noise))
    throw new SealsumError('privacy_invalid', 'the noise that the job states is not what its privacy settings give', {
      field: 'noise',
    });
  requireParticipation(descriptor, model);
  const publicKey = publicKeyFromJwk(descriptor.public_key);
  if (publicKey.bitLength !== model.encryption.key_bits)
    throw new SealsumError('key_invalid', `the key has ${publicKey.bitLength} bits, not ${model.encryption.key_bits}`, {
      field: 'public_key',
    });

  const records = await dataset.records(model, terms.map, signal);
  const sealer: Sealer = { task: terms.task, plan: terms.plan, encryptor: createEncryptor(publicKey) };
  return {
    descriptor,
    records: records.count,
    dropped: records.dropped,
    rhoPerRound: terms.calibration?.rhoPerRound ?? null,
    check: (round) => {
      checkRound(round, descriptor, terms);
    },
    contribution: (round) => seal(sealer, records, Float64Array.from(round.parameters)),
    prepare: async (until) => {
      if (terms.task.rounds * terms.plan.ciphertexts > sealer.encryptor.breakEven)
        await sealer.encryptor.prepare(until);
    },
  };
}

/** Who takes part, how many at least, and how long a round waits must be what the model says. */
function requireParticipation({ roster, quorum, deadline_seconds }: JobDescriptor, { participation }: Model): void {
  const refuse = (field: string): SealsumError =>
    new SealsumError('model_invalid', `the ${field} of the job is not that of its model`, { field });
  if (quorum !== participation.quorum) throw refuse('quorum');
  if (deadline_seconds !== participation.deadline_seconds) throw refuse('deadline_seconds');
  const named = participation.roster;
  if (named === undefined) return;
  if (named.length !== roster.length || !roster.every((each) => named.includes(each))) throw refuse('roster');
}

function checkRound(view: RoundView, { quorum }: JobDescriptor, { task }: Terms): void {
  const { round, roster, parameters } = view;
  if (round > task.rounds)
    throw new SealsumError(
      'privacy_invalid',
      `round ${round} is more than the ${task.rounds} rounds that the job stated`,
      { field: 'round' },
    );
  if (roster.length < quorum)
    throw new SealsumError(
      'owners_too_few',
      `round ${round} asks ${roster.length} owners, and the quorum of the job is ${quorum}`,
      { field: 'roster' },
    );
  if (parameters.length !== task.parameterCount)
    throw new SealsumError(
      'message_invalid',
      `round ${round} gives ${parameters.length} parameters, the model has ${task.parameterCount}`,
      { field: 'parameters' },
    );
}

/** What others may be told of an error: its kind and the field or column of the model, nothing of a line or a value. */
export function publicReason(error: unknown): string {
  if (!(error instanceof SealsumError)) return 'an unexpected error; the owner knows more';
  const dataOnly = error.code === 'data_invalid' || error.code === 'number_not_finite';
  if (!dataOnly) return error.message.slice(0, 1000);
  if (error.field === undefined) return 'the data cannot be used for this model; the owner knows why';
  return `the data do not fit the model (${error.field}); the owner knows the line`;
}
