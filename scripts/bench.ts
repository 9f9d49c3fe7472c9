/**
 * Measures sealsum beside paillier-bigint: the same keys, the same process, the two in turn, medians.
 *
 * What is compared is one operation on one ciphertext (encrypt, decrypt, add), and the aggregation of a vector: 3 owners
 * × 1000 values, one value in a ciphertext with paillier-bigint, packed in slots of 40 bits with sealsum.
 *
 * - The plaintexts are small and not negative, which is paillier-bigint's fastest case: it computes (n + 1)^m by a modular
 *   power, and a negative number is an m of full length.
 * - sealsum's aggregation is everything from integers to integers: pack, encrypt, bytes, validate, multiply, re-randomise,
 *   bytes, validate, decrypt, unpack. Its encryptors' tables are built before, as in a party that is running; building one
 *   is the row `prepare`.
 * - paillier-bigint's aggregation is encrypt, multiply and decrypt, measured on a few values and scaled (`scaled_from`).
 *
 * Every result is checked. Usage: node --import tsx scripts/bench.ts [--json] [--bits 2048,3072]
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem, type } from 'node:os';
import { parseArgs } from 'node:util';
import { createPlan, type Plan } from '../src/encoding/plan.ts';
import { aggregate } from '../src/paillier/aggregate.ts';
import { bigintBackend, selectBackend } from '../src/paillier/backend.ts';
import { addCiphertexts } from '../src/paillier/ciphertexts.ts';
import { createDecryptor, type Decryptor } from '../src/paillier/decryptor.ts';
import { createEncryptor, type Encryptor } from '../src/paillier/encryptor.ts';
import { generateKeyPair, type KeyPair } from '../src/paillier/key-generation.ts';
import { ciphertextBytes } from '../src/paillier/public-key.ts';
import { openVector, sealVector } from '../src/pipeline.ts';

const OWNERS = 3;
const VALUES = 1000;
const SLOT_BITS = 40;
/** Three owners' values below this fill slots of 40 bits but for the plan's headroom. */
const VALUE_BOUND = 2n ** 36n;
/** How many of the 1000 values paillier-bigint aggregates. */
const SAMPLE = 8;

type Operation = 'prepare' | 'encrypt' | 'decrypt' | 'add' | 'aggregate';

interface Row {
  readonly operation: Operation;
  readonly implementation: 'sealsum' | 'paillier-bigint';
  /** What computes modular powers. */
  readonly backend: 'openssl' | 'bigint';
  readonly key_bits: number;
  /** Values that are encrypted by each owner. */
  readonly values: number;
  readonly owners: number;
  readonly median_ms: number;
  /** Bytes of ciphertext that one owner sends for one value. */
  readonly bytes_per_value: number;
  /** The number of values that were measured, where the rest is scaled. */
  readonly scaled_from?: number;
  readonly table_bytes?: number;
  readonly remark?: string;
}

/** One thing to measure: what it does once, and the row that its time goes to. */
interface Case {
  readonly row: Omit<Row, 'median_ms'>;
  /** How many times `run` does it; its time is divided by that. */
  readonly repeats: number;
  /** Its time is multiplied by this. */
  readonly scale?: number;
  readonly run: () => void;
}

/** Throws unless a result is right. */
function expect(right: boolean, what: string): void {
  if (!right) throw new Error(`${what} gave a wrong result; there is nothing to measure`);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Runs all cases in turn, `rounds` times after a warm-up, so that whatever else the machine does falls on all alike. */
function measure(cases: readonly Case[], rounds: number): Row[] {
  const times = cases.map((): number[] => []);
  for (let round = 0; round <= rounds; round += 1) {
    for (const [index, each] of cases.entries()) {
      const started = performance.now();
      each.run();
      const elapsed = performance.now() - started;
      if (round > 0) times[index]?.push((elapsed * (each.scale ?? 1)) / each.repeats);
    }
  }
  return cases.map(({ row }, index) => ({ ...row, median_ms: Number(median(times[index] ?? []).toPrecision(4)) }));
}

function repeat(times: number, run: () => void): () => void {
  return () => {
    for (let time = 0; time < times; time += 1) run();
  };
}

/** Cases on one ciphertext. `plain` has no table and will not build one in as few encryptions as are made here. */
function singleCases(keys: KeyPair, prepared: Encryptor, plain: Encryptor): Case[] {
  const { publicKey, privateKey } = keys;
  const openssl = selectBackend().name;
  const key = {
    key_bits: publicKey.n.toString(2).length,
    values: 1,
    owners: 1,
    bytes_per_value: ciphertextBytes(publicKey),
  };
  const ours = { ...key, implementation: 'sealsum', backend: openssl } as const;
  const theirs = { ...key, implementation: 'paillier-bigint', backend: 'bigint' } as const;
  const decryptor = createDecryptor(privateKey);
  const fallback = createDecryptor(privateKey, { backend: bigintBackend });
  const m = VALUE_BOUND - 12_345n;
  const [a, b] = [prepared.encrypt(m), plain.encrypt(1n)];
  expect(decryptor.decrypt(a) === m && privateKey.decrypt(a) === m, 'encrypt');
  expect(decryptor.decrypt(addCiphertexts(publicKey, a, b)) === m + 1n, 'add');
  return [
    { row: { operation: 'encrypt', ...ours }, repeats: 4, run: repeat(4, () => prepared.encrypt(m)) },
    { row: { operation: 'encrypt', ...theirs }, repeats: 1, run: () => publicKey.encrypt(m) },
    {
      row: { operation: 'encrypt', ...ours, remark: 'before the table is built' },
      repeats: 2,
      run: repeat(2, () => plain.encrypt(m)),
    },
    {
      row: { operation: 'decrypt', ...ours },
      repeats: 4,
      run: repeat(4, () => {
        expect(decryptor.decrypt(a) === m, 'decrypt');
      }),
    },
    {
      row: { operation: 'decrypt', ...theirs },
      repeats: 1,
      run: () => {
        expect(privateKey.decrypt(a) === m, 'decrypt of paillier-bigint');
      },
    },
    {
      row: { operation: 'decrypt', ...ours, backend: 'bigint', remark: 'without OpenSSL' },
      repeats: 1,
      run: () => {
        expect(fallback.decrypt(a) === m, 'decrypt without OpenSSL');
      },
    },
    { row: { operation: 'add', ...ours }, repeats: 200, run: repeat(200, () => addCiphertexts(publicKey, a, b)) },
    { row: { operation: 'add', ...theirs }, repeats: 200, run: repeat(200, () => publicKey.addition(a, b)) },
  ];
}

/** The aggregation of the owners' vectors from integers to integers, with one encryptor for each owner and one more. */
function aggregateCases(
  keys: KeyPair,
  owners: readonly Encryptor[],
  facilitator: Encryptor,
  decryptor: Decryptor,
): Case[] {
  const { publicKey, privateKey } = keys;
  const plan = createPlan({
    keyBits: publicKey.n.toString(2).length,
    length: VALUES,
    owners: OWNERS,
    maxWeight: 1n,
    valueBound: VALUE_BOUND,
    scale: 1,
    slotBits: SLOT_BITS,
  });
  const vectors = owners.map((_, owner) =>
    Array.from(
      { length: VALUES },
      (__, index) => (BigInt(index * OWNERS + owner + 1) * 0x9e37_79b9_7f4a_7c15n) % VALUE_BOUND,
    ),
  );
  const sums = Array.from({ length: VALUES }, (_, index) =>
    vectors.reduce((sum, vector) => sum + (vector[index] ?? 0n), 0n),
  );
  const common = { operation: 'aggregate', key_bits: plan.keyBits, values: VALUES, owners: OWNERS } as const;
  return [
    {
      row: {
        ...common,
        implementation: 'sealsum',
        backend: selectBackend().name,
        bytes_per_value: packedBytes(plan, keys),
      },
      repeats: 1,
      run: () => {
        const contributions = vectors.map((values, owner) => {
          const encryptor = owners[owner];
          if (encryptor === undefined) throw new Error('one encryptor for each owner');
          return sealVector(plan, encryptor, { weight: 1n, values });
        });
        const { values } = openVector(plan, decryptor, aggregate(facilitator, plan.ciphertexts, contributions), OWNERS);
        expect(
          values.every((value, index) => value === sums[index]),
          'aggregate',
        );
      },
    },
    {
      row: {
        ...common,
        implementation: 'paillier-bigint',
        backend: 'bigint',
        bytes_per_value: ciphertextBytes(publicKey),
        scaled_from: SAMPLE,
      },
      repeats: 1,
      scale: VALUES / SAMPLE,
      run: () => {
        for (let index = 0; index < SAMPLE; index += 1) {
          const ciphertexts = vectors.map((vector) => publicKey.encrypt(vector[index] ?? 0n));
          expect(
            privateKey.decrypt(publicKey.addition(...ciphertexts)) === sums[index],
            'aggregate of paillier-bigint',
          );
        }
      },
    },
  ];
}

function packedBytes(plan: Plan, { publicKey }: KeyPair): number {
  return Number(((plan.ciphertexts * ciphertextBytes(publicKey)) / plan.length).toPrecision(4));
}

async function measureKeySize(bits: number, say: (what: string) => void): Promise<Row[]> {
  say(`${bits} bits: a key`);
  const keys = await generateKeyPair({ bits });
  const encryptors = Array.from({ length: OWNERS + 1 }, () => createEncryptor(keys.publicKey));
  const builds: number[] = [];
  for (const [index, encryptor] of encryptors.entries()) {
    say(`${bits} bits: table ${index + 1} of ${encryptors.length}`);
    const started = performance.now();
    await encryptor.prepare();
    builds.push(performance.now() - started);
  }
  const [facilitator, ...owners] = encryptors;
  if (facilitator === undefined) throw new Error('at least one encryptor');
  const prepare: Row = {
    operation: 'prepare',
    implementation: 'sealsum',
    backend: selectBackend().name,
    key_bits: bits,
    values: 0,
    owners: 1,
    median_ms: Number(median(builds).toPrecision(4)),
    bytes_per_value: 0,
    table_bytes: facilitator.tableBytes,
  };
  say(`${bits} bits: single operations`);
  const single = measure(singleCases(keys, facilitator, createEncryptor(keys.publicKey)), 15);
  say(`${bits} bits: aggregations`);
  const whole = measure(aggregateCases(keys, owners, facilitator, createDecryptor(keys.privateKey)), 5);
  return [prepare, ...single, ...whole];
}

function machine(): Record<string, string | number> {
  const { dependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
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

function print(rows: readonly Row[]): void {
  const described = machine();
  console.log(
    `${described.cpu}, ${described.cores} cores, ${described.memory_gib} GiB, ${described.os}, ` +
      `Node ${described.node}, OpenSSL ${described.openssl}; medians, paillier-bigint ${described['paillier-bigint']}\n`,
  );
  const line = (cells: readonly string[]): void => {
    console.log(
      cells.map((cell, column) => (column === 0 ? cell.padEnd(46) : cell.padStart(column === 2 ? 19 : 12))).join(''),
    );
  };
  line(['operation', 'sealsum', 'paillier-bigint', 'faster by', 'B/value']);
  for (const row of rows.filter(({ implementation }) => implementation === 'sealsum')) {
    const peer = rows.find(
      (other) =>
        other.implementation === 'paillier-bigint' &&
        other.operation === row.operation &&
        other.key_bits === row.key_bits,
    );
    const what = row.operation === 'aggregate' ? `${row.owners} × ${row.values} values` : (row.remark ?? '');
    line([
      `${row.operation} ${row.key_bits} bits${what === '' ? '' : `, ${what}`}`,
      milliseconds(row),
      peer === undefined ? '–' : `${milliseconds(peer)}${peer.scaled_from === undefined ? '' : ' *'}`,
      peer === undefined ? '–' : `${(peer.median_ms / row.median_ms).toFixed(1)}×`,
      row.bytes_per_value === 0 ? '–' : row.bytes_per_value.toString(),
    ]);
  }
  const tables = rows.filter(({ operation }) => operation === 'prepare');
  console.log(
    [
      '',
      `* measured on ${SAMPLE} values and scaled; paillier-bigint sends ${peerBytes(rows)} bytes a value`,
      `aggregate: slots of ${SLOT_BITS} bits, everything from integers to integers, with tables prepared before`,
      `prepare: one table, ${tables.map((row) => `${megabytes(row.table_bytes ?? 0)} at ${row.key_bits} bits`).join(', ')}`,
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
  return time >= 1000 ? `${Number((time / 1000).toPrecision(3))} s` : `${Number(time.toPrecision(3))} ms`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

const { values: options } = parseArgs({
  options: { json: { type: 'boolean', default: false }, bits: { type: 'string', default: '2048,3072' } },
});
const started = performance.now();
const rows: Row[] = [];
for (const bits of options.bits.split(',').map(Number)) {
  rows.push(
    ...(await measureKeySize(bits, (what) => {
      console.error(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${what}`);
    })),
  );
}
if (options.json) console.log(JSON.stringify({ machine: machine(), rows }, null, 2));
else print(rows);
