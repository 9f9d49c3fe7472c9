/**
 * What a data owner does: follows the facilitator's events, accepts or refuses the jobs that name it, and contributes to
 * their rounds. It only makes outgoing connections.
 *
 * Events are hints; the facilitator's state is what counts. Whenever the line stands (again), the owner reads which jobs are
 * open and which rounds wait, so that nothing is lost with a lost event. A retry sends the stored bytes, never a fresh encryption.
 */
import { type ErrorCode, SealsumError } from '../../src/errors.ts';
import type { FacilitatorClient } from '../../src/http/facilitator-client.ts';
import type { Logger } from '../../src/http/log.ts';
import type { Ledger } from '../../src/privacy/ledger.ts';
import { type Clock, timestamp } from '../../src/protocol/clock.ts';
import type { JobEvent } from '../../src/protocol/events.ts';
import type { JobId, OwnerId } from '../../src/protocol/identifiers.ts';
import type { JobDescriptor, OwnerAnswer, RoundView } from '../../src/protocol/messages.ts';
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
  /** What this owner says of itself in each job that runs; the jobs it is ready for are in `participations` too. */
  const answers = new Map<JobId, OwnerAnswer>();
  const participations = new Map<JobId, { readonly participation: Participation; readonly over: AbortController }>();
  const views = new Map<JobId, OwnedJobView>();
  const queues = new Map<JobId, Promise<void>>();
  let connected = false;

  function show(job: JobId, change: Partial<Omit<OwnedJobView, 'job' | 'updated_at'>>): void {
    const before = views.get(job) ?? { job, status: 'joining' as const };
    views.set(job, { ...before, ...change, updated_at: timestamp(clock.now()) });
  }

  /** Work on one job happens in order; what fails is logged and tried again when the line stands again. */
  function inTurn(job: JobId, work: () => Promise<void> | void): void {
    const turn = (queues.get(job) ?? Promise.resolve())
      .then(work)
      .catch((error: unknown) => {
        if (isEnd(error)) end(job);
        else if (!signal.aborted) log.warn({ err: error, job }, 'a step of the job failed');
      })
      .then(() => {
        if (queues.get(job) === turn) queues.delete(job);
      });
    queues.set(job, turn);
  }

  /** Accepts or refuses a job that is new, and sees to it that the facilitator knows the answer. */
  async function join(job: JobId): Promise<void> {
    const { status, descriptor, owners } = await client.job(job, signal);
    if (status !== 'open' || !descriptor.roster.includes(owner)) return;
    if (!answers.has(job)) await consider(descriptor);
    const answer = answers.get(job);
    const known = owners.find((each) => each.owner === owner);
    if (answer !== undefined && known?.status !== answer.status) await client.answerJob(job, owner, answer, signal);
  }

  async function consider(descriptor: JobDescriptor): Promise<void> {
    const { job } = descriptor;
    show(job, { status: 'joining' });
    try {
      const participation = await acceptJob(descriptor, owner, dataset, signal);
      const { records, dropped } = participation;
      const over = new AbortController();
      participations.set(job, { participation, over });
      participation.prepare(AbortSignal.any([signal, over.signal])).catch((error: unknown) => {
        if (!hasCode(error, ['aborted'])) log.warn({ err: error, job }, 'encryption could not be prepared');
      });
      answers.set(job, { status: 'ready' });
      show(job, { status: 'ready', records, dropped });
      log.info({ job, records }, 'ready');
    } catch (error) {
      if (signal.aborted) throw error;
      decline(job, 'refused', error);
    }
  }

  function drop(job: JobId): void {
    participations.get(job)?.over.abort();
    participations.delete(job);
  }

  /** Notes that this owner does not take part (any more): the reason in full here, its public half for the others. */
  function decline(job: JobId, status: 'refused' | 'withdrawn', error: unknown): void {
    drop(job);
    answers.set(job, { status, reason: publicReason(error) });
    const known = error instanceof SealsumError;
    const reason = known ? error.message : 'an unexpected error; see the log';
    show(job, { status, reason });
    log.error(known ? { job, code: error.code } : { job, err: error }, `${status}: ${reason}`);
  }

  async function withdraw(job: JobId, error: unknown): Promise<void> {
    decline(job, 'withdrawn', error);
    await join(job);
  }

  async function contribute(job: JobId, round: number): Promise<void> {
    // Joining may have failed when the job was new, on a line that was bad.
    if (!answers.has(job)) await join(job);
    const participation = participations.get(job)?.participation;
    if (participation === undefined) return;
    const view = await client.round(job, round, signal);
    if (view.status !== 'open' || !view.roster.includes(owner) || view.contributors.includes(owner)) return;
    let bytes = await store.contribution(job, round);
    try {
      bytes ??= await make(job, participation, view);
    } catch (error) {
      await withdraw(job, error);
      return;
    }
    try {
      await client.contribute(job, round, owner, bytes, signal);
      show(job, { round });
    } catch (error) {
      if (isPassing(error) || isEnd(error)) throw error;
      if (isTooLate(error)) log.warn({ job, round }, error.message);
      else await withdraw(job, error);
    }
    await store.forgetContributions(job, round);
  }

  /** Check, charge, compute, encrypt, keep: in this order, so that nothing leaves uncharged and no retry encrypts again. */
  async function make(job: JobId, participation: Participation, view: RoundView): Promise<Uint8Array> {
    participation.check(view);
    if (!(await ledger.charge({ job, round: view.round, rho: participation.rhoPerRound })))
      throw new SealsumError(
        'privacy_invalid',
        `round ${view.round} was charged before and its contribution is not kept any more; one charge pays for one contribution`,
        { field: 'round' },
      );
    const bytes = participation.contribution(view);
    await store.keepContribution(job, view.round, bytes);
    return bytes;
  }

  function end(job: JobId): void {
    drop(job);
    answers.delete(job);
    const status = views.get(job)?.status;
    if (status === 'ready') show(job, { status: 'ended' });
    else if (status === 'joining') views.delete(job);
    const over = [...views.values()].filter((view) => view.status !== 'ready' && view.status !== 'joining');
    for (const view of over.slice(0, Math.max(0, over.length - endedJobsKept))) views.delete(view.job);
    store.forgetContributions(job).catch((error: unknown) => {
      log.warn({ err: error, job }, 'the contributions of a job that has ended could not be forgotten');
    });
  }

  /** Reads what is open, whatever was missed. */
  async function catchUp(): Promise<void> {
    const open = (await client.jobs(signal)).filter((job) => job.status === 'open' && job.roster.includes(owner));
    for (const job of answers.keys())
      if (!open.some((each) => each.job === job)) {
        inTurn(job, () => {
          end(job);
        });
      }
    for (const { job, round } of open) {
      inTurn(job, () => join(job));
      if (round > 0) inTurn(job, () => contribute(job, round));
    }
  }

  function handle({ type, job, round, owner: about, status }: JobEvent): void {
    if (type === 'job.created') inTurn(job, () => join(job));
    else if (type === 'round.opened' && round !== undefined) inTurn(job, () => contribute(job, round));
    // A deadline passed without us; we are here again.
    else if (type === 'owner.answered' && about === owner && status === 'absent') inTurn(job, () => join(job));
    else if (type === 'job.ended')
      inTurn(job, () => {
        end(job);
      });
  }

  return {
    run: async () => {
      // Said once for every outage, the one before the first connection too.
      let told = false;
      const onBroken = (error: unknown): void => {
        if (!told) log.warn({ err: error }, 'no line to the facilitator; trying again');
        told = true;
        connected = false;
      };
      const onConnected = async (): Promise<void> => {
        await catchUp();
        connected = true;
        told = false;
        log.info('following the facilitator');
      };
      for await (const event of client.followAll(owner, signal, { onConnected, onBroken })) handle(event);
    },
    connected: () => connected,
    jobs: () => [...views.values()],
    datasets: async () => [await dataset.view()],
  };
}

function hasCode(error: unknown, codes: readonly ErrorCode[]): error is SealsumError {
  return error instanceof SealsumError && codes.includes(error.code);
}

/** Whether an error says that the job is over, which is no fault of ours. */
function isEnd(error: unknown): boolean {
  return hasCode(error, ['job_ended', 'job_unknown']);
}

/** Whether an error says that a round is over, which says nothing of the next. */
function isTooLate(error: unknown): error is SealsumError {
  return hasCode(error, ['round_closed', 'round_abandoned', 'round_unknown']);
}

/** Whether an error is one of the line or of the other side, not of what was sent. */
function isPassing(error: unknown): boolean {
  return hasCode(error, ['facilitator_unreachable', 'request_failed', 'internal', 'aborted']);
}
