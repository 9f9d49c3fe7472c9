/** `sealsum predict`: rows of files as a model owner that runs predicts them. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import { csvOf } from '../../src/cli/predict-command.ts';
import { rowsOf } from '../../src/cli/predict-rows.ts';
import type { Prediction } from '../../src/learning/prediction.ts';
import { readTable, type Table } from '../../src/learning/table.ts';
import { dealtOut, linearSample } from '../end-to-end/data.ts';
import { getJson, startConsortium } from '../end-to-end/parties.ts';
import { runSealsum } from './run.ts';

const test = suite('sealsum predict');

const table = (text: string, header = true): Promise<Table> => readTable({ text }, { header });

test('columns are found by name, levels by what stands before the "=", positions by "column N"; others are left out', async () => {
  const found = await table('note,ward=a,ward,age\nx,7,surgery,30\ny,8,,40\n');
  assert.deepEqual(rowsOf(found, ['age', 'ward=surgery', 'ward=medicine', 'ward=a']), [
    { age: '30', ward: 'surgery', 'ward=a': '7' },
    { age: '40', ward: '', 'ward=a': '8' },
  ]);
  assert.deepEqual(rowsOf(found, ['column 3', 'column 2=surgery']), [
    { 'column 3': '30', 'column 2': 'surgery' },
    { 'column 3': '40', 'column 2': '' },
  ]);
  assert.throws(() => rowsOf(found, ['height']), /the header has no column for the model's height/);
  assert.throws(() => rowsOf(found, ['column 4']), /column 4/);
  assert.deepEqual(rowsOf(await table('1;2\n3;4\n', false)), [
    ['1', '2'],
    ['3', '4'],
  ]);
});

test('what was predicted stands behind the rows, quoted where it must be; a dropped row has nothing', async () => {
  const rows = await table('a;b\n1;"x;""y"""\n2;z\n');
  const csv = (predictions: readonly (Prediction | null)[]): string => csvOf(rows, predictions);
  assert.equal(csv([1.5, null]), 'a;b;prediction\n1;"x;""y""";1.5\n2;z;');
  assert.equal(
    csv([null, { class: 'yes', probability: 0.75 }]),
    'a;b;prediction;probability\n1;"x;""y""";;\n2;z;yes;0.75',
  );
  const probabilities = { low: 0.25, 'hi;gh': 0.75 };
  assert.equal(
    csv([{ class: 'hi;gh', probabilities }, null]),
    'a;b;prediction;probability low;"probability hi;gh"\n1;"x;""y""";"hi;gh";0.25;0.75\n2;z;;;',
  );
  assert.equal(csvOf(await table('1\n', false), [3]), 'column 0,prediction\n1,3');
});

test('a running model owner predicts files, standard input, and says which line it refuses', async () => {
  const sample = linearSample(30);
  await using parties = await startConsortium({ data: dealtOut(sample, 2) });
  const { url } = parties.modelOwner;
  const predict = (...args: readonly string[]) => runSealsum(['predict', ...args, '--url', url]);
  const none = await predict(
    'latest',
    await parties.folder.write('rows.csv', [sample.header, sample.rows[0]].join('\n')),
  );
  assert.deepEqual([none.code, none.output], [1, '']);
  assert.match(none.errors, /no model is finished yet; see sealsum status/);
  // A first feature without which a row is dropped.
  const { data_props } = sample.document;
  const [first, ...others] = data_props.features;
  const document = {
    ...sample.document,
    data_props: { ...data_props, features: [{ ...first, missing: 'drop' }, ...others] },
    training: { solver: 'normal-equations' },
    evaluation: { rows: [0, 1, 3].map((row) => sample.rows[row]?.split(',').slice(0, 3) ?? []) },
    encryption: { key_bits: 2048 },
    participation: { quorum: 2, deadline_seconds: 10 },
  };
  const file = await parties.folder.write('model.json', JSON.stringify(document));
  const trained = await runSealsum(['train', file, '--model-owner', url]);
  assert.equal(trained.code, 0, trained.errors);
  const { model } = JSON.parse(trained.output) as { model: string };

  const dropped = sample.rows[2]?.replace(/^[^,]*/, '') ?? '';
  const lines = [sample.header, sample.rows[0], sample.rows[1], dropped, sample.rows[3]];
  const rows = await parties.folder.write('rows.csv', `${lines.join('\n')}\n`);
  const output = join(parties.folder.path, 'predictions.csv');
  const written = await predict('latest', rows, '--output', output);
  assert.deepEqual([written.code, written.output], [0, '']);
  assert.equal(
    written.errors,
    `sealsum: model ${model} has predicted 3 of 4 rows, and 1 dropped for a missing value\n`,
  );
  const predictions = (await readFile(output, 'utf8')).trimEnd().split('\n');
  assert.equal(predictions.length, 5);
  assert.equal(predictions[0], `${sample.header},prediction`);
  assert.equal(predictions[3], `${dropped},`);
  const told = JSON.parse((await predict(model, rows, '--json')).output) as Record<string, unknown>;
  const values = predictions.slice(1).map((line) => line.split(',').at(-1) ?? '');
  assert.deepEqual(told, {
    model,
    rows: 4,
    predicted: 3,
    dropped_rows: 1,
    predictions: values.map((text) => (text === '' ? null : Number(text))),
  });
  // The model owner predicts the same rows of model.json by itself.
  const evaluated = await getJson<{ predictions: readonly number[] }>(`${url}/prediction`);
  assert.deepEqual(values.filter((text) => text !== '').map(Number), evaluated.predictions);
  const piped = await runSealsum(['predict', model, '-', '--url', url], await readFile(rows, 'utf8'));
  assert.equal(piped.output, await readFile(output, 'utf8'));

  const wrong = await parties.folder.write(
    'wrong.csv',
    [sample.header, sample.rows[0], sample.rows[1]?.replace(/^[^,]*/, 'seven')].join('\n'),
  );
  const refused = await predict(model, wrong);
  assert.deepEqual([refused.code, refused.output], [1, '']);
  assert.match(refused.errors, /^sealsum: line 3, \w+: expected/);
  const narrow = await parties.folder.write('narrow.csv', 'height\n3\n');
  assert.match((await predict(model, narrow)).errors, /the header has no column for the model's/);
  assert.match((await predict('nobody', rows)).errors, /nobody/);
  assert.match((await predict(model, '/nowhere.csv')).errors, /^sealsum: \/nowhere\.csv: the data file cannot be read/);
});

test.run();
