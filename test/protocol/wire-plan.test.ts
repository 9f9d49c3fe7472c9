/** Plans with tags, there and back through JSON, and what does not follow from the rest of one. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { createPlan, type PlanRequest } from '../../src/encoding/plan.ts';
import { SealsumError } from '../../src/errors.ts';
import { parseModel } from '../../src/learning/model.ts';
import { termsOf } from '../../src/protocol/terms.ts';
import {
  planDifferences,
  planFromWire,
  planToWire,
  type WirePlan,
  wirePlanSchema,
} from '../../src/protocol/wire-plan.ts';

const test = suite('plans that travel');

const travelled = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const request = { keyBits: 2048, length: 60, owners: 3, maxWeight: 1000n, valueBound: 1n << 20n, scale: 1024 };

const requests: fc.Arbitrary<PlanRequest> = fc.record({
  keyBits: fc.constantFrom(2048, 3072, 4096),
  length: fc.integer({ min: 1, max: 5000 }),
  owners: fc.constantFrom(2, 3, 1024, 10_000),
  maxWeight: fc.bigInt({ min: 1n, max: 1n << 40n }),
  valueBound: fc.bigInt({ min: 1n, max: 1n << 96n }),
  scale: fc.oneof(
    fc.double({ min: 0, minExcluded: true, noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(1, 2 ** 40, 2 ** 96, 5e-324),
  ),
  weightUnit: fc.bigInt({ min: 1n, max: 1n << 20n }),
  noiseBound: fc.bigInt({ min: 0n, max: 1n << 60n }),
  tags: fc.boolean(),
});

test('a plan travels to the last bit, with its tags or without, and is computed again from what arrives', () => {
  fc.assert(
    fc.property(requests, (asked) => {
      const plan = createPlan(asked);
      const wire = wirePlanSchema.parse(travelled(planToWire(plan)));
      assert.equal(wire.tag_bits, asked.tags === true ? 65 + Math.ceil(Math.log2(asked.owners)) : 0);
      assert.deepEqual(wire, planToWire(plan));
      assert.deepEqual(planDifferences(planToWire(plan), wire), []);
      assert.deepEqual(planFromWire(wire), plan);
    }),
  );
});

test('a plan of which any field was changed is seen to differ, and is refused unless it is another plan as a whole', () => {
  const wire = planToWire(createPlan({ ...request, tags: true }));
  for (const field of Object.keys(wire) as (keyof WirePlan)[]) {
    for (const by of [1, -1]) {
      const changed = {
        ...wire,
        [field]: typeof wire[field] === 'number' ? wire[field] + by : String(BigInt(wire[field]) + BigInt(by)),
      };
      assert.deepEqual(planDifferences(wire, changed), [field]);
      try {
        assert.deepEqual(planToWire(planFromWire(changed)), changed);
        // Only what a request asks for may be another: nothing that follows from it.
        assert.ok(['scale', 'weight_unit', 'key_bits', 'length'].includes(field), field);
      } catch (error) {
        assert.ok(error instanceof SealsumError, String(error));
        assert.ok(['plan_mismatch', 'plan_unsafe'].includes(error.code));
      }
    }
  }
  assert.throws(() => planFromWire({ ...wire, ciphertexts: 7 }), {
    code: 'plan_mismatch',
    field: 'plan.ciphertexts',
    message: `plan.ciphertexts: expected ${wire.ciphertexts}, which follows from the others, found 7`,
  });
});

test('tag bits that are not those of the owners are refused, and so is what would leave no room for them', () => {
  const wire = planToWire(createPlan({ ...request, tags: true }));
  for (const tag_bits of [1, 64, 66, 68, 128]) {
    assert.throws(() => planFromWire({ ...wire, tag_bits }), {
      code: 'plan_mismatch',
      field: 'plan.tag_bits',
      message: `plan.tag_bits: expected 67, which follows from the others, found ${tag_bits}`,
    });
    assert.deepEqual(planDifferences(wire, { ...wire, tag_bits }), ['tag_bits']);
  }
  const bare = planToWire(createPlan(request));
  assert.notEqual(bare.slots_per_ciphertext, wire.slots_per_ciphertext);
  for (const wrong of [
    { ...wire, tag_bits: 0 },
    { ...bare, tag_bits: 67 },
  ])
    assert.throws(() => planFromWire(wrong), { code: 'plan_mismatch', field: 'plan.slots_per_ciphertext' });
  for (const tag_bits of [-1, 0.5, 129, '67', null, undefined])
    assert.ok(!wirePlanSchema.safeParse({ ...wire, tag_bits }).success, String(tag_bits));
  const { tag_bits, ...rest }: WirePlan = wire;
  assert.equal(tag_bits, 67);
  assert.ok(!wirePlanSchema.safeParse(rest).success);
});

test('a training job always plans tags', () => {
  const model = parseModel({
    model_type: 'LINEAR_REGRESSION',
    data_props: {
      features: [{ name: 'x', type: 'continuous', range: [0, 1] }],
      target: { name: 'y', range: [0, 1] },
    },
  });
  for (const owners of [2, 3, 1024, 10_000])
    assert.equal(termsOf(model, owners).plan.tagBits, 65 + Math.ceil(Math.log2(owners)));
});

test.run();
