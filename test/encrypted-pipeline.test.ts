/** The way of the data where owners do not see the parameters, with keys that are too small for anything but a test. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { createPlan, type Plan } from '../src/encoding/plan.ts';
import { boundedIntegers } from '../src/learning/encrypted-gradient.ts';
import type { Records } from '../src/learning/features.ts';
import { contribution, type EncryptedTask, isEncrypted } from '../src/learning/task.ts';
import { createTrainer } from '../src/learning/trainer.ts';
import { aggregate } from '../src/paillier/aggregate.ts';
import { readIntegers } from '../src/paillier/ciphertexts.ts';
import { createDecryptor } from '../src/paillier/decryptor.ts';
import { createEncryptor } from '../src/paillier/encryptor.ts';
import { systemRandom } from '../src/paillier/random.ts';
import { encryptParameters, open, openVector, prepareMatrix, sealEncrypted } from '../src/pipeline.ts';
import { rational } from '../src/privacy/rational.ts';
import { type Small, small } from './learning/models.ts';
import { backends } from './paillier/backends.ts';
import { smallKeys } from './paillier/keys.ts';

const runs = process.env.SLOW === undefined ? 10 : 200;

const { publicKey, privateKey } = smallKeys;
const { n } = publicKey;

function hidden(features: number, rest: object = {}): Small & { readonly task: EncryptedTask } {
  const made = small('LINEAR_REGRESSION', features, { model_visibility: 'encrypted', ...rest });
  const { task } = made;
  assert.ok(isEncrypted(task));
  return { ...made, task };
}

/** A plan for the small keys. */
function planOf(
  { length, maxWeight, valueBound, weightUnit, scale }: EncryptedTask,
  owners: number,
  noiseBound = 0n,
): Plan {
  return createPlan({ keyBits: 512, length, owners, maxWeight, valueBound, weightUnit, scale, noiseBound, tags: true });
}

/** @param rows of columns but the first, then the target */
function fromRows(rows: readonly (readonly number[])[]): Records {
  return {
    count: rows.length,
    width: rows[0]?.length ?? 0,
    x: Float64Array.from(rows.flatMap((row) => [1, ...row.slice(0, -1)])),
    y: Float64Array.from(rows, (row) => row.at(-1) ?? 0),
    lines: Int32Array.from(rows.keys()),
    dropped: 0,
  };
}

const inRange = fc.double({ min: -1, max: 1, noNaN: true });
const anyRecords = fc
  .array(fc.array(inRange, { minLength: 4, maxLength: 4 }), { minLength: 1, maxLength: 6 })
  .map(fromRows);
const anyParameters = fc
  .array(fc.double({ min: -20, max: 20, noNaN: true }), { minLength: 4, maxLength: 4 })
  .map((values) => Float64Array.from(values));

for (const backend of backends) {
  const test = suite(`the way on encrypted parameters, ${backend.name}`);
  const encryptor = createEncryptor(publicKey, { backend });
  const decryptor = createDecryptor(privateKey);

  for (const privacy of [undefined, { rho: 1 }])
    test(`${privacy === undefined ? 'without' : 'with'} privacy a sum of owners decrypts to the sum of what each has in the clear, tags and all`, async () => {
      const { task } = hidden(3, privacy === undefined ? {} : { privacy });
      const plan = planOf(task, 2);
      await fc.assert(
        fc.asyncProperty(anyRecords, anyRecords, anyParameters, async (first, second, parameters) => {
          const encrypted = await encryptParameters(task, encryptor, parameters);
          const tags = Array.from({ length: plan.ciphertexts }, (_, index) => 2n ** 64n - 1n - BigInt(index));
          const sent = await Promise.all(
            [first, second].map(async (records) =>
              sealEncrypted({ plan, encryptor }, await prepareMatrix({ plan, task }, records), encrypted, tags),
            ),
          );
          const sum = aggregate(encryptor, plan.ciphertexts, sent);
          const opened = openVector(plan, decryptor, sum, 2, (sums) => {
            assert.deepEqual(
              sums,
              tags.map((tag) => 2n * tag),
            );
          });
          const own = [first, second].map((records) => contribution(task, records, parameters));
          assert.equal(
            opened.weight,
            own.reduce((all, { weight }) => all + weight, 0n),
          );
          assert.deepEqual(
            opened.values,
            opened.values.map((_, index) => own.reduce((all, { values }) => all + (values[index] ?? 0n), 0n)),
          );
        }),
        { numRuns: runs },
      );
    });

  test.run();
}

const test = suite('the way on encrypted parameters');

const points = fromRows(
  Array.from({ length: 30 }, (_, index) => {
    const [a, b] = [Math.sin(index * 1.7), Math.cos(index * 2.9) * 0.8];
    return [a, b, 0.3 + 0.4 * a - 0.2 * b];
  }),
);

test('a thousand rounds: what goes out has as many bits in the last as it may have in the first', async () => {
  const training = { rounds: 1000, optimizer: 'sgd', learning_rate: 0.3, parameter_bound: 2 };
  const { task, model, map } = hidden(2, { training, participation: { max_records: 100 } });
  const plan = planOf(task, 2);
  const encryptor = createEncryptor(publicKey);
  const decryptor = createDecryptor(privateKey);
  const matrix = await prepareMatrix({ plan, task }, points);
  const trainer = createTrainer(model, map, task);
  const greatest = task.encrypted.parameterBound;
  let rounds = 0;
  while (!trainer.finished) {
    const encrypted = await encryptParameters(task, encryptor, trainer.parameters);
    const plaintexts = decryptor.decryptBatch(encrypted, 3).map((m) => (m > n / 2n ? m - n : m));
    assert.ok(plaintexts.every((value) => value <= greatest && -value <= greatest));
    const sent = await sealEncrypted(
      { plan, encryptor },
      matrix,
      encrypted,
      new Array<bigint>(plan.ciphertexts).fill(1n),
    );
    const opened = await open({ task, plan, decryptor }, sent, 1, () => undefined);
    trainer.absorb(opened);
    rounds += 1;
  }
  assert.equal(rounds, 1001);
  for (const [index, value] of [0.3, 0.4, -0.2].entries())
    assert.ok(Math.abs((trainer.parameters[index] ?? 0) - value) < 1e-6, String(trainer.parameters[index]));
  assert.ok((trainer.metrics?.loss ?? 1) < 1e-9);
});

test('what is sent tells nothing of what it was computed on: bare ciphertexts come back as uniform as others', async () => {
  const { task } = hidden(1);
  const plan = planOf(task, 2);
  const encryptor = createEncryptor(publicKey);
  const matrix = await prepareMatrix({ plan, task }, fromRows([[0.5, 0.25]]));
  const width = 128;
  // Encryptions of 3 and −5 without any randomness, which an owner's checks refuse.
  const bare = Buffer.concat(
    [3n, n - 5n].map((m) => Buffer.from((1n + m * n).toString(16).padStart(2 * width, '0'), 'hex')),
  );
  const tags = new Array<bigint>(plan.ciphertexts).fill(0n);
  const residues = new Set<bigint>();
  for (let round = 0; round < 8; round += 1)
    for (const ciphertext of readIntegers(publicKey, await sealEncrypted({ plan, encryptor }, matrix, bare, tags)))
      residues.add(ciphertext % n);
  assert.equal(residues.size, 8 * plan.ciphertexts);
  assert.ok(!residues.has(1n));
});

test('noise of data owners is in their contributions, and has the variance that it should have', async () => {
  const { task } = hidden(1, { privacy: { rho: 1, place: 'data-owners' } });
  const variance = rational(2n ** 40n);
  const plan = planOf(task, 2, 2n ** 26n);
  const encryptor = createEncryptor(publicKey);
  const decryptor = createDecryptor(privateKey);
  const noise = { variance, random: systemRandom };
  const records = fromRows([[0.5, 0.25]]);
  const matrix = await prepareMatrix({ plan, task }, records);
  const parameters = Float64Array.of(0.125, -0.5);
  const exact = contribution(task, records, parameters);
  const encrypted = await encryptParameters(task, encryptor, parameters);
  const tags = new Array<bigint>(plan.ciphertexts).fill(0n);
  let [squares, count] = [0, 0];
  for (let round = 0; round < 100; round += 1) {
    const sent = await sealEncrypted({ plan, encryptor, noise }, matrix, encrypted, tags);
    const { weight, values } = openVector(plan, decryptor, sent, 1, () => undefined);
    for (const draw of [weight - exact.weight, ...values.map((value, index) => value - (exact.values[index] ?? 0n))]) {
      squares += (Number(draw) / 2 ** 20) ** 2;
      count += 1;
    }
  }
  // A sum of 400 squares is between 250 and 600 but for a chance of less than 2e-8 (chi-squared of 400 degrees).
  assert.equal(count, 400);
  assert.ok(squares > 250 && squares < 600, String(squares));
});

test('parameters beyond the bound are shortened before they are encrypted, whatever asks for them', async () => {
  const { task } = hidden(1, { training: { parameter_bound: 1 } });
  const encryptor = createEncryptor(publicKey);
  const encrypted = await encryptParameters(task, encryptor, Float64Array.of(30, 40));
  const plaintexts = createDecryptor(privateKey).decryptBatch(encrypted, 2);
  assert.deepEqual(plaintexts, boundedIntegers(Float64Array.of(30, 40), task.encrypted.parameterBound, 40));
  assert.ok(plaintexts.reduce((sum, each) => sum + each * each, 0n) <= 2n ** 80n);
});

test.run();
