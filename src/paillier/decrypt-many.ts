/** Many ciphertexts at once: decrypted here, or on threads. */
import { type Spreading, spread } from '../threads/spread.ts';
import { lanesOf } from './backend.ts';
import type { DecryptionOrder } from './decryption-thread.ts';
import type { Decryptor } from './decryptor.ts';
import { primesOf } from './private-key.ts';
import { ciphertextBytes, type Plaintext } from './public-key.ts';

/**
 * The plaintexts of ciphertexts in fixed-width big-endian bytes, as Decryptor.decryptBatch gives them.
 *
 * @throws SealsumError ciphertext_invalid; aborted when the signal fires
 */
export async function decryptMany(
  decryptor: Decryptor,
  bytes: Uint8Array,
  expectedCount: number,
  { pool, signal }: Spreading = {},
): Promise<Plaintext[]> {
  const width = ciphertextBytes(decryptor.publicKey);
  // What is not whole is refused as one.
  if (bytes.length !== expectedCount * width) return decryptor.decryptBatch(bytes, expectedCount);
  const { backend } = decryptor;
  const parts = await spread(
    {
      count: expectedCount,
      together: lanesOf(backend),
      here: (from, to) => decryptor.decryptBatch(bytes.subarray(from * width, to * width), to - from),
      there: (from, to) => {
        const input: DecryptionOrder = {
          ...primesOf(decryptor.privateKey),
          backend: backend.name,
          bytes: bytes.slice(from * width, to * width),
          count: to - from,
        };
        return { work: { beside: import.meta.url, file: './decryption-thread', name: 'decrypt' }, input };
      },
    },
    { pool, signal },
  );
  return parts.flat();
}
