/**
 * Whether an owner takes part in jobs: each is considered once, answered (answers.ts), and the facilitator told; the answer is the same ever
 * after for the same descriptor. What was accepted is found out anew from the data after a restart.
 *
 * Where a person has to approve, a job that is found good waits, and nobody hears anything. Once it is approved it is looked at as if for
 * the first time, since the budget or the data may have become others meanwhile.
 */
import { SealsumError } from '../errors.ts';
import type { FacilitatorClient } from '../http/facilitator-client.ts';
import { abortWith } from '../http/signals.ts';
import type { Ledger } from '../privacy/ledger.ts';
import type { JobId } from '../protocol/identifiers.ts';
import type { Identity } from '../protocol/identity.ts';
import type { JobView, OwnerAnswer, SignedJob } from '../protocol/job-messages.ts';
import { objectDigest, signObject } from '../protocol/signed.ts';
import type { AuditBody } from '../storage/audit.ts';
import type { OwnedJobRecord } from '../storage/data-owner-store.ts';
import { type AnswersDependencies, createAnswers, isHeard } from './answers.ts';
import { type Decision, isNewDecision } from './consent.ts';
import { hasCode } from './error-kinds.ts';
import { standingOf } from './job-records.ts';
import { createJobTurns } from './job-turns.ts';
import type { Participation } from './participation.ts';

export interface MembershipDependencies<Taken extends Participation> extends Omit<AnswersDependencies, 'stop'> {
  readonly identity: Identity;
  /**
   * Accepts a job, or throws why not.
   *
   * @param isKnown whether this owner takes part already
   */
  readonly accept: (signed: SignedJob, isKnown: boolean) => Promise<Taken>;
  /** Whether what is accepted waits for a person's approval; false unless given. */
  readonly asks?: boolean;
  readonly client: Pick<FacilitatorClient, 'job' | 'answerJob'>;
  readonly ledger: Ledger;
  readonly signal: AbortSignal;
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
  const { identity, owner, client, records, ledger, clock, log, progress, signal, asks = false } = dependencies;
  const running = new Map<JobId, Running<Taken>>();
  const considered = new Map<JobId, number>();
  /** Jobs that were found good since this process began, and wait for a person. */
  const waiting = new Set<JobId>();
  /** People decide while the facilitator's events are dealt with. */
  const turns = createJobTurns();
  const answers = createAnswers({ ...dependencies, stop });

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
    const answer = await turns.take(job, () => answerTo(view));
    if (answer === undefined) return true;
    const known = owners.find((each) => each.owner === owner);
    if (!isHeard(answer, known)) {
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
      return await answers.refuseOther(view, digest, record);
    const same = record?.digest === digest ? record : undefined;
    // What was kept for another job of this name is not this one's.
    if (record !== undefined && same === undefined) await dependencies.drop(job);
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
        const status = before === undefined ? 'refused' : 'withdrawn';
        await answers.decline(job, digest, status, error, { asked: view, consent: record?.consent });
        return;
      }
      if (asks && before === undefined && record?.consent === undefined) {
        await answers.keepQuestion(view, participation, record);
        waiting.add(job);
        return;
      }
      await answers.keepAcceptance(view, participation, record);
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

  async function decide(job: JobId, decision: Decision): Promise<void> {
    const record = records.get(job);
    if (record === undefined) throw new SealsumError('job_unknown', `this owner knows no job ${job}`, { field: 'job' });
    if (!isNewDecision(record, decision)) return;
    await answers.keepDecision(record, decision);
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

  return {
    join,
    participation: (job) => running.get(job)?.participation,
    isUndecided,
    decide: (job, decision) => turns.take(job, () => decide(job, decision)),
    withdraw: (job, reason, audit) =>
      turns.take(job, async () => {
        const digest = records.get(job)?.digest;
        if (digest !== undefined) await answers.decline(job, digest, 'withdrawn', reason, { audit });
      }),
    end: (job) =>
      turns.take(job, async () => {
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
