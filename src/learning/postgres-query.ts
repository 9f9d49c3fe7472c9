/**
 * A query of a PostgreSQL database as the same rows of strings that a data file gives, so that what declares a column decides what its
 * cells mean, not the database.
 *
 * One SELECT, in a transaction that cannot write, through a cursor that is asked for so many rows at a time. What the server says of a
 * value is not repeated, since it may be a record's; neither is the password.
 */
import { Socket } from 'node:net';
import pg from 'pg';
import { SealsumError } from '../errors.ts';
import type { Table } from './table.ts';

export interface PostgresQuery {
  /** How errors call it: the data set's name. */
  readonly name: string;
  /** `postgres://user@host:port/database`, perhaps with a password and `sslmode`. */
  readonly url: string;
  /** Goes before the one of the URL; without any the driver looks at PGPASSWORD and .pgpass. */
  readonly password?: string | undefined;
  /** A SELECT, VALUES or WITH … SELECT. */
  readonly query: string;
  /** How long all of it may take. */
  readonly timeoutSeconds: number;
}

/** What a query gives while its transaction lasts. */
export interface QueryRows {
  readonly names: readonly string[];
  /** Rows as they come; each has a text for every name, empty for null. */
  readonly portions: AsyncIterable<readonly (readonly string[])[]>;
}

const rowsAtOnce = 1000;
const beforeQuery = 'declare sealsum_rows no scroll cursor without hold for ';
const connectTimeout = 10_000;
/** Milliseconds after which a server sees that nobody waits for it any more, where it can. */
const checkInterval = 5000;

/** Where a query goes, without the password. */
export function databaseName(url: string): string {
  const { protocol, username, host, pathname } = new URL(url);
  return `${protocol}//${username === '' ? '' : `${username}@`}${host}${pathname}`;
}

/**
 * Runs a query and gives its rows to `use`.
 *
 * @throws SealsumError data_invalid: the query is wrong, would write, takes too long, is not allowed, gives no column, two of one name, or one
 *   that holds no single values (then named); store_unavailable for what passes: the database does not answer, or has closed the line;
 *   aborted; and what `use` throws
 */
export async function withQuery<T>(
  source: PostgresQuery,
  signal: AbortSignal,
  use: (rows: QueryRows) => Promise<T>,
): Promise<T> {
  if (signal.aborted) throw aborted(source);
  const started = performance.now();
  const limit = AbortSignal.timeout(1000 * source.timeoutSeconds);
  const line = new Socket();
  const client = openClient(source, line);
  // A line that breaks is told by the query that waits.
  client.on('error', () => undefined);
  const until = AbortSignal.any([signal, limit]);
  // A server that says nothing any more would never let go.
  const leave = (): void => {
    line.destroy();
  };
  until.addEventListener('abort', leave, { once: true });
  try {
    await client.connect();
    await client.query(opening(source));
    // The extended protocol takes one statement: nothing can follow it and end the transaction.
    await client.query({ text: `${beforeQuery}${source.query}`, queryMode: 'extended' } as pg.QueryConfig);
    const first = await fetchRows(client);
    const readers = await readersOf(client, source, first.fields);
    return await use({
      names: first.fields.map(({ name }) => name.trim()),
      portions: portionsOf(client, first.rows, readers),
    });
  } catch (error) {
    const isLate = limit.aborted || performance.now() - started >= 1000 * source.timeoutSeconds;
    throw explained(source, error, signal, isLate);
  } finally {
    await client.end().catch(() => undefined);
    until.removeEventListener('abort', leave);
  }
}

/** @throws SealsumError data_invalid when the driver does not take the URL, such as for a certificate that is not there */
function openClient(source: PostgresQuery, line: Socket): pg.Client {
  const { url, password, name } = source;
  try {
    return new pg.Client({
      connectionString: url,
      ...(password === undefined ? {} : { password }),
      application_name: `sealsum data set ${name}`.slice(0, 63),
      connectionTimeoutMillis: connectTimeout,
      keepAlive: true,
      types: { getTypeParser: () => (text: string) => text },
      stream: () => line,
    });
  } catch (error) {
    const file = error instanceof Error && 'path' in error ? ` (${String(error.path)} cannot be read)` : '';
    throw refusal(source, `the address of the database ${databaseName(url)} cannot be used${file}`);
  }
}

/** All rows at once. @throws SealsumError as withQuery() */
export async function readQuery(source: PostgresQuery, signal: AbortSignal): Promise<Table> {
  return await withQuery(source, signal, async ({ names, portions }) => {
    const rows: (readonly string[])[] = [];
    for await (const portion of portions) for (const row of portion) rows.push(row);
    if (rows.length === 0) throw refusal(source, 'the query gives no row');
    return {
      header: names,
      headerLine: undefined,
      width: names.length,
      delimiter: undefined,
      rows,
      lines: rows.map((_, index) => index + 1),
      place: 'row',
    };
  });
}

/** Times are written in one zone and style, whatever the server's settings; numbers so that they are read as the same doubles. */
function opening({ timeoutSeconds }: PostgresQuery): string {
  return [
    'begin isolation level repeatable read read only',
    `set local statement_timeout to ${1000 * timeoutSeconds}`,
    `set local idle_in_transaction_session_timeout to ${1000 * timeoutSeconds}`,
    "set local timezone to 'UTC'",
    "set local datestyle to 'ISO'",
    'set local extra_float_digits to 1',
    // An older server has no such setting, and one on Windows does not take it.
    `do $$ begin set local client_connection_check_interval to ${checkInterval}; exception when others then null; end $$`,
  ].join('; ');
}

async function fetchRows(client: pg.Client): Promise<pg.QueryArrayResult<(string | null)[]>> {
  return await client.query<(string | null)[]>({
    text: `fetch forward ${rowsAtOnce} from sealsum_rows`,
    rowMode: 'array',
  });
}

async function* portionsOf(
  client: pg.Client,
  first: readonly (readonly (string | null)[])[],
  readers: readonly ((text: string) => string)[],
): AsyncGenerator<readonly (readonly string[])[]> {
  for (let rows = first; rows.length > 0; rows = (await fetchRows(client)).rows) {
    yield rows.map((row) => row.map((cell, column) => (cell === null ? '' : (readers[column]?.(cell) ?? cell)).trim()));
    if (rows.length < rowsAtOnce) return;
  }
}

const asItIs = (text: string): string => text;
const { builtins } = pg.types;

/** By type: what a cell of it becomes. */
const knownTypes: ReadonlyMap<number, (text: string) => string> = new Map([
  ...[builtins.INT2, builtins.INT4, builtins.INT8, builtins.FLOAT4, builtins.FLOAT8, builtins.NUMERIC].map(
    (type) => [type, asItIs] as const,
  ),
  ...[builtins.TEXT, builtins.VARCHAR, builtins.BPCHAR, builtins.CHAR, builtins.UUID, builtins.DATE, builtins.TIME].map(
    (type) => [type, asItIs] as const,
  ),
  [builtins.BOOL, (text: string) => (text === 't' ? 'true' : 'false')],
  [builtins.TIMESTAMP, (text: string) => text.replace(' ', 'T')],
  [builtins.TIMESTAMPTZ, (text: string) => text.replace(' ', 'T').replace(/\+00$/, 'Z')],
]);

/** Of a server's other types, enumerations (E) and what is a text of some kind (S) are texts. */
async function readersOf(
  client: pg.Client,
  source: PostgresQuery,
  fields: readonly pg.FieldDef[],
): Promise<((text: string) => string)[]> {
  const names = fields.map(({ name }) => name.trim());
  if (names.length === 0) throw refusal(source, 'the query gives no column');
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw refusal(source, `the query gives two columns ${twice}; name them apart with AS`);
  const others = fields.map(({ dataTypeID }) => dataTypeID).filter((type) => !knownTypes.has(type));
  const categories = new Map<number, { readonly name: string; readonly category: string }>();
  if (others.length > 0) {
    const { rows } = await client.query<{ oid: string; name: string; category: string }>(
      'select oid, format_type(oid, null) as name, typcategory as category from pg_type where oid = any ($1)',
      [others],
    );
    for (const { oid, name, category } of rows) categories.set(Number(oid), { name, category });
  }
  return fields.map(({ name, dataTypeID }) => {
    const known = knownTypes.get(dataTypeID);
    if (known !== undefined) return known;
    const { category, name: type } = categories.get(dataTypeID) ?? { category: '', name: 'of a type without a name' };
    if (category === 'E' || category === 'S') return asItIs;
    throw refusal(
      source,
      `${name}: the column is ${type}; expected numbers, texts, truths, dates or times: leave it out, or cast it in the query`,
    );
  });
}

function refusal({ name }: PostgresQuery, why: string, cause?: unknown): SealsumError {
  return new SealsumError('data_invalid', `data set ${name}: ${why}`, cause === undefined ? {} : { cause });
}

function aborted({ name }: PostgresQuery): SealsumError {
  return new SealsumError('aborted', `data set ${name}: reading it was aborted`);
}

/** SQLSTATE classes and codes that say nothing of the query: the server stops, has no room, or gives way to another. */
const passing = /^(?:08|40|53|57P|58|XX)/;

/** The server's error is not kept as a cause: it quotes values, and the driver's own holds the connection's settings. */
function explained(source: PostgresQuery, error: unknown, signal: AbortSignal, isLate: boolean): unknown {
  if (error instanceof SealsumError) return error;
  if (signal.aborted) return aborted(source);
  const { timeoutSeconds } = source;
  const late = `the query takes longer than ${timeoutSeconds} s; raise timeout_seconds, or have the database do less`;
  if (isLate) return refusal(source, late);
  const where = databaseName(source.url);
  const unavailable = (why: string): SealsumError =>
    new SealsumError('store_unavailable', `data set ${source.name}: the database ${where} does not answer (${why})`);
  if (!(error instanceof Error)) return error;
  if (!(error instanceof pg.DatabaseError)) {
    const code = 'code' in error ? String(error.code) : undefined;
    // What `use` throws of the file system is its own.
    if ('syscall' in error && 'path' in error) return error;
    return unavailable(code ?? error.message);
  }
  const { code = '', message } = error;
  // Before its time somebody at the server has cancelled it.
  if (code === '57014') return unavailable(code);
  if (passing.test(code)) return unavailable(code);
  if (code.startsWith('28')) return refusal(source, `the database ${where} refuses the user or the password`);
  if (code === '3D000') return refusal(source, `there is no database ${where}`);
  if (code === '25006') return refusal(source, 'the query would write, and a data set is only read');
  if (code === '42501') return refusal(source, `the user has no right to what the query reads: ${message}`);
  // These are about the query as it is written, before any row is looked at.
  if (code.startsWith('42') || code === '0A000') {
    const at = error.position === undefined ? '' : ` (at character ${positionIn(source, error.position)})`;
    return refusal(source, `the query is wrong: ${message}${at}; expected one SELECT`);
  }
  return refusal(source, `the query fails (SQLSTATE ${code}), such as on a value that it cannot convert`);
}

/** In the query as its owner wrote it, counted from 1. */
function positionIn({ query }: PostgresQuery, position: string): number {
  return Math.min(query.length + 1, Math.max(1, Number(position) - beforeQuery.length));
}
