/**
 * One training as the store knows it: what is remembered of its model, what is needed to go on, what is told to those who
 * follow it, and what is noted in the audit log change together, step by step, or not at all.
 */

import { publicOwners } from '../../src/collecting/owner-register.ts';
import type { Bell } from '../../src/http/bell.ts';
import type { AuditBody } from '../../src/storage/audit.ts';
import type {
  ModelEventRecord,
  ModelRecord,
  ModelStore,
  RoundReport,
  TrainingRecord,
} from '../../src/storage/model-store.ts';

/** What one step changes. */
export interface Step {
  readonly model?: Partial<ModelRecord>;
  /** The new record as a whole, or that there is none any more. */
  readonly training?: TrainingRecord | 'over';
  /** What those who follow the model are told. */
  readonly event?: ModelEventRecord['type'];
  readonly round?: RoundReport;
  /** Of this model's job. */
  readonly audit?: readonly Omit<AuditBody, 'job'>[];
}

export interface Journal {
  readonly model: () => ModelRecord;
  readonly training: () => TrainingRecord;
  /** Resolves when the step is durable. Steps are kept in the order in which they were asked for. */
  commit(step: Step): Promise<void>;
  /** Why a step could not be kept: nothing more is kept then, and the training must begin again from what is in the store. */
  readonly failed: () => unknown;
}

/** @param bell rung after every step that has an event */
export function openJournal(store: ModelStore, bell: Bell, model: ModelRecord, training: TrainingRecord): Journal {
  let currentModel = model;
  let currentTraining = training;
  let failure: { readonly cause: unknown } | undefined;
  let kept: Promise<void> = Promise.resolve();

  async function keep(change: Parameters<ModelStore['commit']>[0]): Promise<void> {
    if (failure !== undefined) throw failure.cause;
    try {
      await store.commit(change);
    } catch (cause) {
      failure = { cause };
      throw cause;
    }
    if (change.event !== undefined) bell.ring();
  }

  return {
    model: () => currentModel,
    training: () => currentTraining,
    failed: () => failure?.cause,
    commit: (step) => {
      const { id } = currentModel;
      if (step.model !== undefined) currentModel = { ...currentModel, ...step.model };
      if (step.training !== undefined && step.training !== 'over') currentTraining = step.training;
      const now = currentModel;
      const change = {
        ...(step.model === undefined ? {} : { model: now }),
        ...(step.training === undefined || step.training === 'over' ? {} : { training: step.training }),
        ...(step.training === 'over' ? { trainingOver: id } : {}),
        ...(step.round === undefined ? {} : { round: { id, report: step.round } }),
        ...(step.event === undefined ? {} : { event: { id, body: eventOf(now, step.event, step.round) } }),
        ...(step.audit === undefined ? {} : { audit: step.audit.map((body) => ({ ...body, job: id })) }),
      };
      const turn = kept.then(() => keep(change));
      kept = turn.catch(() => undefined);
      return turn;
    },
  };
}

function eventOf(
  model: ModelRecord,
  type: ModelEventRecord['type'],
  round: RoundReport | undefined,
): Omit<ModelEventRecord, 'id'> {
  return {
    type,
    status: model.status,
    updates: model.updates,
    planned_updates: model.plannedUpdates,
    owners: publicOwners(model.owners),
    ...(round === undefined ? {} : { round }),
    ...(model.failure === undefined ? {} : { failure: model.failure }),
  };
}
