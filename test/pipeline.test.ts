/** The whole way of the data in one process: what owners seal, multiplied, opens to the sum and to nothing else. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import type { WeightedVector } from '../src/encoding/contribution.ts';
import { createPlan, type Plan } from '../src/encoding/plan.ts';
import { type ErrorCode, SealsumError } from '../src/errors.ts';
import { compileFeatures, encodeTable, type FeatureMap, type Records } from '../src/learning/features.ts';
import { type Model, parseModel } from '../src/learning/model.ts';
import { readTable } from '../src/learning/table.ts';
import { contribution, createTask, statisticsOf, type Task } from '../src/learning/task.ts';
import { aggregate } from '../src/paillier/aggregate.ts';
import { createDecryptor } from '../src/paillier/decryptor.ts';
import { createEncryptor } from '../src/paillier/encryptor.ts';
import { generateKeyPair } from '../src/paillier/key-generation.ts';
import { systemRandom } from '../src/paillier/random.ts';
import { open, openVector, seal, sealVector } from '../src/pipeline.ts';
import { rational } from '../src/privacy/rational.ts';
import { dealtOut, linearSample, logisticSample, type Sample } from './end-to-end/data.ts';

const test = suite('pipeline');

const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
const encryptor = createEncryptor(publicKey);
const decryptor = createDecryptor(privateKey);
const runs = process.env.SLOW === undefined ? 15 : 300;

interface Setting {
  readonly model: Model;
  readonly map: FeatureMap;
  readonly task: Task;
  readonly plan: Plan;
  readonly records: readonly Records[];
}

async function prepare(sample: Sample, owners: number, more: object = {}): Promise<Setting> {
  const model = parseModel({ ...sample.document, encryption: { key_bits: 2048 }, ...more });
  const map = compileFeatures(model);
  const task = createTask(model, map);
  const { length, valueBound, scale, weightUnit } = task;
  const plan = createPlan({ keyBits: 2048, length, owners, maxWeight: 1000n, valueBound, scale, weightUnit });
  const tables = await Promise.all(dealtOut(sample, owners).map((text) => readTable({ text }, model.data_props)));
  return { model, map, task, plan, records: tables.map((table) => encodeTable(map, table)) };
}

function addUp(vectors: readonly WeightedVector[]): WeightedVector {
  const sum = (pick: (vector: WeightedVector) => bigint): bigint =>
    vectors.reduce((total, each) => total + pick(each), 0n);
  const length = vectors[0]?.values.length ?? 0;
  return {
    weight: sum(({ weight }) => weight),
    values: Array.from({ length }, (_, index) => sum(({ values }) => values[index] ?? 0n)),
  };
}

function codeOf(work: () => unknown): ErrorCode {
  try {
    work();
  } catch (error) {
    if (error instanceof SealsumError) return error.code;
    throw error;
  }
  throw new Error('nothing was refused');
}

test('the sum of sealed vectors opens to the sum of the vectors, to the bounds and for any number of owners', () => {
  const bound = 2n ** 40n;
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 5 }),
      fc.integer({ min: 1, max: 60 }),
      fc.infiniteStream(fc.oneof(fc.bigInt(-bound, bound), fc.constantFrom(bound, -bound, 0n))),
      (owners, length, numbers) => {
        const request = { keyBits: 2048, length, owners, maxWeight: 8n, valueBound: bound / 8n, scale: 1024 };
        const plan = createPlan(request);
        const vectors = Array.from({ length: owners }, (_, owner) => ({
          weight: BigInt(owner + 1),
          values: [...numbers.take(length)],
        }));
        const sealed = vectors.map((vector) => sealVector(plan, encryptor, vector));
        for (const bytes of sealed) assert.equal(bytes.length, plan.ciphertexts * 512);
        const product = aggregate(encryptor, plan.ciphertexts, sealed);
        assert.deepEqual(openVector(plan, decryptor, product, owners), addUp(vectors));
      },
    ),
    { numRuns: runs },
  );
});

test("records go all the way: the statistics of an aggregate are those of everybody's integers", async () => {
  for (const more of [{}, { training: { solver: 'gradient' } }]) {
    const { task, plan, records } = await prepare(linearSample(30), 3, more);
    const parameters = Float64Array.from({ length: task.parameterCount }, (_, index) => 0.25 * (index - 2));
    const sealed = records.map((each) => seal({ task, plan, encryptor }, each, parameters));
    const opened = open({ task, plan, decryptor }, aggregate(encryptor, plan.ciphertexts, sealed), 3);
    const sum = addUp(records.map((each) => contribution(task, each, parameters)));
    assert.deepEqual(opened, statisticsOf(task, sum));
    assert.equal(opened.weight, 30);
  }
});

test('noise reaches every value and the weight, and its variance is the one asked for', async () => {
  const { task, plan, records } = await prepare(logisticSample(30), 2, { privacy: { rho: 1 } });
  const parameters = new Float64Array(task.parameterCount);
  const sealed = records.map((each) => seal({ task, plan, encryptor }, each, parameters));
  const product = aggregate(encryptor, plan.ciphertexts, sealed);
  const exact = openVector(plan, decryptor, product, 2);
  // A standard deviation of 2^16, so that 30 records of weight 2^18 stand well above it.
  const noise = { variance: rational(2n ** 32n), random: systemRandom };
  const samples = 60;
  const opened = Array.from({ length: samples }, () => open({ task, plan, decryptor, noise }, product, 2));
  const weights = opened.map(({ weight }) => (weight - 30) * Number(task.weightUnit));
  const metrics = opened.map(({ weight, metrics: [loss = 0] }) => {
    const scale = task.clipping?.metricScales[0] ?? Number.NaN;
    return loss * weight * scale - Number(exact.values[task.statistics] ?? 0n);
  });
  for (const deviations of [weights, metrics]) {
    assert.ok(new Set(deviations).size > samples / 2);
    // Σx²/σ² is χ² with 60 degrees of freedom: outside (22, 125) with a chance of 3.5·10⁻⁶.
    const chi = deviations.reduce((sum, each) => sum + (each / 2 ** 16) ** 2, 0);
    assert.ok(chi > 22 && chi < 125, `χ² = ${chi}`);
  }
  for (let index = 0; index < task.statistics; index++)
    assert.ok(new Set(opened.map(({ statistics }) => statistics[index])).size > samples / 2);
});

test('what is not the sum it should be is never turned into numbers', async () => {
  const { task, plan, records } = await prepare(linearSample(30), 3);
  const none = new Float64Array(0);
  const sealed = records.map((each) => seal({ task, plan, encryptor }, each, none));
  const product = aggregate(encryptor, plan.ciphertexts, sealed);
  const opener = { task, plan, decryptor };
  assert.equal(
    codeOf(() => open(opener, product, 2)),
    'count_mismatch',
  );
  const four = aggregate(encryptor, plan.ciphertexts, [...sealed, sealed[0] ?? new Uint8Array()]);
  assert.equal(
    codeOf(() => open(opener, four, 3)),
    'count_mismatch',
  );
  assert.equal(
    codeOf(() => open(opener, product.subarray(1), 3)),
    'ciphertext_invalid',
  );
  assert.equal(
    codeOf(() => open(opener, new Uint8Array(product.length), 3)),
    'ciphertext_invalid',
  );
  const other = await generateKeyPair({ bits: 2048 });
  const foreign = createDecryptor(other.privateKey);
  assert.ok(
    ['slot_overflow', 'count_mismatch', 'ciphertext_invalid'].includes(
      codeOf(() => open({ ...opener, decryptor: foreign }, product, 3)),
    ),
  );
});

test('an owner seals nothing that its plan has no room for', async () => {
  const { task, plan, records } = await prepare(linearSample(30), 3);
  const [first] = records;
  assert.ok(first !== undefined);
  const narrow = createPlan({ ...plan, keyBits: 2048, maxWeight: 9n });
  assert.equal(
    codeOf(() => seal({ task, plan: narrow, encryptor }, first, new Float64Array(0))),
    'number_out_of_bounds',
  );
  assert.equal(
    codeOf(() => seal({ task, plan, encryptor }, first, new Float64Array(1))),
    'plan_mismatch',
  );
});

test.run();
