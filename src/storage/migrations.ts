/**
 * The shape of each party's store, as numbered steps from nothing to the newest. A step that was released is never changed: what
 * comes later is another step.
 */
import { type Kysely, sql } from 'kysely';
import { SealsumError } from '../errors.ts';
import type { Role } from '../protocol/identity.ts';
import type { Tables } from './tables.ts';

export type DatabaseKind = 'sqlite' | 'postgres';

/** What the two databases call the same thing. */
export interface ColumnWords {
  /** 64 bits, of which JavaScript uses 53. */
  readonly integer: string;
  readonly bytes: string;
  /** What follows a table, and a table of small rows that is found by its primary key. */
  readonly table: string;
  readonly keyed: string;
}

const words: Readonly<Record<DatabaseKind, ColumnWords>> = {
  sqlite: { integer: 'integer', bytes: 'blob', table: 'strict', keyed: 'strict, without rowid' },
  postgres: { integer: 'bigint', bytes: 'bytea', table: '', keyed: '' },
};

/** The statements that lead from the version before to this one; the first step leads to version 1. */
export type Migration = (words: ColumnWords) => readonly string[];

const common: Migration = ({ integer, keyed, table }) => [
  `create table nonces (key text not null, nonce text not null, expires_at ${integer} not null,
    primary key (key, nonce)) ${keyed}`,
  `create index nonces_by_expiry on nonces (expires_at)`,
  `create table audit (sequence ${integer} primary key, entry_json text not null) ${table}`,
];

const facilitator: Migration = ({ integer, bytes, table, keyed }) => [
  `create table jobs (position ${integer} primary key, job text not null unique, status text not null,
    round ${integer} not null, created_at ${integer} not null, changed_at ${integer} not null) ${table}`,
  `create index jobs_by_status on jobs (status, changed_at)`,
  `create table job_descriptors (job text primary key references jobs (job) on delete cascade, digest text not null,
    signed_json text not null) ${table}`,
  `create table job_owners (job text not null references jobs (job) on delete cascade, place ${integer} not null,
    owner text not null, view_json text not null, primary key (job, place), unique (job, owner)) ${keyed}`,
  `create table rounds (job text not null references jobs (job) on delete cascade, round ${integer} not null,
    status text not null, digest text not null, quorum ${integer} not null, opened_at ${integer} not null,
    deadline ${integer} not null, roster_json text not null, withdrawn_json text not null, reason_json text,
    manifest_json text, primary key (job, round)) ${table}`,
  `create table round_descriptors (job text not null, round ${integer} not null, signed_json text not null,
    primary key (job, round), foreign key (job, round) references rounds (job, round) on delete cascade) ${table}`,
  `create table contributions (job text not null, round ${integer} not null, owner text not null,
    place ${integer} not null, digest text not null, bytes ${integer} not null, signature_json text not null,
    primary key (job, round, owner), unique (job, round, place),
    foreign key (job, round) references rounds (job, round) on delete cascade) ${table}`,
  `create table blocks (job text not null, round ${integer} not null, series text not null, block ${integer} not null,
    bytes ${bytes} not null, primary key (job, round, series, block)) ${table}`,
  `create table events (id ${integer} primary key, job text not null, body_json text not null) ${table}`,
  `create index events_by_job on events (job, id)`,
];

const dataOwner: Migration = ({ integer, bytes, table }) => [
  `create table ledger (position ${integer} primary key, job text not null, round ${integer} not null,
    rho_numerator text, rho_denominator text, at text not null) ${table}`,
  `create table owned_jobs (position ${integer} primary key, job text not null unique, status text not null,
    updated_at ${integer} not null, record_json text not null) ${table}`,
  `create index owned_jobs_by_status on owned_jobs (status, updated_at)`,
  `create table owned_contributions (job text not null, round ${integer} not null, round_digest text not null,
    digest text not null, bytes ${bytes}, receipt_json text, primary key (job, round)) ${table}`,
  `create index owned_contributions_with_bytes on owned_contributions (job, round) where bytes is not null`,
];

/** When a round ended, and for how many milliseconds it was closed; unknown of rounds before. */
const roundEndings: Migration = ({ integer }) => [
  `alter table rounds add column ended_at ${integer}`,
  `alter table rounds add column closing_milliseconds ${integer}`,
];

/** What is in the ledger stays as it was written: it is read as what the version before could charge. */
const ledgerAccounts: Migration = () => [
  'alter table ledger add column dataset text',
  'alter table ledger add column unit text',
  'alter table ledger add column neighbours text',
];

const ledgerSampling: Migration = () => ['alter table ledger add column sampling text'];

/** What a job asked for, as it was verified; unknown of jobs that were considered before. */
const askedJobs: Migration = () => ['alter table owned_jobs add column asked_json text'];

const modelOwner: Migration = ({ integer, bytes, table }) => [
  `create table models (position ${integer} primary key, id text not null unique, record_json text not null) ${table}`,
  `create table model_documents (id text primary key references models (id) on delete cascade,
    model_json text not null) ${table}`,
  `create table model_parameters (id text primary key references models (id) on delete cascade,
    parameters_json text not null) ${table}`,
  `create table model_views (id text not null references models (id) on delete cascade, number ${integer} not null,
    view_json text not null, primary key (id, number)) ${table}`,
  `create table model_rounds (id text not null references models (id) on delete cascade, round ${integer} not null,
    report_json text not null, primary key (id, round)) ${table}`,
  `create table model_events (id text not null references models (id) on delete cascade, event ${integer} not null,
    body_json text not null, primary key (id, event)) ${table}`,
  `create table trainings (id text primary key references models (id) on delete cascade, round ${integer} not null,
    opened ${integer} not null, roster_json text not null, trainer_json text) ${table}`,
  `create table training_proposals (id text primary key references trainings (id) on delete cascade,
    signed_json text not null, sealed_keys ${bytes} not null) ${table}`,
];

export const migrations: Readonly<Record<Role, readonly Migration[]>> = {
  facilitator: [(said) => [...common(said), ...facilitator(said)], roundEndings],
  'data-owner': [(said) => [...common(said), ...dataOwner(said)], ledgerAccounts, ledgerSampling, askedJobs],
  'model-owner': [(said) => [...common(said), ...modelOwner(said)]],
};

/** What is to become of a database: made new, brought to the newest version, or used as it is. */
export interface Shape {
  readonly role: Role;
  readonly steps: readonly Migration[];
}

/**
 * The version of a store, 0 for an empty database.
 *
 * @param name how errors call the store
 * @param tables the names of the tables that are there
 * @throws SealsumError store_unavailable when the database is no store, another role's, or newer than this program
 */
export async function storeVersion(
  rows: Kysely<Tables>,
  tables: readonly string[],
  { role, steps }: Shape,
  name: string,
): Promise<number> {
  if (tables.length === 0) return 0;
  if (!tables.includes('store'))
    throw new SealsumError(
      'store_unavailable',
      `${name} holds tables that are not sealsum's: name another file, or with ?schema= a schema of its own`,
      { field: 'store' },
    );
  const found = await rows.selectFrom('store').select(['role', 'version']).executeTakeFirst();
  if (found === undefined)
    throw new SealsumError('store_unavailable', `${name} does not say whose store it is: restore it from a backup`, {
      field: 'store',
    });
  if (found.role !== role)
    throw new SealsumError(
      'store_unavailable',
      `${name} is the store of a ${found.role}, not of a ${role}: name another one`,
      { field: 'store' },
    );
  if (found.version > steps.length)
    throw new SealsumError(
      'store_unavailable',
      `${name} has version ${found.version} and this program knows versions up to ${steps.length}: use a newer program`,
      { field: 'store' },
    );
  return found.version;
}

/** Brings a store to the newest version; to be called inside a transaction that nobody else can be in. */
export async function migrate(
  rows: Kysely<Tables>,
  kind: DatabaseKind,
  { role, steps }: Shape,
  from: number,
): Promise<void> {
  const said = words[kind];
  if (from === 0) {
    const store = `create table store (id ${said.integer} primary key check (id = 1), role text not null,
      version ${said.integer} not null, writer text) ${said.table}`;
    await sql.raw(store).execute(rows);
    await rows.insertInto('store').values({ id: 1, role, version: 0, writer: null }).execute();
  }
  for (const step of steps.slice(from)) for (const statement of step(said)) await sql.raw(statement).execute(rows);
  if (from < steps.length) await rows.updateTable('store').set({ version: steps.length }).execute();
}
