/**
 * Measures how time and memory grow with the number of values, with the owners and with the size of the key, and fits exponents:
 * `npm run bench:scaling`. What each party does is measured in a fresh process each time, so that its peak memory is its own:
 * an owner seals, the facilitator checks and multiplies all contributions, the model owner opens their sum. Results are checked.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Command } from 'commander';
import { refuseInOneLine } from '../src/http/party-process.ts';
import { preferBackend } from '../src/paillier/backend.ts';
import { machineAndVersions } from './bench/machine.ts';
import { growthInWords, growths, keyOf, pointsOf, quickSizes, sweeps, wholeSizes } from './bench/scaling.ts';
import { type Point, type PointFigures, pointFiguresSchema } from './bench/scaling-point.ts';
import { duration, megabytes, table } from './bench/table.ts';
import { beside } from './beside.ts';

const examples = `
Everything took 5 minutes on two cores that had much else to do, --quick half a minute; free ones take less. Progress goes to standard error.

  npm run bench:scaling
  npm run bench:scaling -- --quick --json
  SEALSUM_BACKEND=openssl npm run bench:scaling
`;

const options = refuseInOneLine(new Command('npm run bench:scaling --'), 'bench:scaling')
  .description('Measure how time and memory grow with values, owners and key size, and fit the exponents.')
  .option('--quick', 'few and small sizes: shows that everything works, not how it grows', false)
  .option('--json', 'print one JSON object instead of tables', false)
  .addHelpText('after', examples)
  .parse()
  .opts<{ quick: boolean; json: boolean }>();

const started = performance.now();

async function measure(point: Point): Promise<PointFigures> {
  const seconds = ((performance.now() - started) / 1000).toFixed(0).padStart(4);
  console.error(`${seconds} s  ${point.party}: ${point.key_bits} bits, ${point.owners} × ${point.values} values`);
  const { loader, path } = beside(import.meta.url, './bench-scaling-point');
  const { stdout } = await promisify(execFile)(process.execPath, [...loader, path, JSON.stringify(point)]);
  return pointFiguresSchema.parse(JSON.parse(stdout));
}

function printPoints(figures: ReadonlyMap<string, PointFigures>): void {
  const { cpu, cores, node, backend, load_average } = machineAndVersions();
  console.log(`${cpu}, ${cores} cores, Node ${node}, backend ${backend}; load average ${load_average} at the end\n`);
  for (const sweep of sweeps) {
    const found = pointsOf(sweep, sizes)
      .map((point) => figures.get(keyOf(point)))
      .filter((each) => each !== undefined);
    const lines = found.map((each) => [
      each.party,
      each.key_bits.toString(),
      `${each.owners} × ${each.values}`,
      duration(each.cpu_ms),
      megabytes(each.peak_bytes - each.prepared_bytes),
      megabytes(each.peak_bytes),
    ]);
    const head = ['party', 'key', 'owners × values', 'time of a core', 'memory for it', 'peak of the process'];
    console.log(`${table(head, lines, 1).join('\n')}\n`);
    for (const each of growths(sizes, figures).filter((growth) => growth.with === sweep))
      console.log(`${each.party}: ${growthInWords(each)}`);
    console.log('');
  }
  console.log(
    '± is the standard error of the exponent; memory is fitted where the work took more than 4 MB\n' +
      "a part of the facilitator's time does not grow with the owners: it re-randomises the sum once",
  );
}

const sizes = options.quick ? quickSizes : wholeSizes;
try {
  preferBackend(process.env.SEALSUM_BACKEND);
  const figures = new Map<string, PointFigures>();
  for (const point of sweeps.flatMap((sweep) => pointsOf(sweep, sizes))) {
    const key = keyOf(point);
    if (!figures.has(key)) figures.set(key, await measure(point));
  }
  if (options.json)
    console.log(
      JSON.stringify(
        { machine: machineAndVersions(), points: [...figures.values()], growths: growths(sizes, figures) },
        undefined,
        2,
      ),
    );
  else printPoints(figures);
} catch (error) {
  console.error(`bench:scaling: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
