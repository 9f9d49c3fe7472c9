/** What a measurement says, for people. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem, type } from 'node:os';
import { selectBackend } from '../../src/paillier/backend.ts';
import { SAMPLE, SLOT_BITS } from './cases.ts';
import type { Operation, Row } from './measure.ts';
import type { SamplerRow } from './sampler.ts';

export function machine(): Record<string, string | number> {
  const { dependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  return {
    cpu: (cpus()[0]?.model ?? 'unknown').trim(),
    cores: availableParallelism(),
    memory_gib: Number((totalmem() / 2 ** 30).toFixed(1)),
    os: `${type()} ${process.arch}`,
    node: process.versions.node,
    openssl: process.versions.openssl,
    backend: selectBackend().name,
    'paillier-bigint': dependencies['paillier-bigint'] ?? 'unknown',
  };
}

export function print(rows: readonly Row[], samplers: readonly SamplerRow[]): void {
  const described = machine();
  console.log(
    `${described.cpu}, ${described.cores} cores, ${described.memory_gib} GiB, ${described.os}, ` +
      `Node ${described.node}, OpenSSL ${described.openssl}; medians, paillier-bigint ${described['paillier-bigint']}\n`,
  );
  const line = (cells: readonly string[]): void => {
    console.log(
      cells
        .map((cell, column) =>
          column < 2 ? cell.padEnd(column === 0 ? 48 : 17) : cell.padStart(column === 3 ? 17 : 11),
        )
        .join(''),
    );
  };
  line(['operation', 'backend', 'sealsum', 'paillier-bigint', 'faster by', 'B/value']);
  const order: readonly Operation[] = ['prepare', 'encrypt', 'decrypt', 'add', 'fold', 'aggregate'];
  const sorted = rows
    .filter(({ implementation }) => implementation === 'sealsum')
    .toSorted((a, b) => a.key_bits - b.key_bits || order.indexOf(a.operation) - order.indexOf(b.operation));
  for (const row of sorted) {
    const peer = rows.find(
      (other) =>
        other.implementation === 'paillier-bigint' &&
        other.operation === row.operation &&
        other.key_bits === row.key_bits,
    );
    const what = row.operation === 'aggregate' ? `${row.owners} × ${row.values} values` : (row.remark ?? '');
    line([
      `${row.operation} ${row.key_bits} bits${what === '' ? '' : `, ${what}`}`,
      row.backend,
      milliseconds(row),
      peer === undefined ? '–' : `${milliseconds(peer)}${peer.scaled_from === undefined ? '' : ' *'}`,
      peer === undefined ? '–' : `${(peer.median_ms / row.median_ms).toFixed(1)}×`,
      row.operation === 'fold' ? throughput(row) : row.bytes_per_value === 0 ? '–' : row.bytes_per_value.toString(),
    ]);
  }
  const tables = rows.filter(({ operation }) => operation === 'prepare');
  console.log(
    [
      '',
      ...samplers.map(
        ({ operation, sigma_bits: bits, samples_per_second: speed }) =>
          `${operation}, σ = ${bits === 0 ? '1' : `2^${bits}`}: ${Number(speed.toPrecision(3))} samples/s`,
      ),
      '',
      `* measured on ${SAMPLE} values and scaled; paillier-bigint sends ${peerBytes(rows)} bytes a value`,
      `aggregate: slots of ${SLOT_BITS} bits, everything from integers to integers, with tables prepared before`,
      `prepare: one table, ${tables.map((row) => `${megabytes(row.table_bytes ?? 0)} at ${row.key_bits} bits (${row.backend})`).join(', ')}`,
      `fold: a ciphertext is checked and multiplied into another, from bytes to bytes; on one core`,
    ].join('\n'),
  );
}

function peerBytes(rows: readonly Row[]): string {
  return rows
    .filter((row) => row.scaled_from !== undefined)
    .map((row) => `${row.bytes_per_value} at ${row.key_bits} bits`)
    .join(', ');
}

function milliseconds({ median_ms: time }: Row): string {
  if (time < 0.1) return `${Number((1000 * time).toPrecision(3))} µs`;
  return time >= 1000 ? `${Number((time / 1000).toPrecision(3))} s` : `${Number(time.toPrecision(3))} ms`;
}

function megabytes(bytes: number): string {
  return `${Number((bytes / 1e6).toPrecision(2))} MB`;
}

function throughput({ bytes_per_value: bytes, median_ms: time }: Row): string {
  return `${(bytes / 1000 / time).toFixed(0)} MB/s`;
}
