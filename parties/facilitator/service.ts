/**
 * What a facilitator does: keeps jobs, lets owners answer, opens rounds, takes contributions, and when a round closes hands out
 * their product. It sees ciphertexts only and has no means to open one. Every request comes with the party that makes it, which
 * has been authenticated; here is decided what it may.
 */
import { SealsumError } from '../../src/errors.ts';
import type { Bell } from '../../src/http/bell.ts';
import type { JobId, OwnerId, PartyId } from '../../src/protocol/identifiers.ts';
import { ownerIdSchema } from '../../src/protocol/identifiers.ts';
import type { Party, Role } from '../../src/protocol/identity.ts';
import type { JobOutcome, JobSummary, JobView, SignedAnswer, SignedJob } from '../../src/protocol/job-messages.ts';
import { roundOver, withdrawOwner } from '../../src/protocol/round.ts';
import type { GroupReport, RoundView, SignedRound } from '../../src/protocol/round-messages.ts';
import { roundPlan } from '../../src/protocol/round-plan.ts';
import type { BlockPlace } from '../../src/storage/facilitator-store.ts';
import { blocksOf } from './blocks.ts';
import { createContext, type FacilitatorDependencies } from './context.ts';
import { type ContributionRequest, createContribute, type Receipt } from './contributions.ts';
import type { EventReader } from './feed.ts';
import { createForwarding } from './forwarding.ts';
import { createJobs } from './jobs.ts';
import { createKeys } from './keys.ts';
import { createOverview, type Overview } from './overview.ts';
import { belongs } from './register.ts';
import { createReports } from './reports.ts';
import { createRounds } from './rounds.ts';
import { createUpkeep } from './upkeep.ts';
import { summariseJob, viewJob, viewRound } from './views.ts';

/** Whether a request made something new or found it as it asked for. */
export interface Outcome<T> {
  readonly created: boolean;
  readonly value: T;
}

/** An aggregate, block by block. */
export interface Aggregate {
  readonly bytes: number;
  /** SHA-256 of the whole, in lowercase hexadecimal. */
  readonly digest: string;
  readonly blocks: AsyncIterable<Uint8Array>;
}

/** What all of them throw besides what they say: job_unknown to who does not belong to a job, role_forbidden to who may not. */
export interface Facilitator {
  /** Goes on where the store left off. To be awaited before anything is asked. */
  start(): Promise<void>;
  createJob(party: Party, signed: SignedJob): Promise<Outcome<JobView>>;
  /** Those that the party belongs to, oldest first. */
  jobs(party: Party): readonly JobSummary[];
  job(party: Party, job: JobId): Promise<JobView>;
  endJob(party: Party, job: JobId, outcome: JobOutcome): Promise<void>;
  answerJob(party: Party, signed: SignedAnswer): Promise<void>;
  openRound(party: Party, signed: SignedRound): Promise<Outcome<RoundView>>;
  round(party: Party, job: JobId, round: number): Promise<RoundView>;
  contribute(party: Party, request: ContributionRequest): Promise<Receipt>;
  /**
   * What a facilitator below this one says of its part of a round.
   *
   * @throws SealsumError message_invalid, signature_invalid, round_unknown, round_closed, round_abandoned, contribution_conflict
   */
  report(party: Party, job: JobId, round: number, facilitator: PartyId, report: GroupReport): Promise<void>;
  /** @throws SealsumError round_unknown also when it is no longer kept, round_open, round_abandoned */
  aggregate(party: Party, job: JobId, round: number): Promise<Aggregate>;
  /** What reads the events that a party may see: of one job, or of all that it belongs to, as this owner. */
  reader(party: Party, of: { readonly job?: JobId; readonly owner?: OwnerId }): EventReader;
  lastEvent(): Promise<number>;
  /** Rings when there may be events for a party. */
  bellOf(party: Party): Bell;
  /** What its own people see. */
  readonly overview: Overview;
  /** Rings when anything may have changed that the facilitator's own people see. */
  readonly bell: Bell;
  /** Notes that an owner's stream stands; returns the way to note that it does not any more. */
  connect(owner: OwnerId): () => void;
  connectedOwners(party: Party): readonly OwnerId[];
  /** Stops the timers and parks what takes long: it is begun anew at the next start. */
  readonly stop: () => void;
  /** Resolves once nothing is under way any more, so that the store may be closed. */
  drained(): Promise<void>;
}

export function createFacilitator(dependencies: FacilitatorDependencies): Facilitator {
  const context = createContext(dependencies);
  const { store, log, checkpoint, limits, books } = context;
  const keys = createKeys(context);
  const reports = createReports(context);
  const forwarding = createForwarding(context);
  const rounds = createRounds(context, keys, reports, (job) => {
    upkeep.cleanUp();
    forwarding.look(job);
  });
  const jobs = createJobs(context, rounds, () => {
    upkeep.cleanUp();
  });
  const upkeep = createUpkeep(context, jobs);
  const contribute = createContribute(context, keys, rounds, reports);
  const connections = new Map<OwnerId, number>();

  async function* aggregateBlocks(place: BlockPlace, count: number): AsyncGenerator<Uint8Array> {
    for (let index = 0; index < count; index++) {
      const block = await store.block(place, index);
      // A retention rule may have come in between.
      if (block === undefined) throw new SealsumError('round_unknown', notKept(place.job, place.round));
      yield block;
    }
  }

  return {
    start: async () => {
      await store.forgetBlocks('uploads');
      checkpoint('facilitator.start.uploads-forgotten');
      for (const record of await store.jobs()) {
        books.register.note(record);
        if (record.status !== 'open' || record.round === 0) continue;
        const round = await books.findRound(record.signed.descriptor.job, record.round);
        if (round !== undefined) rounds.watch(round.state);
        forwarding.look(record.signed.descriptor.job);
        checkpoint('facilitator.start.job-resumed');
      }
      upkeep.cleanUp();
    },

    createJob: async (party, signed) => {
      requireRole(party, 'model-owner');
      const { created, value } = await books.inTurn(signed.descriptor.job, () => jobs.create(party, signed));
      return { created, value: viewJob(value, party, dependencies.identity.name) };
    },

    jobs: (party) => [...books.register.all()].filter((each) => belongs(party, each)).map(summariseJob),

    job: async (party, job) => {
      books.register.memberOf(party, job);
      return viewJob(await books.existingJob(job), party, dependencies.identity.name);
    },

    endJob: async (party, job, outcome) => {
      const { status } = books.register.ledBy(party, job);
      if (status === 'open') await jobs.end(job, outcome);
      forwarding.drop(job);
    },

    answerJob: async (party, signed) => {
      const { job, owner } = signed.answer;
      books.register.joinedBy(party, job, owner);
      await books.inTurn(job, () => jobs.answer(signed));
    },

    openRound: async (party, signed) => {
      const { job } = signed.descriptor;
      books.register.ledBy(party, job);
      const { created, value } = await books.inTurn(job, async () => rounds.open(await books.openJob(job), signed));
      rounds.watch(value.state);
      return { created, value: viewRound(value) };
    },

    round: async (party, job, round) => {
      books.register.memberOf(party, job);
      return viewRound(await books.existingRound(job, round));
    },

    contribute,

    report: async (party, job, round, facilitator, report) => {
      books.register.foldedFrom(party, job, facilitator);
      await books.inTurn(job, async () => {
        const [record, found] = [await books.openJob(job), await books.existingRound(job, round)];
        await reports.note(record, found, facilitator, report);
        if (report.status === 'closed') return;
        const state = withdrawOwner(found.state, ownerIdSchema.parse(facilitator));
        const outcome = { round: { ...found, state } };
        if (state !== found.state) await books.commit(job, { ...outcome, events: [] }, outcome);
        rounds.watch(state);
      });
    },

    aggregate: async (party, job, round) => {
      const { parent } = books.register.ledBy(party, job);
      if (parent !== undefined)
        throw new SealsumError(
          'role_forbidden',
          `what is folded here of job ${job} is a part, and goes to ${parent} and to nobody else; ask the root for the whole`,
          { field: 'job' },
        );
      const { signed } = await books.openJob(job);
      const { state, manifest, signed: asked } = await books.existingRound(job, round);
      if (state.status === 'open') throw new SealsumError('round_open', `round ${round} of job ${job} is still open`);
      if (manifest === undefined) throw roundOver(state);
      const place: BlockPlace = { job, round, series: 'aggregate' };
      const { bytes, count } = blocksOf(roundPlan(signed.descriptor, asked?.descriptor), limits.blockBytes);
      // Looked for before anything is promised.
      if ((await store.block(place, 0)) === undefined)
        throw new SealsumError('round_unknown', notKept(job, round), { field: 'round' });
      return { bytes, digest: manifest.manifest.aggregate_digest, blocks: aggregateBlocks(place, count) };
    },

    reader: (party, { job, owner }) => {
      if (job !== undefined) books.register.memberOf(party, job);
      else if (owner !== undefined && (party.role !== 'data-owner' || party.name !== owner))
        throw new SealsumError('role_forbidden', `${party.name} cannot listen as ${owner}`, { field: 'owner' });
      return books.feed.reader(party, job);
    },

    lastEvent: () => store.lastEvent(),

    bellOf: (party) => books.feed.bellOf(party),

    overview: createOverview(context, () => new Set(connections.keys())),

    bell: books.feed.bell,

    connect: (owner) => {
      connections.set(owner, (connections.get(owner) ?? 0) + 1);
      books.feed.bell.ring();
      log.info({ owner }, 'owner connected');
      return () => {
        const left = (connections.get(owner) ?? 1) - 1;
        if (left > 0) connections.set(owner, left);
        else connections.delete(owner);
        books.feed.bell.ring();
        log.info({ owner }, 'owner disconnected');
      };
    },

    connectedOwners: (party) => {
      if (party.name !== dependencies.identity.name) requireRole(party, 'model-owner');
      return [...connections.keys()].sort();
    },

    stop: () => {
      upkeep.stop();
      rounds.stop();
      forwarding.stop();
    },

    drained: async () => {
      await forwarding.drained();
      await books.drained();
    },
  };
}

function requireRole(party: Party, role: Role): void {
  if (party.role !== role)
    throw new SealsumError('role_forbidden', `${party.name} is a ${party.role}; only a ${role} may do this`);
}

function notKept(job: JobId, round: number): string {
  return `the aggregate of round ${round} of job ${job} is no longer kept`;
}
