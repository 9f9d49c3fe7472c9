/**
 * The tables of all stores, row by row, as both databases hold them. What is written once and may be large (descriptors, models)
 * stands in tables of its own, since SQLite writes a whole row anew when any column of it changes.
 *
 * Texts that end in _json are JSON, moments are milliseconds since 1970, byte strings are BLOB or bytea.
 */

import type { AnyModel } from '../learning/model-document.ts';
import type { TrainerState } from '../learning/trainer.ts';
import type { Neighbours, PrivacyUnit } from '../privacy/mode.ts';
import type { JobEventBody } from '../protocol/events.ts';
import type { JobId, OwnerId } from '../protocol/identifiers.ts';
import type { Fingerprint, Role } from '../protocol/identity.ts';
import type { JobView, OwnerView, SignedJob } from '../protocol/job-messages.ts';
import type { RoundState } from '../protocol/round.ts';
import type { Manifest, SignedReceipt, SignedRound } from '../protocol/round-messages.ts';
import type { ObjectSignature } from '../protocol/signed.ts';
import type { AuditEntry } from './audit.ts';
import type { AskedJob, OwnedJobRecord } from './data-owner-store.ts';
import type { BlockSeries } from './facilitator-store.ts';
import type { ModelEventRecord, ModelRecord, RoundReport } from './model-store.ts';
import type { Json } from './row-json.ts';

/** One row: whose store this is, in which shape, and who writes to it. */
export interface StoreTable {
  id: 1;
  role: Role;
  version: number;
  /** PostgreSQL: a name that every writer draws anew, so that one who lost its lock notices. */
  writer: string | null;
}

export interface NoncesTable {
  key: Fingerprint;
  nonce: string;
  expires_at: number;
}

export interface AuditTable {
  sequence: number;
  entry_json: Json<AuditEntry>;
}

export interface JobsTable {
  /** In the order of their creation. */
  position: number;
  job: JobId;
  status: JobView['status'];
  round: number;
  created_at: number;
  changed_at: number;
}

export interface JobDescriptorsTable {
  job: JobId;
  digest: string;
  signed_json: Json<SignedJob>;
}

export interface JobOwnersTable {
  job: JobId;
  /** In the order of the roster, from 0. */
  place: number;
  owner: OwnerId;
  view_json: Json<OwnerView>;
}

/** A manifest; a number stands for the first so many of the table of contributions, which are nearly all of it. */
export interface StoredManifest {
  readonly manifest: Omit<Manifest, 'contributions'> & { readonly contributions: Manifest['contributions'] | number };
  readonly signature: ObjectSignature;
}

export interface RoundsTable {
  job: JobId;
  round: number;
  status: RoundState['status'];
  digest: string;
  quorum: number;
  opened_at: number;
  deadline: number;
  roster_json: Json<readonly OwnerId[]>;
  withdrawn_json: Json<readonly OwnerId[]>;
  reason_json: Json<string> | null;
  manifest_json: Json<StoredManifest> | null;
  /** null while it is open, and in rows of version 1. */
  ended_at: number | null;
  closing_milliseconds: number | null;
}

/** Until the retention rule forgets it. */
export interface RoundDescriptorsTable {
  job: JobId;
  round: number;
  signed_json: Json<SignedRound>;
}

export interface ContributionsTable {
  job: JobId;
  round: number;
  owner: OwnerId;
  /** In the order of acceptance, from 1. */
  place: number;
  digest: string;
  bytes: number;
  signature_json: Json<ObjectSignature>;
}

export interface BlocksTable {
  job: JobId;
  round: number;
  series: BlockSeries;
  block: number;
  bytes: Uint8Array;
}

export interface EventsTable {
  id: number;
  job: JobId;
  body_json: Json<JobEventBody>;
}

export interface LedgerTable {
  position: number;
  job: string;
  round: number;
  /** Decimal; null without differential privacy. */
  rho_numerator: string | null;
  rho_denominator: string | null;
  at: string;
  /** null in rows of version 1. */
  dataset: string | null;
  /** null without differential privacy, and in rows of version 1. */
  unit: PrivacyUnit | null;
  neighbours: Neighbours | null;
  /** A double in decimal; null without differential privacy, and in rows of versions 1 and 2. */
  sampling: string | null;
}

export interface OwnedJobsTable {
  position: number;
  job: JobId;
  status: OwnedJobRecord['status'];
  updated_at: number;
  record_json: Json<OwnedJobRecord>;
  /** null in rows of versions before 4. */
  asked_json: Json<AskedJob> | null;
}

export interface OwnedContributionsTable {
  job: JobId;
  round: number;
  round_digest: string;
  digest: string;
  bytes: Uint8Array | null;
  receipt_json: Json<SignedReceipt> | null;
}

/** A model's record without what stands in other tables; owners are the numbers of their views. */
export type StoredModel = Omit<ModelRecord, 'id' | 'model' | 'parameters' | 'owners'> & {
  readonly owners: readonly number[];
};

/** An event without its number; owners are the numbers of their views. */
export type StoredModelEvent = Omit<ModelEventRecord, 'id' | 'owners'> & { readonly owners: readonly number[] };

export interface ModelsTable {
  position: number;
  id: string;
  record_json: Json<StoredModel>;
}

/** The large parts of a model's record: `model` and, once finished, `parameters`. */
export interface ModelDocumentsTable {
  id: string;
  model_json: Json<AnyModel>;
}

/** Once finished. */
export interface ModelParametersTable {
  id: string;
  parameters_json: Json<readonly number[]>;
}

/** What owners were seen as, each once; records and events name them by number. */
export interface ModelViewsTable {
  id: string;
  number: number;
  view_json: Json<OwnerView>;
}

export interface ModelRoundsTable {
  id: string;
  round: number;
  report_json: Json<RoundReport>;
}

export interface ModelEventsTable {
  id: string;
  event: number;
  body_json: Json<StoredModelEvent>;
}

export interface TrainingsTable {
  id: string;
  round: number;
  opened: number;
  roster_json: Json<readonly OwnerId[]>;
  trainer_json: Json<TrainerState> | null;
}

export interface TrainingProposalsTable {
  id: string;
  signed_json: Json<SignedJob>;
  sealed_keys: Uint8Array;
}

export interface Tables {
  store: StoreTable;
  nonces: NoncesTable;
  audit: AuditTable;
  jobs: JobsTable;
  job_descriptors: JobDescriptorsTable;
  job_owners: JobOwnersTable;
  rounds: RoundsTable;
  round_descriptors: RoundDescriptorsTable;
  contributions: ContributionsTable;
  blocks: BlocksTable;
  events: EventsTable;
  ledger: LedgerTable;
  owned_jobs: OwnedJobsTable;
  owned_contributions: OwnedContributionsTable;
  models: ModelsTable;
  model_documents: ModelDocumentsTable;
  model_parameters: ModelParametersTable;
  model_views: ModelViewsTable;
  model_rounds: ModelRoundsTable;
  model_events: ModelEventsTable;
  trainings: TrainingsTable;
  training_proposals: TrainingProposalsTable;
}
