/** Files as the commands name them: a path, or `-` for standard input or output. */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { SealsumError } from '../errors.ts';
import { usageError } from './program.ts';

const standard = '-';

/** Reads JSON files, standard input at most once. Names the file in every error. */
export class JsonFiles {
  #standardInputRead = false;

  /**
   * The JSON in a file, given to `parse`.
   *
   * Throws a usage error when the file cannot be read, SealsumError message_invalid when it holds no JSON, and what `parse`
   * throws with the file's name before the message.
   */
  async read<T>(path: string, parse: (json: unknown) => T): Promise<T> {
    const content = await this.#content(path);
    try {
      return parse(parseJson(content));
    } catch (error) {
      throw named(path === standard ? 'standard input' : path, error);
    }
  }

  async #content(path: string): Promise<string> {
    if (path !== standard) {
      try {
        return await readFile(path, 'utf8');
      } catch (error) {
        throw cannot('read', path, error);
      }
    }
    if (this.#standardInputRead) throw usageError('standard input (-) can stand for one file only');
    this.#standardInputRead = true;
    return text(process.stdin);
  }
}

/** Writes text and a newline. Throws a usage error when the file cannot be written. */
export async function writeLine(path: string, line: string): Promise<void> {
  await write(path, `${line}\n`, undefined);
}

/** Like writeLine, and nobody but the file's owner may read the file, which is so before anything secret is in it. */
export async function writeSecretLine(path: string, line: string): Promise<void> {
  await write(path, `${line}\n`, 0o600);
}

/** A refusal with the name of a file or option before its message; anything else as it is. */
export function named(name: string, error: unknown): unknown {
  if (!(error instanceof SealsumError)) return error;
  return new SealsumError(error.code, `${name}: ${error.message}`, {
    cause: error,
    ...(error.field === undefined ? {} : { field: error.field }),
  });
}

async function write(path: string, content: string, mode: number | undefined): Promise<void> {
  if (path === standard) {
    process.stdout.write(content);
    return;
  }
  let file: FileHandle;
  try {
    file = await open(path, 'w', mode);
  } catch (error) {
    throw cannot('write', path, error);
  }
  try {
    // The mode given to open counts only for a file that was not there before.
    if (mode !== undefined && (await file.stat()).isFile()) await file.chmod(mode);
    await file.writeFile(content);
  } finally {
    await file.close();
  }
}

function parseJson(content: string): unknown {
  try {
    return JSON.parse(content) as unknown;
  } catch {
    // The parser's own message quotes what it read, which may be a key.
    throw new SealsumError('message_invalid', 'expected JSON');
  }
}

function cannot(what: 'read' | 'write', path: string, error: unknown): Error {
  const code = (error as NodeJS.ErrnoException).code;
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: what === 'read' ? 'there is no such file' : 'there is no such folder',
    EACCES: 'permission denied',
    EISDIR: 'it is a folder',
  };
  return usageError(`cannot ${what} ${path}: ${reasons[code ?? ''] ?? code ?? String(error)}`);
}
