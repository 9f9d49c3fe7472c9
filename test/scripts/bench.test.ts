/** The benchmark and its scaling as people start them, in the smallest dose. How fast anything is, is nobody's business here. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import { z } from 'zod';
import { pointFiguresSchema } from '../../scripts/bench/scaling-point.ts';
import { availableBackends } from '../../src/paillier/backend.ts';
import { startScript } from './processes.ts';

const test = suite('bench');

const positive = z.number().positive();
const rowSchema = z.looseObject({
  operation: z.string(),
  implementation: z.enum(['sealsum', 'paillier-bigint']),
  backend: z.string(),
  key_bits: z.literal(2048),
  median_ms: positive,
  bytes_per_value: z.number().nonnegative(),
});
const aggregationSchema = z.looseObject({
  implementation: z.enum(['sealsum', 'paillier-bigint', 'ckks']),
  backend: z.string(),
  key_bits: z.literal(2048).nullable(),
  owners: z.int(),
  values: z.int(),
  seal_ms: positive,
  fold_ms: positive,
  open_ms: positive,
  cpu_ms: positive,
  contribution_bytes: z.int(),
  bytes_per_value: positive,
  uncompressed_bytes_per_value: positive.optional(),
  end_to_end: z.array(z.strictObject({ mbit_per_s: positive, seconds: positive })).length(3),
  greatest_error: z.number().nonnegative(),
  scaled_from: z.int().optional(),
});
const figuresSchema = z.strictObject({
  machine: z.record(z.string(), z.union([z.string(), z.number()])),
  rows: z.array(rowSchema),
  threads: z.array(
    z.looseObject({ operation: z.string(), threads: z.literal(2), faster_by: positive, machine_gives: positive }),
  ),
  ahead: z.array(z.looseObject({ operation: z.literal('seal'), warm_ms: positive, cold_ms: positive })),
  samplers: z.array(z.looseObject({ operation: z.literal('discrete gaussian'), samples_per_second: positive })),
  aggregations: z.array(aggregationSchema),
  link_rates: z.tuple([z.literal(10), z.literal(100), z.literal(1000)]),
});

/** Runs a script to its end. */
async function run(
  script: string,
  args: readonly string[],
): Promise<{ code: number | null; output: string; complaint: string }> {
  await using running = startScript(script, args);
  return await running.ended;
}

test('every operation and aggregation of every backend, as JSON and as a picture', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-bench-test-'));
  try {
    const svg = join(folder, 'plot.svg');
    const { code, output, complaint } = await run('scripts/bench.sh', ['--quick', '--json', '--svg', svg]);
    assert.equal(code, 0, complaint);
    const figures = figuresSchema.parse(JSON.parse(output));
    const names = availableBackends().map(({ name }) => name);
    for (const operation of ['decrypt', 'add', 'fold'])
      for (const backend of names)
        assert.ok(
          figures.rows.some((row) => row.operation === operation && row.backend === backend),
          `${operation} ${backend}`,
        );
    // What others read of the rows.
    for (const operation of ['encrypt', 'decrypt', 'aggregate'])
      for (const implementation of ['sealsum', 'paillier-bigint'])
        assert.ok(figures.rows.some((row) => row.operation === operation && row.implementation === implementation));
    const [aggregate] = figures.rows.filter((row) => row.operation === 'aggregate' && row.implementation === 'sealsum');
    // 1002 slots, ⌊2046 / 40⌋ = 51 in a ciphertext of 512 bytes: 20 of these.
    assert.equal(aggregate?.bytes_per_value, 10.24);
    assert.deepEqual(
      figures.threads.map(({ operation }) => operation),
      ['encrypt', 'decrypt'],
    );
    assert.equal(figures.ahead.length, 1);
    assert.equal(figures.samplers.length, 3);

    const aggregations = figures.aggregations.map((row) => `${row.implementation} ${row.backend}`);
    const measured = names.filter((name) => name !== 'native-mulx' && name !== 'native-portable');
    assert.deepEqual(aggregations, [
      ...measured.map((name) => `sealsum ${name}`),
      'paillier-bigint bigint',
      'ckks 60+60',
      'ckks 60+40+60',
    ]);
    for (const row of figures.aggregations) {
      assert.deepEqual([row.owners, row.values], [3, 1000]);
      if (row.implementation === 'sealsum') assert.equal(row.contribution_bytes, 20 * 512);
      if (row.implementation === 'paillier-bigint') {
        assert.equal(row.contribution_bytes, 1000 * 512);
        assert.equal(row.scaled_from, 2);
      }
      if (row.implementation === 'ckks') {
        // Two polynomials of 8192 coefficients in 8 bytes for each prime that is left, and SEAL's headers.
        const least = 2 * 8192 * 8 * (row.backend.split('+').length - 1);
        const most = 1000 * (row.uncompressed_bytes_per_value ?? 0);
        assert.ok(most >= least * 0.999 && most < least + 1000, `${most} bytes`);
        assert.ok(row.greatest_error > 0 && row.greatest_error < 2 ** -14);
      } else assert.equal(row.greatest_error, 0);
      // The links' own time, from bytes alone: at a hundredth of the rate a hundred times as much.
      const [slow, , fast] = row.end_to_end;
      const bits = 8 * (row.owners + 1) * row.contribution_bytes;
      assert.ok(
        Math.abs((slow?.seconds ?? 0) - (fast?.seconds ?? 0) - bits * (1 / 1e7 - 1 / 1e9)) <
          1e-3 * (slow?.seconds ?? 0),
      );
    }

    const picture = await readFile(svg, 'utf8');
    assert.equal(wellFormed(picture), undefined);
    for (const name of aggregations.map((each) =>
      each.replace('ckks', 'CKKS').replace('paillier-bigint bigint', 'paillier-bigint'),
    ))
      assert.equal(picture.split(`<g><title>${name}</title>`).length, 3, `${name} in both panels`);
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** What is wrong with the tags of an XML document, or undefined. */
function wellFormed(text: string): string | undefined {
  const open: string[] = [];
  const rest = text.replaceAll(
    /<(\/?)([a-z]+)((?: [a-zA-Z-]+="[^"<&]*")*)(\/?)>/g,
    (_, end: string, name: string, __, empty: string) => {
      if (end === '' && empty === '') open.push(name);
      else if (end !== '' && open.pop() !== name) open.push(`misplaced </${name}>`);
      return '';
    },
  );
  if (/[<>]/.test(rest) || /&(?!amp;|lt;|gt;)/.test(rest)) return `stray characters: ${rest}`;
  return open.length === 0 ? undefined : `open: ${open.join(', ')}`;
}

test('the check of XML tells what is none', () => {
  assert.equal(wellFormed('<a b="c"><d/>x &lt; y</a>\n'), undefined);
  for (const wrong of ['<a><b></a></b>', '<a>', '</a>', '<a>x < y</a>', '<a>x & y</a>', '<a b=c/>', '<a b="<"/>'])
    assert.notEqual(wellFormed(wrong), undefined, wrong);
});

test('how time and memory grow: a fresh process for each party and size, and fitted exponents', async () => {
  const { code, output, complaint } = await run('scripts/bench-scaling.sh', ['--quick', '--json']);
  assert.equal(code, 0, complaint);
  const { points, growths } = z
    .looseObject({
      points: z.array(pointFiguresSchema),
      growths: z.array(
        z.strictObject({
          party: z.string(),
          with: z.enum(['values', 'owners', 'key_bits']),
          of: z.enum(['time', 'memory']),
          points: z.int(),
          exponent: z.number().nullable(),
          error: z.number().nonnegative().nullable(),
        }),
      ),
    })
    .parse(JSON.parse(output));
  // Three parties; three numbers of values, two of owners, two keys, and one point that is in all of these.
  assert.equal(points.length, 3 * 5);
  for (const { prepared_bytes, peak_bytes } of points) assert.ok(peak_bytes >= prepared_bytes && prepared_bytes > 20e6);
  assert.equal(growths.length, 3 * 3 * 2);
  for (const { of, with: grown, points: fitted, exponent, error } of growths.filter((each) => each.of === 'time')) {
    assert.equal(fitted, grown === 'values' ? 3 : 2);
    assert.ok(exponent !== null && Number.isFinite(exponent), of);
    assert.equal(error === null, grown !== 'values');
  }
});

test('refuses options that it does not know, and values that make no sense, before anything is measured', async () => {
  const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['scripts/bench.sh', ['--fast'], /^bench: unknown option '--fast'/],
    ['scripts/bench.sh', ['--bits', '1024'], /^bench: .*whole numbers from 2048/],
    ['scripts/bench.sh', ['--values', '1e3'], /^bench: .*whole numbers from 1/],
    ['scripts/bench.sh', ['--owners', '3,,5'], /^bench: .*whole numbers from 1/],
    ['scripts/bench.sh', ['--backends', 'native,gpu'], /^bench: .*native-mulx/],
    ['scripts/bench.sh', ['--svg', '/no/such/folder/plot.svg'], /^bench: .*no\/such\/folder/],
    ['scripts/bench-scaling.sh', ['--fast'], /^bench:scaling: unknown option '--fast'/],
  ];
  for (const [script, args, expected] of wrong) {
    const { code, output, complaint } = await run(script, args);
    assert.equal(code, 1, args.join(' '));
    assert.equal(output, '');
    assert.match(complaint, expected);
  }
  const { code, output } = await run('scripts/bench.sh', ['--help']);
  assert.equal(code, 0);
  assert.match(output, /--quick.*npm run bench -- --json --svg/s);
});

test.run();
