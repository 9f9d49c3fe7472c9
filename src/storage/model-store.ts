/**
 * What a model owner remembers of the models it has trained or is training, and of each training that is under way everything it
 * needs to go on after a restart. Private keys are in it encrypted only, and only until their job has ended.
 */
import type { CrossValidation } from '../learning/cross-validation.ts';
import type { Diagnostics } from '../learning/inference/diagnostics.ts';
import type { Inference } from '../learning/inference/standard-errors.ts';
import type { Metrics } from '../learning/metrics.ts';
import type { AnyModel } from '../learning/model-document.ts';
import type { StatisticsReport } from '../learning/statistics/report.ts';
import type { TrainerState } from '../learning/trainer.ts';
import type { PrivacyStatement } from '../privacy/statement.ts';
import type { OwnerId } from '../protocol/identifiers.ts';
import type { OwnerView, SignedJob } from '../protocol/job-messages.ts';
import type { AuditBody } from './audit.ts';

export type ModelStatus = 'preparing' | 'waiting_for_owners' | 'training' | 'finished' | 'failed' | 'cancelled';

/** One finished round, as the model owner saw it. */
export interface RoundReport {
  /** Counted from 1; the last one of a gradient training only evaluates, and then there may be one that closes the job. */
  readonly round: number;
  /** Whether it was that one. */
  readonly closing?: true;
  readonly contributors: number;
  /** Of the parameters that the round was asked with; absent where there were none. */
  readonly metrics?: Metrics;
  /** To which length (scaled units) statistics were clipped, where that adapts. */
  readonly clip?: number;
  /** From asking the facilitator to open the round to the updated parameters. */
  readonly seconds: number;
  /** Of one owner's contribution. */
  readonly bytes: number;
  /** By which everybody who took part finds the round again; absent of rounds that an older version kept. */
  readonly digests?: RoundDigests;
  /** Owners who were asked and did not contribute in time; absent in reports of older versions, as what follows is. */
  readonly missing?: readonly OwnerId[];
  /** Owners of the job who were not asked in this round. */
  readonly not_asked?: readonly OwnerId[];
  /** What this round and those before it have spent, where there is differential privacy; ε where there is a δ. */
  readonly spent?: { readonly rho: number; readonly epsilon: number | null };
}

/** SHA-256, lowercase hexadecimal. */
export interface RoundDigests {
  /** Of the round's descriptor, as it stands in every owner's receipt. */
  readonly round: string;
  /** Of the manifest that the facilitator signed, which names the contributions. */
  readonly manifest: string;
  /** Of the aggregate's bytes. */
  readonly aggregate: string;
}

/** A part of a model's rounds: after a number, oldest first; or before one, newest first, `before` undefined: from the newest. */
export type RoundsPage = (
  | { readonly after: number }
  | { readonly after?: undefined; readonly before: number | undefined }
) & {
  readonly limit: number;
};

/** Why a training failed, in the terms of a problem. */
export interface Failure {
  readonly code: string;
  readonly detail: string;
  readonly field?: string;
}

export interface ModelRecord {
  readonly id: string;
  readonly model: AnyModel;
  readonly status: ModelStatus;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly endedAt?: number;
  readonly owners: readonly OwnerView[];
  /** Updates made, and updates planned. */
  readonly updates: number;
  readonly plannedUpdates: number;
  /** The newest one; all of them are `rounds(id)`. */
  readonly lastRound?: RoundReport;
  readonly privacy: PrivacyStatement;
  /** Once finished: scaled parameters, outputs × width row by row, and the metrics of the fit. */
  readonly parameters?: readonly number[];
  readonly metrics?: Metrics;
  /** Once finished, where the model asks for statistics; it has no parameters then. */
  readonly report?: StatisticsReport;
  /** Where records were held out: after how many updates the parameters were so. */
  readonly keptUpdate?: number;
  readonly crossValidation?: CrossValidation;
  /** Once finished: how precise its coefficients are, or why that is not known; absent where nothing asked for it. */
  readonly inference?: Inference;
  /** Once finished, where the model asks for it. */
  readonly diagnostics?: Diagnostics;
  readonly failure?: Failure;
}

/** A training that is under way. */
export interface TrainingRecord {
  readonly id: string;
  readonly roster: readonly OwnerId[];
  /** Once the job has been proposed. */
  readonly proposal?: {
    readonly signed: SignedJob;
    /** The job's Paillier private key and its tag secret, encrypted under a key of the model owner's identity. */
    readonly sealedKeys: Uint8Array;
  };
  /** Rounds whose sum is in the state below; the next one is one more. */
  readonly round: number;
  /** The last round whose sum was decrypted: its privacy is spent, whatever became of it. */
  readonly opened: number;
  readonly trainer?: TrainerState;
}

/** One step of a model's life as it is told to those who follow it. */
export interface ModelEventRecord {
  /** Counted from 1 for every model. */
  readonly id: number;
  readonly type: 'status' | 'round' | 'finished' | 'failed';
  readonly status: ModelStatus;
  readonly updates: number;
  readonly planned_updates: number;
  readonly owners: readonly OwnerView[];
  readonly round?: RoundReport;
  readonly failure?: Failure;
}

/** Everything that one step changes. */
export interface ModelChange {
  readonly model?: ModelRecord;
  /** In full: a proposal or a trainer that it does not have is deleted. */
  readonly training?: TrainingRecord;
  readonly round?: { readonly id: string; readonly report: RoundReport };
  readonly event?: { readonly id: string; readonly body: Omit<ModelEventRecord, 'id'> };
  /** The training with this id is over: its keys and state are deleted. */
  readonly trainingOver?: string;
  readonly audit?: readonly AuditBody[];
}

export interface ModelStore {
  /** Applies all of a change durably or nothing of it. */
  commit(change: ModelChange): Promise<void>;
  get(id: string): Promise<ModelRecord | undefined>;
  /** Oldest first. */
  list(): Promise<readonly ModelRecord[]>;
  /** With everything that belongs to it. */
  delete(id: string, audit?: readonly AuditBody[]): Promise<void>;
  training(id: string): Promise<TrainingRecord | undefined>;
  /** All of them, oldest first, unless a part is asked for. */
  rounds(id: string, page?: RoundsPage): Promise<readonly RoundReport[]>;
  /** The events after number `after`, oldest first, at most `limit`. */
  events(id: string, after: number, limit: number): Promise<readonly ModelEventRecord[]>;
}
