/** `sealsum predict`: what a finished model predicts for the rows of a data file. */
import { type Command, Option } from 'commander';
import { readDataFile } from '../learning/data-file.ts';
import type { FeatureRow } from '../learning/fields.ts';
import type { Prediction } from '../learning/prediction.ts';
import { readTable, type Table } from '../learning/table.ts';
import { named, writeLine } from './files.ts';
import { defaultModelOwner } from './model-owner-access.ts';
import { type AccessOptions, openAccess, type PartyAccess, withAccessOptions } from './party-access.ts';
import { columnsOf, modelNamed, predictionsOf, rowsOf } from './predict-rows.ts';
import { untilInterrupted, usageError } from './program.ts';
import { createProgress } from './progress.ts';
import { type ProjectServices, systemServices } from './project-services.ts';

const help = `
MODEL is the identifier that a training was answered with, or "latest", the newest one that is finished. ROWS is CSV, TSV, JSON lines
or Parquet with the columns of the model by their names; others, and the target, may be there. - is standard input, of CSV or TSV.

What comes out is CSV: the rows as they were, with a column "prediction"; of classifiers the likeliest class, with its
"probability" or one for each class. A row that a missing value drops has none, and is counted. --json gives the predictions
as one JSON object, or with --output only what was done.

Examples:
  sealsum predict latest rows.csv > predictions.csv
  sealsum predict 0b3kq2vmlxse rows.parquet --output predictions.csv --config project/model-owner/config.toml
  sealsum predict latest rows.csv --json --url https://research.example.org:9090 --token-file access-token`;

interface Options extends AccessOptions {
  readonly output?: string;
  readonly header: boolean;
  readonly json: boolean;
}

export function registerPredictCommand(program: Command, services: ProjectServices = systemServices): void {
  const command = program
    .command('predict')
    .summary('predict the rows of a data file with a finished model')
    .description(
      'Ask a model owner what a finished model predicts for the rows of a file in CSV, TSV, JSON lines or Parquet.',
    )
    .argument('<model>', 'its identifier, or latest')
    .argument('<rows>', 'the file with the rows to predict')
    .option('--output <file>', 'write the CSV to a file (default: standard output)')
    .option('--no-header', "the first line is a row, and the columns are the model's by their order or col_idx")
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', help)
    .action((model: string, rows: string, options: Options) =>
      untilInterrupted((signal) => predict(model, rows, options, services, signal)),
    );
  withAccessOptions(command, {
    config: 'the config.toml of the model owner, which says where it listens and which token it asks for',
    url: new Option(
      '--model-owner, --url <url>',
      `where the model owner listens (default: what the configuration or SEALSUM_MODEL_OWNER says, or ${defaultModelOwner})`,
    ),
  });
}

async function predict(
  model: string,
  file: string,
  options: Options,
  services: ProjectServices,
  signal: AbortSignal,
): Promise<void> {
  const { output, header, json } = options;
  const table = await readRows(file, header, signal);
  await using access = await openAccess(withDefaultUrl(options, services), services, signal);
  if (access.role !== 'model-owner') throw usageError(`${access.url} is a ${access.role}; only a model owner predicts`);
  const id = await modelNamed(model, access, signal);
  const predictions = await allPredictions(id, table, access, json, signal);
  const dropped = predictions.filter((each) => each === null).length;
  const counts = {
    model: id,
    rows: predictions.length,
    predicted: predictions.length - dropped,
    dropped_rows: dropped,
  };
  if (json && output === undefined) {
    services.print(JSON.stringify({ ...counts, predictions }));
    return;
  }
  await writeLine(output ?? '-', csvOf(table, predictions));
  if (json) services.print(JSON.stringify({ ...counts, output }));
  else {
    const why = dropped === 0 ? '' : `, and ${dropped} dropped for a missing value`;
    console.error(`sealsum: model ${id} has predicted ${counts.predicted} of ${counts.rows} rows${why}`);
  }
}

function readRows(file: string, header: boolean, signal: AbortSignal): Promise<Table> {
  if (file === '-') return readTable({ stream: process.stdin }, { header, signal });
  return readDataFile(file, { header, signal }).catch((error: unknown) => {
    throw named(file, error);
  });
}

/** Like train, which asks a model owner on this machine unless it is told otherwise. */
function withDefaultUrl(options: Options, { env }: ProjectServices): AccessOptions {
  if (options.url !== undefined || options.config !== undefined) return options;
  return { ...options, url: env.SEALSUM_MODEL_OWNER ?? defaultModelOwner };
}

/** The greatest portion that is sent at once: rows, and characters of JSON; a model owner takes bodies of 16 MiB. */
const portion = { rows: 10_000, characters: 4 * 2 ** 20 } as const;

async function allPredictions(
  id: string,
  table: Table,
  access: PartyAccess,
  json: boolean,
  signal: AbortSignal,
): Promise<(Prediction | null)[]> {
  const rows = rowsOf(table, table.header === undefined ? undefined : await columnsOf(id, access, signal));
  using bar = createProgress({ what: 'predicting', unit: 'rows', total: rows.length, json });
  const predictions: (Prediction | null)[] = [];
  for (let from = 0; from < rows.length; ) {
    const sent = portionOf(rows, from);
    predictions.push(...(await predictionsOf(id, sent, from, table, access, signal)));
    from += sent.length;
    bar.update(from);
  }
  return predictions;
}

function portionOf(rows: readonly FeatureRow[], from: number): readonly FeatureRow[] {
  let [to, characters] = [from, 0];
  while (to < rows.length && to - from < portion.rows && (to === from || characters < portion.characters)) {
    characters += JSON.stringify(rows[to]).length;
    to += 1;
  }
  return rows.slice(from, to);
}

/** The table with what was predicted behind it (RFC 4180), without a newline at its end. */
export function csvOf(table: Table, predictions: readonly (Prediction | null)[]): string {
  const delimiter = table.delimiter ?? ',';
  const first = predictions.find((each) => each !== null);
  const names = namesOf(first ?? null);
  const line = (cells: readonly string[]): string => cells.map((cell) => quoted(cell, delimiter)).join(delimiter);
  const header = [...(table.header ?? Array.from({ length: table.width }, (_, index) => `column ${index}`)), ...names];
  return [
    line(header),
    ...table.rows.map((row, at) => line([...row, ...cellsOf(predictions[at] ?? null, names)])),
  ].join('\n');
}

function namesOf(prediction: Prediction | null): readonly string[] {
  if (prediction === null || typeof prediction === 'number') return ['prediction'];
  if ('probability' in prediction) return ['prediction', 'probability'];
  return ['prediction', ...Object.keys(prediction.probabilities).map((name) => `probability ${name}`)];
}

function cellsOf(prediction: Prediction | null, names: readonly string[]): readonly string[] {
  if (prediction === null) return names.map(() => '');
  if (typeof prediction === 'number') return [String(prediction)];
  if ('probability' in prediction) return [prediction.class, String(prediction.probability)];
  return [prediction.class, ...Object.values(prediction.probabilities).map(String)];
}

function quoted(cell: string, delimiter: string): string {
  const plain = !cell.includes(delimiter) && !/["\r\n]/.test(cell);
  return plain ? cell : `"${cell.replaceAll('"', '""')}"`;
}
