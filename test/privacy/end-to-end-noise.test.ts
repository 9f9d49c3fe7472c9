/** From records to the noised sum: clip → pack → encrypt → add → decrypt → unpack → noise, held against the exact sum. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { contributionSlots, type WeightedVector } from '../../src/encoding/contribution.ts';
import { pack, unpack } from '../../src/encoding/packing.ts';
import { createPlan } from '../../src/encoding/plan.ts';
import { addCiphertexts } from '../../src/paillier/ciphertexts.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { testOnlyGenerateKeyPair } from '../../src/paillier/key-generation.ts';
import { calibrate } from '../../src/privacy/calibration.ts';
import { CLIP_SCALE, clipToIntegers } from '../../src/privacy/clipping.ts';
import { sampleDiscreteGaussians } from '../../src/privacy/discrete-gaussian.ts';
import { integerSquareRoot } from '../../src/privacy/integer.ts';
import { divideRationals, multiplyRationals, type Rational, rational, toNumber } from '../../src/privacy/rational.ts';
import { CHANCE, chiSquareCritical } from './statistics.ts';

const test = suite('noise from end to end');

const length = 5;
const recordsPerOwner = 20;
/** Every record gives a quarter of its allowance to its own count, and the rest to its values. */
const weightUnit = CLIP_SCALE / 4n;
const norm = integerSquareRoot(CLIP_SCALE ** 2n - weightUnit ** 2n);

const keys = await testOnlyGenerateKeyPair({ bits: 512 });
const plan = createPlan({
  keyBits: 512,
  length,
  owners: 3,
  maxWeight: BigInt(recordsPerOwner),
  valueBound: norm,
  scale: Number(norm),
  weightUnit,
});

/** Three owners' records; some are far longer than the clip of 1, and some make no sense. */
const owners: number[][][] = Array.from({ length: 3 }, (_, owner) =>
  Array.from({ length: recordsPerOwner }, (__, record) =>
    Array.from({ length }, (___, index) =>
      record === 7 ? Number.NaN : Math.sin(1 + owner * 31 + record * 7 + index) * (record % 5 === 0 ? 1e6 : 0.5),
    ),
  ),
);

function clipped(record: number[]): bigint[] {
  return [...clipToIntegers(record, 1, norm).values].map(BigInt);
}

function unclipped(record: number[]): bigint[] {
  return record.map((value) => BigInt(Math.round((Number.isFinite(value) ? value : 0) * Number(norm))));
}

/** The sum over records of one, or of all owners. */
function sumOf(records: readonly number[][], toIntegers: (record: number[]) => bigint[] = clipped): WeightedVector {
  const values = Array.from({ length }, () => 0n);
  for (const record of records) {
    for (const [index, value] of toIntegers(record).entries()) values[index] = (values[index] ?? 0n) + value;
  }
  return { weight: BigInt(records.length) * weightUnit, values };
}

/** One round under encryption: the slots after the contributor count, that is the weight and the values. */
function decryptedSum(): bigint[] {
  const { publicKey, privateKey } = keys;
  const contributions = owners.map((records) => {
    const encryptor = createEncryptor(publicKey);
    return pack(plan, contributionSlots(plan, sumOf(records)), publicKey.n).map((plaintext) =>
      encryptor.encrypt(plaintext),
    );
  });
  const aggregate = contributions.reduce((sum, contribution) =>
    sum.map((ciphertext, index) => addCiphertexts(publicKey, ciphertext, contribution[index] ?? ciphertext)),
  );
  const decryptor = createDecryptor(privateKey);
  const plaintexts = aggregate.map((ciphertext) => decryptor.decrypt(ciphertext));
  return unpack(plan, plaintexts, publicKey.n, owners.length).slice(1);
}

/** Σ residual²/σ² over many noised releases of one sum: χ² with as many degrees of freedom as there are residuals. */
function residualStatistic(
  sum: readonly bigint[],
  exact: readonly bigint[],
  drawn: Rational,
  claimed: Rational,
): number {
  let statistic = 0;
  for (let release = 0; release < releases; release += 1) {
    const noise = sampleDiscreteGaussians(sum.length, drawn);
    for (const [index, value] of sum.entries()) {
      statistic += Number(value + (noise[index] ?? 0n) - (exact[index] ?? 0n)) ** 2 / toNumber(claimed);
    }
  }
  return statistic;
}

const releases = 2000;

// Chance of failing though right: 1e-9 on either side.
test('what is released minus what is exact has the variance that the ledger is charged for', () => {
  const { variance, rhoPerRound } = calibrate({ epsilon: 1, delta: 1e-5 }, 100);
  // A record that may weigh S is ρ-zCDP under noise of σ² = S²/2ρ.
  const claimed = divideRationals(rational(CLIP_SCALE ** 2n, 2n), rhoPerRound);
  const all = sumOf(owners.flat());
  const exact = [all.weight, ...all.values];
  const sum = decryptedSum();
  assert.deepEqual(sum, exact);
  const freedom = releases * exact.length;
  const least = chiSquareCritical(freedom, 1 - CHANCE);
  const greatest = chiSquareCritical(freedom, CHANCE);
  const statistic = residualStatistic(sum, exact, variance, claimed);
  assert.ok(least < statistic && statistic < greatest, `${least} < ${statistic} < ${greatest}`);
  // The controls: half of σ, and twice.
  const halved = residualStatistic(sum, exact, multiplyRationals(variance, rational(1n, 4n)), claimed);
  assert.ok(halved < least, 'half of σ went unnoticed');
  const doubled = residualStatistic(sum, exact, multiplyRationals(variance, rational(4n)), claimed);
  assert.ok(doubled > greatest, 'twice σ went unnoticed');
});

test('leaving out any one record changes the sum by no more than the noise is calibrated to', () => {
  const records = owners.flat();
  const squaredChanges = (toIntegers: (record: number[]) => bigint[]): bigint[] =>
    records.map((_, left) => {
      const whole = sumOf(records, toIntegers);
      const without = sumOf(records.toSpliced(left, 1), toIntegers);
      const change = whole.values.map((value, index) => value - (without.values[index] ?? 0n));
      return [whole.weight - without.weight, ...change].reduce((total, value) => total + value ** 2n, 0n);
    });
  assert.ok(squaredChanges(clipped).every((squares) => squares <= CLIP_SCALE ** 2n));
  // The control: without the clip, the long records exceed it.
  assert.ok(squaredChanges(unclipped).some((squares) => squares > CLIP_SCALE ** 2n));
});

test.run();
