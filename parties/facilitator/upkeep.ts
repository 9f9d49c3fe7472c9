/**
 * What a facilitator does by itself now and then: delete what the retention rule says, and end jobs that were left behind. One timer
 * serves both, and there is none while there is nothing to wait for.
 */
import type { FacilitatorContext } from './context.ts';
import type { Jobs } from './jobs.ts';

export interface Upkeep {
  /** There may be something else to wait for: a job that began or ended. */
  look(): void;
  /** There may be something to delete: a round or a job that ended. */
  cleanUp(): void;
  stop(): void;
}

/** Milliseconds between two times at which anything is done, at least. */
const pause = 60_000;

export function createUpkeep(context: FacilitatorContext, jobs: Jobs): Upkeep {
  const { store, clock, log, checkpoint, limits, retention, books } = context;
  const patience = limits.idleJobDays * 86_400_000;
  let wanted = false;
  let busy = false;
  let notBefore = Number.NEGATIVE_INFINITY;
  let stopped = false;
  let cancel: () => void = () => undefined;

  /** When there is something to do next, in milliseconds since 1970; Infinity when there is nothing. */
  function next(): number {
    let soonest = wanted ? notBefore : Number.POSITIVE_INFINITY;
    for (const { status, changedAt } of books.register.all())
      if (status === 'open') soonest = Math.min(soonest, changedAt + patience);
    return Math.max(soonest, notBefore);
  }

  function look(): void {
    cancel();
    const due = next();
    if (stopped || busy || due === Number.POSITIVE_INFINITY) return;
    cancel = clock.after(Math.max(0, due - clock.now()), () => {
      void work();
    });
  }

  async function work(): Promise<void> {
    busy = true;
    try {
      if (wanted) await applyRetention();
      await endIdleJobs();
    } catch (error) {
      if (!stopped) log.error({ err: error }, 'the upkeep failed; it will be tried again');
    } finally {
      busy = false;
      notBefore = clock.now() + pause;
      look();
    }
  }

  async function applyRetention(): Promise<void> {
    wanted = false;
    const deleted = await store.retain(retention, clock.now()).catch((error: unknown) => {
      wanted = true;
      throw error;
    });
    if (deleted.jobs > 0) await forgetDeletedJobs(deleted.jobs);
    if (deleted.jobs + deleted.rounds + deleted.events > 0) log.info(deleted, 'the retention rule was applied');
    checkpoint('facilitator.retention.done');
  }

  /** Those that ended first are deleted first, so no more are looked for than were deleted. */
  async function forgetDeletedJobs(count: number): Promise<void> {
    const ended = [...books.register.all()].filter(({ status }) => status !== 'open');
    ended.sort((one, other) => one.changedAt - other.changedAt);
    let left = count;
    for (const { job } of ended) {
      if (left === 0) return;
      if ((await store.job(job)) !== undefined) continue;
      books.register.forget(job);
      left -= 1;
    }
  }

  async function endIdleJobs(): Promise<void> {
    const now = clock.now();
    const idle = [...books.register.all()].filter(
      ({ status, changedAt }) => status === 'open' && now - changedAt >= patience,
    );
    for (const { job } of idle) await jobs.endIdle(job, patience);
  }

  return {
    look,
    cleanUp: () => {
      wanted = true;
      look();
    },
    stop: () => {
      stopped = true;
      cancel();
    },
  };
}
