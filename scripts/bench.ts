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
import { parseArgs } from 'node:util';
import { availableBackends } from '../src/paillier/backend.ts';
import { createDecryptor } from '../src/paillier/decryptor.ts';
import { createEncryptor } from '../src/paillier/encryptor.ts';
import { generateKeyPair } from '../src/paillier/key-generation.ts';
import { aggregateCases, backendCases, commonCases, type Measured, OWNERS } from './bench/cases.ts';
import { type Case, measure, median, type Row } from './bench/measure.ts';
import { machine, print } from './bench/report.ts';
import { measureSampler } from './bench/sampler.ts';

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
