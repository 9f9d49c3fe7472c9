/**
 * Handwritten digits that nobody pools: three owners train a softmax regression (model.json, by the ordinary parties) and a network
 * with one hidden layer (network.ts, a gradient of one's own), on one machine or on as many as config.json names.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { refuseInOneLine } from '../../src/http/party-process.ts';
import { SealsumError } from '../../src/index.ts';
import { defaultTraining, partOf, readDigitsConfig } from './config.ts';
import { madeUpDigits, type Row, readDigits, splitRows } from './data.ts';
import { prepareFolder, trainLocally } from './local.ts';
import type { Progress } from './network-training.ts';
import { runPart } from './remote.ts';
import { trainSoftmax } from './softmax.ts';

interface Options {
  readonly data?: string;
  readonly owners: number;
  readonly train: 'softmax' | 'network' | 'both';
  readonly rounds?: number;
  readonly keyBits?: number;
  readonly prepare?: string;
  readonly port: number;
  readonly config?: string;
  readonly as?: string;
  readonly json: boolean;
}

const wholeFrom =
  (low: number, high: number) =>
  (text: string): number => {
    const value = Number(text);
    if (/^[0-9]+$/.test(text) && value >= low && value <= high) return value;
    throw new InvalidArgumentError(`expected a whole number from ${low} to ${high}`);
  };

const command = refuseInOneLine(new Command('digits'), 'digits')
  .description('Train on handwritten digits that stay with their owners: a softmax regression and a network.')
  .option('--data <file>', 'digits.csv: pixel_0_0 to pixel_7_7 from 0 to 16, and digit; made up unless given')
  .option('--owners <number>', 'how many data owners the training rows are dealt out to', wholeFrom(2, 50), 3)
  .addOption(new Option('--train <what>', 'what to train').choices(['softmax', 'network', 'both']).default('both'))
  .option('--rounds <number>', 'other than the 80 of model.json and the 48 of the network', wholeFrom(1, 10_000))
  .option('--key-bits <number>', 'of the Paillier keys (default: 3072)', wholeFrom(2048, 8192))
  .option('--prepare <folder>', 'train nothing: make a project, the data and config.json for a trial of --config')
  .option('--port <number>', "with --prepare: the facilitator's", wholeFrom(1, 65_535), 8080)
  .option('--config <file>', 'run one party of the network, from the one config.json that names them all')
  .option('--as <name>', 'which party it is; unless given, the one whose host is this machine')
  .option('--json', 'print one JSON object instead of lines', false)
  .addHelpText(
    'after',
    `
Examples:
  node dist/examples/digits/main.js --data digits.csv
  node dist/examples/digits/main.js --data digits.csv --train network --json
  node dist/examples/digits/main.js --data digits.csv --prepare trial
  node dist/examples/digits/main.js --config trial/config.json --as owner-1`,
  );
const options = command.parse().opts<Options>();

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => {
    stop.abort(new SealsumError('aborted', 'stopped'));
  });

const say = (line: string): void => {
  if (!options.json) console.log(line);
};

const sayProgress = ({ round, loss, testAccuracy }: Progress): void => {
  say(`round ${String(round).padStart(3)}  loss ${loss.toFixed(4)}  test accuracy ${testAccuracy.toFixed(4)}`);
};

/** Which options only mean something with others. */
function requireTogether(): void {
  const given = (name: string): boolean => command.getOptionValueSource(name) === 'cli';
  const refuse = (field: string, why: string): never => {
    throw new SealsumError('message_invalid', `${field}: ${why}`, { field });
  };
  if (options.config === undefined && given('as')) refuse('--as', 'expected --config FILE beside it');
  if (options.prepare === undefined && given('port')) refuse('--port', 'expected --prepare FOLDER beside it');
  if (options.config === undefined) return;
  for (const name of ['data', 'owners', 'train', 'rounds', 'keyBits', 'prepare'])
    if (given(name))
      refuse(
        `--${name === 'keyBits' ? 'key-bits' : name}`,
        'has no meaning beside --config: the configuration says who has which data, and how to train',
      );
}

async function runRemotely(path: string): Promise<object> {
  const config = await readDigitsConfig(path);
  const part = partOf(config, options.as);
  const outcome = await runPart(part, { config, signal: stop.signal, onStep: say, onProgress: sayProgress });
  if (outcome.role === 'data-owner') say(`${part.name}: contributed to ${outcome.rounds} rounds; the training is over`);
  if (outcome.role !== 'model-owner') return { name: part.name, ...outcome };
  const { round, loss, testAccuracy } = outcome.trained;
  return { name: part.name, role: outcome.role, network: { rounds: round, loss, test_accuracy: testAccuracy } };
}

async function runLocally(): Promise<object> {
  const { data, owners, keyBits = 3072, rounds, train, prepare, port } = options;
  const rows: readonly Row[] =
    data === undefined ? madeUpDigits(600, 1) : await readDigits({ path: data }, stop.signal).catch(about(data));
  const { training, test } = splitRows(rows);
  if (test.length === 0)
    throw new SealsumError('data_invalid', `${rows.length} rows are too few: every fifth is kept for the test`);
  const chosen = { ...(rounds === undefined ? {} : { rounds }), key_bits: keyBits };
  if (prepare !== undefined) {
    const path = await prepareFolder({ folder: prepare, training, test, owners, settings: chosen, port });
    say(`${path} is ready; start facilitator, model-owner and owner-1 to owner-${owners} with --config and --as`);
    return { config: path };
  }
  say(`${data ?? 'made-up digits'}: ${training.length} rows of ${owners} owners, ${test.length} for the test`);
  const result: Record<string, unknown> = { data: data ?? 'made up', training: training.length, test: test.length };
  if (train !== 'network') {
    say('\nsoftmax regression, every party a process');
    const softmax = await trainSoftmax({
      ...{ training, test, owners, keyBits, ...(rounds === undefined ? {} : { rounds }) },
      onStep: () => undefined,
      onProgress: (done, planned) => {
        if (done > 0 && done % 16 === 0) say(`update ${String(done).padStart(3)} of ${planned}`);
      },
    });
    say(
      `after ${softmax.rounds} updates: loss ${softmax.loss?.toFixed(4)}, test accuracy ${softmax.testAccuracy.toFixed(4)}`,
    );
    result.softmax = { updates: softmax.rounds, loss: softmax.loss, test_accuracy: softmax.testAccuracy };
  }
  if (train !== 'softmax') {
    const settings = { ...defaultTraining, ...chosen };
    say(`\nnetwork of 64, ${settings.hidden} and 10, its gradient from network.ts`);
    const run = await trainLocally({ training, test, owners, settings, onProgress: sayProgress, signal: stop.signal });
    say(
      `the same on sums that were never encrypted: parameters differ by ${run.differenceFromPlaintext.toExponential(1)} at most`,
    );
    result.network = {
      rounds: run.round,
      loss: run.loss,
      test_accuracy: run.testAccuracy,
      difference_from_plaintext: run.differenceFromPlaintext,
    };
  }
  return result;
}

/** Says which file an error is about. */
function about(path: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof SealsumError) || error.code !== 'data_invalid') throw error;
    throw new SealsumError('data_invalid', `${path}: ${error.message}`, { cause: error });
  };
}

try {
  requireTogether();
  const result = options.config === undefined ? await runLocally() : await runRemotely(options.config);
  if (options.json) console.log(JSON.stringify(result, undefined, 2));
} catch (error) {
  const stopped = stop.signal.aborted || (error instanceof SealsumError && error.code === 'aborted');
  const message = error instanceof SealsumError ? error.message : String(error instanceof Error ? error.stack : error);
  console.error(`digits: ${stopped ? 'stopped' : message}`);
  // Whoever asks a program to stop is not told of a failure when it does.
  process.exitCode = stopped ? 0 : 1;
}
