/** Encryption on a thread of its own, with an h_s and a table that are the thread's. */
import { answering, remembering, type ThreadFunction } from '../threads/thread.ts';
import { type BackendName, selectBackend } from './backend.ts';
import type { Encryptor } from './encryptor.ts';
import { createEncryptor } from './encryptor.ts';
import { publicKeyFromModulus } from './public-key.ts';

export interface EncryptionOrder {
  readonly n: bigint;
  readonly backend: BackendName;
  /** How many ciphertexts will be made, as far as anybody can say. */
  readonly expected: number;
  readonly plaintexts: readonly bigint[];
}

/** Tables are some megabytes each. */
const encryptors = remembering<Encryptor>(4);

export const encrypt: ThreadFunction<EncryptionOrder, Uint8Array> = answering(
  async ({ n, backend, expected, plaintexts }) => {
    const encryptor = encryptors(`${backend} ${expected} ${n}`, () =>
      createEncryptor(publicKeyFromModulus(n), { backend: selectBackend(backend), expected }),
    );
    if (expected > encryptor.breakEven) await encryptor.prepare();
    return encryptor.encryptBatch(plaintexts);
  },
  (bytes) => [bytes],
);
