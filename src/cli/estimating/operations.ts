/** What single operations of a job take here: with its own key size, plan and task, and the backend that parties would choose. */
import { createPlan } from '../../encoding/plan.ts';
import { contribute } from '../../learning/contribute.ts';
import type { Records } from '../../learning/features.ts';
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
import type { AnyTerms } from '../../protocol/terms.ts';
import { isOfStatistics } from '../../protocol/terms.ts';

/** Seconds of one processor. */
export interface Operations {
  readonly backend: string;
  /** On average: it is a matter of chance how soon primes are found. */
  readonly key: number;
  /** Of an encryptor. */
  readonly table: number;
  /** From integers to a ciphertext: packed, with its tag, and with a share of noise where owners add it. */
  readonly encrypt: number;
  /** A ciphertext is checked and multiplied into another. */
  readonly fold: number;
  readonly decrypt: number;
  /** Of one record: its part in an owner's sums. */
  readonly record: number;
}

/** Seconds for which an operation is repeated. */
const atLeast = 0.15;
const mostRepeats = 50;

export async function measureOperations(terms: AnyTerms, rounds: number, records: Records): Promise<Operations> {
  const { plan, task } = terms;
  const backend = selectBackend();
  const [pair, key] = await measureKeys(plan.keyBits);
  const { publicKey, privateKey } = pair;
  const encryptor = createEncryptor(publicKey, { expected: rounds * plan.ciphertexts });
  const isWorthIt = encryptor.expected > encryptor.breakEven;
  const table = isWorthIt ? await once(() => encryptor.prepare()) : 0;
  // As many at a time as fill a batch, or a whole contribution where that is less.
  const count = Math.min(plan.ciphertexts, backend.kernel !== undefined ? 64 : backend.name === 'openssl' ? 16 : 2);
  const small = createPlan({ ...plan, length: Math.min(plan.length, count * plan.slotsPerCiphertext - 2) });
  const values = Array.from({ length: small.length }, () => randomBelow(plan.valueBound, systemRandom));
  const vector = { weight: plan.weightUnit, values };
  const tags = Array.from({ length: small.ciphertexts }, () => randomBelow(2n ** 64n, systemRandom));
  const noise = ownNoise(terms);
  let bytes = new Uint8Array(0) as Uint8Array;
  const encrypt = await repeated(async () => {
    bytes = await sealIntegers({ plan: small, encryptor, noise }, vector, tags);
  });
  const fold = await repeated(() => {
    checkCiphertexts(publicKey, bytes, small.ciphertexts, backend);
    startProduct(publicKey, bytes, backend).multiply(bytes);
  });
  const decryptor = createDecryptor(privateKey);
  const decrypt = await repeated(async () => {
    await decryptMany(decryptor, bytes, small.ciphertexts);
  });
  const parameters = new Float64Array(isOfStatistics(terms) || isEncrypted(terms.task) ? 0 : terms.task.parameterCount);
  const sums = await repeated(async () => {
    await contribute(task, records, parameters);
  });
  return {
    backend: backend.name,
    key,
    table,
    encrypt: encrypt / small.ciphertexts,
    fold: fold / small.ciphertexts,
    decrypt: decrypt / small.ciphertexts,
    record: sums / records.count,
  };
}

function ownNoise({ calibration, task }: AnyTerms): Parameters<typeof sealIntegers>[0]['noise'] {
  const { privacy } = task.model;
  if (calibration === undefined || privacy?.place !== 'data-owners') return undefined;
  return { variance: calibration.variance, random: systemRandom };
}

/** A key, and what one takes on average: of as many as are found in a second. */
async function measureKeys(bits: number): Promise<[KeyPair, number]> {
  let pair: KeyPair | undefined;
  let [spent, count] = [0, 0];
  while (pair === undefined || (spent < 1 && count < 5)) {
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
async function repeated(work: () => unknown): Promise<number> {
  await work();
  const times: number[] = [];
  for (let spent = 0; (spent < atLeast || times.length < 3) && times.length < mostRepeats; ) {
    const time = await once(work);
    times.push(time);
    spent += time;
    if (spent > 1 && times.length > 0) break;
  }
  return median(times);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
