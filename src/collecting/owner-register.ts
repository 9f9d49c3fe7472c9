/**
 * What the data owners of a job said, as far as they signed it. The facilitator passes their answers on; it can withhold one,
 * but not make one up: an owner whose answer cannot be verified counts as one that has not answered.
 */
import { SealsumError } from '../errors.ts';
import type { EventLog } from '../http/event-log.ts';
import type { JobId, OwnerId } from '../protocol/identifiers.ts';
import type { OwnerStatus, OwnerView, SignedAnswer } from '../protocol/job-messages.ts';
import type { Parties } from '../protocol/parties.ts';
import { verifyObject } from '../protocol/signed.ts';
import type { TagKey, TagSecret } from '../protocol/tags.ts';

export interface OwnerRegister {
  /**
   * In the order of the roster. `answer` is the newest one with which the owner said ready, whatever it has said since: what it
   * has contributed is checked with the tag key in it.
   */
  readonly owners: () => readonly OwnerView[];
  /** Takes what the facilitator shows; returns whether that changed anything. */
  note(views: readonly OwnerView[]): boolean;
  /** What this owner's tags follow from. @throws SealsumError tag_mismatch when it never said ready; identity_invalid */
  tagKeyOf(owner: OwnerId): TagKey;
}

export interface OwnerRegisterOptions {
  readonly job: JobId;
  /** Of the job's descriptor. */
  readonly jobDigest: string;
  readonly tagSecret: TagSecret;
  readonly parties: () => Parties;
  readonly log: EventLog;
  /** What is known of them already, in the order of the roster: what owners() was. */
  readonly owners: readonly OwnerView[];
}

/** What a facilitator may say of an owner that gave this answer. */
const possible: Readonly<Record<SignedAnswer['answer']['status'], readonly OwnerStatus[]>> = {
  ready: ['ready', 'absent'],
  refused: ['refused'],
  withdrawn: ['withdrawn'],
};

export function createOwnerRegister(options: OwnerRegisterOptions): OwnerRegister {
  const known = new Map<OwnerId, OwnerView>(options.owners.map((view) => [view.owner, view]));
  /** Of each owner, the last answer that was verified, and the last one that could not be. */
  const verified = new Map<OwnerId, string>();
  const refused = new Map<OwnerId, string>();
  const tagKeys = new Map<OwnerId, { readonly publicKey: string; readonly key: TagKey }>();

  function isVerified(owner: OwnerId, signed: SignedAnswer): boolean {
    const text = JSON.stringify(signed);
    if (verified.get(owner) === text) return true;
    if (refused.get(owner) === text) return false;
    try {
      requireAnswer(owner, signed);
      verified.set(owner, text);
      return true;
    } catch (error) {
      if (!(error instanceof SealsumError)) throw error;
      refused.set(owner, text);
      const { job, log } = options;
      log.warn({ job, owner, code: error.code }, `an answer that the owner did not give: ${error.message}`);
      return false;
    }
  }

  function requireAnswer(owner: OwnerId, { answer, signature }: SignedAnswer): void {
    const { job, jobDigest, parties } = options;
    const stray = (['job', 'owner', 'job_digest'] as const).find(
      (field) => answer[field] !== { job, owner, job_digest: jobDigest }[field],
    );
    if (stray !== undefined)
      throw new SealsumError('message_invalid', `the answer of ${owner} is another's: ${stray}`, { field: stray });
    verifyObject(parties(), { name: owner, role: 'data-owner' }, 'answer', answer, signature);
  }

  /** What is believed of one owner. */
  function believed(before: OwnerView, { owner, status, reason, answer: signed }: OwnerView): OwnerView {
    const { answer } = signed !== undefined && isVerified(owner, signed) ? signed : {};
    if (signed === undefined || answer === undefined || !possible[answer.status].includes(status))
      return viewOf(owner, 'invited', undefined, before.answer);
    const said = status === 'absent' ? reason : answer.reason;
    return viewOf(owner, status, said, answer.status === 'ready' ? signed : before.answer);
  }

  return {
    owners: () => [...known.values()],
    note: (views) => {
      let changed = false;
      for (const shown of views) {
        const before = known.get(shown.owner);
        if (before === undefined) continue;
        const after = believed(before, shown);
        if (isSame(before, after)) continue;
        known.set(shown.owner, after);
        changed = true;
      }
      return changed;
    },
    tagKeyOf: (owner) => {
      const publicKey = known.get(owner)?.answer?.answer.tag_key;
      if (publicKey === undefined)
        throw new SealsumError('tag_mismatch', `${owner} never said that it is ready, so its tags cannot be checked`, {
          field: owner,
        });
      const agreed = tagKeys.get(owner);
      if (agreed?.publicKey === publicKey) return agreed.key;
      const key = options.tagSecret.agree(publicKey, owner);
      tagKeys.set(owner, { publicKey, key });
      return key;
    },
  };
}

function viewOf(
  owner: OwnerId,
  status: OwnerStatus,
  reason: string | undefined,
  answer: SignedAnswer | undefined,
): OwnerView {
  return {
    owner,
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(answer === undefined ? {} : { answer }),
  };
}

function isSame(left: OwnerView, right: OwnerView): boolean {
  return (
    left.status === right.status &&
    left.reason === right.reason &&
    left.answer?.signature.value === right.answer?.signature.value
  );
}

/** As people are shown them: without the signed answers. */
export function publicOwners(owners: readonly OwnerView[]): readonly OwnerView[] {
  return owners.map(({ owner, status, reason }) => viewOf(owner, status, reason, undefined));
}
