/** Everything that is measured with Paillier keys of one size. */
import type { ModularBackend } from '../../src/paillier/backend.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { createEncryptor, type Encryptor } from '../../src/paillier/encryptor.ts';
import { generateKeyPair } from '../../src/paillier/key-generation.ts';
import { type AggregationRow, measureAggregations } from './aggregations.ts';
import { type AheadRow, measureAhead } from './ahead.ts';
import { aggregateCases, backendCases, commonCases, type Measured } from './cases.ts';
import { peerContender, sealsumContender } from './contenders.ts';
import type { Dose } from './dose.ts';
import { type Case, measure, median, type Row } from './measure.ts';
import { measureProofs } from './proofs.ts';
import { measureThreads, type ThreadsRow } from './threads.ts';

/** Threads that are compared with one. */
const threads = 2;

export interface KeySizeFigures {
  readonly rows: readonly Row[];
  readonly threads: readonly ThreadsRow[];
  readonly ahead: readonly AheadRow[];
  readonly aggregations: readonly AggregationRow[];
}

export interface Backends {
  readonly operations: readonly ModularBackend[];
  /** Those of them that whole aggregations are measured with. */
  readonly aggregations: readonly ModularBackend[];
}

export async function measureKeySize(
  bits: number,
  backends: Backends,
  dose: Dose,
  say: (what: string) => void,
): Promise<KeySizeFigures> {
  say('a key');
  const keys = await generateKeyPair({ bits });
  const cases: Case[] = [];
  const aggregateOnes: Case[] = [];
  const prepares: Row[] = [];
  const proofs: Row[] = [];
  const all: Measured[] = [];
  for (const backend of backends.operations) {
    say(`tables, ${backend.name}`);
    const prepared = createEncryptor(keys.publicKey, { backend });
    const encryptors: [Encryptor, ...Encryptor[]] = [prepared];
    while (encryptors.length < dose.tables) encryptors.push(createEncryptor(keys.publicKey, { backend }));
    const builds: number[] = [];
    for (const encryptor of encryptors) {
      const started = performance.now();
      await encryptor.prepare();
      builds.push(performance.now() - started);
    }
    const measured: Measured = {
      backend,
      prepared,
      plain: createEncryptor(keys.publicKey, { backend }),
      decryptor: createDecryptor(keys.privateKey, { backend }),
    };
    all.push(measured);
    if (cases.length === 0) cases.push(...commonCases(keys, measured));
    cases.push(...backendCases(keys, measured));
    const [ours, theirs] = aggregateCases(keys, backend, encryptors, dose.peerValues);
    if (theirs !== undefined && aggregateOnes.length === 0) aggregateOnes.push(theirs);
    // Its tables are those of OpenSSL, and its proofs take seconds.
    if (backend.name === 'bigint' && backends.operations.length > 1) continue;
    say(`proofs of the modulus, ${backend.name}`);
    proofs.push(...(await measureProofs(keys, backend, dose.tables)));
    prepares.push({
      operation: 'prepare',
      implementation: 'sealsum',
      backend: backend.name,
      key_bits: bits,
      values: 0,
      owners: 1,
      median_ms: Number(median(builds).toPrecision(4)),
      bytes_per_value: 0,
      table_bytes: prepared.tableBytes,
    });
    if (ours !== undefined) aggregateOnes.push(ours);
  }
  say('single operations and batches');
  const single = measure(cases, dose.rounds.operations);
  say('aggregations of 3 × 1000 values, in turn');
  const rows = [...proofs, ...prepares, ...single, ...measure(aggregateOnes, dose.rounds.aggregations)];
  const threaded: ThreadsRow[] = [];
  const ahead: AheadRow[] = [];
  const aggregations: AggregationRow[] = [];
  for (const { backend, prepared, decryptor } of all) {
    if (!backends.aggregations.includes(backend)) continue;
    if (ahead.length < dose.threaded) {
      say(`${backend.name}: on two threads, and ahead`);
      const work = { threads, work: dose.threadsWork, rounds: dose.rounds.threads };
      threaded.push(...(await measureThreads(prepared, decryptor, work)));
      ahead.push(await measureAhead(prepared, decryptor, dose.rounds.threads));
    }
    const contender = sealsumContender(keys, prepared);
    aggregations.push(
      ...measureAggregations(contender, dose, (what) => {
        say(`${backend.name}: ${what}`);
      }),
    );
  }
  const peer = peerContender(keys, dose.peerValues);
  aggregations.push(
    ...measureAggregations(peer, dose, (what) => {
      say(`${peer.implementation}: ${what}`);
    }),
  );
  return { rows, threads: threaded, ahead, aggregations };
}
