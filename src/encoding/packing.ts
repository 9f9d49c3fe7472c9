/**
 * Packing: many small signed integers in one plaintext, as balanced digits M = Σ mⱼ·2^(W·j) mod n.
 *
 * Sums of packed plaintexts are packed sums, whatever the signs, as long as every sum stays within the plan's bound.
 * Unpacking centres M around 0, takes digits in [−2^(W−1), 2^(W−1)) from the lowest up, and believes nothing: each digit must
 * lie within what its contributors can reach, nothing may be left above the last one, and the count must be right.
 */
import { SealsumError } from '../errors.ts';
import { bitLength } from '../paillier/bytes.ts';
import { type Plan, slotBound, slotName } from './plan.ts';

/**
 * Packs a vector's slots into plaintexts for the key with this modulus.
 *
 * @param slots as many as `plan.slots`, each of magnitude at most `plan.sumBound`
 * @returns as many plaintexts as `plan.ciphertexts`, each in [0, modulus)
 * @throws SealsumError `plan_mismatch` where the count of slots or the modulus is not the plan's, `number_out_of_bounds`
 *   naming the first slot that is too great
 */
export function pack(plan: Plan, slots: readonly bigint[], modulus: bigint): bigint[] {
  requireModulus(plan, modulus);
  if (slots.length !== plan.slots) {
    throw new SealsumError('plan_mismatch', `slots: the plan has ${plan.slots}, not ${slots.length}`, {
      field: 'slots',
    });
  }
  const width = BigInt(plan.slotBits);
  const bound = plan.sumBound;
  const plaintexts: bigint[] = [];
  for (let first = 0; first < slots.length; first += plan.slotsPerCiphertext) {
    const end = Math.min(first + plan.slotsPerCiphertext, slots.length);
    let packed = 0n;
    for (let slot = end - 1; slot >= first; slot -= 1) {
      const digit = slots[slot] ?? 0n;
      if (digit > bound || digit < -bound) {
        const field = slotName(slot);
        throw new SealsumError(
          'number_out_of_bounds',
          `slot ${slot} (${field}) is beyond the plan's greatest sum, ±${bound.toString()}`,
          { field },
        );
      }
      packed = (packed << width) + digit;
    }
    plaintexts.push(packed < 0n ? packed + modulus : packed);
  }
  return plaintexts;
}

/**
 * The slots of a sum of packed vectors.
 *
 * @param plaintexts as many as `plan.ciphertexts`, each in [0, modulus)
 * @param contributors how many vectors are in the sum, 1 to `plan.owners`
 * @returns `plan.slots` integers: the count, the summed weight, the summed values
 * @throws SealsumError `plan_mismatch` (number of plaintexts, modulus), `plaintext_out_of_range`, `slot_overflow` naming slot
 *   and ciphertext, `count_mismatch` where the count slot is not `contributors`
 */
export function unpack(plan: Plan, plaintexts: readonly bigint[], modulus: bigint, contributors: number): bigint[] {
  requireModulus(plan, modulus);
  if (plaintexts.length !== plan.ciphertexts) {
    throw new SealsumError(
      'plan_mismatch',
      `plaintexts: the plan has ${plan.ciphertexts} ciphertexts, not ${plaintexts.length}`,
      { field: 'plaintexts' },
    );
  }
  if (!Number.isSafeInteger(contributors) || contributors < 1 || contributors > plan.owners) {
    throw new SealsumError('count_mismatch', `contributors: expected 1 to ${plan.owners}, as the plan has owners`, {
      field: 'contributors',
    });
  }
  const width = BigInt(plan.slotBits);
  const slots: bigint[] = [];
  for (const [ciphertext, plaintext] of plaintexts.entries()) {
    let rest = centre(plaintext, modulus, ciphertext);
    const end = Math.min((ciphertext + 1) * plan.slotsPerCiphertext, plan.slots);
    for (let slot = slots.length; slot < end; slot += 1) {
      const digit = BigInt.asIntN(plan.slotBits, rest);
      rest = (rest - digit) >> width;
      slots.push(digit);
    }
    if (rest !== 0n) {
      throw new SealsumError(
        'slot_overflow',
        `slot ${end - 1} (${slotName(end - 1)}), the last of ciphertext ${ciphertext}, has something left over above it: ` +
          'the sum does not fit the plan, or was made with another plan or key',
        { field: slotName(end - 1) },
      );
    }
  }
  requireWithinBounds(plan, slots, contributors);
  return slots;
}

function requireModulus(plan: Plan, modulus: bigint): void {
  const bits = modulus > 0n ? bitLength(modulus) : 0;
  if (bits !== plan.keyBits) {
    throw new SealsumError('plan_mismatch', `modulus: the plan is for a key of ${plan.keyBits} bits, not ${bits}`, {
      field: 'modulus',
    });
  }
}

/** The representative of a plaintext in (−n/2, n/2). */
function centre(plaintext: bigint, modulus: bigint, ciphertext: number): bigint {
  if (plaintext < 0n || plaintext >= modulus) {
    throw new SealsumError('plaintext_out_of_range', `plaintext ${ciphertext}: expected 0 ≤ m < n`, {
      field: `plaintext ${ciphertext}`,
    });
  }
  return 2n * plaintext > modulus ? plaintext - modulus : plaintext;
}

function requireWithinBounds(plan: Plan, slots: readonly bigint[], contributors: number): void {
  if (slots[0] !== BigInt(contributors)) {
    const counted = slots[0] ?? 0n;
    // A number of contributors is no secret; anything else that stands in its place is not shown.
    const seen = counted >= 0n && counted <= BigInt(plan.owners) ? counted.toString() : 'no possible number of them';
    throw new SealsumError(
      'count_mismatch',
      `slot 0 (count) of ciphertext 0: expected ${contributors} contributors, the sum holds ${seen}`,
      { field: slotName(0) },
    );
  }
  const weightBound = slotBound(plan, 1, contributors);
  const valueBound = slotBound(plan, 2, contributors);
  for (const [slot, digit] of slots.entries()) {
    const bound = slot === 1 ? weightBound : valueBound;
    if (slot > 0 && (digit > bound || digit < -bound)) {
      const field = slotName(slot);
      throw new SealsumError(
        'slot_overflow',
        `slot ${slot} (${field}) of ciphertext ${Math.floor(slot / plan.slotsPerCiphertext)} is beyond ` +
          `±${bound.toString()}, the most that ${contributors} contributors can reach`,
        { field },
      );
    }
  }
}
