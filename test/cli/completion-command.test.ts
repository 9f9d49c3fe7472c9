/** `sealsum completion`: the scripts as the shells themselves complete with them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import { wholeProgram } from '../../src/cli/command-table.ts';
import { commands } from '../../src/cli/commands.ts';
import { completionScript, shells } from '../../src/cli/completion-scripts.ts';
import { runSealsum } from './run.ts';

const test = suite<{ folder: string }>('sealsum completion');

test.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'sealsum-completion-'));
  const program = await wholeProgram(commands);
  for (const shell of shells) await writeFile(join(context.folder, shell), completionScript(shell, program));
});

test.after(({ folder }) => rm(folder, { recursive: true }));

/** What bash offers for the last of the words. */
function inBash(folder: string, ...words: readonly string[]): readonly string[] {
  const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sealsum; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const ran = spawnSync(
    'bash',
    ['--noprofile', '--norc', '-c', script, 'bash', join(folder, 'bash'), 'sealsum', ...words],
    {
      encoding: 'utf8',
    },
  );
  assert.deepEqual([ran.status, ran.stderr], [0, '']);
  return ran.stdout.split('\n').filter(Boolean);
}

test('bash completes commands, those below them, options, and their choices', ({ folder }) => {
  assert.deepEqual(inBash(folder, 'ver'), ['verify']);
  assert.deepEqual(inBash(folder, 'verify', ''), ['log', 'receipt', 'model']);
  assert.deepEqual(inBash(folder, 'verify', 'log', '--n'), ['--name', '--noted']);
  assert.deepEqual(inBash(folder, 'simulate-training', '--bits', ''), ['16', '32', '64']);
  assert.deepEqual(inBash(folder, 'simulate-training', '--owners', '3', '--bits', '6'), ['64']);
  assert.deepEqual(inBash(folder, 'completion', 'z'), ['zsh']);
  assert.deepEqual(inBash(folder, 'consent', 'job', 're'), ['refuse']);
  assert.deepEqual(inBash(folder, '-v', 'privacy', '--json', '--accountant', 'dd'), ['ddgauss']);
  assert.deepEqual(inBash(folder, 'facilitator', '--po'), ['--port']);
  // What is left empty the shell fills with files.
  assert.deepEqual(inBash(folder, 'init', '--owners', ''), []);
  assert.deepEqual(inBash(folder, 'train', 'mod'), []);
  // A value that is called like a command is none.
  assert.deepEqual(inBash(folder, 'train', 'verify', '--tok'), ['--token-file']);
});

test('bash knows every command and every option', async ({ folder }) => {
  const program = await wholeProgram(commands);
  assert.deepEqual([...inBash(folder, '')].sort(), program.commands.map((command) => command.name()).sort());
  for (const command of program.commands) {
    const expected = command.options.flatMap(({ flags }) => flags.match(/--[a-z0-9-]+/g) ?? []).concat('--help');
    assert.deepEqual([...inBash(folder, command.name(), '--')].sort(), expected.sort(), command.name());
  }
});

const [zsh, fish] = ['zsh', 'fish'] as const;
for (const shell of [zsh, fish]) {
  const missing = spawnSync(shell, ['--version']).error !== undefined;
  const name = `${shell} takes the script`;
  if (missing) {
    console.log(`skipped: there is no ${shell}`);
    test.skip(name);
  } else
    test(name, ({ folder }) => {
      const ran = spawnSync(shell, ['-n', join(folder, shell)], { encoding: 'utf8' });
      assert.deepEqual([ran.status, ran.stderr], [0, '']);
    });
  if (missing) test.skip(`${shell} completes`);
  else
    test(`${shell} completes commands, those below them, options, and their choices`, ({ folder }) => {
      const ask = shell === 'zsh' ? inZsh : inFish;
      for (const [words, expected] of [
        [
          ['verify', ''],
          ['log', 'model', 'receipt'],
        ],
        [
          ['simulate-training', '--bits', ''],
          ['16', '32', '64'],
        ],
        [
          ['-v', 'completion', ''],
          ['bash', 'fish', 'zsh'],
        ],
        [
          ['consent', 'job', ''],
          ['approve', 'refuse'],
        ],
      ] as const)
        assert.deepEqual([...ask(folder, ...words)].sort(), expected, words.join(' '));
      const flags = ask(folder, 'verify', 'log', '--');
      for (const flag of ['--noted', '--json', '--help']) assert.ok(flags.includes(flag), flag);
      assert.ok(!flags.includes('--facilitator'));
      const named = ask(folder, 'predict', '--');
      for (const flag of ['--url', '--model-owner']) assert.ok(named.includes(flag), flag);
    });
}

/** What the functions of zsh's own completion are given. */
function inZsh(folder: string, ...words: readonly string[]): readonly string[] {
  const script = `
compdef() { : }
_files() { : }
compadd() { shift; print -rl -- "$@" }
_describe() { local -a all=("\${(@P)2}"); print -rl -- "\${all[@]%%:*}" }
source "$1"; shift
words=("$@"); CURRENT=$#
_sealsum`;
  const ran = spawnSync(zsh, ['-f', '-c', script, 'zsh', join(folder, 'zsh'), 'sealsum', ...words], {
    encoding: 'utf8',
  });
  assert.equal(ran.stderr, '');
  return ran.stdout.split('\n').filter(Boolean);
}

function inFish(folder: string, ...words: readonly string[]): readonly string[] {
  const script = `source ${join(folder, 'fish')}; complete -C ${JSON.stringify(['sealsum', ...words].join(' '))}`;
  const ran = spawnSync(fish, ['--no-config', '-c', script], { encoding: 'utf8' });
  assert.deepEqual([ran.status, ran.stderr], [0, '']);
  return ran.stdout
    .split('\n')
    .flatMap((line) => line.split('\t')[0] ?? [])
    .filter(Boolean);
}

test('as a process; another shell is refused by name', async () => {
  const ran = await runSealsum(['completion', 'bash']);
  assert.deepEqual([ran.code, ran.errors], [0, '']);
  assert.match(ran.output, /^complete -o default -F _sealsum sealsum$/m);
  const refused = await runSealsum(['completion', 'bsh']);
  assert.equal(refused.code, 2);
  assert.match(refused.errors, /Allowed choices are bash, zsh, fish\. \(Did you mean bash\?\)/);
});

test.run();
