/**
 * What a data owner does: follows the facilitator's events, accepts or refuses the jobs that name it, and contributes to
 * their rounds. It only makes outgoing connections.
 *
 * Events are hints; the facilitator's state is what counts. Whenever the line stands (again), the owner reads which jobs are
 * open and which rounds wait, so that nothing is lost with a lost event. What it answers and what it contributes is in its
 * store before anybody else hears of it, so that it goes on by itself wherever it was stopped.
 */
import { type OwnerPolicy, openPolicy } from '../../src/config/owner-policy.ts';
import type { DataOwnerProgress } from '../../src/contributing/checkpoints.ts';
import type { Decision } from '../../src/contributing/consent.ts';
import { createContributor, Withdrawal } from '../../src/contributing/contributor.ts';
import { findInclusion, type Inclusion } from '../../src/contributing/inclusion.ts';
import { openJobRecords, standingOf } from '../../src/contributing/job-records.ts';
import { createKeyChecks, type KeyChecks } from '../../src/contributing/key-checks.ts';
import { createMembership } from '../../src/contributing/membership.ts';
import { noMeter, type OwnerMeter } from '../../src/contributing/meter.ts';
import { SealsumError } from '../../src/errors.ts';
import type { FacilitatorClient } from '../../src/http/facilitator-client.ts';
import type { JobRequest } from '../../src/http/job-request.ts';
import type { Logger } from '../../src/http/log.ts';
import type { OwnedJobView } from '../../src/http/owned-job.ts';
import { parseDocument } from '../../src/learning/model-document.ts';
import { type RandomBytes, systemRandom } from '../../src/paillier/random.ts';
import type { Ledger } from '../../src/privacy/ledger.ts';
import { type Checkpoint, noCheckpoint } from '../../src/protocol/checkpoints.ts';
import { type Clock, timestamp } from '../../src/protocol/clock.ts';
import type { JobEvent } from '../../src/protocol/events.ts';
import { type JobId, ownerIdSchema, type PartyId } from '../../src/protocol/identifiers.ts';
import type { Identity } from '../../src/protocol/identity.ts';
import type { Parties } from '../../src/protocol/parties.ts';
import type { RoundView, SignedReceipt } from '../../src/protocol/round-messages.ts';
import type { AskedJobStore, OwnedJobRecord } from '../../src/storage/data-owner-store.ts';
import type { ThreadPool } from '../../src/threads/pool.ts';
import { createAgenda } from './agenda.ts';
import type { DatasetHolder } from './datasets.ts';
import { createOwnerEvents, type OwnerEvents } from './events.ts';
import { acceptJob } from './participation.ts';
import { describeRequest } from './request.ts';

export interface DataOwnerDependencies {
  /** This owner's; its name is the one on rosters. */
  readonly identity: Identity;
  /** The facilitator that this owner follows. */
  readonly facilitator: PartyId;
  /** Who belongs, now. */
  readonly parties: () => Parties;
  /** 32 secret bytes that stay the same when the identity gets a new key. */
  readonly storageKey: Uint8Array;
  readonly client: Pick<FacilitatorClient, 'jobs' | 'job' | 'answerJob' | 'round' | 'contribute' | 'followAll'>;
  readonly datasets: DatasetHolder;
  readonly store: AskedJobStore;
  readonly ledger: Ledger;
  /** What this owner agrees to; whatever the protocol allows unless given. */
  readonly policy?: OwnerPolicy;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** For encryption and the jitter of waits; the operating system's unless given. */
  readonly random?: RandomBytes;
  /** Threads for what takes long; none unless given. */
  readonly pool?: ThreadPool;
  readonly meter?: OwnerMeter;
  /** The proofs of keys that were found good; none unless given. */
  readonly keys?: KeyChecks;
  /** Called with each of dataOwnerCheckpoints. */
  readonly checkpoint?: Checkpoint;
}

export interface DataOwner {
  /** Follows the facilitator until the signal aborts. */
  run(): Promise<void>;
  readonly connected: () => boolean;
  /** Oldest first. */
  jobs(): readonly OwnedJobView[];
  /**
   * What a job asks for, and what it would cost: of one that waits, what would be released if it were approved. It is read off the very
   * descriptor that this owner has considered, which it keeps.
   *
   * @throws SealsumError job_unknown; what makes this owner refuse the job; store_unavailable
   */
  request(job: JobId): Promise<JobRequest>;
  /**
   * Keeps what a person says of a job that waits for it, and sees to it that the facilitator hears of it. The same once more changes nothing.
   *
   * @throws SealsumError job_unknown, job_conflict, job_ended, consent_conflict; store_unavailable
   */
  decide(job: JobId, decision: Decision): Promise<OwnedJobView>;
  /** What its people are told as it happens. */
  readonly events: OwnerEvents;
  /** By round. @throws SealsumError job_unknown */
  receipts(job: JobId): Promise<readonly SignedReceipt[]>;
  /**
   * Asks the facilitator for a round's manifest and looks for this owner's contribution in it.
   *
   * @throws SealsumError round_open, round_abandoned, round_unknown, and what the client throws
   */
  inclusion(job: JobId, round: number): Promise<Inclusion>;
  /** Jobs for which something is to be done or under way. */
  queued(): number;
  /** Resolves when nothing is under way: once the signal has aborted, the store may be closed then. */
  idle(): Promise<void>;
}

/** Milliseconds for which a round that was sent along with its event is taken to be as it was. */
const momentOld = 1000;

/** @throws SealsumError store_unavailable */
export async function createDataOwner(dependencies: DataOwnerDependencies): Promise<DataOwner> {
  const { identity, facilitator, parties, client, datasets, store, clock, log, signal } = dependencies;
  const { random = systemRandom, meter = noMeter, keys = createKeyChecks(), checkpoint = noCheckpoint } = dependencies;
  const { policy = openPolicy } = dependencies;
  const owner = ownerIdSchema.parse(identity.name);
  const progress: DataOwnerProgress = checkpoint;
  const events = createOwnerEvents(clock);
  const tellOf = (record: OwnedJobRecord): void => {
    events.tell({ type: 'job.changed', job: record.job, status: viewOf(record).status });
  };
  const records = await openJobRecords(store, clock, tellOf);
  await holdAgain();
  const ledger: Ledger = {
    ...dependencies.ledger,
    charge: async (charge, caps) => {
      const isNew = await dependencies.ledger.charge(charge, caps);
      if (isNew) events.tell({ type: 'ledger.changed', job: charge.job });
      return isNew;
    },
  };
  const contributor = createContributor({ ...dependencies, ledger, owner, policy, records, meter, progress });
  const membership = createMembership({
    ...dependencies,
    ledger,
    owner,
    records,
    progress,
    asks: policy.consent === 'ask',
    accept: (signed, isKnown) => {
      const { job } = signed.descriptor;
      if (records.get(job) === undefined) events.tell({ type: 'job.changed', job, status: 'joining' });
      return acceptJob(signed, { ...dependencies, ledger, owner, policy, keys, meter, progress }, isKnown);
    },
    drop: (job) => {
      datasets.letGo(job);
      return contributor.drop(job);
    },
  });
  const agenda = createAgenda({ join, settle, attend, end, clock, random, log, signal });
  let connected = false;
  const setConnected = (stands: boolean): void => {
    if (connected !== stands) events.tell({ type: 'connection.changed', connected: stands });
    connected = stands;
  };
  /** Rounds as the facilitator showed them when it told of them, until they are looked at, and when that was. */
  const shown = new Map<JobId, { readonly view: RoundView; readonly at: number }>();

  function known(job: JobId): OwnedJobRecord {
    const record = records.get(job);
    if (record !== undefined) return record;
    throw new SealsumError('job_unknown', `this owner knows no job ${job}`, { field: 'job' });
  }

  /**
   * Until it is considered again, which takes the facilitator, what a job computes on is neither replaced nor removed. What an earlier
   * process kept for other jobs goes: it may have died before it let go of it.
   */
  async function holdAgain(): Promise<void> {
    const alive = records.all().filter((record) => ['ready', 'asking'].includes(standingOf(record)));
    await datasets.keepOnly(new Set(alive.map(({ job }) => job)));
    for (const { job } of alive) {
      const asked = await store.asked(job);
      if (asked === undefined) continue;
      try {
        datasets.hold(job, parseDocument(asked.descriptor.model).data_props.dataset);
      } catch (error) {
        // Considering it says what is wrong.
        if (!(error instanceof SealsumError)) throw error;
      }
    }
  }

  async function join(job: JobId): Promise<void> {
    if (!(await membership.join(job))) await end(job);
  }

  async function attend(job: JobId, round: number): Promise<void> {
    // Joining may have failed when the job was new.
    if (membership.isUndecided(job)) await join(job);
    const participation = membership.participation(job);
    if (participation === undefined) return;
    const told = takeShown(job, round);
    await withdrawingFrom(job, () => contributor.attend(participation, round, told));
  }

  /** A round as it was shown a moment ago. What is older may have ended, and would be charged for nothing. */
  function takeShown(job: JobId, round: number): RoundView | undefined {
    const found = shown.get(job);
    shown.delete(job);
    if (found === undefined || clock.monotonic() - found.at > momentOld) return undefined;
    return found.view.job === job && found.view.round === round ? found.view : undefined;
  }

  function settle(job: JobId): Promise<void> {
    return withdrawingFrom(job, () => contributor.settle(job));
  }

  async function withdrawingFrom(job: JobId, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Withdrawal)) throw error;
      await membership.withdraw(job, error.reason, error.audit);
      agenda.note(job, { join: true });
    }
  }

  async function end(job: JobId): Promise<void> {
    progress('data-owner.job-over');
    shown.delete(job);
    await contributor.settle(job).catch((error: unknown) => {
      if (!(error instanceof Withdrawal)) throw error;
      log.error({ err: error.reason, job }, 'the last receipt of the job is refused');
    });
    await membership.end(job);
    progress('data-owner.end-kept');
    await contributor.drop(job);
    datasets.letGo(job);
    await records.forgetOldest();
    progress('data-owner.old-jobs-forgotten');
  }

  /** Reads what is open, whatever was missed. */
  async function catchUp(): Promise<void> {
    progress('data-owner.connected');
    agenda.hurry();
    const jobs = await client.jobs(signal);
    const open = jobs.filter(({ status, roster }) => status === 'open' && roster.includes(owner));
    const names = new Set(open.map(({ job }) => job));
    for (const { job, status } of records.all())
      if (status !== 'ended' && !names.has(job)) agenda.note(job, { over: true });
    for (const { job, round } of open) agenda.note(job, { join: true, round });
    progress('data-owner.caught-up');
  }

  function handle({ type, job, round, owner: about, status, view }: JobEvent): void {
    if (type === 'job.created') agenda.note(job, { join: true });
    else if (type === 'round.opened' && round !== undefined) {
      if (view !== undefined && records.get(job) !== undefined) shown.set(job, { view, at: clock.monotonic() });
      agenda.note(job, { round });
    } else if (type === 'round.closed' || type === 'round.abandoned') agenda.note(job, { settle: true });
    // A deadline passed without us; we are here again.
    else if (type === 'owner.answered' && about === owner && status === 'absent') agenda.note(job, { join: true });
    else if (type === 'job.ended') agenda.note(job, { over: true });
  }

  return {
    run: async () => {
      // Said once for every outage, the one before the first connection too.
      let told = false;
      const onBroken = (error: unknown): void => {
        if (!told) log.warn({ reason: reasonOf(error) }, 'no line to the facilitator; trying again');
        told = true;
        setConnected(false);
      };
      const onConnected = async (): Promise<void> => {
        await catchUp();
        setConnected(true);
        told = false;
        log.info('following the facilitator');
      };
      for await (const event of client.followAll(owner, signal, { onConnected, onBroken })) handle(event);
    },
    connected: () => connected,
    jobs: () => {
      const fresh = [...membership.considered()].map(([job, since]) => ({
        job,
        status: 'joining' as const,
        updated_at: timestamp(since),
      }));
      return [...records.all().map(viewOf), ...fresh.filter(({ job }) => records.get(job) === undefined)];
    },
    request: async (job) => {
      const record = known(job);
      const asked = await store.asked(job);
      if (asked === undefined)
        throw new SealsumError(
          'job_unknown',
          `job ${job} was considered by a version that kept nothing of what it asks`,
          {
            field: 'job',
          },
        );
      return await describeRequest(asked, record, {
        ...dependencies,
        owner,
        policy,
        dataset: (asked) => datasets.chosen(asked).name,
        status: viewOf(record).status,
      });
    },
    decide: async (job, decision) => {
      await membership.decide(job, decision);
      agenda.note(job, { join: true });
      return viewOf(known(job));
    },
    events,
    receipts: async (job) => {
      known(job);
      return await store.receipts(job);
    },
    inclusion: (job, round) => findInclusion({ client, store, parties, facilitator }, job, round, signal),
    queued: () => agenda.length(),
    idle: () => agenda.idle(),
  };
}

/** Why a line broke, in a word: what the system or TLS calls it, or what was answered. */
function reasonOf(error: unknown): string {
  const { cause } = error instanceof Error ? error : {};
  if (cause instanceof Error && 'code' in cause) return String(cause.code);
  return error instanceof Error ? error.message : String(error);
}

function viewOf(record: OwnedJobRecord): OwnedJobView {
  const { job, records, dropped, round, reason, consent, updatedAt } = record;
  const standing = standingOf(record);
  return {
    job,
    // Approved, and not found good once more yet.
    status: standing === 'asking' && consent !== undefined ? 'joining' : standing,
    ...(records === undefined ? {} : { records }),
    ...(dropped === undefined ? {} : { dropped }),
    ...(round === undefined ? {} : { round }),
    ...(reason === undefined ? {} : { reason }),
    ...(consent === undefined ? {} : { consent: { ...consent, at: timestamp(consent.at) } }),
    updated_at: timestamp(updatedAt),
  };
}
