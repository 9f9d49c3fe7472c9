/** Looking into a store beside the process that writes to it: everything as it was at one moment. */
import type SQLite from 'better-sqlite3';
import { CompiledQuery, type Kysely } from 'kysely';
import { SealsumError } from '../errors.ts';
import type { Role } from '../protocol/identity.ts';
import { unavailable } from './engine.ts';
import { parseLocation } from './location.ts';
import { migrations } from './migrations.ts';
import { openPostgresForReading, postgresTables } from './postgres-engine.ts';
import { openSqliteForReading, queriesOf, sqliteTables } from './sqlite-engine.ts';
import type { Tables } from './tables.ts';

/** A store at one moment. */
export interface Snapshot {
  readonly role: Role;
  readonly version: number;
  /** How errors call the store. */
  readonly name: string;
  readonly rows: Kysely<Tables>;
  /** The connection below, where the store is a SQLite file. */
  readonly sqlite: SQLite.Database | undefined;
}

/**
 * What `work` makes of a store. Whoever writes to it is not kept from it.
 *
 * @param location as of openDatabase; not `:memory:`
 * @throws SealsumError config_invalid; store_unavailable when it does not answer, is no store, or is newer than this program
 */
export async function readStore<T>(location: string, work: (snapshot: Snapshot) => Promise<T>): Promise<T> {
  const parsed = parseLocation(location);
  const { name } = parsed;
  switch (parsed.kind) {
    case 'memory':
      throw new SealsumError('config_invalid', 'store: what is in memory only its own process can read', {
        field: 'store',
      });
    case 'sqlite': {
      const sqlite = openSqliteForReading(parsed.path, name);
      const kysely = queriesOf(sqlite, name);
      try {
        return await kysely.connection().execute(async (rows) => {
          await rows.executeQuery(CompiledQuery.raw('begin'));
          return work({ ...(await described(rows, await sqliteTables(rows), name)), name, rows, sqlite });
        });
      } finally {
        await kysely.destroy();
        sqlite.close();
      }
    }
    case 'postgres': {
      const { kysely, close } = openPostgresForReading(parsed);
      try {
        return await kysely.connection().execute(async (rows) => {
          await rows.executeQuery(CompiledQuery.raw('begin isolation level repeatable read read only'));
          const known = await described(rows, await postgresTables(rows), name);
          const result = await work({ ...known, name, rows, sqlite: undefined });
          await rows.executeQuery(CompiledQuery.raw('commit'));
          return result;
        });
      } finally {
        await close();
      }
    }
  }
}

async function described(
  rows: Kysely<Tables>,
  tables: readonly string[],
  name: string,
): Promise<{ readonly role: Role; readonly version: number }> {
  if (!tables.includes('store')) throw unavailable(name, 'it is no store of sealsum; name another');
  const found = await rows.selectFrom('store').select(['role', 'version']).executeTakeFirst();
  if (found === undefined || found.version < 1) throw unavailable(name, 'it has no content yet');
  const newest = migrations[found.role].length;
  if (found.version > newest)
    throw unavailable(
      name,
      `it has version ${found.version} and this program knows up to ${newest}; use a newer program`,
    );
  return found;
}
