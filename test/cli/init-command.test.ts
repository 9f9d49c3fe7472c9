import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import { loadParty } from '../../src/config/load.ts';
import { testFolder } from '../config/folder.ts';
import { somebody, testServices } from '../config/silent.ts';
import { until } from '../support/until.ts';
import { machine, viewOf } from './machine.ts';

const test = suite('sealsum init, fingerprints, passphrase');

test('a project for one machine: every party loads, by the commands that are printed', async () => {
  await using folder = await testFolder();
  const { run, clock, secret, assertDiscreet } = machine();
  const project = folder.at('my project');
  const view = await viewOf(run(['init', project, '--owners', 'north, south', '--ports', '1,2,3', '--json']));
  assert.deepEqual(
    view.parties.map(({ name, role }) => [name, role]),
    [
      ['facilitator', 'facilitator'],
      ['model-owner', 'model-owner'],
      ['north', 'data-owner'],
      ['south', 'data-owner'],
    ],
  );
  assert.deepEqual(view.commands, [
    `sealsum facilitator --config '${project}/facilitator/config.toml'`,
    `for owner in north south; do sealsum data-owner --config '${project}'/$owner/config.toml & done; wait`,
    `sealsum model-owner --config '${project}/model-owner/config.toml'`,
  ]);
  const services = { ...testServices(), clock };
  for (const [index, { name, role, fingerprint, config }] of view.parties.entries()) {
    secret((await readFile(folder.at('my project', name, 'passphrase'), 'utf8')).trim());
    if (role !== 'data-owner') continue;
    const loaded = await loadParty(role, { config: config ?? '' }, services);
    assert.deepEqual([loaded.config.name, loaded.identity.fingerprint], [name, fingerprint]);
    assert.equal(loaded.config.listen.port, [1, 2, 3, 4][index]);
  }
  const table = await run(['fingerprints', view.roster]);
  assert.deepEqual(
    table.split('\n').slice(0, 4),
    view.parties.map(({ name, role, spoken }) => `${name.padEnd(11)}  ${role.padEnd(11)}  ${spoken}`),
  );
  assert.equal((await viewOf(run(['fingerprints', view.roster, '--json']))).roster_digest, view.roster_digest);
  await assert.rejects(run(['init', project]), { code: 'config_invalid', message: /roster\.toml is there already/ });
  await assert.rejects(run(['init', folder.at('other'), '--owners', 'a,a']), {
    code: 'identity_invalid',
    message: /a is named twice/,
  });
  await assert.rejects(run(['init', folder.at('other'), '--owners', 'facilitator,a']), {
    message: /facilitator is named twice/,
  });
  assert.deepEqual(await readdir(folder.path), ['my project']);
  assertDiscreet();
});

test('another passphrase, from a file, at random, or typed twice', async () => {
  await using folder = await testFolder();
  const { run, clock, secret, assertDiscreet } = machine();
  const first = folder.at('first');
  await writeFile(first, 'first words\r\n', { mode: 0o600 });
  const view = await viewOf(
    run([
      'init',
      folder.at('p'),
      '--party',
      'facilitator',
      '--url',
      'http://127.0.0.1:1',
      '--passphrase-file',
      first,
      '--json',
    ]),
  );
  const config = view.parties[0]?.config ?? '';
  const load = (): ReturnType<typeof loadParty> => loadParty('facilitator', { config }, { ...testServices(), clock });
  assert.ok(await load());
  await run(['passphrase', '--config', config], { terminal: somebody(['second words', 'second words']) });
  assert.equal(await readFile(first, 'utf8'), 'second words\n');
  assert.ok(await load());
  await run(['passphrase', '--config', config, '--random']);
  const random = (await readFile(first, 'utf8')).trim();
  assert.match(random, /^[A-Za-z0-9_-]{43}$/);
  for (const words of [random, 'first words', 'second words']) secret(words);
  const differing = run(['passphrase', '--config', config], { terminal: somebody(['a', 'b']) });
  await assert.rejects(differing, { code: 'identity_invalid', message: 'the two passphrases differ; try again' });
  assert.ok(await load());
  assertDiscreet();
});

test('what does not go together is refused before anything is made', async () => {
  await using folder = await testFolder();
  const { run } = machine();
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['--url', 'http://a'], /--url goes with --party/],
    [['--name', 'a'], /--name goes with --party/],
    [['--invite', 'a'], /--invite goes with --party/],
    [['--party', 'facilitator'], /needs --url/],
    [['--party', 'data-owner'], /Allowed choices are facilitator/],
    [['--party', 'facilitator', '--url', 'http://a', '--owners', 'b'], /--owners does not go with --party/],
    [['--party', 'facilitator', '--url', 'ftp://a'], /expected a URL/],
    [['--owners', 'a b'], /expected 1 to 63/],
    [['--ports', '1,2'], /expected three numbers/],
    [['--ports', '1,2,70000'], /expected ports from 0 to 65535/],
    [['--invite', 'a:nobody'], /expected NAME, NAME:data-owner, NAME:model-owner or NAME:facilitator/],
    [['--valid-days', '0'], /expected 1 to 365 days/],
    [['--local', '--passphrase-file', 'x'], /exclude each other/],
  ];
  for (const [args, message] of wrong)
    await assert.rejects(run(['init', folder.at('p'), ...args]), { message }, args.join(' '));
  await assert.rejects(run(['init', folder.at('p'), '--no-local']), { message: /set SEALSUM_PASSPHRASE/ });
  assert.deepEqual(await readdir(folder.path), []);
});

test('a passphrase that is typed at a terminal is not shown', async () => {
  await using folder = await testFolder();
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
  const loader = import.meta.resolve('tsx');
  const command = [
    process.execPath,
    '--import',
    loader,
    main,
    'init',
    folder.at('p'),
    '--party',
    'facilitator',
    '--url',
    'http://127.0.0.1:1',
  ];
  const line = command.map((each) => `'${each}'`).join(' ');
  const [program, args] = ['script', ['--quiet', '--return', '--command', line, '/dev/null']] as const;
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  let seen = '';
  child.stdout.on('data', (chunk: Buffer) => {
    seen += chunk.toString('utf8');
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const words = 'Correct7horse';
  for (const prompt of ['New passphrase for the identity of facilitator: ', 'The same again: ']) {
    await until(prompt, () => seen.includes(prompt), 60_000);
    child.stdin.write(`${words}x\u007f\r`);
  }
  assert.equal(await ended, 0, seen);
  assert.match(seen, /A project is in/);
  assert.ok(!seen.includes('Correct') && !seen.includes('horse'), seen);
  const services = testServices({ env: { SEALSUM_PASSPHRASE: words } });
  assert.ok(await loadParty('facilitator', { config: folder.at('p', 'facilitator', 'config.toml') }, services));
});

test.run();
