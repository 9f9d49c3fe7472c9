import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { contributionSlots, type WeightedVector } from '../../src/encoding/contribution.ts';
import { fromFixedPoint, quantise, toFixedPoint } from '../../src/encoding/fixed-point.ts';
import { pack, unpack } from '../../src/encoding/packing.ts';
import { createPlan, type Plan, type PlanRequest } from '../../src/encoding/plan.ts';
import { renormalise } from '../../src/encoding/renormalise.ts';
import { bitLength } from '../../src/paillier/bytes.ts';
import { runs } from './generators.ts';

const test = suite('renormalise');

const request: PlanRequest = {
  keyBits: 256,
  length: 3,
  owners: 4,
  maxWeight: 50n,
  valueBound: 3n << 19n,
  scale: 2 ** 20,
  weightUnit: 4n,
};
const plan = createPlan(request);

test('divides by the weight in units, ties to even', () => {
  assert.deepEqual(renormalise(plan, { weight: 8n, values: [5n, -5n, 1n] }), [2n, -2n, 0n]);
  assert.deepEqual(renormalise(plan, { weight: 8n, values: [3n, -3n, 0n] }), [2n, -2n, 0n]);
  assert.deepEqual(renormalise(plan, { weight: 12n, values: [10n, 11n, -11n] }), [3n, 4n, -4n]);
});

test('refuses a weight of zero or less, and another number of values', () => {
  for (const weight of [0n, -1n, -1000n]) {
    assert.throws(() => renormalise(plan, { weight, values: [1n, 2n, 3n] }), { code: 'weight_zero', field: 'weight' });
  }
  for (const values of [[], [1n, 2n], [1n, 2n, 3n, 4n]]) {
    assert.throws(() => renormalise(plan, { weight: 1n, values }), { code: 'plan_mismatch', field: 'values' });
  }
});

test('means stay within the bound of one unit of weight, and equal owners mean what each of them says', () => {
  const owner = fc.record({
    records: fc.bigInt({ min: 1n, max: plan.maxWeight }),
    means: fc.array(fc.bigInt({ min: -plan.valueBound, max: plan.valueBound }), { minLength: 3, maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(owner, { minLength: 1, maxLength: 4 }), (owners) => {
      const sum: WeightedVector = {
        weight: owners.reduce((total, { records }) => total + records * plan.weightUnit, 0n),
        values: [0, 1, 2].map((index) =>
          owners.reduce((total, { records, means }) => total + records * (means[index] ?? 0n), 0n),
        ),
      };
      const means = renormalise(plan, sum);
      for (const [index, mean] of means.entries()) {
        const all = owners.map((each) => each.means[index] ?? 0n);
        assert.ok(all.some((one) => one <= mean) && all.some((one) => one >= mean));
        assert.ok(mean <= plan.valueBound && mean >= -plan.valueBound);
      }
      const [first] = owners;
      if (owners.length === 1) assert.deepEqual(means, first?.means);
    }),
    { numRuns: runs },
  );
});

/** A run of rounds as an earlier prototype did not survive it: sum, renormalise, quantise, and sum what came out. */
interface Round {
  readonly plan: Plan;
  readonly modulus: bigint;
  readonly records: readonly bigint[];
}

/** One round: every owner sends records × its own rotation and contraction of the parameters; returns the sum. */
function sumOfOwners({ plan, modulus, records }: Round, parameters: Float64Array): WeightedVector {
  let total: bigint[] = [];
  for (const [owner, count] of records.entries()) {
    const angle = 0.1 + owner;
    const [x = 0, y = 0, z = 0] = parameters;
    const moved = [
      0.9 * (Math.cos(angle) * x - Math.sin(angle) * y) + 0.1,
      0.9 * (Math.sin(angle) * x + Math.cos(angle) * y) - 0.1,
      -0.99 * z + 0.01,
    ];
    const values = toFixedPoint(moved, plan.scale).map((value) => value * count);
    const packed = pack(plan, contributionSlots(plan, { weight: count * plan.weightUnit, values }), modulus);
    total = packed.map((plaintext, index) => (plaintext + (total[index] ?? 0n)) % modulus);
  }
  for (const plaintext of total) assert.ok(bitLength(plaintext) <= plan.keyBits);
  const [, weight = 0n, ...values] = unpack(plan, total, modulus, records.length);
  return { weight, values };
}

test('10,000 rounds of sum, renormalise, quantise and sum again keep every number within the bits of the plan', () => {
  for (const scale of [2 ** 20, 1e6]) {
    const round: Round = {
      plan: createPlan({ ...request, scale }),
      modulus: (1n << 256n) - 189n,
      records: [50n, 1n, 17n, 32n],
    };
    const meanBits = bitLength(round.plan.valueBound);
    let parameters: Float64Array = Float64Array.of(1, -1, 0.5);
    for (let count = 0; count < 10_000; count += 1) {
      const sum = sumOfOwners(round, parameters);
      for (const value of [sum.weight, ...sum.values]) {
        assert.ok(bitLength(value < 0n ? -value : value) <= round.plan.slotBits - 2);
      }
      const means = renormalise(round.plan, sum);
      for (const mean of means) assert.ok(bitLength(mean < 0n ? -mean : mean) <= meanBits);
      parameters = quantise(fromFixedPoint(means, scale), scale);
      assert.deepEqual(toFixedPoint(parameters, scale), means);
    }
  }
});

test('without renormalisation the plan refuses the growing sum by name instead of letting it wrap', () => {
  const round: Round = { plan, modulus: (1n << 256n) - 189n, records: [50n, 1n, 17n, 32n] };
  let parameters: Float64Array = Float64Array.of(1, -1, 0.5);
  assert.throws(
    () => {
      for (let count = 0; count < 20; count += 1) {
        parameters = fromFixedPoint(sumOfOwners(round, parameters).values, plan.scale);
      }
    },
    { code: 'number_out_of_bounds', field: /^value \d$/ },
  );
});

test.run();
