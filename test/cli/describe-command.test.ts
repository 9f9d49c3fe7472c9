/** `sealsum describe`: files of every format and data sets of an owner, as proposals that are trained on end to end. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { suite } from 'uvu';
import { registerDescribeCommand } from '../../src/cli/describe-command.ts';
import { createProgram } from '../../src/cli/program.ts';
import { parseModel } from '../../src/learning/model.ts';
import { dealtOut, linearSample, textOf } from '../end-to-end/data.ts';
import { oneKey } from '../end-to-end/keys.ts';
import { getJson, startConsortium, trainOver } from '../end-to-end/parties.ts';
import { inPostgres, onEach, postgres, postgresUrl } from '../storage/places.ts';

interface Context {
  folder: string;
}

const test = suite<Context>('sealsum describe', { folder: '' });

test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'sealsum-describe-'));
});
test.after.each(({ folder }) => {
  rmSync(folder, { recursive: true, force: true });
});

interface Said {
  readonly out: string;
  readonly told: string;
}

async function run(...args: readonly string[]): Promise<Said> {
  const [out, told]: [string[], string[]] = [[], []];
  const program = createProgram().configureOutput({ outputError: () => undefined });
  registerDescribeCommand(
    program,
    (text) => out.push(text),
    (text) => told.push(text),
  );
  const quiet = (command: Command): void => {
    command.copyInheritedSettings(program);
  };
  program.commands.forEach(quiet);
  await program.parseAsync(['node', 'sealsum', 'describe', ...args]);
  return { out: out.join('\n'), told: told.join('\n') };
}

function saying(word: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof Error && word.test(error.message);
}

const csv = 'age,ward,stay\n40,a,3.5\n71,b,9\n55,a,4.25\n';

test('the model.json is on standard output, what the columns are on standard error', async ({ folder }) => {
  const file = join(folder, 'data.csv');
  writeFileSync(file, csv);
  const { out, told } = await run(file);
  const model = parseModel(JSON.parse(out));
  assert.deepEqual(model.data_props.target.name, 'stay');
  assert.match(out, /"range": \[40, 75\]/);
  assert.match(told, /^column +use +as +missing +different\nage +feature +discrete \[40, 75\] +0 +3\n/);
  assert.match(told, /\n3 records; LINEAR_REGRESSION\n/);
  assert.match(told, /\nwarning: ranges are this file's least and greatest values/);

  const path = join(folder, 'model.json');
  const written = await run(file, '--output', path, '--target', 'ward', '--dataset', 'trial.csv');
  assert.equal(written.told, '');
  assert.match(written.out, /^column/);
  const other = parseModel(JSON.parse(readFileSync(path, 'utf8')));
  assert.deepEqual([other.model_type, other.data_props.dataset], ['LOGISTIC_REGRESSION', 'trial.csv']);

  const json = JSON.parse((await run(file, '--json')).out) as Record<string, unknown>;
  assert.deepEqual(Object.keys(json), ['records', 'dropped', 'columns', 'warnings', 'model']);
  assert.deepEqual((json.columns as unknown[])[1], {
    name: 'ward',
    col_idx: 1,
    kind: 'texts',
    missing: 0,
    distinct: 2,
    levels: { a: 2, b: 1 },
  });
});

test('the same records in every format give the same model', async ({ folder }) => {
  const cells = csv
    .trim()
    .split('\n')
    .slice(1)
    .map((row) => row.split(','));
  const files: [string, string | Buffer][] = [
    ['data.csv', csv],
    ['data.tsv', csv.replaceAll(',', '\t')],
    [
      'data.jsonl',
      cells.map(([age, ward, stay]) => JSON.stringify({ age: Number(age), ward, stay: Number(stay) })).join('\n'),
    ],
    ['arrays.jsonl', [['age', 'ward', 'stay'], ...cells].map((row) => JSON.stringify(row)).join('\n')],
    [
      'data.parquet',
      Buffer.from(
        parquetWriteBuffer({
          columnData: [
            { name: 'age', data: cells.map(([age]) => Number(age)), type: 'INT32' },
            { name: 'ward', data: cells.map(([, ward]) => ward ?? ''), type: 'STRING' },
            { name: 'stay', data: cells.map(([, , stay]) => Number(stay)), type: 'DOUBLE' },
          ],
        }),
      ),
    ],
  ];
  const models = [];
  for (const [name, content] of files) {
    writeFileSync(join(folder, name), content);
    models.push((await run(join(folder, name))).out);
  }
  assert.equal(new Set(models).size, 1);
});

test('a first line with a number is a record', async ({ folder }) => {
  for (const [name, text] of [
    ['bare.csv', '1,2,3\n4,6,9\n7,7,1\n'],
    ['bare.jsonl', '[1,2,3]\n[4,6,9]\n[7,7,1]\n'],
  ] as const) {
    writeFileSync(join(folder, name), text);
    const { header, target } = parseModel(JSON.parse((await run(join(folder, name))).out)).data_props;
    assert.deepEqual([header, target.col_idx], [false, 2], name);
  }
  writeFileSync(join(folder, 'texts.csv'), 'a;1\nb;2\na;5\n');
  const { out } = await run(join(folder, 'texts.csv'), '--no-header', '--delimiter', 'semicolon', '--target', '1');
  assert.deepEqual(
    parseModel(JSON.parse(out)).data_props.features.map(({ col_idx }) => col_idx),
    [0],
  );
});

test('what cannot be is refused with the name of the file and what to do', async ({ folder }) => {
  const file = join(folder, 'data.csv');
  writeFileSync(file, 'a,b\n1\n');
  await assert.rejects(run(file), saying(/data\.csv: line 2 has 1 values/));
  await assert.rejects(run(), saying(/name a data file, or with --config/));
  await assert.rejects(run(file, '--config', file), saying(/name a data file, or with --config/));
  await assert.rejects(run(file, '--delimiter', 'pipe'), saying(/expected comma, semicolon or tab/));
  await assert.rejects(run(join(folder, 'none.csv')), saying(/none\.csv: the data file cannot be read \(ENOENT\)/));
  writeFileSync(file, csv);
  await assert.rejects(
    run(file, '--target', 'age', '--model-type', 'LOGISTIC_REGRESSION'),
    saying(/2 classes, and there are 3/),
  );
  await assert.rejects(run(file, '--output', join(folder, 'no', 'model.json')), saying(/there is no such folder/));
});

function ownerConfig(folder: string, more = ''): string {
  const config = join(folder, 'config.toml');
  writeFileSync(config, `name = "north"\nrole = "data-owner"\ndata = "data.csv"\n${more}`);
  chmodSync(config, 0o600);
  return config;
}

test("the data sets of an owner's configuration are described by name", async ({ folder }) => {
  const config = ownerConfig(folder);
  writeFileSync(join(folder, 'data.csv'), csv);
  mkdirSync(join(folder, 'datasets'));
  writeFileSync(join(folder, 'datasets', 'more.csv'), csv.replace('stay', 'days'));
  assert.equal(parseModel(JSON.parse((await run('--config', config)).out)).data_props.target.name, 'stay');
  const more = parseModel(JSON.parse((await run('--config', config, '--dataset', 'more.csv')).out)).data_props;
  assert.deepEqual([more.dataset, more.target.name], ['more.csv', 'days']);
  await assert.rejects(run('--config', config, '--dataset', '../data.csv'), saying(/expected the name of a data set/));
  await assert.rejects(run('--config', config, '--dataset', 'none'), saying(/none: the data file cannot be read/));
});

onEach(
  test,
  'sealsum describe',
  'a query of a database is described as a file is',
  async ({ location }) => {
    const folder = mkdtempSync(join(tmpdir(), 'sealsum-describe-'));
    try {
      const schema = new URL(location).searchParams.get('schema') ?? '';
      await inPostgres(`create schema ${schema}`);
      await inPostgres(
        `create table ${schema}.stays as select * from (values (40, 'a', 3.5), (71, 'b', 9), (55, 'a', 4.25)) as v (age, ward, stay)`,
      );
      const config = ownerConfig(
        folder,
        `[queries.stays]\npostgres = "${postgresUrl}"\nquery = "select age, ward, stay from ${schema}.stays"\n`,
      );
      const { out } = await run('--config', config, '--dataset', 'stays');
      writeFileSync(join(folder, 'same.csv'), csv);
      assert.deepEqual(JSON.parse(out), JSON.parse((await run(join(folder, 'same.csv'), '--dataset', 'stays')).out));
      const wrong = ownerConfig(folder, `[queries.stays]\npostgres = "${postgresUrl}"\nquery = "select nothing"\n`);
      await assert.rejects(run('--config', wrong, '--dataset', 'stays'), saying(/column "nothing" does not exist/));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  [postgres],
);

test('what is proposed for one owner trains with all of them', async ({ folder }) => {
  const sample = linearSample(60);
  const file = join(folder, 'all.csv');
  writeFileSync(file, textOf(sample));
  const model = JSON.parse((await run(file)).out) as Record<string, unknown>;
  await using consortium = await startConsortium({ data: dealtOut(sample, 3), newKey: await oneKey() });
  const view = await trainOver(consortium.modelOwner, {
    ...model,
    encryption: { key_bits: 2048 },
    participation: { quorum: 3, deadline_seconds: 60 },
  });
  assert.equal(view.status, 'finished', view.failure?.detail);
  const { cost } = await getJson<{ cost: number }>(`${consortium.modelOwner.url}/prediction`);
  assert.ok(Number.isFinite(cost));
});

test.run();
