/**
 * A data owner in vector sums, as a library: it asks what a job would cost, joins it, and contributes one vector to a round.
 *
 *     const client = new Client({ facilitator, identity, parties, store, policy: { rho_total: 1 } });
 *     await client.join(job);
 *     const round = await client.nextRound(job);
 *     const { receipt } = await client.submit(job, round, vector);
 *
 * Everything that a data owner process checks is checked here by the same code (src/contributing): signatures, the job's plan and
 * noise by its own arithmetic, the proof of the key, the policy, every round, the receipt. The order of a contribution is the same
 * too: check, charge, seal, keep, send, so that whatever is sent once is sent again byte for byte, and is charged once.
 */
import type { OwnerPolicy } from '../config/owner-policy.ts';
import { type ConsiderationDependencies, considerJob } from '../contributing/acceptance.ts';
import { findInclusion, type Inclusion } from '../contributing/inclusion.ts';
import { createJobTurns, type JobTurns } from '../contributing/job-turns.ts';
import type { Participation } from '../contributing/participation.ts';
import { checkRound } from '../contributing/round-checks.ts';
import { SealsumError } from '../errors.ts';
import type { Ledger } from '../privacy/ledger.ts';
import { type LedgerStatement, ledgerStatement } from '../privacy/ledger-statement.ts';
import { type JobId, type OwnerId, ownerIdSchema } from '../protocol/identifiers.ts';
import type { JobDescriptor, JobSummary } from '../protocol/job-messages.ts';
import { sha256 } from '../protocol/manifest.ts';
import { decodeParameters } from '../protocol/parameters.ts';
import { roundDigest } from '../protocol/round-digest.ts';
import type { RoundView, SignedReceipt } from '../protocol/round-messages.ts';
import { objectDigest } from '../protocol/signed.ts';
import {
  type CallOptions,
  type ClientOptions,
  policyOf,
  type Submission,
  type SubmitOptions,
} from './client-options.ts';
import { type ClientState, openClientState } from './client-state.ts';
import { connect, unlessAborted } from './connection.ts';
import type { VectorSum } from './document.ts';
import { encodeVector } from './fixed-point-vector.ts';
import { connectGroups, type GroupConnection } from './group-line.ts';
import { type JobReference, jobName, type RoundReference, roundNumber } from './references.ts';
import { createRoundMemory, type RoundMemory } from './round-memory.ts';
import { type SumPrivacy, sumPrivacy } from './sum-privacy.ts';
import { readVectorJob, requireExpected, type VectorJob } from './vector-job.ts';

/**
 * A data owner of vector sums: joins jobs that its policy allows, and gives one vector a round. It keeps what it sent, and charges its ledger before.
 */
export class Client implements AsyncDisposable {
  readonly #connection: GroupConnection;
  readonly #options: ClientOptions;
  readonly #owner: OwnerId;
  readonly #policy: OwnerPolicy;
  readonly #dataset: string;
  /** What is under way for a job: one thing after the other. */
  readonly #turns: JobTurns = createJobTurns();
  readonly #rounds: RoundMemory = createRoundMemory();
  #state: Promise<ClientState> | undefined;

  /** @throws SealsumError config_invalid, role_forbidden, party_unknown */
  constructor(options: ClientOptions) {
    this.#options = options;
    const connection = connect(options, 'data-owner');
    this.#owner = ownerIdSchema.parse(options.identity.name);
    this.#connection = connectGroups(connection, this.#owner);
    this.#policy = policyOf(options.policy);
    this.#dataset = options.dataset ?? 'vectors';
  }

  /** The name on rosters. */
  get owner(): OwnerId {
    return this.#owner;
  }

  /** The jobs that name this owner, oldest first; not all of them need be vector sums. */
  jobs({ signal }: CallOptions = {}): Promise<readonly JobSummary[]> {
    return this.#limited(signal, (until) => this.#connection.client.jobs(until));
  }

  /**
   * What a job promises and costs, before anything is said or charged: the signature, the plan and the noise are checked.
   *
   * @param round looked at too where it is given
   * @throws SealsumError job_unknown, round_unknown; and as join(), but for what the policy refuses, which is told in `refused`
   */
  async privacyOf(job: JobReference, round?: RoundReference, { signal }: CallOptions = {}): Promise<SumPrivacy> {
    const [name, number] = [jobName(job), round === undefined ? undefined : roundNumber(round)];
    return await this.#limited(signal, async (until) => {
      const { ledger, records } = await this.#open();
      const { client } = this.#connection;
      const view = await client.job(name, until);
      const considered = await considerJob(view, readVectorJob, this.#consideration(ledger));
      const shown = number === undefined ? undefined : await client.round(name, number, until);
      if (shown !== undefined && number !== undefined)
        this.#requireRound(view.descriptor, considered.job, number, shown);
      return sumPrivacy({
        considered,
        descriptor: view.descriptor,
        round: shown,
        policy: this.#policy,
        entries: await this.#options.store.ledger.entries(),
        joined: records.get(name)?.status === 'ready',
      });
    });
  }

  /**
   * Takes part in a job: its rounds may ask this owner from now on. Asked again, it says so again, which is needed after a round
   * was missed.
   *
   * @returns the job's document
   * @throws SealsumError saying why not, which the job's model owner is told too (never a value): policy_refused, plan_mismatch,
   *   privacy_invalid, model_invalid, key_invalid, signature_invalid, owner_not_on_roster, job_conflict; job_unknown, job_ended
   */
  async join(job: JobReference, { signal }: CallOptions = {}): Promise<VectorSum> {
    const name = jobName(job);
    return await this.#limited(signal, (until) =>
      this.#inTurn(name, until, async () => (await (await this.#open()).join(name)).job.settings),
    );
  }

  /**
   * The next round that waits for this owner: the one that is open, or the first to be opened. Joins the job.
   *
   * @param after rounds up to this one are not meant
   * @throws SealsumError job_ended; as join()
   */
  async nextRound(
    job: JobReference,
    { after = 0, signal }: CallOptions & { readonly after?: RoundReference } = {},
  ): Promise<number> {
    const name = jobName(job);
    await this.join(job, signal === undefined ? {} : { signal });
    const least = typeof after === 'number' ? after : after.number;
    return await this.#limited(signal, async (until) => {
      const { client } = this.#connection;
      const waits = async (round: number): Promise<boolean> => {
        if (round <= least) return false;
        const { status, roster, contributors } = await client.round(name, round, until);
        return status === 'open' && roster.includes(this.#owner) && !contributors.includes(this.#owner);
      };
      const { round: newest } = await client.job(name, until);
      if (await waits(newest)) return newest;
      // The events of a job are told from its beginning; each is a hint to look.
      for await (const { type, round = 0 } of client.followJob(name, 0, until)) {
        if (type === 'job.ended') break;
        if (type === 'round.opened' && (await waits(round))) return round;
      }
      if (until.aborted) throw new SealsumError('aborted', 'waiting for the next round was stopped');
      throw new SealsumError('job_ended', `job ${name} is over; there is no next round`);
    });
  }

  /**
   * The numbers that a round brings, such as the parameters of a model: what its model owner signed for everybody whom it asks.
   * What is submitted to the round afterwards goes to this very one or to none. Joins the job.
   *
   * @returns as many as the job's `parameters`
   * @throws SealsumError round_unknown, signature_invalid, message_invalid naming what is not as the job promised, or that the
   *   facilitator has forgotten the round; round_conflict, owner_not_on_roster; as join()
   */
  async parametersOf(job: JobReference, round: RoundReference, { signal }: CallOptions = {}): Promise<Float64Array> {
    const [name, number] = [jobName(job), roundNumber(round)];
    return await this.#limited(signal, (until) =>
      this.#inTurn(name, until, async () => {
        const { participation: known, join } = await this.#open();
        const participation = known(name) ?? (await join(name));
        const { descriptor } = participation.check(number, await this.#connection.client.round(name, number, until));
        const digest = roundDigest(descriptor);
        const before = this.#rounds.read(name, number) ?? digest;
        if (before !== digest)
          throw new SealsumError(
            'round_conflict',
            `the model owner has signed another round ${number} than the one whose parameters were read before`,
            { field: 'round' },
          );
        this.#rounds.noteRead(name, number, digest);
        return decodeParameters(descriptor.parameters);
      }),
    );
  }

  /**
   * Contributes a vector to an open round: checked first, then charged, sealed, kept and sent. Asked again for the same round,
   * whatever was kept is sent again, and the same receipt comes back.
   *
   * @throws SealsumError plan_mismatch for another length or width, number_not_finite and number_out_of_bounds naming the value,
   *   policy_refused before anything is charged, round_unknown, round_closed, round_abandoned, owner_not_on_roster,
   *   contribution_conflict for another vector than this client gave to the round; as join()
   */
  async submit(
    job: JobReference,
    round: RoundReference,
    vector: ArrayLike<number>,
    { weight, expects = {}, signal }: SubmitOptions = {},
  ): Promise<Submission> {
    const [name, number] = [jobName(job), roundNumber(round)];
    return await this.#limited(signal, (until) =>
      this.#inTurn(name, until, async () => {
        const { join } = await this.#open();
        const acknowledged = await this.#receiptOf(name, number);
        const participation = acknowledged === undefined ? await join(name) : undefined;
        const settings = participation?.job.settings ?? (await this.#keptSettings(name, until));
        requireExpected(settings, expects);
        const { vector: integers, ...told } = encodeVector(settings, vector, weight);
        const given = sha256(new TextEncoder().encode([integers.weight, ...integers.values].join(' ')));
        this.#rounds.requireSame(name, number, given);
        if (participation !== undefined)
          await this.#attend(participation.with(integers, this.#rounds.read(name, number)), number, given);
        const receipt = acknowledged ?? (await this.#receiptOf(name, number));
        if (receipt !== undefined) return { receipt, ...told };
        throw notTaken(await this.#connection.client.round(name, number, until), this.#owner);
      }),
    );
  }

  /** Looks for this owner's contribution in the manifest of a closed round. @throws SealsumError round_open, round_abandoned */
  async inclusion(job: JobReference, round: RoundReference, { signal }: CallOptions = {}): Promise<Inclusion> {
    const { store } = this.#options;
    const [name, number] = [jobName(job), roundNumber(round)];
    return await this.#limited(signal, async (until) => {
      const found = await findInclusion({ ...this.#connection, store: store.jobs }, name, number, until);
      return await this.#connection.folded(name, number, found, until);
    });
  }

  /** What was spent, and what the policy leaves. */
  async ledger(): Promise<LedgerStatement> {
    const entries = await this.#options.store.ledger.entries();
    return ledgerStatement(entries, this.#policy.caps, [{ dataset: this.#dataset, unit: 'owner' }]);
  }

  /** Ends what is under way, and the connections; the store is its opener's to close. */
  async close(): Promise<void> {
    await this.#connection.close();
    await this.#turns.idle();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Everything from the check to the receipt. */
  async #attend(participation: Participation, round: number, given: string): Promise<void> {
    const { job } = participation.descriptor;
    const { attend } = await this.#open();
    try {
      await attend(participation, round);
    } finally {
      const kept = await this.#options.store.jobs.contribution(job, round).catch(() => undefined);
      if (kept !== undefined) this.#rounds.noteGiven(job, round, given);
    }
  }

  async #receiptOf(job: JobId, round: number): Promise<SignedReceipt | undefined> {
    return (await this.#options.store.jobs.contribution(job, round))?.receipt;
  }

  /** The document of a job that was accepted, which may be over by now. */
  async #keptSettings(job: JobId, until: AbortSignal): Promise<VectorSum> {
    const { records } = await this.#open();
    const { descriptor } = await this.#connection.client.job(job, until);
    if (records.get(job)?.digest !== objectDigest('job', descriptor))
      throw new SealsumError('job_conflict', `the facilitator shows another job ${job} than this owner accepted`, {
        field: 'job',
      });
    return readVectorJob(descriptor.model, descriptor.roster.length).settings;
  }

  #requireRound(descriptor: JobDescriptor, job: VectorJob, round: number, shown: RoundView): void {
    const digest = objectDigest('job', descriptor);
    checkRound(this.#connection.parties(), { ...job, job: descriptor, digest, owner: this.#owner }, round, shown);
  }

  #consideration(ledger: Ledger): ConsiderationDependencies {
    const { facilitator, parties, reaches } = this.#connection;
    const dataset = (): string => this.#dataset;
    return { owner: this.#owner, facilitator, reaches, parties, dataset, policy: this.#policy, ledger };
  }

  #open(): Promise<ClientState> {
    this.#state ??= openClientState(this.#options, this.#connection, {
      policy: this.#policy,
      consideration: (ledger) => this.#consideration(ledger),
    }).catch((error: unknown) => {
      this.#state = undefined;
      throw error;
    });
    return this.#state;
  }

  async #limited<T>(signal: AbortSignal | undefined, work: (until: AbortSignal) => Promise<T>): Promise<T> {
    const { signal: until, letGo } = this.#connection.limited(signal);
    try {
      if (until.aborted) throw new SealsumError('aborted', 'the client was stopped');
      return await work(until);
    } finally {
      letGo();
    }
  }

  /** Does one thing after the other for a job; who stops waiting does not stop what is under way. */
  #inTurn<T>(job: JobId, until: AbortSignal, work: () => Promise<T>): Promise<T> {
    return unlessAborted(this.#turns.take(job, work), until);
  }
}

/** Why a round did not take a contribution that was not refused. */
function notTaken({ round, roster, status, reason, contributors }: RoundView, owner: OwnerId): SealsumError {
  if (!roster.includes(owner))
    return new SealsumError('owner_not_on_roster', `round ${round} does not ask ${owner}, which joined later`, {
      field: 'round',
    });
  if (contributors.includes(owner))
    return new SealsumError(
      'contribution_conflict',
      `the facilitator has a contribution of ${owner} to round ${round} that this client's store knows nothing of`,
      { field: 'round' },
    );
  if (status === 'abandoned') return new SealsumError('round_abandoned', reason ?? `round ${round} was abandoned`);
  return new SealsumError('round_closed', `round ${round} was closed without this contribution`, { field: 'round' });
}
