/** Encrypted vectors against exact fractions: whatever is done to them decrypts to the last digit, or is refused before it is done. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { type EncryptedVector, meanVectors, sumVectors } from '../../src/encoding/encrypted-vector.ts';
import { decryptVector } from '../../src/encoding/encrypted-vector-decryption.ts';
import { encryptVector } from '../../src/encoding/encrypted-vector-encryption.ts';
import { vectorFromJson, vectorToJson } from '../../src/encoding/encrypted-vector-json.ts';
import { SealsumError } from '../../src/errors.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { generateKeyPair } from '../../src/paillier/key-generation.ts';
import { multiplyRationals, type Rational, rational } from '../../src/privacy/rational.ts';
import { backends } from '../paillier/backends.ts';
import { smallKeys } from '../paillier/keys.ts';
import { assertTwins, numbers, plus, rounded, type Twin, times, vectorsOf } from './encrypted-vectors.ts';

const runs = process.env.SLOW === undefined ? 25 : 500;
const realKeys = await generateKeyPair({ bits: 2048 });

const bits = fc.integer({ min: 0, max: 20 });
/** One slot to a ciphertext, or several. */
const layouts = fc.constantFrom({}, { slotBits: 60 }, { slotBits: 100 });

/** What may be done to a vector, whatever its layout. */
type Step =
  | { readonly kind: 'add' | 'subtract'; readonly values: number[]; readonly fractionBits: number }
  | { readonly kind: 'addPlain'; readonly values: number[] }
  | { readonly kind: 'multiplyPlain'; readonly factor: number; readonly fractionBits: number }
  | { readonly kind: 'divide'; readonly divisor: number }
  | { readonly kind: 'negate' | 'double' | 'cancel' | 'rerandomise' | 'send' };

function stepsFor(length: number): fc.Arbitrary<Step> {
  return fc.oneof(
    fc.record({ kind: fc.constantFrom('add', 'subtract'), values: vectorsOf(length), fractionBits: bits }),
    fc.record({ kind: fc.constant('addPlain'), values: vectorsOf(length) }),
    fc.record({ kind: fc.constant('multiplyPlain'), factor: numbers, fractionBits: bits }),
    fc.record({ kind: fc.constant('divide'), divisor: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ kind: fc.constantFrom('negate', 'double', 'cancel', 'rerandomise', 'send') }),
  );
}

interface Program {
  readonly values: number[];
  readonly fractionBits: number;
  readonly layout: { readonly slotBits?: number };
  readonly steps: Step[];
}

/** Is refused sooner or later. */
const growing: Program = {
  values: [100, -99.9],
  fractionBits: 20,
  layout: { slotBits: 100 },
  steps: new Array<Step>(5).fill({ kind: 'multiplyPlain', factor: -99.7, fractionBits: 20 }),
};

const programs: fc.Arbitrary<Program> = fc.integer({ min: 1, max: 4 }).chain((length) =>
  fc.record({
    values: vectorsOf(length),
    fractionBits: bits,
    layout: layouts,
    steps: fc.array(stepsFor(length), { minLength: 1, maxLength: 12 }),
  }),
);

for (const backend of backends) {
  const test = suite(`encrypted vector, ${backend.name}`);
  const { publicKey, privateKey } = smallKeys;
  const encryptor = createEncryptor(publicKey, { backend });
  const decryptor = createDecryptor(privateKey, { backend });

  async function encrypt(
    values: readonly number[],
    fractionBits: number,
    layout: { slotBits?: number },
  ): Promise<Twin> {
    const vector = await encryptVector(encryptor, values, { fractionBits, bound: 100, ...layout });
    return { vector, values: values.map((value) => rounded(value, 2n ** BigInt(fractionBits))) };
  }

  async function perform({ vector, values }: Twin, step: Step, layout: { slotBits?: number }): Promise<Twin> {
    switch (step.kind) {
      case 'add': {
        const other = await encrypt(step.values, step.fractionBits, layout);
        return { vector: vector.add(other.vector), values: plus(values, other.values) };
      }
      case 'subtract': {
        const other = await encrypt(step.values, step.fractionBits, layout);
        return { vector: vector.subtract(other.vector), values: plus(values, times(other.values, rational(-1n))) };
      }
      case 'addPlain': {
        const plain = step.values.map((value) => rounded(value, vector.scale));
        return { vector: vector.addPlain(step.values), values: plus(values, plain) };
      }
      case 'multiplyPlain': {
        const { factor, fractionBits } = step;
        return {
          vector: await vector.multiplyPlain(factor, { fractionBits }),
          values: times(values, rounded(factor, 2n ** BigInt(fractionBits))),
        };
      }
      case 'divide':
        return { vector: vector.divide(step.divisor), values: times(values, rational(1n, BigInt(step.divisor))) };
      case 'negate':
        return { vector: vector.negate(), values: times(values, rational(-1n)) };
      case 'double':
        return { vector: vector.add(vector), values: plus(values, values) };
      case 'cancel':
        return { vector: vector.subtract(vector), values: times(values, rational(0n)) };
      case 'rerandomise':
        return { vector: await vector.rerandomise(encryptor), values };
      case 'send': {
        const json: unknown = JSON.parse(JSON.stringify(await vectorToJson(encryptor, vector)));
        return { vector: vectorFromJson(publicKey, json, { backend }), values };
      }
    }
  }

  test('any sequence of operations decrypts to the last digit until one is refused with the bits that it needs', async () => {
    let refusals = 0;
    await fc.assert(
      fc.asyncProperty(programs, async ({ values, fractionBits, layout, steps }) => {
        let twin = await encrypt(values, fractionBits, layout);
        await assertTwins(decryptor, twin);
        for (const step of steps) {
          try {
            twin = await perform(twin, step, layout);
          } catch (error) {
            assert.ok(error instanceof SealsumError && error.code === 'plan_unsafe', String(error));
            const [, needed, available] = /needs (\d+) bits a slot, slots have (\d+);/.exec(error.message) ?? [];
            assert.ok(Number(needed) > Number(available));
            assert.equal(Number(available), twin.vector.slotBits);
            refusals += 1;
          }
          await assertTwins(decryptor, twin);
        }
      }),
      { numRuns: runs, examples: [[growing]] },
    );
    assert.ok(refusals > 0);
  });

  test('one to a ciphertext: products one by one, dot products, sums, means and parts', async () => {
    const arbitrary = fc.integer({ min: 1, max: 4 }).chain((length) =>
      fc.record({
        values: vectorsOf(length),
        rows: fc.array(vectorsOf(length), { minLength: 1, maxLength: 3 }),
        fractionBits: bits,
        bound: fc.constantFrom(undefined, 100),
        from: fc.integer({ min: 0, max: length - 1 }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ values, rows, fractionBits, bound, from }) => {
        const { vector, values: exact } = await encrypt(values, 20, {});
        const options = { fractionBits, ...(bound === undefined ? {} : { bound }) };
        const weights = rows.map((row) => row.map((weight) => rounded(weight, 2n ** BigInt(fractionBits))));
        const dots = weights.map((row) =>
          total(exact.map((each, j) => multiplyRationals(each, row[j] ?? rational(0n)))),
        );
        const [row = [], ...others] = rows;
        const product = await vector.multiplyPlain(row, options);
        const each = exact.map((value, j) => multiplyRationals(value, weights[0]?.[j] ?? rational(0n)));
        await assertTwins(decryptor, { vector: product, values: each });
        const dot = await vector.dotPlain(row, options);
        await assertTwins(decryptor, { vector: dot, values: dots.slice(0, 1) });
        const matrix = await vector.dotRows([row, ...others], options);
        await assertTwins(decryptor, { vector: matrix, values: dots });
        await assertTwins(decryptor, { vector: vector.sum(), values: [total(exact)] });
        const mean = multiplyRationals(total(exact), rational(1n, BigInt(values.length)));
        await assertTwins(decryptor, { vector: vector.mean(), values: [mean] });
        await assertTwins(decryptor, { vector: vector.slice(from, values.length), values: exact.slice(from) });
      }),
      { numRuns: runs },
    );
  });

  test('sums and means of several vectors, at several scales', async () => {
    const several = fc
      .integer({ min: 1, max: 3 })
      .chain((length) =>
        fc.tuple(layouts, fc.array(fc.tuple(vectorsOf(length), bits), { minLength: 1, maxLength: 4 })),
      );
    await fc.assert(
      fc.asyncProperty(several, async ([layout, all]) => {
        const twins = await Promise.all(all.map(([values, fractionBits]) => encrypt(values, fractionBits, layout)));
        const vectors = twins.map(({ vector }) => vector);
        const sum = twins.map(({ values }) => values).reduce(plus);
        await assertTwins(decryptor, { vector: sumVectors(vectors), values: sum });
        const mean = times(sum, rational(1n, BigInt(twins.length)));
        await assertTwins(decryptor, { vector: meanVectors(vectors), values: mean });
      }),
      { numRuns: runs },
    );
  });

  test('a mean of three and a fourth vector are added exactly, since scales have a least common multiple', async () => {
    const all = await Promise.all([[1], [2], [4]].map((values) => encrypt(values, 4, {})));
    const mean = meanVectors(all.map(({ vector }) => vector));
    const { vector } = await encrypt([0.5], 6, {});
    assert.equal(mean.scale, 48n);
    assert.equal(mean.add(vector).scale, 192n);
    await assertTwins(decryptor, { vector: mean.add(vector), values: [rational(17n, 6n)] });
  });

  test('what leaves is re-randomised when operations made it, and what was encrypted leaves as it is', async () => {
    const { vector } = await encrypt([3, -4], 4, {});
    const send = async (each: EncryptedVector): Promise<string> => (await vectorToJson(encryptor, each)).ciphertexts;
    assert.equal(await send(vector), await send(vector));
    const [first, ...others] = [
      vector.addPlain(0),
      vector.addPlain(0),
      await vector.multiplyPlain(1),
      vector.add(vector).subtract(vector),
      vector.slice(0, 2),
    ];
    const seen = new Set([await send(vector), await send(first)]);
    for (const each of others) seen.add(await send(each));
    assert.equal(seen.size, 6);
    assert.equal(await send(vector.divide(2)), await send(vector));
    assert.notEqual(await send(await vector.rerandomise(encryptor)), await send(vector));
  });

  test.run();
}

function total(values: readonly Rational[]): Rational {
  return values.map((value) => [value]).reduce(plus, [rational(0n)])[0] ?? rational(0n);
}

const test = suite('encrypted vector');
const encryptor = createEncryptor(realKeys.publicKey);
const decryptor = createDecryptor(realKeys.privateKey);

test('2048 bits: doubled until it is refused, every result before that is right, and the last has no bit to spare', async () => {
  for (const slotBits of [40, 120, undefined]) {
    const layout = slotBits === undefined ? {} : { slotBits };
    // The greatest and the least value at the bound: in packed slots their carries go into the neighbours.
    let vector = await encryptVector(encryptor, [8, -8, 8, 0, -8], { fractionBits: 10, bound: 8, ...layout });
    const steps = (slotBits ?? 2046) - 2 - 13;
    assert.equal(vector.headroomBits, steps);
    // Beyond 2^1023 there is no double, and that is refused first.
    const most = Math.min(steps, 1020);
    for (let step = 1; step <= most; step += 1) {
      vector = vector.add(vector);
      if (step % 100 === 0 || step > most - 3 || steps < 100) {
        const power = 8 * 2 ** step;
        assert.deepEqual([...(await decryptVector(decryptor, vector))], [power, -power, power, 0, -power]);
      }
    }
    if (slotBits === undefined) {
      assert.throws(() => vector.add(vector), { code: 'number_out_of_bounds', field: 'add' });
    } else {
      assert.equal(vector.headroomBits, 0);
      assert.throws(() => vector.add(vector), {
        code: 'plan_unsafe',
        field: 'add',
        message:
          `add: needs ${slotBits + 1} bits a slot, slots have ${slotBits}; encrypt with slotBits of ${slotBits + 1} or more ` +
          'or with fewer fractionBits, or renormalise',
      });
    }
  }
});

test('exactly what has room is done: one unit more is refused', async () => {
  // 8 bits hold ±64.
  const vector = await encryptVector(encryptor, [60, -60, 1], { fractionBits: 0, bound: 60, slotBits: 8 });
  const full = vector.addPlain([4, -4, 0]);
  assert.equal(full.bound, 64n);
  assert.deepEqual([...(await decryptVector(decryptor, full))], [64, -64, 1]);
  assert.throws(() => vector.addPlain([4, -5, 0]), { code: 'plan_unsafe', field: 'addPlain', message: /needs 9 bits/ });
  assert.throws(() => vector.addPlain([0, 0, 0], { bound: 5 }), { code: 'plan_unsafe', field: 'addPlain' });
  await assert.rejects(vector.multiplyPlain(2), {
    code: 'plan_unsafe',
    field: 'multiplyPlain',
    message: /needs 9 bits/,
  });
  await assert.rejects(vector.multiplyPlain(0, { bound: 2 }), { code: 'plan_unsafe' });
  const one = await encryptVector(encryptor, [3], { fractionBits: 0, bound: 5, slotBits: 8 });
  assert.throws(() => sumVectors(new Array<EncryptedVector>(13).fill(one)), {
    code: 'plan_unsafe',
    field: 'sumVectors',
  });
  assert.deepEqual([...(await decryptVector(decryptor, sumVectors(new Array<EncryptedVector>(12).fill(one))))], [36]);
  const wide = await encryptVector(encryptor, [1, 1], { fractionBits: 0, bound: 1 });
  const large = await wide.multiplyPlain(2 ** 1000);
  for (const refused of [large.multiplyPlain(2 ** 1000), large.dotPlain([2 ** 1000, 0])])
    await assert.rejects(refused, { code: 'number_out_of_bounds' });
  const small = wide.divide(2n ** 1023n);
  const longest = await (await small.divide(2n ** 1000n).multiplyPlain(2 ** 1000)).multiplyPlain(2 ** 1000);
  assert.throws(() => longest.addPlain(2 ** 100), { code: 'plan_unsafe', message: /use a key of \d+ bits or more/ });
  await assert.rejects(longest.multiplyPlain(2 ** 60), {
    message:
      'multiplyPlain: needs 2062 bits a slot, slots have 2046; use a key of 2064 bits or more or with fewer fractionBits, or renormalise',
  });
});

test.run();
