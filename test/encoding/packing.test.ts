import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { pack, unpack } from '../../src/encoding/packing.ts';
import { createPlan, type Plan, slotBound, slotName } from '../../src/encoding/plan.ts';
import { moduliFor, ownerSlotsFor, plans, runs } from './generators.ts';

const test = suite('packing');

const small = createPlan({ keyBits: 64, length: 6, owners: 3, maxWeight: 10n, valueBound: 50n, scale: 1 });
const modulus = (1n << 63n) + 29n;

/** The sum of packed vectors as the facilitator makes it, without the encryption. */
function addPacked(plaintexts: readonly bigint[][], n: bigint): bigint[] {
  return (plaintexts[0] ?? []).map((_, index) =>
    plaintexts.reduce((total, each) => (total + (each[index] ?? 0n)) % n, 0n),
  );
}

function addSlots(vectors: readonly bigint[][]): bigint[] {
  return (vectors[0] ?? []).map((_, slot) => vectors.reduce((total, each) => total + (each[slot] ?? 0n), 0n));
}

/** Puts digits into a ciphertext whatever they are, as a tampering owner or a wrong sum would. */
function forceDigits(plan: Plan, slots: readonly bigint[], n: bigint): bigint[] {
  const plaintexts = new Array<bigint>(plan.ciphertexts).fill(0n);
  for (const [slot, digit] of slots.entries()) {
    const ciphertext = Math.floor(slot / plan.slotsPerCiphertext);
    const place = BigInt((slot % plan.slotsPerCiphertext) * plan.slotBits);
    plaintexts[ciphertext] = (plaintexts[ciphertext] ?? 0n) + (digit << place);
  }
  return plaintexts.map((packed) => ((packed % n) + n) % n);
}

test('lays digits out from the lowest bit up, negative ones borrowing from above', () => {
  assert.equal(small.slotBits, 13);
  assert.equal(small.slotsPerCiphertext, 4);
  const slots = [1n, 2n, -3n, 0n, 0n, -1n, 0n, 7n];
  assert.deepEqual(pack(small, slots, modulus), [
    modulus + (1n + (2n << 13n) - (3n << 26n)),
    -(1n << 13n) + (7n << 39n),
  ]);
  assert.deepEqual(unpack(small, pack(small, slots, modulus), modulus, 1), slots);
});

test('unpacks what was packed, at the bounds and anywhere between, for any plan and modulus', () => {
  const cases = plans.chain((plan) => fc.tuple(fc.constant(plan), ownerSlotsFor(plan), moduliFor(plan)));
  fc.assert(
    fc.property(cases, ([plan, slots, n]) => {
      const plaintexts = pack(plan, slots, n);
      assert.equal(plaintexts.length, plan.ciphertexts);
      for (const plaintext of plaintexts) assert.ok(plaintext >= 0n && plaintext < n);
      assert.deepEqual(unpack(plan, plaintexts, n, 1), slots);
    }),
    { numRuns: runs },
  );
});

test('is linear: the sum of packed vectors is the packed sum, whatever the signs', () => {
  const cases = plans.chain((plan) =>
    fc.tuple(
      fc.constant(plan),
      fc.array(ownerSlotsFor(plan), { minLength: 1, maxLength: plan.owners }),
      moduliFor(plan),
    ),
  );
  fc.assert(
    fc.property(cases, ([plan, vectors, n]) => {
      const packed = vectors.map((slots) => pack(plan, slots, n));
      assert.deepEqual(unpack(plan, addPacked(packed, n), n, vectors.length), addSlots(vectors));
    }),
    { numRuns: runs },
  );
});

test('carries every slot at the bound of the sum, noise included, on either side', () => {
  fc.assert(
    fc.property(
      plans.chain((plan) => fc.tuple(fc.constant(plan), moduliFor(plan))),
      fc.array(fc.boolean(), { minLength: 22, maxLength: 22 }),
      ([plan, n], signs) => {
        const slots = Array.from({ length: plan.slots }, (_, slot) => {
          const bound = slotBound(plan, slot, plan.owners);
          return slot > 0 && signs[slot] === true ? -bound : bound;
        });
        assert.deepEqual(unpack(plan, pack(plan, slots, n), n, plan.owners), slots);
      },
    ),
    { numRuns: runs },
  );
});

test('one beyond what the contributors can reach is refused by slot and ciphertext, never another number', () => {
  const cases = plans.chain((plan) =>
    fc.tuple(
      fc.constant(plan),
      moduliFor(plan),
      fc.integer({ min: 1, max: plan.owners }),
      fc.integer({ min: 1, max: plan.slots - 1 }),
      fc.constantFrom(1n, -1n),
    ),
  );
  fc.assert(
    fc.property(cases, ([plan, n, contributors, wrong, sign]) => {
      const slots = Array.from({ length: plan.slots }, (_, slot) => sign * slotBound(plan, slot, contributors));
      slots[0] = BigInt(contributors);
      slots[wrong] = sign * (slotBound(plan, wrong, contributors) + 1n);
      const plaintexts = forceDigits(plan, slots, n);
      assert.throws(() => unpack(plan, plaintexts, n, contributors), {
        code: 'slot_overflow',
        field: slotName(wrong),
        message: new RegExp(
          `^slot ${wrong} \\(${slotName(wrong)}\\) of ciphertext ${Math.floor(wrong / plan.slotsPerCiphertext)} is beyond ±`,
        ),
      });
    }),
    { numRuns: runs },
  );
});

test('anything left over above the last slot of a ciphertext is refused', () => {
  const cases = plans.chain((plan) =>
    fc.tuple(
      fc.constant(plan),
      moduliFor(plan),
      ownerSlotsFor(plan),
      fc.integer({ min: 0, max: plan.ciphertexts - 1 }),
      fc.constantFrom(1n, -1n),
    ),
  );
  fc.assert(
    fc.property(cases, ([plan, n, slots, ciphertext, sign]) => {
      const plaintexts = pack(plan, slots, n);
      const last = Math.min((ciphertext + 1) * plan.slotsPerCiphertext, plan.slots) - 1;
      const used = last + 1 - ciphertext * plan.slotsPerCiphertext;
      const leftover = sign << BigInt(used * plan.slotBits);
      // Room for one bit above the last slot exists in every plan: k × W ≤ |n| − 2.
      plaintexts[ciphertext] = ((((plaintexts[ciphertext] ?? 0n) + leftover) % n) + n) % n;
      assert.throws(() => unpack(plan, plaintexts, n, 1), {
        code: 'slot_overflow',
        field: slotName(last),
        message: new RegExp(`^slot ${last} .*, the last of ciphertext ${ciphertext}, has something left over above it`),
      });
    }),
    { numRuns: runs },
  );
});

test('a plaintext that has nothing to do with the plan is refused', () => {
  // 3072 bits of noise: the leftover above 33 slots of 61 bits is 0 by chance once in 2^1000.
  const plan = createPlan({
    keyBits: 3072,
    length: 31,
    owners: 3,
    maxWeight: 1n << 20n,
    valueBound: 1n << 37n,
    scale: 1,
  });
  const n = (1n << 3072n) - 1n;
  let noise = 0n;
  for (let word = 1n; word <= 96n; word += 1n) noise = (noise << 32n) | ((word * 2_654_435_761n) & 0xffffffffn);
  assert.throws(() => unpack(plan, [noise % n], n, 3), { code: 'slot_overflow' });
});

test('the count must be that of the contributors', () => {
  const packed = pack(small, [2n, 0n, 0n, 0n, 0n, 0n, 0n, 0n], modulus);
  assert.equal(unpack(small, packed, modulus, 2)[0], 2n);
  for (const contributors of [1, 3]) {
    assert.throws(() => unpack(small, packed, modulus, contributors), {
      code: 'count_mismatch',
      field: 'count',
      message: `slot 0 (count) of ciphertext 0: expected ${contributors} contributors, the sum holds 2`,
    });
  }
  for (const impossible of [-1n, 4n, 1000n]) {
    assert.throws(() => unpack(small, forceDigits(small, [impossible], modulus), modulus, 3), {
      code: 'count_mismatch',
      message: 'slot 0 (count) of ciphertext 0: expected 3 contributors, the sum holds no possible number of them',
    });
  }
  for (const contributors of [0, -1, 4, 1.5, Number.NaN]) {
    assert.throws(() => unpack(small, packed, modulus, contributors), {
      code: 'count_mismatch',
      field: 'contributors',
      message: 'contributors: expected 1 to 3, as the plan has owners',
    });
  }
});

test('refuses every wrong number of slots and of plaintexts', () => {
  for (let length = 0; length < 20; length += 1) {
    if (length !== small.slots) {
      assert.throws(() => pack(small, new Array<bigint>(length).fill(1n), modulus), {
        code: 'plan_mismatch',
        field: 'slots',
      });
    }
    if (length !== small.ciphertexts) {
      assert.throws(() => unpack(small, new Array<bigint>(length).fill(1n), modulus, 1), {
        code: 'plan_mismatch',
        field: 'plaintexts',
      });
    }
  }
});

test('refuses a modulus of another length than the plan is for', () => {
  for (const wrong of [modulus << 1n, modulus >> 1n, 0n, -modulus]) {
    assert.throws(() => pack(small, new Array<bigint>(8).fill(1n), wrong), { code: 'plan_mismatch', field: 'modulus' });
    assert.throws(() => unpack(small, [1n, 0n], wrong, 1), { code: 'plan_mismatch', field: 'modulus' });
  }
});

test('refuses to pack what is beyond the greatest sum', () => {
  for (const sign of [1n, -1n]) {
    const slots = new Array<bigint>(8).fill(sign * small.sumBound);
    pack(small, slots, modulus);
    for (let slot = 0; slot < 8; slot += 1) {
      assert.throws(() => pack(small, slots.with(slot, sign * (small.sumBound + 1n)), modulus), {
        code: 'number_out_of_bounds',
        field: slotName(slot),
      });
    }
  }
});

test('refuses plaintexts outside [0, n)', () => {
  for (const wrong of [-1n, modulus, modulus + 1n]) {
    assert.throws(() => unpack(small, [1n, wrong], modulus, 1), {
      code: 'plaintext_out_of_range',
      field: 'plaintext 1',
    });
  }
});

test.run();
