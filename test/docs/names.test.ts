/** What the pages name is there, and what there is they name: commands, scripts, layers, dependencies, fields and rules. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Command } from 'commander';
import { suite } from 'uvu';
import { z } from 'zod';
import { wholeProgram } from '../../src/cli/command-table.ts';
import { commands } from '../../src/cli/commands.ts';
import { createConfig } from '../../src/config/config-file.ts';
import { ownerPolicySchema } from '../../src/config/owner-policy.ts';
import { modelSchema } from '../../src/learning/model-schema.ts';
import { type Role, roles } from '../../src/protocol/identity.ts';
import { root } from '../support/program.ts';
import { pagesOf } from './pages.ts';

const test = suite('names in the pages');

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const readme = read('README.md');
const manifest = JSON.parse(read('package.json')) as Readonly<
  Record<'scripts' | 'dependencies' | 'devDependencies', Readonly<Record<string, string>>>
>;

/** What stands as commands in a page: blocks for the shell, and spans. */
function codeOf(page: string): string {
  const blocks = [...page.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = '']) => block);
  const spans = [...page.replaceAll(/^```.*?^```/gms, '').matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span);
  return [...blocks, ...spans].join('\n');
}

/** The rows of the tables below a heading, or below a line that ends with a colon. */
function rowsAfter(page: string, mark: string): readonly string[] {
  const start = page.indexOf(mark);
  assert.ok(start >= 0, mark);
  const [table = ''] = /(^\|.*\n)+/m.exec(page.slice(start)) ?? [];
  return table.split('\n').slice(2, -1);
}

test('every command that is named is one', async () => {
  const program = await wholeProgram(commands);
  const known = new Map<string, Command>(program.commands.map((command) => [command.name(), command]));
  let named = 0;
  for (const path of pagesOf(root)) {
    const code = codeOf(readFileSync(path, 'utf8'));
    for (const [, name = '', below = ''] of code.matchAll(
      /(?:^|npx |\$\(|[;&|] )sealsum ([a-z]+(?:-[a-z]+)*)(?: ([a-z]+))?/gm,
    )) {
      const command = known.get(name);
      assert.ok(command !== undefined, `${relative(root, path)}: sealsum ${name}`);
      if (command.commands.length > 0 && below !== '')
        assert.ok(
          command.commands.some((each) => each.name() === below),
          `${relative(root, path)}: sealsum ${name} ${below}`,
        );
      named += 1;
    }
  }
  assert.ok(named > 100, String(named));
});

test('every script that is named is one', () => {
  for (const path of pagesOf(root)) {
    const code = codeOf(readFileSync(path, 'utf8'));
    const where = relative(root, path);
    for (const [, name = ''] of code.matchAll(/npm run (?:--silent )?([a-z]+(?::[a-z]+)?)/g))
      assert.ok(name in manifest.scripts, `${where}: npm run ${name}`);
    // FILE and PATH stand for any.
    for (const [file] of code.matchAll(
      /(?<![\w/.*-])(?:scripts|test|src|parties|examples)\/[\w./-]*\.(?:sh|ts|yaml)\b/g,
    ))
      if (!/\b[A-Z]+\b/.test(file)) assert.ok(existsSync(join(root, file)), `${where}: ${file}`);
  }
});

test('the README has a reason for each dependency, and for none that there is not', () => {
  const said = new Set(
    rowsAfter(readme, 'Why each dependency is there:').flatMap((row) => {
      const [, cell = ''] = row.split('|');
      return cell
        .replace(/^[^:]*:/, '')
        .split(/,| with /)
        .map((name) => name.trim());
    }),
  );
  const all = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)];
  // Types go with what they are of; these two are known by shorter names.
  const expected = all
    .filter((name) => !name.startsWith('@types/'))
    .map((name) => (name === '@biomejs/biome' ? 'biome' : name));
  assert.deepEqual(
    expected.filter((name) => !said.has(name)),
    [],
  );
  const words = new Set([...expected, "types of Node and of others' packages"]);
  assert.deepEqual(
    [...said].filter((name) => !words.has(name)),
    [],
  );
});

test('the README has a row for each folder of the source', () => {
  const rows = rowsAfter(readme, 'The layers, lowest first;').map((row) => row.split('|')[1] ?? '');
  const said = new Set(rows.flatMap((cell) => [...cell.matchAll(/`src\/([a-z-]+)\/`/g)].map(([, name]) => name)));
  const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).flatMap((each) =>
    each.isDirectory() ? [each.name] : [],
  );
  assert.deepEqual([...said].sort(), folders.sort());
});

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
}

/** The names of all fields, however deep. */
function fieldsOf(schema: JsonSchema, found = new Set<string>()): Set<string> {
  for (const [name, below] of Object.entries(schema.properties ?? {})) {
    found.add(name);
    // It holds what GET /models/{id}/parameters gives, which is named as a whole.
    if (name !== 'initial_parameters') fieldsOf(below, found);
  }
  for (const part of [schema.items, ...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])])
    if (part !== undefined) fieldsOf(part, found);
  return found;
}

const schemaOf = (schema: z.ZodType): JsonSchema =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;

test('the README names every field of model.json', () => {
  const table = rowsAfter(readme, '## model.json').join('\n');
  const fields = fieldsOf(schemaOf(modelSchema));
  assert.ok(fields.size > 40, [...fields].join(' '));
  // Bounds that sealsum train writes: docs/statistics.md.
  fields.delete('within');
  assert.deepEqual(
    [...fields].filter((name) => !new RegExp(`\\b${name}\\b`).test(table)),
    [],
  );
});

/** The settings of a table of config.toml, as the refusal of one that there is not lists them. */
function settingsOf(role: Role, table: string, needed: Readonly<Record<string, string>> = {}): readonly string[] {
  const unknown = { ...needed, qqqqqqqqqqqq: 1 };
  const tables = { role, name: 'north', ...(table === '' ? unknown : { [table]: unknown }) };
  try {
    createConfig(role, tables, 'config.toml');
  } catch (error) {
    const [, list = ''] = /; known here are (.*)$/.exec((error as Error).message) ?? assert.fail(String(error));
    return list.split(', ').map((name) => (table === '' ? name : `${table}.${name}`));
  }
  return assert.fail('a field that is not known was taken');
}

test('the page on config.toml has every setting of every role, and none that there is not', () => {
  const page = read('docs/configuration.md');
  const said = [...page.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([a-z_.]+)`/g)].map(([, name = '']) => name),
  );
  const tables = ['listen', 'dashboard', 'limits', 'retention', 'browsers', 'facilitator'] as const;
  const known = new Set(
    roles.flatMap((role) => {
      const top = settingsOf(role, '');
      const inTables = tables.filter((table) => top.includes(table)).flatMap((table) => settingsOf(role, table));
      const tls = settingsOf(role, 'tls', { certificate: 'c', key: 'k' });
      return [...top.filter((name) => name !== 'tls' && !tables.some((table) => table === name)), ...inTables, ...tls];
    }),
  );
  assert.deepEqual([...new Set(said)].sort(), [...known].sort());
});

test('the how-to on budgets has every rule of a policy', () => {
  const page = read('docs/how-to/privacy-budget.md');
  const rows = rowsAfter(page, '| rule | meaning |').map((row) => row.split('|')[1] ?? '');
  const said = rows.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name));
  assert.deepEqual(said.toSorted(), [...fieldsOf(schemaOf(ownerPolicySchema))].sort());
});

test.run();
