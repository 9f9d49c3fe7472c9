/**
 * Measures sealsum beside paillier-bigint and CKKS, in one process: `npm run bench`; --help tells the options.
 *
 * Operations are measured in turn with paillier-bigint on the same keys, medians of rounds:
 *
 * - The plaintexts are small and not negative, which is paillier-bigint's fastest case: it computes (n + 1)^m by a modular
 *   power, and a negative number is an m of full length.
 * - Rows are of every backend that works here. Without a kernel, encryption with a table is BigInt's affair, whatever the backend.
 * - In batches of 64, times are those of one of its ciphertexts; `fold` is what a facilitator does with a contribution: check and
 *   multiply, from bytes to bytes.
 * - sealsum's `aggregate` is everything from integers to integers: pack, encrypt, bytes, validate, multiply, re-randomise,
 *   bytes, validate, decrypt, unpack, in slots of 40 bits. Its encryptors' tables are built before, as in a party that is running;
 *   building one is the row `prepare`. paillier-bigint's is encrypt, multiply and decrypt, one value in a ciphertext, measured on
 *   a few values and scaled (`scaled_from`).
 *
 * Whole aggregations are measured phase by phase, by contender.ts' rules: what one owner does, the facilitator with all
 * contributions, the holder of the key. Slots are the least that hold the sum. CKKS comes last, since WebAssembly is started for it.
 *
 * Every result is checked.
 */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { SealsumError } from '../src/errors.ts';
import { availableBackends, selectBackend } from '../src/paillier/backend.ts';
import { type AggregationRow, measureAggregations } from './bench/aggregations.ts';
import { ckksContenders } from './bench/ckks.ts';
import { type Backends, type KeySizeFigures, measureKeySize } from './bench/key-size.ts';
import { linkRates } from './bench/link.ts';
import { machineAndVersions } from './bench/machine.ts';
import { type BenchOptions, parseOptions } from './bench/options.ts';
import { plot } from './bench/plot.ts';
import { type Figures, print } from './bench/report.ts';
import { measureSampler } from './bench/sampler.ts';

const started = performance.now();

function say(what: string): void {
  console.error(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${what}`);
}

function backendsOf({ backends }: BenchOptions): Backends {
  if (backends === undefined) {
    const operations = availableBackends();
    const slower: readonly string[] = ['native-mulx', 'native-portable'];
    return { operations, aggregations: operations.filter(({ name }) => !slower.includes(name)) };
  }
  const chosen = backends.map((name) => selectBackend(name));
  return { operations: chosen, aggregations: chosen };
}

async function measureAll(options: BenchOptions): Promise<Figures> {
  const { dose } = options;
  const backends = backendsOf(options);
  const sizes: KeySizeFigures[] = [];
  for (const bits of dose.bits)
    sizes.push(
      await measureKeySize(bits, backends, dose, (what) => {
        say(`${bits} bits: ${what}`);
      }),
    );
  say('noise');
  const samplers = [0, 20, 40].map((sigmaBits) => measureSampler(sigmaBits, dose.draws));
  const aggregations: AggregationRow[] = sizes.flatMap((size) => size.aggregations);
  for (const contender of await ckksContenders())
    aggregations.push(
      ...measureAggregations(contender, dose, (what) => {
        say(`CKKS ${contender.backend}: ${what}`);
      }),
    );
  return {
    machine: machineAndVersions(),
    rows: sizes.flatMap(({ rows }) => rows),
    threads: sizes.flatMap(({ threads }) => threads),
    ahead: sizes.flatMap(({ ahead }) => ahead),
    samplers,
    aggregations,
    link_rates: linkRates,
  };
}

const options = parseOptions(process.argv.slice(2));
try {
  // Minutes before it is written, it is known that it can be.
  if (options.svg !== undefined) closeSync(openSync(options.svg, 'a'));
  const figures = await measureAll(options);
  if (options.svg !== undefined) writeFileSync(options.svg, plot(figures.aggregations));
  if (options.json) console.log(JSON.stringify(figures, undefined, 2));
  else print(figures);
} catch (error) {
  const message = error instanceof SealsumError ? error.message : String(error instanceof Error ? error.stack : error);
  console.error(`bench: ${message}`);
  process.exitCode = 1;
}
