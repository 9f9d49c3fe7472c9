/**
 * Every job that a facilitator keeps, by what must be known of it without looking it up: who belongs to it and how it stands.
 * Who may do what follows from it.
 */
import { SealsumError } from '../../src/errors.ts';
import type { JobId, OwnerId, PartyId } from '../../src/protocol/identifiers.ts';
import type { Party } from '../../src/protocol/identity.ts';
import type { JobView } from '../../src/protocol/job-messages.ts';
import { childrenOf, parentOf } from '../../src/protocol/tree.ts';
import type { JobRecord } from '../../src/storage/facilitator-store.ts';

export interface Standing {
  readonly job: JobId;
  /** Whose register it is. */
  readonly facilitator: PartyId;
  readonly modelOwner: PartyId;
  /** In the order of the roster. */
  readonly owners: ReadonlySet<OwnerId>;
  /** The facilitators whose aggregates are contributions to this one. */
  readonly children: ReadonlySet<PartyId>;
  /** To whom the aggregates of this one go; undefined: to the model owner. */
  readonly parent: PartyId | undefined;
  readonly status: JobView['status'];
  readonly round: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly changedAt: number;
}

export interface Register {
  get(job: JobId): Standing | undefined;
  /** Oldest first. */
  all(): IterableIterator<Standing>;
  /** Open jobs of one model owner, or of all. */
  openJobs(of?: PartyId): number;
  /** Notes how a job stands now. */
  note(record: JobRecord): void;
  forget(job: JobId): void;
  /** The job if this party belongs to it. @throws SealsumError job_unknown, to everybody else */
  memberOf(party: Party, job: JobId): Standing;
  /** The job if this party is its model owner. @throws SealsumError job_unknown, role_forbidden */
  ledBy(party: Party, job: JobId): Standing;
  /** The job if this party is this owner of its roster. @throws SealsumError role_forbidden, job_unknown */
  joinedBy(party: Party, job: JobId, owner: OwnerId): Standing;
  /** The job if this party is this facilitator, whose part is folded here. @throws SealsumError role_forbidden */
  foldedFrom(party: Party, job: JobId, facilitator: PartyId): Standing;
}

/** @param facilitator whose register it is */
export function createRegister(facilitator: PartyId): Register {
  const standings = new Map<JobId, Standing>();
  const open = new Map<PartyId, number>();
  /** A model owner asks the same owners again and again: their names are kept once. */
  const rosters = new Map<PartyId, ReadonlySet<OwnerId>>();

  function rosterOf(modelOwner: PartyId, roster: readonly OwnerId[]): ReadonlySet<OwnerId> {
    const last = rosters.get(modelOwner);
    if (last !== undefined && sameOrder(last, roster)) return last;
    const owners = new Set(roster);
    rosters.set(modelOwner, owners);
    return owners;
  }

  function count({ modelOwner, status }: Standing, by: 1 | -1): void {
    if (status === 'open') open.set(modelOwner, (open.get(modelOwner) ?? 0) + by);
    if (open.get(modelOwner) === 0) open.delete(modelOwner);
  }

  function memberOf(party: Party, job: JobId): Standing {
    const standing = standings.get(job);
    if (standing === undefined || !belongs(party, standing))
      throw new SealsumError('job_unknown', `there is no job ${job}`, { field: 'job' });
    return standing;
  }

  return {
    get: (job) => standings.get(job),
    all: () => standings.values(),
    openJobs: (of) =>
      of === undefined ? [...open.values()].reduce((total, each) => total + each, 0) : (open.get(of) ?? 0),
    note: ({ signed: { descriptor }, status, round, createdAt, changedAt }) => {
      const before = standings.get(descriptor.job);
      if (before !== undefined) count(before, -1);
      const owners = before?.owners ?? rosterOf(descriptor.model_owner, descriptor.roster);
      const { job, model_owner: modelOwner } = descriptor;
      const children = before?.children ?? new Set(childrenOf(descriptor, facilitator));
      const parent = parentOf(descriptor, facilitator);
      const standing = { job, facilitator, modelOwner, owners, children, parent, status, round, createdAt, changedAt };
      standings.set(job, standing);
      count(standing, 1);
    },
    forget: (job) => {
      const standing = standings.get(job);
      if (standing === undefined) return;
      count(standing, -1);
      standings.delete(job);
    },
    memberOf,
    ledBy: (party, job) => {
      const standing = memberOf(party, job);
      if (leads(party, standing)) return standing;
      throw new SealsumError(
        'role_forbidden',
        `${party.name} takes part in job ${job}; only its model owner may do this`,
      );
    },
    joinedBy: (party, job, owner) => {
      if (party.role !== 'data-owner')
        throw new SealsumError('role_forbidden', `${party.name} is a ${party.role}; only a data owner may do this`);
      if (party.name !== owner)
        throw new SealsumError('role_forbidden', `${party.name} cannot speak for ${owner}`, { field: 'owner' });
      return memberOf(party, job);
    },
    foldedFrom: (party, job, from) => {
      const standing = standings.get(job);
      if (standing !== undefined && party.name === from && isChild(party, standing)) return standing;
      throw new SealsumError(
        'role_forbidden',
        `${party.name} is not ${from}, or no facilitator whose part of job ${job} is folded here`,
        { field: 'owner' },
      );
    },
  };
}

/** Whether a party is a job's model owner. */
export function leads(party: Party, { modelOwner }: Standing): boolean {
  return party.role === 'model-owner' && party.name === modelOwner;
}

/** Whether a party is a facilitator whose aggregates are contributions here. */
function isChild(party: Party, { children }: Standing): boolean {
  return party.role === 'facilitator' && children.has(party.name);
}

/** Whether this is the facilitator itself, whose own people ask with its identity how it fares. */
function isItself(party: Party, { facilitator }: Standing): boolean {
  return party.role === 'facilitator' && party.name === facilitator;
}

/**
 * Whether a party is a job's model owner, on its roster, a facilitator that contributes for owners of it, or this facilitator
 * itself, which reads what it holds and changes nothing.
 */
export function belongs(party: Party, standing: Standing): boolean {
  const owners: ReadonlySet<PartyId> = standing.owners;
  if (party.role === 'data-owner') return owners.has(party.name);
  return leads(party, standing) || isChild(party, standing) || isItself(party, standing);
}

function sameOrder(names: ReadonlySet<string>, list: readonly string[]): boolean {
  if (names.size !== list.length) return false;
  let index = 0;
  for (const name of names) if (name !== list[index++]) return false;
  return true;
}
