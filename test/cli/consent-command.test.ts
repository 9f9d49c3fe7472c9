/** `sealsum consent` with a running data owner: what waits is listed and shown, approved and refused. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { suite } from 'uvu';
import { createDataOwnerApp } from '../../parties/data-owner/app.ts';
import { registerConsentCommand } from '../../src/cli/consent-command.ts';
import { createProgram } from '../../src/cli/program.ts';
import { openPolicy } from '../../src/config/owner-policy.ts';
import { createKeyChecks } from '../../src/contributing/key-checks.ts';
import { jobRequestSchema } from '../../src/http/job-request.ts';
import { createLog } from '../../src/http/log.ts';
import { startServer } from '../../src/http/server.ts';
import { document, until, World } from '../parties/data-owner/harness.ts';
import { anna, describe, facilitator, signJob } from '../parties/data-owner/scripted-facilitator.ts';

const test = suite('sealsum consent');

const keys = createKeyChecks();
const token = 'a'.repeat(43);

async function run(...args: readonly string[]): Promise<string> {
  const printed: string[] = [];
  const program = createProgram().configureOutput({ outputError: () => undefined, writeErr: () => undefined });
  registerConsentCommand(program, (text) => {
    printed.push(text);
  });
  const quiet = (command: Command): void => {
    command.copyInheritedSettings(program);
  };
  program.commands.forEach(quiet);
  await program.parseAsync(['node', 'sealsum', 'consent', ...args]);
  return printed.join('\n');
}

test('jobs are listed, shown, approved and refused, by the address and the token of config.toml', async () => {
  await using world = await World.create();
  const life = await world.live({ keys, changes: { policy: { ...openPolicy, consent: 'ask' } } });
  const app = createDataOwnerApp({
    owner: anna,
    facilitator: { name: facilitator.name, url: 'http://127.0.0.1:8080' },
    dataOwner: life.owner,
    ledgerStore: world.ledgerStore(),
    datasets: world.datasets,
    log: createLog('anna', 'silent'),
    signal: new AbortController().signal,
    storeTrouble: () => Promise.resolve(undefined),
    localAccess: { authorities: () => [], loopback: true, token },
  });
  await using server = await startServer({ fetch: app.fetch, port: 0, host: '127.0.0.1' });
  const config = join(world.folder.path, 'config.toml');
  const tokenFile = join(world.folder.path, 'token');
  writeFileSync(tokenFile, `${token}\n`);
  chmodSync(tokenFile, 0o600);
  writeFileSync(
    config,
    `name = "anna"\nrole = "data-owner"\naccess_token_file = "token"\n[listen]\nhost = "0.0.0.0"\nport = ${new URL(server.url).port}\nallow_plaintext = true\n`,
  );
  const told = ['--config', config];
  assert.equal(await run(...told), 'no job waits for a person');
  assert.deepEqual(JSON.parse(await run(...told, '--json')), { jobs: [] });

  const closing = { solver: 'gradient', rounds: 4, inference: {}, diagnostics: { bins: 5 } };
  const [first, second] = [
    await describe(document, 'first'),
    await describe({ ...document, privacy: undefined, training: closing }, 'second'),
  ];
  for (const asked of [first, second]) {
    world.script.propose(signJob(asked));
    await until('anna asks', () =>
      life.owner.jobs().some(({ job, status }) => job === asked.job && status === 'asking'),
    );
  }
  const text = await run(...told);
  for (const line of [
    /^job +first$/m,
    /^job +second$/m,
    /^asked by +model-owner, key /m,
    /^data set +data\.csv, 12 records \(told to nobody\)$/m,
    /^target +outcome: /m,
    /^gradient +5 values: gradient of /m,
    /^metric +loss$/m,
    /^privacy +rho 0\.1 a round, 0\.5 in all; hides one record \(zero-out\), noise by the model-owner$/m,
    /^privacy +none: no differential privacy, the sums are exact$/m,
    /^ledger after +rho 0\.5 spent, not limited$/m,
    /^and at the end +one round more, after which this owner contributes to none: 43 values; 6 parameters come before it$/m,
    /^inference +21 values: information 1, /m,
    /^diagnostics +22 values: histogram 1, /m,
  ])
    assert.match(text, line);
  const { jobs } = JSON.parse(await run(...told, '--json')) as { jobs: unknown[] };
  assert.deepEqual(
    jobs.map((each) => jobRequestSchema.parse(each).job),
    ['first', 'second'],
  );
  assert.match(await run('second', ...told), /^job +second\n/);

  // Only what was looked at is decided.
  const [, digest = ''] = /^digest +([0-9a-f]{64})$/m.exec(await run('first', ...told)) ?? [];
  await assert.rejects(run('first', 'approve', '--digest', 'a'.repeat(64), ...told), { code: 'job_conflict' });
  await assert.rejects(run('first', 'approve', '--digest', 'a', ...told), { code: 'message_invalid' });
  assert.match(await run('first', 'approve', '--digest', digest, ...told), /^first is approved/);
  await until('anna is ready', () => world.script.standing(first.job) === 'ready');
  assert.match(await run('first', 'approve', ...told), /^first is approved, and the facilitator knows$/);
  await assert.rejects(run('first', 'refuse', ...told), { code: 'consent_conflict' });
  const refused = JSON.parse(await run('second', 'refuse', '--reason', 'not in May', '--json', ...told)) as object;
  assert.deepEqual(refused, { ...refused, job: 'second', status: 'refused' });
  await until('the facilitator knows', () => world.script.standing(second.job) === 'refused');
  assert.match(world.script.answers.at(-1)?.answer.reason ?? '', /: not in May$/);

  // Another address and token than those of the file.
  assert.equal(await run('--url', server.url, '--token-file', tokenFile), 'no job waits for a person');
  await assert.rejects(run('--url', server.url), { code: 'signature_missing' });
  await assert.rejects(run('third', 'approve', ...told), { code: 'job_unknown' });
});

test('what is said wrongly is refused', async () => {
  await using world = await World.create();
  const config = await world.folder.write('sums.toml', 'name = "sums"\nrole = "facilitator"\n');
  await assert.rejects(run('job', 'maybe', '--url', 'http://127.0.0.1:1'), /Allowed choices are approve, refuse/);
  await assert.rejects(run('job', '--reason', 'x', '--url', 'http://127.0.0.1:1'), /goes with approve or refuse/);
  await assert.rejects(run('job', '--digest', 'x', '--url', 'http://127.0.0.1:1'), /goes with approve or refuse/);
  await assert.rejects(run('--url', 'ftp://a'), /expected a URL such as http/);
  await assert.rejects(run('--url', 'http://127.0.0.1:1'), /does not answer; is the data owner running/);
  await assert.rejects(run('--config', config), { code: 'config_invalid' });
});

test('is a command of sealsum, with examples', () => {
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
  const ran = spawnSync(process.execPath, ['--import', 'tsx', main, 'consent', '--help'], { encoding: 'utf8' });
  assert.equal(ran.stderr, '');
  assert.match(ran.stdout, /Examples:\n {2}sealsum consent --config/);
});

test.run();
