/** `sealsum estimate`: what a model.json takes of every party, before anybody is asked. */
import { type Command, InvalidArgumentError } from 'commander';
import { SealsumError } from '../errors.ts';
import { isJsonObject } from '../learning/json-object.ts';
import { estimate } from './estimating/estimate.ts';
import { estimateText } from './estimating/estimate-table.ts';
import { JsonFiles } from './files.ts';
import { untilInterrupted } from './program.ts';
import { createProgress } from './progress.ts';
import { wholeNumber } from './whole-number.ts';

const help = `
Every party runs as a process on this machine for some seconds, with made-up records, and single operations are measured by themselves; what
is too large to be tried is computed from both. Seconds of a processor count all threads; bytes are exact, and count contributions, parameters and
aggregates, not the kilobytes of signatures and headers around them. docs/estimating.md tells how.

Examples:
  sealsum estimate model.json
  sealsum estimate model.json --owners 12 --records 5000 --links 10,1000
  sealsum estimate model.json --json`;

interface Options {
  readonly owners?: number;
  readonly records: number;
  readonly links: readonly number[];
  readonly budget: number;
  readonly json: boolean;
}

/** @param print takes what is said on standard output, without the newline at its end */
export function registerEstimateCommand(program: Command, print: (text: string) => void = console.log): void {
  program
    .command('estimate')
    .summary('say what a model.json takes: seconds, bytes, memory, privacy')
    .description('Measure this machine, and say what a model.json takes of every party, in a round and in all.')
    .argument('<model.json>', 'the file that says what to train, or which statistics to sum; - for standard input')
    .option(
      '--owners <count>',
      'data owners (default: as many as the model.json names, or 3)',
      wholeNumber(2, 1_000_000),
    )
    .option('--records <count>', 'of each data owner', wholeNumber(1, 2 ** 32), 1000)
    .option('--links <rates>', 'of every party, in Mbit/s with commas between', rates, [10, 100, 1000])
    .option('--budget <seconds>', 'for which rounds are run to be measured, roughly', wholeNumber(1, 3600), 4)
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', help)
    .action(async (file: string, { owners, records, links, budget, json }: Options) => {
      const document = await new JsonFiles().read(file, (content) => {
        if (isJsonObject(content)) return content;
        throw new SealsumError('model_invalid', 'expected an object');
      });
      using bar = createProgress({ what: 'measuring', unit: 'steps', json });
      const found = await untilInterrupted((signal) =>
        estimate({ document, owners, records, links, budget, onProgress: bar.update, signal }),
      );
      bar.stop();
      print(json ? JSON.stringify(found) : estimateText(found));
    });
}

function rates(text: string): readonly number[] {
  const values = text.split(',').map(Number);
  if (values.every((value) => Number.isFinite(value) && value > 0)) return values;
  throw new InvalidArgumentError('expected Mbit/s above 0, with commas between: 10,100,1000');
}
