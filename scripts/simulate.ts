/**
 * Simulates rounds under faults: `npm run simulate -- --seed 7 --operations 10000`. The same seed gives the same run; with
 * --verbose it tells what happens to whom. Exits 1 when anything was not as it must be.
 */
import { Command, Option } from 'commander';
import { generateKeyPair } from '../src/paillier/key-generation.ts';
import { type SimulationReport, simulate } from './simulation/simulate.ts';
import { wholeNumber } from './whole-number.ts';

interface Options {
  readonly seed: number;
  readonly seeds: number;
  readonly operations: number;
  readonly json?: true;
  readonly verbose?: true;
}

const options = new Command('simulate')
  .description(
    'Run the real parties on simulated time and a simulated network that loses, delays and repeats messages.',
  )
  .addOption(new Option('--seed <n>', 'what everything follows from').argParser(wholeNumber(0, 2 ** 32 - 1)).default(1))
  .addOption(new Option('--seeds <n>', 'how many, from --seed on').argParser(wholeNumber(1, 2 ** 32 - 1)).default(1))
  .addOption(
    new Option('--operations <n>', 'happenings before everybody is left in peace')
      .argParser(wholeNumber(1, 2 ** 32 - 1))
      .default(10_000),
  )
  .option('--json', 'print a JSON array of the reports')
  .option('--verbose', 'tell on standard error what happens to whom')
  .parse()
  .opts<Options>();

const keyPair = await generateKeyPair({ bits: 2048 });
const reports: SimulationReport[] = [];
for (let seed = options.seed; seed < options.seed + options.seeds; seed++) {
  const report = await simulate({
    seed,
    operations: options.operations,
    keyPair,
    tell: (what) => {
      if (options.verbose === true) console.error(`seed ${seed}: ${what}`);
    },
  });
  reports.push(report);
  if (options.json !== true) console.log(describe(report));
  for (const problem of report.problems) console.error(`seed ${seed}: ${problem}`);
  if (report.problems.length > 0) {
    console.error(`replay: npm run simulate -- --seed ${seed} --operations ${options.operations} --verbose`);
    process.exitCode = 1;
  }
}
if (options.json === true) console.log(JSON.stringify(reports, undefined, 2));

function describe({ seed, owners, operations, rounds, models, deaths, messages, problems }: SimulationReport): string {
  return (
    `${problems.length === 0 ? 'ok  ' : 'FAIL'} seed ${seed}: ${operations} operations, ${owners} owners, ` +
    `${rounds.closed} rounds closed, ${rounds.abandoned} abandoned, ` +
    `${models.finished} of ${models.started} models finished, ${deaths} deaths, ` +
    `${messages.sent} requests, ${messages.lost} messages lost, ${messages.repeated} repeated`
  );
}
