/**
 * Every example runs: the first one as it stands, as the first command of the README runs it; of the others the same columns, data
 * and privacy with two owners, in few rounds and with the smallest key, and with SLOW=1 as they stand.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import type { CollectedStatistics, StatisticsReport } from '../../src/index.ts';
import { type Ended, runScript } from '../scripts/processes.ts';
import { bundleOf, program, root } from '../support/program.ts';
import { startProject, startTree } from './project.ts';

const examples = `${root}examples`;

const test = suite('every example runs');

interface Printed {
  readonly status: string;
  readonly privacy: { readonly guarantee: string };
  readonly metrics: Readonly<Record<string, number>>;
  readonly parameters: {
    readonly columns: readonly string[];
    readonly coefficients: readonly (number | readonly number[])[];
    readonly classes?: readonly string[];
  };
  readonly pooled_parameters: Printed['parameters'];
  readonly predictions: readonly unknown[];
}

/** The greatest difference between two fits, relative to the greatest coefficient. */
function distance(left: Printed['parameters'], right: Printed['parameters']): number {
  const [a, b] = [left.coefficients.flat(), right.coefficients.flat()];
  assert.equal(a.length, b.length);
  const largest = Math.max(...b.map(Math.abs));
  return Math.max(...a.map((value, index) => Math.abs(value - (b[index] ?? Number.NaN)))) / largest;
}

test('round.ts: a whole round in one process finds the line', () => {
  const printed = execFileSync(process.execPath, program('examples/round.ts'), { encoding: 'utf8' });
  assert.equal(printed, 'intercept 3.000000, x 2.000000\n');
});

test('encrypted-vector.ts: scores under encryption, means of packed vectors, a refusal and the way on', () => {
  const printed = execFileSync(process.execPath, program('examples/encrypted-vector.ts'), { encoding: 'utf8' });
  assert.deepEqual(printed.trimEnd().split('\n'), [
    'scores: 1.1375, -1.6875',
    'means: 37.2500, 81.0000, 0.2083',
    'plan_unsafe: multiplyPlain: needs 50 bits a slot, slots have 40; encrypt with slotBits of 50 or more ' +
      'or with fewer fractionBits, or renormalise',
    'half of them: 18.6250, 40.5000, 0.1040',
  ]);
});

test('cross-validation.ts: every penalty is measured on every fold from one sum, and more of it leaves more zeros', () => {
  const printed = execFileSync(process.execPath, program('examples/cross-validation.ts'), { encoding: 'utf8' });
  const [folds = '', ...lines] = printed.trimEnd().split('\n');
  assert.equal(folds, 'records in the folds: 289, 291, 274, 289, 323');
  const rows = lines.flatMap((line) => {
    const [, error, , zeros] = /^l1 .* ([\d.]+) ± ([\d.]+) {2}(\d) of 7 coefficients are zero$/.exec(line) ?? [];
    return error === undefined ? [] : [{ error: Number(error), zeros: Number(zeros) }];
  });
  assert.equal(rows.length, 5, printed);
  assert.ok(
    rows.every(({ error, zeros }, at) => error >= (rows[at - 1]?.error ?? 0) && zeros >= (rows[at - 1]?.zeros ?? 0)),
    printed,
  );
  // As examples/generate-data.ts made them: within a standard error of the least.
  assert.ok(lines.includes('chosen: l1 0.001') && Math.abs((rows[0]?.error ?? 0) - 0.969) < 2e-3, printed);
});

test('vector-sum.ts: three sites add up what they counted, exactly and with noise', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-example-'));
  try {
    const project = join(folder, 'project');
    await using facilitator = await startProject(project);
    assert.ok(facilitator.pid > 0);
    const { stdout } = await promisify(execFile)(process.execPath, [...program('examples/vector-sum.ts'), project]);
    const [sum, mean, noise, clipped, noised] = stdout.trimEnd().split('\n');
    assert.equal(sum, 'sum of 3: 55, 6, 1017, 9');
    assert.equal(mean, 'mean: 18.33, 2.00, 339.00, 3.00');
    const deviation = Number(/^noise on every value: (\d+), epsilon 8\.0$/.exec(noise ?? '')?.[1]);
    assert.equal(clipped, 'clipped: 0 of 3');
    // Nine times the deviation is passed less than once in 10^18 draws.
    const values = (noised ?? '').replace('noised sum: ', '').split(', ').map(Number);
    for (const [index, value] of [55, 6, 1017, 9].entries())
      assert.ok(Math.abs((values[index] ?? Number.NaN) - value) < 9 * deviation + 1, stdout);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('federated-averaging.ts: three clinics train by local epochs, and get what it is in plain numbers', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-example-'));
  try {
    const project = join(folder, 'project');
    await using facilitator = await startProject(project);
    assert.ok(facilitator.pid > 0);
    const command = [...program('examples/federated-averaging.ts'), project];
    const { stdout } = await promisify(execFile)(process.execPath, command);
    const lines = stdout.trimEnd().split('\n');
    const losses = lines.slice(0, 8).map((line, index) => {
      const [, round, loss] = /^round (\d): 3 owners, 235 patients, loss before ([\d.]+)$/.exec(line) ?? [];
      assert.equal(Number(round), index + 1, stdout);
      return Number(loss);
    });
    assert.equal(losses[0], Number(Math.LN2.toFixed(3)));
    assert.ok(losses.every((loss, index) => index === 0 || loss < (losses[index - 1] ?? 0)) && (losses[7] ?? 1) < 0.4);
    assert.match(lines[8] ?? '', /^model: ( ?-?[\d.]+){4}$/);
    // Half a step of 16/2^22 a round, which Adam's first steps make a few times as much.
    assert.ok(Number(/ by (\S+)$/.exec(lines[9] ?? '')?.[1]) < 2e-5, stdout);
    assert.equal(lines.length, 10, stdout);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('groups.ts: six sites in two groups, drawn for every round', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-example-'));
  const project = join(folder, 'project');
  const started = await startTree(project);
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [...program('examples/groups.ts'), project]);
    const lines = stdout.trimEnd().split('\n');
    assert.equal(lines.length, 6);
    for (const round of [1, 2]) {
      for (const leaf of ['north', 'south']) assert.ok(lines.includes(`round ${round}: ${leaf} folds 3`), stdout);
      assert.ok(lines.includes(`round ${round}: the sum is 15, ${6 * round}, 0 groups are lost`), stdout);
    }
  } finally {
    for (const party of started) await party[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  }
});

test('density.ts: 16 bits of 10 owners take less than 6 bytes a value, and fewer owners and bits take less', () => {
  const printed = execFileSync(process.execPath, program('examples/density.ts'), { encoding: 'utf8' });
  const rows = [...printed.matchAll(/^(?:not quantised|\d+ bits)((?: +[\d.]+ B){3})$/gm)].map(([, cells = '']) =>
    [...cells.matchAll(/[\d.]+/g)].map(Number),
  );
  assert.equal(rows.length, 10, printed);
  for (const table of [rows.slice(0, 5), rows.slice(5)]) {
    const [plain = [], ...quantised] = table;
    assert.ok((quantised[1]?.[1] ?? 6) < 6, printed);
    for (const [index, row] of quantised.entries())
      for (const [owners, bytes] of row.entries()) {
        assert.ok(bytes >= 2 * (index + 1) && bytes < ((quantised[index + 1] ?? plain)[owners] ?? 0), printed);
        assert.ok(owners === 0 || bytes > (row[owners - 1] ?? 0), printed);
      }
  }
});

test('encrypted-parameters.ts: what it measured decrypts to what it should, and it says what it took', () => {
  const args = [...program('examples/encrypted-parameters.ts'), '3'];
  const printed = execFileSync(process.execPath, args, { encoding: 'utf8' });
  assert.match(printed, /^3 columns, 1000 records, 2048 bits, backend bigint, one thread$/m);
  assert.match(printed, /^a round: \d+ ms of the processor, \d+ ms in all$/m);
  assert.match(printed, /^1 ciphertexts, 512 bytes$/m);
});

test('accuracy.ts: less privacy, less error; and a picture of it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-accuracy-'));
  const plot = join(folder, 'plot.svg');
  const args = [...program('examples/accuracy.ts'), '--fits', '3', '--plot', plot];
  const printed = execFileSync(process.execPath, args, { encoding: 'utf8' });
  const row = (name: string): number[] =>
    printed
      .split('\n')
      .find((line) => line.startsWith(name))
      ?.slice(22)
      .trim()
      .split(/\s+/)
      .map(Number) ?? [];
  for (const name of ['normal equations', 'gradient']) {
    const [bare = 0, ...noised] = row(name);
    assert.equal(noised.length, 7);
    // The median of three fits with the most noise is beyond any with the least by far: some 50 to 0.1 kWh.
    assert.ok((noised[0] ?? 0) > (noised[6] ?? 0) + 2 && (noised[6] ?? 0) < bare + 5, printed);
  }
  assert.match(await readFile(plot, 'utf8'), /^<svg .*normal equations, no noise/s);
  await rm(folder, { recursive: true });
});

interface Document {
  readonly model_type: string;
  readonly data_props: { readonly target: { readonly levels: readonly string[] } };
  readonly training: { readonly solver: string };
  readonly privacy?: unknown;
}

const documentOf = (folder: string, file = 'model.json'): Document =>
  JSON.parse(readFileSync(`${examples}/${folder}/${file}`, 'utf8')) as Document;

const slow = process.env.SLOW !== undefined;

/** What is left of a document's rounds and key in the short dose. */
function shortened(document: Document): Document {
  const { training } = document;
  const rounds = training.solver === 'gradient' ? { rounds: 5 } : {};
  return { ...document, training: { ...training, ...rounds }, encryption: { key_bits: 2048 } } as Document;
}

function assertFits(document: Document, printed: Printed): void {
  assert.equal(printed.status, 'finished');
  assert.ok(printed.predictions.length > 0);
  const far = distance(printed.parameters, printed.pooled_parameters);
  if (document.privacy === undefined) {
    assert.ok(far < 1e-6, `differs by ${far}`);
    assert.equal(printed.privacy.guarantee, 'no differential privacy');
  } else {
    // Noise of this variance leaves every coefficient as it was with a chance of less than 2^-40.
    assert.ok(far > 0);
    assert.equal(printed.privacy.guarantee, 'zero-concentrated differential privacy');
  }
}

/** Of classes there are log-loss and accuracy; softmax has a row of coefficients for each class. */
function assertClasses({ model_type, data_props }: Document, printed: Printed): void {
  assert.ok((printed.metrics.log_loss ?? 0) > 0 && (printed.metrics.accuracy ?? -1) >= 0);
  const { levels } = data_props.target;
  for (const { classes, columns, coefficients } of [printed.parameters, printed.pooled_parameters]) {
    assert.deepEqual(classes, levels);
    if (model_type === 'LOGISTIC_REGRESSION') assert.equal(coefficients.length, columns.length);
    else
      assert.deepEqual(
        coefficients.map((row) => [row].flat().length),
        levels.map(() => columns.length),
      );
  }
  assert.ok(levels.includes((printed.predictions[0] as { class: string }).class));
}

/** What scripts/demo.sh does, which the first example runs as it is delivered. */
function runBundledDemo(args: readonly string[]): Promise<Ended> {
  const bundle = bundleOf('scripts/demo.ts');
  return bundle === undefined ? runScript('scripts/demo.sh', args) : runScript(process.execPath, [bundle, ...args]);
}

const folders = readdirSync(examples).filter((name) =>
  ['model.json', 'data.csv'].every((file) => existsSync(`${examples}/${name}/${file}`)),
);
assert.ok(folders.length >= 4);

const first = 'linear';
assert.ok(folders.includes(first));

test(`${first}: the demo without options trains it, as the first command of the README does`, async () => {
  // What stands in the environment for a party of somebody's own is none of the demo's.
  const env = {
    SEALSUM_STORE: '/nowhere/state.sqlite',
    SEALSUM_NAME: 'me',
    SEALSUM_PASSPHRASE: 'mine',
    SEALSUM_PORT: '1',
  };
  const { code, output } = await runScript('scripts/demo.sh', ['--json'], { env });
  assert.equal(code, 0);
  assertFits(documentOf(first), JSON.parse(output) as Printed);
});

const others = [
  ...folders.filter((each) => each !== first).map((folder) => ({ folder, file: 'model.json' })),
  { folder: first, file: 'encrypted.json' },
];

for (const { folder, file } of others) {
  test(`${folder}/${file}: the demo trains it, and it equals pooled plaintext training unless noise was asked for`, async () => {
    const document = slow ? documentOf(folder, file) : shortened(documentOf(folder, file));
    const temporary = await mkdtemp(join(tmpdir(), 'sealsum-example-'));
    try {
      const model = join(temporary, 'model.json');
      await writeFile(model, JSON.stringify(document));
      const args = ['--data', `${examples}/${folder}/data.csv`, '--model', model, '--json'];
      if (!slow) args.push('--owners', '2');
      const { code, output } = await runBundledDemo(args);
      assert.equal(code, 0);
      const printed = JSON.parse(output) as Printed;
      assertFits(document, printed);
      if (document.model_type !== 'LINEAR_REGRESSION') assertClasses(document, printed);
    } finally {
      await rm(temporary, { recursive: true });
    }
  });
}

for (const [file, noised] of [
  ['model.json', false],
  ['private.json', true],
] as const)
  test(`statistics/${file}: the demo sums it, and it equals pooled plaintext unless noise was asked for`, async () => {
    const document = JSON.parse(readFileSync(`${examples}/statistics/${file}`, 'utf8')) as Document;
    const temporary = await mkdtemp(join(tmpdir(), 'sealsum-example-'));
    try {
      const model = join(temporary, file);
      await writeFile(model, JSON.stringify({ ...document, encryption: { key_bits: slow ? 3072 : 2048 } }));
      const args = ['--data', `${examples}/${first}/data.csv`, '--model', model, '--owners', '2', '--json'];
      const { code, output } = await runBundledDemo(args);
      assert.equal(code, 0);
      const {
        model: id,
        name,
        privacy,
        pooled,
        ...report
      } = JSON.parse(output) as CollectedStatistics & {
        readonly pooled: StatisticsReport;
      };
      assert.match(`${id} ${name}`, /^[-0-9a-f]{36} stays in hospital, described/);
      assert.equal(privacy.guarantee === 'no differential privacy', !noised);
      if (!noised) assert.deepEqual(report, pooled);
      for (const [index, { mean }] of report.moments.entries()) {
        const [right, error] = [pooled.moments[index]?.mean.value ?? Number.NaN, mean.standard_error ?? Number.NaN];
        // Seven standard errors are passed with a chance of 3e-12.
        assert.ok(Math.abs((mean.value ?? Number.NaN) - right) <= 7 * error, `${mean.value} is not ${right}`);
        assert.equal(error > 0, noised);
      }
    } finally {
      await rm(temporary, { recursive: true });
    }
  });

test.run();
