/**
 * `sealsum train`: posts a model.json, follows the training, prints what GET /prediction answers; or the statistics that it asks for.
 */
import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { readTextFile } from '../config/files.ts';
import { SealsumError } from '../errors.ts';
import { type FollowModelOptions, followModel, followStatistics } from '../http/model-owner-client.ts';
import { createTransport } from '../http/transport.ts';
import { asksForStatistics } from '../learning/model-document.ts';
import { systemClock } from '../protocol/clock.ts';
import { readToken, withToken } from './access-token.ts';
import { coefficientTable } from './coefficient-table.ts';
import { untilInterrupted } from './program.ts';
import { createProgress } from './progress.ts';
import { statisticsTables } from './statistics-tables.ts';

const examples = `
Examples:
  sealsum train examples/linear/model.json
  sealsum train model.json --model-owner http://127.0.0.1:9090 > prediction.json
  sealsum train examples/linear/model.json --table
  sealsum train examples/statistics/model.json
  sealsum train examples/statistics/model.json --json > statistics.json
  sealsum train model.json --model-owner https://research.example.org:9090 --token-file access-token --ca ca.pem

A model.json of the type STATISTICS is printed as tables, with --json as one JSON object; predictions are JSON always.
With --table a trained model is printed as its coefficients, with standard errors, intervals and p-values or why there are none.
The model owner, the facilitator and the data owners must be running. Ctrl-C stops the training.`;

interface TrainOptions {
  readonly modelOwner: string;
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly json: boolean;
  readonly table: boolean;
}

export function registerTrainCommand(program: Command): void {
  program
    .command('train')
    .summary('train a model with the data owners, or sum statistics of their columns')
    .description(
      'Post a model.json to a model owner, follow its training and print the final cost and predictions as JSON, or the statistics that it asks for as tables.',
    )
    .argument('<model.json>', 'the file that says what to train, or which statistics to sum')
    .addOption(
      new Option('--model-owner <url>', 'where the model owner listens')
        .env('SEALSUM_MODEL_OWNER')
        .default('http://127.0.0.1:9090'),
    )
    .addOption(
      new Option('--token-file <file>', 'a file with the token that the model owner asks for').env(
        'SEALSUM_TOKEN_FILE',
      ),
    )
    .option('--ca <file>', "who signed the model owner's certificate (default: what the system trusts)")
    .option('--json', 'print statistics as one JSON object too; draw no progress', false)
    .addOption(
      new Option('--table', 'print the coefficients with their standard errors and intervals in place of predictions')
        .default(false)
        .conflicts('json'),
    )
    .addHelpText('after', examples)
    .action(async (file: string, options: TrainOptions) => {
      const document = await readDocument(file);
      const ca = options.ca === undefined ? undefined : await readTextFile(options.ca, '--ca');
      const token = options.tokenFile === undefined ? undefined : await readToken(options.tokenFile);
      await using transport = createTransport(ca === undefined ? {} : { ca });
      using bar = createProgress({ what: 'training', unit: 'updates', json: options.json });
      const said = await untilInterrupted((signal) =>
        outcomeOf(
          {
            url: options.modelOwner,
            document,
            fetch: token === undefined ? transport.fetch : withToken(transport.fetch, token),
            clock: systemClock,
            signal,
            onProgress: bar.update,
          },
          options,
        ),
      );
      bar.stop();
      console.log(said);
    });
}

/** What is printed of a job once it is over. */
async function outcomeOf(
  job: FollowModelOptions,
  { json, table }: Pick<TrainOptions, 'json' | 'table'>,
): Promise<string> {
  if (!asksForStatistics(job.document)) {
    const trained = await followModel(job);
    if (table) return coefficientTable(trained);
    const { answer, standardisation } = trained;
    return JSON.stringify(standardisation === undefined ? answer : { ...(answer as object), standardisation });
  }
  const found = await followStatistics(job);
  return json ? JSON.stringify(found) : statisticsTables(found);
}

async function readDocument(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new SealsumError('model_invalid', `${file}: cannot be read`, { cause });
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SealsumError('model_invalid', `${file} is not JSON: ${cause instanceof Error ? cause.message : ''}`, {
      cause,
    });
  }
}
