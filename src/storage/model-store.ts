/** What a model owner remembers of the models it has trained or is training. Keys are not here: they live as long as a job. */
import type { Metrics } from '../learning/metrics.ts';
import type { Model } from '../learning/model.ts';
import type { PrivacyStatement } from '../privacy/statement.ts';
import type { OwnerView } from '../protocol/messages.ts';

export type ModelStatus = 'preparing' | 'waiting_for_owners' | 'training' | 'finished' | 'failed' | 'cancelled';

/** One finished round, as the model owner saw it. */
export interface RoundReport {
  /** Counted from 1; the last one of a gradient training only evaluates. */
  readonly round: number;
  readonly contributors: number;
  /** Of the parameters that the round was asked with; absent where there were none. */
  readonly metrics?: Metrics;
  /** From asking the facilitator to open the round to the updated parameters. */
  readonly seconds: number;
  /** Of one owner's contribution. */
  readonly bytes: number;
}

/** Why a training failed, in the terms of a problem. */
export interface Failure {
  readonly code: string;
  readonly detail: string;
  readonly field?: string;
}

export interface ModelRecord {
  readonly id: string;
  readonly model: Model;
  readonly status: ModelStatus;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly endedAt?: number;
  readonly owners: readonly OwnerView[];
  /** Updates made, and updates planned. */
  readonly updates: number;
  readonly plannedUpdates: number;
  readonly rounds: readonly RoundReport[];
  readonly privacy: PrivacyStatement;
  /** Once finished: scaled parameters, outputs × width row by row, and the metrics of the fit. */
  readonly parameters?: readonly number[];
  readonly metrics?: Metrics;
  readonly failure?: Failure;
}

export interface ModelStore {
  save(record: ModelRecord): Promise<void>;
  get(id: string): Promise<ModelRecord | undefined>;
  /** Oldest first. */
  list(): Promise<readonly ModelRecord[]>;
  delete(id: string): Promise<void>;
}

/** A model owner's memory for as long as its process lives. */
export function createMemoryModelStore(): ModelStore {
  const records = new Map<string, ModelRecord>();
  return {
    save: (record) => {
      records.set(record.id, record);
      return Promise.resolve();
    },
    get: (id) => Promise.resolve(records.get(id)),
    list: () => Promise.resolve([...records.values()]),
    delete: (id) => {
      records.delete(id);
      return Promise.resolve();
    },
  };
}
