/** How the kernel is built, or not, in a copy of what the package ships for that. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import { findKernels } from '../../../src/paillier/native/kernel.ts';
import { loadAddon } from '../../../src/paillier/native/load-addon.ts';

const test = suite('building the kernel');

const root = fileURLToPath(new URL('../../../', import.meta.url));
const copy = mkdtempSync(join(tmpdir(), 'sealsum-build-'));
mkdirSync(join(copy, 'src/paillier'), { recursive: true });
mkdirSync(join(copy, 'scripts'));
cpSync(join(root, 'src/paillier/native'), join(copy, 'src/paillier/native'), { recursive: true });
cpSync(join(root, 'scripts/build-native.js'), join(copy, 'scripts/build-native.js'));
cpSync(join(root, 'package.json'), join(copy, 'package.json'));
symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
const built = join(copy, 'build', `kernel-${process.platform}-${process.arch}.node`);

function run(compiler: string | undefined, ...args: readonly string[]) {
  return spawnSync(process.execPath, [join(copy, 'scripts/build-native.js'), ...args], {
    encoding: 'utf8',
    env: { ...process.env, CXX: compiler },
  });
}

function refuses(compiler: string, why: RegExp): void {
  for (const [args, code] of [
    [[], 0],
    [['--require'], 1],
  ] as const) {
    const { status, stdout, stderr } = run(compiler, ...args);
    assert.equal(status, code, stderr);
    assert.equal(stdout, '');
    assert.match(stderr, why);
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
  }
}

test('without a compiler it says so on one line, and that is no failure unless the kernel is required', () => {
  refuses(
    '/nowhere/c++',
    /^sealsum: no native kernel, as there is no C\+\+ compiler \(\/nowhere\/c\+\+\); everything works without it, Paillier is slower$/m,
  );
});

test('nor is a compiler that cannot compile it', () => {
  const broken = join(copy, 'broken-compiler');
  writeFileSync(broken, '#!/bin/sh\n[ "$1" = --version ] || { echo "x.cc:1:1: error: too old" >&2; exit 1; }\n', {
    mode: 0o755,
  });
  refuses(broken, /^sealsum: no native kernel, as .*broken-compiler could not compile it: x\.cc:1:1: error: too old; /);
  assert.throws(() => statSync(built), { code: 'ENOENT' });
});

const compilerMissing = spawnSync(process.env.CXX ?? 'c++', ['--version']).status !== 0;
if (compilerMissing) console.log('skipped: building the kernel, there is no C++ compiler');
const withCompiler = (name: string, body: () => void): void => {
  if (compilerMissing) test.skip(name);
  else test(name, body);
};

withCompiler(
  'with one the kernel is built without a word, loads, and is built again only when its sources are newer',
  () => {
    const first = run(process.env.CXX, '--require');
    assert.equal(`${first.stdout}${first.stderr}`, '');
    assert.equal(first.status, 0);
    assert.deepEqual(readdirSync(join(copy, 'build')), [`kernel-${process.platform}-${process.arch}.node`]);
    assert.notEqual(typeof findKernels(loadAddon([built])), 'string', 'kernels that pass their tests');
    const made = statSync(built).mtimeMs;
    assert.equal(run('/nowhere/c++', '--require').status, 0);
    assert.equal(statSync(built).mtimeMs, made);
    const later = made / 1000 + 60;
    utimesSync(join(copy, 'src/paillier/native/words.h'), later, later);
    assert.equal(run('/nowhere/c++', '--require').status, 1);
  },
);

test.after(() => {
  rmSync(copy, { recursive: true });
});

test.run();
