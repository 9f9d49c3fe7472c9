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
 * - Rows are of every backend that works here. Without a kernel, encryption with a table is BigInt's affair, whatever the backend.
 * - In batches of 64, times are those of one of its ciphertexts; `fold` is what a facilitator does with a contribution: check and
 *   multiply, from bytes to bytes.
 * - paillier-bigint's aggregation is encrypt, multiply and decrypt, measured on a few values and scaled (`scaled_from`).
 *
 * Every result is checked. Usage: node --import tsx scripts/bench.ts [--json] [--bits 2048,3072]
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem, type } from 'node:os';
import { parseArgs } from 'node:util';
import { createPlan, type Plan } from '../src/encoding/plan.ts';
import { aggregate, startProduct } from '../src/paillier/aggregate.ts';
import { availableBackends, type BackendName, type ModularBackend, selectBackend } from '../src/paillier/backend.ts';
import { addCiphertexts, checkCiphertexts } from '../src/paillier/ciphertexts.ts';
import { createDecryptor, type Decryptor } from '../src/paillier/decryptor.ts';
import { createEncryptor, type Encryptor } from '../src/paillier/encryptor.ts';
import { generateKeyPair, type KeyPair } from '../src/paillier/key-generation.ts';
import { ciphertextBytes } from '../src/paillier/public-key.ts';
import { systemRandom } from '../src/paillier/random.ts';
import { openVector, sealVector } from '../src/pipeline.ts';
import { sampleDiscreteGaussians } from '../src/privacy/discrete-gaussian.ts';
import { rational } from '../src/privacy/rational.ts';

const OWNERS = 3;
const VALUES = 1000;
const SLOT_BITS = 40;
/** Three owners' values below this fill slots of 40 bits but for the plan's headroom. */
const VALUE_BOUND = 2n ** 36n;
/** How many of the 1000 values paillier-bigint aggregates. */
const SAMPLE = 8;

/** Ciphertexts in a batch. */
const BATCH = 64;

type Operation = 'prepare' | 'encrypt' | 'decrypt' | 'add' | 'fold' | 'aggregate';

interface Row {
  readonly operation: Operation;
  readonly implementation: 'sealsum' | 'paillier-bigint';
  readonly backend: BackendName;
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

/** What one backend is measured with: an encryptor with its table, and one that has none and will not build one. */
interface Measured {
  readonly backend: ModularBackend;
  readonly prepared: Encryptor;
  readonly plain: Encryptor;
  readonly decryptor: Decryptor;
}

/** Cases on one ciphertext at a time, or on batches, by one backend. */
function backendCases({ publicKey, privateKey }: KeyPair, { backend, prepared, plain, decryptor }: Measured): Case[] {
  const ours = { ...singleRow(publicKey), implementation: 'sealsum', backend: backend.name } as const;
  const m = VALUE_BOUND - 12_345n;
  const [a, b] = [prepared.encrypt(m), plain.encrypt(1n)];
  expect(decryptor.decrypt(a) === m && privateKey.decrypt(a) === m, 'encrypt');
  expect(decryptor.decrypt(addCiphertexts(publicKey, a, b)) === m + 1n, 'add');
  const plaintexts = new Array<bigint>(BATCH).fill(m);
  const block = prepared.encryptBatch(plaintexts);
  const product = startProduct(publicKey, block, backend);
  const checkBatch = (): void => {
    expect(
      decryptor.decryptBatch(block, BATCH).every((found) => found === m),
      'decrypt in batches',
    );
  };
  const remark = `in batches of ${BATCH}`;
  const fast = backend.kernel !== undefined;
  return [
    // Without a kernel a table is BigInt's affair.
    ...(backend.name === 'bigint'
      ? []
      : [{ row: { operation: 'encrypt', ...ours } as const, repeats: 4, run: repeat(4, () => prepared.encrypt(m)) }]),
    ...(backend.name === 'openssl'
      ? [
          {
            row: { operation: 'encrypt', ...ours, remark: 'before the table is built' } as const,
            repeats: 2,
            run: repeat(2, () => plain.encrypt(m)),
          },
        ]
      : []),
    ...(fast
      ? [
          {
            row: { operation: 'encrypt', ...ours, remark } as const,
            repeats: BATCH,
            run: () => prepared.encryptBatch(plaintexts),
          },
        ]
      : []),
    {
      row: { operation: 'decrypt', ...ours },
      repeats: fast ? 4 : 1,
      run: repeat(fast ? 4 : 1, () => {
        expect(decryptor.decrypt(a) === m, 'decrypt');
      }),
    },
    ...(fast ? [{ row: { operation: 'decrypt', ...ours, remark } as const, repeats: BATCH, run: checkBatch }] : []),
    {
      row: { operation: 'add', ...ours, remark },
      repeats: BATCH * (fast ? 8 : 1),
      run: repeat(fast ? 8 : 1, () => {
        product.multiply(block);
      }),
    },
    {
      row: { operation: 'fold', ...ours, remark },
      repeats: BATCH,
      run: () => {
        checkCiphertexts(publicKey, block, BATCH, backend);
        const folded = startProduct(publicKey, block, backend);
        folded.multiply(block);
        folded.bytes();
      },
    },
  ];
}

/** Cases of paillier-bigint, and of what is BigInt's in both. */
function commonCases({ publicKey, privateKey }: KeyPair, { prepared, plain }: Measured): Case[] {
  const row = singleRow(publicKey);
  const theirs = { ...row, implementation: 'paillier-bigint', backend: 'bigint' } as const;
  const m = VALUE_BOUND - 12_345n;
  const [a, b] = [prepared.encrypt(m), plain.encrypt(1n)];
  return [
    { row: { operation: 'encrypt', ...theirs }, repeats: 1, run: () => publicKey.encrypt(m) },
    {
      row: { operation: 'decrypt', ...theirs },
      repeats: 1,
      run: () => {
        expect(privateKey.decrypt(a) === m, 'decrypt of paillier-bigint');
      },
    },
    {
      row: { operation: 'add', ...row, implementation: 'sealsum', backend: 'bigint' },
      repeats: 200,
      run: repeat(200, () => addCiphertexts(publicKey, a, b)),
    },
    { row: { operation: 'add', ...theirs }, repeats: 200, run: repeat(200, () => publicKey.addition(a, b)) },
  ];
}

function singleRow(publicKey: KeyPair['publicKey']) {
  return {
    key_bits: publicKey.n.toString(2).length,
    values: 1,
    owners: 1,
    bytes_per_value: ciphertextBytes(publicKey),
  };
}

/** The aggregation of the owners' vectors from integers to integers, with one encryptor for each owner and one more. */
function aggregateCases(
  keys: KeyPair,
  backend: ModularBackend,
  owners: readonly Encryptor[],
  facilitator: Encryptor,
): Case[] {
  const decryptor = createDecryptor(keys.privateKey, { backend });
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
        backend: backend.name,
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
  const cases: Case[] = [];
  const aggregations: Case[] = [];
  const prepares: Row[] = [];
  for (const backend of availableBackends()) {
    say(`${bits} bits: tables, ${backend.name}`);
    const encryptors = Array.from({ length: OWNERS + 1 }, () => createEncryptor(keys.publicKey, { backend }));
    const builds: number[] = [];
    for (const encryptor of encryptors) {
      const started = performance.now();
      await encryptor.prepare();
      builds.push(performance.now() - started);
    }
    const [facilitator, ...owners] = encryptors;
    if (facilitator === undefined) throw new Error('at least one encryptor');
    const measured: Measured = {
      backend,
      prepared: facilitator,
      plain: createEncryptor(keys.publicKey, { backend }),
      decryptor: createDecryptor(keys.privateKey, { backend }),
    };
    if (cases.length === 0) cases.push(...commonCases(keys, measured));
    cases.push(...backendCases(keys, measured));
    // Its tables are those of the one before.
    if (backend.name === 'bigint') continue;
    prepares.push({
      operation: 'prepare',
      implementation: 'sealsum',
      backend: backend.name,
      key_bits: bits,
      values: 0,
      owners: 1,
      median_ms: Number(median(builds).toPrecision(4)),
      bytes_per_value: 0,
      table_bytes: facilitator.tableBytes,
    });
    const [ours, theirs] = aggregateCases(keys, backend, owners, facilitator);
    if (ours !== undefined) aggregations.push(ours);
    if (theirs !== undefined && aggregations.length === 1) aggregations.push(theirs);
  }
  say(`${bits} bits: single operations and batches`);
  const single = measure(cases, 15);
  say(`${bits} bits: aggregations`);
  return [...prepares, ...single, ...measure(aggregations, 5)];
}

interface SamplerRow {
  readonly operation: 'discrete gaussian';
  /** log₂ σ. */
  readonly sigma_bits: number;
  readonly samples_per_second: number;
}

/** Draws of the exact discrete Gaussian a second, on one core: the median of five batches, after one to warm up. */
function measureSampler(sigmaBits: number): SamplerRow {
  const draws = 20_000;
  const variance = rational(2n ** BigInt(2 * sigmaBits));
  const times = Array.from({ length: 6 }, () => {
    const began = performance.now();
    const { length } = sampleDiscreteGaussians(draws, variance, systemRandom);
    if (length !== draws) throw new Error(`discrete gaussian: ${length} draws instead of ${draws}`);
    return performance.now() - began;
  })
    .slice(1)
    .sort((a, b) => a - b);
  return {
    operation: 'discrete gaussian',
    sigma_bits: sigmaBits,
    samples_per_second: Math.round((1000 * draws) / (times[2] ?? Number.NaN)),
  };
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

function print(rows: readonly Row[], samplers: readonly SamplerRow[]): void {
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
const samplers = [0, 20, 40].map(measureSampler);
if (options.json) console.log(JSON.stringify({ machine: machine(), rows, samplers }, null, 2));
else print(rows, samplers);
