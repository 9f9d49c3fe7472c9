/**
 * What a facilitator does: keeps jobs, lets owners answer, opens rounds, takes contributions, and when a round closes
 * multiplies them into one aggregate. It sees ciphertexts only and has no means to open one.
 *
 * Everything that changes a job happens one after the other (a queue per job) and is committed to the store as a whole before
 * anybody hears of it.
 */
import { createHash } from 'node:crypto';
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
  /** The events after a number: of one job, or of all jobs that name `owner`, or of all. */
  events(after: number, of: { readonly job?: JobId; readonly owner?: OwnerId }): Promise<readonly JobEvent[]>;
  lastEvent(): Promise<number>;
  readonly bell: Bell;
  /** Notes that an owner's stream stands; returns the way to note that it does not any more. */
  connect(owner: OwnerId): () => void;
  connectedOwners(): readonly OwnerId[];
  /** Stops the timers and whatever is being prepared. */
  readonly stop: () => void;
}

export function createFacilitator({ store, clock, log }: FacilitatorDependencies): Facilitator {
  const bell = createBell();
  const queues = new Map<JobId, Promise<unknown>>();
  const encryptors = new Map<JobId, Encryptor>();
  const deadlines = new Map<JobId, () => void>();
  const connections = new Map<OwnerId, number>();
  const stopped = new AbortController();

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
    if (record.status !== 'open') throw new SealsumError('job_ended', `job ${job} has ended: ${record.status}`);
    return record;
  }

  async function existingRound(job: JobId, round: number): Promise<RoundRecord> {
    await existingJob(job);
    const record = await store.round(job, round);
    if (record === undefined)
      throw new SealsumError('round_unknown', `job ${job} has no round ${round}`, { field: 'round' });
    return record;
  }

  function encryptorOf(record: JobRecord): Encryptor {
    const { job, public_key } = record.descriptor;
    const encryptor = encryptors.get(job) ?? createEncryptor(publicKeyFromJwk(public_key));
    encryptors.set(job, encryptor);
    return encryptor;
  }

  function prepareEncryptor(record: JobRecord): void {
    encryptorOf(record)
      .prepare(stopped.signal)
      .catch((error: unknown) => {
        if (!stopped.signal.aborted) log.warn({ err: error, job: record.descriptor.job }, 'no table could be built');
      });
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
    const settled = settleRound(state, clock.now());
    const name = state.job;
    if (settled.status === 'open') {
      await commit({ ...change, round: record });
      return record;
    }
    deadlines.get(name)?.();
    deadlines.delete(name);
    const expired = missingOwners(settled).filter((owner) => !settled.withdrawn.includes(owner));
    const owners = job.owners.map((each) =>
      expired.includes(each.owner) ? { owner: each.owner, status: 'absent' as const } : each,
    );
    const absences = expired.map((owner) => event(name, 'owner.answered', { owner, status: 'absent' }));
    const common = { ...change, job: { ...job, owners }, forget: { job: name, round: settled.round } };
    if (settled.status === 'abandoned') {
      const abandoned = { state: settled, parameters };
      const reason = settled.reason ?? '';
      const last = event(name, 'round.abandoned', { round: settled.round, reason });
      await commit({ ...common, round: abandoned, events: [...change.events, ...absences, last] });
      return abandoned;
    }
    const bytes = aggregate(encryptorOf(job), job.descriptor.plan.ciphertexts, [
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
    return closed;
  }

  function waitForDeadline(state: RoundState): void {
    const cancel = clock.after(state.deadline - clock.now(), () => {
      inTurn(state.job, async () => {
        const job = await store.job(state.job);
        const record = await store.round(state.job, state.round);
        if (job === undefined || record?.state.status !== 'open') return;
        if (clock.now() < record.state.deadline) waitForDeadline(record.state);
        else await settle(job, record, { events: [] });
      }).catch((error: unknown) => {
        log.error({ err: error, job: state.job, round: state.round }, 'the deadline could not be handled');
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
          if (JSON.stringify(existing.descriptor) === JSON.stringify(descriptor))
            return { created: false, value: viewJob(existing) };
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
        deadlines.get(job)?.();
        deadlines.delete(job);
        encryptors.delete(job);
        await commit({
          job: { ...record, status: outcome },
          forget: { job },
          events: [event(job, 'job.ended', { status: outcome })],
        });
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
        const opened: RoundRecord = {
          state: openRound({
            job,
            round,
            roster: descriptor.roster,
            quorum,
            openedAt: now,
            deadline: now + deadline_seconds * 1000,
          }),
          parameters: descriptor.parameters,
        };
        await commit({ job: { ...record, round }, round: opened, events: [event(job, 'round.opened', { round })] });
        waitForDeadline(opened.state);
        // A second round tells that there will be many: from then on re-randomising is worth a table.
        if (round === 2) prepareEncryptor(record);
        return { created: true, value: viewRound(opened) };
      }),

    round: async (job, round) => viewRound(await existingRound(job, round)),

    contribute: async (job, round, owner, bytes) => {
      const record = await openJob(job);
      await existingRound(job, round);
      decodeCiphertexts(encryptorOf(record).publicKey, bytes, record.descriptor.plan.ciphertexts);
      const digest = sha256(bytes);
      return inTurn(job, async () => {
        const current = await openJob(job);
        const open = await existingRound(job, round);
        const state = acceptContribution(open.state, owner, digest);
        const receipt: ContributionReceipt = { job, round, owner, digest };
        if (state === open.state) return { created: false, value: receipt };
        await settle(
          current,
          { ...open, state },
          {
            contribution: { job, round, owner, bytes },
            events: [event(job, 'round.contribution', { round, owner })],
          },
        );
        return { created: true, value: receipt };
      });
    },

    aggregate: async (job, round) => {
      const { state } = await existingRound(job, round);
      if (state.status === 'open') throw new SealsumError('round_open', `round ${round} of job ${job} is still open`);
      const bytes = await store.aggregate(job, round);
      if (bytes === undefined) throw roundOver(state);
      return bytes;
    },

    events: async (after, { job, owner }) => {
      for (let position = after; ; ) {
        const page = await store.events(position, job, 1000);
        const last = page.at(-1);
        if (owner === undefined || last === undefined) return page;
        const kept: JobEvent[] = [];
        for (const each of page)
          if ((await store.job(each.job))?.descriptor.roster.includes(owner) === true) kept.push(each);
        if (kept.length > 0) return kept;
        position = last.id;
      }
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
      stopped.abort();
      for (const cancel of deadlines.values()) cancel();
      deadlines.clear();
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
  return left.length === right.length && left.every((each, index) => Object.is(each, right[index]));
}
