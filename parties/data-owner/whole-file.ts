/** Files of records in the folder of data sets: nobody else's to read, and on the disk before anybody relies on them. */
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { reasonOf } from '../../src/config/files.ts';
import { SealsumError } from '../../src/errors.ts';

/**
 * Makes a new file and the folder for it, and flushes what `write` has written.
 *
 * @throws SealsumError config_invalid when the folder cannot be written to; what `write` throws
 */
export async function writeWhole<T>(folder: string, path: string, write: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await using file = await open(path, 'wx', 0o600);
    const written = await write(file);
    await file.sync();
    return written;
  } catch (cause) {
    if (!(cause instanceof Error && 'syscall' in cause && 'path' in cause)) throw cause;
    throw new SealsumError(
      'config_invalid',
      `datasets: ${folder} cannot be written to: ${reasonOf(cause)}; name another folder in config.toml`,
      { field: 'datasets', cause },
    );
  }
}
