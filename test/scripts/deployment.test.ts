/** The units for systemd and the compose file: what they name is there, and goes together. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import { defaultPorts } from '../../src/config/party-config.ts';
import { type Role, roles } from '../../src/protocol/identity.ts';

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const units = join(root, 'scripts/systemd');

const test = suite('units and compose file');

/** What systemd says of a unit file with this text; nothing when it has nothing to find fault with. */
function verify(name: string, text: string): { code: number | null; said: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sealsum-units-'));
  try {
    const file = join(folder, name);
    writeFileSync(file, text);
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' });
    return { code: status, said: stdout + stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const role of roles) {
  const file = `sealsum-${role}@.service`;
  const text = (): string => readFileSync(join(units, file), 'utf8');

  test(`${file}: systemd finds no fault with it, and would find one`, () => {
    if (spawnSync('systemd-analyze', ['--version']).status !== 0) {
      console.log('skipped: there is no systemd-analyze');
      return;
    }
    const here = text().replaceAll('/opt/sealsum', root);
    const instance = file.replace('@', '@north');
    assert.deepEqual(verify(instance, here), { code: 0, said: '' });
    assert.match(verify(instance, here.replace('ProtectHome', 'ProtectHomes')).said, /Unknown key/);
    assert.notEqual(verify(instance, here.replace('.sh --config', '.sch --config')).code, 0);
  });

  test(`${file}: starts the party as its user, from its folder, with its credential`, () => {
    const setting = (name: string): string[] =>
      [...text().matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value ?? '');
    const script = `scripts/run_${role.replace('-', '_')}.sh`;
    assert.deepEqual(setting('ExecStart'), [`/opt/sealsum/${script} --config /etc/sealsum/%i/config.toml`]);
    accessSync(join(root, script), constants.X_OK);
    assert.deepEqual(setting('LoadCredentialEncrypted'), ['passphrase:/etc/sealsum/%i/passphrase.cred']);
    assert.ok(text().includes(`passphrase_file = "/run/credentials/sealsum-${role}@`));
    assert.deepEqual(setting('User'), ['sealsum']);
    assert.deepEqual([...setting('Restart'), ...setting('KillSignal')], ['always', 'SIGTERM']);
  });
}

test('no unit is without a role', () => {
  assert.deepEqual(readdirSync(units).sort(), roles.map((role) => `sealsum-${role}@.service`).sort());
});

const compose = readFileSync(join(root, 'scripts/compose.yaml'), 'utf8');

/** The services of the compose file: the lines below each name. */
function services(): Map<string, string> {
  const [, list = ''] = compose.split(/^services:$/m);
  const [body = ''] = list.split(/^\S/m);
  return new Map(
    body
      .split(/^ {2}(?=[a-z])/m)
      .slice(1)
      .map((text) => [text.slice(0, text.indexOf(':')), text]),
  );
}

function commandOf(text: string): string[] {
  const [, command] = /^ {4}command: (\[.*\])$/m.exec(text) ?? [];
  return JSON.parse(command ?? '[]') as string[];
}

test('compose.yaml: its commands start what is there, with the configurations that sealsum init makes', () => {
  const found = services();
  const kinds: Readonly<Record<string, Role>> = {
    facilitator: 'facilitator',
    'owner-1': 'data-owner',
    'owner-2': 'data-owner',
    'owner-3': 'data-owner',
    'model-owner': 'model-owner',
  };
  assert.deepEqual([...found.keys()], ['init', ...Object.keys(kinds)]);
  for (const [name, role] of Object.entries(kinds)) {
    const [script = '', option, config, ...data] = commandOf(found.get(name) ?? '');
    assert.equal(script, `scripts/run_${role.replace('-', '_')}.sh`);
    accessSync(join(root, script), constants.X_OK);
    assert.deepEqual([option, config], ['--config', `/project/trial/${name}/config.toml`]);
    if (role === 'data-owner') assert.deepEqual(data, ['--data', '/data/data.csv']);
    else assert.deepEqual(data, []);
  }
  const [shell, , making = ''] = commandOf(found.get('init') ?? '');
  assert.equal(shell, 'bash');
  assert.match(
    making,
    /^test -e \/project\/trial\/roster\.toml \|\| node dist\/src\/cli\/main\.js init \/project\/trial$/,
  );
  assert.ok(existsSync(join(root, 'src/cli/main.ts')));
});

test('compose.yaml: the folders that it mounts and the files that it builds from are there', () => {
  const folder = join(root, 'scripts');
  const context = /^ +context: (\S+)$/m.exec(compose)?.[1] ?? '';
  assert.equal(resolve(folder, context), root);
  const mounted = [...compose.matchAll(/"(\.\.?\/[^":]+):/g)].map(([, path]) => resolve(folder, path ?? ''));
  assert.deepEqual(mounted, [join(root, 'examples/linear')]);
  assert.ok(existsSync(join(root, 'examples/linear/data.csv')));
  assert.match(compose, /RUN scripts\/prepare\.sh && /);
  accessSync(join(root, 'scripts/prepare.sh'), constants.X_OK);
  // What was installed and built on this machine is for this machine.
  const ignored = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
  for (const each of ['node_modules', 'dist', '.git']) assert.ok(ignored.includes(each), each);
});

test('compose.yaml: the commands in its comments are those of this project', () => {
  const [comments = ''] = compose.split(/^x-party/m);
  assert.ok(comments.includes(`127.0.0.1:${defaultPorts['model-owner']}/models --json @examples/linear/model.json`));
  for (const [, path = ''] of comments.matchAll(/(?:-f |@|see )([a-z][a-zA-Z0-9/.-]*[a-z/])/g))
    assert.ok(existsSync(join(root, path)), `${path}, ${dirname(path)}`);
});

test.run();
