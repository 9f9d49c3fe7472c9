/**
 * The trainings that are under way: each runs to its end, whatever that is, and what became of it is kept before anybody hears
 * of it. When the process stops they are parked as they are, and go on when it starts again.
 *
 * A training ends in three steps, each durable before the next: its outcome is kept and its keys are deleted; the facilitator
 * is told, so that the owners do not wait; the training is forgotten.
 */

import { publicOwners } from '../../src/collecting/owner-register.ts';
import { type ErrorCode, SealsumError } from '../../src/errors.ts';
import type { Bell } from '../../src/http/bell.ts';
import type { FacilitatorClient } from '../../src/http/facilitator-client.ts';
import { pause } from '../../src/http/retry.ts';
import { abortWith } from '../../src/http/signals.ts';
import type { Trainer } from '../../src/learning/trainer.ts';
import { jobIdSchema } from '../../src/protocol/identifiers.ts';
import type { JobOutcome } from '../../src/protocol/job-messages.ts';
import type { Failure, ModelRecord, ModelStatus, ModelStore } from '../../src/storage/model-store.ts';
import { type Journal, openJournal } from './journal.ts';
import { type TrainingOptions, train } from './training.ts';

export interface Trainings {
  /** Runs a training that is in the store, unless it runs already. @param resumed whether it was broken off before */
  run(id: string, resumed: boolean): void;
  /**
   * Stops a training for good; resolves when it has ended, with nothing to do where there is none.
   *
   * @throws SealsumError facilitator_unreachable when the facilitator has not heard of the end: it is told once it answers;
   *   aborted when the process stops before
   */
  cancel(id: string): Promise<void>;
  /** Resolves when no training runs any more. */
  idle(): Promise<void>;
}

export interface TrainingsOptions extends Omit<TrainingOptions, 'journal' | 'client' | 'patience' | 'signal'> {
  readonly store: ModelStore;
  readonly bell: Bell;
  /** A client whose requests are repeated for so many milliseconds. */
  readonly connect: (patience: number) => FacilitatorClient;
  /** Aborts when the process stops. */
  readonly signal: AbortSignal;
}

/** The least time for which a facilitator that does not answer is waited for, in milliseconds: it may be starting anew. */
const leastPatience = 60_000;
/** The same for telling it of a training that somebody deletes, and waits for that. */
const shortPatience = 5000;

/** Milliseconds before a training goes on whose store did not answer: at first, and at most. */
const firstWait = 1000;
const longestWait = 60_000;

interface Running {
  /** Whether it is to end for good. */
  cancelled: boolean;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

export function createTrainings(options: TrainingsOptions): Trainings {
  const { store, bell, clock, log, signal } = options;
  const running = new Map<string, Running>();

  function run(id: string, resumed: boolean, cancelled = false): Running {
    const known = running.get(id);
    if (known !== undefined) return known;
    const stop = new AbortController();
    const letGo = abortWith(signal, stop);
    const state: { cancelled: boolean } = { cancelled };
    if (cancelled) stop.abort();
    const isCancelled = (): boolean => state.cancelled;
    const done = live(id, stop.signal, isCancelled, resumed).finally(() => {
      letGo();
      running.delete(id);
    });
    const entry = Object.assign(state, { stop, done });
    running.set(id, entry);
    return entry;
  }

  /** Pursues a training for as long as the process lives; a store that does not answer is tried again. Never rejects. */
  async function live(id: string, stop: AbortSignal, isCancelled: () => boolean, resumed: boolean): Promise<void> {
    for (let [again, wait] = [resumed, firstWait]; ; [again, wait] = [true, Math.min(2 * wait, longestWait)]) {
      try {
        await pursue(id, stop, isCancelled, again);
        return;
      } catch (error) {
        if (signal.aborted) {
          log.info({ model: id }, 'the training is parked');
          return;
        }
        log.error({ model: id, err: error }, 'what becomes of the training cannot be kept or told; it is tried again');
        if (isCancelled()) return;
        await pause(clock, wait, stop);
      }
    }
  }

  /** @throws when the process stops, and when something could not be kept or told: the store says where to go on */
  async function pursue(id: string, stop: AbortSignal, isCancelled: () => boolean, resumed: boolean): Promise<void> {
    const [model, training] = await Promise.all([store.get(id), store.training(id)]);
    if (model === undefined || training === undefined) return;
    const journal = openJournal(store, bell, model, training);
    if (!hasEnded(model.status)) await work(journal, stop, isCancelled, resumed);
    await farewell(journal, stop, isCancelled);
  }

  /** Trains, and keeps how that ended. */
  async function work(
    journal: Journal,
    stop: AbortSignal,
    isCancelled: () => boolean,
    resumed: boolean,
  ): Promise<void> {
    const patience = patienceOf(journal.model());
    let outcome: Partial<ModelRecord>;
    try {
      if (stop.aborted) throw new SealsumError('aborted', 'the training was stopped');
      if (resumed) await goOn(journal);
      const client = options.connect(patience);
      outcome = finished(await train({ ...options, journal, client, patience, signal: stop }));
    } catch (error) {
      if (journal.failed() !== undefined || (stop.aborted && !isCancelled())) throw error;
      outcome = isCancelled() ? cancelled : failed(journal, error);
    }
    options.reach('model-owner.end.decided');
    await keepOutcome(journal, outcome);
    options.reach('model-owner.end.committed');
  }

  async function goOn(journal: Journal): Promise<void> {
    const { round } = journal.training();
    options.reach('model-owner.resume.begun');
    log.info({ model: journal.model().id, round }, 'the training goes on');
    await journal.commit({ audit: [{ type: 'training.resumed', details: { rounds: round } }] });
    options.reach('model-owner.resume.committed');
  }

  function failed(journal: Journal, error: unknown): Partial<ModelRecord> {
    const { id } = journal.model();
    const known = error instanceof SealsumError ? error : undefined;
    log.error(
      known === undefined ? { model: id, err: error } : { model: id, code: known.code },
      `the training failed: ${known?.message ?? 'an unexpected error'}`,
    );
    return { status: 'failed', failure: failureOf(error) };
  }

  function keepOutcome(journal: Journal, outcome: Partial<ModelRecord>): Promise<void> {
    const { id, roster, round, opened } = journal.training();
    const { status = 'failed', failure } = outcome;
    const { code, field } = failure ?? {};
    const details = {
      rounds: round,
      ...(code === undefined ? {} : { code }),
      ...(field === undefined ? {} : { field }),
    };
    return journal.commit({
      model: { ...outcome, endedAt: clock.now(), owners: publicOwners(journal.model().owners) },
      // Without its keys and its state: all that is left to do is to tell the facilitator.
      training: { id, roster, round, opened },
      event: status === 'finished' ? 'finished' : 'failed',
      audit: [{ type: `training.${status}`, details }],
    });
  }

  /** Tells the facilitator that a training is over, and forgets what only the training needed. */
  async function farewell(journal: Journal, stop: AbortSignal, isCancelled: () => boolean): Promise<void> {
    const { id } = journal.model();
    try {
      await endJob(journal.model(), stop, isCancelled);
    } catch (error) {
      // Its owners wait until it hears of the end.
      if (signal.aborted || isUnanswered(error)) throw error;
      // One that never heard of the job, or has forgotten it, has nothing to end.
      if (!(error instanceof SealsumError) || error.code !== 'job_unknown')
        log.warn({ model: id, err: error }, 'the job could not be ended at the facilitator');
    }
    options.reach('model-owner.end.told');
    await journal.commit({ training: 'over' });
    options.reach('model-owner.end.forgotten');
  }

  /**
   * For as long as it takes, since the owners wait for it; somebody who waits for the model to be deleted is not made to wait
   * that long.
   */
  async function endJob(model: ModelRecord, stop: AbortSignal, isCancelled: () => boolean): Promise<void> {
    const job = jobIdSchema.parse(model.id);
    const outcome = outcomeOf(model.status);
    try {
      if (!isCancelled()) {
        await options.connect(Number.POSITIVE_INFINITY).endJob(job, outcome, stop);
        return;
      }
    } catch (error) {
      if (!isCancelled()) throw error;
    }
    await options.connect(shortPatience).endJob(job, outcome, signal);
  }

  return {
    run: (id, resumed) => {
      run(id, resumed);
    },
    cancel: async (id) => {
      const entry = running.get(id) ?? ((await store.training(id)) === undefined ? undefined : run(id, true, true));
      if (entry === undefined) return;
      entry.cancelled = true;
      entry.stop.abort();
      await entry.done;
      if ((await store.training(id)) === undefined) return;
      if (signal.aborted)
        throw new SealsumError('aborted', 'the process stops before the facilitator has heard of the end');
      const model = await store.get(id);
      if (model !== undefined && hasEnded(model.status)) run(id, true);
      throw new SealsumError(
        'facilitator_unreachable',
        'the training is stopped, and the facilitator does not answer; delete the model again once it does',
      );
    },
    idle: async () => {
      await Promise.all([...running.values()].map(({ done }) => done));
    },
  };
}

/** Whether an error says that the facilitator gave no answer, or one for now only, rather than one that is no. */
function isUnanswered(error: unknown): boolean {
  return error instanceof SealsumError && unanswered.includes(error.code);
}

const unanswered: readonly ErrorCode[] = [
  'facilitator_unreachable',
  'request_failed',
  'nonce_reused',
  'too_many_requests',
  'body_too_slow',
  'overloaded',
  'store_unavailable',
  'internal',
  'aborted',
];

function patienceOf({ model }: ModelRecord): number {
  return Math.max(leastPatience, model.participation.deadline_seconds * 1000);
}

function hasEnded(status: ModelStatus): boolean {
  return status === 'finished' || status === 'failed' || status === 'cancelled';
}

function outcomeOf(status: ModelStatus): JobOutcome {
  return status === 'finished' || status === 'cancelled' ? status : 'failed';
}

const cancelled: Partial<ModelRecord> = {
  status: 'cancelled',
  failure: { code: 'aborted', detail: 'the training was stopped' },
};

function finished({
  parameters,
  metrics,
  keptRound,
  crossValidation,
  inference,
  diagnostics,
  report,
}: Trainer): Partial<ModelRecord> {
  if (report !== undefined) return { status: 'finished', report };
  return {
    status: 'finished',
    parameters: [...parameters],
    ...(metrics === undefined ? {} : { metrics }),
    ...(keptRound === undefined ? {} : { keptUpdate: keptRound }),
    ...(crossValidation === undefined ? {} : { crossValidation }),
    ...(inference === undefined ? {} : { inference }),
    ...(diagnostics === undefined ? {} : { diagnostics }),
  };
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof SealsumError)) return { code: 'internal', detail: 'an unexpected error; see the log' };
  return { code: error.code, detail: error.message, ...(error.field === undefined ? {} : { field: error.field }) };
}
