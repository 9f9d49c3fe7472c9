/** Powers of ciphertexts on a thread of its own. */
import { answering, remembering, type ThreadFunction } from '../threads/thread.ts';
import { type BackendName, selectBackend } from './backend.ts';
import { readIntegers } from './ciphertexts.ts';
import { type Ciphertext, type PublicKey, powerModuloSquare, publicKeyFromModulus } from './public-key.ts';

export interface PowersOrder {
  readonly n: bigint;
  readonly backend: BackendName;
  /** Ciphertexts in fixed-width big-endian bytes. */
  readonly bytes: Uint8Array;
  /** As many, each at least 0. */
  readonly exponents: readonly bigint[];
}

/** Their checks take longer than a power. */
const publicKeys = remembering<PublicKey>(4);

export const raise: ThreadFunction<PowersOrder, Ciphertext[]> = answering(({ n, backend, bytes, exponents }) => {
  const publicKey = publicKeys(n.toString(), () => publicKeyFromModulus(n));
  const power = powerModuloSquare(publicKey, selectBackend(backend));
  return readIntegers(publicKey, bytes).map((base, index) => power(base, exponents[index] ?? 0n) as Ciphertext);
});
