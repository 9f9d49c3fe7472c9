/** The product of many blocks of ciphertexts: here, or on threads where there are enough of them. */
import { SealsumError } from '../errors.ts';
import { type Spreading, spread } from '../threads/spread.ts';
import { productOf } from './aggregate.ts';
import { type ModularBackend, selectBackend } from './backend.ts';
import type { MultiplicationOrder } from './multiplication-thread.ts';
import type { PublicKey } from './public-key.ts';

/**
 * Multiplies blocks, ciphertext by ciphertext.
 *
 * @param blocks at least one, all of as many ciphertexts in fixed-width big-endian bytes, that were validated when they came
 * @returns as many ciphertexts in the same form
 * @throws SealsumError ciphertext_invalid when a block is not one of whole ciphertexts or not as long as the first; aborted
 */
export async function multiplyMany(
  publicKey: PublicKey,
  blocks: readonly Uint8Array[],
  spreading: Spreading,
  backend: ModularBackend = selectBackend(),
): Promise<Uint8Array> {
  let factors = blocks;
  // What threads give are products of a few, to be multiplied in turn.
  do {
    factors = await spread(
      {
        count: factors.length,
        together: Math.min(factors.length, atATime),
        here: (from, to) => productOf(publicKey, factors.slice(from, to), backend),
        there: (from, to) => {
          const input: MultiplicationOrder = { n: publicKey.n, backend: backend.name, blocks: factors.slice(from, to) };
          return { work: { beside: import.meta.url, file: './multiplication-thread', name: 'multiply' }, input };
        },
      },
      spreading,
    );
  } while (factors.length > 1);
  const [product] = factors;
  if (product === undefined) throw new SealsumError('ciphertext_invalid', 'there is no block to multiply');
  return product;
}

/** Blocks that are multiplied before anything else is done: two of them make the first product. */
const atATime = 2;
