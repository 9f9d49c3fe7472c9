/** Files as the commands name them: a path, or `-` for standard input or output. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { writePrivateFile, writePublicFile } from '../config/files.ts';
import { SealsumError } from '../errors.ts';
import { positionIn } from '../learning/json-position.ts';
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

/** Writes text and a newline, as writeOutput() does. */
export async function writeLine(path: string, line: string): Promise<void> {
  await writeOutput(path, `${line}\n`);
}

/** Like writeLine, and nobody but the file's owner may read the file, which is so before anything secret is in it. */
export async function writeSecretLine(path: string, line: string): Promise<void> {
  await write(path, `${line}\n`, writePrivateFile);
}

/**
 * Writes a file in one step: whatever happens, there is what was there before or all of the new content. What is no file, such as
 * /dev/stdout or a pipe, is written to. Throws a usage error when it cannot be written.
 */
export async function writeOutput(path: string, content: string | Uint8Array): Promise<void> {
  await write(path, content, writePublicFile);
}

/** A refusal with the name of a file or option before its message; anything else as it is. */
export function named(name: string, error: unknown): unknown {
  if (!(error instanceof SealsumError)) return error;
  return new SealsumError(error.code, `${name}: ${error.message}`, {
    cause: error,
    ...(error.field === undefined ? {} : { field: error.field }),
    ...(error.line === undefined ? {} : { line: error.line }),
  });
}

async function write(path: string, content: string | Uint8Array, replace: typeof writePublicFile): Promise<void> {
  if (path === standard) {
    await new Promise<void>((resolve) => {
      // Who reads it may have gone; runProgram sees to that.
      process.stdout.write(content, () => {
        resolve();
      });
    });
    return;
  }
  const found = await stat(path).catch(() => undefined);
  try {
    await (found === undefined || found.isFile()
      ? replace(path, content, { replace: true })
      : writeFile(path, content));
  } catch (error) {
    throw cannot('write', path, error instanceof SealsumError ? error.cause : error);
  }
}

/** The parser's own message quotes what it read, which may be a key: only where it stops to be JSON is told. */
function parseJson(content: string): unknown {
  try {
    return JSON.parse(content) as unknown;
  } catch {
    const { line, column } = positionIn(content);
    throw new SealsumError('message_invalid', `expected JSON, and it is none from line ${line}, column ${column} on`, {
      line,
    });
  }
}

function cannot(what: 'read' | 'write', path: string, error: unknown): Error {
  const code = (error as NodeJS.ErrnoException).code;
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: what === 'read' ? 'there is no such file' : 'there is no such folder',
    EACCES: 'permission denied',
    EISDIR: 'it is a folder',
    ENOSPC: 'the disk is full',
  };
  return usageError(`cannot ${what} ${path}: ${reasons[code ?? ''] ?? code ?? String(error)}`);
}
