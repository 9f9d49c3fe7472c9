/** Many plaintexts at once, which is what takes time in a round: here, or on threads. */
import { type Spreading, spread } from '../threads/spread.ts';
import { lanesOf } from './backend.ts';
import type { EncryptionOrder } from './encryption-thread.ts';
import type { Encryptor } from './encryptor.ts';
import type { Integers } from './integers.ts';
import { ciphertextBytes } from './public-key.ts';

/**
 * Fresh encryptions, as Encryptor.encryptBatch gives them.
 *
 * @param spreading with a pool of threads these draw their randomness from the operating system
 * @throws SealsumError plaintext_out_of_range; aborted when the signal fires; what making the plaintexts throws
 */
export async function encryptMany(
  encryptor: Encryptor,
  plaintexts: Integers,
  spreading: Spreading = {},
): Promise<Uint8Array> {
  const { publicKey, backend, expected } = encryptor;
  const width = ciphertextBytes(publicKey);
  const whole = new Uint8Array(plaintexts.length * width);
  /** Puts ciphertexts where they belong, so that memory holds them once. */
  const put = (part: Uint8Array, from: number): Uint8Array => {
    whole.set(part, from * width);
    return nothing;
  };
  // A kernel encrypts by its table alone: made here, it is not taken for what the first ciphertexts cost.
  if (backend.kernel !== undefined && plaintexts.length > 0) await encryptor.prepare(spreading.signal);
  await spread(
    {
      count: plaintexts.length,
      together: lanesOf(backend),
      here: (from, to) => put(encryptor.encryptBatch(plaintexts.slice(from, to)), from),
      there: (from, to) => {
        const part = plaintexts.slice(from, to);
        const input: EncryptionOrder = { n: publicKey.n, backend: backend.name, expected, plaintexts: part };
        return { work: { beside: import.meta.url, file: './encryption-thread', name: 'encrypt' }, input };
      },
      arrived: put,
    },
    spreading,
  );
  return whole;
}

const nothing = new Uint8Array();
