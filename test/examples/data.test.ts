/** The examples' data sets: made again they are the same, and training on them finds the coefficients they were made with. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import type { Example } from '../../examples/generate-data.ts';
import { examples, generate } from '../../examples/generate-data.ts';
import type { WeightedVector } from '../../src/encoding/contribution.ts';
import { encodeRows } from '../../src/learning/features.ts';
import { parseModel } from '../../src/learning/model.ts';
import { parametersInDataUnits, predict } from '../../src/learning/prediction.ts';
import type { Trainer } from '../../src/learning/trainer.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { calibrate } from '../../src/privacy/calibration.ts';
import { sampleDiscreteGaussians } from '../../src/privacy/discrete-gaussian.ts';
import type { Setting } from '../learning/in-process.ts';
import { deal, prepare, train } from '../learning/in-process.ts';

const test = suite('examples');

const folder = fileURLToPath(new URL('../../examples/', import.meta.url));
const pathIn = (name: string, file: string): string => `${folder}${name}/${file}`;
const pathOf = (example: Example, file: string): string => pathIn(example.name, file);
const modelOf = (example: Example): object => JSON.parse(readFileSync(pathOf(example, 'model.json'), 'utf8')) as object;
const load = (example: Example): Promise<Setting> => prepare(modelOf(example), { path: pathOf(example, 'data.csv') });

function named(name: string): Example {
  const example = examples.find((each) => each.name === name);
  assert.ok(example !== undefined);
  return example;
}

/** Coefficients in the data's own units; for softmax those of every class but the first, relative to it. */
function fitted({ model, map }: Setting, { parameters }: Pick<Trainer, 'parameters'>): number[][] {
  const { coefficients } = parametersInDataUnits(model, map, parameters);
  if (model.model_type !== 'SOFTMAX_REGRESSION') return [coefficients.flat()];
  const [first = [], ...others] = coefficients as number[][];
  return others.map((row) => row.map((value, index) => value - (first[index] ?? Number.NaN)));
}

function assertRecovered(example: Example, seen: readonly (readonly number[])[], tolerances: readonly number[]): void {
  assert.equal(seen.length, example.coefficients.length);
  for (const [output, coefficients] of example.coefficients.entries()) {
    const found = seen[output] ?? [];
    assert.equal(found.length, coefficients.length);
    for (const [index, coefficient] of coefficients.entries()) {
      const error = Math.abs((found[index] ?? Number.NaN) - coefficient);
      assert.ok(error <= (tolerances[index] ?? 0), `coefficient ${index} of output ${output} is off by ${error}`);
    }
  }
}

test('every model.json is accepted, and every folder with one and data has these made here', () => {
  const folders = readdirSync(folder).filter(
    (name) => existsSync(pathIn(name, 'model.json')) && existsSync(pathIn(name, 'data.csv')),
  );
  assert.deepEqual(folders.sort(), examples.map(({ name }) => name).sort());
  for (const example of examples) {
    const model = parseModel(modelOf(example));
    assert.equal(model.privacy !== undefined, example.name === 'private');
  }
});

for (const example of examples) {
  test(`${example.name}: made again, the data is the same to the last byte, and small`, () => {
    const path = pathOf(example, 'data.csv');
    assert.ok(generate(example) === readFileSync(path, 'utf8'));
    assert.ok(statSync(path).size <= 100_000);
    assert.ok(generate({ ...example, seed: example.seed + 100 }) !== readFileSync(path, 'utf8'));
  });

  test(`${example.name}: training finds the coefficients the data was made with`, async () => {
    const setting = await load(example);
    assert.equal(setting.records.count + setting.records.dropped, example.count);
    // The private example, too: no record within range is clipped, so without noise it is an ordinary fit.
    const trainer = train(setting, deal(setting, 3));
    assertRecovered(example, fitted(setting, trainer), example.tolerances);
  });

  test(`${example.name}: the rows to predict are predicted`, async () => {
    const setting = await load(example);
    const { parameters } = train(setting, deal(setting, 2));
    const rows = encodeRows(setting.map, setting.model.evaluation?.rows ?? []);
    const predictions = predict(setting.model, setting.map, parameters, rows);
    assert.equal(predictions.length, 2);
    assert.ok(predictions.every((prediction) => prediction !== null));
    assert.notDeepEqual(predictions[0], predictions[1]);
  });
}

test('linear: has missing values, which the model drops', async () => {
  const { records } = await load(named('linear'));
  assert.equal(records.dropped, 34);
});

test('private: with the noise that the model asks for, the coefficients are near', async () => {
  const example = named('private');
  const setting = await load(example);
  assert.ok(setting.model.privacy !== undefined);
  const { variance } = calibrate(setting.model.privacy, setting.task.rounds);
  const addNoise = ({ weight, values }: WeightedVector): WeightedVector => {
    const [first = 0n, ...others] = sampleDiscreteGaussians(values.length + 1, variance, systemRandom);
    return { weight: weight + first, values: values.map((value, index) => value + (others[index] ?? 0n)) };
  };
  const trainer = train(setting, deal(setting, 3), addNoise);
  // The noise moves the coefficients by 8.5, 0.052, 1.6 and 0.28 (standard deviations of 2000 fits, nearly normal); eight of
  // them fail by chance less than once in 10^14 runs.
  const noise = [8.5, 0.052, 1.6, 0.28];
  const tolerances = example.tolerances.map((tolerance, index) => tolerance + 8 * (noise[index] ?? 0));
  const seen = fitted(setting, trainer);
  assertRecovered(example, seen, tolerances);
  assert.notDeepEqual(seen, fitted(setting, train(setting, deal(setting, 3))));
});

test.run();
