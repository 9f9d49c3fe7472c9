/** Commands compute with the backend that SEALSUM_BACKEND names, or say why they cannot. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { suite } from 'uvu';
import { backendNames } from '../../src/paillier/backend.ts';
import { backends } from '../paillier/backends.ts';
import { program } from '../support/program.ts';

const test = suite('the backend of commands');

function run(backend: string): { readonly status: number | null; readonly stderr: string } {
  const args = [...program('src/cli/main.ts'), 'privacy', '--accountant', 'zcdp', '--rho', '1', '--delta', '0.1'];
  const env = { ...process.env, SEALSUM_BACKEND: backend };
  return spawnSync(process.execPath, args, { cwd: tmpdir(), env, encoding: 'utf8' });
}

test('the command finds every backend of this machine', () => {
  for (const { name } of backends) {
    const { status, stderr } = run(name);
    assert.deepEqual([status, stderr], [0, ''], name);
  }
  assert.equal(run('').status, 0);
});

test('a backend that is none, or is not here, is refused in one line', () => {
  const missing = backendNames.filter(
    (name) => name.startsWith('native') && backends.every((each) => each.name !== name),
  );
  for (const name of ['gmp', ...(missing.includes('native') ? ['native'] : [])]) {
    const { status, stderr } = run(name);
    assert.equal(status, 1, name);
    assert.match(stderr, /^sealsum: .*(SEALSUM_BACKEND: expected one of|the native kernel cannot be used).*\n$/);
  }
});

test.run();
