/** What a client knows once its store was read, and what acts on it: everything that a data owner process has, but for data. */
import type { OwnerPolicy } from '../config/owner-policy.ts';
import type { ConsiderationDependencies } from '../contributing/acceptance.ts';
import { createContributor, Withdrawal } from '../contributing/contributor.ts';
import { type JobRecords, openJobRecords, standingOf } from '../contributing/job-records.ts';
import { createKeyChecks, type KeyChecks } from '../contributing/key-checks.ts';
import { createMembership } from '../contributing/membership.ts';
import { noMeter } from '../contributing/meter.ts';
import type { Participation } from '../contributing/participation.ts';
import { SealsumError } from '../errors.ts';
import { createLedger, type Ledger } from '../privacy/ledger.ts';
import { noCheckpoint } from '../protocol/checkpoints.ts';
import type { JobId } from '../protocol/identifiers.ts';
import type { ThreadPool } from '../threads/pool.ts';
import type { ClientStore } from './client-store.ts';
import type { GroupConnection } from './group-line.ts';
import { acceptVectorSum, type VectorParticipation } from './participation.ts';
import type { Expected } from './vector-job.ts';

export interface ClientState {
  readonly records: JobRecords;
  readonly ledger: Ledger;
  /** The job, if this owner takes part in it now. */
  readonly participation: (job: JobId) => VectorParticipation | undefined;
  /** Takes part, and says so. @throws SealsumError saying why not: as Client.join() */
  readonly join: (job: JobId) => Promise<VectorParticipation>;
  /** Everything from the check to the receipt. @throws why this owner takes part no longer; as Contributor.attend() */
  readonly attend: (participation: Participation, round: number) => Promise<void>;
}

/** What ClientOptions says of these. */
export interface StateOptions {
  readonly store: ClientStore;
  readonly storageKey?: Uint8Array;
  readonly expects?: Expected;
  readonly pool?: ThreadPool;
  readonly keys?: KeyChecks;
}

export interface StateDependencies {
  readonly policy: OwnerPolicy;
  readonly consideration: (ledger: Ledger) => ConsiderationDependencies;
}

/** @throws SealsumError store_unavailable */
export async function openClientState(
  { store, pool, expects = {}, keys = createKeyChecks(), storageKey }: StateOptions,
  { identity, client, parties, facilitator, facilitatorOf, clock, random, log, signal }: GroupConnection,
  { policy, consideration }: StateDependencies,
): Promise<ClientState> {
  const ledger = createLedger(store.ledger, () => new Date(clock.now()));
  const records = await openJobRecords(store.jobs, clock);
  const considering = consideration(ledger);
  const [meter, progress] = [noMeter, noCheckpoint];
  /** Why jobs were refused. */
  const declined = new Map<JobId, Error>();
  const shared = { owner: considering.owner, identity, parties, client, records, ledger, clock, log, progress, signal };
  const contributor = createContributor({ ...shared, facilitator, facilitatorOf, store: store.jobs, policy, meter });
  const acceptance = {
    ...considering,
    storageKey: storageKey ?? identity.derive('storage'),
    keys,
    random,
    pool,
    clock,
    meter,
    progress,
    signal,
  };
  const membership = createMembership<VectorParticipation>({
    ...shared,
    accept: (signed, isKnown) => acceptVectorSum(signed, expects, acceptance, isKnown),
    onDeclined: (job, reason) => {
      declined.set(job, asError(reason));
    },
    drop: (job) => contributor.drop(job),
  });

  async function join(job: JobId): Promise<VectorParticipation> {
    const isOpen = await membership.join(job);
    const participation = membership.participation(job);
    if (participation !== undefined && isOpen) return participation;
    const record = records.get(job);
    const standing = record && standingOf(record);
    if (standing === 'refused' || standing === 'withdrawn')
      throw declined.get(job) ?? new SealsumError('policy_refused', record?.reason ?? `the job was ${standing}`);
    if (isOpen)
      throw new SealsumError('owner_not_on_roster', `the roster of job ${job} does not name ${considering.owner}`, {
        field: 'roster',
      });
    await end(job);
    throw new SealsumError('job_ended', `job ${job} is over`);
  }

  async function attend(participation: Participation, round: number): Promise<void> {
    try {
      await contributor.attend(participation, round);
    } catch (error) {
      if (!(error instanceof Withdrawal)) throw error;
      const { job } = participation.descriptor;
      await membership.withdraw(job, error.reason, error.audit);
      // The job's model owner is told, as far as the facilitator can be reached.
      await membership.join(job).catch(() => undefined);
      throw asError(error.reason);
    }
  }

  /** What becomes of a job that is over: its last receipt is kept, and bytes are forgotten. */
  async function end(job: JobId): Promise<void> {
    await contributor.settle(job).catch((error: unknown) => {
      if (!(error instanceof Withdrawal)) throw error;
      log.error({ err: error.reason, job }, 'the last receipt of the job is refused');
    });
    await membership.end(job);
    await contributor.drop(job);
    await records.forgetOldest();
  }

  return { records, ledger, participation: (job) => membership.participation(job), join, attend };
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new SealsumError('internal', 'the job was given up', { cause: reason });
}
