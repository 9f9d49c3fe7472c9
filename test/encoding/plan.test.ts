import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import {
  createPlan,
  describePlan,
  ownerBound,
  type PlanRequest,
  slotBound,
  slotName,
} from '../../src/encoding/plan.ts';
import { plans, runs } from './generators.ts';

const test = suite('plan');

const request: PlanRequest = {
  keyBits: 2048,
  length: 11,
  owners: 3,
  maxWeight: 1n << 20n,
  valueBound: 1n << 37n,
  scale: 2 ** 27,
};

test('computes bounds, widths and counts', () => {
  assert.deepEqual(createPlan(request), {
    ...request,
    weightUnit: 1n,
    noiseBound: 0n,
    slotBits: 61,
    sumBound: 3n << 57n,
    tags: false,
    tagBits: 0,
    slotsPerCiphertext: 33,
    slots: 13,
    ciphertexts: 1,
  });
});

test('needs ⌈log₂ B⌉ + 2 bits, to the bit', () => {
  const width = (more: Partial<PlanRequest>): number =>
    createPlan({ ...request, owners: 1, maxWeight: 1n, ...more }).slotBits;
  assert.equal(width({ valueBound: 1n }), 2);
  assert.equal(width({ valueBound: 2n }), 3);
  assert.equal(width({ valueBound: 3n }), 4);
  assert.equal(width({ valueBound: 4n }), 4);
  assert.equal(width({ valueBound: 5n }), 5);
  assert.equal(width({ valueBound: (1n << 60n) - 1n }), 62);
  assert.equal(width({ valueBound: 1n << 60n }), 62);
  assert.equal(width({ valueBound: (1n << 60n) + 1n }), 63);
});

test('makes room for owners, weights, the weight unit and noise under encryption', () => {
  assert.equal(createPlan({ ...request, weightUnit: 1n << 36n }).sumBound, 3n << 57n);
  assert.equal(createPlan({ ...request, weightUnit: 1n << 38n }).sumBound, 3n << 58n);
  assert.equal(createPlan({ ...request, noiseBound: 12345n }).sumBound, (3n << 57n) + 12345n);
  assert.equal(createPlan({ ...request, owners: 4 }).slotBits, 61);
  assert.equal(createPlan({ ...request, owners: 4, noiseBound: 1n }).slotBits, 62);
  assert.equal(createPlan({ ...request, owners: 5 }).slotBits, 62);
});

test('packs 51 slots of 40 bits into 2048 bits, about 10 bytes a value', () => {
  const plan = createPlan({ ...request, length: 1000, maxWeight: 1n << 6n, valueBound: 1n << 30n, slotBits: 40 });
  assert.equal(plan.slotsPerCiphertext, 51);
  assert.equal(plan.ciphertexts, 20);
  assert.ok((plan.ciphertexts * 512) / plan.length <= 10.5);
});

test("makes room for the sum of everybody's 64-bit tags above the last slot when asked to", () => {
  const tagged = (keyBits: number, owners: number): number[] => {
    const plan = createPlan({ ...request, keyBits, owners, slotBits: 73, tags: true });
    assert.equal(plan.tags, true);
    return [plan.tagBits, plan.slotsPerCiphertext];
  };
  assert.deepEqual(tagged(2048, 1), [65, 27]);
  assert.deepEqual(tagged(2048, 2), [66, 27]);
  assert.deepEqual(tagged(2048, 3), [67, 27]);
  assert.deepEqual(tagged(2048, 1024), [75, 27]);
  assert.deepEqual(tagged(2048, 1025), [76, 26]);
  assert.deepEqual(tagged(2048, 10_000), [79, 26]);
  assert.deepEqual(tagged(3072, 2), [66, 41]);
  assert.deepEqual(tagged(3072, 1024), [75, 41]);
  assert.deepEqual(tagged(3072, 10_000), [79, 40]);
});

test('gives a safe plan or none: every slot of the sum at its bound stays below half of the smallest modulus', () => {
  fc.assert(
    fc.property(plans, (plan) => {
      const full = (bound: bigint): bigint => {
        let packed = 0n;
        for (let slot = 0; slot < plan.slotsPerCiphertext; slot += 1) packed += bound << BigInt(slot * plan.slotBits);
        return packed;
      };
      const smallest = 1n << BigInt(plan.keyBits - 1);
      assert.ok(plan.sumBound * 4n <= 1n << BigInt(plan.slotBits));
      const tags = plan.tags ? BigInt(plan.owners) * ((1n << 64n) - 1n) : 0n;
      const above = (sum: bigint): bigint => sum << BigInt(plan.slotsPerCiphertext * plan.slotBits);
      assert.ok(2n * (full(plan.sumBound) + above(tags)) < smallest);
      // An overflow by less than a factor of two still decodes, so that it can be refused.
      assert.ok(2n * full(2n * plan.sumBound) <= smallest);
      assert.ok(2n * (full(plan.sumBound) + above(2n * tags)) <= smallest);
      assert.ok((plan.slotsPerCiphertext + 1) * plan.slotBits > plan.keyBits - 2 - plan.tagBits);
      assert.equal(plan.slots, plan.length + 2);
      assert.ok(plan.ciphertexts * plan.slotsPerCiphertext >= plan.slots);
      assert.ok((plan.ciphertexts - 1) * plan.slotsPerCiphertext < plan.slots);
      for (let slot = 0; slot < plan.slots; slot += 1) {
        assert.ok(slotBound(plan, slot, plan.owners) <= plan.sumBound);
        assert.ok(ownerBound(plan, slot) <= slotBound(plan, slot, 1));
      }
    }),
    { numRuns: runs },
  );
});

test('a plan asked for again is the same plan, and one bit less than needed is refused', () => {
  fc.assert(
    fc.property(plans, (plan) => {
      assert.deepEqual(createPlan(plan), plan);
      const { slotBits, ...rest } = plan;
      const least = createPlan(rest).slotBits;
      assert.ok(least <= slotBits);
      if (least > 2)
        assert.throws(() => createPlan({ ...rest, slotBits: least - 1 }), { code: 'plan_unsafe', field: 'slotBits' });
    }),
    { numRuns: runs },
  );
});

test('refuses slots too narrow with the inequality in numbers', () => {
  assert.throws(() => createPlan({ ...request, slotBits: 40 }), {
    name: 'SealsumError',
    code: 'plan_unsafe',
    field: 'slotBits',
    message:
      'slots need 61 bits: 3 owners × 2^20 weight × 2^37 bound + 2 bits of headroom; asked for 40; ' +
      'ask for 61 or more, or for fewer owners, a smaller weight, bound or scale',
  });
  assert.throws(
    () =>
      createPlan({ ...request, owners: 1, maxWeight: 1000n, valueBound: 999_999n, noiseBound: 1n << 40n, slotBits: 4 }),
    {
      message:
        /^slots need 43 bits: 1 owner × 1000 weight × 999999 bound \+ 2\^40 noise \+ 2 bits of headroom; asked for 4;/,
    },
  );
  assert.throws(() => createPlan({ ...request, weightUnit: 1n << 50n, valueBound: (1n << 49n) + 1n, slotBits: 60 }), {
    message: /^slots need 74 bits: 3 owners × 2\^20 weight × 2\^50 weight unit \+ 2 bits of headroom; asked for 60;/,
  });
  assert.throws(() => createPlan({ ...request, valueBound: 3n << 60n, slotBits: 60 }), {
    message: /^slots need 86 bits: 3 owners × 2\^20 weight × 2\^61\.58 bound \+/,
  });
});

test('refuses a job of which not one slot fits the key, and says which key would do', () => {
  assert.throws(() => createPlan({ ...request, valueBound: 1n << 2030n }), {
    code: 'plan_unsafe',
    field: 'keyBits',
    message:
      'slots need 2054 bits: 3 owners × 2^20 weight × 2^2030 bound + 2 bits of headroom; a key of 2048 bits holds 2046; ' +
      'use a key of at least 2056 bits, or fewer owners, a smaller weight, bound or scale',
  });
  assert.throws(() => createPlan({ ...request, slotBits: 2047 }), {
    code: 'plan_unsafe',
    field: 'keyBits',
    message: /^slots of 2047 bits were asked for; a key of 2048 bits holds 2046; use a key of at least 2049 bits/,
  });
  assert.equal(createPlan({ ...request, slotBits: 2046 }).slotsPerCiphertext, 1);
});

test('tells the bits for tags in what it refuses', () => {
  const tagged = { ...request, tags: true };
  assert.throws(() => createPlan({ ...tagged, slotBits: 40 }), {
    field: 'slotBits',
    message:
      'slots need 61 bits: 3 owners × 2^20 weight × 2^37 bound + 2 bits of headroom, beside 67 bits for tags in each ciphertext; ' +
      'asked for 40; ask for 61 or more, or for fewer owners, a smaller weight, bound or scale',
  });
  assert.throws(() => createPlan({ ...tagged, valueBound: 1n << 1960n }), {
    field: 'keyBits',
    message:
      'slots need 1984 bits: 3 owners × 2^20 weight × 2^1960 bound + 2 bits of headroom; a key of 2048 bits holds 1979, ' +
      'beside 67 bits for tags in each ciphertext; ' +
      'use a key of at least 2053 bits, or fewer owners, a smaller weight, bound or scale',
  });
  assert.throws(() => createPlan({ ...tagged, slotBits: 1980 }), {
    message:
      /^slots of 1980 bits were asked for; a key of 2048 bits holds 1979, beside 67 bits for tags .*; use a key of at least 2049 bits/,
  });
  assert.equal(createPlan({ ...tagged, slotBits: 1979 }).slotsPerCiphertext, 1);
  assert.equal(createPlan({ ...tagged, slotBits: 1980, keyBits: 2049 }).slotsPerCiphertext, 1);
});

test('refuses what makes no sense, naming the field', () => {
  for (const field of ['keyBits', 'length', 'owners', 'slotBits'] as const) {
    for (const wrong of [0, -1, 1.5, Number.NaN, Infinity, 2 ** 53]) {
      assert.throws(() => createPlan({ ...request, [field]: wrong }), {
        code: 'plan_unsafe',
        field,
        message: `${field}: expected an integer of at least 1`,
      });
    }
  }
  for (const field of ['maxWeight', 'valueBound', 'weightUnit'] as const) {
    assert.throws(() => createPlan({ ...request, [field]: 0n }), { code: 'plan_unsafe', field });
  }
  assert.throws(() => createPlan({ ...request, noiseBound: -1n }), { code: 'plan_unsafe', field: 'noiseBound' });
  for (const scale of [0, -1, Number.NaN, Infinity]) {
    assert.throws(() => createPlan({ ...request, scale }), { code: 'plan_unsafe', field: 'scale' });
  }
});

test('tells its proof in numbers', () => {
  assert.equal(
    describePlan(createPlan(request)),
    'a slot of the sum reaches at most 3 owners × 2^20 weight × 2^37 bound = 2^58.58, ' +
      'so 61 bits hold it with 2 bits of headroom; 33 × 61 = 2013 ≤ 2048 − 2 bits, so 33 slots fit a ciphertext; ' +
      '13 slots (count, weight, 11 values) take 1 ciphertext',
  );
  assert.equal(
    describePlan(createPlan({ ...request, tags: true })),
    'a slot of the sum reaches at most 3 owners × 2^20 weight × 2^37 bound = 2^58.58, ' +
      'so 61 bits hold it with 2 bits of headroom; 32 × 61 + 67 for tags = 2019 ≤ 2048 − 2 bits, ' +
      'so 32 slots and a tag fit a ciphertext; 13 slots (count, weight, 11 values) take 1 ciphertext',
  );
  assert.match(
    describePlan(createPlan({ ...request, length: 40, slotBits: 70 })),
    /70 bits hold it with 11 bits .* take 2 ciphertexts$/,
  );
});

test('names slots', () => {
  assert.deepEqual([0, 1, 2, 3].map(slotName), ['count', 'weight', 'value 0', 'value 1']);
});

test.run();
