/**
 * `sealsum train`: posts a model.json, follows the training, prints what GET /prediction answers; or the statistics that it asks for.
 */
import { type Command, Option } from 'commander';
import { type FollowModelOptions, followModel, followStatistics } from '../http/model-owner-client.ts';
import { asksForStatistics } from '../learning/model-document.ts';
import { systemClock } from '../protocol/clock.ts';
import { coefficientTable } from './coefficient-table.ts';
import { JsonFiles } from './files.ts';
import { type ModelOwnerOptions, openModelOwner, withModelOwnerOptions } from './model-owner-access.ts';
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

interface TrainOptions extends ModelOwnerOptions {
  readonly json: boolean;
  readonly table: boolean;
}

export function registerTrainCommand(program: Command): void {
  const command = program
    .command('train')
    .summary('train a model with the data owners, or sum statistics of their columns')
    .description(
      'Post a model.json to a model owner, follow its training and print the final cost and predictions as JSON, or the statistics that it asks for as tables.',
    )
    .argument('<model.json>', 'the file that says what to train, or which statistics to sum; - for standard input')
    .option('--json', 'print statistics as one JSON object too; draw no progress', false)
    .addOption(
      new Option('--table', 'print the coefficients with their standard errors and intervals in place of predictions')
        .default(false)
        .conflicts('json'),
    )
    .addHelpText('after', examples)
    .action(async (file: string, options: TrainOptions) => {
      const document = await new JsonFiles().read(file, (content) => content);
      await using asking = await openModelOwner(options);
      using bar = createProgress({ what: 'training', unit: 'updates', json: options.json });
      const said = await untilInterrupted((signal) =>
        outcomeOf(
          {
            url: asking.url,
            document,
            fetch: asking.fetch,
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
  withModelOwnerOptions(command);
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
