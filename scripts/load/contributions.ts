/**
 * Contributions in numbers, and their exact sum. Each ciphertext is valid, has its owner's tag and is in no other contribution,
 * but only a few are encrypted: the others are products of two of those, with the tag multiplied in.
 */
import { setImmediate as others } from 'node:timers/promises';
import type { WeightedVector } from '../../src/encoding/contribution.ts';
import { pack } from '../../src/encoding/packing.ts';
import { createPlan, LEADING_SLOTS, type Plan } from '../../src/encoding/plan.ts';
import { addCiphertexts, addPlaintext, encodeCiphertexts } from '../../src/paillier/ciphertexts.ts';
import { createEncryptor, type Encryptor } from '../../src/paillier/encryptor.ts';
import type { Ciphertext } from '../../src/paillier/public-key.ts';
import { randomBelow, systemRandom } from '../../src/paillier/random.ts';
import type { OwnerId } from '../../src/protocol/identifiers.ts';
import { tagsOf } from '../../src/protocol/tags.ts';
import { type LoadJob, valueBound } from './job.ts';

export interface Contributions {
  /** By the name of their owner. */
  readonly bytes: ReadonlyMap<OwnerId, Uint8Array>;
  readonly sum: WeightedVector;
}

/** A fresh encryption of one number in every slot. */
interface Piece {
  readonly slots: readonly bigint[];
  readonly ciphertext: Ciphertext;
}

export async function createContributions(job: LoadJob): Promise<Contributions> {
  const { plan, keys, tagContext, tagKeys } = job;
  const { publicKey } = keys;
  const encryptor = createEncryptor(publicKey);
  // Owner i takes the one at i and the other at ⌊i/count⌋, so that no two of up to count² owners take the same two.
  const count = Math.ceil(Math.sqrt(plan.owners));
  const first = await createPieces(plan, encryptor, count);
  const second = await createPieces(plan, encryptor, count);
  const sums = new Array<bigint>(plan.slots).fill(0n);
  const bytes = new Map<OwnerId, Uint8Array>();
  for (const [index, [owner, tagKey]] of [...tagKeys].entries()) {
    const ciphertexts = tagsOf(tagKey, tagContext, plan.ciphertexts).map((tag, place): Ciphertext => {
      const one = pieceAt(first, index + place);
      const other = pieceAt(second, Math.floor(index / count) + place);
      const slots = one.slots.map((value, slot) => value + (other.slots[slot] ?? 0n));
      const leading = place === 0 ? slots.slice(0, LEADING_SLOTS) : [];
      // The count and the weight are 1, and what was there is taken away.
      const wanted = slots.map((value, slot) => (slot < leading.length ? 1n : value));
      for (const [slot, value] of wanted.entries()) {
        const at = place * plan.slotsPerCiphertext + slot;
        sums[at] = (sums[at] ?? 0n) + value;
      }
      const change = leading.reduce(
        (total, value, slot) => total + ((1n - value) << BigInt(slot * plan.slotBits)),
        tag << BigInt(plan.slotsPerCiphertext * plan.slotBits),
      );
      return addPlaintext(publicKey, addCiphertexts(publicKey, one.ciphertext, other.ciphertext), change);
    });
    bytes.set(owner, encodeCiphertexts(publicKey, ciphertexts));
    await others();
  }
  const [, weight = 0n, ...values] = sums;
  return { bytes, sum: { weight, values } };
}

async function createPieces(plan: Plan, encryptor: Encryptor, count: number): Promise<Piece[]> {
  // Two of them are within the bound of one owner.
  const half = valueBound / 2n;
  const { keyBits, owners, maxWeight, scale, slotBits, slotsPerCiphertext } = plan;
  const bounds = { keyBits, owners, maxWeight, valueBound, scale, slotBits };
  const single = createPlan({ ...bounds, length: slotsPerCiphertext - LEADING_SLOTS });
  const pieces: Piece[] = [];
  for (let made = 0; made < count; made++) {
    const slots = Array.from({ length: single.slots }, () => randomBelow(2n * half + 1n, systemRandom) - half);
    const [plaintext] = pack(single, slots, encryptor.publicKey.n);
    if (plaintext === undefined) throw new Error('a plan of one ciphertext packs one plaintext');
    pieces.push({ slots, ciphertext: encryptor.encrypt(plaintext) });
    await others();
  }
  return pieces;
}

function pieceAt(pieces: readonly Piece[], index: number): Piece {
  const piece = pieces[index % pieces.length];
  if (piece === undefined) throw new Error('there are no pieces');
  return piece;
}
