/** A matrix times ciphertexts on a thread of its own. */
import { answering, remembering, type ThreadFunction } from '../threads/thread.ts';
import { type BackendName, selectBackend } from './backend.ts';
import { type Factors, multiplyRange } from './matrix-product.ts';
import { type PublicKey, publicKeyFromModulus } from './public-key.ts';

export interface ProductOrder extends Omit<Factors, 'publicKey'> {
  readonly n: bigint;
  readonly backend: BackendName;
  /** Which outputs: from one to before another. */
  readonly from: number;
  readonly to: number;
}

/** Their checks take longer than a power. */
const publicKeys = remembering<PublicKey>(4);

export const multiply: ThreadFunction<ProductOrder, Uint8Array> = answering(
  ({ n, backend, from, to, ...factors }) => {
    const publicKey = publicKeys(n.toString(), () => publicKeyFromModulus(n));
    return multiplyRange({ ...factors, publicKey }, { from, to }, selectBackend(backend));
  },
  (bytes) => [bytes],
);
