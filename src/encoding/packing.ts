/**
 * Packing: many small signed integers in one plaintext, as balanced digits M = Σ mⱼ·2^(W·j) mod n, and above the last of the
 * k digits a tag, where the plan has tags: M = Σ mⱼ·2^(W·j) + tag·2^(W·k) mod n.
 *
 * Sums of packed plaintexts are packed sums, whatever the signs, as long as every sum stays within the plan's bound.
 * Unpacking centres M around 0, takes digits in [−2^(W−1), 2^(W−1)) from the lowest up, and believes nothing: nothing but the
 * tags may be left above the last digit, the sums of the tags must be what they are checked for, the count must be right, and
 * each digit must lie within what its contributors can reach.
 */
import { SealsumError } from '../errors.ts';
import { bitLength } from '../paillier/bytes.ts';
import type { Integers } from '../paillier/integers.ts';
import { type Plan, slotBound, slotName, TAG_BITS } from './plan.ts';

/**
 * Looks at the sums of the tags, one for every ciphertext and each in [0, 2^T), and throws where they are not those of the
 * contributors: then nothing of the sum is told.
 */
export type TagCheck = (sums: readonly bigint[]) => void;

/**
 * Packs a vector's slots into plaintexts for the key with this modulus.
 *
 * @param slots as many as `plan.slots`, each of magnitude at most `plan.sumBound`
 * @param tags one for every ciphertext, in [0, 2^64), if and only if the plan has tags
 * @returns as many plaintexts as `plan.ciphertexts`, each in [0, modulus)
 * @throws SealsumError `plan_mismatch` where the count of slots, the count of tags or the modulus is not the plan's,
 *   `number_out_of_bounds` naming the first slot or tag that is too great
 */
export function pack(plan: Plan, slots: Integers, modulus: bigint, tags?: readonly bigint[]): bigint[] {
  return packing(plan, slots, modulus, tags).slice(0, plan.ciphertexts);
}

/** The same with each plaintext made when it is asked for. @throws SealsumError as pack(): what a slot is refused for then too */
export function packing(
  plan: Plan,
  slots: Integers,
  modulus: bigint,
  tags?: readonly bigint[],
): { readonly length: number; slice(from: number, to: number): bigint[] } {
  requireModulus(plan, modulus);
  if (slots.length !== plan.slots) {
    throw new SealsumError('plan_mismatch', `slots: the plan has ${plan.slots}, not ${slots.length}`, {
      field: 'slots',
    });
  }
  requireTagsAsPlanned(plan, tags);
  const { ciphertexts, slotsPerCiphertext } = plan;
  return {
    length: ciphertexts,
    slice: (from, to) =>
      Array.from({ length: Math.min(to, ciphertexts) - from }, (_, at) => {
        const ciphertext = from + at;
        const first = ciphertext * slotsPerCiphertext;
        const digits = slots.slice(first, first + slotsPerCiphertext);
        return packOne(plan, ciphertext, digits, modulus, tags?.[ciphertext]);
      }),
  };
}

/**
 * Packs the slots of one ciphertext.
 *
 * @param ciphertext which one, counted from 0
 * @param digits its slots: `plan.slotsPerCiphertext`, or those that are left for the last one
 * @returns a plaintext in [0, modulus)
 * @throws SealsumError `number_out_of_bounds` naming the slot that is too great
 */
export function packOne(plan: Plan, ciphertext: number, digits: readonly bigint[], modulus: bigint, tag = 0n): bigint {
  const width = BigInt(plan.slotBits);
  const bound = plan.sumBound;
  let packed = tag << BigInt((plan.slotsPerCiphertext - digits.length) * plan.slotBits);
  for (let index = digits.length - 1; index >= 0; index -= 1) {
    const digit = digits[index] ?? 0n;
    if (digit > bound || digit < -bound) {
      const slot = ciphertext * plan.slotsPerCiphertext + index;
      const field = slotName(slot);
      throw new SealsumError(
        'number_out_of_bounds',
        `slot ${slot} (${field}) is beyond the plan's greatest sum, ±${bound.toString()}`,
        { field },
      );
    }
    packed = (packed << width) + digit;
  }
  return packed < 0n ? packed + modulus : packed;
}

/**
 * The slots of a sum of packed vectors, once the sums of their tags have passed the check.
 *
 * @param plaintexts as many as `plan.ciphertexts`, each in [0, modulus)
 * @param contributors how many vectors are in the sum, 1 to `plan.owners`
 * @param check if and only if the plan has tags: called with their sums, before the slots are looked at
 * @returns `plan.slots` integers: the count, the summed weight, the summed values
 * @throws SealsumError `plan_mismatch` (number of plaintexts, modulus, check), `plaintext_out_of_range`, `slot_overflow` naming
 *   slot and ciphertext, what `check` throws, `count_mismatch` where the count slot is not `contributors`
 */
export function unpack(
  plan: Plan,
  plaintexts: readonly bigint[],
  modulus: bigint,
  contributors: number,
  check?: TagCheck,
): bigint[] {
  requireModulus(plan, modulus);
  if (plaintexts.length !== plan.ciphertexts) {
    throw new SealsumError(
      'plan_mismatch',
      `plaintexts: the plan has ${plan.ciphertexts} ciphertexts, not ${plaintexts.length}`,
      { field: 'plaintexts' },
    );
  }
  requireCheckAsPlanned(plan, check);
  if (!Number.isSafeInteger(contributors) || contributors < 1 || contributors > plan.owners) {
    throw new SealsumError('count_mismatch', `contributors: expected 1 to ${plan.owners}, as the plan has owners`, {
      field: 'contributors',
    });
  }
  const slots: bigint[] = [];
  const tags: bigint[] = [];
  const width = BigInt(plan.slotBits);
  for (const [ciphertext, plaintext] of plaintexts.entries()) {
    let rest = centre(plaintext, modulus, ciphertext);
    const full = slots.length + plan.slotsPerCiphertext;
    const end = Math.min(full, plan.slots);
    for (let slot = slots.length; slot < end; slot += 1) {
      const digit = BigInt.asIntN(plan.slotBits, rest);
      rest = (rest - digit) >> width;
      slots.push(digit);
    }
    tags.push(takeTags(plan, rest, full - end, end - 1, ciphertext));
  }
  check?.(tags);
  requireWithinBounds(plan, slots, tags, contributors);
  return slots;
}

/** What is left above the last slot of a ciphertext, and above the slots that are free in the last one: the sum of its tags. */
function takeTags(plan: Plan, rest: bigint, free: number, last: number, ciphertext: number): bigint {
  const place = BigInt(free * plan.slotBits);
  const tags = rest >> place;
  // As many bits as the plan has for tags hold twice the sum that is due, so that what is in a sum too often is still told.
  if (tags << place !== rest || BigInt.asUintN(plan.tagBits, tags) !== tags) {
    throw new SealsumError(
      'slot_overflow',
      `slot ${last} (${slotName(last)}), the last of ciphertext ${ciphertext}, has something left over above it: ` +
        'the sum does not fit the plan, or was made with another plan or key',
      { field: slotName(last) },
    );
  }
  return tags;
}

function requireModulus(plan: Plan, modulus: bigint): void {
  const bits = modulus > 0n ? bitLength(modulus) : 0;
  if (bits !== plan.keyBits) {
    throw new SealsumError('plan_mismatch', `modulus: the plan is for a key of ${plan.keyBits} bits, not ${bits}`, {
      field: 'modulus',
    });
  }
}

function requireTagsAsPlanned(plan: Plan, tags: readonly bigint[] | undefined): void {
  if (tags?.length !== (plan.tags ? plan.ciphertexts : undefined)) {
    const planned = plan.tags ? `${plan.ciphertexts}, one for each ciphertext` : 'none';
    throw new SealsumError('plan_mismatch', `tags: the plan has ${planned}, not ${tags?.length ?? 'none'}`, {
      field: 'tags',
    });
  }
  const wrong = tags?.findIndex((tag) => BigInt.asUintN(TAG_BITS, tag) !== tag) ?? -1;
  if (wrong !== -1) {
    const field = `tag ${wrong}`;
    throw new SealsumError('number_out_of_bounds', `${field}: expected an integer of ${TAG_BITS} bits`, { field });
  }
}

function requireCheckAsPlanned(plan: Plan, check: TagCheck | undefined): void {
  if ((check !== undefined) === plan.tags) return;
  throw new SealsumError(
    'plan_mismatch',
    plan.tags
      ? 'tags: the plan has tags, so a sum is told only to who checks theirs'
      : 'tags: the plan has none that could be checked',
    { field: 'tags' },
  );
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

function requireWithinBounds(
  plan: Plan,
  slots: readonly bigint[],
  tags: readonly bigint[],
  contributors: number,
): void {
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
  const tagsBound = BigInt(contributors) << BigInt(TAG_BITS);
  const beyond = tags.findIndex((sum) => sum >= tagsBound);
  if (beyond !== -1) {
    const field = `tag ${beyond}`;
    throw new SealsumError(
      'slot_overflow',
      `${field}, above the slots of ciphertext ${beyond}, is beyond the most that ${contributors} contributors can reach`,
      { field },
    );
  }
}
