/** Decryption on a thread of its own. */
import { answering, remembering, type ThreadFunction } from '../threads/thread.ts';
import { type BackendName, selectBackend } from './backend.ts';
import { createDecryptor, type Decryptor } from './decryptor.ts';
import { privateKeyFromPrimes } from './private-key.ts';
import type { Plaintext } from './public-key.ts';

export interface DecryptionOrder {
  readonly p: bigint;
  readonly q: bigint;
  readonly backend: BackendName;
  /** Ciphertexts in fixed-width big-endian bytes, and how many. */
  readonly bytes: Uint8Array;
  readonly count: number;
}

const decryptors = remembering<Decryptor>(4);

export const decrypt: ThreadFunction<DecryptionOrder, Plaintext[]> = answering(({ p, q, backend, bytes, count }) =>
  decryptors(`${backend} ${p * q}`, () =>
    createDecryptor(privateKeyFromPrimes(p, q), { backend: selectBackend(backend) }),
  ).decryptBatch(bytes, count),
);
