/**
 * Whether a data owner takes part in a job, whatever is summed in it, and how what it contributes is sealed.
 *
 * Before it says "ready", an owner has verified the model owner's signature, computed the job's plan and noise by itself from the
 * job's document (and found them equal to the descriptor's), held them against its policy, and verified the proof that the key is
 * well formed. What it tells others of a refusal names fields of the document, never anything of its data.
 */
import type { OwnerPolicy } from '../config/owner-policy.ts';
import type { Plan } from '../encoding/plan.ts';
import { SealsumError } from '../errors.ts';
import type { FieldPlace } from '../learning/fields.ts';
import { bitLength } from '../paillier/bytes.ts';
import { createEncryptor } from '../paillier/encryptor.ts';
import { ciphertextBytes, modulusFromJwk, type PublicKey, publicKeyFromJwk } from '../paillier/public-key.ts';
import { type RandomBytes, systemRandom } from '../paillier/random.ts';
import type { IntegerSealer, Noise } from '../pipeline.ts';
import { hkdfSha256 } from '../platform/hashes.ts';
import { type Composition, NO_ROUNDS } from '../privacy/accounting/composition.ts';
import type { Cost, Ledger } from '../privacy/ledger.ts';
import type { Clock } from '../protocol/clock.ts';
import type { JobId, OwnerId, PartyId } from '../protocol/identifiers.ts';
import type { JobDescriptor, SignedJob } from '../protocol/job-messages.ts';
import type { Parties } from '../protocol/parties.ts';
import { canonicalDigest, objectDigest, verifyObject } from '../protocol/signed.ts';
import { createTagSecret, tagsOf } from '../protocol/tags.ts';
import { type JobSettings, noiseToWire, type SumTerms } from '../protocol/terms.ts';
import { facilitatorsOf, leavesOf } from '../protocol/tree.ts';
import { planDifferences, planToWire } from '../protocol/wire-plan.ts';
import type { ThreadPool } from '../threads/pool.ts';
import type { DataOwnerProgress } from './checkpoints.ts';
import type { KeyChecks } from './key-checks.ts';
import type { OwnerMeter } from './meter.ts';
import type { Participation } from './participation.ts';
import { requireAllowed } from './policy.ts';
import { checkRound, requireSignedRound } from './round-checks.ts';

/** A job's document as an owner has understood it. */
export interface Understood {
  readonly settings: JobSettings;
  readonly terms: SumTerms;
  /** The most rounds the job takes. */
  readonly rounds: number;
  /** Parameters that go out before every round. */
  readonly parameterCount: number;
  /** Encrypted parameters that go out before every round; none unless given. */
  readonly encryptedCount?: number | undefined;
  /** Whether every round states a clip of its own. */
  readonly adaptsClip: boolean;
  /** The columns of a data set that it uses. */
  readonly columns: readonly FieldPlace[];
  /** Which of its data sets an owner is to take, where it says so. */
  readonly dataset?: string | undefined;
}

/**
 * Understands the document of a job.
 *
 * @param owners how many its roster names
 * @throws SealsumError model_invalid, plan_unsafe, privacy_invalid
 */
export type ReadDocument<Job extends Understood> = (document: JobDescriptor['model'], owners: number) => Job;

/** Who considers a job, and by what. */
export interface ConsiderationDependencies {
  readonly owner: OwnerId;
  /** The facilitator that this owner follows. */
  readonly facilitator: PartyId;
  /** Whether it can contribute at another facilitator, where the job is folded as a tree; unless given, it cannot. */
  readonly reaches?: (facilitator: PartyId) => boolean;
  readonly parties: () => Parties;
  /** What the ledger calls the data that contributions are made of. @throws SealsumError dataset_unknown */
  readonly dataset: (asked: string | undefined) => string;
  readonly policy: OwnerPolicy;
  readonly ledger: Ledger;
}

/** Who accepts, and by what. */
export interface AcceptanceDependencies extends ConsiderationDependencies {
  /** 32 secret bytes that stay the same as long as this owner does: its tag keys follow from them. */
  readonly storageKey: Uint8Array;
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

/** A job that its owner has understood, and that is what its model owner signed. */
export interface Considered<Job extends Understood> {
  readonly job: Job;
  /** What each round charges to the ledger. */
  readonly cost: Cost;
  /** What other jobs have spent of the same account. */
  readonly spent: Composition;
}

/** A job that was accepted, but for what is contributed to it. */
export interface Accepted<Job extends Understood>
  extends Omit<Participation, 'contribution' | 'records' | 'dropped'>,
    Considered<Job> {
  readonly sealer: IntegerSealer;
  /** This owner's tags for a contribution. @param roundDigest of the round's descriptor; `plan` that of the round, the job's unless given */
  tags(round: number, roundDigest: string, plan?: Pick<Plan, 'ciphertexts'>): bigint[];
}

/** Ciphertexts of the next contribution for which there is something in memory, at most: some 800 kB at 3072 bits. */
const mostPrepared = 1024;

/**
 * Everything that can be said of a job without its key and without a policy.
 *
 * @param isKnown whether this owner takes part already: what is left of its budget is a matter of each round then
 * @throws SealsumError owner_not_on_roster, signature_invalid, party_unknown, role_forbidden, job_conflict, model_invalid,
 *   plan_mismatch, plan_unsafe, privacy_invalid; store_unavailable
 */
export async function considerJob<Job extends Understood>(
  { descriptor, signature }: SignedJob,
  read: ReadDocument<Job>,
  { owner, facilitator, parties, dataset, ledger, reaches }: ConsiderationDependencies,
  isKnown = false,
): Promise<Considered<Job>> {
  const { job: name, model_owner, roster } = descriptor;
  if (!roster.includes(owner))
    throw new SealsumError('owner_not_on_roster', `the roster of job ${name} does not name ${owner}`);
  verifyObject(parties(), { name: model_owner, role: 'model-owner' }, 'job', descriptor, signature);
  if (descriptor.facilitator !== facilitator)
    throw new SealsumError(
      'job_conflict',
      `the job is made for the facilitator ${descriptor.facilitator}, and ${owner} follows ${facilitator}`,
      { field: 'facilitator' },
    );
  requireTree(descriptor, parties(), reaches);
  const job = requireTerms(descriptor, read);
  const cost = costOf(dataset(job.dataset), job);
  return { job, cost, spent: isKnown ? NO_ROUNDS : await spentBeside(ledger, cost, name) };
}

/**
 * Accepts a job.
 *
 * @throws SealsumError saying why not: as considerJob(), and policy_refused, key_invalid, identity_invalid; aborted
 * @param isKnown as for considerJob()
 */
export async function acceptSum<Job extends Understood>(
  signed: SignedJob,
  read: ReadDocument<Job>,
  dependencies: AcceptanceDependencies,
  isKnown = false,
): Promise<Accepted<Job>> {
  const { owner, parties, policy, keys, clock, meter, progress, signal, pool } = dependencies;
  const { random = systemRandom } = dependencies;
  const { descriptor } = signed;
  const considered = await considerJob(signed, read, dependencies, isKnown);
  const { job, spent } = considered;
  const { settings, terms, rounds, columns, encryptedCount } = job;
  requireAllowed(policy, { descriptor, settings, terms, columns, spent, encryptedCount });
  const publicKey = requireKeySize(descriptor, settings);
  progress('data-owner.job-verified');
  const started = clock.monotonic();
  await keys.require(descriptor, publicKey, signal);
  meter.crypto('verify', clock.monotonic() - started);
  progress('data-owner.key-verified');
  const digest = objectDigest('job', descriptor);
  const tagSecret = createTagSecret(tagSeed(dependencies.storageKey, digest));
  const tagKey = tagSecret.agree(descriptor.tag_key, owner);

  const { ciphertexts } = terms.plan;
  const expected = rounds * ciphertexts;
  const encrypted = encryptedCount === undefined ? undefined : { count: encryptedCount, publicKey };
  const encryptor = createEncryptor(publicKey, { expected, random });
  return {
    ...considered,
    descriptor,
    digest,
    tagKey: tagSecret.publicKey,
    sealer: { plan: terms.plan, encryptor, noise: noiseShare(job, random), spreading: { pool, signal } },
    tags: (round, roundDigest, plan = terms.plan) =>
      tagsOf(tagKey, { job: digest, round, roundDigest }, plan.ciphertexts),
    check: (round, view) =>
      checkRound(parties(), { ...job, closing: terms.closing, encrypted, job: descriptor, digest, owner }, round, view),
    requireSigned: (round) => {
      requireSignedRound(parties(), descriptor, round);
    },
    prepared: () => ({ randomisers: encryptor.ready, bytes: encryptor.ready * ciphertextBytes(publicKey) }),
    prepareNext: async (round, until) => {
      if (round >= rounds || encrypted !== undefined) return;
      await encryptor.prepareNext(Math.min(ciphertexts, mostPrepared), until);
    },
    prepare: async (until) => {
      // On encrypted parameters no ciphertext is made by the encryptor's table.
      if (encrypted === undefined && expected > encryptor.breakEven) await encryptor.prepare(until);
    },
  };
}

/** Whoever may be drawn into any group must be able to contribute at every leaf: it is told of its group when a round is opened. */
function requireTree(descriptor: JobDescriptor, parties: Parties, reaches: ConsiderationDependencies['reaches']): void {
  if (descriptor.tree === undefined) return;
  for (const name of facilitatorsOf(descriptor)) parties.named(name, 'facilitator');
  const far = leavesOf(descriptor).filter((leaf) => reaches?.(leaf) !== true);
  if (far.length === 0) return;
  throw new SealsumError(
    'job_conflict',
    `the job is folded by several facilitators, and this owner was told no address of ${far.join(', ')}`,
    { field: 'tree' },
  );
}

function costOf(dataset: string, { settings: { privacy }, terms: { calibration } }: Understood): Cost {
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
function noiseShare(
  { settings: { privacy }, terms: { calibration } }: Understood,
  random: RandomBytes,
): Noise | undefined {
  if (privacy?.place !== 'data-owners' || calibration === undefined) return undefined;
  return { variance: calibration.variance, random };
}

/** An owner answers with the same tag key whenever it is asked, also after a restart, and keeps none of them. */
function tagSeed(storageKey: Uint8Array, digest: string): Uint8Array {
  return hkdfSha256(storageKey, `sealsum tag key of job ${digest}`);
}

/** Document, plan and noise by this owner's own arithmetic, which must be what the descriptor states. */
function requireTerms<Job extends Understood>(descriptor: JobDescriptor, read: ReadDocument<Job>): Job {
  if (descriptor.model_hash !== canonicalDigest(descriptor.model))
    throw new SealsumError('model_invalid', 'the model is not the one whose hash the job states', {
      field: 'model_hash',
    });
  const job = read(descriptor.model, descriptor.roster.length);
  const { settings, terms } = job;
  const differences = planDifferences(planToWire(terms.plan), descriptor.plan);
  if (differences.length > 0)
    throw new SealsumError(
      'plan_mismatch',
      `the model gives another plan than the job states, in ${differences.join(', ')}`,
      { field: `plan.${differences[0] ?? ''}` },
    );
  requireClosingPlan(terms, descriptor);
  if (canonicalDigest(noiseToWire(settings, terms)) !== canonicalDigest(descriptor.noise))
    throw new SealsumError('privacy_invalid', 'the noise that the job states is not what its privacy settings give', {
      field: 'noise',
    });
  requireParticipation(descriptor, settings);
  return job;
}

/** A round that closes the job has the plan that its document gives, and is there if and only if that says so. */
function requireClosingPlan({ closing }: SumTerms, { closing_plan: stated }: JobDescriptor): void {
  const refuse = (why: string, field: string): SealsumError =>
    new SealsumError('plan_mismatch', `the model gives another plan for a closing round than the job states: ${why}`, {
      field,
    });
  if (closing === undefined && stated === undefined) return;
  if (closing === undefined) throw refuse('it has no such round', 'closing_plan');
  if (stated === undefined) throw refuse('the job states none', 'closing_plan');
  const [field] = planDifferences(planToWire(closing.plan), stated);
  if (field !== undefined) throw refuse(field, `closing_plan.${field}`);
}

/** Who takes part, how many at least, and how long a round waits must be what the model says. */
function requireParticipation(
  { roster, quorum, deadline_seconds }: JobDescriptor,
  { participation }: JobSettings,
): void {
  const refuse = (field: string): SealsumError =>
    new SealsumError('model_invalid', `the ${field} of the job is not that of its model`, { field });
  if (quorum !== participation.quorum) throw refuse('quorum');
  if (deadline_seconds !== participation.deadline_seconds) throw refuse('deadline_seconds');
  const named = participation.roster;
  if (named === undefined) return;
  if (named.length !== roster.length || !roster.every((each) => named.includes(each))) throw refuse('roster');
}

/** The size comes first: what is checked of a modulus takes the longer the larger it is, a second at 16,384 bits. */
function requireKeySize({ public_key }: JobDescriptor, { encryption }: JobSettings): PublicKey {
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
