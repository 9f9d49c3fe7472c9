/** Many plaintexts at once, which is what takes time in a round: here, or on threads. */
import { Buffer } from 'node:buffer';
import { type Spreading, spread } from '../threads/spread.ts';
import { lanesOf } from './backend.ts';
import type { EncryptionOrder } from './encryption-thread.ts';
import type { Encryptor } from './encryptor.ts';

/**
 * Fresh encryptions, as Encryptor.encryptBatch gives them.
 *
 * @param spreading with a pool of threads these draw their randomness from the operating system
 * @throws SealsumError plaintext_out_of_range; aborted when the signal fires
 */
export async function encryptMany(
  encryptor: Encryptor,
  plaintexts: readonly bigint[],
  spreading: Spreading = {},
): Promise<Uint8Array> {
  const { publicKey, backend, expected } = encryptor;
  const parts = await spread(
    {
      count: plaintexts.length,
      together: lanesOf(backend),
      here: (from, to) => encryptor.encryptBatch(plaintexts.slice(from, to)),
      there: (from, to) => {
        const part = plaintexts.slice(from, to);
        const input: EncryptionOrder = { n: publicKey.n, backend: backend.name, expected, plaintexts: part };
        return { work: { beside: import.meta.url, file: './encryption-thread', name: 'encrypt' }, input };
      },
    },
    spreading,
  );
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : new Uint8Array(Buffer.concat(parts));
}
