/** `sealsum backup` and `sealsum verify-log`: a copy of a running store, and its audit log checked by whoever has the key. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type Command, CommanderError } from 'commander';
import { suite } from 'uvu';
import { registerBackupCommand } from '../../src/cli/backup-command.ts';
import { createProgram } from '../../src/cli/program.ts';
import { registerVerifyLogCommand } from '../../src/cli/verify-log-command.ts';
import { createRoster, writeRoster } from '../../src/config/roster-file.ts';
import { SealsumError } from '../../src/errors.ts';
import type { PartyId } from '../../src/protocol/identifiers.ts';
import { createIdentity } from '../../src/protocol/identity.ts';
import { createAuditLog } from '../../src/storage/audit-log.ts';
import { type Database, openDatabase } from '../../src/storage/database.ts';
import { createDataOwnerStore } from '../../src/storage/durable-data-owner-store.ts';
import { createTestClock } from '../support/clock.ts';
import { program } from '../support/program.ts';
import { capture } from './capture.ts';

interface Context {
  folder: string;
  store: string;
  database: Database;
}

const test = suite<Context>('sealsum backup and verify-log');

const [old, anna, bert] = [1, 2, 3].map((seed) =>
  createIdentity((seed === 3 ? 'bert' : 'anna') as PartyId, 'data-owner', new Uint8Array(32).fill(seed)),
) as [ReturnType<typeof createIdentity>, ReturnType<typeof createIdentity>, ReturnType<typeof createIdentity>];

async function run(...args: readonly string[]): Promise<string> {
  const printed: string[] = [];
  const program = createProgram().configureOutput({ outputError: () => undefined });
  for (const register of [registerBackupCommand, registerVerifyLogCommand])
    register(program, (text) => {
      printed.push(text);
    });
  const quiet = (command: Command): void => {
    command.copyInheritedSettings(program);
  };
  program.commands.forEach(quiet);
  await program.parseAsync(['node', 'sealsum', ...args]);
  return printed.join('\n');
}

function saying(word: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof Error && word.test(error.message);
}

test.before(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'sealsum-commands-'));
  context.store = join(context.folder, 'anna.sqlite');
  const database = await openDatabase(context.store, { role: 'data-owner' });
  for (const identity of [old, anna]) {
    const store = createDataOwnerStore(database, createAuditLog(identity, createTestClock()));
    await store.commit({ audit: [{ type: 'started' }, { type: 'stopped' }] });
  }
  // It stays open: the commands work beside the party.
  context.database = database;
  const roster = createRoster([
    { name: anna.name, role: anna.role, key: anna.publicKey, previous: [old.publicKey] },
    { name: bert.name, role: bert.role, key: bert.publicKey, previous: [] },
  ]);
  await writeRoster(join(context.folder, 'roster.toml'), roster, { replace: false });
});

test.after(async ({ folder, database }) => {
  await database.close();
  rmSync(folder, { recursive: true });
});

test('a log is verified with the keys on the line, or with those of the roster', async ({ store, folder }) => {
  const keys = ['--key', anna.publicKey, '--key', old.publicKey];
  const said = await run('verify-log', '--store', store, ...keys);
  assert.match(said, /^the audit log is whole: 4 entries\nto note: 4:[0-9a-f]{64}$/);
  const noted = said.slice(said.indexOf('4:'));
  const roster = ['--roster', join(folder, 'roster.toml'), '--name', 'anna'];
  assert.equal(await run('verify-log', '--store', store, ...roster, '--noted', noted), said);
  assert.deepEqual(JSON.parse(await run('verify-log', '--store', store, ...roster, '--json')), {
    whole: true,
    entries: 4,
    first: 1,
    last: 4,
    anchor: '0'.repeat(64),
    head: noted.slice(2),
  });
});

test('a log of another party, or that does not reach what was noted, is refused', async ({ store, folder }) => {
  const key = ['--store', store, '--key', bert.publicKey];
  await assert.rejects(
    run('verify-log', ...key),
    (error) =>
      error instanceof SealsumError && error.code === 'log_broken' && /entry 1 names a key/.test(error.message),
  );
  const before = process.exitCode;
  try {
    const verdict = JSON.parse(await run('verify-log', ...key, '--json')) as Record<string, unknown>;
    assert.equal(process.exitCode, 1);
    assert.equal(verdict.whole, false);
    assert.match(String(verdict.reason), /entry 1 names a key/);
  } finally {
    process.exitCode = before;
  }
  const roster = ['--store', store, '--roster', join(folder, 'roster.toml')];
  await assert.rejects(
    run('verify-log', ...roster, '--name', 'anna', '--noted', `5:${'a'.repeat(64)}`),
    saying(/ends with entry 4, and entry 5 was noted/),
  );
  await assert.rejects(run('verify-log', ...roster), saying(/several parties .* --name/));
  await assert.rejects(run('verify-log', ...roster, '--name', 'nobody'), saying(/nobody/));
});

test('what is said wrongly is refused before anything is read', async ({ store, folder }) => {
  const roster = join(folder, 'roster.toml');
  await assert.rejects(run('verify-log', '--store', store), saying(/who signed the log/));
  await assert.rejects(
    run('verify-log', '--store', store, '--roster', roster, '--key', anna.publicKey),
    saying(/--roster and --key exclude each other/),
  );
  await assert.rejects(run('verify-log', '--key', anna.publicKey), saying(/store|config/));
  await assert.rejects(run('verify-log', '--store', store, '--key', 'abc'), saying(/key/));
  for (const noted of ['4', '0:', `4:${'g'.repeat(64)}`, `04:${'a'.repeat(64)}`])
    await assert.rejects(
      run('verify-log', '--store', store, '--key', anna.publicKey, '--noted', noted),
      saying(/expected the number of an entry/),
    );
  await assert.rejects(run('backup', '--store', store), saying(/file/));
  await assert.rejects(run('backup', join(folder, 'any')), saying(/store|config/));
});

test('a copy is made beside the party, and its log is whole', async ({ store, folder }) => {
  const file = join(folder, 'copy.sqlite');
  assert.equal(
    await run('backup', '--store', store, file),
    `${file}: ${statSync(file).size} bytes, the store of a data-owner`,
  );
  await assert.rejects(run('backup', '--store', store, file), saying(/it exists/));
  assert.deepEqual(JSON.parse(await run('backup', '--store', store, file, '--replace', '--json')), {
    role: 'data-owner',
    file,
    bytes: statSync(file).size,
  });
  const keys = ['--key', anna.publicKey, '--key', old.publicKey];
  assert.equal(await run('verify-log', '--store', file, ...keys), await run('verify-log', '--store', store, ...keys));
});

test('a long log has a bar with the time that is left, and Ctrl-C ends the work', async ({ folder }) => {
  const place = join(folder, 'long.sqlite');
  await using database = await openDatabase(place, { role: 'data-owner' });
  const store = createDataOwnerStore(database, createAuditLog(anna, createTestClock()));
  await store.commit({ audit: Array.from({ length: 1000 }, () => ({ type: 'started' as const })) });
  const verify = ['verify-log', '--store', place, '--key', anna.publicKey];
  const { isTTY } = process.stderr;
  const { TERM } = process.env;
  Object.assign(process.stderr, { isTTY: true });
  process.env.TERM = 'xterm';
  try {
    const drawn = await capture(async () => {
      assert.match(await run(...verify), /1000 entries/);
    });
    assert.match(drawn.errors, /verifying .* 1000\/1000 entries, .* left/);
  } finally {
    Object.assign(process.stderr, { isTTY });
    if (TERM === undefined) delete process.env.TERM;
    else process.env.TERM = TERM;
  }
  const before = process.listenerCount('SIGINT');
  const stopped = run(...verify).then(
    () => assert.fail('it was not stopped'),
    (error: unknown) => error,
  );
  while (process.listenerCount('SIGINT') === before) await setImmediate();
  process.emit('SIGINT', 'SIGINT');
  const error = await stopped;
  assert.ok(error instanceof CommanderError);
  assert.equal(error.exitCode, 130);
});

test('both are commands of sealsum', ({ store, folder }) => {
  const command = program('src/cli/main.ts');
  const ran = spawnSync(
    process.execPath,
    [...command, 'backup', '--store', store, join(folder, 'process.sqlite'), '--json'],
    { encoding: 'utf8' },
  );
  assert.equal(ran.stderr, '');
  assert.equal((JSON.parse(ran.stdout) as { role: string }).role, 'data-owner');
  const refused = spawnSync(
    process.execPath,
    [...command, 'verify-log', '--store', join(folder, 'process.sqlite'), '--key', bert.publicKey],
    { encoding: 'utf8' },
  );
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /^sealsum: the audit log: entry 1 names a key that is none of the party's\n$/);
});

test.run();
