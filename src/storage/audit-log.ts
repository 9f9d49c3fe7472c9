/**
 * A party's audit log: a chain of entries, each with the hash of the one before and signed by the party, written in the same
 * transaction as what it tells of. Who holds the store can cut the log off at either end, no more: whoever has once noted
 * an entry's number and hash can tell whether the log still leads to it.
 *
 * Not kept for ever: the newest entries are, a million unless told. The first one that is kept then has as `previous` the hash of
 * one that is gone, and the chain is anchored there.
 */
import type { Selectable } from 'kysely';
import { SealsumError } from '../errors.ts';
import type { Clock } from '../protocol/clock.ts';
import { timestamp } from '../protocol/clock.ts';
import type { Identity } from '../protocol/identity.ts';
import { objectDigest, signObject } from '../protocol/signed.ts';
import { systemTurns } from '../threads/turns.ts';
import type { AuditBody, AuditEntry } from './audit.ts';
import type { Database, Generation, Session } from './database.ts';
import { fromJson, toJson } from './row-json.ts';
import type { AuditTable } from './tables.ts';

export interface AuditLog {
  /** Adds entries inside a store's transaction: they are there if, and only if, that is committed. */
  append(session: Session, bodies: readonly AuditBody[]): Promise<void>;
}

interface Head {
  readonly sequence: number;
  readonly hash: string;
}

/** What the first entry names as its predecessor. */
export const beforeFirst: string = '0'.repeat(64);

/** The oldest entries are deleted so many at a time. */
const deletedAtOnce = 1000;

/** And read so many at a time. */
const entriesAtATime = 1000;

/** @param options keep: how many of the newest entries are kept at least; 1,000,000 unless told */
export function createAuditLog(identity: Identity, clock: Clock, options: { readonly keep?: number } = {}): AuditLog {
  const { keep = 1_000_000 } = options;
  /** The newest entry, for as long as what is remembered of the store counts. */
  const heads = new WeakMap<Generation, Head>();

  return {
    append: async ({ rows, generation }, bodies) => {
      if (bodies.length === 0) return;
      const newest = heads.get(generation) ?? (await newestEntry(rows));
      const entries: AuditEntry[] = [];
      let { sequence, hash } = newest;
      for (const body of bodies) {
        const said = {
          sequence: sequence + 1,
          at: timestamp(clock.now()),
          body,
          previous: hash,
          key: identity.fingerprint,
        };
        const { value } = signObject(identity, 'audit entry', said);
        hash = objectDigest('audit entry', said);
        sequence = said.sequence;
        entries.push({ ...said, hash, signature: value });
        await systemTurns.rest();
      }
      await rows
        .insertInto('audit')
        .values(entries.map((entry) => ({ sequence: entry.sequence, entry_json: toJson(entry) })))
        .execute();
      heads.set(generation, { sequence, hash });
      if (Math.floor(sequence / deletedAtOnce) > Math.floor(newest.sequence / deletedAtOnce))
        await rows
          .deleteFrom('audit')
          .where('sequence', '<=', sequence - keep)
          .execute();
    },
  };
}

async function newestEntry(rows: Rows): Promise<Head> {
  const found = await rows
    .selectFrom('audit')
    .select('entry_json')
    .where('sequence', '=', (entries) =>
      entries.selectFrom('audit').select((entry) => entry.fn.max('sequence').as('newest')),
    )
    .executeTakeFirst();
  return found === undefined ? { sequence: 0, hash: beforeFirst } : fromJson(found.entry_json);
}

/** The entries after number `after`, oldest first, at most `limit`. @throws SealsumError store_unavailable, log_broken */
export function readAuditLog(database: Database, after: number, limit: number): Promise<readonly AuditEntry[]> {
  return database.read(async ({ rows }) => (await readPage(rows, after, limit)).map(entryOf));
}

/** All entries of a log, oldest first, read in pages. @throws SealsumError store_unavailable, log_broken */
export async function* auditEntries(rows: Rows): AsyncGenerator<AuditEntry> {
  for (let after = 0; ; ) {
    const page = await readPage(rows, after, entriesAtATime);
    for (const row of page) yield entryOf(row);
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.sequence;
  }
}

/** How many entries there are. @throws SealsumError store_unavailable */
export async function countAuditEntries(rows: Rows): Promise<number> {
  const { entries } = await rows
    .selectFrom('audit')
    .select(({ fn }) => fn.countAll().as('entries'))
    .executeTakeFirstOrThrow();
  return Number(entries);
}

type Rows = Session['rows'];
type Row = Selectable<AuditTable>;

function readPage(rows: Rows, after: number, limit: number): Promise<Row[]> {
  return rows.selectFrom('audit').selectAll().where('sequence', '>', after).orderBy('sequence').limit(limit).execute();
}

/** Whoever can write to the store can have written anything in here. */
function entryOf({ sequence, entry_json }: Row): AuditEntry {
  let entry: AuditEntry | undefined;
  try {
    entry = fromJson(entry_json);
  } catch {
    entry = undefined;
  }
  if (entry?.sequence !== sequence)
    throw new SealsumError(
      'log_broken',
      `the audit log: what stands in place of entry ${sequence} is not entry ${sequence}`,
    );
  return entry;
}
