/**
 * Measures one facilitator under load: `npm run bench:load`. A facilitator in a process of its own, with its store in a file, takes
 * the contributions of a thousand owners to one round; then the same with ten times the ciphertexts. The owners are one other
 * process and share the machine with it. Exits 1 when a sum is wrong; the targets are only told.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { SealsumError } from '../src/errors.ts';
import { refuseInOneLine } from '../src/http/party-process.ts';
import { printReport, targetsOf } from './load/report.ts';
import { runLoad } from './load/run.ts';
import { machine } from './machine.ts';
import { wholeNumber } from './whole-number.ts';

interface Options {
  readonly owners: number;
  readonly ciphertexts: number;
  readonly concurrency: number;
  readonly store?: string;
  readonly profile?: string;
  readonly json?: true;
}

function postgresUrl(text: string): string {
  if (!/^postgres(ql)?:\/\//.test(text)) throw new InvalidArgumentError('expected a postgres:// URL');
  return text;
}

const options = refuseInOneLine(new Command('bench-load.sh'), 'bench:load')
  .description('Measure how many contributions a second one facilitator takes, and the memory that it needs for that.')
  .addOption(new Option('--owners <n>', 'who contribute').argParser(wholeNumber(2, 5000)).default(1000))
  .addOption(
    new Option('--ciphertexts <n>', 'in a contribution; then ten times as many')
      .argParser(wholeNumber(1, 1000))
      .default(20),
  )
  .addOption(
    new Option('--concurrency <n>', 'contributions under way at a time').argParser(wholeNumber(1, 5000)).default(64),
  )
  .addOption(
    new Option(
      '--store <url>',
      'postgres://…?schema=NAME for the facilitator, where it leaves its tables (default: a new SQLite file)',
    ).argParser(postgresUrl),
  )
  .option('--profile <folder>', "leave a profile of the facilitator's processor time there, for Chrome's DevTools")
  .option('--json', 'print one JSON object instead of a report')
  .parse()
  .opts<Options>();

const stop = new AbortController();
const interrupt = (): void => {
  stop.abort(new SealsumError('aborted', 'stopped'));
};
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, interrupt);

const started = performance.now();
try {
  const { owners, ciphertexts, concurrency, store, profile } = options;
  const reports = await runLoad({
    owners,
    ciphertexts,
    concurrency,
    store,
    profile,
    signal: stop.signal,
    tell: (line) => {
      console.error(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${line}`);
    },
  });
  const kind = store === undefined ? 'SQLite in a file' : 'PostgreSQL';
  if (options.json === true)
    console.log(
      JSON.stringify({ machine: machine(), store: kind, reports, targets: targetsOf(reports) }, undefined, 2),
    );
  else printReport(reports, kind);
} catch (error) {
  const message = error instanceof SealsumError ? error.message : String(error instanceof Error ? error.stack : error);
  console.error(`bench:load: ${message}`);
  process.exitCode = 1;
}
