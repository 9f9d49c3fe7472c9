/** Powers of ciphertexts on a thread of its own. */
import { answering, remembering, type ThreadFunction } from '../threads/thread.ts';
import { type BackendName, selectBackend } from './backend.ts';
import { raiseCiphertexts } from './many-powers.ts';
import { type Ciphertext, type PublicKey, publicKeyFromModulus } from './public-key.ts';

export interface PowersOrder {
  readonly n: bigint;
  readonly backend: BackendName;
  /** Ciphertexts in fixed-width big-endian bytes. */
  readonly bytes: Uint8Array;
  /** As many, each in [0, 2^exponentBits). */
  readonly exponents: readonly bigint[];
  readonly exponentBits: number;
}

/** Their checks take longer than a power. */
const publicKeys = remembering<PublicKey>(4);

export const raise: ThreadFunction<PowersOrder, Ciphertext[]> = answering(
  ({ n, backend, bytes, exponents, exponentBits }) => {
    const publicKey = publicKeys(n.toString(), () => publicKeyFromModulus(n));
    return raiseCiphertexts(publicKey, selectBackend(backend), bytes, { exponents, exponentBits });
  },
);
