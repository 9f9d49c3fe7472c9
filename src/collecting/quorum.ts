/** Whom a round asks: the owners who are ready, once they are enough. */
import { SealsumError } from '../errors.ts';
import type { OwnerId } from '../protocol/identifiers.ts';
import type { OwnerStatus, OwnerView } from '../protocol/job-messages.ts';
import type { JobSettings } from '../protocol/terms.ts';
import type { JobWatch } from './job-watch.ts';
import type { OwnerRegister } from './owner-register.ts';

type Participation = Pick<
  JobSettings['participation'],
  'quorum' | 'deadline_seconds' | 'answer_seconds' | 'target_owners'
>;

export interface FirstAnswersOptions {
  /** Where the job does not say with how many it starts: so many are waited for, whoever else has not answered. */
  readonly enough?: number | undefined;
  /** Told how many are ready of how many are waited for, whenever that changes. */
  readonly onReady?: ((ready: number, target: number) => void) | undefined;
}

/** How many owners stand like this. */
function count(owners: readonly OwnerView[], ...statuses: readonly OwnerStatus[]): number {
  return owners.filter((view) => statuses.includes(view.status)).length;
}

/**
 * Waits until as many owners are ready as the job starts with, or where it does not say so until every owner has answered or the
 * quorum is out of reach; for as long as the job says at most, and as a round would where it does not say.
 *
 * @throws SealsumError owners_too_few naming who is missing and why, when a target is not reached
 */
export async function firstAnswers(
  watch: JobWatch,
  register: OwnerRegister,
  { quorum, deadline_seconds, answer_seconds = deadline_seconds, target_owners: target }: Participation,
  { enough, onReady = () => undefined }: FirstAnswersOptions = {},
): Promise<void> {
  let told = -1;
  await watch.until(answer_seconds * 1000, (owners) => {
    const ready = count(owners, 'ready');
    if (ready !== told) onReady(ready, target ?? enough ?? owners.length);
    told = ready;
    if (target !== undefined) return ready >= target || count(owners, 'invited', 'ready', 'absent') < target;
    if (enough !== undefined && ready >= enough) return true;
    return count(owners, 'invited') === 0 || count(owners, 'invited', 'ready') < quorum;
  });
  const ready = watch.ready().length;
  if (target === undefined || ready >= target) return;
  throw tooFew(register, ready, `the job starts with ${target}`, 'participation.target_owners');
}

/**
 * The owners who are ready, once they are enough; waits for those who missed a deadline, but for no longer than a round would.
 *
 * @throws SealsumError owners_too_few naming who is missing and why
 */
export async function gatherQuorum(
  watch: JobWatch,
  register: OwnerRegister,
  { quorum, deadline_seconds }: Participation,
): Promise<OwnerId[]> {
  await watch.until(
    deadline_seconds * 1000,
    (owners) => count(owners, 'ready') >= quorum || count(owners, 'ready', 'absent') < quorum,
  );
  const ready = watch.ready();
  if (ready.length >= quorum) return ready;
  throw tooFew(register, ready.length, `the quorum is ${quorum}`, 'participation.quorum');
}

function tooFew(register: OwnerRegister, ready: number, needed: string, field: string): SealsumError {
  const owners = register.owners();
  const others = owners
    .filter((view) => view.status !== 'ready')
    .map(({ owner, status, reason }) => {
      const said = status === 'invited' ? 'has not answered' : status === 'absent' ? 'missed a deadline' : status;
      return `${owner} ${said}${reason === undefined ? '' : `: ${reason}`}`;
    });
  return new SealsumError(
    'owners_too_few',
    `${ready} of ${owners.length} data owners are ready and ${needed} (${others.join('; ')})`,
    { field },
  );
}
