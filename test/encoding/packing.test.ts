import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { pack, type TagCheck, unpack } from '../../src/encoding/packing.ts';
import { createPlan, type Plan, slotBound, slotName } from '../../src/encoding/plan.ts';
import { moduliFor, ownerSlotsFor, ownerTagsFor, plans, plansWithTags, runs } from './generators.ts';

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

/** A vector and what an owner packs with it. */
interface Packable {
  readonly slots: bigint[];
  readonly tags: bigint[] | undefined;
}

function packableFor(plan: Plan): fc.Arbitrary<Packable> {
  return fc.record({ slots: ownerSlotsFor(plan), tags: ownerTagsFor(plan) });
}

/** Unpacks, and keeps what the check of the tags is told. */
function unpackAll(plan: Plan, plaintexts: readonly bigint[], n: bigint, contributors: number): Packable {
  let tags: bigint[] | undefined;
  const keep: TagCheck = (sums) => {
    assert.equal(tags, undefined);
    tags = [...sums];
  };
  const slots = unpack(plan, plaintexts, n, contributors, plan.tags ? keep : undefined);
  return { slots, tags };
}

/** Passes every tag. */
const anyTags: TagCheck = (sums) => {
  assert.ok(sums.length > 0);
};

/** Puts digits into a ciphertext whatever they are, as a tampering owner or a wrong sum would. */
function forceDigits(plan: Plan, slots: readonly bigint[], n: bigint, tags: readonly bigint[] = []): bigint[] {
  const top = BigInt(plan.slotsPerCiphertext * plan.slotBits);
  const plaintexts = Array.from({ length: plan.ciphertexts }, (_, ciphertext) => (tags[ciphertext] ?? 0n) << top);
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
  const cases = plans.chain((plan) => fc.tuple(fc.constant(plan), packableFor(plan), moduliFor(plan)));
  fc.assert(
    fc.property(cases, ([plan, { slots, tags }, n]) => {
      const plaintexts = pack(plan, slots, n, tags);
      assert.equal(plaintexts.length, plan.ciphertexts);
      for (const plaintext of plaintexts) assert.ok(plaintext >= 0n && plaintext < n);
      assert.deepEqual(plaintexts, forceDigits(plan, slots, n, tags));
      assert.deepEqual(unpackAll(plan, plaintexts, n, 1), { slots, tags });
    }),
    { numRuns: runs },
  );
});

test('is linear: the sum of packed vectors is the packed sum, whatever the signs', () => {
  const cases = plans.chain((plan) =>
    fc.tuple(fc.constant(plan), fc.array(packableFor(plan), { minLength: 1, maxLength: plan.owners }), moduliFor(plan)),
  );
  fc.assert(
    fc.property(cases, ([plan, vectors, n]) => {
      const packed = vectors.map(({ slots, tags }) => pack(plan, slots, n, tags));
      assert.deepEqual(unpackAll(plan, addPacked(packed, n), n, vectors.length), {
        slots: addSlots(vectors.map(({ slots }) => slots)),
        tags: plan.tags ? addSlots(vectors.map(({ tags }) => tags ?? [])) : undefined,
      });
    }),
    { numRuns: runs },
  );
});

test('carries every slot and tag at the bound of the sum, noise included, on either side', () => {
  fc.assert(
    fc.property(
      plans.chain((plan) => fc.tuple(fc.constant(plan), moduliFor(plan))),
      fc.array(fc.boolean(), { minLength: 22, maxLength: 22 }),
      ([plan, n], signs) => {
        const slots = Array.from({ length: plan.slots }, (_, slot) => {
          const bound = slotBound(plan, slot, plan.owners);
          return slot > 0 && signs[slot] === true ? -bound : bound;
        });
        const greatest = BigInt(plan.owners) * ((1n << 64n) - 1n);
        const tags = plan.tags ? new Array<bigint>(plan.ciphertexts).fill(greatest) : undefined;
        assert.deepEqual(unpackAll(plan, forceDigits(plan, slots, n, tags), n, plan.owners), { slots, tags });
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
      assert.throws(() => unpackAll(plan, plaintexts, n, contributors), {
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

test('anything but tags that is left over above the last slot of a ciphertext is refused', () => {
  const cases = plans.chain((plan) =>
    fc.tuple(
      fc.constant(plan),
      moduliFor(plan),
      packableFor(plan),
      fc.integer({ min: 0, max: plan.ciphertexts - 1 }),
      fc.constantFrom(1n, -1n),
      fc.nat(),
    ),
  );
  fc.assert(
    fc.property(cases, ([plan, n, { slots, tags }, ciphertext, sign, anywhere]) => {
      const last = Math.min((ciphertext + 1) * plan.slotsPerCiphertext, plan.slots) - 1;
      const used = last + 1 - ciphertext * plan.slotsPerCiphertext;
      const free = (plan.slotsPerCiphertext - used) * plan.slotBits;
      // Room for one bit above the last slot exists in every plan: k × W ≤ |n| − 2. Of tags, one bit more than they have, or
      // fewer than none; or a bit of the slots that are free below them.
      const tooMany = sign > 0n ? 1n << BigInt(plan.tagBits) : -(tags?.[ciphertext] ?? 0n) - 1n;
      const leftover = free === 0 || !plan.tags ? tooMany << BigInt(free) : sign << BigInt(anywhere % free);
      const plaintexts = pack(plan, slots, n, tags);
      plaintexts[ciphertext] =
        ((((plaintexts[ciphertext] ?? 0n) + (leftover << BigInt(used * plan.slotBits))) % n) + n) % n;
      assert.throws(() => unpackAll(plan, plaintexts, n, 1), {
        code: 'slot_overflow',
        field: slotName(last),
        message: new RegExp(`^slot ${last} .*, the last of ciphertext ${ciphertext}, has something left over above it`),
      });
    }),
    { numRuns: runs },
  );
});

test('the greatest keys and rosters: tags and slots at their bounds, and one contribution more, to the bit', () => {
  for (const keyBits of [2048, 3072]) {
    for (const owners of [2, 1024, 10_000]) {
      // 73 bits fill 2048 − 2 − 75 to the last of them at 1024 owners.
      const plan = createPlan({
        keyBits,
        length: 70,
        owners,
        maxWeight: 1n << 20n,
        valueBound: 1n << 37n,
        scale: 1,
        slotBits: 73,
        tags: true,
      });
      const n = (1n << BigInt(keyBits - 1)) + 1n;
      const greatest = (1n << 64n) - 1n;
      for (const sign of [1n, -1n]) {
        const slots = Array.from({ length: plan.slots }, (_, slot) => sign * slotBound(plan, slot, owners));
        slots[0] = BigInt(owners);
        const tags = new Array<bigint>(plan.ciphertexts).fill(BigInt(owners) * greatest);
        assert.deepEqual(unpackAll(plan, forceDigits(plan, slots, n, tags), n, owners), { slots, tags });
        const alone = Array.from({ length: plan.slots }, (_, slot) => sign * slotBound(plan, slot, 1));
        const more = forceDigits(
          plan,
          addSlots([slots, alone]),
          n,
          tags.map((sum) => sum + greatest),
        );
        const told: bigint[] = [];
        assert.throws(() => unpack(plan, more, n, owners, (sums) => told.push(...sums)), { code: 'count_mismatch' });
        assert.deepEqual(
          told,
          tags.map((sum) => sum + greatest),
        );
      }
    }
  }
});

test('nothing of a sum is told when its tags do not pass, and the tags are looked at before the slots', () => {
  const plan = createPlan({ ...small, keyBits: 160, tags: true });
  const n = (1n << 159n) + 29n;
  const packed = pack(plan, [2n, 0n, 0n, 0n, 0n, 0n, 0n, 0n], n, [7n, 8n]);
  const refusal = new Error('these are not the tags');
  for (const contributors of [1, 2, 3]) {
    assert.throws(
      () =>
        unpack(plan, packed, n, contributors, (sums) => {
          assert.deepEqual(sums, [7n, 8n]);
          throw refusal;
        }),
      refusal,
    );
  }
  assert.throws(() => unpack(plan, packed, n, 1, anyTags), { code: 'count_mismatch' });
  assert.equal(unpack(plan, packed, n, 2, anyTags)[0], 2n);
});

test('more tags than the contributors can have are refused even when their check passes them', () => {
  const plan = createPlan({ ...small, keyBits: 160, tags: true });
  const n = (1n << 159n) + 29n;
  const slots = [2n, 0n, 0n, 0n, 0n, 0n, 0n, 0n];
  assert.deepEqual(unpack(plan, forceDigits(plan, slots, n, [0n, (2n << 64n) - 1n]), n, 2, anyTags), slots);
  for (const sum of [2n << 64n, 3n << 64n, (1n << BigInt(plan.tagBits)) - 1n]) {
    assert.throws(() => unpack(plan, forceDigits(plan, slots, n, [0n, sum]), n, 2, anyTags), {
      code: 'slot_overflow',
      field: 'tag 1',
      message: 'tag 1, above the slots of ciphertext 1, is beyond the most that 2 contributors can reach',
    });
  }
});

test('tags are packed and checked where the plan has them, as many as it has, and nowhere else', () => {
  const refused = { code: 'plan_mismatch', field: 'tags' };
  fc.assert(
    fc.property(
      plansWithTags.chain((plan) => fc.tuple(fc.constant(plan), ownerSlotsFor(plan), moduliFor(plan))),
      fc.integer({ min: 0, max: 25 }),
      ([plan, slots, n], count) => {
        const tags = new Array<bigint>(count).fill(0n);
        if (count === plan.ciphertexts) assert.equal(pack(plan, slots, n, tags).length, count);
        else assert.throws(() => pack(plan, slots, n, tags), refused);
        assert.throws(() => pack(plan, slots, n), refused);
        assert.throws(() => unpack(plan, new Array<bigint>(plan.ciphertexts).fill(0n), n, 1), refused);
      },
    ),
  );
  const slots = [1n, 0n, 0n, 0n, 0n, 0n, 0n, 0n];
  for (const tags of [[], [1n], [1n, 2n]]) {
    assert.throws(() => pack(small, slots, modulus, tags), {
      ...refused,
      message: `tags: the plan has none, not ${tags.length}`,
    });
  }
  assert.throws(() => unpack(small, pack(small, slots, modulus), modulus, 1, anyTags), refused);
  const plan = createPlan({ ...small, keyBits: 160, tags: true });
  for (const [index, wrong] of [-1n, 1n << 64n, -(1n << 64n), 1n << 80n].entries()) {
    const field = `tag ${index % 2}`;
    assert.throws(() => pack(plan, slots, (1n << 159n) + 29n, [0n, 0n].with(index % 2, wrong)), {
      code: 'number_out_of_bounds',
      field,
      message: `${field}: expected an integer of 64 bits`,
    });
  }
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
