/** What all commands have in common: help with examples that work, suggestions, exit codes, errors as JSON, colours, progress. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { type Command, CommanderError } from 'commander';
import { suite } from 'uvu';
import { hasColours } from '../../src/cli/colours.ts';
import { argumentsOf, programFor, wholeProgram } from '../../src/cli/command-table.ts';
import { commands } from '../../src/cli/commands.ts';
import { exitCodes, runProgram, untilInterrupted } from '../../src/cli/program.ts';
import { createProgress } from '../../src/cli/progress.ts';
import { alignedTable } from '../../src/cli/table.ts';
import { SealsumError } from '../../src/errors.ts';
import { program as programOf } from '../support/program.ts';
import { capture } from './capture.ts';

const test = suite('the program');
const all = Object.values(commands).flat();
const visible = all.filter(({ hidden }) => hidden !== true);

/** Commands that do something, with those below a command that has some. */
function leaves(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function helpOf(command: Command): string {
  let help = '';
  command.configureOutput({
    writeOut: (text) => {
      help += text;
    },
  });
  command.outputHelp();
  return help;
}

/** The words of every `sealsum …` in the examples of a help text, as a shell would split them. */
function examplesOf(help: string): string[][] {
  const after = /^Examples:\n((?: {2}.*\n?)+)/m.exec(help)?.[1] ?? '';
  return after
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .flatMap((line) => line.split(/ \| /))
    .flatMap((part) => {
      const [, rest] = /(?:^|\s)sealsum (.*?)(?: [<>] .*)?$/.exec(part) ?? [];
      if (rest === undefined) return [];
      return [[...rest.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, one, two, bare]) => one ?? two ?? bare ?? '')];
    });
}

test('the table says what the commands say, and each can be found alone', async () => {
  const whole = await wholeProgram(commands);
  assert.deepEqual(
    whole.commands.map((command) => [command.name(), command.summary()]).sort(),
    visible.map(({ name, summary }) => [name, summary]).sort(),
  );
  for (const { name } of all) {
    const program = await programFor(commands, ['node', 'sealsum', '-v', name, 'x']);
    assert.ok(
      program.commands.some((command) => command.name() === name),
      name,
    );
  }
});

test('every command has a description, examples in its help, and every example can be parsed', async () => {
  const whole = await wholeProgram(commands);
  let parsed = 0;
  for (const command of whole.commands.flatMap(leaves)) {
    const name = pathOf(command);
    assert.ok(command.description().length > 10, name);
    const examples = examplesOf(helpOf(command));
    assert.ok(examples.length > 0, `${name} has no examples`);
    for (const words of examples) {
      // Parsed by a program of its own: values stay with the command that parsed them.
      const program = await programFor(commands, ['node', 'sealsum', ...words]);
      let ran = '';
      for (const leaf of program.commands.flatMap(leaves))
        leaf.action(() => {
          ran = pathOf(leaf);
        });
      await program.parseAsync(['node', 'sealsum', ...words]).catch((error: unknown) => {
        throw new Error(`${words.join(' ')}: ${String(error)}`);
      });
      assert.ok(`sealsum ${words.join(' ')}`.startsWith(ran) && ran !== '', words.join(' '));
      parsed += 1;
    }
  }
  assert.ok(parsed > visible.length);
});

test('every command that prints anything has --json', async () => {
  const whole = await wholeProgram(commands);
  // Parties log JSON in any case, and a completion is a script.
  const without = new Set(['facilitator', 'data-owner', 'model-owner', 'completion']);
  for (const command of whole.commands.flatMap(leaves)) {
    const has = command.options.some(({ long }) => long === '--json');
    assert.equal(has, !without.has(command.name()), pathOf(command));
  }
});

async function run(...words: readonly string[]): Promise<{ code: number; output: string; errors: string }> {
  const argv = argumentsOf(['node', 'sealsum', ...words]);
  return await capture(async () => {
    await runProgram(await programFor(commands, argv), argv);
  });
}

test('a misspelt command, option or choice is refused with what may have been meant', async () => {
  for (const [words, complaint] of [
    [['inti', 'x'], "unknown command 'inti' (Did you mean init?)"],
    [['init', 'x', '--onwers', 'a'], "unknown option '--onwers' (Did you mean --owners?)"],
    [
      ['simulate-training', '--bits', '46'],
      "option '--bits <count>' argument '46' is invalid. Allowed choices are 16, 32, 64. (Did you mean 16?)",
    ],
    [
      ['privacy', '--accountant', 'ddgaus'],
      "option '--accountant <name>' argument 'ddgaus' is invalid. Allowed choices are zcdp, rdp, pld, gaussian, ddgauss, skellam. (Did you mean ddgauss?)",
    ],
    [['frobnicate-everything'], "unknown command 'frobnicate-everything'"],
    [['help', 'inti'], "unknown command 'inti' (Did you mean init?)"],
    [['inti', '--help'], "unknown command 'inti' (Did you mean init?)"],
  ] as const)
    assert.deepEqual(await run(...words), { code: 2, output: '', errors: `sealsum: ${complaint}\n` });
});

test('help is the same for help COMMAND, and no error', async () => {
  const asked = await run('help', 'init');
  assert.deepEqual(asked, await run('init', '--help'));
  assert.deepEqual([asked.code, asked.errors], [0, '']);
  const overview = await run('--help');
  for (const { name } of visible) assert.match(overview.output, new RegExp(`^ {2}${name} `, 'm'));
  for (const { name } of all.filter(({ hidden }) => hidden === true))
    assert.doesNotMatch(overview.output, new RegExp(`^ {2}${name} `, 'm'));
  for (const heading of Object.keys(commands)) assert.ok(overview.output.includes(`\n${heading}\n`), heading);
  for (const code of Object.values(exitCodes)) assert.match(overview.output, new RegExp(`\\b${code}\\b`));
  const alone = await run();
  assert.deepEqual(alone, { code: 2, output: '', errors: overview.output });
});

test('with --json an error is one problem object on standard error, with the exit code', async () => {
  const used = await run('ledger', '--jsn', '--json');
  assert.deepEqual([used.code, used.output], [2, '']);
  assert.deepEqual(JSON.parse(used.errors), {
    type: 'urn:sealsum:problem:usage',
    title: 'The command is used wrongly',
    detail: "unknown option '--jsn' (Did you mean --json?)",
    exit_code: 2,
  });
  const refused = await run('fingerprints', '/nowhere/roster.toml', '--json');
  assert.deepEqual([refused.code, refused.output], [2, '']);
  assert.deepEqual(JSON.parse(refused.errors), {
    type: 'urn:sealsum:problem:config-invalid',
    title: 'The configuration makes no sense',
    detail: '/nowhere/roster.toml cannot be read: there is no such file or folder',
    field: 'roster',
    exit_code: 2,
  });
  // What follows -- is no option.
  assert.match((await run('encrypt', 'nowhere.json', '--', '--json')).errors, /^sealsum: /);
});

test('errors have the exit codes that help tells', async () => {
  const notThere = await readFile('/nowhere').catch((error: unknown) => error);
  for (const [error, code] of [
    [new SealsumError('data_invalid', 'x'), 1],
    [new Error('x'), 1],
    [new CommanderError(1, 'commander.unknownOption', 'x'), 2],
    [new SealsumError('facilitator_unreachable', 'x'), 3],
    [new SealsumError('request_failed', 'x'), 3],
    [new SealsumError('aborted', 'x'), 130],
    [new SealsumError('config_invalid', 'x', { cause: notThere }), 2],
    [new SealsumError('config_invalid', 'x', { field: '--config' }), 2],
    [new SealsumError('config_invalid', 'x', { field: 'listen.port' }), 1],
    [new SealsumError('identity_invalid', 'x', { field: '--fingerprint' }), 1],
    [new SealsumError('data_invalid', 'x', { cause: new SealsumError('data_invalid', 'y', { cause: notThere }) }), 2],
  ] as const) {
    const program = (await programFor(commands, ['node', 'sealsum'])).action(() => Promise.reject(error));
    const { code: found, errors } = await capture(() => runProgram(program, ['node', 'sealsum']));
    assert.equal(found, code, String(error));
    assert.match(errors, /^sealsum: (Error: )?x\n/);
  }
});

test('what is interrupted ends with the exit code of the signal, in whatever words it is told', async () => {
  const stopped = (error: Error) => async (signal: AbortSignal) => {
    await once(signal, 'abort');
    throw error;
  };
  for (const [name, error, code, said] of [
    ['SIGINT', new SealsumError('aborted', 'the training was stopped'), 130, 'the training was stopped'],
    ['SIGTERM', new DOMException('This operation was aborted', 'AbortError'), 143, 'stopped'],
    ['SIGHUP', new SealsumError('request_failed', 'nobody answers'), 129, 'stopped'],
  ] as const) {
    const program = (await programFor(commands, ['node', 'sealsum'])).action(() => untilInterrupted(stopped(error)));
    const before = process.listenerCount(name);
    const ran = capture(() => runProgram(program, ['node', 'sealsum']));
    while (process.listenerCount(name) === before) await setImmediate();
    process.emit(name, name);
    assert.deepEqual(await ran, { code, output: '', errors: `sealsum: ${said}\n` });
    assert.equal(process.listenerCount(name), before);
  }
  const program = (await programFor(commands, ['node', 'sealsum'])).action(() =>
    untilInterrupted(() => Promise.reject(new SealsumError('request_failed', 'nobody answers'))),
  );
  assert.equal((await capture(() => runProgram(program, ['node', 'sealsum']))).code, 3);
});

test('a reader that leaves is no error; a disk that is full is one, told in a line', () => {
  const command = [process.execPath, ...programOf('src/cli/main.ts'), 'explain'].join(' ');
  const piped = spawnSync('bash', ['-c', `set -o pipefail; ${command} | head -n 1 > /dev/null`], { encoding: 'utf8' });
  assert.deepEqual([piped.status, piped.stderr], [0, '']);
  if (!existsSync('/dev/full')) return;
  const full = spawnSync('bash', ['-c', `${command} > /dev/full`], { encoding: 'utf8' });
  assert.deepEqual([full.status, full.stderr], [1, 'sealsum: standard output cannot be written: the disk is full\n']);
});

test('what others have written moves no cursor and makes no lines', async () => {
  const name = 'x\u001b[2Jy\u202ez\r\nprivacy  none';
  assert.deepEqual(alignedTable([[name, 'z']]), ['x\\u{1b}[2Jy\\u{202e}z\\u{d}\\u{a}privacy  none  z']);
  const program = (await programFor(commands, ['node', 'sealsum'])).action(() =>
    Promise.reject(new SealsumError('model_invalid', 'name\u001b[2J: no')),
  );
  const { errors } = await capture(() => runProgram(program, ['node', 'sealsum']));
  assert.equal(errors, 'sealsum: name\\u{1b}[2J: no\n');
});

test('colours are for terminals, unless NO_COLOR or FORCE_COLOR says otherwise', () => {
  const terminal = { isTTY: true };
  assert.equal(hasColours(terminal, {}), true);
  assert.equal(hasColours({}, {}), false);
  assert.equal(hasColours(terminal, { TERM: 'dumb' }), false);
  assert.equal(hasColours(terminal, { NO_COLOR: '1', FORCE_COLOR: '1' }), false);
  assert.equal(hasColours(terminal, { NO_COLOR: '' }), true);
  assert.equal(hasColours({}, { FORCE_COLOR: '1' }), true);
  assert.equal(hasColours(terminal, { FORCE_COLOR: '0' }), false);
});

test('the process has no colours where it is piped, and FORCE_COLOR gives them', () => {
  const help = (env: Record<string, string>): string =>
    spawnSync(process.execPath, [...programOf('src/cli/main.ts'), '--help'], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, ...env },
    }).stdout;
  assert.ok(!help({}).includes('\u001b'));
  assert.ok(help({ FORCE_COLOR: '1' }).startsWith('\u001b[1mUsage:'));
  assert.ok(!help({ FORCE_COLOR: '1', NO_COLOR: '1' }).includes('\u001b'));
});

test('progress has the time that is left on a terminal, and is silent where it is piped or for a machine', () => {
  const draw = (isTTY: boolean, json: boolean): string => {
    const stream = new PassThrough() as unknown as NodeJS.WriteStream;
    Object.assign(stream, { isTTY, columns: 200, rows: 50, cursorTo: () => true, clearLine: () => true });
    using progress = createProgress({ what: 'copying', unit: 'pages', json }, stream);
    progress.update(3, 10);
    progress.stop();
    return String((stream as unknown as PassThrough).read() ?? '');
  };
  assert.match(draw(true, false), /copying .* 3\/10 pages, .* left/);
  assert.equal(draw(true, true), '');
  assert.equal(draw(false, false), '');
});

test.run();
