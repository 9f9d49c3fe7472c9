/**
 * An owner's answers to jobs: accepted, refused or withdrawn, each kept before anybody hears of it and the same ever after for
 * the same descriptor. What was accepted is found out anew from the data after a restart.
 *
 * Where a person has to approve, a job that is found good waits, and nobody hears anything. Once it is approved it is looked at as if for
 * the first time, since the budget or the data may have become others meanwhile.
 */
import { SealsumError } from '../errors.ts';
import type { EventLog } from '../http/event-log.ts';
import type { FacilitatorClient } from '../http/facilitator-client.ts';
import { abortWith } from '../http/signals.ts';
import type { Ledger } from '../privacy/ledger.ts';
import type { Clock } from '../protocol/clock.ts';
import type { JobId, OwnerId } from '../protocol/identifiers.ts';
import type { Identity } from '../protocol/identity.ts';
import type { JobView, OwnerAnswer, OwnerView, SignedJob } from '../protocol/job-messages.ts';
import type { Parties } from '../protocol/parties.ts';
import { canonicalDigest, objectDigest, signObject, verifyObject } from '../protocol/signed.ts';
import type { AuditBody } from '../storage/audit.ts';
import type { Consent, OwnedJobRecord } from '../storage/data-owner-store.ts';
import { publicReason } from './acceptance.ts';
import type { DataOwnerProgress } from './checkpoints.ts';
import { type Decision, declinedBy, isNewDecision } from './consent.ts';
import { hasCode } from './error-kinds.ts';
import { type JobRecords, standingOf } from './job-records.ts';
import { createJobTurns } from './job-turns.ts';
import type { Participation } from './participation.ts';

export interface MembershipDependencies<Taken extends Participation> {
  readonly identity: Identity;
  readonly owner: OwnerId;
  readonly parties: () => Parties;
  /**
   * Accepts a job, or throws why not.
   *
   * @param isKnown whether this owner takes part already
   */
  readonly accept: (signed: SignedJob, isKnown: boolean) => Promise<Taken>;
  /** Whether what is accepted waits for a person's approval; false unless given. */
  readonly asks?: boolean;
  readonly client: Pick<FacilitatorClient, 'job' | 'answerJob'>;
  readonly records: JobRecords;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly progress: DataOwnerProgress;
  readonly log: EventLog;
  readonly signal: AbortSignal;
  /** Told why a job was refused, or is taken part in no longer. */
  readonly onDeclined?: (job: JobId, error: unknown) => void;
  /** Forgets the contributions that are kept of a job. */
  readonly drop: (job: JobId) => Promise<void>;
}

export interface Membership<Taken extends Participation> {
  /** Sees to it that this owner has an answer to an open job, and that the facilitator knows it. Tells whether it is open. */
  join(job: JobId): Promise<boolean>;
  /** The job, if this owner takes part in it now. */
  participation(job: JobId): Taken | undefined;
  /** Whether a job has yet to be considered, for the first time or since this process began. */
  isUndecided(job: JobId): boolean;
  /**
   * Keeps what a person says of a job that waits for it; the same once more changes nothing. Until join() has made an answer of an
   * approval, it can still be refused.
   *
   * @throws SealsumError job_unknown, job_conflict, job_ended, consent_conflict; store_unavailable
   */
  decide(job: JobId, decision: Decision): Promise<void>;
  /** Keeps that this owner takes part no longer. */
  withdraw(job: JobId, reason: unknown, audit: readonly AuditBody[]): Promise<void>;
  /** Takes part no longer because the job is over. */
  end(job: JobId): Promise<void>;
  /** Jobs that are being considered for the first time, and since when: milliseconds since 1970. */
  considered(): ReadonlyMap<JobId, number>;
}

/** A job that this owner takes part in now. */
interface Running<Taken> {
  readonly participation: Taken;
  readonly over: AbortController;
}

export function createMembership<Taken extends Participation>(
  dependencies: MembershipDependencies<Taken>,
): Membership<Taken> {
  const { identity, owner, parties, client, records, ledger, clock, log, progress, signal } = dependencies;
  const { asks = false } = dependencies;
  const running = new Map<JobId, Running<Taken>>();
  const considered = new Map<JobId, number>();
  /** Jobs that were found good since this process began, and wait for a person. */
  const waiting = new Set<JobId>();
  const inTurn = createJobTurns();
  /** Descriptors that contradict accepted ones and were noted in the audit log. */
  const noted = new Set<string>();

  async function join(job: JobId): Promise<boolean> {
    const view = await client.job(job, signal);
    progress('data-owner.job-read');
    const { descriptor, status, owners } = view;
    if (descriptor.job !== job)
      throw new SealsumError('message_invalid', `the facilitator shows ${descriptor.job} as job ${job}`, {
        field: 'job',
      });
    if (status !== 'open') return false;
    if (!descriptor.roster.includes(owner)) return true;
    const answer = await inTurn(job, () => answerTo(view));
    if (answer === undefined) return true;
    const known = owners.find((each) => each.owner === owner);
    if (!isKnown(answer, known)) {
      await client.answerJob({ answer, signature: signObject(identity, 'answer', answer) }, signal);
      progress('data-owner.answer-given');
    }
    return true;
  }

  /** undefined: there is none until a person has decided. */
  async function answerTo(view: JobView): Promise<OwnerAnswer | undefined> {
    const { job } = view.descriptor;
    const digest = objectDigest('job', view.descriptor);
    const record = records.get(job);
    const standing = record && standingOf(record);
    // A job that was refused, or that nobody has decided about, has cost nothing, so another may come under its name. Whatever was
    // accepted is one descriptor for ever.
    if (record !== undefined && record.digest !== digest && standing !== 'refused' && standing !== 'asking')
      return await refuseOther(view, digest, record);
    const same = record?.digest === digest ? record : undefined;
    if (same === undefined || isUndecided(job)) await consider(view, digest, same);
    const { answer, status } = records.get(job) ?? {};
    if (status === 'asking') return undefined;
    if (answer === undefined) throw new SealsumError('internal', `job ${job} was considered and has no answer`);
    return answer;
  }

  function isUndecided(job: JobId): boolean {
    const record = records.get(job);
    const standing = record && standingOf(record);
    if (standing === 'asking' && record?.consent === undefined) return !waiting.has(job);
    return standing !== 'refused' && standing !== 'withdrawn' && !running.has(job);
  }

  /** @param record what was kept of this very descriptor */
  async function consider(view: JobView, digest: string, record: OwnedJobRecord | undefined): Promise<void> {
    const { job } = view.descriptor;
    // Of a job that waits nothing has been said, charged or sent.
    const before = record?.status === 'asking' ? undefined : record;
    if (record === undefined) considered.set(job, clock.now());
    try {
      let participation: Taken;
      try {
        await requireNothingSpent(job, before);
        participation = await dependencies.accept(view, before !== undefined);
      } catch (error) {
        if (signal.aborted || hasCode(error, ['aborted', 'store_unavailable'])) throw error;
        const { consent } = record ?? {};
        await decline(job, digest, before === undefined ? 'refused' : 'withdrawn', error, { consent });
        return;
      }
      if (asks && before === undefined && record?.consent === undefined) {
        await keepQuestion(view, participation, record);
        return;
      }
      await keepAcceptance(view, participation, record);
      begin(participation);
    } finally {
      considered.delete(job);
    }
  }

  /** Of a job whose record is forgotten nobody knows what was sent, and one charge pays for one contribution. */
  async function requireNothingSpent(job: JobId, before: OwnedJobRecord | undefined): Promise<void> {
    if (before !== undefined || (await ledger.spent(job)).rounds === 0) return;
    throw new SealsumError(
      'privacy_invalid',
      `rounds of a job named ${job} were charged before, and what was sent in them is forgotten; give the job a new name`,
      { field: 'job' },
    );
  }

  async function keepQuestion(
    { signature: { party, key, value } }: JobView,
    { descriptor: { job }, digest, records: count, dropped }: Taken,
    before: OwnedJobRecord | undefined,
  ): Promise<void> {
    if (before === undefined || before.records !== count || before.dropped !== dropped) {
      const details = { digest, records: count, signed_by: party, key, signature: value };
      await records.keep(
        { job, digest, status: 'asking', records: count, dropped },
        { audit: before === undefined ? [{ type: 'job.asked', job, details }] : [] },
      );
      progress('data-owner.question-kept');
      log.info({ job, records: count }, 'waits for a person to approve or refuse it');
    }
    waiting.add(job);
  }

  async function decide(job: JobId, decision: Decision): Promise<void> {
    const record = records.get(job);
    if (record === undefined) throw new SealsumError('job_unknown', `this owner knows no job ${job}`, { field: 'job' });
    if (!isNewDecision(record, decision)) return;
    const { digest } = record;
    const { reason } = decision;
    const consent = { decision: decision.decision, ...(reason === undefined ? {} : { reason }), at: clock.now() };
    if (consent.decision === 'refuse') {
      await decline(job, digest, 'refused', declinedBy(owner, decision), { consent });
      return;
    }
    await records.keep({ ...record, consent }, { audit: [{ type: 'job.approved', job, details: { digest } }] });
    progress('data-owner.approval-kept');
    log.info({ job }, 'approved by a person');
  }

  async function keepAcceptance(
    { signature }: JobView,
    participation: Taken,
    before: OwnedJobRecord | undefined,
  ): Promise<void> {
    const { digest, tagKey, records: count, dropped } = participation;
    const { job } = participation.descriptor;
    const answer: OwnerAnswer = { job, owner, job_digest: digest, status: 'ready', tag_key: tagKey };
    const { party, key, value } = signature;
    const details = { digest, records: count, tag_key: tagKey, signed_by: party, key, signature: value };
    const isSame =
      before?.status === 'ready' &&
      before.records === count &&
      before.dropped === dropped &&
      isEqual(before.answer, answer);
    if (isSame) {
      progress('data-owner.participation-restored');
      return;
    }
    await records.keep(
      { ...before, job, digest, status: 'ready', answer, records: count, dropped },
      { audit: [{ type: 'job.accepted', job, details }] },
    );
    progress('data-owner.acceptance-kept');
    log.info({ job, records: count }, 'ready');
  }

  function begin(participation: Taken): void {
    const { job } = participation.descriptor;
    const over = new AbortController();
    const letGo = abortWith(signal, over);
    over.signal.addEventListener('abort', letGo, { once: true });
    running.set(job, { participation, over });
    participation.prepare(over.signal).catch((error: unknown) => {
      if (!hasCode(error, ['aborted'])) log.warn({ err: error, job }, 'encryption could not be prepared');
    });
  }

  function stop(job: JobId): void {
    waiting.delete(job);
    running.get(job)?.over.abort();
    running.delete(job);
  }

  /** Keeps that this owner does not take part: the reason in full here, its public half for the others. */
  async function decline(
    job: JobId,
    digest: string,
    status: 'refused' | 'withdrawn',
    error: unknown,
    { audit = [], consent }: { readonly audit?: readonly AuditBody[]; readonly consent?: Consent | undefined } = {},
  ): Promise<void> {
    stop(job);
    const known = error instanceof SealsumError;
    const reason = known ? error.message : 'an unexpected error; see the log';
    const told = publicReason(error);
    dependencies.onDeclined?.(job, error);
    const answer: OwnerAnswer = { job, owner, job_digest: digest, status, reason: told };
    const before = status === 'withdrawn' ? records.get(job) : undefined;
    await records.keep(
      { ...before, job, digest, status, answer, reason, ...(consent === undefined ? {} : { consent }) },
      { audit: [...audit, { type: `job.${status}`, job, details: { digest, reason: told } }] },
    );
    progress(status === 'refused' ? 'data-owner.refusal-kept' : 'data-owner.withdrawal-kept');
    // What a person decides is no failure.
    if (consent?.decision === 'refuse') log.info({ job }, `${status}: ${reason}`);
    else log.error(known ? { job, code: error.code } : { job, err: error }, `${status}: ${reason}`);
    await dependencies.drop(job);
  }

  /** Another descriptor under the name of an accepted one: refused, and the end of the accepted one too. */
  async function refuseOther(view: JobView, digest: string, record: OwnedJobRecord): Promise<OwnerAnswer> {
    const { descriptor, signature } = view;
    const { job, model_owner } = descriptor;
    const error = new SealsumError(
      'job_conflict',
      `the job is another one (${digest}) than this owner accepted under its name (${record.digest})`,
      { field: 'job' },
    );
    try {
      verifyObject(parties(), { name: model_owner, role: 'model-owner' }, 'job', descriptor, signature);
    } catch (cause) {
      // Only what is signed says anything of the model owner.
      throw new SealsumError('job_conflict', `${error.message}, and is not signed by its model owner`, { cause });
    }
    const { party, key, value } = signature;
    const details = { kept: record.digest, shown: digest, signed_by: party, key, signature: value };
    const audit: AuditBody[] = noted.has(digest) ? [] : [{ type: 'job.conflict', job, details }];
    if (record.status === 'ready') await decline(job, record.digest, 'withdrawn', error, { audit });
    else if (audit.length > 0) await records.keep(record, { audit });
    noted.add(digest);
    log.error({ job, kept: record.digest, shown: digest }, 'the model owner has signed two descriptors of one job');
    return { job, owner, job_digest: digest, status: 'refused', reason: publicReason(error) };
  }

  return {
    join,
    participation: (job) => running.get(job)?.participation,
    isUndecided,
    decide: (job, decision) => inTurn(job, () => decide(job, decision)),
    withdraw: (job, reason, audit) =>
      inTurn(job, async () => {
        const digest = records.get(job)?.digest;
        if (digest !== undefined) await decline(job, digest, 'withdrawn', reason, { audit });
      }),
    end: (job) =>
      inTurn(job, async () => {
        stop(job);
        const record = records.get(job);
        if (record === undefined || record.status === 'ended') return;
        await records.keep(
          { ...record, status: 'ended' },
          { audit: [{ type: 'job.ended', job, details: { digest: record.digest } }] },
        );
      }),
    considered: () => considered,
  };
}

/** Whether a facilitator that shows an owner like this has heard its answer. */
function isKnown(answer: OwnerAnswer, known: OwnerView | undefined): boolean {
  if (known?.status !== answer.status) return false;
  return known.answer === undefined || isEqual(known.answer.answer, answer);
}

function isEqual(left: OwnerAnswer | undefined, right: OwnerAnswer): boolean {
  return left !== undefined && canonicalDigest(left) === canonicalDigest(right);
}
