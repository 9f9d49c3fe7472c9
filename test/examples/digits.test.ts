/**
 * The digits example: its gradient against differences, its errors, a made-up run and one party after the other from a config.json,
 * and, where ../shared/data/digits.csv is, the accuracies that it promises.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import { defaultTraining, partOf, readDigitsConfig } from '../../examples/digits/config.ts';
import {
  dealOut,
  digitsOf,
  madeUpDigits,
  type Row,
  readDigits,
  splitRows,
  textOf,
} from '../../examples/digits/data.ts';
import { plainSum } from '../../examples/digits/federated.ts';
import { gradientSums, initialParameters, parameterCount } from '../../examples/digits/network.ts';
import { gradientOf, trainNetwork } from '../../examples/digits/network-training.ts';
import {
  compileFeatures,
  encodeRows,
  encodeTable,
  parseModel,
  predict,
  readTable,
  type SealsumError,
  trainPooled,
} from '../../src/index.ts';
import { type RunningScript, runScript, startScript } from '../scripts/processes.ts';
import { bundleOf, root } from '../support/program.ts';

const test = suite('digits');
/** What examples/digits/run.sh starts, bundled where the runner of the tests has done that; as it is delivered, it refuses options. */
const bundle = bundleOf('examples/digits/main.ts');
const script = bundle === undefined ? 'examples/digits/run.sh' : process.execPath;
const leading = bundle === undefined ? [] : [bundle];
const real = join(root, '../shared/data/digits.csv');
const slow = process.env.SLOW !== undefined;

interface Printed {
  readonly training: number;
  readonly test: number;
  readonly softmax?: { readonly updates: number; readonly test_accuracy: number };
  readonly network: {
    readonly rounds: number;
    readonly loss: number;
    readonly test_accuracy: number;
    readonly difference_from_plaintext: number;
  };
}

async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-digits-test-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('the gradient is that of the loss, and sums over records add up', () => {
  const shape = { inputs: 64, hidden: 3, outputs: 10 };
  const rows = madeUpDigits(6, 5);
  const parameters = initialParameters(shape, 2);
  const count = parameterCount(shape);
  const all = gradientSums(shape, parameters, digitsOf(rows));
  assert.equal(all[count + 1], 6);
  const loss = (at: Float64Array): number => gradientSums(shape, at, digitsOf(rows))[count] ?? Number.NaN;
  const step = 1e-5;
  for (let index = 0; index < count; index += 7) {
    const [up, down] = [step, -step].map((by) =>
      loss(parameters.map((value, each) => value + (each === index ? by : 0))),
    );
    const slope = ((up ?? 0) - (down ?? 0)) / (2 * step);
    assert.ok(Math.abs(slope - (all[index] ?? Number.NaN)) < 1e-6, `parameter ${index}`);
  }
  const halves = [rows.slice(0, 2), rows.slice(2)].map((part) => gradientSums(shape, parameters, digitsOf(part)));
  for (const [index, value] of all.entries())
    assert.ok(Math.abs(value - (halves[0]?.[index] ?? 0) - (halves[1]?.[index] ?? 0)) < 1e-12);
});

test('what is no table of digits is refused by line and column', async () => {
  const rows = madeUpDigits(5, 1);
  assert.deepEqual(await readDigits({ text: textOf(rows) }), rows);
  const [header = '', first = ''] = textOf(rows).split('\n');
  for (const [text, pattern] of [
    ['a,b\n1,2\n', /expected 65 columns, 64 pixels and the digit, and there are 2/],
    [`${header.replace('pixel_0_1', 'x')}\n${first}\n`, /column 2 of the header: expected pixel_0_1/],
    [
      `${header}\n${first}\n17${first.slice(first.indexOf(','))}\n`,
      /line 3, pixel_0_0: expected a whole number from 0 to 16/,
    ],
    [`${header}\n${first.slice(0, -1)}10\n`, /line 2, digit: expected a whole number from 0 to 9/],
    [`${header}\n${first.slice(first.indexOf(','))}\n`, /line 2, pixel_0_0/],
  ] as const)
    await assert.rejects(readDigits({ text }), { code: 'data_invalid', message: pattern });
});

test('model.json and config.json are accepted, and a wrong one is refused by name', async () => {
  const model = parseModel(JSON.parse(readFileSync(join(root, 'examples/digits/model.json'), 'utf8')));
  assert.equal(model.data_props.features.length, 64);
  const config = await readDigitsConfig(join(root, 'examples/digits/config.json'));
  assert.deepEqual(partOf(config, 'west'), {
    role: 'data-owner',
    name: 'west',
    host: 'a.example.org',
    data: join(root, 'examples/digits/west.csv'),
  });
  const refused = { code: 'party_unknown', field: '--as', message: /sums, research, west, north, south/ };
  assert.throws(() => partOf(config, 'owner-1'), refused);
  assert.throws(() => partOf(config, undefined), refused);
  const fine = JSON.parse(await readFile(join(root, 'examples/digits/config.json'), 'utf8')) as object;
  await withFolder(async (folder) => {
    const path = join(folder, 'config.json');
    await assert.rejects(readDigitsConfig(path), { code: 'config_invalid', field: '--config' });
    for (const [change, field] of [
      [{ facilitator: { url: 'sums' } }, 'facilitator.url'],
      [{ data_owners: { west: { data: 'a' } } }, 'data_owners'],
      [{ data_owners: { west: { data: 'a' }, north: {} } }, 'data_owners.north.data'],
      [{ training: { round: 1 } }, 'training.round'],
      [{ players: {} }, 'players'],
    ] as const) {
      await writeFile(path, JSON.stringify({ ...fine, ...change }));
      await assert.rejects(
        readDigitsConfig(path),
        (error: SealsumError) => error.code === 'config_invalid' && error.field === field,
        field,
      );
    }
  });
});

test('made-up digits: the models are trained, and the network as it is on sums that were never encrypted', async () => {
  const args = ['--train', 'both', '--rounds', '6', '--key-bits', '2048', '--owners', '2', '--json'];
  const { code, output, complaint } = await runScript(script, [...leading, ...args]);
  assert.equal(code, 0, complaint);
  const { softmax, network, ...rows } = JSON.parse(output) as Partial<Printed>;
  assert.deepEqual([rows.training, rows.test, softmax?.updates], [480, 120, 6]);
  assert.ok((softmax?.test_accuracy ?? 0) > 0.8, output);
  assert.equal(network?.rounds, 6);
  assert.ok(network.test_accuracy > 0.8 && network.difference_from_plaintext < 1e-6, output);
});

test('one config.json: every party a process that finds its part in it', async () => {
  await withFolder(async (folder) => {
    const port = String(await freePort());
    const prepared = await runScript(script, [
      ...leading,
      ...['--prepare', join(folder, 'trial'), '--port', port, '--owners', '2', '--rounds', '3', '--key-bits', '2048'],
    ]);
    assert.equal(prepared.code, 0, prepared.complaint);
    const config = join(folder, 'trial', 'config.json');
    assert.ok(!/passphrase|identity|key"/.test(await readFile(config, 'utf8')));
    const start = (name: string, ...more: string[]): RunningScript =>
      startScript(script, [...leading, '--config', config, '--as', name, ...more]);
    await using facilitator = start('facilitator');
    await facilitator.printed(/listens at/);
    await using first = start('owner-1');
    await using second = start('owner-2', '--json');
    await using modelOwner = start('model-owner', '--json');
    const trained = await modelOwner.ended;
    assert.equal(trained.code, 0, trained.complaint);
    const { network } = JSON.parse(trained.output) as Printed;
    assert.equal(network.rounds, 3);
    assert.ok(network.loss < 2.3 && network.test_accuracy > 0.3, trained.output);
    assert.match((await first.ended).output, /contributed to 3 rounds; the training is over/);
    assert.deepEqual(JSON.parse((await second.ended).output), { name: 'owner-2', role: 'data-owner', rounds: 3 });
    facilitator.pressControlC();
    assert.equal((await facilitator.ended).code, 0);
    assert.deepEqual(await facilitator.survivors(), []);
  });
});

test('what cannot be done is said on one line, and nothing is printed as a result', async () => {
  for (const [args, pattern] of [
    [['--data', '/nowhere.csv'], /^digits: \/nowhere\.csv: /],
    [['--data', join(root, 'examples/linear/data.csv')], /^digits: .*: expected 65 columns/],
    [['--as', 'owner-1'], /^digits: --as: expected --config FILE beside it/],
    [['--config', join(root, 'examples/digits/config.json'), '--as', 'me'], /^digits: --as: .*no party called me/],
    [['--config', 'x', '--rounds', '3'], /^digits: --rounds: has no meaning beside --config/],
    [['--owners', '1'], /^digits: .*expected a whole number from 2 to 50/],
  ] as const) {
    const { code, output, complaint } = await (args[1] === '/nowhere.csv'
      ? runScript('examples/digits/run.sh', args)
      : runScript(script, [...leading, ...args]));
    assert.deepEqual([code, output], [1, ''], complaint);
    assert.match(complaint, pattern);
    assert.equal(complaint.trim().split('\n').length, 1);
  }
});

const name = 'real digits: the accuracies that are promised';
if (!existsSync(real)) test.skip(name);
else
  test(name, async () => {
    const { training, test: kept } = splitRows(await readDigits({ path: real }));
    assert.deepEqual([training.length, kept.length], [1438, 359]);
    if (!slow) {
      assert.ok((await pooledSoftmax(training, kept)) >= 0.955);
      assert.ok((await plainNetwork(training, kept)) >= 0.965);
      return;
    }
    const args = ['--data', real, '--key-bits', '2048', '--train', 'both', '--json'];
    const { code, output, complaint } = await runScript(script, [...leading, ...args]);
    assert.equal(code, 0, complaint);
    const { softmax, network } = JSON.parse(output) as Printed;
    assert.ok((softmax?.test_accuracy ?? 0) >= 0.955, output);
    assert.ok(network.test_accuracy >= 0.965, output);
    assert.ok(network.difference_from_plaintext < 1e-6, output);
  });

/** What the network reaches on sums that were never encrypted: parties reach the same, as the run of made-up digits shows. */
async function plainNetwork(training: readonly Row[], kept: readonly Row[]): Promise<number> {
  const shares = dealOut(training, 3).map((rows) => gradientOf(defaultTraining, digitsOf(rows)));
  const { testAccuracy } = await trainNetwork(plainSum(shares), defaultTraining, kept);
  return testAccuracy;
}

/** What model.json reaches where all rows are in one place: the parties reach the same, as the run of made-up digits shows. */
async function pooledSoftmax(training: readonly Row[], kept: readonly Row[]): Promise<number> {
  const model = parseModel(JSON.parse(readFileSync(join(root, 'examples/digits/model.json'), 'utf8')));
  const map = compileFeatures(model);
  const records = encodeTable(map, await readTable({ text: textOf(training) }, model.data_props));
  const { parameters } = trainPooled(model, records);
  const rows = encodeRows(
    map,
    kept.map((row) => row.slice(0, 64)),
  );
  const predictions = predict(model, map, parameters, rows);
  const isRight = (row: Row, index: number): boolean => {
    const prediction = predictions[index];
    return typeof prediction === 'object' && prediction?.class === String(row.at(-1));
  };
  return kept.filter(isRight).length / kept.length;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  });
}

test.run();
