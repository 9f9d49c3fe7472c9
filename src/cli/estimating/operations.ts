/** What single operations of a job take here: with its own key size, plan and task, and the backend that parties would choose. */
import { setImmediate } from 'node:timers/promises';
import { createPlan, LEADING_SLOTS } from '../../encoding/plan.ts';
import { contribute } from '../../learning/contribute.ts';
import { compileFeatures, encodeTable, type Records } from '../../learning/features.ts';
import { isStatistics } from '../../learning/statistics/model.ts';
import { compileColumns, encodeColumns } from '../../learning/statistics/records.ts';
import { readTable } from '../../learning/table.ts';
import { isEncrypted } from '../../learning/task.ts';
import { startProduct } from '../../paillier/aggregate.ts';
import { selectBackend } from '../../paillier/backend.ts';
import { checkCiphertexts } from '../../paillier/ciphertexts.ts';
import { decryptMany } from '../../paillier/decrypt-many.ts';
import { createDecryptor } from '../../paillier/decryptor.ts';
import { createEncryptor } from '../../paillier/encryptor.ts';
import { generateKeyPair, type KeyPair } from '../../paillier/key-generation.ts';
import { randomBelow, systemRandom } from '../../paillier/random.ts';
import { sealIntegers } from '../../pipeline.ts';
import { drawNoise } from '../../privacy/draw-noise.ts';
import { isOfStatistics } from '../../protocol/terms.ts';
import { aborted } from '../../threads/aborted.ts';
import type { JobShape } from './job-shape.ts';
import { cellsOfRecord, madeUpRecords } from './trial-data.ts';

/** Seconds of one processor. */
export interface Operations {
  readonly backend: string;
  /** On average: it is a matter of chance how soon primes are found. */
  readonly key: number;
  /** Of an encryptor. */
  readonly table: number;
  /** From integers to a ciphertext: packed, with its tag. */
  readonly encrypt: number;
  /** Drawing the noise of a ciphertext's slots, whoever adds it; 0 without differential privacy. */
  readonly noise: number;
  /** A ciphertext is checked and multiplied into another. */
  readonly fold: number;
  readonly decrypt: number;
  /** Of one record: its part in an owner's sums. */
  readonly record: number;
  /** Of one record: from the data file to numbers. */
  readonly read: number;
}

/** Seconds for which an operation is repeated. */
const atLeast = 0.15;
const mostRepeats = 50;

/** @throws SealsumError aborted, between two operations */
export async function measureOperations(job: JobShape, signal: AbortSignal): Promise<Operations> {
  const { plan, task, calibration } = job.terms;
  const backend = selectBackend();
  const [pair, key] = await measureKeys(plan.keyBits, signal);
  const { publicKey, privateKey } = pair;
  const encryptor = createEncryptor(publicKey, { expected: job.rounds * plan.ciphertexts });
  const isWorthIt = encryptor.expected > encryptor.breakEven;
  const table = isWorthIt ? await once(() => encryptor.prepare()) : 0;
  // As many at a time as fill a batch, or a whole contribution where that is less.
  const count = Math.min(plan.ciphertexts, backend.kernel !== undefined ? 64 : backend.name === 'openssl' ? 16 : 2);
  const length = Math.min(plan.length, count * plan.slotsPerCiphertext - LEADING_SLOTS);
  const small = createPlan({ ...plan, length });
  const values = Array.from({ length }, () => randomBelow(plan.valueBound, systemRandom));
  const vector = { weight: plan.weightUnit, values };
  const tags = Array.from({ length: small.ciphertexts }, () => randomBelow(2n ** 64n, systemRandom));
  let bytes = new Uint8Array(0) as Uint8Array;
  const encrypt = await repeated(signal, async () => {
    bytes = await sealIntegers({ plan: small, encryptor }, vector, tags);
  });
  const noise =
    calibration === undefined
      ? 0
      : await repeated(signal, () => drawNoise(small.slots - 1, calibration.variance, systemRandom));
  const fold = await repeated(signal, () => {
    checkCiphertexts(publicKey, bytes, small.ciphertexts, backend);
    startProduct(publicKey, bytes, backend).multiply(bytes);
  });
  const decryptor = createDecryptor(privateKey);
  const decrypt = await repeated(signal, async () => {
    await decryptMany(decryptor, bytes, small.ciphertexts);
  });
  const text = madeUpRecords(job.model, sampleSize(job));
  const records = await recordsIn(text, job);
  const read = await repeated(signal, () => recordsIn(text, job));
  const parameters = new Float64Array(
    isOfStatistics(job.terms) || isEncrypted(task) ? 0 : job.terms.task.parameterCount,
  );
  const sums = await repeated(signal, async () => {
    await contribute(task, records, parameters);
  });
  return {
    backend: backend.name,
    key,
    table,
    encrypt: encrypt / small.ciphertexts,
    noise: noise / small.ciphertexts,
    fold: fold / small.ciphertexts,
    decrypt: decrypt / small.ciphertexts,
    record: sums / records.count,
    read: read / records.count,
  };
}

/** Of a data file of some thousand cells. */
function sampleSize({ model, records }: JobShape): number {
  return Math.max(1, Math.min(records, Math.floor(20_000 / cellsOfRecord(model))));
}

async function recordsIn(text: string, { model }: JobShape): Promise<Records> {
  const table = await readTable({ text }, model.data_props);
  return isStatistics(model) ? encodeColumns(compileColumns(model), table) : encodeTable(compileFeatures(model), table);
}

/** A key, and what one takes on average: of as many as are found in a second. */
async function measureKeys(bits: number, signal: AbortSignal): Promise<[KeyPair, number]> {
  let pair: KeyPair | undefined;
  let [spent, count] = [0, 0];
  while (pair === undefined || (spent < 1 && count < 5)) {
    if (signal.aborted) throw aborted(signal);
    spent += await once(async () => {
      pair = await generateKeyPair({ bits });
    });
    count += 1;
  }
  return [pair, spent / count];
}

/** Seconds of a processor, all threads. */
async function once(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** The median of several times, after one that warms up. */
async function repeated(signal: AbortSignal, work: () => unknown): Promise<number> {
  await work();
  const times: number[] = [];
  for (let spent = 0; (spent < atLeast || times.length < 3) && times.length < mostRepeats; ) {
    // What only computes lets no signal through by itself.
    await setImmediate();
    if (signal.aborted) throw aborted(signal);
    const time = await once(work);
    times.push(time);
    spent += time;
    if (spent > 1) break;
  }
  return median(times);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
