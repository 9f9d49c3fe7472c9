/** What a client knows once its store was read, and what acts on it: everything that a data owner process has, but for data. */
import type { OwnerPolicy } from '../config/owner-policy.ts';
import type { ConsiderationDependencies } from '../contributing/acceptance.ts';
import { type Contributor, createContributor } from '../contributing/contributor.ts';
import { type JobRecords, openJobRecords } from '../contributing/job-records.ts';
import { createKeyChecks, type KeyChecks } from '../contributing/key-checks.ts';
import { createMembership, type Membership } from '../contributing/membership.ts';
import { noMeter } from '../contributing/meter.ts';
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
  readonly contributor: Contributor;
  readonly membership: Membership<VectorParticipation>;
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
  /** Told why a job is refused. */
  readonly onDeclined: (job: JobId, reason: unknown) => void;
}

/** @throws SealsumError store_unavailable */
export async function openClientState(
  { store, pool, expects = {}, keys = createKeyChecks(), storageKey }: StateOptions,
  { identity, client, parties, facilitator, facilitatorOf, clock, random, log, signal }: GroupConnection,
  { policy, consideration, onDeclined }: StateDependencies,
): Promise<ClientState> {
  const ledger = createLedger(store.ledger, () => new Date(clock.now()));
  const records = await openJobRecords(store.jobs, clock);
  const considering = consideration(ledger);
  const [meter, progress] = [noMeter, noCheckpoint];
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
    onDeclined,
    drop: (job) => contributor.drop(job),
  });
  return { records, ledger, contributor, membership };
}
