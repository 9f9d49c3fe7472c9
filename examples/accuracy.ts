/**
 * What privacy costs: the error of models fitted with noise, for one ε after the other, beside the same fit without noise. On
 * the records of examples/private, dealt out to three owners; without encryption, which changes nothing of it.
 *
 * Run it: npm run build && node dist/examples/accuracy.js --plot accuracy.svg
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type Line, lineChart } from '../src/charts/line-chart.ts';
import {
  contribution,
  createTrainer,
  encodeTable,
  parseModel,
  type Records,
  readTable,
  sampleDiscreteGaussians,
  statisticsOf,
  type Trainer,
  termsOf,
} from '../src/index.ts';

// Compiled, this file is in dist/examples.
const folder = new URL(import.meta.url.endsWith('.js') ? '../../examples/private/' : './private/', import.meta.url);
const document = JSON.parse(await readFile(new URL('model.json', folder), 'utf8')) as Record<string, unknown>;
const text = await readFile(new URL('data.csv', folder), 'utf8');
const owners = 3;
const { values: options } = parseArgs({
  options: { fits: { type: 'string', default: '15' }, plot: { type: 'string' } },
});
const fits = Number(options.fits);
if (!Number.isInteger(fits) || fits < 1) throw new Error('--fits: expected a whole number of at least 1');
const epsilons = [0.1, 0.2, 0.5, 1, 2, 5, 10];
const ways = [
  { name: 'normal equations', training: { solver: 'normal-equations' }, privacy: {} },
  {
    name: 'gradient, 30 rounds',
    training: { solver: 'gradient', rounds: 30, learning_rate: 0.3 },
    privacy: { clip: 0.5 },
  },
] as const;

/** A way to fit, with a privacy of so much; undefined: none. */
async function setUp({ training, privacy }: (typeof ways)[number], epsilon: number | undefined) {
  const chosen = epsilon === undefined ? undefined : { epsilon, delta: 1e-6, ...privacy };
  const model = parseModel({ ...document, training, privacy: chosen });
  const terms = termsOf(model, owners);
  const table = await readTable({ text }, model.data_props);
  const shares = Array.from({ length: owners }, (_, owner) =>
    encodeTable(terms.map, { ...table, rows: every(table.rows, owner), lines: every(table.lines, owner) }),
  );
  return { model, terms, shares };
}

function every<T>(list: readonly T[], owner: number): T[] {
  return list.filter((_, index) => index % owners === owner);
}

/** One training: what three owners sum up, with the noise that the job's terms ask for. */
function fit({ model, terms, shares }: Awaited<ReturnType<typeof setUp>>): Trainer {
  const { task, map, calibration } = terms;
  const deviation = calibration === undefined ? 0 : Math.sqrt(Number(calibration.variance.numerator));
  const trainer = createTrainer(model, map, task, deviation);
  while (!trainer.finished) {
    const vectors = shares.map((records) => contribution(task, records, trainer.parameters));
    const noise = calibration === undefined ? [] : sampleDiscreteGaussians(task.length + 1, calibration.variance);
    const [forWeight = 0n, ...forValues] = noise;
    trainer.absorb(
      statisticsOf(
        task,
        {
          weight: vectors.reduce((sum, { weight }) => sum + weight, forWeight),
          values: Array.from({ length: task.length }, (_, index) =>
            vectors.reduce((sum, { values }) => sum + (values[index] ?? 0n), forValues[index] ?? 0n),
          ),
        },
        vectors.length,
      ),
    );
  }
  return trainer;
}

/** The root of the mean squared error, in kWh: the target's range is [0, 1200], which is scaled to [−1, 1]. */
function rootMeanSquare(shares: readonly Records[], parameters: Float64Array): number {
  let [squares, count] = [0, 0];
  for (const { count: records, width, x, y } of shares)
    for (let record = 0; record < records; record += 1) {
      let fitted = 0;
      for (let column = 0; column < width; column += 1)
        fitted += (x[record * width + column] ?? 0) * (parameters[column] ?? 0);
      squares += (fitted - (y[record] ?? 0)) ** 2;
      count += 1;
    }
  return 600 * Math.sqrt(squares / count);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

console.log(`root mean squared error in kWh, median of ${fits} fits, delta 1e-6`);
console.log(['way', 'no noise', ...epsilons.map((epsilon) => `ε ${epsilon}`)].map(cell).join(''));
const lines: Line[] = [];
for (const way of ways) {
  const exact = await setUp(way, undefined);
  const row = [rootMeanSquare(exact.shares, fit(exact).parameters)];
  for (const epsilon of epsilons) {
    const setting = await setUp(way, epsilon);
    const errors = Array.from({ length: fits }, () => rootMeanSquare(setting.shares, fit(setting).parameters));
    row.push(median(errors));
  }
  console.log([way.name, ...row.map((error) => error.toFixed(2))].map(cell).join(''));
  const [bare = Number.NaN, ...noised] = row;
  lines.push(
    { name: way.name, points: noised.map((y, index) => ({ x: epsilons[index] ?? Number.NaN, y })) },
    { name: `${way.name}, no noise`, points: [0, 10].map((x) => ({ x, y: bare })) },
  );
}
if (options.plot !== undefined) {
  const axes = { x: 'ε over the whole job, at δ = 1e-6', y: 'root mean squared error in kWh' };
  await writeFile(options.plot, lineChart({ title: 'What privacy costs: 5000 records of 3 owners', axes, lines }));
}

function cell(value: string, index: number): string {
  return index === 0 ? value.padEnd(22) : value.padStart(10);
}
