/**
 * A model owner of vector sums, as a library: it makes jobs, opens their rounds, and reads the sums.
 *
 *     const controller = await Controller.create({ facilitator, identity, parties });
 *     const job = await controller.createJob({ length: 3, bits: 32, bound: 1 });
 *     const round = await job.startRound();
 *     const { sum, contributors } = await round.collect();
 *
 * What a job's keys are is known to this process alone and is gone with it, and so is the job: a controller that must go on after
 * a restart is a model owner process.
 */
import { generateNewKey, type NewKeySource } from '../collecting/new-key.ts';
import { signJob } from '../collecting/proposal.ts';
import { SealsumError } from '../errors.ts';
import { type JobId, jobIdSchema, type OwnerId, ownerIdSchema, type PartyId } from '../protocol/identifiers.ts';
import { modulusProofContext } from '../protocol/modulus-proof-context.ts';
import { createTagSecret } from '../protocol/tags.ts';
import type { ThreadPool } from '../threads/pool.ts';
import type { Averaging } from './averaging-fields.ts';
import { type Connection, type ConnectionOptions, connect } from './connection.ts';
import { type FixedPointBits, type PrivacyAsked, parseVectorSum, vectorSumType } from './document.ts';
import { createFolding } from './folding.ts';
import { type GroupOptions, treeOf } from './groups.ts';
import { vectorSumTerms } from './terms.ts';
import { openVectorSumJob, type VectorSumJob } from './vector-sum-job.ts';

/** Who a controller is, and what it computes with. */
export interface ControllerOptions extends ConnectionOptions {
  /** Threads for what takes long; none unless given. */
  readonly pool?: ThreadPool;
  /** Where the key pairs of jobs come from; each is new unless told. */
  readonly newKey?: NewKeySource;
}

/** What is to be summed, and under which conditions. */
export interface VectorSumOptions {
  /** Values of a vector: 1 to 2^20. */
  readonly length: number;
  /** The width of a fixed-point number. */
  readonly bits: FixedPointBits;
  /** Steps of the fixed point from −bound to bound, an even number; 2^bits unless given, which is the most. */
  readonly levels?: number;
  /** The greatest magnitude of a value; give this or `norm`. */
  readonly bound?: number;
  /** The L2 norm to which vectors are clipped; with privacy it must be this. */
  readonly norm?: number;
  /** Differential privacy over all rounds; none unless given. */
  readonly privacy?: PrivacyAsked & {
    readonly place?: 'model-owner' | 'facilitator' | 'data-owners';
    readonly neighbours?: 'zero-out' | 'substitution';
    readonly silentOwners?: number;
  };
  /** The most rounds; 1 unless given. */
  readonly rounds?: number;
  /** The least number of contributors of a round; 2 unless given. */
  readonly quorum?: number;
  /** How many owners must be ready before the first round; unless given, it waits until all have answered. */
  readonly targetOwners?: number;
  /** Groups, each folded by a facilitator of its own; unless given, all owners contribute to the one facilitator. */
  readonly groups?: GroupOptions;
  /** How long a round waits; 30 unless given. */
  readonly deadlineSeconds?: number;
  /** Who may contribute; every data owner of `parties` unless given. */
  readonly roster?: readonly string[];
  /** Of the Paillier key; 3072 unless given. */
  readonly keyBits?: number;
  /** The greatest weight of a vector; 1 unless given. */
  readonly maxWeight?: number;
  /** How many numbers every round brings its owners: what is given to startRound(); 0 unless given. */
  readonly parameters?: number;
  /** Of tensors that are averaged; createAveragingJob() says it. */
  readonly averaging?: Averaging;
  /** For people. */
  readonly name?: string;
  /** The job's name; a random one unless given. */
  readonly id?: string;
}

/** A model owner of vector sums: proposes jobs, opens rounds, decrypts sums. */
export class Controller implements AsyncDisposable {
  readonly #connection: Connection;
  readonly #options: ControllerOptions;
  readonly #jobs = new Set<VectorSumJob>();

  private constructor(connection: Connection, options: ControllerOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /**
   * Connects to a facilitator, which must answer.
   *
   * @throws SealsumError config_invalid, role_forbidden, party_unknown, facilitator_unreachable, and what the facilitator refuses
   */
  static async create(options: ControllerOptions): Promise<Controller> {
    const connection = connect(options, 'model-owner');
    try {
      await connection.client.jobs(connection.signal);
    } catch (error) {
      await connection.close();
      throw error;
    }
    return new Controller(connection, options);
  }

  /** In whose name jobs are made. */
  get modelOwner(): PartyId {
    return this.#connection.identity.name;
  }

  /**
   * Makes a key, proves that it is well formed, and proposes a job to the owners of its roster.
   *
   * @throws SealsumError model_invalid naming the field of the job's document, config_invalid naming that of `groups`, plan_unsafe, privacy_invalid, party_unknown: all
   *   before any key is made; job_conflict, facilitator_unreachable, aborted
   */
  async createJob(
    options: VectorSumOptions,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<VectorSumJob> {
    const { identity, facilitator, random, others } = this.#connection;
    const settings = parseVectorSum(documentOf(options));
    const roster = this.rosterOf(options.roster);
    const { quorum, target_owners: target = quorum } = settings.participation;
    if (roster.length < Math.max(quorum, target))
      throw new SealsumError(
        'owners_too_few',
        `the roster names ${roster.length} data owners, and ${roster.length < quorum ? `the quorum is ${quorum}` : `the job starts with ${target}`}`,
        { field: 'roster' },
      );
    const { groups } = options;
    const tree = groups && treeOf(facilitator, groups, others, { owners: roster.length, quorum });
    const folding = createFolding(this.#connection, groups?.size);
    const terms = vectorSumTerms(settings, roster.length);
    const id = options.id === undefined ? randomJobName(random) : jobNamed(options.id);
    const { signal: until, letGo } = this.#connection.limited(signal);
    try {
      const { newKey = generateNewKey, pool } = this.#options;
      const key = await newKey({ bits: settings.encryption.key_bits, signal: until });
      const { keyPair } = key;
      const proof = await key.prove(modulusProofContext(id, identity.name), until);
      const tagSecret = createTagSecret(random(32));
      const signed = signJob({
        job: id,
        identity,
        facilitator,
        ...(tree === undefined ? {} : { tree }),
        // JSON has no `undefined`, and neither has what is signed.
        document: JSON.parse(JSON.stringify(settings)) as Record<string, unknown>,
        settings,
        terms,
        roster,
        publicKey: keyPair.publicKey,
        proof,
        tagKey: tagSecret.publicKey,
      });
      const view = await folding.create(signed, until);
      const job = openVectorSumJob({
        connection: this.#connection,
        settings,
        terms,
        signed,
        view,
        keyPair,
        tagSecret,
        folding,
        pool,
        onEnd: (ended) => {
          this.#jobs.delete(ended);
        },
      });
      this.#jobs.add(job);
      return job;
    } finally {
      letGo();
    }
  }

  /** Ends every job that has not been ended, as cancelled, and the connections. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#jobs].map((job) => job.end('cancelled')));
    await this.#connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * The owners that a roster of a job names: every data owner of `parties` unless given.
   *
   * @throws SealsumError party_unknown
   */
  rosterOf(names?: readonly string[]): readonly OwnerId[] {
    const parties = this.#connection.parties();
    if (names === undefined)
      return parties.all.filter(({ role }) => role === 'data-owner').map(({ name }) => ownerIdSchema.parse(name));
    return names.map((name) => {
      const parsed = ownerIdSchema.safeParse(name);
      if (!parsed.success)
        throw new SealsumError('party_unknown', 'roster: expected names of data owners', { field: 'roster' });
      return ownerIdSchema.parse(parties.named(parsed.data, 'data-owner').name);
    });
  }
}

/** What was left out is left out of the document too, and gets its default there. */
function documentOf(options: VectorSumOptions): object {
  const { name, length, bits, levels, bound, norm, maxWeight, parameters, averaging, rounds, privacy } = options;
  const { quorum, targetOwners, deadlineSeconds, roster, keyBits } = options;
  const given = (fields: object): object =>
    Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  const { silentOwners, ...asked } = privacy ?? {};
  return given({
    name,
    model_type: vectorSumType,
    length,
    bits,
    levels,
    bound,
    norm,
    max_weight: maxWeight,
    parameters,
    averaging,
    rounds,
    encryption: given({ key_bits: keyBits }),
    participation: given({ quorum, target_owners: targetOwners, deadline_seconds: deadlineSeconds, roster }),
    privacy: privacy === undefined ? undefined : given({ ...asked, silent_owners: silentOwners }),
  });
}

function jobNamed(id: string): JobId {
  const parsed = jobIdSchema.safeParse(id);
  if (parsed.success) return parsed.data;
  throw new SealsumError('message_invalid', 'id: expected the name of a job', { field: 'id' });
}

function randomJobName(random: Connection['random']): JobId {
  return jobIdSchema.parse(`sum-${Buffer.from(random(16)).toString('hex')}`);
}
