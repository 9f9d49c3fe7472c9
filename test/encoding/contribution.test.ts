import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { contributionSlots } from '../../src/encoding/contribution.ts';
import { createPlan } from '../../src/encoding/plan.ts';

const test = suite('contribution');

const plan = createPlan({
  keyBits: 256,
  length: 4,
  owners: 3,
  maxWeight: 100n,
  valueBound: 1000n,
  weightUnit: 7n,
  scale: 8,
});

test('puts the count first, then the weight, then the values', () => {
  assert.deepEqual(contributionSlots(plan, { weight: 21n, values: [1n, -2n, 3n, 0n] }), [1n, 21n, 1n, -2n, 3n, 0n]);
});

test('goes to the bound in every slot, and refuses one beyond it by name', () => {
  const zeros = [0n, 0n, 0n, 0n];
  for (const sign of [1n, -1n]) {
    const weight = sign * 700n;
    const values = zeros.map(() => sign * 100_000n);
    assert.deepEqual(contributionSlots(plan, { weight, values }), [1n, weight, ...values]);
    assert.throws(() => contributionSlots(plan, { weight: weight + sign, values }), {
      code: 'number_out_of_bounds',
      field: 'weight',
      message:
        'slot 1 (weight) is beyond the ±700 that the plan allows one owner; plan for a greater weight or bound, or clip',
    });
    for (let index = 0; index < 4; index += 1) {
      const beyond = values.with(index, sign * 100_001n);
      assert.throws(() => contributionSlots(plan, { weight, values: beyond }), {
        code: 'number_out_of_bounds',
        field: `value ${index}`,
        message: `slot ${index + 2} (value ${index}) is beyond the ±100000 that the plan allows one owner; plan for a greater weight or bound, or clip`,
      });
    }
  }
});

test('refuses every other number of values', () => {
  for (const length of [0, 1, 3, 5, 100]) {
    assert.throws(() => contributionSlots(plan, { weight: 1n, values: new Array<bigint>(length).fill(0n) }), {
      code: 'plan_mismatch',
      field: 'values',
      message: `values: the plan has room for 4, not for ${length}`,
    });
  }
});

test.run();
