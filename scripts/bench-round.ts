/**
 * Measures whole rounds of a model with many parameters: `npm run bench:round`. A facilitator, three data owners and a model owner,
 * each its own process as in the demo, train a softmax regression with as many classes as columns on made-up records. What a
 * round takes of a processor counts everything that a party does: HTTP, signatures, gradients, encryption, its store.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { refuseInOneLine } from '../src/http/party-process.ts';

import { duration, megabytes, table } from './bench/table.ts';
import type { PartyProcess } from './demo/party.ts';
import { runDemo } from './demo/run.ts';
import { processorSeconds, residentOf } from './load/process-figures.ts';
import { machine } from './machine.ts';
import { oneOf, wholeNumber } from './whole-number.ts';

interface Options {
  readonly parameters: number;
  readonly rounds: number;
  readonly bits: number;
  readonly quantization?: number;
  readonly backend?: string;
  readonly json: boolean;
}

const owners = 3;
/** Enough for a gradient that is none; few, so that it is the size of the model that takes time. */
const recordsEach = 4;

const examples = `
Examples:
  npm run bench:round
  npm run bench:round -- --quantization 16
  npm run bench:round -- --backend openssl --parameters 100000 --json
`;

const options = refuseInOneLine(new Command('npm run bench:round --'), 'bench:round')
  .description('Measure what whole rounds of a model with many parameters take of every party.')
  .addOption(
    new Option('--parameters <n>', 'about so many: the square of a whole number')
      .argParser(wholeNumber(4, 1_400_000))
      .default(1_000_000),
  )
  .addOption(
    new Option('--rounds <n>', 'updates, of which the first is not counted').argParser(wholeNumber(2, 100)).default(3),
  )
  .addOption(new Option('--bits <n>', 'of the key').argParser(wholeNumber(2048, 8192)).default(2048))
  .addOption(
    new Option('--quantization <bits>', 'encryption.quantization_bits (default: not quantised)').argParser(
      oneOf([8, 16, 24, 32]),
    ),
  )
  .addOption(new Option('--backend <name>', 'SEALSUM_BACKEND of every party (default: the fastest here)'))
  .option('--json', 'print one JSON object instead of a table', false)
  .addHelpText('after', examples)
  .parse()
  .opts<Options>();

/** A softmax regression whose columns and classes are as many, and records for it in CSV. */
function workload({ parameters, rounds, bits, quantization }: Options): { document: object; csv: string } {
  const side = Math.round(Math.sqrt(parameters));
  const names = Array.from({ length: side - 1 }, (_, index) => `x${index}`);
  const classes = Array.from({ length: side }, (_, index) => `class-${index}`);
  const rows = Array.from({ length: owners * recordsEach }, (_, row) => [
    ...names.map((__, column) => Math.sin(row * side + column).toFixed(3)),
    classes[(row * 7) % side] ?? '',
  ]);
  const few = quantization === undefined ? { fraction_bits: 16 } : { quantization_bits: quantization };
  return {
    document: {
      model_type: 'SOFTMAX_REGRESSION',
      data_props: {
        header: true,
        features: names.map((name) => ({ name, type: 'continuous', range: [-1, 1] })),
        target: { name: 'y', levels: classes },
      },
      training: { rounds },
      encryption: { key_bits: bits, ...few },
      participation: { quorum: owners, max_records: 1024, deadline_seconds: 3600 },
    },
    csv: `${[[...names, 'y'], ...rows].map((row) => row.join(',')).join('\n')}\n`,
  };
}

interface PartyFigures {
  readonly party: string;
  /** Of a processor, all threads: for one round, and in all. */
  readonly seconds_per_round: number;
  readonly seconds: number;
  readonly peak_bytes: number;
}

/** What parties have taken so far: looked at again and again, since a process that has ended tells nothing any more. */
function watch() {
  const seen = new Map<PartyProcess, { seconds: number; peak: number; atFirstRound: number }>();
  let measured = false;
  const look = (): void => {
    for (const [party, figures] of seen) {
      if (party.pid === undefined) continue;
      try {
        figures.seconds = processorSeconds(party.pid);
        figures.peak = residentOf(party.pid).most;
        if (!measured) figures.atFirstRound = figures.seconds;
      } catch {
        // It has ended; what was seen last stays.
      }
    }
  };
  const timer = setInterval(look, 50);
  return {
    add: (party: PartyProcess): void => {
      seen.set(party, { seconds: 0, peak: 0, atFirstRound: 0 });
    },
    /** From now on rounds are counted. */
    begin: (): void => {
      look();
      measured = true;
    },
    figures: (rounds: number): PartyFigures[] => {
      look();
      return [...seen].map(([{ name }, { seconds, peak, atFirstRound }]) => ({
        party: name,
        seconds_per_round: (seconds - atFirstRound) / rounds,
        seconds,
        peak_bytes: peak,
      }));
    },
    stop: (): void => {
      clearInterval(timer);
    },
  };
}

const folder = await mkdtemp(join(tmpdir(), 'sealsum-round-'));
const watched = watch();
try {
  const { document, csv } = workload(options);
  const data = join(folder, 'data.csv');
  await writeFile(data, csv);
  let updates = 0;
  let figures: readonly PartyFigures[] = [];
  const run = await runDemo({
    document,
    data,
    owners,
    settings: options.backend === undefined ? {} : { SEALSUM_BACKEND: options.backend },
    onStep: (line) => {
      console.error(line);
    },
    onParty: watched.add,
    onProgress: (done, planned) => {
      if (done === updates) return;
      updates = done;
      console.error(`${done} of ${planned} updates`);
      // Before the first update there is what every job begins with: keys, proofs, records.
      if (done === 1) watched.begin();
      else figures = watched.figures(done - 1);
    },
  });
  const rounds = updates - 1;
  const told = { machine: machine(), rounds, bytes_per_owner_round: run.bytesPerOwnerRound, parties: figures };
  if (options.json) console.log(JSON.stringify({ options, ...told }, undefined, 2));
  else {
    const { cpu, cores, node, load_average } = machine();
    const lines = figures.map((each) => [
      each.party,
      duration(1000 * each.seconds_per_round),
      duration(1000 * each.seconds),
      megabytes(each.peak_bytes),
    ]);
    console.log(`${cpu}, ${cores} cores, Node ${node}; load average ${load_average}\n`);
    console.log(table(['party', 'of a processor, a round', 'in all', 'peak memory'], lines, 1).join('\n'));
    console.log(`\nan owner sends ${megabytes(run.bytesPerOwnerRound)} a round`);
  }
} catch (error) {
  console.error(`bench:round: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  watched.stop();
  await rm(folder, { recursive: true, force: true });
}
