/**
 * The plan: how many bits a slot needs, how many slots fit a ciphertext, and the proof that no sum can leave its slot.
 *
 * Slots are balanced digits in base 2^W. With B the greatest magnitude that the sum of all owners may reach in a slot,
 *
 *     W ≥ ⌈log₂ B⌉ + 2   and   k = ⌊(|n| − 2) / W⌋ slots in a ciphertext
 *
 * give |Σ mⱼ·2^(W·j)| ≤ B·(2^(W·k) − 1)/(2^W − 1) < 2^(W·k − 1) ≤ 2^(|n| − 3) < n/2: every sum is decoded from its centred
 * residue without loss, and a digit that broke its bound B by less than a factor of two is still seen to have done so.
 *
 * A job may ask for a tag above the slots of every ciphertext: a 64-bit integer of each contribution, so that the sums of
 * the tags tell which contributions are in a sum. The tags of N owners sum to less than N·2^64, which with the same headroom
 *
 *     T = 64 + ⌈log₂ N⌉ + 1   and   k = ⌊(|n| − 2 − T) / W⌋
 *
 * hold: |Σ mⱼ·2^(W·j) + S·2^(W·k)| < 2^(W·k + T − 1) ≤ 2^(|n| − 3). The plan is made, and refused, before any key is used.
 */
import { SealsumError } from '../errors.ts';
import { bitLength } from '../paillier/bytes.ts';

/** What a job asks of its slots. All bounds are magnitudes: a value v within a bound b means −b ≤ v ≤ b. */
export interface PlanRequest {
  /** The length |n| of the modulus, in bits. */
  readonly keyBits: number;
  /** Values in one owner's vector, at least 1. */
  readonly length: number;
  /** The greatest number of owners that may contribute to one sum, at least 1. */
  readonly owners: number;
  /** The greatest weight of one owner, such as its number of records; at least 1. */
  readonly maxWeight: bigint;
  /** The greatest |integer value| per unit of weight, at the plan's scale; at least 1. */
  readonly valueBound: bigint;
  /** integer = real × scale; finite and above 0. */
  readonly scale: number;
  /** The integer that stands for a weight of one; 1 unless told. */
  readonly weightUnit?: bigint;
  /** The greatest |noise| added to a slot under encryption; 0 unless told. Noise added after decryption needs no room. */
  readonly noiseBound?: bigint;
  /** Ask for slots of this many bits; refused when it is less than what is needed. The least that is safe unless told. */
  readonly slotBits?: number;
  /** Ask for a tag in every ciphertext; none unless told. */
  readonly tags?: boolean;
}

/** A request that was found safe, with everything that follows from it. Plain data: `createPlan(plan)` gives it again. */
export interface Plan extends Required<PlanRequest> {
  /** B, the greatest magnitude a slot of the sum may reach. */
  readonly sumBound: bigint;
  /** T, the bits above the last slot of every ciphertext that hold the sum of the tags; 0: no tags. */
  readonly tagBits: number;
  /** k, the slots that fit one ciphertext. */
  readonly slotsPerCiphertext: number;
  /** Slots of one vector: the contributor count, the weight, and the values. */
  readonly slots: number;
  /** Ciphertexts that carry one vector; all are full but the last. */
  readonly ciphertexts: number;
}

/** The slots that come before the values: slot 0 counts contributors, slot 1 sums weights. */
export const LEADING_SLOTS = 2;

/** Bits between the greatest sum and the slot's width: one for the sign, one in which an overflow is still seen. */
const HEADROOM_BITS = 2;

/** Bits of one contribution's tag in one ciphertext. */
export const TAG_BITS = 64;

/** Bits of a key that no slot uses, so that the packed sum stays below n/2 in magnitude. */
const KEY_MARGIN_BITS = 2;

/**
 * Resolves a request into a plan.
 *
 * @throws SealsumError `plan_unsafe`, with the inequality that fails in numbers and the field that is to be mended.
 */
export function createPlan(request: PlanRequest): Plan {
  const { keyBits, length, owners, maxWeight, valueBound, scale } = request;
  const weightUnit = request.weightUnit ?? 1n;
  const noiseBound = request.noiseBound ?? 0n;
  requireCount('keyBits', keyBits);
  requireCount('length', length);
  requireCount('owners', owners);
  requireAtLeast('maxWeight', maxWeight, 1n);
  requireAtLeast('valueBound', valueBound, 1n);
  requireAtLeast('weightUnit', weightUnit, 1n);
  requireAtLeast('noiseBound', noiseBound, 0n);
  if (!Number.isFinite(scale) || scale <= 0) {
    throw new SealsumError('plan_unsafe', 'scale: expected a finite number above 0', { field: 'scale' });
  }
  const perWeight = valueBound > weightUnit ? valueBound : weightUnit;
  const sumBound = BigInt(owners) * maxWeight * perWeight + noiseBound;
  const neededBits = bitLength(sumBound - 1n) + HEADROOM_BITS;
  if (request.slotBits !== undefined) requireCount('slotBits', request.slotBits);
  const slotBits = request.slotBits ?? neededBits;
  const tags = request.tags ?? false;
  const tagBits = tags ? TAG_BITS + bitLength(BigInt(owners - 1)) + 1 : 0;
  const bounds = { keyBits, length, owners, maxWeight, valueBound, scale, weightUnit, noiseBound, slotBits, sumBound };
  const need = `slots need ${neededBits} bits: ${greatestSum(bounds)} + ${HEADROOM_BITS} bits of headroom`;
  const beside = tags ? `, beside ${tagBits} bits for tags in each ciphertext` : '';
  if (slotBits < neededBits) {
    throw new SealsumError(
      'plan_unsafe',
      `${need}${beside}; asked for ${slotBits}; ` +
        `ask for ${neededBits} or more, or for fewer owners, a smaller weight, bound or scale`,
      { field: 'slotBits' },
    );
  }
  const usableBits = keyBits - KEY_MARGIN_BITS - tagBits;
  const slotsPerCiphertext = Math.floor(usableBits / slotBits);
  if (slotsPerCiphertext < 1) {
    const why = slotBits === neededBits ? need : `slots of ${slotBits} bits were asked for`;
    throw new SealsumError(
      'plan_unsafe',
      `${why}; a key of ${keyBits} bits holds ${Math.max(usableBits, 0)}${beside}; use a key of at least ` +
        `${slotBits + KEY_MARGIN_BITS + tagBits} bits, or fewer owners, a smaller weight, bound or scale`,
      { field: 'keyBits' },
    );
  }
  const slots = length + LEADING_SLOTS;
  return { ...bounds, tags, tagBits, slotsPerCiphertext, slots, ciphertexts: Math.ceil(slots / slotsPerCiphertext) };
}

/** The plan's proof as one sentence with its numbers, for people to read. */
export function describePlan(plan: Plan): string {
  const used = plan.slotsPerCiphertext * plan.slotBits + plan.tagBits;
  const above = plan.tags ? ` + ${plan.tagBits} for tags` : '';
  return (
    `a slot of the sum reaches at most ${greatestSum(plan)} = ${inPowers(plan.sumBound)}, ` +
    `so ${plan.slotBits} bits hold it with ${plan.slotBits - bitLength(plan.sumBound - 1n)} bits of headroom; ` +
    `${plan.slotsPerCiphertext} × ${plan.slotBits}${above} = ${used} ≤ ${plan.keyBits} − ${KEY_MARGIN_BITS} bits, ` +
    `so ${plan.slotsPerCiphertext} slots ${plan.tags ? 'and a tag ' : ''}fit a ciphertext; ` +
    `${plan.slots} slots (count, weight, ${plan.length} values) take ${plan.ciphertexts} ` +
    `ciphertext${plan.ciphertexts === 1 ? '' : 's'}`
  );
}

/** The greatest magnitude that `owners` owners may reach together in a slot, noise included (count, weight or value). */
export function slotBound(plan: Plan, slot: number, owners: number): bigint {
  if (slot === 0) return BigInt(owners);
  return BigInt(owners) * ownerBound(plan, slot) + plan.noiseBound;
}

/** The greatest magnitude one owner may put into a slot. */
export function ownerBound(plan: Plan, slot: number): bigint {
  if (slot === 0) return 1n;
  return plan.maxWeight * (slot === 1 ? plan.weightUnit : plan.valueBound);
}

/** What a slot carries: `count`, `weight`, or `value j` with j counted from 0. */
export function slotName(slot: number): string {
  if (slot === 0) return 'count';
  return slot === 1 ? 'weight' : `value ${slot - LEADING_SLOTS}`;
}

type Bounds = Pick<Plan, 'owners' | 'maxWeight' | 'valueBound' | 'weightUnit' | 'noiseBound'>;

/** The right-hand side of the inequality, such as `3 owners × 2^20 weight × 2^37 bound`. */
function greatestSum(bounds: Bounds): string {
  const { owners, maxWeight, valueBound, weightUnit, noiseBound } = bounds;
  const perWeight = valueBound >= weightUnit ? `${inPowers(valueBound)} bound` : `${inPowers(weightUnit)} weight unit`;
  const noise = noiseBound === 0n ? '' : ` + ${inPowers(noiseBound)} noise`;
  return `${owners} owner${owners === 1 ? '' : 's'} × ${inPowers(maxWeight)} weight × ${perWeight}${noise}`;
}

/** A bound as people read it: exactly where it is short or a power of two, else as a power of two to two decimals. */
function inPowers(value: bigint): string {
  const bits = bitLength(value);
  if (bits > 10 && value === 1n << BigInt(bits - 1)) return `2^${bits - 1}`;
  if (bits <= 33) return value.toString();
  const top = Number(value >> BigInt(bits - 33));
  return `2^${(Math.log2(top) + bits - 33).toFixed(2)}`;
}

function requireCount(field: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new SealsumError('plan_unsafe', `${field}: expected an integer of at least 1`, { field });
  }
}

function requireAtLeast(field: string, value: bigint, least: bigint): void {
  if (value < least) {
    throw new SealsumError('plan_unsafe', `${field}: expected an integer of at least ${least.toString()}`, { field });
  }
}
