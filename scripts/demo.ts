/**
 * The whole product on one machine: a facilitator, data owners and a model owner, each its own process speaking HTTP, train a
 * model on a data file that is split among the owners; beside it the same training on the pooled plaintext.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { SealsumError } from '../src/errors.ts';
import { refuseInOneLine } from '../src/http/party-process.ts';
import { compileFeatures, encodeTable } from '../src/learning/features.ts';
import { type Model, parseModel } from '../src/learning/model.ts';
import { trainPooled } from '../src/learning/pooled.ts';
import { type DataUnitParameters, parametersInDataUnits } from '../src/learning/prediction.ts';
import { readTable } from '../src/learning/table.ts';
import { createProgress } from './demo/progress.ts';
import { printReport } from './demo/report.ts';
import { type DemoRun, runDemo } from './demo/run.ts';

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

async function readModel(path: string): Promise<{ document: unknown; model: Model }> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new SealsumError('model_invalid', `the model file ${path} cannot be read`, { cause });
  });
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new SealsumError('model_invalid', `${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
  return { document, model: parseModel(document) };
}

/** The same training on all records in one place, in the data's own units. */
async function trainPlaintext(model: Model, data: string): Promise<DataUnitParameters> {
  const map = compileFeatures(model);
  const records = encodeTable(map, await readTable({ path: data }, model.data_props));
  return parametersInDataUnits(model, map, trainPooled(model, records).parameters);
}

try {
  if ((options.data === undefined) !== (options.model === undefined))
    throw new SealsumError('message_invalid', '--data and --model go together: give both or neither');
  const data = options.data ?? example('data.csv');
  const { document, model } = await readModel(options.model ?? example('model.json'));
  const pooled = await trainPlaintext(model, data);
  const progress = createProgress();
  const run: DemoRun = await runDemo({
    document,
    data,
    owners: options.owners,
    onStep: (line) => {
      if (!options.json) console.error(line);
    },
    onProgress: progress.show,
  }).finally(progress.stop);
  if (options.json) {
    const { status, updates, metrics, parameters, bytesPerOwnerRound, secondsPerRound, predictions, privacy } = run;
    const printed = {
      status,
      rounds: updates,
      metrics,
      parameters,
      pooled_parameters: pooled,
      bytes_per_owner_round: bytesPerOwnerRound,
      seconds_per_round: secondsPerRound,
      predictions,
      privacy,
    };
    console.log(JSON.stringify(printed, undefined, 2));
  } else printReport(run, pooled, options.owners);
} catch (error) {
  const message = error instanceof SealsumError ? error.message : String(error instanceof Error ? error.stack : error);
  console.error(`demo: ${message}`);
  // Whoever asks a program to stop is not told of a failure when it does.
  process.exitCode = error instanceof SealsumError && error.code === 'aborted' ? 0 : 1;
}
