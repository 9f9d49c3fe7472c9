/** `sealsum describe`: a model.json proposed from a data file or a query, on this machine alone. */
import { basename, join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { readConfig } from '../config/load.ts';
import { openQuery } from '../config/query-settings.ts';
import { SealsumError } from '../errors.ts';
import type { ColumnProfile } from '../learning/column-profile.ts';
import { datasetName } from '../learning/column-schema.ts';
import { readDataFile } from '../learning/data-file.ts';
import type { ModelType } from '../learning/model-types.ts';
import { readQuery } from '../learning/postgres-query.ts';
import { nameOf, type Proposal, proposeModel } from '../learning/propose-model.ts';
import { looksNumeric } from '../learning/scaling.ts';
import type { Table } from '../learning/table.ts';
import { named, writeLine } from './files.ts';
import { untilInterrupted, usageError } from './program.ts';
import { alignedTable } from './table.ts';

const help = `
The model.json is printed on standard output, what the columns are and the warnings on standard error; with --output the model.json
goes to a file, and the columns to standard output. CSV, TSV, JSON lines and Parquet are told apart by how they begin. Nothing is sent
anywhere. What is proposed is computed from the records without any noise: read the warnings before you share it.

Examples:
  sealsum describe data.csv > model.json
  sealsum describe data.csv --target outcome --output model.json
  sealsum describe digits.csv --target digit --model-type SOFTMAX_REGRESSION
  sealsum describe data.parquet --json
  sealsum describe --config project/north/config.toml --dataset admissions`;

interface Options {
  readonly target?: string;
  readonly modelType?: ModelType;
  readonly header: boolean;
  readonly delimiter?: ',' | ';' | '\t';
  readonly config?: string;
  readonly dataset?: string;
  readonly output?: string;
  readonly json: boolean;
}

const modelTypes: readonly ModelType[] = ['LINEAR_REGRESSION', 'LOGISTIC_REGRESSION', 'SOFTMAX_REGRESSION'];
const delimiters: ReadonlyMap<string, string> = new Map([
  ['comma', ','],
  ['semicolon', ';'],
  ['tab', '\t'],
]);

/**
 * @param print takes what is said on standard output, without the newline at its end
 * @param tell the same for standard error
 */
export function registerDescribeCommand(
  program: Command,
  print: (text: string) => void = console.log,
  tell: (text: string) => void = console.error,
): void {
  program
    .command('describe')
    .summary('propose a model.json from a data file, on this machine alone')
    .description('Say what stands in the columns of a data set, and propose a model.json that declares them.')
    .argument('[data]', 'a file in CSV, TSV, JSON lines or Parquet')
    .option(
      '--target <column>',
      'what is to be predicted: a name, or a position counted from 0 (default: the last column)',
    )
    .addOption(
      new Option('--model-type <type>', 'what to fit (default: what follows from the target)').choices(modelTypes),
    )
    .option('--no-header', 'the first line is a record (default: it is where it holds a number)')
    .addOption(
      new Option('--delimiter <name>', 'comma, semicolon or tab (default: found from the first line)').argParser(
        (text) => {
          const found = delimiters.get(text);
          if (found === undefined) throw usageError(`--delimiter: expected comma, semicolon or tab, not ${text}`);
          return found;
        },
      ),
    )
    .option('--config <file>', 'the config.toml of a data owner, one of whose data sets is described')
    .option('--dataset <name>', 'with --config: which one, and what data_props.dataset names')
    .option('--output <file>', 'write the model.json to a file')
    .option('--json', 'print one JSON object: records, columns, warnings, model', false)
    .addHelpText('after', help)
    .action(async (file: string | undefined, options: Options) => {
      const proposal = await untilInterrupted((signal) => proposalFor(file, options, signal));
      const model = documentText(proposal.model);
      // The file first: where it cannot be written, nothing is printed.
      if (options.output !== undefined) await writeLine(options.output, model);
      if (options.json) print(JSON.stringify(jsonOf(proposal)));
      else if (options.output === undefined) {
        tell(textOf(proposal));
        print(model);
      } else print(textOf(proposal));
    });
}

async function proposalFor(file: string | undefined, options: Options, signal: AbortSignal): Promise<Proposal> {
  const { target, modelType, dataset, config } = options;
  if ((file === undefined) === (config === undefined))
    throw usageError('name a data file, or with --config and --dataset a data set of a data owner');
  if (file !== undefined) {
    if (dataset !== undefined && !datasetName.test(dataset))
      throw usageError('--dataset: expected the name of a data set, such as trial-2026.csv');
    return await proposeFrom(file, () => readFile(file, options, signal), { target, modelType, dataset });
  }
  const read = await datasetOf(config, options, signal);
  return await proposeFrom(dataset ?? 'the data set', read, { target, modelType, dataset });
}

async function proposeFrom(
  name: string,
  read: () => Promise<Table>,
  options: Parameters<typeof proposeModel>[1],
): Promise<Proposal> {
  try {
    return proposeModel(await read(), options);
  } catch (error) {
    throw named(name, error);
  }
}

/** How a data set of an owner is read: the file or a query of its configuration, or what was uploaded. */
async function datasetOf(
  config: string | undefined,
  options: Options,
  signal: AbortSignal,
): Promise<() => Promise<Table>> {
  const settings = await readConfig('data-owner', config === undefined ? {} : { config });
  const { dataset } = options;
  const { data, datasets, queries } = settings;
  if (dataset === undefined) {
    if (data === undefined) throw usageError('--dataset is missing, and the configuration names no data file');
    return () => readFile(data, options, signal);
  }
  const query = queries.find(({ name }) => name === dataset);
  if (query !== undefined) {
    const opened = await openQuery(query);
    return () => readQuery(opened, signal);
  }
  if (data !== undefined && basename(data) === dataset) return () => readFile(data, options, signal);
  if (!datasetName.test(dataset))
    throw usageError('--dataset: expected the name of a data set, such as trial-2026.csv');
  return () => readFile(join(datasets, dataset), options, signal);
}

/** A first line with a number in it is no header, unless it is in a file that knows its names otherwise. */
async function readFile(path: string, { header, delimiter }: Options, signal: AbortSignal): Promise<Table> {
  const options = { delimiter, signal };
  const full = resolve(path);
  if (!header) return await readDataFile(full, { ...options, header: false });
  try {
    const table = await readDataFile(full, { ...options, header: true });
    if (table.headerLine === undefined || table.header?.some(looksNumeric) !== true) return table;
  } catch (error) {
    // A file of one line, or of arrays in JSON lines without names.
    if (!(error instanceof SealsumError) || error.field !== 'data_props.header') throw error;
  }
  return await readDataFile(full, { ...options, header: false });
}

function jsonOf({ model, records, dropped, columns, warnings }: Proposal): object {
  return { records, dropped, columns: columns.map(columnJson), warnings, model };
}

function columnJson(column: ColumnProfile): object {
  const { name, col_idx, kind, missing, distinct, least, greatest, whole, counts } = column;
  return {
    ...(name === undefined ? {} : { name }),
    col_idx,
    kind,
    missing,
    distinct,
    ...(kind === 'numbers' ? { whole, least, greatest } : {}),
    ...(kind === 'texts' && counts !== undefined ? { levels: Object.fromEntries([...counts].sort()) } : {}),
  };
}

function textOf({ records, dropped, columns, warnings, model }: Proposal): string {
  const { features, target } = model.data_props as { features: object[]; target: object };
  const declared = new Map([...features, target].map((field) => [placeKey(field), field as Record<string, unknown>]));
  const lines = columns.map((column) => {
    const field = declared.get(placeKey(column));
    const role = field === undefined ? 'left out' : field === target ? 'target' : 'feature';
    return [nameOf(column), role, declarationOf(field), String(column.missing), String(column.distinct)];
  });
  const table = alignedTable([['column', 'use', 'as', 'missing', 'different'], ...lines]);
  const told = warnings.map(({ column, message }) => `${column === undefined ? '' : `${column}: `}${message}`);
  const count = `${records} records${dropped === 0 ? '' : `, of which ${dropped} miss a value and would be dropped`}; ${String(model.model_type)}`;
  return [...table, '', count, ...told.map((line) => `warning: ${line}`)].join('\n');
}

/** With lists of numbers and texts on one line. */
function documentText(model: object): string {
  return JSON.stringify(model, undefined, 2).replaceAll(/\[\n\s+([^[\]{}]*?)\n\s+\]/g, (_all, inner: string) => {
    return `[${inner.replaceAll(/\n\s+/g, ' ')}]`;
  });
}

/** A column by what the declaration calls it. */
function placeKey(place: { readonly name?: string | undefined; readonly col_idx?: number }): string {
  return place.name === undefined ? `column ${place.col_idx ?? 0}` : `name ${place.name}`;
}

function declarationOf(field: Record<string, unknown> | undefined): string {
  if (field === undefined) return '';
  const { type, range, levels } = field as { type: string; range?: [number, number]; levels?: string[] };
  if (range !== undefined) return `${type} [${range.join(', ')}]`;
  const shown = (levels ?? []).slice(0, 6).join(', ');
  return `${type}: ${shown}${(levels?.length ?? 0) > 6 ? `, … (${levels?.length ?? 0})` : ''}`;
}
