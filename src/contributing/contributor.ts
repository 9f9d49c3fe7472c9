/**
 * One owner's contribution to one round, from the moment it is asked for until its receipt is kept:
 *
 *     check → charge → compute and encrypt → keep → send → verify the receipt → keep it and forget the bytes
 *
 * Nothing leaves before it is charged and kept, both durably. So whatever was sent once is sent again byte for byte, and a
 * round that was charged and has nothing kept, because a process died in between, is computed anew for the same charge:
 * nothing of it has ever left. Bytes that were forgotten are never made again.
 */
import type { OwnerPolicy } from '../config/owner-policy.ts';
import { SealsumError } from '../errors.ts';
import type { EventLog } from '../http/event-log.ts';
import type { FacilitatorClient } from '../http/facilitator-client.ts';
import type { ClippingReport } from '../learning/clipped-sums.ts';
import type { Ledger } from '../privacy/ledger.ts';
import type { Clock } from '../protocol/clock.ts';
import type { JobId, OwnerId, PartyId } from '../protocol/identifiers.ts';
import type { Identity } from '../protocol/identity.ts';
import { sha256 } from '../protocol/manifest.ts';
import type { Parties } from '../protocol/parties.ts';
import { roundDigest } from '../protocol/round-digest.ts';
import type { ContributionStatement, RoundView, SignedReceipt, SignedRound } from '../protocol/round-messages.ts';
import { objectDigest, signObject, verifyObject } from '../protocol/signed.ts';
import type { AuditBody } from '../storage/audit.ts';
import type { DataOwnerStore, OwnedContribution, OwnedJobRecord } from '../storage/data-owner-store.ts';
import type { DataOwnerProgress } from './checkpoints.ts';
import { hasCode, isEnd, isPassing } from './error-kinds.ts';
import type { JobRecords } from './job-records.ts';
import type { OwnerMeter } from './meter.ts';
import type { Participation } from './participation.ts';

export interface ContributorDependencies {
  readonly owner: OwnerId;
  readonly identity: Identity;
  readonly facilitator: PartyId;
  /** Who takes the contributions to a round, where that is not always the same one. */
  readonly facilitatorOf?: (job: JobId, round: number) => PartyId;
  readonly parties: () => Parties;
  readonly client: Pick<FacilitatorClient, 'round' | 'contribute'>;
  readonly store: DataOwnerStore;
  readonly records: JobRecords;
  readonly ledger: Ledger;
  readonly policy: OwnerPolicy;
  readonly clock: Clock;
  readonly log: EventLog;
  readonly meter: OwnerMeter;
  readonly progress: DataOwnerProgress;
  readonly signal: AbortSignal;
}

export interface Contributor {
  /**
   * Does whatever is left to do about a round: contributes, sends again, or forgets.
   *
   * @param told the round as the facilitator has just shown it; it is asked unless given
   * @throws Withdrawal when this owner must take no further part in the job; SealsumError for what may be tried again
   */
  attend(participation: Participation, round: number, told?: RoundView): Promise<void>;
  /**
   * Gets the receipt of a contribution that was sent and not acknowledged yet, if the facilitator has it, and forgets its
   * bytes otherwise: for rounds and jobs that are over. @throws SealsumError for what may be tried again
   */
  settle(job: JobId): Promise<void>;
  /** Forgets whatever bytes are kept of a job. */
  drop(job: JobId): Promise<void>;
}

/** Why this owner takes no further part in a job, and what its audit log shall say of it beside that. */
export class Withdrawal extends Error {
  readonly reason: unknown;
  readonly audit: readonly AuditBody[];

  constructor(reason: unknown, audit: readonly AuditBody[] = []) {
    super('the owner withdraws from the job', { cause: reason });
    this.reason = reason;
    this.audit = audit;
  }
}

export function createContributor(dependencies: ContributorDependencies): Contributor {
  const { owner, identity, facilitator, parties, client, store, records, ledger, clock } = dependencies;
  const { policy, log, meter, progress, signal } = dependencies;
  /** Per job the round with bytes that are kept; read from the store when a job is first asked about. */
  const open = new Map<JobId, number | undefined>();

  async function unsettledRound(job: JobId): Promise<number | undefined> {
    if (!open.has(job)) {
      const round = records.get(job)?.round;
      const kept = round === undefined ? undefined : await store.contribution(job, round);
      open.set(job, kept?.bytes === undefined ? undefined : kept.round);
    }
    return open.get(job);
  }

  async function settle(job: JobId): Promise<void> {
    const round = await unsettledRound(job);
    const kept = round === undefined ? undefined : await store.contribution(job, round);
    if (kept?.bytes === undefined) {
      open.set(job, undefined);
      return;
    }
    let view: RoundView | undefined;
    try {
      view = await client.round(job, kept.round, signal);
    } catch (error) {
      if (!isOver(error)) throw error;
    }
    if (view !== undefined && isWanted(view) && isOf(view, kept)) await send(kept, kept.bytes);
    else await forget(kept);
  }

  /** Whether the facilitator takes a contribution of this owner, or has it and answers with its receipt. */
  function isWanted({ status, contributors }: RoundView): boolean {
    return status === 'open' || contributors.includes(owner);
  }

  async function attend(participation: Participation, round: number, told?: RoundView): Promise<void> {
    const { job } = participation.descriptor;
    const earlier = await unsettledRound(job);
    if (earlier !== undefined && earlier !== round) await settle(job);
    const view = told ?? (await client.round(job, round, signal));
    progress('data-owner.round-read');
    const kept = await store.contribution(job, round);
    if (kept !== undefined) {
      await goOn(participation, kept, view);
      return;
    }
    if (view.status !== 'open' || !view.roster.includes(owner)) return;
    if (view.contributors.includes(owner)) {
      log.error({ job, round }, 'the facilitator has a contribution of this owner that this store knows nothing of');
      return;
    }
    const made = await make(participation, round, view);
    await send(made, made.bytes);
    // Nobody waits for it: what is there when the next round is opened is used.
    void prepareNext(participation, round);
  }

  async function prepareNext(participation: Participation, round: number): Promise<void> {
    notePrepared(participation);
    const started = clock.monotonic();
    await participation.prepareNext(round, signal);
    meter.crypto('prepare', clock.monotonic() - started);
    notePrepared(participation);
  }

  function notePrepared({ descriptor: { job }, prepared }: Participation): void {
    const { randomisers, bytes } = prepared();
    // The job may be over by now.
    if (open.has(job)) meter.prepared(job, randomisers, bytes);
  }

  /** What is left to do about a round that this owner has contributed to. */
  async function goOn(participation: Participation, kept: OwnedContribution, view: RoundView): Promise<void> {
    const { job, round, bytes } = kept;
    if (view.signed !== undefined && !isOf(view, kept)) refuseOther(participation, kept, view.signed);
    if (kept.receipt !== undefined) {
      if (view.status === 'open' && !view.contributors.includes(owner))
        log.error({ job, round }, 'the facilitator does not have the contribution that it gave a receipt for');
      return;
    }
    if (bytes === undefined) return;
    if (isWanted(view)) await send(kept, bytes);
    else await forget(kept);
  }

  /** Nobody may be asked two different things in one round. */
  function refuseOther(participation: Participation, kept: OwnedContribution, shown: SignedRound): never {
    const digest = roundDigest(shown.descriptor);
    const { job, round, roundDigest: before } = kept;
    withdrawUnless(() => {
      participation.requireSigned(shown);
    });
    const { party, key, value } = shown.signature;
    const details = { kept: before, shown: digest, signed_by: party, key, signature: value };
    log.error({ job, round, kept: before, shown: digest }, 'the model owner has signed two descriptors of one round');
    throw new Withdrawal(
      new SealsumError(
        'round_conflict',
        `round ${round} is another one (${digest}) than this owner contributed to (${before})`,
        { field: 'round' },
      ),
      [{ type: 'round.conflict', job, round, details }],
    );
  }

  /** Check, charge, compute, encrypt, keep. */
  async function make(
    participation: Participation,
    round: number,
    view: RoundView,
  ): Promise<OwnedContribution & { readonly bytes: Uint8Array }> {
    const { descriptor, cost } = participation;
    const { job } = descriptor;
    const signed = withdrawUnless(() => {
      const checked = participation.check(round, view);
      requireOpenEnded(records.get(job), round);
      return checked;
    });
    progress('data-owner.round-checked');
    try {
      await ledger.charge({ job, round, ...cost }, policy.caps);
    } catch (error) {
      if (isPassing(error)) throw error;
      throw new Withdrawal(error);
    }
    progress('data-owner.round-charged');
    const digest = roundDigest(signed.descriptor);
    const rho = cost.rho === null ? 'none' : `${cost.rho.numerator}/${cost.rho.denominator}`;
    const charged: AuditBody = { type: 'round.charged', job, round, details: { round_digest: digest, rho } };
    const started = clock.monotonic();
    const bytes = await withdrawUnlessDone(
      () =>
        participation.contribution(signed, digest, (report) => {
          noteClipping(job, round, report);
        }),
      [charged],
    );
    meter.crypto('contribute', clock.monotonic() - started);
    progress('data-owner.contribution-sealed');
    const made = { job, round, roundDigest: digest, digest: sha256(bytes), bytes };
    const { party, key, value } = signed.signature;
    const details = {
      round_digest: digest,
      digest: made.digest,
      bytes: bytes.length,
      signed_by: party,
      key,
      signature: value,
    };
    await records.keep(
      { ...requireRecord(job), round, ...(signed.descriptor.closing === true ? { closed: round } : {}) },
      { contribution: made, audit: [charged, { type: 'contribution.kept', job, round, details }] },
    );
    open.set(job, round);
    progress('data-owner.contribution-kept');
    return made;
  }

  /** For this owner's own people: nothing of it is noised, and nothing of it is sent. */
  function noteClipping(job: JobId, round: number, report: ClippingReport): void {
    meter.clipped(report);
    if (report.notFinite > 0)
      log.warn({ job, round, not_finite: report.notFinite }, 'statistics that are no finite numbers count as zeros');
  }

  function requireRecord(job: JobId): NonNullable<ReturnType<JobRecords['get']>> {
    const record = records.get(job);
    if (record === undefined) throw new SealsumError('internal', `job ${job} is taken part in without a record`);
    return record;
  }

  async function send(kept: OwnedContribution, bytes: Uint8Array): Promise<void> {
    const { job, round, roundDigest, digest } = kept;
    const statement = { job, round, round_digest: roundDigest, owner, digest, bytes: bytes.length };
    const signature = signObject(identity, 'contribution', statement);
    let receipt: SignedReceipt;
    try {
      receipt = await client.contribute(statement, signature, bytes, signal);
    } catch (error) {
      if (isOver(error)) {
        log.warn({ job, round, err: error }, 'the contribution came too late');
        await forget(kept);
        if (isEnd(error)) throw error;
        return;
      }
      if (isPassing(error)) throw error;
      throw new Withdrawal(error);
    }
    progress('data-owner.contribution-sent');
    requireReceipt(statement, receipt);
    progress('data-owner.receipt-verified');
    await store.commit({
      contribution: { job, round, roundDigest, digest, receipt },
      audit: [{ type: 'contribution.acknowledged', job, round, details: { round_digest: roundDigest, digest } }],
    });
    open.set(job, undefined);
    meter.contributed(bytes.length);
    progress('data-owner.receipt-kept');
  }

  function requireReceipt(statement: ContributionStatement, { receipt, signature }: SignedReceipt): void {
    const { job, round } = statement;
    const [expected, given] = [objectDigest('receipt', statement), objectDigest('receipt', receipt)];
    const { party, key, value } = signature;
    const details = { expected, given, signed_by: party, key, signature: value };
    const refused: AuditBody = { type: 'receipt.refused', job, round, details };
    withdrawUnless(() => {
      if (given !== expected)
        throw new SealsumError('message_invalid', `the receipt for round ${round} is one for another contribution`, {
          field: 'receipt',
        });
      const name = dependencies.facilitatorOf?.(job, round) ?? facilitator;
      verifyObject(parties(), { name, role: 'facilitator' }, 'receipt', receipt, signature);
    }, [refused]);
  }

  /** The round is over without this contribution: nobody will ask for it again. */
  async function forget({ job, round, roundDigest, digest }: OwnedContribution): Promise<void> {
    await store.commit({
      contribution: { job, round, roundDigest, digest },
      audit: [{ type: 'contribution.forgotten', job, round, details: { round_digest: roundDigest, digest } }],
    });
    open.set(job, undefined);
    progress('data-owner.contribution-forgotten');
  }

  return {
    attend,
    settle,
    drop: async (job) => {
      await store.forgetBytes(job);
      open.delete(job);
      meter.prepared(job, 0, 0);
    },
  };
}

/**
 * What a closing round sums at parameters of the model owner's choice was agreed to once: asked for again, with other bins, it would tell
 * records apart that one answer hides.
 */
function requireOpenEnded(record: OwnedJobRecord | undefined, round: number): void {
  if (record?.closed === undefined) return;
  throw new SealsumError(
    'privacy_invalid',
    `round ${round} comes after round ${record.closed}, which closed the job: this owner contributes to no other one`,
    { field: 'round' },
  );
}

/** What `work` gives; whatever it throws is a reason to take no further part. */
function withdrawUnless<T>(work: () => T, audit: readonly AuditBody[] = []): T {
  try {
    return work();
  } catch (error) {
    throw new Withdrawal(error, audit);
  }
}

/** The same of work that takes a while; a party that ends is no reason. */
async function withdrawUnlessDone<T>(work: () => Promise<T>, audit: readonly AuditBody[]): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (hasCode(error, ['aborted'])) throw error;
    throw new Withdrawal(error, audit);
  }
}

/** Whether a round is shown as what something was contributed to. */
function isOf({ signed }: RoundView, { roundDigest: kept }: OwnedContribution): boolean {
  return signed === undefined || roundDigest(signed.descriptor) === kept;
}

/** Whether an error says that a round or its job is over, or that its facilitator has forgotten it. */
function isOver(error: unknown): error is SealsumError {
  return isEnd(error) || hasCode(error, ['round_closed', 'round_abandoned', 'round_unknown']);
}
