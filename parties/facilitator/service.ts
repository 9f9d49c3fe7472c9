/**
 * What a facilitator does: keeps jobs, lets owners answer, opens rounds, takes contributions, and when a round closes
 * multiplies them into one aggregate. It sees ciphertexts only and has no means to open one.
 */
import { isDeepStrictEqual } from 'node:util';
import { SealsumError } from '../../src/errors.ts';
import type { Bell } from '../../src/http/event-stream.ts';
import { decodeCiphertexts } from '../../src/paillier/ciphertexts.ts';
import { publicKeyFromJwk } from '../../src/paillier/public-key.ts';
import type { JobEvent } from '../../src/protocol/events.ts';
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
import { acceptContribution, openRound, roundOver, withdrawOwner } from '../../src/protocol/round.ts';
import { planFromWire } from '../../src/protocol/wire-plan.ts';
import type { JobRecord } from '../../src/storage/facilitator-store.ts';
import { createBooks, type FacilitatorDependencies } from './books.ts';
import { createRounds, sha256 } from './rounds.ts';
import { summariseJob, viewJob, viewRound } from './views.ts';

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

export function createFacilitator(dependencies: FacilitatorDependencies): Facilitator {
  const { store, clock, log } = dependencies;
  const books = createBooks(dependencies);
  const rounds = createRounds(dependencies, books);
  const connections = new Map<OwnerId, number>();

  return {
    bell: books.bell,

    createJob: (descriptor) =>
      books.inTurn(descriptor.job, async () => {
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
        await books.commit({ job: record, events: [books.event(descriptor.job, 'job.created')] });
        return { created: true, value: viewJob(record) };
      }),

    jobs: async () => (await store.jobs()).map(summariseJob),

    job: async (job) => viewJob(await books.existingJob(job)),

    endJob: (job, outcome) =>
      books.inTurn(job, async () => {
        const record = await books.existingJob(job);
        if (record.status !== 'open') return;
        await books.commit({
          job: { ...record, status: outcome },
          forget: { job },
          events: [books.event(job, 'job.ended', { status: outcome })],
        });
        rounds.release(job);
      }),

    answerJob: (job, owner, answer) =>
      books.inTurn(job, async () => {
        const record = await books.openJob(job);
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
        const said = books.event(job, 'owner.answered', { owner, ...answer });
        const round = await store.round(job, record.round);
        if (round?.state.status === 'open' && answer.status !== 'ready')
          await rounds.settle(
            answered,
            { ...round, state: withdrawOwner(round.state, owner) },
            { job: answered, events: [said] },
          );
        else await books.commit({ job: answered, events: [said] });
        return viewJob(await books.existingJob(job));
      }),

    openRound: (job, round, descriptor) =>
      books.inTurn(job, async () => {
        const record = await books.openJob(job);
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
        const opened = await rounds.settle(
          numbered,
          {
            state: unwilling.reduce((waiting, { owner }) => withdrawOwner(waiting, owner), state),
            parameters: descriptor.parameters,
          },
          { job: numbered, events: [books.event(job, 'round.opened', { round })] },
        );
        if (opened.state.status === 'open') rounds.waitForDeadline(opened.state, opened.state.deadline - now);
        // A second round tells that there will be many: from then on re-randomising is worth a table.
        if (round === 2) rounds.buildTable(record);
        return { created: true, value: viewRound(opened) };
      }),

    round: async (job, round) => viewRound(await books.existingRound(job, round)),

    contribute: (job, round, owner, bytes) =>
      books.inTurn(job, async () => {
        const record = await books.openJob(job);
        const found = await books.existingRound(job, round);
        // The deadline may have passed while this waited for its turn, and its own turn come after.
        const late = found.state.status === 'open' && clock.now() >= found.state.deadline;
        const open = late ? await rounds.settle(record, found, { events: [] }) : found;
        const digest = sha256(bytes);
        const state = acceptContribution(open.state, owner, digest);
        const receipt: ContributionReceipt = { job, round, owner, digest };
        if (state === open.state) return { created: false, value: receipt };
        decodeCiphertexts(rounds.encryptorOf(record).publicKey, bytes, record.descriptor.plan.ciphertexts);
        await rounds.settle(
          record,
          { ...open, state },
          {
            contribution: { job, round, owner, bytes },
            events: [books.event(job, 'round.contribution', { round, owner })],
          },
        );
        return { created: true, value: receipt };
      }),

    aggregate: async (job, round) => {
      const { state } = await books.existingRound(job, round);
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
      rounds.stop();
    },
  };
}

function sameList(left: readonly unknown[], right: readonly unknown[]): boolean {
  return left.length === right.length && left.every((each, index) => each === right[index]);
}
