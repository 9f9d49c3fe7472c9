/** docs/command-line.md says what the program understands; with UPDATE=1 its reference is written anew. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, Option } from 'commander';
import { suite } from 'uvu';
import { wholeProgram } from '../../src/cli/command-table.ts';
import { commands } from '../../src/cli/commands.ts';
import { exitCodes } from '../../src/cli/program.ts';
import { root } from '../support/program.ts';

const test = suite('docs/command-line.md');
const file = join(root, 'docs', 'command-line.md');
const mark = '<!-- Written by: UPDATE=1 node --import tsx test/cli/command-line-page.test.ts -->\n';

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}

function optionLine({ flags, description, argChoices, envVar, defaultValue, hidden }: Option): string[] {
  if (hidden) return [];
  const choices = argChoices === undefined ? '' : `; one of ${argChoices.join(', ')}`;
  const byDefault = ['string', 'number'].includes(typeof defaultValue) ? ` (default: ${String(defaultValue)})` : '';
  const env = envVar === undefined ? '' : ` (\`${envVar}\`)`;
  return [`| \`${flags.replaceAll('|', '\\|')}\` | ${cell(description + choices + byDefault)}${env} |`];
}

function sectionOf(command: Command, path: string): string {
  const usage = command.registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
    return argument.required ? `<${name}>` : `[${name}]`;
  });
  const args = command.registeredArguments.map(
    (argument) => `| \`<${argument.name()}>\` | ${cell(argument.description)} |`,
  );
  const options = command.options.flatMap(optionLine);
  const table = args.length + options.length === 0 ? [] : ['', '| | |', '|---|---|', ...args, ...options];
  const own = [`#### \`${[path, ...usage].join(' ')}\``, '', command.description(), ...table].join('\n');
  const below = command.commands.map((each) => sectionOf(each, `${path} ${each.name()}`));
  return [own, ...below].join('\n\n');
}

async function reference(): Promise<string> {
  const program = await wholeProgram(commands);
  const parts = Object.entries(commands).flatMap(([heading, rows]) => {
    const shown = rows.filter(({ hidden }) => hidden !== true);
    const sections = shown.map(({ name }) => {
      const command = program.commands.find((each) => each.name() === name);
      assert.ok(command !== undefined, name);
      return sectionOf(command, `sealsum ${name}`);
    });
    return [`### ${heading.replace(/:$/, '')}`, ...sections];
  });
  return `\n${parts.join('\n\n')}\n`;
}

test('every command, argument and option is on the page as the program has it', async () => {
  const expected = await reference();
  const [before = '', after] = readFileSync(file, 'utf8').split(mark);
  if (process.env.UPDATE === '1') writeFileSync(file, before + mark + expected);
  else assert.equal(after, expected, `write it anew: UPDATE=1 node --import tsx test/cli/command-line-page.test.ts`);
});

test('the exit codes are those of the program', () => {
  const page = readFileSync(file, 'utf8');
  for (const code of Object.values(exitCodes)) assert.match(page, new RegExp(`(^\\| |; )${code} (\\||by)`, 'm'));
});

test.run();
