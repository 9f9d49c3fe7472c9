import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { suite } from 'uvu';
import { createConfig } from '../../src/config/config-file.ts';
import { configText } from '../../src/config/config-template.ts';
import { openPolicy } from '../../src/config/owner-policy.ts';
import { type ConfigOf, defaultLimits, defaultRetention, type PartyOptions } from '../../src/config/party-config.ts';
import { parseToml } from '../../src/config/toml-file.ts';
import { rational } from '../../src/privacy/rational.ts';
import { partyIdSchema } from '../../src/protocol/identifiers.ts';
import { type Role, roles } from '../../src/protocol/identity.ts';

const test = suite('config.toml');

const file = '/etc/sealsum/north/config.toml';

function configured<R extends Role>(role: R, text: string, options: PartyOptions = {}): ConfigOf<R> {
  return createConfig(role, parseToml(text, file), file, options);
}

function refused(role: Role, text: string, message: string | RegExp, field?: string, options: PartyOptions = {}): void {
  assert.throws(
    () => configured(role, text, options),
    (error: { code?: string; field?: string; message?: string }) => {
      assert.equal(error.code, 'config_invalid');
      if (typeof message === 'string') assert.equal(error.message, `${file}: ${message}`);
      else assert.match(error.message ?? '', message);
      if (field !== undefined) assert.equal(error.field, field);
      return true;
    },
  );
}

const owner = 'name = "north"\nrole = "data-owner"\ndata = "data.csv"\n';
const facilitator = 'name = "sums"\nrole = "facilitator"\n';
const modelOwner = 'name = "research"\nrole = "model-owner"\n';

test('what is left out has its default, and paths are seen from the file', () => {
  const common = {
    file,
    identity: '/etc/sealsum/north/identity.json',
    roster: '/etc/sealsum/roster.toml',
    store: '/etc/sealsum/north/state.sqlite',
    logLevel: 'warn',
    clockToleranceSeconds: 60,
    limits: defaultLimits,
    dashboard: { enabled: true, secure: false, sessions: '/etc/sealsum/north/state.sessions.json' },
  };
  const listen = (port: number): object => ({ host: '127.0.0.1', port, publicUrls: [], allowPlaintext: false });
  assert.deepEqual(configured('facilitator', facilitator), {
    ...common,
    name: 'sums',
    role: 'facilitator',
    listen: listen(8080),
    retention: defaultRetention,
    origins: [],
    upstream: [],
  });
  assert.deepEqual(configured('data-owner', owner), {
    ...common,
    name: 'north',
    role: 'data-owner',
    listen: listen(5000),
    data: '/etc/sealsum/north/data.csv',
    datasets: '/etc/sealsum/north/datasets',
    queries: [],
    policy: openPolicy,
    facilitator: { allowPlaintext: false },
  });
  assert.deepEqual(configured('model-owner', modelOwner), {
    ...common,
    name: 'research',
    role: 'model-owner',
    listen: listen(9090),
    facilitator: { allowPlaintext: false },
  });
});

test('every field arrives where it belongs', () => {
  const config = configured(
    'model-owner',
    `${modelOwner}
identity = "/secret/identity.json"
passphrase_file = "passphrase"
roster = "roster.toml"
store = "postgres://user@db.example.org/sealsum"
log_level = "debug"
clock_tolerance_seconds = 5
evaluation_data = "evaluation.csv"
owners = ["north", "south"]
access_token_file = "token"
[listen]
host = "0.0.0.0"
port = 0
public_urls = ["https://models.example.org/"]
[tls]
certificate = "tls/certificate.pem"
key = "tls/key.pem"
client_ca = "tls/clients.pem"
[facilitator]
name = "sums"
url = "https://sums.example.org:8443/"
ca = "tls/ca.pem"
certificate = "tls/client.pem"
key = "tls/client-key.pem"
[limits]
requests_per_second = 0.5
burst = 1
concurrent_requests = 2
connections = 3
header_bytes = 4096
body_bytes = 5000
body_seconds = 6
contribution_bytes = 7000
dataset_bytes = 8000
`,
  );
  const at = (path: string): string => `/etc/sealsum/north/${path}`;
  assert.deepEqual(config, {
    file,
    name: 'research',
    role: 'model-owner',
    identity: '/secret/identity.json',
    passphraseFile: at('passphrase'),
    roster: at('roster.toml'),
    store: 'postgres://user@db.example.org/sealsum',
    logLevel: 'debug',
    clockToleranceSeconds: 5,
    dashboard: { enabled: true, secure: true, sessions: at('state.sessions.json') },
    evaluationData: at('evaluation.csv'),
    owners: ['north', 'south'],
    accessTokenFile: at('token'),
    listen: { host: '0.0.0.0', port: 0, publicUrls: ['https://models.example.org'], allowPlaintext: false },
    tls: { certificate: at('tls/certificate.pem'), key: at('tls/key.pem'), clientCa: at('tls/clients.pem') },
    facilitator: {
      name: 'sums',
      url: 'https://sums.example.org:8443',
      ca: at('tls/ca.pem'),
      certificate: at('tls/client.pem'),
      key: at('tls/client-key.pem'),
      allowPlaintext: false,
    },
    limits: {
      requestsPerSecond: 0.5,
      burst: 1,
      concurrentRequests: 2,
      connections: 3,
      headerBytes: 4096,
      bodyBytes: 5000,
      bodySeconds: 6,
      contributionBytes: 7000,
      datasetBytes: 8000,
    },
  });
  const { retention } = configured(
    'facilitator',
    `${facilitator}[retention]\nrounds = 1\nended_jobs = 2\nevents = 3\ndays = 4`,
  );
  assert.deepEqual(retention, { rounds: 1, endedJobs: 2, events: 3, days: 4 });
});

test('pages are meant by their origins, as browsers name them', () => {
  const origins = [
    'https://owners.example.org',
    'https://a.example:8443',
    'http://localhost:8000',
    'http://127.0.0.1:8000',
  ];
  const tables = (list: readonly string[]): string => `${facilitator}[browsers]\norigins = ${JSON.stringify(list)}`;
  assert.deepEqual(configured('facilitator', tables(origins)).origins, origins);
  const wrong = ['*', 'null', 'owners.example.org', 'https://owners.example.org/', 'https://owners.example.org/page'];
  const others = [
    'https://OWNERS.example.org',
    'https://owners.example.org:443',
    'http://owners.example.org',
    'file:///page.html',
  ];
  for (const origin of [...wrong, ...others])
    refused(
      'facilitator',
      tables(['https://a.example', origin]),
      /origins.* expected the origin of a page/,
      'browsers.origins 2',
    );
  refused('data-owner', `${owner}[browsers]\norigins = []`, /it belongs to a facilitator, and this is a data-owner$/);
});

test('a dashboard is on unless it says otherwise, and never where people would sign in in the clear', () => {
  const at = (text: string, options: PartyOptions = {}): unknown =>
    configured('facilitator', `${facilitator}${text}`, options).dashboard;
  assert.deepEqual(at('[dashboard]\nenabled = false'), { enabled: false });
  assert.deepEqual(at('', { store: ':memory:' }), { enabled: true, secure: false });
  assert.deepEqual(at('store = "/var/lib/sealsum/sums.sqlite"'), {
    enabled: true,
    secure: false,
    sessions: '/var/lib/sealsum/sums.sessions.json',
  });
  assert.deepEqual(at('[dashboard]\nsessions = "kept/s.json"'), {
    enabled: true,
    secure: false,
    sessions: '/etc/sealsum/north/kept/s.json',
  });
  const open = '[listen]\nhost = "0.0.0.0"\nallow_plaintext = true\n';
  const off = at(open) as { enabled: boolean; reason: string };
  assert.equal(off.enabled, false);
  assert.match(off.reason, /^whoever signs in at 0\.0\.0\.0 would do so without TLS/);
  refused('facilitator', `${facilitator}${open}[dashboard]\nenabled = true`, /without TLS/, 'dashboard.enabled');
  const proxied = at(`${open}public_urls = ["https://sums.example.org"]\n`) as { enabled: boolean; secure: boolean };
  assert.deepEqual([proxied.enabled, proxied.secure], [true, true]);
});

test('what the command line says goes before the file, and its paths are seen from the current folder', () => {
  const options = {
    name: 'south',
    port: 7,
    host: '::1',
    logLevel: 'error',
    facilitator: 'http://127.0.0.1:1',
    store: 's.sqlite',
  } as const;
  const config = configured('data-owner', owner, { ...options, data: 'other.csv' });
  assert.equal(config.name, 'south');
  assert.deepEqual([config.listen.port, config.listen.host], [7, '::1']);
  assert.equal(config.logLevel, 'error');
  assert.equal(config.facilitator.url, 'http://127.0.0.1:1');
  assert.equal(config.store, resolve('s.sqlite'));
  assert.equal(config.data, resolve('other.csv'));
  const research = configured('model-owner', `${modelOwner}owners = ["east"]`, {
    owners: 'north, south',
    data: 'e.csv',
  });
  assert.deepEqual(research.owners, ['north', 'south']);
  assert.equal(research.evaluationData, resolve('e.csv'));
  assert.equal(configured('facilitator', 'role = "facilitator"', { name: 'sums' }).name, 'sums');
});

test('an unknown field is refused by name, with the one that was meant', () => {
  refused('data-owner', `${owner}idenity = "x"`, 'idenity is not a known field; did you mean identity?', 'idenity');
  refused('data-owner', `${owner}passphraseFile = "x"`, /did you mean passphrase_file\?$/, 'passphraseFile');
  refused('data-owner', `${owner}log-level = "warn"`, /did you mean log_level\?$/);
  refused(
    'facilitator',
    `${facilitator}[listen]\nprot = 1`,
    'listen.prot is not a known field; did you mean listen.port?',
  );
  refused(
    'facilitator',
    `${facilitator}[limits]\nbursts = 1`,
    /^.*limits\.bursts .*mean limits\.burst\?$/,
    'limits.bursts',
  );
  refused(
    'facilitator',
    `${facilitator}[retention]\nciphertexts = 1`,
    'retention.ciphertexts is not a known field; known here are rounds, ended_jobs, events, days',
  );
  refused(
    'facilitator',
    `${facilitator}data = "x"`,
    'data is not a known field; it belongs to a data-owner, and this is a facilitator',
  );
  refused(
    'facilitator',
    `${facilitator}[facilitator]\nurl = "http://a"`,
    /it belongs to a model-owner or data-owner, and this is a facilitator$/,
  );
  refused('data-owner', `${owner}[retention]\ndays = 1`, /it belongs to a facilitator, and this is a data-owner$/);
  refused('data-owner', `${owner}owners = ["a"]`, /it belongs to a model-owner, and this is a data-owner$/);
  refused('model-owner', `${modelOwner}data = "x"`, /it belongs to a data-owner, and this is a model-owner$/);
});

test('a value that makes no sense is refused with its field', () => {
  const wrong: readonly (readonly [string, string, RegExp])[] = [
    ['name', 'name = "a b"', /expected 1 to 63/],
    ['log_level', `${facilitator}log_level = "loud"`, /one of "trace"/],
    ['clock_tolerance_seconds', `${facilitator}clock_tolerance_seconds = 0`, /seconds: expected at least 1$/],
    ['clock_tolerance_seconds', `${facilitator}clock_tolerance_seconds = 1.5`, /expected int/],
    ['listen.port', `${facilitator}[listen]\nport = 65536`, /listen\.port: expected at most 65535$/],
    ['listen.port', `${facilitator}[listen]\nport = "8080"`, /expected number/],
    ['listen.allow_plaintext', `${facilitator}[listen]\nallow_plaintext = "yes"`, /expected boolean/],
    [
      'listen.public_urls 2',
      `${facilitator}[listen]\npublic_urls = ["https://a", "ftp://a"]`,
      /expected a URL such as/,
    ],
    ['listen.public_urls 1', `${facilitator}[listen]\npublic_urls = ["https://a:b@c"]`, /expected a URL such as/],
    ['limits.requests_per_second', `${facilitator}[limits]\nrequests_per_second = inf`, /expected number/],
    ['limits.requests_per_second', `${facilitator}[limits]\nrequests_per_second = 0`, /expected more than 0$/],
    ['limits.burst', `${facilitator}[limits]\nburst = 0`, /expected at least 1$/],
    ['tls.key', `${facilitator}[tls]\ncertificate = "c"`, /tls\.key is missing; expected string$/],
    ['store', `${facilitator}store = "mysql://a/b"`, /expected a path, or a URL that begins with postgres/],
    ['identity', `${facilitator}identity = ""`, /expected a path/],
  ];
  for (const [field, text, message] of wrong)
    refused('facilitator', text.includes('role =') ? text : `${text}\nrole = "facilitator"`, message, field);
  refused('model-owner', `${modelOwner}owners = ["a", "a"]`, /owners a is named twice/, 'owners');
  refused('model-owner', `${modelOwner}owners = []`, />=1/, 'owners');
});

test('a text that is no TOML is refused with its line, and is not quoted', () => {
  assert.throws(
    () => parseToml('name = "north"\nstore = "postgres://user:hunter2@db', 'config.toml'),
    (error: { code?: string; line?: number; message?: string; cause?: unknown }) => {
      assert.deepEqual([error.code, error.line, error.cause], ['config_invalid', 2, undefined]);
      assert.match(error.message ?? '', /^config\.toml, line 2: \w/);
      assert.doesNotMatch(error.message ?? '', /hunter2|\n/);
      return true;
    },
  );
  assert.throws(() => parseToml('a = 1\na = 2', 'x'), { code: 'config_invalid', line: 2 });
  assert.throws(() => parseToml('__proto__ = 1', 'x'), { code: 'config_invalid' });
});

test('a data set may be a query of a database', () => {
  const query = (more: string, url = 'postgres://reader@db.example.org/ward?sslmode=verify-full'): string =>
    `${owner}[queries.admissions]\npostgres = "${url}"\nquery = "select 1"\n${more}`;
  assert.deepEqual(configured('data-owner', query('password_file = "secret"\ntimeout_seconds = 5')).queries, [
    {
      name: 'admissions',
      url: 'postgres://reader@db.example.org/ward?sslmode=verify-full',
      passwordFile: '/etc/sealsum/north/secret',
      query: 'select 1',
      timeoutSeconds: 5,
    },
  ]);
  const plain = 'postgres://reader@db.example.org/ward';
  for (const url of [plain, `${plain}?sslmode=prefer`])
    refused(
      'data-owner',
      query('', url),
      /perhaps without TLS: add \?sslmode=verify-full/,
      'queries.admissions.postgres',
    );
  // The driver takes parameters in the place of what stands before them.
  for (const [parameters, why] of [
    ['password=secret', /\.postgres has a password as a parameter/],
    ['user=admin', /has user as a parameter/],
    ['host=db.example.org', /has host as a parameter/],
    ['host=/run/postgresql', /has host as a parameter/],
    ['sslmode=require&sslmode=disable', /has sslmode twice/],
    ['sslmode=require&uselibpqcompat=true', /certificates are not checked/],
  ] as const)
    refused(
      'data-owner',
      query('', `postgres://reader@127.0.0.1/ward?${parameters}`),
      why,
      'queries.admissions.postgres',
    );
  for (const [more, url] of [
    ['allow_plaintext = true', plain],
    ['', 'postgres:///ward?host=/var/run/postgresql&user=reader'],
    ['', 'postgres://reader@127.0.0.1:5432/ward'],
    ['', 'postgresql://reader@%2Fvar%2Frun%2Fpostgresql/ward'],
  ] as const)
    assert.equal(configured('data-owner', query(more, url)).queries[0]?.timeoutSeconds, 300);
  refused('data-owner', query('', 'mysql://x/y'), /queries\.admissions\.postgres: expected postgres:/);
  refused('data-owner', query('timeout = 5'), /queries\.admissions\.timeout is not a known field; .*timeout_seconds/);
  refused('data-owner', query('').replace('select 1', ' '), /queries\.admissions\.query: expected a SELECT/);
  refused('data-owner', query('').replace('admissions', '"data.csv"'), /has the name of the file that data names/);
  refused('data-owner', query('').replace('admissions', '"a b"'), /is no name of a data set/);
  refused('data-owner', query('password_file = "x"', 'postgres://a:b@127.0.0.1/x'), /beside a password in the URL/);
  refused('model-owner', `${modelOwner}[queries]`, /it belongs to a data-owner/);
});

test('what must not stand together is refused with the mend', () => {
  refused('facilitator', owner, 'role is data-owner; this starts a facilitator', 'role');
  refused('facilitator', 'name = "a"', /role: expected one of "facilitator"/, 'role');
  refused('facilitator', 'role = "facilitator"', /name is missing/, 'name');
  assert.equal(configured('data-owner', owner.replace(/data = .*/, '')).data, undefined);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'sums.example.org', '128.0.0.1'])
    refused('facilitator', facilitator, /tls is missing: .* is more than this machine/, 'tls', { host });
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost'])
    assert.equal(configured('facilitator', facilitator, { host }).listen.host, host);
  assert.ok(
    configured('facilitator', `${facilitator}[listen]\nhost = "0.0.0.0"\nallow_plaintext = true`).listen.allowPlaintext,
  );
  const tls = '[tls]\ncertificate = "c"\nkey = "k"';
  refused('facilitator', `${facilitator}[listen]\nallow_plaintext = true\n${tls}`, /has no use beside \[tls\]/);
  refused(
    'data-owner',
    `${owner}[listen]\nhost = "0.0.0.0"\n${tls}`,
    /access_token_file is missing/,
    'access_token_file',
  );
  refused('data-owner', `${owner}[facilitator]\ncertificate = "c"`, /go together/, 'facilitator.key');
  refused('data-owner', `${owner}[facilitator]\nkey = "c"`, /go together/, 'facilitator.key');
  refused(
    'data-owner',
    `${owner}[facilitator]\nurl = "http://127.0.0.1"\nca = "c"`,
    /write https:$/,
    'facilitator.url',
  );
});

test('what sealsum init writes is read, with every comment taken for what it shows', () => {
  const name = partyIdSchema.parse('north');
  for (const role of roles) {
    const text = configText({
      name,
      role,
      passphraseFile: 'pass "word"\\',
      port: 1,
      publicUrls: ['https://a.example'],
    });
    const config = configured(role, text);
    assert.deepEqual([config.name, config.role, config.listen.port], [name, role, 1]);
    assert.equal(config.passphraseFile, '/etc/sealsum/north/pass "word"\\');
    const shown = text.replaceAll(/^# (?=[[\w.]+( = |\]))/gm, '');
    assert.notEqual(shown, text);
    const all = configured(role, shown);
    assert.deepEqual(all.tls?.clientCa, '/etc/sealsum/north/tls/clients.pem');
    if (all.role === 'model-owner') assert.deepEqual(all.owners, ['owner-1', 'owner-2']);
    if (all.role === 'data-owner') {
      assert.deepEqual(all.policy.caps.rhoTotal, rational(1n, 4n));
      assert.deepEqual(all.policy.modelOwners, ['model-owner']);
      assert.equal(all.queries[0]?.passwordFile, '/etc/sealsum/north/reader-password');
    }
    if (all.role !== 'facilitator') assert.equal(all.accessTokenFile, '/etc/sealsum/north/access-token');
  }
});

test('the facilitators above a facilitator have addresses, with TLS unless it is said that they have none', () => {
  const line = '[[upstream]]\nname = "root"\n';
  assert.deepEqual(
    configured('facilitator', `${facilitator}${line}url = "https://root.example"\nca = "root.pem"\n`).upstream,
    [{ name: 'root', url: 'https://root.example', ca: '/etc/sealsum/north/root.pem', allowPlaintext: false }],
  );
  const plain = `${line}url = "http://root.example"\n`;
  refused(
    'facilitator',
    facilitator + plain,
    /^.*: upstream 1.url is http:\/\/root.example, without TLS/,
    'upstream 1.url',
  );
  assert.equal(configured('facilitator', `${facilitator}${plain}allow_plaintext = true\n`).upstream.length, 1);
  const near = `${line}url = "http://127.0.0.1:8081"\n`;
  assert.equal(configured('facilitator', facilitator + near).upstream[0]?.url, 'http://127.0.0.1:8081');
  refused('facilitator', facilitator + near + near, 'upstream 2.name root is named twice', 'upstream 2.name');
  refused(
    'facilitator',
    `${facilitator}${near}ca = "root.pem"\n`,
    /upstream 1.url begins with http:/,
    'upstream 1.url',
  );
  refused(
    'facilitator',
    `${facilitator}${line}url = "https://root.example"\nkey = "k"\n`,
    /go together/,
    'upstream 1.key',
  );
  refused('facilitator', facilitator + line, /upstream 1.url/, 'upstream 1.url');
  refused('data-owner', owner + near, /it belongs to a facilitator/);
});

test.run();
