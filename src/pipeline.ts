/**
 * The whole way of the data on one screen:
 *
 *     (sample →) gradient → clip → fixed-point (→ noise) → pack → encrypt → send      seal(), at every data owner
 *              → multiply (→ encrypted noise)                              aggregate(), at the facilitator (src/paillier/aggregate.ts)
 *              → decrypt → unpack (→ noise) → renormalise                  open(), at the model owner
 *              → update                                                    Trainer.absorb() (src/learning/trainer.ts)
 *
 * Where the parameters are encrypted too, gradient and pack change places (sealEncrypted()):
 *
 *     matrix of the records, once (→ noise) → times the encrypted parameters, packed → send
 *
 * Noise is added in one of the three places, always to integers, where the theorem about the discrete Gaussian speaks;
 * renormalising and updating are post-processing and cost no privacy. Where the plan has tags, every owner packs its own above the slots, and nothing of a
 * sum is told before the sums of the tags are found to be those of its contributors (src/protocol/tags.ts).
 */
import { contributionSlots, type OwnVector, slotsOf, type WeightedVector } from './encoding/contribution.ts';
import { pack, packing, type TagCheck, unpack } from './encoding/packing.ts';
import { LEADING_SLOTS, type Plan } from './encoding/plan.ts';
import type { ClippingReport } from './learning/clipped-sums.ts';
import { contribute } from './learning/contribute.ts';
import { boundedIntegers, linearSums } from './learning/encrypted-gradient.ts';
import type { Records } from './learning/features.ts';
import { closingStatistics } from './learning/inference/closing-sums.ts';
import { type AnyTask, sumsOf } from './learning/statistics/task.ts';
import { type EncryptedTask, type Statistics, statisticsOf } from './learning/task.ts';
import { decryptMany } from './paillier/decrypt-many.ts';
import type { Decryptor } from './paillier/decryptor.ts';
import { encryptMany } from './paillier/encrypt-many.ts';
import type { Encryptor } from './paillier/encryptor.ts';
import { multiplyMatrix } from './paillier/multiply-matrix.ts';
import type { PublicKey } from './paillier/public-key.ts';
import { type RandomBytes, systemRandom } from './paillier/random.ts';
import { type RecodedMatrix, recodeMatrix } from './paillier/recoded-matrix.ts';
import { sampleDiscreteGaussians } from './privacy/discrete-gaussian.ts';
import { drawNoise } from './privacy/draw-noise.ts';
import type { Rational } from './privacy/rational.ts';
import type { Spreading } from './threads/spread.ts';

/** What an owner needs to seal a vector of integers. */
export interface IntegerSealer {
  readonly plan: Plan;
  readonly encryptor: Encryptor;
  /** This owner's share of the noise, where data owners add it. */
  readonly noise?: Noise | undefined;
  /** Who does what is too much for one thread between two events. */
  readonly spreading?: Spreading | undefined;
}

/** What an owner needs to take part in a round of a training. */
export interface Sealer extends IntegerSealer {
  readonly task: AnyTask;
  /** Where the coins come from by which units take part, or are rounded, where they are by chance; the operating system's generator by default. */
  readonly random?: RandomBytes | undefined;
  /** Told what clipping did, for the owner's own eyes. */
  readonly observe?: ((clipping: ClippingReport) => void) | undefined;
}

/** Discrete Gaussian noise of this σ² for every slot but the count, in integers at the plan's scale. */
export interface Noise {
  readonly variance: Rational;
  readonly random: RandomBytes;
}

/** What the model owner needs to read a job's sums as integers. */
export interface IntegerOpener {
  readonly plan: Plan;
  readonly decryptor: Decryptor;
  /** Absent: no differential privacy, or noise that is in the sum already. */
  readonly noise?: Noise | undefined;
  /** Who does what is too much for one thread between two events. */
  readonly spreading?: Spreading | undefined;
}

/** What the model owner needs to read the statistics of a training. */
export interface Opener extends IntegerOpener {
  readonly task: AnyTask;
}

/**
 * An owner's contribution to a round of a training.
 *
 * @param parameters the model's parameters, `task.parameterCount` of them
 * @param tags this owner's of this round, `plan.ciphertexts` of them, if and only if the plan has tags
 * @returns `plan.ciphertexts` ciphertexts in fixed-width big-endian bytes, one after the other
 * @throws SealsumError number_out_of_bounds, number_not_finite naming the value that does not fit the plan; plan_mismatch; aborted
 */
export async function seal(
  { task, random = systemRandom, observe, ...sealer }: Sealer,
  records: Records,
  parameters: Float64Array,
  tags?: readonly bigint[],
): Promise<Uint8Array> {
  const vector = await contribute(task, records, parameters, { random, observe, ...sealer.spreading });
  return sealIntegers(sealer, vector, tags);
}

/** What an owner has of its records where parameters are encrypted: the same in every round, and as secret as they are. */
export interface OwnMatrix {
  readonly weight: bigint;
  readonly matrix: RecodedMatrix;
  readonly constants: readonly bigint[];
  /** What clipping did. */
  readonly report: ClippingReport | undefined;
}

/** Computes it. @param task one with encrypted parameters. @throws SealsumError aborted */
export async function prepareMatrix(
  { task, plan, spreading }: Pick<Sealer, 'plan' | 'spreading'> & { readonly task: EncryptedTask },
  records: Records,
): Promise<OwnMatrix> {
  let report: ClippingReport | undefined;
  const observe = (said: ClippingReport): void => {
    report = said;
  };
  const { weight, values } = await contribute(task, records, new Float64Array(0), { observe, ...spreading });
  const { rows, constants } = linearSums(values.slice(0, values.length), task.width, task.fractionBits);
  return { weight, matrix: recodeMatrix(rows, task.encrypted.entryBound, plan.keyBits), constants, report };
}

/**
 * An owner's contribution to a round whose parameters it does not see.
 *
 * @param parameters their encryptions, validated, one after the other
 * @param tags as for seal()
 * @returns as seal() does, each ciphertext uniform among the encryptions of its plaintext
 * @throws SealsumError plan_mismatch, number_out_of_bounds; aborted
 */
export async function sealEncrypted(
  { plan, encryptor: { publicKey, backend }, noise, spreading = {} }: IntegerSealer,
  { weight, matrix, constants }: OwnMatrix,
  parameters: Uint8Array,
  tags?: readonly bigint[],
): Promise<Uint8Array> {
  const draws = noise && (await drawNoise(plan.slots - 1, noise.variance, noise.random, spreading));
  const vector = { weight, values: [...constants] };
  const plaintexts = pack(plan, contributionSlots(plan, vector, draws), publicKey.n, tags);
  const { slotBits, slotsPerCiphertext } = plan;
  const slots = { slotBits, slotsPerCiphertext, first: LEADING_SLOTS };
  return multiplyMatrix({ publicKey, matrix, ciphertexts: parameters, slots, plaintexts }, backend, spreading);
}

/**
 * The parameters of a round as the model owner sends them where owners do not see them: fresh encryptions of integers within the bound.
 *
 * @throws SealsumError number_not_finite; aborted
 */
export async function encryptParameters(
  task: EncryptedTask,
  encryptor: Encryptor,
  parameters: Float64Array,
  spreading: Spreading = {},
): Promise<Uint8Array> {
  return encryptMany(encryptor, parameterPlaintexts(task, encryptor.publicKey, parameters), spreading);
}

/** What is in them. @throws SealsumError number_not_finite */
export function parameterPlaintexts(
  { encrypted, fractionBits }: EncryptedTask,
  { n }: Pick<PublicKey, 'n'>,
  parameters: Float64Array,
): bigint[] {
  const integers = boundedIntegers(parameters, encrypted.parameterBound, fractionBits);
  return integers.map((value) => (value < 0n ? value + n : value));
}

/**
 * The second half of the way out, for any weighted vector of integers: (noise →) pack → encrypt.
 *
 * @param tags as for seal()
 * @throws SealsumError number_out_of_bounds naming the value that does not fit the plan; plan_mismatch; aborted
 */
export async function sealIntegers(
  { plan, encryptor, noise, spreading }: IntegerSealer,
  vector: OwnVector,
  tags?: readonly bigint[],
): Promise<Uint8Array> {
  const draws = noise && (await drawNoise(plan.slots - 1, noise.variance, noise.random, spreading));
  const plaintexts = packing(plan, slotsOf(plan, vector, draws), encryptor.publicKey.n, tags);
  return encryptMany(encryptor, plaintexts, spreading);
}

/**
 * The same, all of it at once.
 *
 * @throws SealsumError number_out_of_bounds, number_not_finite, plan_mismatch
 */
export function sealVector(
  plan: Plan,
  encryptor: Encryptor,
  vector: WeightedVector,
  tags?: readonly bigint[],
  noise?: Noise,
): Uint8Array {
  const draws = noise && sampleDiscreteGaussians(plan.slots - 1, noise.variance, noise.random);
  return encryptor.encryptBatch(pack(plan, contributionSlots(plan, vector, draws), encryptor.publicKey.n, tags));
}

/**
 * The statistics of a round's records, from its aggregate.
 *
 * @param contributors the number of contributions that the manifest names
 * @param check that the tags are those of these contributors, if and only if the plan has tags
 * @throws SealsumError ciphertext_invalid, slot_overflow, count_mismatch, weight_zero, and what `check` throws: a sum that is
 *   not what it should be is never turned into numbers; plan_mismatch; aborted
 */
export async function open(
  { task, ...opener }: Opener,
  aggregate: Uint8Array,
  contributors: number,
  check?: TagCheck,
): Promise<Statistics> {
  const sum = await openIntegers(opener, aggregate, contributors, check);
  if (task.solver === 'closing') return closingStatistics(task, sum);
  return task.solver === 'statistics' ? sumsOf(task, sum, contributors) : statisticsOf(task, sum, contributors);
}

/** The first half of the way back: decrypt → unpack (→ noise), of any sum. @throws SealsumError as open(), but weight_zero */
export async function openIntegers(
  { plan, decryptor, noise, spreading = {} }: IntegerOpener,
  aggregate: Uint8Array,
  contributors: number,
  check?: TagCheck,
): Promise<WeightedVector> {
  const plaintexts = await decryptMany(decryptor, aggregate, plan.ciphertexts, spreading);
  const exact = vectorOf(plan, plaintexts, decryptor.publicKey.n, contributors, check);
  return noise === undefined ? exact : await addNoise(exact, noise, spreading);
}

/**
 * The same without noise, all of it at once: the sum is exact.
 *
 * @throws SealsumError as open(), but weight_zero
 */
export function openVector(
  plan: Plan,
  decryptor: Decryptor,
  aggregate: Uint8Array,
  contributors: number,
  check?: TagCheck,
): WeightedVector {
  const plaintexts = decryptor.decryptBatch(aggregate, plan.ciphertexts);
  return vectorOf(plan, plaintexts, decryptor.publicKey.n, contributors, check);
}

function vectorOf(
  plan: Plan,
  plaintexts: readonly bigint[],
  n: bigint,
  contributors: number,
  check: TagCheck | undefined,
): WeightedVector {
  const [, weight = 0n, ...values] = unpack(plan, plaintexts, n, contributors, check);
  return { weight, values };
}

/** Adds independent exact discrete Gaussian noise to the weight and to every value. */
async function addNoise(exact: WeightedVector, noise: Noise, spreading: Spreading): Promise<WeightedVector> {
  const draws = await drawNoise(exact.values.length + 1, noise.variance, noise.random, spreading);
  return {
    weight: exact.weight + (draws[0] ?? 0n),
    values: exact.values.map((value, index) => value + (draws[index + 1] ?? 0n)),
  };
}
