/**
 * The databases that a store can be in: every test of a store runs on all of them. PostgreSQL is the one that answers at
 * SEALSUM_TEST_POSTGRES, or else on this machine; where none does, its tests are skipped by name.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Test } from 'uvu';
import type { Role } from '../../src/protocol/identity.ts';
import { type Database, type DatabaseOptions, openDatabase } from '../../src/storage/database.ts';

/** Where one test has its store. */
export interface Place extends AsyncDisposable {
  readonly location: string;
  /** In memory a store ends with its process, and each opening makes another one. */
  readonly outlivesProcess: boolean;
  /** Undefined for PostgreSQL and memory. */
  readonly file: string | undefined;
  open(role: Role, options?: Omit<DatabaseOptions, 'role'>): Promise<Database>;
}

export interface Kind {
  readonly name: string;
  create(): Promise<Place>;
}

export const postgresUrl: string = process.env.SEALSUM_TEST_POSTGRES ?? 'postgres://postgres@127.0.0.1:5432/test';

/** Runs one statement in the test database. */
export async function inPostgres(text: string, values: readonly unknown[] = []): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: postgresUrl, connectionTimeoutMillis: 5000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await client.query(text, [...values]);
  } finally {
    await client.end();
  }
}

const postgresTrouble: string | undefined = await inPostgres('select 1').then(
  () => undefined,
  (error: unknown) => `no PostgreSQL answers (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
);

let schemas = 0;

function place(location: string, more: Pick<Place, 'outlivesProcess' | 'file'>, remove: () => Promise<void>): Place {
  return {
    location,
    ...more,
    open: (role, options = {}) => openDatabase(location, { role, ...options }),
    [Symbol.asyncDispose]: remove,
  };
}

const memory: Kind = {
  name: 'SQLite in memory',
  create: () =>
    Promise.resolve(place(':memory:', { outlivesProcess: false, file: undefined }, () => Promise.resolve())),
};

export const inFile: Kind = {
  name: 'SQLite in a file',
  create: () => {
    const folder = mkdtempSync(join(tmpdir(), 'sealsum-store-'));
    const file = join(folder, 'store.sqlite');
    const remove = (): Promise<void> => {
      rmSync(folder, { recursive: true, force: true });
      return Promise.resolve();
    };
    return Promise.resolve(place(file, { outlivesProcess: true, file }, remove));
  },
};

export const postgres: Kind = {
  name: 'PostgreSQL',
  create: () => {
    schemas += 1;
    const schema = `test_${process.pid}_${schemas}`;
    const url = new URL(postgresUrl);
    url.searchParams.set('schema', schema);
    return Promise.resolve(
      place(url.href, { outlivesProcess: true, file: undefined }, async () => {
        await inPostgres(`drop schema if exists ${schema} cascade`);
      }),
    );
  },
};

/** Registers a test once for every kind of database. */
export function onEach(
  test: Test,
  suite: string,
  name: string,
  body: (place: Place, kind: Kind) => Promise<void>,
  kinds: readonly Kind[] = [memory, inFile, postgres],
): void {
  for (const kind of kinds) {
    const full = `${name} (${kind.name})`;
    const run = async (): Promise<void> => {
      await using where = await kind.create();
      await body(where, kind);
    };
    if (kind !== postgres || postgresTrouble === undefined) test(full, run);
    else {
      console.log(`skipped: ${suite}: ${full}: ${postgresTrouble}`);
      test.skip(full, run);
    }
  }
}

/** Those whose stores outlive a process. */
export const lasting: readonly Kind[] = [inFile, postgres];
