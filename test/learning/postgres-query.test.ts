/** Queries of a real PostgreSQL as tables: types, portions, and everything that may go wrong with them. */
import assert from 'node:assert/strict';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import { databaseName, type PostgresQuery, withQuery } from '../../src/learning/postgres-query.ts';
import { inPostgres, onEach, postgres, postgresUrl } from '../storage/places.ts';

const test = suite('queries of PostgreSQL');
const never = new AbortController().signal;

interface Stage {
  /** A schema of this test. */
  readonly schema: string;
  readonly of: (query: string, changes?: Partial<PostgresQuery>) => PostgresQuery;
}

function onPostgres(name: string, body: (stage: Stage) => Promise<void>): void {
  onEach(
    test,
    'queries of PostgreSQL',
    name,
    async ({ location }) => {
      const schema = new URL(location).searchParams.get('schema') ?? '';
      await inPostgres(`create schema ${schema}`);
      const of: Stage['of'] = (query, changes = {}) => ({
        name: 'ward',
        url: postgresUrl,
        query,
        timeoutSeconds: 30,
        ...changes,
      });
      await body({ schema, of });
    },
    [postgres],
  );
}

async function read(source: PostgresQuery, signal = never): Promise<{ names: readonly string[]; rows: string[][] }> {
  return await withQuery(source, signal, async ({ names, portions }) => {
    const rows: string[][] = [];
    for await (const portion of portions) for (const row of portion) rows.push([...row]);
    return { names, rows };
  });
}

async function refusal(source: PostgresQuery, signal = never): Promise<SealsumError> {
  const error: unknown = await read(source, signal).then(
    () => 'nothing was refused',
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof SealsumError, String(error));
  return error;
}

onPostgres('every type of column becomes the text that a data file would have', async ({ schema, of }) => {
  await inPostgres(`create type ${schema}.kind as enum ('a', 'b')`);
  const { names, rows } = await read(
    of(`select 1::int2 as i2, -2 as i4, 9007199254740993 as i8, 0.1::float8 as f8, 1e300::float8 as big, 1.5::float4 as f4,
      1.50::numeric as n, true as yes, false as no, ' x ' as t, 'y'::varchar as v, 'z'::char(3) as c,
      'b'::${schema}.kind as e, date '2020-02-29' as d, timestamp '2020-01-02 03:04:05.678' as ts,
      timestamptz '2020-01-02 03:04:05+02' as tz, time '03:04' as tm,
      'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid as u, null::int as missing;`),
  );
  assert.deepEqual(Object.fromEntries(names.map((name, column) => [name, rows[0]?.[column]])), {
    i2: '1',
    i4: '-2',
    i8: '9007199254740993',
    f8: '0.1',
    big: '1e+300',
    f4: '1.5',
    n: '1.50',
    yes: 'true',
    no: 'false',
    t: 'x',
    v: 'y',
    c: 'z',
    e: 'b',
    d: '2020-02-29',
    ts: '2020-01-02T03:04:05.678',
    tz: '2020-01-02T01:04:05Z',
    tm: '03:04:00',
    u: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    missing: '',
  });
});

onPostgres('rows come in portions, all of them and in their order', async ({ of }) => {
  for (const count of [0, 1, 999, 1000, 1001, 2500]) {
    const { names, rows } = await read(of(`select n from generate_series(1, ${count}) as n -- to the end`));
    assert.deepEqual(names, ['n']);
    assert.deepEqual(
      rows,
      Array.from({ length: count }, (_, index) => [String(index + 1)]),
    );
  }
});

onPostgres('a table of any size takes the memory of a portion', async ({ of }) => {
  let [greatest, count] = [0, 0];
  await withQuery(of("select repeat('x', 100) from generate_series(1, 100000)"), never, async ({ portions }) => {
    for await (const portion of portions) {
      greatest = Math.max(greatest, portion.length);
      count += portion.length;
    }
  });
  assert.deepEqual([greatest, count], [1000, 100_000]);
});

onPostgres('nothing is written, whatever the query says', async ({ schema, of }) => {
  await inPostgres(`create table ${schema}.notes (n int)`);
  await inPostgres(`create sequence ${schema}.counter`);
  await inPostgres(`create function ${schema}.note() returns int language sql volatile as
    'insert into ${schema}.notes values (1) returning n'`);
  const cases: [query: string, message: RegExp][] = [
    [`insert into ${schema}.notes values (1) returning n`, /expected one SELECT/],
    [`with new as (insert into ${schema}.notes values (1) returning n) select * from new`, /expected one SELECT/],
    [`select 1; commit; insert into ${schema}.notes values (1)`, /expected one SELECT/],
    [`select ${schema}.note()`, /would write/],
    [`select nextval('${schema}.counter')`, /would write/],
    [`select n from ${schema}.notes for update`, /would write/],
    ["select set_config('transaction_read_only', 'off', true)", /the query fails|the query is wrong/],
    [`drop table ${schema}.notes`, /expected one SELECT/],
  ];
  for (const [query, message] of cases) {
    const { code, message: said } = await refusal(of(query));
    assert.equal(code, 'data_invalid', query);
    assert.match(said, message, query);
    assert.match(said, /^data set ward: /);
  }
  assert.equal((await inPostgres(`select * from ${schema}.notes`)).rowCount, 0);
  assert.deepEqual((await inPostgres(`select is_called from ${schema}.counter`)).rows, [{ is_called: false }]);
});

onPostgres('what is wrong with a query or a column is said, and no value with it', async ({ schema, of }) => {
  await inPostgres(`create table ${schema}.stays (age text, tags int[])`);
  await inPostgres(`insert into ${schema}.stays values ('secret', '{1}')`);
  const cases: [query: string, message: RegExp][] = [
    [
      `select agee from ${schema}.stays`,
      /the query is wrong: column "agee" does not exist \(at character 8\); expected one SELECT$/,
    ],
    ['selec 1', /the query is wrong: syntax error at or near "selec" \(at character 1\)/],
    ['select * from no_such_table', /relation "no_such_table" does not exist/],
    [`select age::int from ${schema}.stays`, /the query fails \(SQLSTATE 22P02\)/],
    [`select 1 / length('') from ${schema}.stays`, /the query fails \(SQLSTATE 22012\)/],
    [`select tags from ${schema}.stays`, /tags: the column is integer\[\]; expected numbers, texts/],
    ["select '{}'::json as j", /j: the column is json;/],
    [`select s from ${schema}.stays s`, /s: the column is \S*stays;/],
    ["select '1 day'::interval as i, 1 as n", /i: the column is interval/],
    ['select 1 as x, 2 as x', /two columns x/],
    [`select from ${schema}.stays`, /gives no column/],
  ];
  for (const [query, message] of cases) {
    const error = await refusal(of(query));
    assert.equal(error.code, 'data_invalid', query);
    assert.match(error.message, message);
    assert.doesNotMatch(`${error.message}${String(error.cause)}`, /secret/);
    assert.equal(error.field, undefined);
  }
});

onPostgres('a query that takes too long ends here and at the server', async ({ of }) => {
  const started = Date.now();
  const error = await refusal(of("select pg_sleep(60), 'too long for us'", { timeoutSeconds: 1 }));
  assert.equal(error.code, 'data_invalid');
  assert.match(error.message, /takes longer than 1 s; raise timeout_seconds/);
  assert.ok(Date.now() - started < 30_000);
  const { rowCount } = await inPostgres(
    "select 1 from pg_stat_activity where query like '%too long for us%' and pid <> pg_backend_pid() and state = 'active' and query_start < now() - interval '20 s'",
  );
  assert.equal(rowCount, 0);
  // One that is slow as a whole, though no portion is.
  const slow = of('select n from generate_series(1, 100000) as n where pg_sleep(0.001) is not null', {
    timeoutSeconds: 1,
  });
  assert.match((await refusal(slow)).message, /takes longer than 1 s/);
});

onPostgres('reading ends when it is told to, at any time', async ({ of }) => {
  assert.equal((await refusal(of('select 1'), AbortSignal.abort())).code, 'aborted');
  const stop = new AbortController();
  setTimeout(() => {
    stop.abort();
  }, 200);
  assert.equal((await refusal(of('select pg_sleep(60)'), stop.signal)).code, 'aborted');
});

onPostgres(
  'a line that is cut, a server that is not there and one that stops are matters of the moment',
  async ({ of }) => {
    const cut = refusal(of('select pg_sleep(60)', { name: 'cut' }));
    for (let ended = 0; ended === 0; ) {
      const { rowCount } = await inPostgres(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sealsum data set cut' and wait_event = 'PgSleep'",
      );
      ended = rowCount ?? 0;
    }
    const terminated = await cut;
    assert.equal(terminated.code, 'store_unavailable');
    assert.match(terminated.message, /^data set cut: the database postgres:\/\/\S+ does not answer \(57P01\)$/);

    // A line that breaks without a word, once the server has said hello or before it.
    for (const silent of [true, false]) {
      await using proxy = await brokenProxy(silent);
      const url = new URL(postgresUrl);
      url.hostname = '127.0.0.1';
      url.port = String(proxy.port);
      url.password = 'secret';
      const broken = await refusal(of('select pg_sleep(1)', { url: url.href }));
      assert.equal(broken.code, 'store_unavailable');
      assert.doesNotMatch(`${broken.message}${String(broken.cause)}`, /secret/);
    }
    const nobody = await refusal(of('select 1', { url: 'postgres://reader:secret@127.0.0.1:1/ward' }));
    assert.equal(nobody.code, 'store_unavailable');
    assert.match(nobody.message, /postgres:\/\/reader@127\.0\.0\.1:1\/ward does not answer \(ECONNREFUSED\)/);
  },
);

onPostgres(
  'a user without rights or with another password, and a database that is not there, are said',
  async ({ schema, of }) => {
    const role = `${schema}_reader`;
    await inPostgres(`create role ${role} login password 'right'`);
    try {
      await inPostgres(`create table ${schema}.stays (age int)`);
      const url = new URL(postgresUrl);
      url.username = role;
      url.password = 'secret';
      const denied = await refusal(of(`select age from ${schema}.stays`, { url: url.href }));
      assert.equal(denied.code, 'data_invalid');
      assert.match(denied.message, /has no right to what the query reads: permission denied/);
      await inPostgres(`grant usage on schema ${schema} to ${role}; grant select on ${schema}.stays to ${role}`);
      assert.deepEqual((await read(of(`select age from ${schema}.stays`, { url: url.href }))).names, ['age']);
      url.pathname = '/no_such_database';
      assert.match(
        (await refusal(of('select 1', { url: url.href }))).message,
        /there is no database postgres:\/\/\S+$/,
      );
      url.username = 'nobody_at_all';
      const unknown = await refusal(of('select 1', { url: url.href }));
      assert.match(unknown.message, /there is no database|refuses the user or the password/);
      assert.doesNotMatch(unknown.message, /secret/);
    } finally {
      await inPostgres(`drop schema ${schema} cascade; drop role ${role}`);
    }
  },
);

onPostgres('a server that falls silent keeps nobody, whenever it does', async ({ of }) => {
  // Before it has said hello, until the signal; behind the last row, when it would have said goodbye, until the time is up.
  await using mute = await proxyThat('accepts');
  const stop = new AbortController();
  const greeting = refusal(of('select 1', { url: mute.url, timeoutSeconds: 600 }), stop.signal);
  await mute.reached;
  stop.abort();
  assert.equal((await within(5000, greeting)).code, 'aborted');

  await using freezing = await proxyThat('passes on');
  const rows = withQuery(of('select 1 as x', { url: freezing.url, timeoutSeconds: 2 }), never, async ({ portions }) => {
    let count = 0;
    for await (const portion of portions) count += portion.length;
    freezing.freeze();
    return count;
  });
  assert.equal(await within(10_000, rows), 1);
});

onPostgres('a query that somebody at the server cancels is a matter of the moment', async ({ of }) => {
  const cancelled = refusal(of('select pg_sleep(60)', { name: 'unwanted' }));
  for (let ended = 0; ended === 0; ) {
    const { rowCount } = await inPostgres(
      "select pg_cancel_backend(pid) from pg_stat_activity where application_name = 'sealsum data set unwanted' and wait_event = 'PgSleep'",
    );
    ended = rowCount ?? 0;
  }
  const { code, message } = await cancelled;
  assert.equal(code, 'store_unavailable');
  assert.match(message, /does not answer \(57014\)$/);
});

onPostgres('the server looks whether anybody still waits', async ({ of }) => {
  const { rows } = await read(of("select current_setting('client_connection_check_interval', true) as interval"));
  // Undefined at a server before version 14.
  assert.ok(['5s', ''].includes(rows[0]?.[0] ?? '-'), String(rows[0]));
});

test('an address with a certificate that is not there is refused, and says no password', async () => {
  const url = 'postgres://reader:secret@127.0.0.1/ward?sslmode=verify-full&sslrootcert=/no/such/file';
  const error = await refusal({ name: 'ward', url, query: 'select 1', timeoutSeconds: 5 });
  assert.equal(error.code, 'data_invalid');
  assert.match(
    error.message,
    /postgres:\/\/reader@127\.0\.0\.1\/ward cannot be used \(\/no\/such\/file cannot be read\)/,
  );
});

test('a database is called without its password', () => {
  assert.equal(
    databaseName('postgres://a:secret@db.example.org:5433/ward?sslmode=require'),
    'postgres://a@db.example.org:5433/ward',
  );
  assert.equal(databaseName('postgresql://db/ward'), 'postgresql://db/ward');
});

/** What comes, unless it takes so long that it would never. */
async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  const clock = new AbortController();
  const late = pause(milliseconds, undefined, { signal: clock.signal }).then(() =>
    assert.fail(`nothing came within ${milliseconds} ms`),
  );
  late.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    clock.abort();
  }
}

interface Proxy extends AsyncDisposable {
  readonly url: string;
  /** Resolves when somebody has connected. */
  readonly reached: Promise<void>;
  /** Passes nothing on any more, and keeps every line. */
  freeze(): void;
}

async function proxyThat(does: 'accepts' | 'passes on'): Promise<Proxy> {
  const { hostname, port } = new URL(postgresUrl);
  const sockets = new Set<Socket>();
  let reach: () => void = () => undefined;
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const lines = [socket];
    if (does === 'passes on') {
      const behind = connect(Number(port === '' ? 5432 : port), hostname);
      socket.pipe(behind).pipe(socket);
      lines.push(behind);
    }
    for (const each of lines) sockets.add(each.on('error', () => undefined));
    reach();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(postgresUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    reached,
    freeze: () => {
      for (const each of sockets) each.unpipe().pause();
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        for (const each of sockets) each.destroy();
        server.close(() => {
          resolve();
        });
      }),
  };
}

/** Passes everything on to PostgreSQL until the server has answered, then breaks; or breaks at once. */
async function brokenProxy(silent: boolean): Promise<AsyncDisposable & { readonly port: number }> {
  const { hostname, port } = new URL(postgresUrl);
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    if (silent) {
      socket.destroy();
      return;
    }
    const behind = connect(Number(port === '' ? 5432 : port), hostname);
    behind.on('error', () => undefined);
    socket.pipe(behind).pipe(socket);
    setTimeout(() => {
      socket.destroy();
      behind.destroy();
    }, 300);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => {
          resolve();
        });
      }),
  };
}

test.run();
