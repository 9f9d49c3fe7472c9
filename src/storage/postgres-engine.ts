/**
 * A store in PostgreSQL: a schema of its own if asked, one connection that works, and a second one whose only purpose is to
 * hold the lock that makes this process the one that writes.
 *
 * The lock is an advisory one and ends with its connection. When that breaks it is taken again before the next change. Meanwhile
 * another process may have had it: every writer enters a name into the store, every transaction of this one makes sure that it
 * still is the writer, and one that is not any more changes nothing ever again.
 */
import { createHash } from 'node:crypto';
import { CompiledQuery, Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { SealsumError } from '../errors.ts';
import type { Role } from '../protocol/identity.ts';
import { contradiction, type Engine, unavailable } from './engine.ts';
import type { Location } from './location.ts';
import type { Tables } from './tables.ts';

/** Milliseconds: to connect, for a statement at the server, for its answer here, for the writer before to let go. */
const connectTimeout = 10_000;
const statementTimeout = 30_000;
const answerTimeout = 60_000;
const lockTimeout = 3000;

/** Statements that a connection has prepared at most: the fixed ones, not those that name a row after the other. */
const statementsPrepared = 256;
const parametersPrepared = 20;

/** SQLSTATE: a lock was not granted in time. */
const lockNotAvailable = '55P03';

type PostgresLocation = Extract<Location, { kind: 'postgres' }>;

export async function openPostgres(location: PostgresLocation, role: Role): Promise<Engine> {
  const { name } = location;
  const config = clientConfig(location, `sealsum ${role} ${location.schema ?? ''}`.trim());
  let outages = 0;
  const noteOutage = (): void => {
    outages += 1;
  };
  const lock = createWriterLock(config, location, noteOutage);
  await lock.require();
  const { kysely, close } = openQueries(config, location, noteOutage);
  let writer: string | undefined;

  function requireWriter(found: string | null | undefined): void {
    if (writer !== undefined && found !== writer)
      throw unavailable(name, 'another process has written to it since the connection broke; restart this one');
  }

  return {
    kind: 'postgres',
    name,
    kysely,
    get outages() {
      return outages;
    },
    // A server whose disk fails ends by itself.
    lost: undefined,
    tables: postgresTables,
    begun: async () => {
      const query = CompiledQuery.raw('update store set writer = gen_random_uuid()::text returning writer');
      writer = (await kysely.executeQuery<{ writer: string }>(query)).rows[0]?.writer;
    },
    begin: async (rows, durable) => {
      await lock.require();
      const statements = ['begin'];
      if (!durable) statements.push('set local synchronous_commit to off');
      // Sharing the row keeps the next writer waiting until this transaction is over.
      if (writer !== undefined) statements.push('select writer from store for share');
      const query = CompiledQuery.raw(statements.join('; '));
      const [found] = (await rows.executeQuery<{ writer: string | null }>(query)).rows;
      if (writer === undefined || found?.writer === writer) return;
      await rows.executeQuery(CompiledQuery.raw('rollback'));
      requireWriter(found?.writer);
    },
    commit: async (rows) => {
      await rows.executeQuery(CompiledQuery.raw('commit'));
    },
    requireLock: async () => {
      await lock.require();
      requireWriter((await kysely.selectFrom('store').select('writer').executeTakeFirst())?.writer);
    },
    // The server gives space back by itself.
    compact: () => Promise.resolve(false),
    close: async () => {
      await close();
      await lock.release();
    },
  };
}

/** Queries for one who only reads, beside a process that may be writing. @throws SealsumError store_unavailable */
export function openPostgresForReading(location: PostgresLocation): Queries {
  return openQueries(clientConfig(location, 'sealsum reader'), location, () => undefined);
}

export async function postgresTables(rows: Kysely<Tables>): Promise<readonly string[]> {
  const query = CompiledQuery.raw('select tablename from pg_tables where schemaname = current_schema()');
  return (await rows.executeQuery<{ tablename: string }>(query)).rows.map((row) => row.tablename);
}

interface Queries {
  readonly kysely: Kysely<Tables>;
  readonly close: () => Promise<void>;
}

/** Queries over one connection, which is made when it is first needed and again when it broke. */
function openQueries(config: pg.ClientConfig, { name, schema }: PostgresLocation, noteOutage: () => void): Queries {
  const pool = new pg.Pool({ ...config, max: 1, idleTimeoutMillis: 0 });
  // A connection that breaks while nobody uses it is replaced by the next who does.
  pool.on('error', () => undefined);
  const settings = ['set synchronous_commit to on'];
  if (schema !== undefined) settings.push(`set search_path to "${schema}"`);
  const kysely = new Kysely<Tables>({
    dialect: new PostgresDialect({
      pool: createExplainingPool(pool, name, noteOutage),
      onCreateConnection: async (connection) => {
        await connection.executeQuery(CompiledQuery.raw(settings.join('; ')));
      },
    }),
  });
  return {
    kysely,
    close: async () => {
      await kysely.destroy();
      // Kysely ends a pool only if it has used it.
      if (!pool.ended) await pool.end();
    },
  };
}

function clientConfig({ url }: PostgresLocation, applicationName: string): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: applicationName,
    connectionTimeoutMillis: connectTimeout,
    statement_timeout: statementTimeout,
    query_timeout: answerTimeout,
    idle_in_transaction_session_timeout: answerTimeout,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: { getTypeParser },
  };
}

function readInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new SealsumError('internal', 'the store holds an integer above 2^53');
  return value;
}

/** As the driver reads values, but for 64-bit integers, which it gives as text since one may be more than a number can say. */
function getTypeParser(
  ...[type, format]: Parameters<typeof pg.types.getTypeParser>
): ReturnType<typeof pg.types.getTypeParser> {
  return type === pg.types.builtins.INT8 && format !== 'binary' ? readInteger : pg.types.getTypeParser(type, format);
}

interface WriterLock {
  /** Resolves while the lock is held, after taking it again if it was lost. @throws SealsumError store_unavailable */
  require(): Promise<void>;
  release(): Promise<void>;
}

/** The lock of a schema, which is made if there is none. */
function createWriterLock(
  config: pg.ClientConfig,
  { name, schema }: PostgresLocation,
  noteOutage: () => void,
): WriterLock {
  // An advisory lock has a number and is the database's: the number stands for the schema.
  const key = createHash('sha256')
    .update(`sealsum store ${schema ?? ''}`)
    .digest()
    .readBigInt64BE()
    .toString();
  let holder: pg.Client | undefined;

  async function take(): Promise<pg.Client> {
    const client = new pg.Client(config);
    const lose = (): void => {
      if (holder === client) holder = undefined;
    };
    client.on('error', lose);
    client.on('end', lose);
    try {
      await client.connect();
      // The server notices within seconds when this machine is gone.
      await client.query(`set lock_timeout to ${lockTimeout}; set tcp_keepalives_idle to 5;
        set tcp_keepalives_interval to 5; set tcp_keepalives_count to 3`);
      await client.query('select pg_advisory_lock($1)', [key]);
      if (schema !== undefined) {
        const { rowCount } = await client.query('select 1 from pg_namespace where nspname = $1', [schema]);
        if (rowCount === 0) await client.query(`create schema "${schema}"`);
      }
      return client;
    } catch (error) {
      client.end().catch(() => undefined);
      const taken = error instanceof pg.DatabaseError && error.code === lockNotAvailable;
      if (taken || !isRefusal(error)) noteOutage();
      if (taken)
        throw unavailable(
          name,
          'another process has this store open; stop it, or give this one a schema of its own with ?schema=',
          error,
        );
      throw explained(name, error);
    }
  }

  return {
    require: async () => {
      holder ??= await take();
    },
    release: async () => {
      const client = holder;
      holder = undefined;
      await client?.end();
    },
  };
}

/** A pool whose errors are ours, and which lets go of a connection that has broken. */
function createExplainingPool(pool: pg.Pool, name: string, noteOutage: () => void): PostgresPool {
  const clients = new WeakMap<pg.PoolClient, PostgresPoolClient>();

  function explain(error: unknown): unknown {
    if (!isRefusal(error)) noteOutage();
    return explained(name, error);
  }

  function wrap(client: pg.PoolClient): PostgresPoolClient {
    const names = new Map<string, string>();
    let broken: unknown;

    /** The name under which this connection has a statement prepared, which takes half the time; none where it is not worth it. */
    function nameOf(text: string, parameters: readonly unknown[]): string | undefined {
      const known = names.get(text);
      if (known !== undefined) return known;
      if (parameters.length === 0 || parameters.length > parametersPrepared || names.size >= statementsPrepared)
        return undefined;
      const name = `s${names.size}`;
      names.set(text, name);
      return name;
    }

    const query = async (text: string, parameters: readonly unknown[]): Promise<unknown> => {
      // What is sent to a server that does not answer would wait for its answer, too.
      if (broken !== undefined) throw explained(name, broken);
      try {
        const prepared = nameOf(text, parameters);
        const values = [...parameters];
        const result: pg.QueryResult | pg.QueryResult[] = await client.query(
          prepared === undefined ? { text, values } : { name: prepared, text, values },
        );
        // Several statements at once: what the last one says.
        return Array.isArray(result) ? result.at(-1) : result;
      } catch (error) {
        if (!isRefusal(error)) broken = error;
        throw explain(error);
      }
    };
    return {
      query: query as PostgresPoolClient['query'],
      release: () => {
        client.release(broken !== undefined);
      },
    };
  }

  return {
    connect: async () => {
      const client = await pool.connect().catch((error: unknown) => {
        throw explain(error);
      });
      const known = clients.get(client) ?? wrap(client);
      clients.set(client, known);
      return known;
    },
    end: () => pool.end(),
  };
}

/** Whether the server refused a statement, and takes others. */
function isRefusal(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.severity === 'ERROR';
}

/** @returns a SealsumError without anything of the URL but what its name says */
function explained(name: string, error: unknown): SealsumError {
  if (error instanceof SealsumError) return error;
  if (!(error instanceof pg.DatabaseError)) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code ?? (error instanceof Error ? error.message : 'unknown');
    return unavailable(name, `the server does not answer (${why}); is it running, and is this its address?`, error);
  }
  const code = error.code ?? '';
  if (code.startsWith('23')) return contradiction(name, error);
  const reasons: readonly (readonly [code: string, reason: string])[] = [
    ['28', 'the server refuses the user or the password'],
    ['3D000', 'there is no such database; make it'],
    ['42501', 'the user has no right to do this; grant it, or make the schema beforehand'],
    ['53100', "the server's disk is full; free some space"],
    ['53300', 'the server has too many connections'],
    ['57014', `a statement took longer than ${statementTimeout / 1000} s`],
  ];
  const [, reason] = reasons.find(([prefix]) => code.startsWith(prefix)) ?? ['', `${error.message} (${code})`];
  return unavailable(name, reason, error);
}
