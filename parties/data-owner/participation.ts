/**
 * One data owner in one job: accept or refuse its descriptor, then contribute to its rounds.
 *
 * Before it says "ready", an owner has verified the model owner's signature, computed the job's plan and noise by itself from
 * the model (and found them equal to the descriptor's), verified the proof that the key is well formed, and encoded all of its
 * records. What it tells others of a refusal names columns and fields of the model, never a line or a value of its data.
 */
import { hkdfSync } from 'node:crypto';
import type { OwnerPolicy } from '../../src/config/owner-policy.ts';
import { SealsumError } from '../../src/errors.ts';
import type { ClippingReport } from '../../src/learning/clipped-sums.ts';
import { shareRecords } from '../../src/learning/features.ts';
import { type Model, parseModel } from '../../src/learning/model.ts';
import { atClip } from '../../src/learning/task.ts';
import { bitLength } from '../../src/paillier/bytes.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { ciphertextBytes, modulusFromJwk, type PublicKey, publicKeyFromJwk } from '../../src/paillier/public-key.ts';
import { type RandomBytes, systemRandom } from '../../src/paillier/random.ts';
import { type Noise, type Sealer, seal } from '../../src/pipeline.ts';
import { type Composition, NO_ROUNDS } from '../../src/privacy/accounting/composition.ts';
import type { Cost, Ledger } from '../../src/privacy/ledger.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import type { JobId, OwnerId, PartyId } from '../../src/protocol/identifiers.ts';
import type { JobDescriptor, SignedJob } from '../../src/protocol/job-messages.ts';
import { decodeParameters } from '../../src/protocol/parameters.ts';
import type { Parties } from '../../src/protocol/parties.ts';
import type { RoundView, SignedRound } from '../../src/protocol/round-messages.ts';
import { canonicalDigest, objectDigest, verifyObject } from '../../src/protocol/signed.ts';
import { createTagSecret, tagsOf } from '../../src/protocol/tags.ts';
import { noiseToWire, type Terms, termsOf } from '../../src/protocol/terms.ts';
import { planDifferences, planToWire } from '../../src/protocol/wire-plan.ts';
import type { ThreadPool } from '../../src/threads/pool.ts';
import type { DataOwnerProgress } from './checkpoints.ts';
import type { Dataset } from './dataset.ts';
import type { KeyChecks } from './key-checks.ts';
import type { OwnerMeter } from './meter.ts';
import { requireAllowed } from './policy.ts';
import { checkRound, requireSignedRound } from './round-checks.ts';

/** A job that this owner has accepted. */
export interface Participation {
  readonly descriptor: JobDescriptor;
  /** Of the descriptor. */
  readonly digest: string;
  /** This owner's public key for the tags of the job; the same whenever the same owner accepts it. */
  readonly tagKey: string;
  /** How many of the owner's records take part, and how many a missing value left out. */
  readonly records: number;
  readonly dropped: number;
  /** What each round charges to the ledger. */
  readonly cost: Cost;
  /** The round of a view, unless the job did not promise it. @throws SealsumError as checkRound does */
  check(round: number, view: RoundView): SignedRound;
  /** Checks the model owner's signature of a round. @throws SealsumError signature_invalid, party_unknown, role_forbidden */
  requireSigned(round: SignedRound): void;
  /**
   * The bytes of this owner's contribution to a round: a fresh encryption, with fresh noise where data owners add it, each time
   * it is called.
   *
   * @param roundDigest of the round's descriptor
   * @param observe told what clipping did
   */
  contribution(
    round: SignedRound,
    roundDigest: string,
    observe?: (clipping: ClippingReport) => void,
  ): Promise<Uint8Array>;
  /**
   * Makes contributions cheaper, where the job has enough of them to be worth it. They work without: an owner answers and
   * contributes meanwhile. @throws SealsumError aborted when the signal fires
   */
  prepare(signal: AbortSignal): Promise<void>;
  /** What is computed ahead: randomisers of ciphertexts, and their bytes. */
  readonly prepared: () => { readonly randomisers: number; readonly bytes: number };
  /** Makes the contribution to the round after this one faster, while there is nothing else to do. */
  prepareNext(round: number, signal: AbortSignal): Promise<void>;
}

/** Ciphertexts of the next contribution for which there is something in memory, at most: some 800 kB at 3072 bits. */
const mostPrepared = 1024;

/** Who accepts, and by what. */
export interface AcceptanceDependencies {
  readonly owner: OwnerId;
  /** The facilitator that this owner follows. */
  readonly facilitator: PartyId;
  readonly parties: () => Parties;
  /** 32 secret bytes that stay the same as long as this owner does: its tag keys follow from them. */
  readonly storageKey: Uint8Array;
  readonly dataset: Dataset;
  readonly policy: OwnerPolicy;
  readonly ledger: Ledger;
  readonly keys: KeyChecks;
  /** For encryption and noise; the operating system's unless given, and on threads always. */
  readonly random?: RandomBytes;
  /** Threads for what takes long; none unless given. */
  readonly pool?: ThreadPool | undefined;
  readonly clock: Clock;
  readonly meter: OwnerMeter;
  readonly progress: DataOwnerProgress;
  readonly signal: AbortSignal;
}

/**
 * Accepts a job.
 *
 * @throws SealsumError saying why not: owner_not_on_roster, signature_invalid, party_unknown, role_forbidden, job_conflict,
 *   model_invalid, plan_mismatch, privacy_invalid, policy_refused, key_invalid, identity_invalid, data_invalid; store_unavailable;
 *   aborted
 * @param isKnown whether this owner takes part already: what is left of its budget is a matter of each round then
 */
export async function acceptJob(
  { descriptor, signature }: SignedJob,
  dependencies: AcceptanceDependencies,
  isKnown = false,
): Promise<Participation> {
  const { owner, facilitator, parties, policy, keys, dataset, clock, meter, progress, signal } = dependencies;
  const { random = systemRandom, pool } = dependencies;
  const { job, model_owner, roster } = descriptor;
  if (!roster.includes(owner))
    throw new SealsumError('owner_not_on_roster', `the roster of job ${job} does not name ${owner}`);
  verifyObject(parties(), { name: model_owner, role: 'model-owner' }, 'job', descriptor, signature);
  if (descriptor.facilitator !== facilitator)
    throw new SealsumError(
      'job_conflict',
      `the job is made for the facilitator ${descriptor.facilitator}, and ${owner} follows ${facilitator}`,
      { field: 'facilitator' },
    );
  const { model, terms } = requireTerms(descriptor);
  const cost = costOf(dataset, model, terms);
  const spent = isKnown ? NO_ROUNDS : await spentBeside(dependencies.ledger, cost, job);
  requireAllowed(policy, { descriptor, model, terms, spent });
  const publicKey = requireKeySize(descriptor, model);
  progress('data-owner.job-verified');
  const started = clock.monotonic();
  await keys.require(descriptor, publicKey, signal);
  meter.crypto('verify', clock.monotonic() - started);
  progress('data-owner.key-verified');
  const digest = objectDigest('job', descriptor);
  const tagSecret = createTagSecret(tagSeed(dependencies.storageKey, digest));
  const tagKey = tagSecret.agree(descriptor.tag_key, owner);

  const read = await dataset.records(model, terms.map, signal);
  const records = pool === undefined ? read : shareRecords(read);
  progress('data-owner.records-read');
  const { rounds, parameterCount } = terms.task;
  const expected = rounds * terms.plan.ciphertexts;
  const encryptor = createEncryptor(publicKey, { expected, random });
  const noise = noiseShare(model, terms, random);
  const sealer: Sealer = { task: terms.task, plan: terms.plan, encryptor, random, noise, spreading: { pool, signal } };
  const adaptsClip = terms.task.clipping?.sign !== undefined;
  return {
    descriptor,
    digest,
    tagKey: tagSecret.publicKey,
    records: records.count,
    dropped: records.dropped,
    cost,
    check: (round, view) =>
      checkRound(parties(), { job: descriptor, digest, owner, rounds, parameterCount, adaptsClip }, round, view),
    requireSigned: (round) => {
      requireSignedRound(parties(), descriptor, round);
    },
    contribution: (signed, roundDigest, observe) => {
      const { round, parameters, clip } = signed.descriptor;
      const context = { job: digest, round, roundDigest };
      const tags = tagsOf(tagKey, context, terms.plan.ciphertexts);
      return seal({ ...sealer, task: atClip(terms.task, clip), observe }, records, decodeParameters(parameters), tags);
    },
    prepared: () => ({ randomisers: encryptor.ready, bytes: encryptor.ready * ciphertextBytes(publicKey) }),
    prepareNext: async (round, until) => {
      if (round >= rounds) return;
      await encryptor.prepareNext(Math.min(terms.plan.ciphertexts, mostPrepared), until);
    },
    prepare: async (until) => {
      if (expected > encryptor.breakEven) await encryptor.prepare(until);
    },
  };
}

function costOf({ name: dataset }: Dataset, { privacy }: Model, { calibration }: Terms): Cost {
  if (privacy === undefined || calibration === undefined)
    return { dataset, rho: null, unit: null, neighbours: null, sampling: null };
  const { unit, neighbours, sampling } = privacy;
  return { dataset, rho: calibration.rhoPerRound, unit, neighbours, sampling };
}

/** What other jobs have spent of the account that this one would. */
async function spentBeside(ledger: Ledger, { dataset, unit }: Cost, job: JobId): Promise<Composition> {
  return unit === null ? NO_ROUNDS : await ledger.spentByOthers({ dataset, unit }, job);
}

/** What this owner adds itself, where data owners add the noise. */
function noiseShare({ privacy }: Model, { calibration }: Terms, random: RandomBytes): Noise | undefined {
  if (privacy?.place !== 'data-owners' || calibration === undefined) return undefined;
  return { variance: calibration.variance, random };
}

/** An owner answers with the same tag key whenever it is asked, also after a restart, and keeps none of them. */
function tagSeed(storageKey: Uint8Array, digest: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', storageKey, new Uint8Array(), `sealsum tag key of job ${digest}`, 32));
}

/** Model, plan and noise by this owner's own arithmetic, which must be what the descriptor states. */
function requireTerms(descriptor: JobDescriptor): { readonly model: Model; readonly terms: Terms } {
  if (descriptor.model_hash !== canonicalDigest(descriptor.model))
    throw new SealsumError('model_invalid', 'the model is not the one whose hash the job states', {
      field: 'model_hash',
    });
  const model = parseModel(descriptor.model);
  const terms = termsOf(model, descriptor.roster.length);
  const differences = planDifferences(planToWire(terms.plan), descriptor.plan);
  if (differences.length > 0)
    throw new SealsumError(
      'plan_mismatch',
      `the model gives another plan than the job states, in ${differences.join(', ')}`,
      { field: `plan.${differences[0] ?? ''}` },
    );
  const expected = noiseToWire(model, terms);
  if (canonicalDigest(expected) !== canonicalDigest(descriptor.noise))
    throw new SealsumError('privacy_invalid', 'the noise that the job states is not what its privacy settings give', {
      field: 'noise',
    });
  requireParticipation(descriptor, model);
  return { model, terms };
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

/** The size comes first: what is checked of a modulus takes the longer the larger it is, a second at 16,384 bits. */
function requireKeySize({ public_key }: JobDescriptor, { encryption }: Model): PublicKey {
  const bits = bitLength(modulusFromJwk({ ...public_key }, ''));
  if (bits !== encryption.key_bits)
    throw new SealsumError('key_invalid', `the key has ${bits} bits, not ${encryption.key_bits}`, {
      field: 'public_key',
    });
  return publicKeyFromJwk(public_key);
}

/** What others may be told of an error: its kind and the field or column of the model, nothing of a line or a value. */
export function publicReason(error: unknown): string {
  if (!(error instanceof SealsumError)) return 'an unexpected error; the owner knows more';
  const dataOnly = error.code === 'data_invalid' || error.code === 'number_not_finite';
  if (!dataOnly) return error.message.slice(0, 1000);
  if (error.field === undefined) return 'the data cannot be used for this model; the owner knows why';
  return `the data do not fit the model (${error.field}); the owner knows the line`;
}
