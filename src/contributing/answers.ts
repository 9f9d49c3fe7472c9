/**
 * What an owner says of jobs: that it asks its people, takes part, or does not (any more). Everything is kept, with its entry in the audit
 * log, before anybody hears of it.
 */
import { SealsumError } from '../errors.ts';
import type { EventLog } from '../http/event-log.ts';
import type { Clock } from '../protocol/clock.ts';
import type { JobId, OwnerId } from '../protocol/identifiers.ts';
import type { JobView, OwnerAnswer, OwnerView } from '../protocol/job-messages.ts';
import type { Parties } from '../protocol/parties.ts';
import { canonicalDigest, verifyObject } from '../protocol/signed.ts';
import type { AuditBody } from '../storage/audit.ts';
import type { AskedJob, Consent, OwnedJobRecord } from '../storage/data-owner-store.ts';
import { publicReason } from './acceptance.ts';
import type { DataOwnerProgress } from './checkpoints.ts';
import { type Decision, declinedBy } from './consent.ts';
import type { JobRecords } from './job-records.ts';
import type { Participation } from './participation.ts';

export interface AnswersDependencies {
  readonly owner: OwnerId;
  readonly parties: () => Parties;
  readonly records: JobRecords;
  readonly clock: Clock;
  readonly progress: DataOwnerProgress;
  readonly log: EventLog;
  /** Told why a job was refused, or is taken part in no longer. */
  readonly onDeclined?: (job: JobId, error: unknown) => void;
  /** Takes part in a job no longer, from now on. */
  readonly stop: (job: JobId) => void;
  /** Forgets the contributions that are kept of a job. */
  readonly drop: (job: JobId) => Promise<void>;
}

/** What belongs to an answer that says no. */
export interface DeclineDetails {
  readonly audit?: readonly AuditBody[];
  readonly consent?: Consent | undefined;
  /** The job, where it was just considered. */
  readonly asked?: AskedJob;
}

export interface Answers {
  /** @param before what is kept of the same question */
  keepQuestion(view: JobView, taken: Participation, before: OwnedJobRecord | undefined): Promise<void>;
  /** @param before what is kept of this very descriptor */
  keepAcceptance(view: JobView, taken: Participation, before: OwnedJobRecord | undefined): Promise<void>;
  /** What a person has said of a job that waits: a refusal is the answer, an approval has it looked at once more. */
  keepDecision(record: OwnedJobRecord, decision: Decision): Promise<void>;
  /** Keeps that this owner does not take part: the reason in full here, its public half for the others. */
  decline(
    job: JobId,
    digest: string,
    status: 'refused' | 'withdrawn',
    error: unknown,
    details?: DeclineDetails,
  ): Promise<void>;
  /** Another descriptor under the name of an accepted one: refused, and the end of the accepted one too. */
  refuseOther(view: JobView, digest: string, record: OwnedJobRecord): Promise<OwnerAnswer>;
}

export function createAnswers(dependencies: AnswersDependencies): Answers {
  const { owner, parties, records, clock, log, progress } = dependencies;
  /** Descriptors that contradict accepted ones and were noted in the audit log. */
  const noted = new Set<string>();

  async function keepQuestion(
    view: JobView,
    { descriptor: { job }, digest, records: count, dropped }: Participation,
    before: OwnedJobRecord | undefined,
  ): Promise<void> {
    if (before?.records === count && before.dropped === dropped) return;
    const { party, key, value } = view.signature;
    const details = { digest, records: count, signed_by: party, key, signature: value };
    await records.keep(
      { job, digest, status: 'asking', records: count, dropped },
      { asked: askedOf(view), audit: before === undefined ? [{ type: 'job.asked', job, details }] : [] },
    );
    progress('data-owner.question-kept');
    log.info({ job, records: count }, 'waits for a person to approve or refuse it');
  }

  async function keepAcceptance(
    view: JobView,
    participation: Participation,
    before: OwnedJobRecord | undefined,
  ): Promise<void> {
    const { digest, tagKey, records: count, dropped } = participation;
    const { job } = participation.descriptor;
    const answer: OwnerAnswer = { job, owner, job_digest: digest, status: 'ready', tag_key: tagKey };
    const { party, key, value } = view.signature;
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
      { asked: askedOf(view), audit: [{ type: 'job.accepted', job, details }] },
    );
    progress('data-owner.acceptance-kept');
    log.info({ job, records: count }, 'ready');
  }

  async function keepDecision(record: OwnedJobRecord, decision: Decision): Promise<void> {
    const { job, digest } = record;
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

  async function decline(
    job: JobId,
    digest: string,
    status: 'refused' | 'withdrawn',
    error: unknown,
    { audit = [], consent, asked }: DeclineDetails = {},
  ): Promise<void> {
    dependencies.stop(job);
    const known = error instanceof SealsumError;
    const reason = known ? error.message : 'an unexpected error; see the log';
    const told = publicReason(error);
    dependencies.onDeclined?.(job, error);
    const answer: OwnerAnswer = { job, owner, job_digest: digest, status, reason: told };
    const before = status === 'withdrawn' ? records.get(job) : undefined;
    await records.keep(
      { ...before, job, digest, status, answer, reason, ...(consent === undefined ? {} : { consent }) },
      {
        ...(asked === undefined ? {} : { asked: askedOf(asked) }),
        audit: [...audit, { type: `job.${status}`, job, details: { digest, reason: told } }],
      },
    );
    progress(status === 'refused' ? 'data-owner.refusal-kept' : 'data-owner.withdrawal-kept');
    // What a person decides is no failure.
    if (consent?.decision === 'refuse') log.info({ job }, `${status}: ${reason}`);
    else log.error(known ? { job, code: error.code } : { job, err: error }, `${status}: ${reason}`);
    await dependencies.drop(job);
  }

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

  return { keepQuestion, keepAcceptance, keepDecision, decline, refuseOther };
}

/** What was verified, and nothing that the facilitator says beside it but since when the job is there. */
function askedOf({ descriptor, signature, created_at }: AskedJob): AskedJob {
  return { descriptor, signature, created_at };
}

/** Whether a facilitator that shows an owner like this has heard its answer. */
export function isHeard(answer: OwnerAnswer, known: OwnerView | undefined): boolean {
  if (known?.status !== answer.status) return false;
  return known.answer === undefined || isEqual(known.answer.answer, answer);
}

function isEqual(left: OwnerAnswer | undefined, right: OwnerAnswer): boolean {
  return left !== undefined && canonicalDigest(left) === canonicalDigest(right);
}
