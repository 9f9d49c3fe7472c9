/**
 * A party's store: one database, one process that writes to it, and what is asked of it done one thing after the other, so that a
 * transaction is never mixed with anything else and a reader never sees half of one.
 */
import { CompiledQuery, type Kysely } from 'kysely';
import { SealsumError } from '../errors.ts';
import { type Checkpoint, noCheckpoint } from '../protocol/checkpoints.ts';
import type { Role } from '../protocol/identity.ts';
import { type Engine, unavailable } from './engine.ts';
import { type Location, parseLocation } from './location.ts';
import { type Migration, migrate, migrations, storeVersion } from './migrations.ts';
import { openPostgres } from './postgres-engine.ts';
import { openSqlite } from './sqlite-engine.ts';
import type { OpenLogFile } from './sqlite-log.ts';
import type { Tables } from './tables.ts';

/** The places at which a change can be cut off, in their order: before it begins, before it is committed, once it is. */
export const storeCheckpoints: readonly string[] = ['store.begin', 'store.written', 'store.committed'];

export interface DatabaseOptions {
  /** Of the party whose store it is. */
  readonly role: Role;
  /** Gives up opening. */
  readonly signal?: AbortSignal;
  /** Called with each of storeCheckpoints at every change. */
  readonly checkpoint?: Checkpoint;
  /** The steps to the newest shape; those of the role unless told. */
  readonly steps?: readonly Migration[];
  /** How a SQLite file's write-ahead log is opened to force it to the disk; by the file system unless told. */
  readonly openLog?: OpenLogFile;
}

/** What a transaction works with. */
export interface Session {
  readonly rows: Kysely<Tables>;
  /** As of the database. */
  readonly generation: Generation;
}

/** Stands for everything that is known of what is stored: another object after a change whose outcome is not known. */
export interface Generation {
  readonly since: number;
}

export interface Database extends AsyncDisposable {
  readonly role: Role;
  /** Where it is, without a password. */
  readonly name: string;
  /** What was remembered of the rows counts as long as this is the same object. */
  readonly generation: Generation;
  /** Reads what belongs together; nothing is written meanwhile. `work` awaits nothing but the rows, and rests of the event loop. */
  read<T>(work: (session: Session) => Promise<T>): Promise<T>;
  /**
   * Does everything in `work` or nothing. `work` awaits nothing but the rows, and rests of the event loop.
   *
   * @param options durable: false for what may be lost when the machine (not the process) dies before the next durable change
   */
  write<T>(work: (session: Session) => Promise<T>, options?: { readonly durable?: boolean }): Promise<T>;
  /** Gives back to the file system what deleted rows have left, in small pieces. */
  compact(): Promise<void>;
  /** Resolves when the store answers and may be written to. */
  ping(): Promise<void>;
  /** Waits for what is under way. */
  close(): Promise<void>;
}

/**
 * Opens a store, made new or brought to the newest version where it has to be.
 *
 * @param location the path of a SQLite file, `:memory:`, or `postgres://user:password@host:port/database[?schema=name]`; the
 *   schema is made if there is none
 * @throws SealsumError config_invalid; store_unavailable when it is in use, another role's, newer than this program or does not
 *   answer; aborted
 */
export async function openDatabase(location: string, options: DatabaseOptions): Promise<Database> {
  const { role, signal, checkpoint = noCheckpoint, steps = migrations[role], openLog } = options;
  const parsed = parseLocation(location);
  requireGoing(signal, parsed.name);
  const opening = openEngine(parsed, role, openLog).then(async (engine) => {
    try {
      const version = await engine.kysely
        .connection()
        .execute(async (rows) => storeVersion(rows, await engine.tables(rows), { role, steps }, engine.name));
      const database = createDatabase(engine, role, checkpoint);
      if (version < steps.length)
        await engine.kysely.connection().execute(async (rows) => {
          await inTransaction(engine, rows, true, () => migrate(rows, engine.kind, { role, steps }, version));
        });
      await engine.begun();
      return database;
    } catch (error) {
      await engine.close();
      throw error;
    }
  });
  return signal === undefined ? opening : unlessAborted(opening, signal, parsed.name);
}

function openEngine(location: Location, role: Role, openLog: OpenLogFile | undefined): Promise<Engine> {
  switch (location.kind) {
    case 'memory':
      return Promise.resolve(openSqlite(undefined, location.name));
    case 'sqlite':
      return Promise.resolve(openSqlite(location.path, location.name, openLog));
    case 'postgres':
      return openPostgres(location, role);
  }
}

function createDatabase(engine: Engine, role: Role, checkpoint: Checkpoint): Database {
  let generation: Generation = { since: 0 };
  let last: Promise<unknown> = Promise.resolve();
  let closing: Promise<void> | undefined;

  /** Runs `work` when everything asked for before is done. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (closing !== undefined) return Promise.reject(unavailable(engine.name, 'it has been closed'));
    const { outages } = engine;
    const result = last.then(() => {
      // Each would wait as long again for a server that has not answered the one before.
      if (engine.outages !== outages) throw unavailable(engine.name, 'the server did not answer');
      if (engine.lost !== undefined) throw engine.lost;
      return work();
    });
    last = result.catch(() => undefined);
    return result;
  }

  const database: Database = {
    role,
    name: engine.name,
    get generation() {
      return generation;
    },
    read: (work) => inTurn(() => engine.kysely.connection().execute((rows) => work({ rows, generation }))),
    write: (work, { durable = true } = {}) =>
      inTurn(async () => {
        checkpoint('store.begin');
        try {
          const result = await engine.kysely.connection().execute((rows) =>
            inTransaction(engine, rows, durable, async () => {
              const done = await work({ rows, generation });
              checkpoint('store.written');
              return done;
            }),
          );
          checkpoint('store.committed');
          return result;
        } catch (error) {
          generation = { since: generation.since + 1 };
          throw error;
        }
      }),
    compact: async () => {
      while (await inTurn(() => engine.compact()));
    },
    ping: () =>
      inTurn(async () => {
        await engine.requireLock();
        await engine.kysely.selectFrom('store').select('version').executeTakeFirstOrThrow();
      }),
    close: () => {
      closing ??= last.then(() => engine.close());
      return closing;
    },
    [Symbol.asyncDispose]: () => database.close(),
  };
  return database;
}

async function inTransaction<T>(
  engine: Engine,
  rows: Kysely<Tables>,
  durable: boolean,
  work: () => Promise<T>,
): Promise<T> {
  await engine.begin(rows, durable);
  try {
    const result = await work();
    await engine.commit(rows, durable);
    return result;
  } catch (error) {
    // The database may have rolled back by itself, or be gone: what went wrong first is what counts.
    await rows.executeQuery(CompiledQuery.raw('rollback')).catch(() => undefined);
    throw error;
  }
}

function requireGoing(signal: AbortSignal | undefined, name: string): void {
  if (signal?.aborted === true) throw new SealsumError('aborted', `${name}: opening was stopped`);
}

/** What `opening` resolves to; rejects at once when the signal aborts, and closes what is opened nevertheless. */
async function unlessAborted(opening: Promise<Database>, signal: AbortSignal, name: string): Promise<Database> {
  let stop: () => void = () => undefined;
  const stopped = new Promise<'stopped'>((resolve) => {
    stop = () => {
      resolve('stopped');
    };
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    const first = await Promise.race([opening, stopped]);
    if (first !== 'stopped') return first;
    opening.then(
      (database) => database.close(),
      () => undefined,
    );
    throw new SealsumError('aborted', `${name}: opening was stopped`);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
