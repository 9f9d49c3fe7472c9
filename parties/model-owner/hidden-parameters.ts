/** What a round is asked with: its parameters, or where owners are not to see them, encryptions of these. */
import type { Asked } from '../../src/collecting/round-checks.ts';
import { type EncryptedTask, isEncrypted } from '../../src/learning/task.ts';
import type { Trainer } from '../../src/learning/trainer.ts';
import { decryptMany } from '../../src/paillier/decrypt-many.ts';
import type { Decryptor } from '../../src/paillier/decryptor.ts';
import { createEncryptor, type Encryptor } from '../../src/paillier/encryptor.ts';
import type { KeyPair } from '../../src/paillier/key-generation.ts';
import type { RandomBytes } from '../../src/paillier/random.ts';
import { encryptParameters, parameterPlaintexts } from '../../src/pipeline.ts';
import { decodeEncryptedParameters, encodeEncryptedParameters } from '../../src/protocol/encrypted-parameters.ts';
import type { RoundView } from '../../src/protocol/round-messages.ts';
import type { AnyTerms } from '../../src/protocol/terms.ts';
import type { Spreading } from '../../src/threads/spread.ts';

/** What hides the parameters of one training. */
export interface Hiding {
  readonly task: EncryptedTask;
  readonly encryptor: Encryptor;
  readonly decryptor: Decryptor;
  readonly spreading: Spreading;
}

/** @returns undefined where owners see the parameters */
export function hidingOf(
  { task }: AnyTerms,
  { publicKey }: KeyPair,
  decryptor: Decryptor,
  { random, spreading }: { readonly random: RandomBytes; readonly spreading: Spreading },
): Hiding | undefined {
  if (task.solver === 'statistics' || !isEncrypted(task)) return undefined;
  const encryptor = createEncryptor(publicKey, { expected: task.rounds * task.parameterCount, random });
  return { task, encryptor, decryptor, spreading };
}

/** @throws SealsumError aborted */
export async function askedWith(hiding: Hiding | undefined, { parameters, clip, closing }: Trainer): Promise<Asked> {
  if (hiding === undefined) return { parameters, clip, ...(closing === true ? { closing } : {}) };
  const bytes = await encryptParameters(hiding.task, hiding.encryptor, parameters, hiding.spreading);
  return { parameters, clip, encrypted: encodeEncryptedParameters(bytes) };
}

/**
 * What a round that was asked for before a restart must have been asked with. Encryptions are never the same twice: those of the round
 * are the right ones if they are of the right numbers.
 *
 * @param view the round as the facilitator shows it
 * @throws SealsumError message_invalid; aborted
 */
export async function askedBefore(hiding: Hiding | undefined, trainer: Trainer, { signed }: RoundView): Promise<Asked> {
  const shown = signed?.descriptor.encrypted_parameters;
  if (hiding === undefined || shown === undefined) return askedWith(hiding, trainer);
  const { task, decryptor, spreading } = hiding;
  const { parameters, clip } = trainer;
  const expected = parameterPlaintexts(task, decryptor.publicKey, parameters);
  const bytes = decodeEncryptedParameters(decryptor.publicKey, shown, expected.length);
  const found = await decryptMany(decryptor, bytes, expected.length, spreading);
  const isSame = found.every((plaintext, index) => plaintext === expected[index]);
  return isSame ? { parameters, clip, encrypted: shown } : askedWith(hiding, trainer);
}
