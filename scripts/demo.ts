/**
 * The whole product on one machine: a facilitator, data owners and a model owner, each its own process speaking HTTP, train a
 * model on a data file that is split among the owners; beside it the same training on the pooled plaintext.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { SealsumError } from '../src/errors.ts';
import { refuseInOneLine } from '../src/http/party-process.ts';
import { toProblem } from '../src/http/problem.ts';
import { compileFeatures, encodeTable } from '../src/learning/features.ts';
import type { Model } from '../src/learning/model.ts';
import { type AnyModel, parseDocument } from '../src/learning/model-document.ts';
import { trainPooled } from '../src/learning/pooled.ts';
import { type DataUnitParameters, parametersInDataUnits } from '../src/learning/prediction.ts';
import { isStatistics, type StatisticsModel } from '../src/learning/statistics/model.ts';
import { pooledStatistics } from '../src/learning/statistics/pooled.ts';
import { compileColumns, encodeColumns } from '../src/learning/statistics/records.ts';
import type { StatisticsReport } from '../src/learning/statistics/report.ts';
import { readTable } from '../src/learning/table.ts';
import { createProgress } from './demo/progress.ts';
import { printReport, printStatistics } from './demo/report.ts';
import { type DemoOptions as RunOptions, runDemo, runStatisticsDemo } from './demo/run.ts';

interface DemoOptions {
  readonly data?: string;
  readonly model?: string;
  readonly owners: number;
  readonly json: boolean;
}

const example = (file: string): string => fileURLToPath(new URL(`../../examples/linear/${file}`, import.meta.url));

const options = refuseInOneLine(new Command('demo.sh'), 'demo')
  .description('Train a model with every party in a process of its own and compare it with pooled plaintext training.')
  .option('--data <file>', 'CSV or TSV file, split by rows among the owners; the linear example unless given')
  .option('--model <file>', 'model.json that describes it; goes together with --data')
  .option('--owners <number>', 'how many data owners', parseOwners, 3)
  .option('--json', 'print one JSON object instead of a report', false)
  .addHelpText(
    'after',
    '\nExample:\n  scripts/demo.sh --data examples/linear/data.csv --model examples/linear/model.json --owners 5',
  )
  .parse()
  .opts<DemoOptions>();

function parseOwners(text: string): number {
  const owners = Number(text);
  if (!Number.isInteger(owners) || owners < 2 || owners > 50)
    throw new InvalidArgumentError('expected a whole number from 2 to 50');
  return owners;
}

async function readModel(path: string): Promise<{ document: unknown; model: AnyModel }> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new SealsumError('model_invalid', `the model file ${path} cannot be read`, { cause });
  });
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new SealsumError('model_invalid', `${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
  return { document, model: parseDocument(document) };
}

/** The same training on all records in one place, in the data's own units; where the model divides them, as their owners do. */
async function trainPlaintext(model: Model, data: string, owners: number): Promise<DataUnitParameters> {
  const map = compileFeatures(model);
  const table = await readTable({ path: data }, model.data_props);
  const shares = Array.from({ length: Math.min(owners, table.rows.length) }, (_, owner) => {
    const isOwn = (_row: unknown, index: number): boolean => index % owners === owner;
    return encodeTable(map, { ...table, rows: table.rows.filter(isOwn), lines: table.lines.filter(isOwn) });
  });
  return parametersInDataUnits(model, map, trainPooled(model, shares).parameters);
}

async function poolStatistics(model: StatisticsModel, data: string): Promise<StatisticsReport> {
  const table = await readTable({ path: data }, model.data_props);
  return pooledStatistics(model, encodeColumns(compileColumns(model), table), options.owners);
}

async function demonstrateStatistics(model: StatisticsModel, run: RunOptions, stop: () => void): Promise<void> {
  const pooled = await poolStatistics(model, run.data);
  const found = await runStatisticsDemo(run).finally(stop);
  if (options.json) console.log(JSON.stringify({ ...found, pooled }, undefined, 2));
  else printStatistics(found, pooled);
}

async function demonstrateTraining(model: Model, asked: RunOptions, stop: () => void): Promise<void> {
  const pooled = await trainPlaintext(model, asked.data, options.owners);
  const run = await runDemo(asked).finally(stop);
  if (options.json) {
    const {
      status,
      updates,
      metrics,
      crossValidation,
      parameters,
      bytesPerOwnerRound,
      secondsPerRound,
      predictions,
      privacy,
    } = run;
    const printed = {
      status,
      rounds: updates,
      metrics,
      ...(crossValidation === undefined ? {} : { cross_validation: crossValidation }),
      parameters,
      pooled_parameters: pooled,
      bytes_per_owner_round: bytesPerOwnerRound,
      seconds_per_round: secondsPerRound,
      seconds_in_all: run.secondsInAll,
      predictions,
      privacy,
    };
    console.log(JSON.stringify(printed, undefined, 2));
  } else printReport(run, pooled, options.owners);
}

try {
  if ((options.data === undefined) !== (options.model === undefined))
    throw new SealsumError('message_invalid', '--data and --model go together: give both or neither');
  const data = options.data ?? example('data.csv');
  const { document, model } = await readModel(options.model ?? example('model.json'));
  const progress = createProgress();
  const run: RunOptions = {
    document,
    data,
    owners: options.owners,
    onStep: (line) => {
      if (!options.json) console.error(line);
    },
    onProgress: progress.show,
  };
  if (isStatistics(model)) await demonstrateStatistics(model, run, progress.stop);
  else await demonstrateTraining(model, run, progress.stop);
} catch (error) {
  const message = error instanceof SealsumError ? error.message : String(error instanceof Error ? error.stack : error);
  // Whoever asks a program to stop is not told of a failure when it does.
  const isStopped = error instanceof SealsumError && error.code === 'aborted';
  if (!options.json) console.error(`demo: ${message}`);
  else if (!isStopped) {
    const { type, title, field, line } = toProblem(error);
    console.error(JSON.stringify({ type, title, detail: message, exit_code: 1, field, line }));
  }
  process.exitCode = isStopped ? 0 : 1;
}
