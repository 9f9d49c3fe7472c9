/**
 * Files that must not be half written and, where they hold a secret, must be nobody else's to read.
 *
 * A file is written beside its place under another name, flushed to the disk, and then given its name, which is one step for
 * the file system: whatever happens, there is the old content or the new one.
 */
import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { chmod, type FileHandle, link, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type ErrorCode, SealsumError } from '../errors.ts';

/** Configurations, rosters, keys and certificates are small; more is a mistake. */
const greatestFile = 1024 * 1024;

export interface WriteOptions {
  /** Whether a file of that name may be replaced. */
  readonly replace: boolean;
}

/**
 * The content of a file that only its owner may read: a regular file of the user who runs this, with no permission for the
 * group or for others. Or one that root keeps and lets this user read, as systemd does with credentials: others have no
 * permission, and the group is root's and reads at most. (For a file with an access control list, what stat shows for the group
 * is the most that any entry of the list gives, see acl(5); nobody but root can have written that list.)
 *
 * @param field names it in the error, as the configuration does
 * @throws SealsumError identity_invalid
 */
export async function readPrivateFile(path: string, field: string): Promise<Buffer> {
  return await withFile(path, 'identity_invalid', field, async (file) => {
    const found = await file.stat();
    requireRegular(found, path, 'identity_invalid', field);
    const user = process.getuid?.();
    // Where there are no users and modes, as on Windows, there is nothing to enforce.
    if (user !== undefined) {
      const ofRoot = user !== 0 && found.uid === 0 && found.gid === 0;
      if (found.uid !== user && !ofRoot)
        throw refused('identity_invalid', field, `${path} belongs to another user; chown it to the one who runs this`);
      if ((found.mode & (ofRoot ? 0o037 : 0o077)) !== 0)
        throw refused('identity_invalid', field, `${path} can be read by others; chmod 600 ${path}`);
    }
    return await file.readFile();
  });
}

/** The text of a file that anybody may read. @throws SealsumError config_invalid */
export async function readTextFile(path: string, field: string): Promise<string> {
  return await withFile(path, 'config_invalid', field, async (file) => {
    requireRegular(await file.stat(), path, 'config_invalid', field);
    return await file.readFile('utf8');
  });
}

/** What the system says of a file of records, which may be large. @throws SealsumError data_invalid when there is none */
export async function statDataFile(path: string, field: string): Promise<Stats> {
  const found = await stat(path).catch((cause: unknown) => {
    throw refused('data_invalid', field, `the data file ${path} cannot be read: ${reasonOf(cause)}`, cause);
  });
  if (!found.isFile()) throw refused('data_invalid', field, `the data file ${path} is not a file`);
  return found;
}

/** Writes a file that nobody else may read, which is so before anything is in it. @throws SealsumError config_invalid */
export async function writePrivateFile(
  path: string,
  content: string | Uint8Array,
  options: WriteOptions,
): Promise<void> {
  await writeDurably(path, content, 0o600, options);
}

/** Writes a file that others may read; one that is replaced keeps its permissions. @throws SealsumError config_invalid */
export async function writePublicFile(
  path: string,
  content: string | Uint8Array,
  options: WriteOptions,
): Promise<void> {
  await writeDurably(path, content, 0o644, options);
}

/** Whether there is anything under this name. */
export async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

/** Why the system refused, in words. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file or folder',
    EACCES: 'permission denied',
    EPERM: 'not permitted',
    EISDIR: 'it is a folder',
    ENOTDIR: 'a part of its path is no folder',
    EEXIST: 'it is there already',
    ENOSPC: 'the disk is full',
    EROFS: 'the file system is read-only',
    ELOOP: 'its links lead in a circle',
  };
  return reasons[code] ?? code;
}

async function withFile<T>(
  path: string,
  code: ErrorCode,
  field: string,
  read: (file: FileHandle) => Promise<T>,
): Promise<T> {
  let file: FileHandle | undefined;
  try {
    // A pipe under this name must not keep us waiting for its writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return await read(file);
  } catch (cause) {
    if (cause instanceof SealsumError) throw cause;
    throw refused(code, field, `${path} cannot be read: ${reasonOf(cause)}`, cause);
  } finally {
    await file?.close();
  }
}

function requireRegular(found: Stats, path: string, code: ErrorCode, field: string): void {
  if (!found.isFile()) throw refused(code, field, `${path} is no regular file`);
  if (found.size > greatestFile)
    throw refused(code, field, `${path} is larger than the ${greatestFile} bytes that such a file may have`);
}

async function writeDurably(
  path: string,
  content: string | Uint8Array,
  mode: number,
  { replace }: WriteOptions,
): Promise<void> {
  try {
    // What is replaced may be a link to where the file really is.
    const target = replace ? await realpath(path).catch(() => path) : path;
    const beside = join(dirname(target), `.${basename(target)}.${randomUUID()}`);
    try {
      const file = await open(beside, 'wx', mode);
      try {
        await file.writeFile(content);
        if (replace && mode !== 0o600) await keepMode(target, beside);
        await file.sync();
      } finally {
        await file.close();
      }
      // Unlike a rename, a link never takes the place of another file.
      await (replace ? rename(beside, target) : link(beside, target));
    } finally {
      await rm(beside, { force: true });
    }
    await syncFolder(dirname(target));
  } catch (cause) {
    throw refused('config_invalid', basename(path), `${path} cannot be written: ${reasonOf(cause)}`, cause);
  }
}

async function keepMode(from: string, to: string): Promise<void> {
  const old = await stat(from).catch(() => undefined);
  if (old !== undefined) await chmod(to, old.mode & 0o777);
}

/** Makes a new name as durable as the file. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch((error: unknown) => {
    // Windows does not open folders, and needs no such thing.
    if (process.platform === 'win32') return undefined;
    throw error;
  });
  try {
    await folder?.sync();
  } finally {
    await folder?.close();
  }
}

function refused(code: ErrorCode, field: string, message: string, cause?: unknown): SealsumError {
  return new SealsumError(code, message, { field, ...(cause === undefined ? {} : { cause }) });
}
