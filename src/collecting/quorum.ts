/** Whom a round asks: the owners who are ready, once they are enough. */
import { SealsumError } from '../errors.ts';
import type { OwnerId } from '../protocol/identifiers.ts';
import type { OwnerStatus, OwnerView } from '../protocol/job-messages.ts';
import type { JobSettings } from '../protocol/terms.ts';
import type { JobWatch } from './job-watch.ts';
import type { OwnerRegister } from './owner-register.ts';

type Participation = Pick<JobSettings['participation'], 'quorum' | 'deadline_seconds'>;

/** How many owners stand like this. */
function count(owners: readonly OwnerView[], ...statuses: readonly OwnerStatus[]): number {
  return owners.filter((view) => statuses.includes(view.status)).length;
}

/**
 * Waits until every owner has answered or the quorum is out of reach, for at most as long as a round would.
 *
 * @param enough until so many are ready, whoever else has not answered
 */
export function firstAnswers(
  watch: JobWatch,
  { quorum, deadline_seconds }: Participation,
  enough: number = Number.POSITIVE_INFINITY,
): Promise<void> {
  return watch.until(
    deadline_seconds * 1000,
    (owners) =>
      count(owners, 'ready') >= enough || count(owners, 'invited') === 0 || count(owners, 'invited', 'ready') < quorum,
  );
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
  const owners = register.owners();
  const others = owners
    .filter((view) => view.status !== 'ready')
    .map(({ owner, status, reason }) => {
      const said = status === 'invited' ? 'has not answered' : status === 'absent' ? 'missed a deadline' : status;
      return `${owner} ${said}${reason === undefined ? '' : `: ${reason}`}`;
    });
  throw new SealsumError(
    'owners_too_few',
    `${ready.length} of ${owners.length} data owners are ready and the quorum is ${quorum} (${others.join('; ')})`,
    { field: 'participation.quorum' },
  );
}
