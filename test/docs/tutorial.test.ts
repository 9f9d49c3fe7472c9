/**
 * docs/tutorial.md as it stands, in one shell, with real processes: every command succeeds and prints what the page says. Replaced are
 * the ports, by free ones, and the folder `trial`, by one that is this test's.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import { root } from '../support/program.ts';
import { assertPrinted, freePorts, openShell, type Shell, stepsOf } from './shell-page.ts';

interface Context {
  folder: string;
  shell: Shell;
  local: (text: string) => string;
}

const test = suite<Context>('tutorial');
const steps = stepsOf(readFileSync(join(root, 'docs', 'tutorial.md'), 'utf8'));

test.before(async (context) => {
  // The page prepares the checkout; where that takes long, it is not to count as a step that hangs.
  await promisify(execFile)(join(root, 'scripts', 'prepare.sh'));
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-tutorial-'));
  const first = await freePorts(5);
  const places = new Map([
    ['trial', join(folder, 'trial')],
    ['8080', String(first)],
    ['9090', String(first + 1)],
    ...[0, 1, 2].map((index) => [String(5000 + index), String(first + 2 + index)] as const),
  ]);
  context.folder = folder;
  context.local = (text) => text.replaceAll(/\b(trial|8080|9090|500[012])\b/g, (found) => places.get(found) ?? found);
  context.shell = openShell(root, { ...process.env, SEALSUM_PASSPHRASE: undefined });
});

test.after(async ({ shell, folder }) => {
  await shell[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test('the page has steps, and says of most what they print', () => {
  assert.ok(steps.length > 10);
  assert.ok(steps.filter(({ output }) => output !== undefined).length > 8);
});

for (const { heading, commands, output } of steps)
  test(`${heading}: ${commands.split('\n', 1)[0] ?? ''}`, async ({ shell, local }) => {
    const printed = await shell.run(local(commands), AbortSignal.timeout(120_000));
    if (process.env.SHOW !== undefined) console.log(printed);
    if (output !== undefined) assertPrinted(printed, local(output));
  });

test.run();
