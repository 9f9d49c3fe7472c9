/**
 * What a facilitator does: keeps jobs, lets owners answer, opens rounds, takes contributions, and when a round closes
 * multiplies them into one aggregate. It sees ciphertexts only and has no means to open one.
 *
 * Everything that changes a job happens one after the other (a queue per job) and is committed to the store as a whole before
 * anybody hears of it.
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { SealsumError } from '../../src/errors.ts';
import { type Bell, createBell } from '../../src/http/event-stream.ts';
import type { Logger } from '../../src/http/log.ts';
import { aggregate } from '../../src/paillier/aggregate.ts';
import { decodeCiphertexts } from '../../src/paillier/ciphertexts.ts';
import { createEncryptor, type Encryptor } from '../../src/paillier/encryptor.ts';
import { publicKeyFromJwk } from '../../src/paillier/public-key.ts';
import { type Clock, timestamp } from '../../src/protocol/clock.ts';
import type { JobEvent, JobEventBody } from '../../src/protocol/events.ts';
import type { JobId, OwnerId } from '../../src/protocol/identifiers.ts';
import type {
  ContributionReceipt,
  JobDescriptor,
  JobOutcome,
  JobSummary,
  JobView,
  OwnerAnswer,
  RoundDescriptor,
  RoundView,
} from '../../src/protocol/messages.ts';
import {
  acceptContribution,
  missingOwners,
  openRound,
  type RoundState,
  roundOver,
  settleRound,
  withdrawOwner,
} from '../../src/protocol/round.ts';
import { planFromWire } from '../../src/protocol/wire-plan.ts';
import type { FacilitatorStore, JobRecord, RoundRecord } from '../../src/storage/facilitator-store.ts';

export interface FacilitatorDependencies {
  readonly store: FacilitatorStore;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Whether a request made something new or found it as it asked for. */
export interface Outcome<T> {
  readonly created: boolean;
  readonly value: T;
}

export interface Facilitator {
  createJob(descriptor: JobDescriptor): Promise<Outcome<JobView>>;
  jobs(): Promise<readonly JobSummary[]>;
  job(job: JobId): Promise<JobView>;
  endJob(job: JobId, outcome: JobOutcome): Promise<void>;
  answerJob(job: JobId, owner: OwnerId, answer: OwnerAnswer): Promise<JobView>;
  openRound(job: JobId, round: number, descriptor: RoundDescriptor): Promise<Outcome<RoundView>>;
  round(job: JobId, round: number): Promise<RoundView>;
  contribute(job: JobId, round: number, owner: OwnerId, bytes: Uint8Array): Promise<Outcome<ContributionReceipt>>;
  aggregate(job: JobId, round: number): Promise<Uint8Array>;
  /**
   * What reads the events after a number: of one job, or of all jobs that name `owner`, or of all. For one reader, which goes
   * forward only: it looks once at each event that is not for it.
   */
  reader(of: { readonly job?: JobId; readonly owner?: OwnerId }): (after: number) => Promise<readonly JobEvent[]>;
  lastEvent(): Promise<number>;
  readonly bell: Bell;
  /** Notes that an owner's stream stands; returns the way to note that it does not any more. */
  connect(owner: OwnerId): () => void;
  connectedOwners(): readonly OwnerId[];
  /** Stops the timers and whatever is being prepared. */
  readonly stop: () => void;
}

/** Events that a reader takes from the store at a time. */
const eventsAtATime = 1000;

/** Milliseconds until a deadline that could not be handled, because the store failed, is handled again. */
const secondTry = 1000;

/** A job's means of re-randomising, and the way to stop what prepares them. */
interface Preparation {
  readonly encryptor: Encryptor;
  readonly stop: AbortController;
}

export function createFacilitator({ store, clock, log }: FacilitatorDependencies): Facilitator {
  const bell = createBell();
  const queues = new Map<JobId, Promise<unknown>>();
  /** Of jobs that are open; made and dropped in a job's turn only, so that none outlives its job. */
  const preparations = new Map<JobId, Preparation>();
  const deadlines = new Map<JobId, () => void>();
  const connections = new Map<OwnerId, number>();
  let stopped = false;

  /** One change of a job after the other. */
  function inTurn<T>(job: JobId, work: () => Promise<T>): Promise<T> {
    const turn = (queues.get(job) ?? Promise.resolve()).then(work, work);
    queues.set(job, turn);
    const forget = (): void => {
      if (queues.get(job) === turn) queues.delete(job);
    };
    turn.then(forget, forget);
    return turn;
  }

  async function commit(change: Parameters<FacilitatorStore['commit']>[0]): Promise<void> {
    const events = await store.commit(change);
    for (const event of events) log.info(event, event.type);
    bell.ring();
  }

  async function existingJob(job: JobId): Promise<JobRecord> {
    const record = await store.job(job);
    if (record === undefined) throw new SealsumError('job_unknown', `there is no job ${job}`, { field: 'job' });
    return record;
  }

  async function openJob(job: JobId): Promise<JobRecord> {
    const record = await existingJob(job);
    if (record.status !== 'open') throw jobEnded(record, '');
    return record;
  }

  async function existingRound(job: JobId, round: number): Promise<RoundRecord> {
    const owner = await existingJob(job);
    const record = await store.round(job, round);
    if (record !== undefined) return record;
    if (owner.status !== 'open' && round <= owner.round) throw jobEnded(owner, '; its rounds are forgotten');
    throw new SealsumError('round_unknown', `job ${job} has no round ${round}`, { field: 'round' });
  }

  /** To be called in the job's turn, once it is known to be open. */
  function preparationOf({ descriptor }: JobRecord): Preparation {
    const known = preparations.get(descriptor.job);
    if (known !== undefined) return known;
    const encryptor = createEncryptor(publicKeyFromJwk(descriptor.public_key));
    const preparation = { encryptor, stop: new AbortController() };
    preparations.set(descriptor.job, preparation);
    return preparation;
  }

  function buildTable(record: JobRecord): void {
    const { encryptor, stop } = preparationOf(record);
    encryptor.prepare(stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) log.warn({ err: error, job: record.descriptor.job }, 'no table could be built');
    });
  }

  function forgetDeadline(job: JobId): void {
    deadlines.get(job)?.();
    deadlines.delete(job);
  }

  /** Lets go of what is kept for an open job outside the store. */
  function release(job: JobId): void {
    forgetDeadline(job);
    preparations.get(job)?.stop.abort();
    preparations.delete(job);
  }

  const event = (job: JobId, type: JobEventBody['type'], more: Partial<JobEventBody> = {}): JobEventBody => ({
    type,
    job,
    at: timestamp(clock.now()),
    ...more,
  });

  /** Closes or abandons a round if it is time, and commits that together with what led to it. */
  async function settle(job: JobRecord, record: RoundRecord, change: SettledChange): Promise<RoundRecord> {
    const { state, parameters } = record;
    const now = clock.now();
    const settled = settleRound(state, now);
    const name = state.job;
    if (settled.status === 'open') {
      await commit({ ...change, round: record });
      return record;
    }
    // Absent is who let the deadline pass in silence, not who still had time when the round ended.
    const silent = missingOwners(settled).filter((owner) => !settled.withdrawn.includes(owner));
    const absent = now >= settled.deadline ? silent : [];
    const owners = job.owners.map((each) =>
      absent.includes(each.owner) ? { owner: each.owner, status: 'absent' as const } : each,
    );
    const absences = absent.map((owner) => event(name, 'owner.answered', { owner, status: 'absent' }));
    const common = { ...change, job: { ...job, owners }, forget: { job: name, round: settled.round } };
    if (settled.status === 'abandoned') {
      const abandoned = { state: settled, parameters };
      const reason = settled.reason ?? '';
      const last = event(name, 'round.abandoned', { round: settled.round, reason });
      await commit({ ...common, round: abandoned, events: [...change.events, ...absences, last] });
      forgetDeadline(name);
      return abandoned;
    }
    const bytes = aggregate(preparationOf(job).encryptor, job.descriptor.plan.ciphertexts, [
      ...(await store.contributions(name, settled.round)),
      ...(change.contribution === undefined ? [] : [change.contribution.bytes]),
    ]);
    const closed: RoundRecord = {
      state: settled,
      parameters,
      manifest: {
        contributions: settled.contributions,
        count: settled.contributions.length,
        aggregate_digest: sha256(bytes),
      },
    };
    await commit({
      ...common,
      round: closed,
      aggregate: { job: name, round: settled.round, bytes },
      events: [...change.events, ...absences, event(name, 'round.closed', { round: settled.round })],
    });
    forgetDeadline(name);
    return closed;
  }

  function waitForDeadline(state: RoundState, milliseconds: number): void {
    if (stopped) return;
    const cancel = clock.after(milliseconds, () => {
      inTurn(state.job, async () => {
        const job = await store.job(state.job);
        const record = await store.round(state.job, state.round);
        if (job === undefined || record?.state.status !== 'open') return;
        const left = record.state.deadline - clock.now();
        if (left > 0) waitForDeadline(record.state, left);
        else await settle(job, record, { events: [] });
      }).catch((error: unknown) => {
        log.error({ err: error, job: state.job, round: state.round }, 'the deadline could not be handled');
        waitForDeadline(state, secondTry);
      });
    });
    deadlines.set(state.job, cancel);
  }

  return {
    bell,

    createJob: (descriptor) =>
      inTurn(descriptor.job, async () => {
        const existing = await store.job(descriptor.job);
        if (existing !== undefined) {
          if (isDeepStrictEqual(existing.descriptor, descriptor)) return { created: false, value: viewJob(existing) };
          throw new SealsumError('job_conflict', `job ${descriptor.job} exists with another descriptor`, {
            field: 'job',
          });
        }
        const publicKey = publicKeyFromJwk(descriptor.public_key);
        if (publicKey.bitLength !== descriptor.plan.key_bits)
          throw new SealsumError(
            'plan_mismatch',
            `plan.key_bits is ${descriptor.plan.key_bits}, the key has ${publicKey.bitLength} bits`,
            { field: 'plan.key_bits' },
          );
        const plan = planFromWire(descriptor.plan);
        if (plan.owners < descriptor.roster.length)
          throw new SealsumError(
            'plan_mismatch',
            `plan.owners is ${plan.owners}, the roster names ${descriptor.roster.length}`,
            { field: 'plan.owners' },
          );
        const record: JobRecord = {
          descriptor,
          status: 'open',
          owners: descriptor.roster.map((owner) => ({ owner, status: 'invited' })),
          round: 0,
          createdAt: clock.now(),
        };
        await commit({ job: record, events: [event(descriptor.job, 'job.created')] });
        return { created: true, value: viewJob(record) };
      }),

    jobs: async () =>
      (await store.jobs()).map((record) => ({
        job: record.descriptor.job,
        status: record.status,
        roster: record.descriptor.roster,
        round: record.round,
        created_at: timestamp(record.createdAt),
      })),

    job: async (job) => viewJob(await existingJob(job)),

    endJob: (job, outcome) =>
      inTurn(job, async () => {
        const record = await existingJob(job);
        if (record.status !== 'open') return;
        await commit({
          job: { ...record, status: outcome },
          forget: { job },
          events: [event(job, 'job.ended', { status: outcome })],
        });
        release(job);
      }),

    answerJob: (job, owner, answer) =>
      inTurn(job, async () => {
        const record = await openJob(job);
        const known = record.owners.find((each) => each.owner === owner);
        if (known === undefined)
          throw new SealsumError('owner_not_on_roster', `${owner} is not on the roster of job ${job}`, {
            field: 'owner',
          });
        if (known.status === answer.status && known.reason === answer.reason) return viewJob(record);
        const answered: JobRecord = {
          ...record,
          owners: record.owners.map((each) => (each.owner === owner ? { owner, ...answer } : each)),
        };
        const said = event(job, 'owner.answered', { owner, ...answer });
        const round = await store.round(job, record.round);
        if (round?.state.status === 'open' && answer.status !== 'ready')
          await settle(
            answered,
            { ...round, state: withdrawOwner(round.state, owner) },
            { job: answered, events: [said] },
          );
        else await commit({ job: answered, events: [said] });
        return viewJob(await existingJob(job));
      }),

    openRound: (job, round, descriptor) =>
      inTurn(job, async () => {
        const record = await openJob(job);
        const existing = await store.round(job, round);
        if (existing !== undefined) {
          const same =
            sameList(existing.state.roster, descriptor.roster) && sameList(existing.parameters, descriptor.parameters);
          if (same) return { created: false, value: viewRound(existing) };
          throw new SealsumError('round_conflict', `round ${round} exists with another roster or other parameters`);
        }
        if (round !== record.round + 1)
          throw new SealsumError(
            'round_conflict',
            `the next round of job ${job} is ${record.round + 1}, not ${round}`,
            {
              field: 'round',
            },
          );
        const previous = await store.round(job, record.round);
        if (previous?.state.status === 'open')
          throw new SealsumError('round_open', `round ${record.round} of job ${job} is still open`);
        const { roster, quorum, deadline_seconds } = record.descriptor;
        const stranger = descriptor.roster.find((owner) => !roster.includes(owner));
        if (stranger !== undefined)
          throw new SealsumError('owner_not_on_roster', `${stranger} is not on the roster of job ${job}`, {
            field: 'roster',
          });
        const now = clock.now();
        const state = openRound({
          job,
          round,
          roster: descriptor.roster,
          quorum,
          openedAt: now,
          deadline: now + deadline_seconds * 1000,
        });
        // Whoever opens the round may not have heard yet who will not come.
        const unwilling = record.owners.filter(({ status }) => status === 'refused' || status === 'withdrawn');
        const numbered = { ...record, round };
        const opened = await settle(
          numbered,
          {
            state: unwilling.reduce((waiting, { owner }) => withdrawOwner(waiting, owner), state),
            parameters: descriptor.parameters,
          },
          { job: numbered, events: [event(job, 'round.opened', { round })] },
        );
        if (opened.state.status === 'open') waitForDeadline(opened.state, opened.state.deadline - now);
        // A second round tells that there will be many: from then on re-randomising is worth a table.
        if (round === 2) buildTable(record);
        return { created: true, value: viewRound(opened) };
      }),

    round: async (job, round) => viewRound(await existingRound(job, round)),

    contribute: (job, round, owner, bytes) =>
      inTurn(job, async () => {
        const record = await openJob(job);
        const found = await existingRound(job, round);
        // The deadline may have passed while this waited for its turn, and its own turn come after.
        const late = found.state.status === 'open' && clock.now() >= found.state.deadline;
        const open = late ? await settle(record, found, { events: [] }) : found;
        const digest = sha256(bytes);
        const state = acceptContribution(open.state, owner, digest);
        const receipt: ContributionReceipt = { job, round, owner, digest };
        if (state === open.state) return { created: false, value: receipt };
        decodeCiphertexts(preparationOf(record).encryptor.publicKey, bytes, record.descriptor.plan.ciphertexts);
        await settle(
          record,
          { ...open, state },
          {
            contribution: { job, round, owner, bytes },
            events: [event(job, 'round.contribution', { round, owner })],
          },
        );
        return { created: true, value: receipt };
      }),

    aggregate: async (job, round) => {
      const { state } = await existingRound(job, round);
      if (state.status === 'open') throw new SealsumError('round_open', `round ${round} of job ${job} is still open`);
      const bytes = await store.aggregate(job, round);
      if (bytes === undefined) throw roundOver(state);
      return bytes;
    },

    reader: ({ job, owner }) => {
      let looked = 0;
      return async (after) => {
        for (let position = Math.max(after, looked); ; ) {
          const newest = await store.lastEvent();
          const page = await store.events(position, job, eventsAtATime);
          const kept: JobEvent[] = [];
          for (const each of page)
            if (owner === undefined || (await store.job(each.job))?.descriptor.roster.includes(owner) === true)
              kept.push(each);
          looked = page.length < eventsAtATime ? Math.max(newest, page.at(-1)?.id ?? 0) : (page.at(-1)?.id ?? newest);
          if (kept.length > 0 || page.length < eventsAtATime) return kept;
          position = looked;
        }
      };
    },

    lastEvent: () => store.lastEvent(),

    connect: (owner) => {
      connections.set(owner, (connections.get(owner) ?? 0) + 1);
      log.info({ owner }, 'owner connected');
      return () => {
        const left = (connections.get(owner) ?? 1) - 1;
        if (left > 0) connections.set(owner, left);
        else connections.delete(owner);
        log.info({ owner }, 'owner disconnected');
      };
    },

    connectedOwners: () => [...connections.keys()].sort(),

    stop: () => {
      stopped = true;
      for (const job of new Set([...deadlines.keys(), ...preparations.keys()])) release(job);
    },
  };
}

/** What is committed together with a round's new state. */
interface SettledChange {
  readonly job?: JobRecord;
  readonly contribution?: {
    readonly job: JobId;
    readonly round: number;
    readonly owner: OwnerId;
    readonly bytes: Uint8Array;
  };
  readonly events: readonly JobEventBody[];
}

function jobEnded({ descriptor, status }: JobRecord, more: string): SealsumError {
  return new SealsumError('job_ended', `job ${descriptor.job} has ended: ${status}${more}`);
}

function viewJob(record: JobRecord): JobView {
  return {
    descriptor: record.descriptor,
    status: record.status,
    owners: record.owners,
    round: record.round,
    created_at: timestamp(record.createdAt),
  };
}

function viewRound({ state, parameters, manifest }: RoundRecord): RoundView {
  return {
    job: state.job,
    round: state.round,
    status: state.status,
    roster: state.roster,
    parameters,
    opened_at: timestamp(state.openedAt),
    deadline: timestamp(state.deadline),
    contributors: state.contributions.map((each) => each.owner),
    missing: missingOwners(state),
    ...(state.reason === undefined ? {} : { reason: state.reason }),
    ...(manifest === undefined ? {} : { manifest }),
  };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function sameList(left: readonly unknown[], right: readonly unknown[]): boolean {
  return left.length === right.length && left.every((each, index) => each === right[index]);
}
