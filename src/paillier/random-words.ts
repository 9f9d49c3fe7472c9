/**
 * Uniform random words from a byte source, drawn a buffer at a time: asking the operating system for four bytes costs as
 * much as asking for four thousand, and one noise sample uses a few dozen words.
 */
import { SealsumError } from '../errors.ts';
import { bitLength } from './bytes.ts';
import type { RandomBytes } from './random.ts';

/** The values of a word lie in [0, 2^32). */
export const WORD_BITS = 32;

const BUFFER_BYTES = 4096;

/** A source of independent words, uniform over [0, 2^32). */
export type RandomWords = () => number;

/** Words read big-endian from `random`, so that a run of words reads as the binary digits of one number. */
export function randomWordsFrom(random: RandomBytes): RandomWords {
  let buffer: DataView = new DataView(new ArrayBuffer(0));
  let position = 0;
  return () => {
    if (position === buffer.byteLength) {
      const bytes = random(BUFFER_BYTES);
      if (bytes.length !== BUFFER_BYTES) {
        throw new SealsumError(
          'backend_unavailable',
          `random source: expected ${BUFFER_BYTES} bytes, it gave ${bytes.length}; pass one that gives as many as it is asked for`,
        );
      }
      buffer = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      position = 0;
    }
    const word = buffer.getUint32(position);
    position += 4;
    return word;
  };
}

/** Integers uniform over [0, limit), limit ≥ 1, by rejection of draws of equally many bits: no remainder favours a value. */
export function uniformBelow(limit: bigint, words: RandomWords): () => bigint {
  const bits = bitLength(limit - 1n);
  if (bits <= WORD_BITS) {
    const bound = Number(limit);
    const surplus = WORD_BITS - bits;
    return () => {
      for (;;) {
        // A shift by 32 would be a shift by 0, so a limit of 1 has its own answer.
        const candidate = bits === 0 ? 0 : words() >>> surplus;
        if (candidate < bound) return BigInt(candidate);
      }
    };
  }
  const count = Math.ceil(bits / WORD_BITS);
  const surplus = BigInt(count * WORD_BITS - bits);
  return () => {
    for (;;) {
      let candidate = 0n;
      for (let index = 0; index < count; index++) candidate = (candidate << 32n) | BigInt(words());
      candidate >>= surplus;
      if (candidate < limit) return candidate;
    }
  };
}
