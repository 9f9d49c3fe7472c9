/** Rows of a data file as a model owner takes them, and what it answers. */
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import { newestOf } from '../http/model-files.ts';
import { parseMessage } from '../http/problem.ts';
import type { FeatureRow } from '../learning/fields.ts';
import type { Prediction } from '../learning/prediction.ts';
import type { Table } from '../learning/table.ts';
import type { PartyAccess } from './party-access.ts';

const parameters = z.object({ columns: z.array(z.string()) });
const prediction: z.ZodType<Prediction> = z.union([
  z.number(),
  z.object({ class: z.string(), probability: z.number() }),
  z.object({ class: z.string(), probabilities: z.record(z.string(), z.number()) }),
]);
const predicted: z.ZodType<{ readonly predictions: readonly (Prediction | null)[] }> = z.object({
  predictions: z.array(prediction.nullable()),
});

/** The identifier of a model; of the one that was finished last for `latest`. @throws SealsumError model_unfinished */
export async function modelNamed(model: string, access: PartyAccess, signal: AbortSignal): Promise<string> {
  return model === 'latest' ? newestOf(await access.get('/models', signal)) : model;
}

/** The columns of a model's coefficients without the intercept, such as `age`, `ward=surgery`, or `column 3`. */
export async function columnsOf(id: string, access: PartyAccess, signal: AbortSignal): Promise<readonly string[]> {
  const answer = await access.get(`/models/${encodeURIComponent(id)}/parameters`, signal);
  return parseMessage(parameters, answer, 'the answer to GET /models/{id}/parameters').columns.slice(1);
}

/**
 * The rows of a table with the columns that a model has: by name where the table has a header, else as they stand.
 *
 * @param columns as columnsOf() gives them; needed with a header
 * @throws SealsumError data_invalid where the table lacks a column
 */
export function rowsOf({ header, headerLine, width, rows }: Table, columns: readonly string[] = []): FeatureRow[] {
  if (header === undefined) return rows.map((row) => [...row]);
  const places = new Map<string, number>();
  for (const column of columns) {
    const [name, place] = placeOf(column, header);
    if (place === undefined || place >= width)
      throw new SealsumError('data_invalid', `the header has no column for the model's ${name}`, {
        field: name,
        ...(headerLine === undefined ? {} : { line: headerLine }),
      });
    places.set(name, place);
  }
  return rows.map((row) => Object.fromEntries([...places].map(([name, place]) => [name, row[place] ?? null])));
}

/** The feature of a coefficient, by the header: levels of a nominal one are told as `name=level`, either of which may hold a "=". */
function placeOf(column: string, header: readonly string[]): readonly [name: string, place: number | undefined] {
  let found: readonly [string, number] | undefined;
  for (const [place, name] of header.entries())
    if ((column === name || column.startsWith(`${name}=`)) && name.length > (found?.[0].length ?? -1))
      found = [name, place];
  if (found !== undefined) return found;
  const [, name = '', position] = /^(column (\d+))(?:=.*)?$/s.exec(column) ?? [];
  return position === undefined ? [column.replace(/=.*$/s, ''), undefined] : [name, Number(position)];
}

/** @param from the place of the first row in the table, for errors @throws SealsumError naming the line of a row that is refused */
export async function predictionsOf(
  id: string,
  rows: readonly FeatureRow[],
  from: number,
  table: Table,
  access: PartyAccess,
  signal: AbortSignal,
): Promise<readonly (Prediction | null)[]> {
  const answer = await access
    .post(`/models/${encodeURIComponent(id)}/predictions`, { rows }, signal)
    .catch((error: unknown) => {
      throw atLine(error, from, table);
    });
  const { predictions } = parseMessage(predicted, answer, 'the answer to POST /models/{id}/predictions');
  if (predictions.length === rows.length) return predictions;
  throw new SealsumError('request_failed', `${access.url} predicted ${predictions.length} of ${rows.length} rows`);
}

/** The error about `rows[7].age` as one about the line of the file that the row came from. */
function atLine(error: unknown, from: number, { lines, place }: Table): unknown {
  if (!(error instanceof SealsumError)) return error;
  const [path, index, field] = /^rows\[(\d+)\]\.?(.*)$/s.exec(error.field ?? '') ?? [];
  const line = lines[from + Number(index)];
  if (path === undefined || line === undefined) return error;
  const expected = error.message.replace(`${path}: `, '');
  const at = field === undefined || field === '' ? '' : `, ${field}`;
  return new SealsumError(error.code, `${place} ${line}${at}: ${expected}`, {
    cause: error,
    line,
    ...(field === undefined || field === '' ? {} : { field }),
  });
}
