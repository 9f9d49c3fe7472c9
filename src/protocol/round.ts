/**
 * The life of one round, as a pure function of what happened: open → closed (with the exact subset of the roster that
 * contributed) or open → abandoned (with a reason that names who was missing). Nothing ever leaves a final state.
 *
 * One message per owner and round, so dropouts cost nothing: any subset of the roster of at least the quorum is a round.
 */
import { SealsumError } from '../errors.ts';
import type { JobId, OwnerId } from './identifiers.ts';

/** What the facilitator has accepted from one owner. */
export interface AcceptedContribution {
  readonly owner: OwnerId;
  /** SHA-256 of the contribution's bytes, lowercase hexadecimal. */
  readonly digest: string;
}

export interface RoundState {
  readonly job: JobId;
  /** Counted from 1. */
  readonly round: number;
  readonly status: 'open' | 'closed' | 'abandoned';
  /** Who may contribute. */
  readonly roster: readonly OwnerId[];
  /** The least number of contributors. */
  readonly quorum: number;
  /** Milliseconds since 1970, when the round began and when it stops waiting. */
  readonly openedAt: number;
  readonly deadline: number;
  /** In the order of their arrival; at most one per owner. */
  readonly contributions: readonly AcceptedContribution[];
  /** Owners of the roster who said that they will not contribute: the round does not wait for them. */
  readonly withdrawn: readonly OwnerId[];
  /** Why it was abandoned. */
  readonly reason?: string;
}

/** Opens a round. @throws SealsumError owners_too_few when the roster cannot reach the quorum. */
export function openRound(round: Omit<RoundState, 'status' | 'contributions' | 'withdrawn' | 'reason'>): RoundState {
  if (round.roster.length < round.quorum)
    throw new SealsumError(
      'owners_too_few',
      `round ${round.round} needs ${round.quorum} owners and its roster names ${round.roster.length}`,
      { field: 'roster' },
    );
  return { ...round, status: 'open', contributions: [], withdrawn: [] };
}

/**
 * Accepts one contribution. The same bytes again change nothing (the state comes back as it was, whatever its status);
 * other bytes are refused.
 *
 * @throws SealsumError owner_not_on_roster, contribution_conflict, round_closed or round_abandoned
 */
export function acceptContribution(state: RoundState, owner: OwnerId, digest: string): RoundState {
  if (!state.roster.includes(owner))
    throw new SealsumError('owner_not_on_roster', `${owner} is not on the roster of round ${state.round}`, {
      field: 'owner',
    });
  const earlier = state.contributions.find((each) => each.owner === owner);
  if (earlier !== undefined) {
    if (earlier.digest === digest) return state;
    throw new SealsumError(
      'contribution_conflict',
      `${owner} has contributed other bytes to round ${state.round}; a contribution is made once and only repeated`,
    );
  }
  if (state.status !== 'open') throw roundOver(state);
  return {
    ...state,
    contributions: [...state.contributions, { owner, digest }],
    withdrawn: state.withdrawn.filter((each) => each !== owner),
  };
}

/** Notes that an owner will not contribute; without effect when it has, is not on the roster, or the round is over. */
export function withdrawOwner(state: RoundState, owner: OwnerId): RoundState {
  const irrelevant =
    state.status !== 'open' ||
    !state.roster.includes(owner) ||
    state.withdrawn.includes(owner) ||
    state.contributions.some((each) => each.owner === owner);
  return irrelevant ? state : { ...state, withdrawn: [...state.withdrawn, owner] };
}

/**
 * Closes or abandons the round if it is time: closed when nobody is left to wait for, or at the deadline with a quorum;
 * abandoned when the quorum can no longer be reached, or at the deadline without it.
 *
 * @param now milliseconds since 1970
 */
export function settleRound(state: RoundState, now: number): RoundState {
  if (state.status !== 'open') return state;
  const waitingFor = missingOwners(state).filter((owner) => !state.withdrawn.includes(owner));
  const expired = now >= state.deadline;
  const count = state.contributions.length;
  if (count >= state.quorum && (waitingFor.length === 0 || expired)) return { ...state, status: 'closed' };
  if (!expired && count + waitingFor.length >= state.quorum) return state;
  const seconds = (state.deadline - state.openedAt) / 1000;
  const when = expired ? `after ${seconds} s` : 'because the quorum is out of reach';
  return {
    ...state,
    status: 'abandoned',
    reason: `round ${state.round} was abandoned ${when}: ${count} of at least ${state.quorum} contributions, missing ${missingOwners(state).join(', ')}`,
  };
}

/** The owners of the roster from whom nothing has been accepted. */
export function missingOwners(state: RoundState): OwnerId[] {
  return state.roster.filter((owner) => !state.contributions.some((each) => each.owner === owner));
}

/** The error that tells what a round that is no longer open has become. */
export function roundOver(state: RoundState): SealsumError {
  return state.status === 'abandoned'
    ? new SealsumError('round_abandoned', state.reason ?? `round ${state.round} was abandoned`)
    : new SealsumError(
        'round_closed',
        `round ${state.round} is closed with ${state.contributions.length} contributions; say "ready" again to take part in the next`,
      );
}
