/** What the command is asked for. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { refuseInOneLine } from '../../src/http/party-process.ts';
import { type BackendName, backendNames } from '../../src/paillier/backend.ts';
import { type Dose, quickDose, wholeDose } from './dose.ts';

export interface BenchOptions {
  readonly dose: Dose;
  /** Absent: all that work here. */
  readonly backends: readonly BackendName[] | undefined;
  readonly json: boolean;
  /** Where the plot goes. */
  readonly svg: string | undefined;
}

/** A parser of whole numbers between commas, each once. */
export function wholeNumbers(least: number, most: number): (text: string) => number[] {
  return (text) => {
    const values = text.split(',').map((each) => {
      const value = Number(each);
      if (!/^[0-9]+$/.test(each) || value < least || value > most)
        throw new InvalidArgumentError(`expected whole numbers from ${least} to ${most} with commas between`);
      return value;
    });
    return [...new Set(values)].toSorted((a, b) => a - b);
  };
}

function names(text: string): BackendName[] {
  return text.split(',').map((each) => {
    const known = backendNames.find((name) => name === each);
    if (known === undefined) throw new InvalidArgumentError(`expected some of ${backendNames.join(',')}`);
    return known;
  });
}

const examples = `
Everything takes some minutes on two cores, --quick half a minute on busy ones. Progress goes to standard error.

  npm run bench
  npm run bench -- --quick
  npm run bench -- --json --svg bench.svg > bench.json
  npm run bench -- --bits 3072 --owners 10 --values 1000,100000 --backends native,native-portable
`;

/** @param args as after the name of the script; ends the process where they are wrong or ask for help */
export function parseOptions(args: readonly string[]): BenchOptions {
  const options = refuseInOneLine(new Command('npm run bench --'), 'bench')
    .description(
      'Measure every operation and whole aggregations with every backend, beside paillier-bigint and CKKS (node-seal).',
    )
    .addOption(new Option('--bits <list>', 'sizes of Paillier keys').argParser(wholeNumbers(2048, 8192)))
    .addOption(new Option('--values <list>', "values in an owner's vector").argParser(wholeNumbers(1, 10_000_000)))
    .addOption(new Option('--owners <list>', 'owners of an aggregation').argParser(wholeNumbers(1, 1000)))
    .addOption(
      new Option(
        '--backends <list>',
        `some of ${backendNames.join(',')} (default: all that work here; in aggregations native, openssl and bigint)`,
      ).argParser(names),
    )
    .option('--quick', 'few rounds of few sizes: shows that everything works, not how fast', false)
    .option('--json', 'print one JSON object instead of tables', false)
    .option('--svg <file>', 'draw the aggregations into this file')
    .addHelpText('after', examples)
    .parse(args, { from: 'user' })
    .opts<{
      bits?: number[];
      values?: number[];
      owners?: number[];
      backends?: BackendName[];
      quick: boolean;
      json: boolean;
      svg?: string;
    }>();
  const dose = options.quick ? quickDose : wholeDose;
  return {
    dose: {
      ...dose,
      bits: options.bits ?? dose.bits,
      values: options.values ?? dose.values,
      owners: options.owners ?? dose.owners,
    },
    backends: options.backends,
    json: options.json,
    svg: options.svg,
  };
}
