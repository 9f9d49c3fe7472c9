/** Products of ciphertexts on a thread of its own. */
import { answering, remembering, type ThreadFunction } from '../threads/thread.ts';
import { productOf } from './aggregate.ts';
import { type BackendName, selectBackend } from './backend.ts';
import { type PublicKey, publicKeyFromModulus } from './public-key.ts';

export interface MultiplicationOrder {
  readonly n: bigint;
  readonly backend: BackendName;
  readonly blocks: readonly Uint8Array[];
}

/** Checking a key takes some 10 ms. */
const keys = remembering<PublicKey>(64);

export const multiply: ThreadFunction<MultiplicationOrder, Uint8Array> = answering(
  ({ n, backend, blocks }) => {
    const publicKey = keys(String(n), () => publicKeyFromModulus(n));
    return productOf(publicKey, blocks, selectBackend(backend));
  },
  (product) => [product],
);
