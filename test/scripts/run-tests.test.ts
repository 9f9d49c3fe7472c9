import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';

const runner = fileURLToPath(new URL('../../scripts/run-tests.ts', import.meta.url));
const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));

const test = suite('the test runner');

/** Runs the runner in a folder that holds these test files. */
function runIn(files: Readonly<Record<string, string>>, ...args: string[]): { code: number | null; output: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sealsum-runner-'));
  try {
    mkdirSync(join(folder, 'test'));
    symlinkSync(modules, join(folder, 'node_modules'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'test', name), text);
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', runner, ...args], {
      cwd: folder,
      encoding: 'utf8',
    });
    return { code: status, output: stdout + stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const header = "import { test } from 'uvu';\n";
const passing = `${header}test('a', () => {});\ntest('b', () => {});\ntest.run();\n`;

test('adds up what passes', () => {
  const { code, output } = runIn({ 'a.test.ts': passing, 'b.test.ts': passing });
  assert.equal(code, 0);
  assert.match(output, /^4 passed, 0 failed, 0 skipped$/m);
});

test('fails with a test that fails, and shows it', () => {
  const failing = `${header}test('a', () => {});\ntest('wrong', () => { throw new Error('seen'); });\ntest.run();\n`;
  const { code, output } = runIn({ 'a.test.ts': failing, 'b.test.ts': passing });
  assert.equal(code, 1);
  assert.match(output, /seen/);
  assert.match(output, /^3 passed, 1 failed, 0 skipped$/m);
});

test('fails with a file that forgets to run its tests', () => {
  const { code, output } = runIn({ 'a.test.ts': passing, 'b.test.ts': `${header}test('a', () => {});\n` });
  assert.equal(code, 1);
  assert.match(output, /b\.test\.ts: ran no test \(does it call \.run\(\)\?\)/);
  assert.match(output, /^2 passed, 1 failed, 0 skipped$/m);
});

test('fails with a file that has no test, or that ends early', () => {
  assert.equal(runIn({ 'a.test.ts': `${header}test.run();\n` }).code, 1);
  assert.equal(runIn({ 'a.test.ts': `${header}test('a', () => {});\ntest.run();\nprocess.exit(0);\n` }).code, 1);
});

test('fails with a source that is none, by its name', () => {
  const { code, output } = runIn({ 'a.test.ts': passing, 'broken.test.ts': `${header}test('a', () => {` });
  assert.notEqual(code, 0);
  assert.match(output, /test\/broken\.test\.ts:\d+:\d+: ERROR: /);
});

/** Not as one word, since it is replaced in strings as well when this file is bundled. */
const ownAddress = ['import', 'meta', 'url'].join('.');

test('a test file knows where its source is, and the lines of its source in what fails', () => {
  const looking = `${header}
import { basename } from 'node:path';
test('address', () => {
  if (basename(${ownAddress}) !== 'a.test.ts') throw new Error(${ownAddress});
});
test('wrong', () => { throw new Error('seen'); });
test.run();
`;
  const { output } = runIn({ 'a.test.ts': looking });
  assert.match(output, /^1 passed, 1 failed, 0 skipped$/m);
  assert.match(output, /test\/a\.test\.ts:7:/);
});

test('says what took the processors', () => {
  const busy = `${header}test('a', () => { while (process.cpuUsage().user < 1e6); });\ntest.run();\n`;
  const { output } = runIn({ 'busy.test.ts': busy, 'idle.test.ts': passing });
  const [, first = '', seconds = ''] = /most of it:\n +(\S+): \S+ s, processor (\S+) s$/m.exec(output) ?? [];
  assert.equal(first, 'test/busy.test.ts');
  assert.ok(Number(seconds) > 0, output);
});

test('fails with a pattern that matches nothing', () => {
  const { code, output } = runIn({ 'a.test.ts': passing }, 'nothing');
  assert.equal(code, 1);
  assert.match(output, /no test file matches \/nothing\//);
});

test('counts what is skipped', () => {
  const { code, output } = runIn({
    'a.test.ts': `${header}test('a', () => {});\ntest.skip('b', () => {});\ntest.run();\n`,
  });
  assert.equal(code, 0);
  assert.match(output, /^1 passed, 0 failed, 1 skipped$/m);
});

test.run();
