/** Where the parties of a consortium keep their state: in files, or in schemas of a PostgreSQL database. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { PartyId } from '../../src/protocol/identifiers.ts';
import { inPostgres, postgresUrl } from '../storage/places.ts';

export interface Stores extends AsyncDisposable {
  /** What a party's configuration calls `store`. */
  locationOf(party: PartyId): string;
}

export interface StoreKind {
  readonly name: string;
  /** @param folder of the consortium, which goes with its test */
  create(folder: string): Stores;
}

export const sqlite: StoreKind = {
  name: 'SQLite',
  create: (folder) => ({
    locationOf: (party) => join(folder, `${party}.sqlite`),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }),
};

export const postgres: StoreKind = {
  name: 'PostgreSQL',
  create: () => {
    const run = `crash_${randomBytes(6).toString('hex')}`;
    const schemas = new Set<string>();
    return {
      locationOf: (party) => {
        const schema = `${run}_${party.replaceAll('-', '_')}`;
        schemas.add(schema);
        const url = new URL(postgresUrl);
        url.searchParams.set('schema', schema);
        return url.href;
      },
      [Symbol.asyncDispose]: async () => {
        for (const schema of schemas) await inPostgres(`drop schema if exists ${schema} cascade`);
      },
    };
  },
};

/** Why there is no PostgreSQL to test with, or undefined. */
export const postgresTrouble: string | undefined = await inPostgres('select 1').then(
  () => undefined,
  (error: unknown) => `no PostgreSQL answers (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
);
