/** `sealsum ledger`: the same statement from a store, beside the party that writes to it, and from the party itself. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { suite } from 'uvu';
import { registerLedgerCommand } from '../../src/cli/ledger-command.ts';
import { createProgram } from '../../src/cli/program.ts';
import { SealsumError } from '../../src/errors.ts';
import { problemResponse } from '../../src/http/problem.ts';
import { epsilonFromRho } from '../../src/privacy/accounting/zcdp.ts';
import { createCaps } from '../../src/privacy/budget.ts';
import { createLedger } from '../../src/privacy/ledger.ts';
import { type LedgerStatement, ledgerStatement } from '../../src/privacy/ledger-statement.ts';
import { rational } from '../../src/privacy/rational.ts';
import { type Database, openDatabase } from '../../src/storage/database.ts';
import { createLedgerStore } from '../../src/storage/durable-ledger-store.ts';

interface Context {
  folder: string;
  store: string;
  config: string;
  database: Database;
}

const test = suite<Context>('sealsum ledger');

async function run(...args: readonly string[]): Promise<string> {
  const printed: string[] = [];
  const program = createProgram().configureOutput({ outputError: () => undefined });
  registerLedgerCommand(program, (text) => {
    printed.push(text);
  });
  const quiet = (command: Command): void => {
    command.copyInheritedSettings(program);
  };
  program.commands.forEach(quiet);
  await program.parseAsync(['node', 'sealsum', 'ledger', ...args]);
  return printed.join('\n');
}

function saying(word: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof Error && word.test(error.message);
}

test.before(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'sealsum-ledger-'));
  context.store = join(context.folder, 'state.sqlite');
  context.config = join(context.folder, 'config.toml');
  const policy = '[policy]\nrho_total = 0.5\nepsilon = 8\ndelta = 1e-6\nunits = ["record"]\n';
  writeFileSync(context.config, `name = "north"\nrole = "data-owner"\ndata = "patients.csv"\n${policy}`);
  // It stays open: the command works beside the party.
  context.database = await openDatabase(context.store, { role: 'data-owner' });
  const ledger = createLedger(createLedgerStore(context.database), () => new Date('2024-05-01T12:00:00Z'));
  const cost = {
    dataset: 'patients.csv',
    rho: rational(1n, 8n),
    unit: 'record',
    neighbours: 'zero-out',
    sampling: 1,
  } as const;
  for (let round = 1; round <= 3; round++) await ledger.charge({ job: 'first', round, ...cost });
  await ledger.charge({ job: 'second', round: 1, ...cost, dataset: 'staff.csv', neighbours: 'substitution' });
});

test.after(async ({ folder, database }) => {
  await database.close();
  rmSync(folder, { recursive: true });
});

test('a table of what is spent and left, by the policy of the configuration', async ({ config }) => {
  const rows = (await run('--config', config)).split('\n').map((line) => line.split(/ {2,}/));
  const epsilon = (rho: number): string => String(epsilonFromRho(rho, 1e-6).epsilon);
  assert.deepEqual(rows, [
    [
      'data set',
      'unit',
      'neighbours',
      'rounds',
      'spent rho',
      'left rho',
      'spent epsilon (delta 0.000001)',
      'left epsilon',
    ],
    ['patients.csv', 'record', 'zero-out', '3', '0.375', '0.125', epsilon(0.375), epsilon(0.125)],
    ['staff.csv', 'record', 'substitution', '1', '0.125', '0.375', epsilon(0.125), epsilon(0.375)],
  ]);
});

test('a store by itself says what is spent, and nothing is limited', async ({ store }) => {
  const rows = (await run('--store', store)).split('\n').map((line) => line.split(/ {2,}/));
  assert.deepEqual(rows, [
    ['data set', 'unit', 'neighbours', 'rounds', 'spent rho', 'left rho'],
    ['patients.csv', 'record', 'zero-out', '3', '0.375', 'not limited'],
    ['staff.csv', 'record', 'substitution', '1', '0.125', 'not limited'],
  ]);
});

test('--json is what GET /ledger answers', async ({ config, database }) => {
  const statement = JSON.parse(await run('--config', config, '--json')) as LedgerStatement;
  const caps = createCaps({ rhoTotal: 0.5, epsilon: 8, delta: 1e-6 });
  const entries = await createLedgerStore(database).entries();
  assert.deepEqual(statement, ledgerStatement(entries, caps, [{ dataset: 'patients.csv', unit: 'record' }]));
  assert.deepEqual(statement.accounts[0]?.left?.rho, { numerator: '1', denominator: '8', value: 0.125 });
  assert.equal(statement.entries.length, 4);
});

test('rounds without differential privacy are named, and an empty ledger says so', async ({ folder }) => {
  const location = join(folder, 'plain.sqlite');
  await using database = await openDatabase(location, { role: 'data-owner' });
  assert.equal(await run('--store', location), 'nothing was charged');
  const cost = { dataset: 'data.csv', rho: null, unit: null, neighbours: null, sampling: null };
  const ledger = createLedger(createLedgerStore(database));
  for (let round = 1; round <= 2; round++) await ledger.charge({ job: 'plain', round, ...cost });
  const lines = (await run('--store', location)).split('\n');
  assert.deepEqual(lines[1]?.split(/ {2,}/), ['data.csv', 'record', '-', '0', '0', 'not limited']);
  assert.equal(lines[2], 'data.csv: 2 rounds without differential privacy, which no rho accounts for');
});

/** Something that answers GET /ledger to whoever shows the token. */
async function serving(body: unknown, token: string): Promise<Server & AsyncDisposable> {
  const server = createServer((request, response) => {
    const isAllowed = request.url === '/ledger' && request.headers.authorization === `Bearer ${token}`;
    const refused = new SealsumError('signature_missing', 'show the token', { field: 'Authorization' });
    const answer = isAllowed ? Response.json(body) : problemResponse(refused);
    void answer.text().then((text) => {
      response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(text);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return Object.assign(server, {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

test('a running data owner is asked with its token, and its refusals are told', async ({ folder, database }) => {
  const statement = ledgerStatement(await createLedgerStore(database).entries(), createCaps({ rhoTotal: 0.5 }));
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, `${'a'.repeat(43)}\n`);
  chmodSync(tokenFile, 0o600);
  await using server = await serving(statement, 'a'.repeat(43));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  assert.deepEqual(JSON.parse(await run('--url', url, '--token-file', tokenFile, '--json')), statement);
  assert.match(await run('--url', url, '--token-file', tokenFile), /^patients\.csv {2}record .* 0\.375 +0\.125$/m);
  await assert.rejects(run('--url', url), { code: 'signature_missing', message: 'show the token' });
  await server[Symbol.asyncDispose]();
  await assert.rejects(run('--url', url), {
    code: 'request_failed',
    message: `${new URL(url).origin} does not answer; is the data owner running?`,
  });
  await using other = await serving({ entries: 1 }, 'a'.repeat(43));
  const elsewhere = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  await assert.rejects(run('--url', elsewhere, '--token-file', tokenFile), {
    code: 'message_invalid',
    message: /^the answer to GET \/ledger: /,
  });
});

test('what is said wrongly is refused', async ({ folder, store, config }) => {
  await assert.rejects(run('--url', 'ftp://a'), saying(/expected a URL such as http/));
  await assert.rejects(run('--store', store, '--token-file', 'x'), saying(/go with --url/));
  await assert.rejects(run('--config', config, 'more'), saying(/too many arguments/));
  await assert.rejects(run('--store', join(folder, 'none.sqlite')), saying(/there is no such file/));
  const location = join(folder, 'facilitator.sqlite');
  await (await openDatabase(location, { role: 'facilitator' })).close();
  await assert.rejects(
    run('--store', location),
    saying(/is the store of a facilitator; only a data owner has a ledger/),
  );
  const sums = join(folder, 'sums.toml');
  writeFileSync(sums, 'name = "sums"\nrole = "facilitator"\n');
  await assert.rejects(run('--config', sums), {
    code: 'config_invalid',
    message: `${sums}: role is facilitator; only a data owner has a ledger`,
  });
});

test('is a command of sealsum', ({ config }) => {
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
  const ran = spawnSync(process.execPath, ['--import', 'tsx', main, 'ledger', '--config', config], {
    encoding: 'utf8',
  });
  assert.equal(ran.stderr, '');
  assert.match(ran.stdout, /^data set .*\npatients\.csv /);
});

test.run();
