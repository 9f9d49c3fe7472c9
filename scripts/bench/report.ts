/** What a measurement says, for people. */
import type { AggregationRow } from './aggregations.ts';
import type { AheadRow } from './ahead.ts';
import { SLOT_BITS } from './cases.ts';
import { comparedRows, comparisons, inWords } from './compare.ts';
import { linkModel } from './link.ts';
import type { machineAndVersions } from './machine.ts';
import type { Operation, Row } from './measure.ts';
import { nameOf } from './plot.ts';
import type { SamplerRow } from './sampler.ts';
import { duration, megabytes, size, table } from './table.ts';
import type { ThreadsRow } from './threads.ts';

export interface Figures {
  readonly machine: ReturnType<typeof machineAndVersions>;
  readonly rows: readonly Row[];
  readonly threads: readonly ThreadsRow[];
  readonly ahead: readonly AheadRow[];
  readonly samplers: readonly SamplerRow[];
  readonly aggregations: readonly AggregationRow[];
  /** Mbit/s. */
  readonly link_rates: readonly number[];
}

export function print(figures: Figures): void {
  const { machine: on, rows, aggregations } = figures;
  const sections = [
    `${on.cpu}, ${on.cores} cores, ${on.memory_gib} GiB, ${on.os}, Node ${on.node}, OpenSSL ${on.openssl}, ` +
      `load average ${on.load_average} at the end; medians\npaillier-bigint ${on['paillier-bigint']}, node-seal ${on['node-seal']}`,
    operations(rows),
    beside(figures),
    whole(aggregations),
    perValue(aggregations),
    verdicts(aggregations),
  ];
  console.log(sections.join('\n\n'));
}

function operations(rows: readonly Row[]): string {
  const order: readonly Operation[] = [
    'prove',
    'verify',
    'prepare',
    'pack',
    'encrypt',
    'decrypt',
    'unpack',
    'add',
    'fold',
    'aggregate',
  ];
  const sorted = rows
    .filter(({ implementation }) => implementation === 'sealsum')
    .toSorted((a, b) => a.key_bits - b.key_bits || order.indexOf(a.operation) - order.indexOf(b.operation));
  const lines = sorted.map((row) => {
    const peer = rows.find(
      (other) =>
        other.implementation === 'paillier-bigint' &&
        other.operation === row.operation &&
        other.key_bits === row.key_bits,
    );
    const what = row.operation === 'aggregate' ? `${row.owners} × ${row.values} values` : (row.remark ?? '');
    return [
      `${row.operation} ${row.key_bits} bits${what === '' ? '' : `, ${what}`}`,
      row.backend,
      duration(row.median_ms),
      peer === undefined ? '–' : `${duration(peer.median_ms)}${peer.scaled_from === undefined ? '' : ' *'}`,
      peer === undefined ? '–' : inWords(peer.median_ms / row.median_ms, 'faster', 'slower'),
      row.operation === 'fold' ? throughput(row) : row.bytes_per_value === 0 ? '–' : row.bytes_per_value.toString(),
    ];
  });
  const scaled = rows.find((row) => row.scaled_from !== undefined);
  const tables = rows.filter(({ operation }) => operation === 'prepare');
  return [
    ...table(['operation', 'backend', 'sealsum', 'paillier-bigint', '', 'B/value'], lines, 2),
    '',
    `* measured on ${scaled?.scaled_from ?? 0} values and scaled`,
    `aggregate: slots of ${SLOT_BITS} bits, everything from integers to integers, with tables prepared before`,
    `prepare: one table, ${tables.map((row) => `${megabytes(row.table_bytes ?? 0)} at ${row.key_bits} bits (${row.backend})`).join(', ')}`,
    'prove, verify: that a modulus is well formed, by a model owner and every data owner before each job',
    'fold: a ciphertext is checked and multiplied into another, from bytes to bytes; on one core',
  ].join('\n');
}

/** What is beside the operations: threads, randomness ahead, noise. */
function beside({ threads, ahead, samplers }: Figures): string {
  return [
    ...table(
      ['on two threads', 'backend', 'ciphertexts', 'one thread', 'two threads', '', 'the machine gives *'],
      threads.map((row) => [
        `${row.operation} ${row.key_bits} bits`,
        row.backend,
        row.ciphertexts.toString(),
        duration(row.one_thread_ms),
        duration(row.threads_ms),
        inWords(row.faster_by, 'faster', 'slower'),
        `${row.machine_gives.toFixed(1)}×`,
      ]),
      2,
    ),
    '',
    '* what two threads do that have nothing in common, beside one: less than twice as much where two processors share the units of one core',
    '',
    ...table(
      ['randomness ahead', 'backend', 'computed ahead', 'without', 'with', ''],
      ahead.map((row) => [
        `seal ${row.key_bits} bits, ${row.values} values`,
        row.backend,
        duration(row.ahead_ms),
        duration(row.cold_ms),
        duration(row.warm_ms),
        inWords(row.faster_by, 'faster', 'slower'),
      ]),
      2,
    ),
    '',
    ...samplers.map(
      ({ operation, sigma_bits: bits, samples_per_second: speed }) =>
        `${operation}, σ = ${bits === 0 ? '1' : `2^${bits}`}: ${Number(speed.toPrecision(3))} samples/s`,
    ),
  ].join('\n');
}

function whole(rows: readonly AggregationRow[]): string {
  const [first] = rows;
  const sorted = rows.toSorted((a, b) => a.owners - b.owners || a.values - b.values);
  const lines = sorted.map((row) => [
    `${row.owners} × ${row.values}${row.scaled_from === undefined ? '' : ' *'}`,
    nameOf(row),
    row.key_bits === null ? '–' : row.key_bits.toString(),
    duration(row.seal_ms),
    duration(row.fold_ms),
    duration(row.open_ms),
    duration(row.cpu_ms),
    size(row.contribution_bytes),
    row.bytes_per_value.toString(),
    ...row.end_to_end.map(({ seconds }) => duration(1000 * seconds)),
  ]);
  const rates = first?.end_to_end.map(({ mbit_per_s: rate }) => `${rate} Mbit/s`) ?? [];
  const head = ['owners × values', 'by', 'key', 'seal/owner', 'fold', 'open', 'all CPU', 'owner sends', 'B/value'];
  return [
    ...table([...head, ...rates], lines, 2),
    '',
    '* measured on fewer values and scaled; all CPU: owners, facilitator and model owner together, on one core',
    linkModel,
    'sealsum checks every ciphertext and re-randomises the sum; paillier-bigint and CKKS here do neither',
    'CKKS: SEAL through WebAssembly, degree 8192, scale 2^40, 128-bit security; 60+60 and 60+40+60: bits of its primes, the last of which is not sent',
  ].join('\n');
}

function perValue(rows: readonly AggregationRow[]): string {
  const compared = comparedRows(rows);
  const [first] = compared;
  if (first === undefined) return '';
  const each = (ms: number): string => `${Number(((1000 * ms) / first.values).toPrecision(3))} µs`;
  const lines = compared.map((row) => [
    `${nameOf(row)}${row.key_bits === null ? '' : `, ${row.key_bits} bits`}`,
    each(row.seal_ms),
    each(row.fold_ms / row.owners),
    each(row.open_ms),
    row.bytes_per_value.toString(),
    row.uncompressed_bytes_per_value?.toString() ?? '–',
    row.compressed_bytes_per_value?.toString() ?? '–',
    row.greatest_error === 0 ? 'exact' : row.greatest_error.toExponential(1),
  ]);
  const head = [`one value of ${first.owners} × ${first.values}`, 'seal', "fold, an owner's", 'open', 'bytes'];
  return [
    ...table([...head, 'as they are', 'compressed', 'greatest error'], lines, 1),
    '',
    'greatest error: of a sum of values from 0 to 1; compressed: as SEAL does by default, and the smaller is sent',
  ].join('\n');
}

function verdicts(rows: readonly AggregationRow[]): string {
  return comparisons(rows)
    .map((each) => {
      const links = each.end_to_end.map(
        ({ mbit_per_s: rate, better }) => `${inWords(better, 'faster', 'slower')} at ${rate} Mbit/s`,
      );
      return [
        `sealsum ${each.backend}, ${each.key_bits} bits, beside ${nameOf(each.other)}, ${each.owners} × ${each.values} values:`,
        `  seals ${inWords(each.seal, 'faster', 'slower')}, folds ${inWords(each.fold, 'faster', 'slower')}, ` +
          `opens ${inWords(each.open, 'faster', 'slower')}, sends ${inWords(each.bytes, 'less', 'more')}`,
        `  end to end ${links.join(', ')}`,
      ].join('\n');
    })
    .join('\n');
}

function throughput({ bytes_per_value: bytes, median_ms: time }: Row): string {
  return `${(bytes / 1000 / time).toFixed(0)} MB/s`;
}
