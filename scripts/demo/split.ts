/** Deals the rows of a data file out among owners: row 1 to the first, row 2 to the second, and so on. */
import { createReadStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'csv-parse';
import { SealsumError } from '../../src/errors.ts';
import { parseDocument } from '../../src/learning/model-document.ts';

export interface Share {
  readonly path: string;
  readonly rows: number;
}

/**
 * Writes FOLDER/OWNER/data.csv for each owner, where its configuration looks for it. Rows keep their bytes and their
 * delimiter; every share gets the header. The file has been read as a table before.
 *
 * @throws SealsumError data_invalid when there are fewer rows than owners
 */
export async function splitRows(
  data: string,
  document: unknown,
  folder: string,
  owners: readonly string[],
): Promise<Share[]> {
  const { header } = parseDocument(document).data_props;
  const shares = owners.map((): string[] => []);
  let first = '';
  let count = 0;
  // Only the ends of rows matter here, which quotes may hide but delimiters do not.
  const rows = createReadStream(data).pipe(
    parse({
      raw: true,
      bom: true,
      delimiter: [',', ';', '\t'],
      record_delimiter: ['\r\n', '\n', '\r'],
      relax_column_count: true,
      skip_empty_lines: true,
    }),
  );
  for await (const { raw } of rows as AsyncIterable<{ raw: string }>) {
    if (header && first === '') first = raw;
    else shares[count++ % owners.length]?.push(raw);
  }
  if (count < owners.length)
    throw new SealsumError(
      'data_invalid',
      `${data} has ${count} rows: too few to give each of ${owners.length} owners one`,
      { field: '--owners' },
    );
  return Promise.all(
    shares.map(async (lines, index) => {
      const own = join(folder, owners[index] ?? '');
      await mkdir(own, { mode: 0o700 });
      const path = join(own, 'data.csv');
      const text = [...(header ? [first] : []), ...lines].map((line) => line.replace(/[\r\n]*$/, '\n')).join('');
      await writeFile(path, text, { mode: 0o600 });
      return { path, rows: lines.length };
    }),
  );
}
