/** A party that is started wrongly says so in one line that names the mend, and ends with a code that is not zero. */
import assert from 'node:assert/strict';
import { chmod, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { suite } from 'uvu';
import { type Ended, runScript, type ScriptOptions } from './processes.ts';
import {
  configOf,
  dataOwner,
  enter,
  facilitator,
  leave,
  modelOwner,
  type ProjectContext,
  startParty,
} from './trial-project.ts';

const test = suite<ProjectContext>('parties that cannot start');

test.before(enter);
test.after(leave);

/** What is run, and the one line that it says. */
type Wrong = readonly [script: string, args: readonly string[], says: RegExp, options?: ScriptOptions];

async function runParty(script: string, args: readonly string[], options?: ScriptOptions): Promise<Ended> {
  await using running = startParty(script, args, options);
  return await running.ended;
}

async function assertRefused(wrong: readonly Wrong[]): Promise<void> {
  const queue = wrong.values();
  const turn = async (): Promise<void> => {
    for (const [script, args, says, options] of queue) {
      const { code, output, complaint } = await runParty(script, args, options);
      assert.equal(code, 1, args.join(' '));
      assert.equal(output, '');
      assert.match(complaint, says);
      assert.match(complaint, /^sealsum (facilitator|data owner|model owner): [^\n]+\n$/);
    }
  };
  await Promise.all([turn(), turn(), turn(), turn()]);
}

test('a wrong option, a taken port, a missing file: one clear line, and a code that is not zero', async ({
  folder,
}) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  const as = (party: string): string[] => ['--config', configOf(folder, party), '--store', ':memory:'];
  try {
    await assertRefused([
      [
        facilitator,
        [...as('facilitator'), '--port', String(port)],
        /cannot listen on 127\.0\.0\.1:\d+: the port is taken; choose another with --port/,
      ],
      [
        facilitator,
        ['--port', '70000'],
        /'--port <number>' argument '70000' is invalid\. expected a number from 0 to 65535/,
      ],
      [facilitator, ['--port', '8o8o'], /expected a number from 0 to 65535/],
      [
        facilitator,
        [],
        /'--port <number>' value 'many' from env 'SEALSUM_PORT' is invalid/,
        { env: { SEALSUM_PORT: 'many' } },
      ],
      [facilitator, ['--prot', '1'], /unknown option '--prot' \(Did you mean --port\?\)/],
      [facilitator, ['8080'], /too many arguments/],
      [facilitator, ['--log-level', 'loud'], /Allowed choices are trace, debug, info, warn, error, silent/],
      [
        facilitator,
        [...as('facilitator'), '--host', '203.0.113.1'],
        /tls is missing: 203\.0\.113\.1 is more than this/,
      ],
      [dataOwner, [...as('north'), '--data', '/nowhere.csv'], /the data file \/nowhere\.csv cannot be read/],
      [dataOwner, [...as('north'), '--data', folder.path], /is not a file/],
      [dataOwner, [...as('north'), '--name', 'no/rth'], /--name: expected 1 to 63 letters/],
      [dataOwner, [...as('north'), '--facilitator', 'localhost:8080'], /expected a URL such as http:/],
      [dataOwner, [...as('north'), '--facilitator', 'http://198.51.100.1:8080'], /without TLS; write https:/],
      [dataOwner, [...as('north'), '--port', String(port)], /the port is taken/],
      [modelOwner, [...as('model-owner'), '--data', '/nowhere.csv'], /the data file \/nowhere\.csv cannot be read/],
      [modelOwner, [...as('model-owner'), '--owners', 'north,,south'], /--owners: expected 1 to 63 letters/],
      [modelOwner, [...as('model-owner'), '--owners', 'north,south,north'], /owners north is named twice/],
      [modelOwner, [...as('model-owner'), '--owners', 'north,nobody'], /nobody/],
      [modelOwner, ['--facilitator', 'ftp://example.org'], /expected a URL such as http:/],
    ]);
  } finally {
    taken.close();
  }
});

test('a configuration, identity, roster or store that is wrong: one clear line that says what to do', async ({
  folder,
}) => {
  const copy = `${folder.path}/copy`;
  await cp(`${folder.path}/north`, copy, { recursive: true });
  const file = `${copy}/config.toml`;
  const text = await readFile(file, 'utf8');
  const edited = async (name: string, edit: (text: string) => string): Promise<string[]> => {
    await writeFile(`${copy}/${name}.toml`, edit(text));
    return ['--config', `${copy}/${name}.toml`];
  };
  await chmod(`${copy}/identity.json`, 0o644);
  await mkdir(`${copy}/empty`);
  const south = `${folder.path}/south`;
  await assertRefused([
    [
      dataOwner,
      [],
      /there is no config\.toml here: name one with --config FILE, or make a project with sealsum init/,
      { cwd: `${copy}/empty` },
    ],
    [facilitator, ['--config', configOf(folder, 'north')], /role is data-owner; this starts a facilitator/],
    [
      dataOwner,
      await edited('unknown', (all) => all.replace('store =', 'stor =')),
      /stor is not a known field; did you mean store\?/,
    ],
    [dataOwner, await edited('broken', (all) => `${all}\n[`), /broken\.toml, line \d+: /],
    [dataOwner, await edited('open', (all) => all), /identity\.json can be read by others; chmod 600/],
    [
      dataOwner,
      await edited('silent', (all) => all.replace(/^passphrase_file.*$/m, '')),
      /set SEALSUM_PASSPHRASE, or start at a terminal/,
    ],
    [
      dataOwner,
      await edited('other', (all) =>
        all
          .replace('"passphrase"', `"${south}/passphrase"`)
          .replace('"identity.json"', `"${folder.path}/north/identity.json"`),
      ),
      /passphrase/,
    ],
    [
      dataOwner,
      await edited('stranger', (all) => all.replace('"north"', '"east"')),
      /roster\.toml does not name east: get the present roster\.toml/,
    ],
    [
      dataOwner,
      await edited('impostor', (all) =>
        all.replace('"north"', '"south"').replace('"identity.json"', `"${folder.path}/north/identity.json"`),
      ),
      /identity/,
    ],
    [dataOwner, ['--config', configOf(folder, 'north'), '--store', `${copy}/none/state.sqlite`], /none/],
    [
      dataOwner,
      ['--config', configOf(folder, 'north'), '--store', 'mysql://localhost/sums'],
      /store expected a path, or a URL that begins with postgres/,
    ],
  ]);
});

test('--help names every option with its variable and default; --version is the version', async () => {
  const { code, output, complaint } = await runScript(dataOwner, ['--help']);
  assert.deepEqual([code, complaint], [0, '']);
  for (const name of ['CONFIG', 'PORT', 'HOST', 'STORE', 'LOG_LEVEL', 'FACILITATOR', 'OWNER', 'DATA'])
    assert.ok(output.includes(`SEALSUM_${name}`), name);
  assert.match((await runScript(modelOwner, ['--version'])).output, /^\d+\.\d+\.\d+\n$/);
});

test.run();
