/**
 * A contribution in blocks of whole ciphertexts: nobody ever holds more of it than one of them. All contributions to a job,
 * their product and its aggregate have the same blocks.
 */
import type { WirePlan } from '../../src/protocol/wire-plan.ts';

export interface Blocks {
  /** Of one contribution. */
  readonly bytes: number;
  readonly ciphertexts: number;
  /** Of one ciphertext, in bytes. */
  readonly width: number;
  /** How many blocks; all are as long as the first but the last, which may be shorter. */
  readonly count: number;
  readonly ciphertextsPerBlock: number;
  /** The length of a block in bytes. */
  bytesOf(block: number): number;
}

/** @param blockBytes the greatest length of a block, unless a single ciphertext is longer */
export function blocksOf(plan: WirePlan, blockBytes: number): Blocks {
  const { ciphertexts } = plan;
  const width = Math.ceil((2 * plan.key_bits) / 8);
  const ciphertextsPerBlock = Math.max(1, Math.min(ciphertexts, Math.floor(blockBytes / width)));
  const count = Math.ceil(ciphertexts / ciphertextsPerBlock);
  return {
    bytes: ciphertexts * width,
    ciphertexts,
    width,
    count,
    ciphertextsPerBlock,
    bytesOf: (block) => Math.min(ciphertextsPerBlock, ciphertexts - block * ciphertextsPerBlock) * width,
  };
}
