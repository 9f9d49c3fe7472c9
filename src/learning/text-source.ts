/** The text of a data file, wherever it comes from, and what is said when it cannot be read. */
import { createReadStream } from 'node:fs';
import { SealsumError } from '../errors.ts';

/** Where the text is: a file's path, the text itself, or chunks of it in UTF-8. */
export type TableSource =
  | { readonly path: string }
  | { readonly text: string }
  | { readonly stream: AsyncIterable<Uint8Array> };

/** The text in pieces, without a byte order mark. @throws TypeError for what is not UTF-8; see explainReading() */
export async function* decodeText(source: TableSource): AsyncGenerator<string> {
  if ('text' in source) {
    yield source.text.startsWith('\ufeff') ? source.text.slice(1) : source.text;
    return;
  }
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const chunks = 'path' in source ? createReadStream(source.path) : source.stream;
  for await (const chunk of chunks as AsyncIterable<Uint8Array>) {
    const text = decoder.decode(chunk, { stream: true });
    if (text !== '') yield text;
  }
  yield decoder.decode();
}

/**
 * What reading threw, in our words.
 *
 * @param format as which the file should have been saved
 */
export function explainReading(error: unknown, signal: AbortSignal | undefined, format: string): unknown {
  if (error instanceof SealsumError) return error;
  if (signal?.aborted === true)
    return new SealsumError('aborted', 'reading the data file was aborted', { cause: error });
  if (!(error instanceof Error)) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA')
    return new SealsumError('data_invalid', `the data file is not UTF-8 text: save it as ${format} in UTF-8`);
  if (code !== undefined && 'syscall' in error)
    return new SealsumError('data_invalid', `the data file cannot be read (${code})`, { cause: error });
  return error;
}
