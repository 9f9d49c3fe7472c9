/** The whole way of the data in one process: what owners seal, multiplied, opens to the sum and to nothing else. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import type { WeightedVector } from '../src/encoding/contribution.ts';
import { createPlan, type Plan } from '../src/encoding/plan.ts';
import { type ErrorCode, SealsumError } from '../src/errors.ts';
import { gradientSums } from '../src/learning/families.ts';
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
import { type OwnerId, ownerIdSchema } from '../src/protocol/identifiers.ts';
import { checkTags, createTagSecret, expectedTags, type TagKey, tagsOf } from '../src/protocol/tags.ts';
import { termsOf } from '../src/protocol/terms.ts';
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

const context = { job: '1'.repeat(64), round: 1, roundDigest: '2'.repeat(64) };

/** The tag keys of so many owners, as each of them and the model owner have them. */
function tagKeys(owners: number): ReadonlyMap<OwnerId, TagKey> {
  const { publicKey: other } = createTagSecret(systemRandom(32));
  const names = Array.from({ length: owners }, (_, index) => ownerIdSchema.parse(`owner-${index}`));
  return new Map(names.map((name) => [name, createTagSecret(systemRandom(32)).agree(other, name)]));
}

async function codeOf(work: () => Promise<unknown>): Promise<ErrorCode> {
  try {
    await work();
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
      fc.boolean(),
      (owners, length, numbers, tags) => {
        const request = { keyBits: 2048, length, owners, maxWeight: 8n, valueBound: bound / 8n, scale: 1024, tags };
        const plan = createPlan(request);
        const vectors = Array.from({ length: owners }, (_, owner) => ({
          weight: BigInt(owner + 1),
          values: [...numbers.take(length)],
        }));
        const keys = tagKeys(owners);
        const tagsFor = [...keys.values()].map((key) => (tags ? tagsOf(key, context, plan.ciphertexts) : undefined));
        const sealed = vectors.map((vector, owner) => sealVector(plan, encryptor, vector, tagsFor[owner]));
        for (const bytes of sealed) assert.equal(bytes.length, plan.ciphertexts * 512);
        const product = aggregate(encryptor, plan.ciphertexts, sealed);
        let checks = 0;
        const check = (sums: readonly bigint[]): void => {
          assert.deepEqual(sums, expectedTags(keys.values(), context, plan.ciphertexts));
          checkTags(sums, keys, context);
          checks += 1;
        };
        assert.deepEqual(openVector(plan, decryptor, product, owners, tags ? check : undefined), addUp(vectors));
        assert.equal(checks, tags ? 1 : 0);
      },
    ),
    { numRuns: runs },
  );
});

test("records go all the way: the statistics of an aggregate are those of everybody's integers", async () => {
  for (const more of [{}, { training: { solver: 'gradient' } }]) {
    const { task, plan, records } = await prepare(linearSample(30), 3, more);
    const parameters = Float64Array.from({ length: task.parameterCount }, (_, index) => 0.25 * (index - 2));
    const sealed = await Promise.all(records.map((each) => seal({ task, plan, encryptor }, each, parameters)));
    const opened = await open({ task, plan, decryptor }, aggregate(encryptor, plan.ciphertexts, sealed), 3);
    const sum = addUp(records.map((each) => contribution(task, each, parameters)));
    assert.deepEqual(opened, statisticsOf(task, sum, 3));
    assert.equal(opened.weight, 30);
  }
});

test('16 bits of ten owners: at most 6 bytes a value at 2048 bits with the tags of a real job, and the sum opens', async () => {
  const features = Array.from({ length: 3000 }, (_, index) => ({
    name: `x${index}`,
    type: 'continuous',
    range: [-1, 1],
  }));
  const model = parseModel({
    model_type: 'LOGISTIC_REGRESSION',
    data_props: { features, target: { name: 'y', range: [0, 1] } },
    encryption: { key_bits: 2048, quantization_bits: 16, rounding: 'stochastic' },
    participation: { max_records: 1000 },
  });
  const { task, plan } = termsOf(model, 10);
  const keys = [...tagKeys(2).values()];
  const records = [0, 1].map((y) => ({
    count: 2,
    width: 3001,
    x: Float64Array.from({ length: 6002 }, (_, index) => (index % 3001 === 0 ? 1 : Math.sin(index + y))),
    y: Float64Array.of(y, 1),
    lines: Int32Array.of(1, 2),
    dropped: 0,
  }));
  const parameters = new Float64Array(3001);
  const sealed = await Promise.all(
    keys.map((key, owner) => {
      const mine = records[owner];
      assert.ok(mine !== undefined);
      return seal({ task, plan, encryptor }, mine, parameters, tagsOf(key, context, plan.ciphertexts));
    }),
  );
  for (const bytes of sealed)
    assert.ok(bytes.length <= 6 * task.length, `${bytes.length} bytes of ${task.length} values`);
  const opened = await open({ task, plan, decryptor }, aggregate(encryptor, plan.ciphertexts, sealed), 2, (sums) => {
    assert.deepEqual(sums, expectedTags(keys, context, plan.ciphertexts));
  });
  assert.equal(opened.weight, 4);
  const sums = records.map((each) => gradientSums(task.family, each, parameters));
  for (const [index, value] of opened.statistics.entries()) {
    const mean = ((sums[0]?.[index] ?? 0) + (sums[1]?.[index] ?? 0)) / 4;
    // Less than a unit of each of two owners, of a sum over a thousand records.
    assert.ok(Math.abs(value - mean) < (2 * 1000) / 32_767 / 4, task.names()[index]);
  }
});

test('noise reaches every value and the weight, and its variance is the one asked for', async () => {
  const { task, plan, records } = await prepare(logisticSample(30), 2, { privacy: { rho: 1 } });
  const parameters = new Float64Array(task.parameterCount);
  const sealed = await Promise.all(records.map((each) => seal({ task, plan, encryptor }, each, parameters)));
  const product = aggregate(encryptor, plan.ciphertexts, sealed);
  const exact = openVector(plan, decryptor, product, 2);
  // A standard deviation of 2^16, so that 30 records of weight 2^18 stand well above it.
  const noise = { variance: rational(2n ** 32n), random: systemRandom };
  const samples = 60;
  const opened = await Promise.all(
    Array.from({ length: samples }, () => open({ task, plan, decryptor, noise }, product, 2)),
  );
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
  const sealed = await Promise.all(records.map((each) => seal({ task, plan, encryptor }, each, none)));
  const product = aggregate(encryptor, plan.ciphertexts, sealed);
  const opener = { task, plan, decryptor };
  assert.equal(await codeOf(() => open(opener, product, 2)), 'count_mismatch');
  const four = aggregate(encryptor, plan.ciphertexts, [...sealed, sealed[0] ?? new Uint8Array()]);
  assert.equal(await codeOf(() => open(opener, four, 3)), 'count_mismatch');
  assert.equal(await codeOf(() => open(opener, product.subarray(1), 3)), 'ciphertext_invalid');
  assert.equal(await codeOf(() => open(opener, new Uint8Array(product.length), 3)), 'ciphertext_invalid');
  const other = await generateKeyPair({ bits: 2048 });
  const foreign = createDecryptor(other.privateKey);
  assert.ok(
    ['slot_overflow', 'count_mismatch', 'ciphertext_invalid'].includes(
      await codeOf(() => open({ ...opener, decryptor: foreign }, product, 3)),
    ),
  );
});

test('a sum that is not of the contributions named is refused by its tags, which say what is wrong with it', async () => {
  const { task, plan: bare, records } = await prepare(linearSample(30), 3);
  const plan = createPlan({ ...bare, tags: true });
  const keys = tagKeys(3);
  const none = new Float64Array(0);
  const sealAll = (round: number): Promise<Uint8Array[]> =>
    Promise.all(
      [...keys.values()].map((key, owner) => {
        const mine = records[owner];
        assert.ok(mine !== undefined);
        return seal({ task, plan, encryptor }, mine, none, tagsOf(key, { ...context, round }, plan.ciphertexts));
      }),
    );
  const openSum = (contributions: readonly Uint8Array[]): Promise<unknown> =>
    open({ task, plan, decryptor }, aggregate(encryptor, plan.ciphertexts, contributions), 3, (sums) => {
      checkTags(sums, keys, context, [{ ...context, round: 7 }]);
    });
  const [sealed, seventh, eighth] = await Promise.all([sealAll(1), sealAll(7), sealAll(8)]);
  const [first, second, third] = sealed;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const sum = addUp(records.map((each) => contribution(task, each, none)));
  assert.deepEqual(await openSum(sealed), statisticsOf(task, sum, 3));
  const wrong: [readonly Uint8Array[], string][] = [
    [[first, third], "owner-1's contribution is missing from them"],
    [[first, second, second, third], "owner-1's contribution is in them twice"],
    [[first, third, third], "owner-2's contribution is in them in place of owner-1's"],
    [sealed.with(1, seventh[1] ?? first), "owner-1's contribution to round 7 is in them in place of owner-1's"],
    [sealed.with(1, eighth[1] ?? first), 'they are not those of the 3 contributions that the manifest names'],
  ];
  for (const [contributions, why] of wrong)
    await assert.rejects(openSum(contributions), {
      code: 'tag_mismatch',
      message: new RegExp(`do not match: ${why};`),
    });
});

test('where a plan has tags nothing is sealed without them, and nothing opened without a check; where not, nothing with', async () => {
  const { task, plan: bare, records } = await prepare(linearSample(30), 3);
  const [mine] = records;
  assert.ok(mine !== undefined);
  const none = new Float64Array(0);
  const refused = { code: 'plan_mismatch', field: 'tags' };
  const check = (): void => undefined;
  const tagged = createPlan({ ...bare, tags: true });
  const tags = new Array<bigint>(tagged.ciphertexts).fill(1n);
  await assert.rejects(seal({ task, plan: tagged, encryptor }, mine, none), refused);
  await assert.rejects(seal({ task, plan: tagged, encryptor }, mine, none, [...tags, 1n]), refused);
  await assert.rejects(seal({ task, plan: bare, encryptor }, mine, none, tags), refused);
  const withTags = aggregate(encryptor, tagged.ciphertexts, [
    await seal({ task, plan: tagged, encryptor }, mine, none, tags),
    await seal({ task, plan: tagged, encryptor }, mine, none, tags),
  ]);
  await assert.rejects(open({ task, plan: tagged, decryptor }, withTags, 2), refused);
  assert.throws(() => openVector(tagged, decryptor, withTags, 2), refused);
  assert.equal((await open({ task, plan: tagged, decryptor }, withTags, 2, check)).weight, 20);
  const without = aggregate(encryptor, bare.ciphertexts, [
    await seal({ task, plan: bare, encryptor }, mine, none),
    await seal({ task, plan: bare, encryptor }, mine, none),
  ]);
  await assert.rejects(open({ task, plan: bare, decryptor }, without, 2, check), refused);
  assert.equal((await open({ task, plan: bare, decryptor }, without, 2)).weight, 20);
});

test('an owner seals nothing that its plan has no room for', async () => {
  const { task, plan, records } = await prepare(linearSample(30), 3);
  const [first] = records;
  assert.ok(first !== undefined);
  const narrow = createPlan({ ...plan, keyBits: 2048, maxWeight: 9n });
  assert.equal(
    await codeOf(() => seal({ task, plan: narrow, encryptor }, first, new Float64Array(0))),
    'number_out_of_bounds',
  );
  assert.equal(await codeOf(() => seal({ task, plan, encryptor }, first, new Float64Array(1))), 'plan_mismatch');
});

test.run();
