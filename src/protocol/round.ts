/**
 * The life of one round, as a pure function of what happened: open → closed (with the exact subset of the roster that
 * contributed) or open → abandoned (with a reason that names who was missing). Nothing ever leaves a final state.
 *
 * One message per owner and round, so dropouts cost nothing: any subset of the roster of at least the quorum is a round.
 */
import { SealsumError } from '../errors.ts';
import type { JobId, OwnerId } from './identifiers.ts';
import type { ObjectSignature } from './signed.ts';

/** What the facilitator has accepted from one owner. */
export interface AcceptedContribution {
  readonly owner: OwnerId;
  /** SHA-256 of the contribution's bytes, lowercase hexadecimal. */
  readonly digest: string;
  /** How many bytes. */
  readonly bytes: number;
  /** The owner's, of kind `contribution`. */
  readonly signature: ObjectSignature;
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

/** What `standing` says of an owner that has not contributed; else it is the index of its contribution. */
const waits = -1;
const withdrew = -2;

/** How a state's owners stand, so that nobody has to search the lists of a round with thousands of owners for each of them. */
interface Tally {
  /** Of every owner of the roster its place there: the same map for all states of a round. */
  readonly places: ReadonlyMap<OwnerId, number>;
  /** By place on the roster. */
  readonly standing: Int32Array;
  /** How many have neither contributed nor withdrawn. */
  readonly waiting: number;
}

/** Made when it is first asked for, and handed on from state to state; a state made elsewhere gets its own. */
const tallies = new WeakMap<RoundState, Tally>();

function tallyOf(state: RoundState): Tally {
  const known = tallies.get(state);
  if (known !== undefined) return known;
  const places = new Map(state.roster.map((owner, place) => [owner, place]));
  const standing = new Int32Array(state.roster.length).fill(waits);
  const set = (owner: OwnerId, to: number): void => {
    const place = places.get(owner);
    if (place !== undefined) standing[place] = to;
  };
  for (const owner of state.withdrawn) set(owner, withdrew);
  for (const [index, { owner }] of state.contributions.entries()) set(owner, index);
  const tally = { places, standing, waiting: standing.filter((each) => each === waits).length };
  tallies.set(state, tally);
  return tally;
}

/** Notes that in `next` the owner at this place stands otherwise than in the state whose tally is given. */
function handOn(tally: Tally, next: RoundState, place: number, to: number): RoundState {
  const standing = tally.standing.slice();
  const waiting = tally.waiting - (standing[place] === waits ? 1 : 0);
  standing[place] = to;
  tallies.set(next, { places: tally.places, standing, waiting });
  return next;
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
export function acceptContribution(state: RoundState, contribution: AcceptedContribution): RoundState {
  const { owner, digest } = contribution;
  const tally = tallyOf(state);
  const place = tally.places.get(owner);
  if (place === undefined)
    throw new SealsumError('owner_not_on_roster', `${owner} is not on the roster of round ${state.round}`, {
      field: 'owner',
    });
  const earlier = contributionOf(state, owner);
  if (earlier !== undefined) {
    if (earlier.digest === digest) return state;
    throw new SealsumError(
      'contribution_conflict',
      `${owner} has contributed other bytes to round ${state.round}; a contribution is made once and only repeated`,
    );
  }
  if (state.status !== 'open') throw roundOver(state);
  const accepted = {
    ...state,
    contributions: [...state.contributions, contribution],
    withdrawn: hasWithdrawn(state, owner) ? state.withdrawn.filter((each) => each !== owner) : state.withdrawn,
  };
  return handOn(tally, accepted, place, state.contributions.length);
}

/** What has been accepted from an owner; undefined when nothing has. */
export function contributionOf(state: RoundState, owner: OwnerId): AcceptedContribution | undefined {
  const { places, standing } = tallyOf(state);
  return state.contributions[standing[places.get(owner) ?? -1] ?? waits];
}

/** Whether an owner has said that it will not contribute, and has not. */
export function hasWithdrawn(state: RoundState, owner: OwnerId): boolean {
  const { places, standing } = tallyOf(state);
  return standing[places.get(owner) ?? -1] === withdrew;
}

/** Notes that an owner will not contribute; without effect when it has, is not on the roster, or the round is over. */
export function withdrawOwner(state: RoundState, owner: OwnerId): RoundState {
  const tally = tallyOf(state);
  const place = tally.places.get(owner);
  if (state.status !== 'open' || place === undefined || tally.standing[place] !== waits) return state;
  return handOn(tally, { ...state, withdrawn: [...state.withdrawn, owner] }, place, withdrew);
}

/**
 * Closes or abandons the round if it is time: closed when nobody is left to wait for, or at the deadline with a quorum;
 * abandoned when the quorum can no longer be reached, or at the deadline without it.
 *
 * @param now milliseconds since 1970
 */
export function settleRound(state: RoundState, now: number): RoundState {
  if (state.status !== 'open') return state;
  const { waiting } = tallyOf(state);
  const expired = now >= state.deadline;
  const count = state.contributions.length;
  if (count >= state.quorum && (waiting === 0 || expired)) return { ...state, status: 'closed' };
  if (!expired && count + waiting >= state.quorum) return state;
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
  const { standing } = tallyOf(state);
  return state.roster.filter((_, place) => (standing[place] ?? waits) < 0);
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
