/** A matrix times ciphertexts (matrix-product.ts): here, or on threads where it is much. */
import { turn } from '../platform/event-loop.ts';
import { aborted } from '../threads/aborted.ts';
import type { Spreading } from '../threads/spread.ts';
import type { ModularBackend } from './backend.ts';
import { concatBytes } from './bytes.ts';
import { encodeCiphertexts } from './ciphertexts.ts';
import { type Factors, productSteps } from './matrix-product.ts';
import type { ProductOrder } from './matrix-product-thread.ts';
import { systemRandom } from './random.ts';
import { entryCost } from './recoded-matrix.ts';

/**
 * @returns as many ciphertexts as there are plaintexts, in fixed-width big-endian bytes, each uniform among the encryptions of its
 *   plaintext
 * @throws SealsumError exponent_out_of_range where there are not as many ciphertexts as columns, plan_unsafe where entries are longer than slots;
 *   aborted when the signal fires
 */
export async function multiplyMatrix(
  factors: Factors,
  backend: ModularBackend,
  { pool, signal }: Pick<Spreading, 'pool' | 'signal'> = {},
): Promise<Uint8Array> {
  const { publicKey, plaintexts } = factors;
  const outputs = plaintexts.length;
  if (pool?.usable() === true && workOf(factors) >= worthThreads) {
    const share = Math.ceil(outputs / pool.threads);
    const { publicKey: key, ...rest } = factors;
    const work = { beside: import.meta.url, file: './matrix-product-thread', name: 'multiply' };
    const starts = Array.from({ length: Math.ceil(outputs / share) }, (_, index) => index * share);
    try {
      const parts = await Promise.all(
        starts.map((from) => {
          const order: ProductOrder = {
            ...rest,
            n: key.n,
            backend: backend.name,
            from,
            to: Math.min(outputs, from + share),
          };
          return pool.run<Uint8Array>(work, order, signal);
        }),
      );
      return concatBytes(...parts);
    } catch (error) {
      // Without threads it takes longer.
      if (pool.usable()) throw error;
    }
  }
  const steps = productSteps(factors, { from: 0, to: outputs }, backend, systemRandom);
  for (;;) {
    if (signal?.aborted === true) throw aborted(signal);
    const step = steps.next();
    if (step.done === true) return encodeCiphertexts(publicKey, step.value);
    await turn();
  }
}

/** The products of half length that one product takes, about. */
function workOf({ matrix: { rows, columns, window, length }, slots: { slotBits } }: Factors): number {
  return columns * (entryCost * 2 ** window + rows * length) + 1.8 * rows * slotBits;
}

/** As many products as are worth a thread's being started or woken: some 20 ms. */
const worthThreads = 2000;
