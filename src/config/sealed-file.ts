/** A sealed secret in a file that is nobody else's to read. */
import { SealsumError } from '../errors.ts';
import { readPrivateFile, type WriteOptions, writePrivateFile } from './files.ts';
import { openSecret, type SealedSecret } from './sealed-secret.ts';

/** Reads and opens a file. @throws SealsumError what readPrivateFile and openSecret throw, with the file's name */
export async function readSealedFile(path: string, passphrase: string, purpose: string): Promise<Uint8Array> {
  const content = await readPrivateFile(path, 'identity');
  let document: unknown;
  try {
    document = JSON.parse(content.toString('utf8'));
  } catch {
    throw new SealsumError('identity_invalid', `${path}: expected JSON`, { field: 'identity' });
  }
  try {
    return await openSecret(document, passphrase, purpose);
  } catch (cause) {
    if (!(cause instanceof SealsumError)) throw cause;
    throw new SealsumError(cause.code, `${path}: ${cause.message}`, {
      cause,
      ...(cause.field === undefined ? {} : { field: cause.field }),
    });
  }
}

export async function writeSealedFile(path: string, secret: SealedSecret, options: WriteOptions): Promise<void> {
  await writePrivateFile(path, `${JSON.stringify(secret, undefined, 2)}\n`, options);
}
