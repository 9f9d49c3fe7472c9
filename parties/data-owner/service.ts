/**
 * What a data owner does: follows the facilitator's events, accepts or refuses the jobs that name it, and contributes to
 * their rounds. It only makes outgoing connections.
 *
 * Events are hints; the facilitator's state is what counts. Whenever the line stands (again), the owner reads which jobs are
 * open and which rounds wait, so that nothing is lost with a lost event. A retry sends the stored bytes, never a fresh encryption.
 */
import { SealsumError } from '../../src/errors.ts';
import type { FacilitatorClient } from '../../src/http/facilitator-client.ts';
import type { Logger } from '../../src/http/log.ts';
import type { Ledger } from '../../src/privacy/ledger.ts';
import { type Clock, timestamp } from '../../src/protocol/clock.ts';
import type { JobEvent } from '../../src/protocol/events.ts';
import type { JobId, OwnerId } from '../../src/protocol/identifiers.ts';
import type { DataOwnerStore } from '../../src/storage/data-owner-store.ts';
import type { Dataset, DatasetView } from './dataset.ts';
import { acceptJob, type Participation, publicReason } from './participation.ts';

export interface DataOwnerDependencies {
  readonly owner: OwnerId;
  readonly client: FacilitatorClient;
  readonly dataset: Dataset;
  readonly store: DataOwnerStore;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** One job as this owner's own people see it. */
export interface OwnedJobView {
  readonly job: JobId;
  readonly status: 'joining' | 'ready' | 'refused' | 'withdrawn' | 'ended';
  readonly records?: number;
  readonly dropped?: number;
  /** The newest round contributed to. */
  readonly round?: number;
  /** In full, for the owner's own people: names lines where the data do not fit. */
  readonly reason?: string;
  readonly updated_at: string;
}

export interface DataOwner {
  /** Follows the facilitator until the signal aborts. */
  run(): Promise<void>;
  readonly connected: () => boolean;
  jobs(): readonly OwnedJobView[];
  datasets(): Promise<readonly DatasetView[]>;
}

/** Ended jobs that are still shown. */
const endedJobsKept = 100;

export function createDataOwner(dependencies: DataOwnerDependencies): DataOwner {
  const { owner, client, dataset, store, ledger, clock, log, signal } = dependencies;
  const participations = new Map<JobId, Participation>();
  const views = new Map<JobId, OwnedJobView>();
  const queues = new Map<JobId, Promise<void>>();
  let connected = false;

  function show(job: JobId, change: Partial<Omit<OwnedJobView, 'job' | 'updated_at'>>): void {
    const before = views.get(job) ?? { job, status: 'joining' as const };
    views.set(job, { ...before, ...change, updated_at: timestamp(clock.now()) });
  }

  /** Work on one job happens in order; what fails is logged and tried again when the line stands again. */
  function inTurn(job: JobId, work: () => Promise<void>): void {
    const turn = (queues.get(job) ?? Promise.resolve()).then(work).catch((error: unknown) => {
      if (!signal.aborted) log.warn({ err: error, job }, 'a step of the job failed');
    });
    queues.set(job, turn);
  }

  async function join(job: JobId): Promise<void> {
    if (views.has(job)) return;
    show(job, { status: 'joining' });
    const view = await client.job(job, signal).catch((error: unknown) => {
      views.delete(job);
      throw error;
    });
    if (view.status !== 'open' || !view.descriptor.roster.includes(owner)) {
      views.delete(job);
      return;
    }
    try {
      const participation = await acceptJob(view.descriptor, owner, dataset, signal);
      participations.set(job, participation);
      show(job, { status: 'ready', records: participation.records, dropped: participation.dropped });
      await client.answerJob(job, owner, { status: 'ready' }, signal);
      log.info({ job, records: participation.records }, 'ready');
    } catch (error) {
      await leave(job, 'refused', error);
    }
  }

  /** Says that this owner does not take part (any more): the reason in full here, its public half to the others. */
  async function leave(job: JobId, status: 'refused' | 'withdrawn', error: unknown): Promise<void> {
    if (signal.aborted) return;
    if (isEnd(error)) {
      end(job);
      return;
    }
    participations.delete(job);
    const reason = error instanceof SealsumError ? error.message : 'an unexpected error; see the log';
    show(job, { status, reason });
    log.error({ err: error, job }, `${status}: ${reason}`);
    await client.answerJob(job, owner, { status, reason: publicReason(error) }, signal);
  }

  async function contribute(job: JobId, round: number): Promise<void> {
    const participation = participations.get(job);
    if (participation === undefined) return;
    const view = await client.round(job, round, signal);
    if (view.status !== 'open' || !view.roster.includes(owner) || view.contributors.includes(owner)) return;
    const bytes = (await store.contribution(job, round)) ?? (await make(job, participation, view));
    if (bytes === undefined) return;
    try {
      await client.contribute(job, round, owner, bytes, signal);
      show(job, { round });
    } catch (error) {
      // Too late for this round, not for the next.
      if (!(error instanceof SealsumError) || !['round_closed', 'round_abandoned'].includes(error.code)) throw error;
      log.warn({ job, round }, error.message);
    }
    await store.forgetContributions(job, round);
  }

  /** Charge, compute, encrypt, keep: in this order, so that nothing leaves uncharged and no retry encrypts again. */
  async function make(
    job: JobId,
    participation: Participation,
    view: Awaited<ReturnType<FacilitatorClient['round']>>,
  ): Promise<Uint8Array | undefined> {
    try {
      if (view.round > participation.rounds)
        throw new SealsumError(
          'privacy_invalid',
          `round ${view.round} is more than the ${participation.rounds} rounds that the job stated`,
          { field: 'round' },
        );
      await ledger.charge({ job, round: view.round, rho: participation.rhoPerRound });
      const bytes = participation.contribution(view);
      await store.keepContribution(job, view.round, bytes);
      return bytes;
    } catch (error) {
      await leave(job, 'withdrawn', error);
      return undefined;
    }
  }

  function end(job: JobId): void {
    participations.delete(job);
    queues.delete(job);
    if (views.get(job)?.status === 'ready') show(job, { status: 'ended' });
    const ended = [...views.values()].filter((view) => view.status !== 'ready' && view.status !== 'joining');
    for (const view of ended.slice(0, Math.max(0, ended.length - endedJobsKept))) views.delete(view.job);
    void store.forgetContributions(job);
  }

  /** Reads what is open, whatever was missed. */
  async function catchUp(): Promise<void> {
    const open = (await client.jobs(signal)).filter((job) => job.status === 'open' && job.roster.includes(owner));
    for (const job of participations.keys()) if (!open.some((each) => each.job === job)) end(job);
    for (const { job, round } of open) {
      inTurn(job, () => join(job));
      if (round > 0) inTurn(job, () => contribute(job, round));
    }
  }

  function handle(event: JobEvent): void {
    const { job, round } = event;
    if (event.type === 'job.created') inTurn(job, () => join(job));
    else if (event.type === 'round.opened' && round !== undefined) inTurn(job, () => contribute(job, round));
    else if (event.type === 'job.ended')
      inTurn(job, () => {
        end(job);
        return Promise.resolve();
      });
    else if (event.type === 'owner.answered' && event.owner === owner && event.status === 'absent')
      inTurn(job, async () => {
        // A deadline passed without us; we are here again.
        if (participations.has(job)) await client.answerJob(job, owner, { status: 'ready' }, signal);
      });
  }

  return {
    run: async () => {
      const onBroken = (error: unknown): void => {
        if (connected) log.warn({ err: error }, 'the line to the facilitator broke; trying again');
        connected = false;
      };
      const onConnected = async (): Promise<void> => {
        await catchUp();
        connected = true;
        log.info('following the facilitator');
      };
      for await (const event of client.followAll(owner, signal, { onConnected, onBroken })) handle(event);
    },
    connected: () => connected,
    jobs: () => [...views.values()],
    datasets: async () => [await dataset.view()],
  };
}

/** Whether an error says that the job is over, which is no fault of ours. */
function isEnd(error: unknown): boolean {
  return error instanceof SealsumError && ['job_ended', 'job_unknown'].includes(error.code);
}
