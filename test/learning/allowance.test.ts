/** How a unit's allowance is divided, the signs of an adaptive clip among the rest: exactly, and with the noise on the count that was asked for. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { divideAllowance, greatestChange, signShare } from '../../src/learning/allowance.ts';
import { familyOf, type MetricName } from '../../src/learning/families.ts';
import type { PrivacySettings } from '../../src/learning/model-types.ts';
import { contribution, statisticsOf } from '../../src/learning/task.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { calibrate } from '../../src/privacy/calibration.ts';
import { CLIP_SCALE } from '../../src/privacy/clipping.ts';
import { sampleDiscreteGaussians } from '../../src/privacy/discrete-gaussian.ts';
import {
  compareRationals,
  divideRationals,
  multiplyRationals,
  type Rational,
  rational,
  rationalFromNumber,
  toNumber,
} from '../../src/privacy/rational.ts';
import { termsOf } from '../../src/protocol/terms.ts';
import { chiSquareCritical, discreteGaussianLaw } from '../privacy/statistics.ts';
import { addUp } from './in-process.ts';
import { small } from './models.ts';

const test = suite('allowance');

const S = CLIP_SCALE;

function adaptive(countNoise: number | undefined, more: object = {}): PrivacySettings {
  const { model } = modelWith({ rho: 1, adaptive_clip: { count_noise: countNoise }, ...more });
  assert.ok(model.privacy !== undefined);
  return model.privacy;
}

function modelWith(privacy: object, rounds = 5): ReturnType<typeof small> {
  const training = { solver: 'gradient', rounds };
  return small('LOGISTIC_REGRESSION', 2, { training, privacy: { unit: 'owner', ...privacy } });
}

const metricsOf: readonly (readonly MetricName[])[] = [[], ['loss'], ['loss', 'correct']];

test('weight, metrics, statistics and sign at their most are within S, exactly, and use it up', () => {
  const { model } = modelWith({ rho: 1 });
  const signs = fc.oneof(
    fc.constant(undefined),
    fc.bigInt(1n, 2n ** 20n - 1n).filter((sign) => S ** 2n - sign ** 2n >= 2n ** 20n),
  );
  fc.assert(
    fc.property(signs, fc.constantFrom(...metricsOf), (sign, metrics) => {
      const divided = divideAllowance(adaptive(1), model.encryption, familyOf(model), metrics, sign);
      const {
        norm,
        weightUnit,
        metricBounds: [metricBound = 8n],
      } = divided;
      const most = weightUnit ** 2n + BigInt(metrics.length) * metricBound ** 2n + norm ** 2n + (sign ?? 0n) ** 2n;
      assert.ok(most <= S ** 2n, `${most}`);
      // ⌊A⌋ and ⌊N⌋ lose less than 1 each.
      assert.ok(most > S ** 2n - 5n * S, `${most} leaves too much`);
      assert.ok(weightUnit >= 1n && metricBound >= 1n && norm >= 1n, 'something of each');
      assert.equal(divided.sign, sign);
      assert.equal(divided.metricScales.length, metrics.length);
    }),
  );
});

const plain = { key_bits: 3072, fraction_bits: 40 };

const someVariance = fc
  .integer({ min: 0, max: 460 })
  .map((tenths) => rational(BigInt(Math.floor(2 ** (tenths / 10))) + 1n));
/** Such that B is about 2^shift: from less than 1 to more than S. */
const someShift = fc.integer({ min: -300, max: 2300 }).map((hundredths) => hundredths / 100);

/** (σ/2B)², the variance of the count's noise by signs of length B. */
function countVariance(variance: Rational, share: bigint): Rational {
  return divideRationals(variance, rational(4n * share ** 2n));
}

test('B is the greatest whole number with which the count has at least the noise that was asked for', () => {
  let [shares, refusals] = [0, 0];
  fc.assert(
    fc.property(someVariance, someShift, (variance, shift) => {
      const noise = Math.sqrt(toNumber(variance)) / 2 ** (shift + 1);
      const asked = multiplyRationals(rationalFromNumber(noise), rationalFromNumber(noise));
      let share: bigint | undefined;
      try {
        share = signShare(adaptive(noise), plain, variance);
      } catch (error) {
        const { code, field } = error as { code: string; field: string };
        assert.deepEqual([code, field], ['privacy_invalid', 'privacy.adaptive_clip.count_noise']);
        refusals += 1;
        // Nothing that could be divided is refused: B = 1 would have less noise than asked for, or B leaves less than A = 2^10.
        const tooMuch = compareRationals(countVariance(variance, 1n), asked) < 0;
        // B ≥ √(S² − 2^20) is more than S − 1.
        const tooLittle = compareRationals(countVariance(variance, S - 1n), asked) >= 0;
        assert.ok(tooMuch || tooLittle, 'refused for a reason');
        return;
      }
      shares += 1;
      assert.ok(share !== undefined && share >= 1n && share < S, 'a share');
      assert.ok(compareRationals(countVariance(variance, share), asked) >= 0, 'at least the noise asked for');
      assert.ok(compareRationals(countVariance(variance, share + 1n), asked) < 0, 'the greatest such');
    }),
    { numRuns: 400 },
  );
  assert.ok(shares > 50 && refusals > 50, `${shares} shares, ${refusals} refusals`);
});

test('with few bits S is as long as they are, and is divided and noised in the same proportions', () => {
  for (const quantization_bits of [8, 16, 24] as const) {
    const encryption = { ...plain, quantization_bits };
    const greatest = greatestChange(encryption);
    assert.equal(greatest, 2n ** BigInt(quantization_bits - 1));
    for (const metrics of metricsOf) {
      const { model } = modelWith({ rho: 1 });
      for (const sign of [undefined, greatest / 2n]) {
        const divided = divideAllowance(adaptive(1), encryption, familyOf(model), metrics, sign);
        const {
          norm,
          weightUnit,
          metricBounds: [metricBound = 8n],
        } = divided;
        const most = weightUnit ** 2n + BigInt(metrics.length) * metricBound ** 2n + norm ** 2n + (sign ?? 0n) ** 2n;
        assert.ok(most <= greatest ** 2n && most > greatest ** 2n - 5n * greatest);
        assert.ok(weightUnit >= 16n && metricBound >= 8n);
      }
    }
    // The count has the noise that was asked for, with as much of the allowance as with any other S.
    const whole = signShare(adaptive(1), plain, rational(S ** 2n)) ?? 0n;
    const few = signShare(adaptive(1), encryption, rational(greatest ** 2n)) ?? 0n;
    assert.ok(Math.abs(Number(few) / Number(greatest) - Number(whole) / Number(S)) <= 1 / Number(greatest));
  }
  // B = 127 of S = 128 leaves A = √255, with which a metric would be one unit.
  const eight = { ...plain, quantization_bits: 8 } as const;
  assert.equal(signShare(adaptive(0.505), eight, rational(2n ** 14n)), 126n);
  assert.throws(() => signShare(adaptive(0.502), eight, rational(2n ** 14n)), {
    code: 'privacy_invalid',
    field: 'privacy.adaptive_clip.count_noise',
  });
});

test('no clip that adapts, no signs', () => {
  const { model } = modelWith({ rho: 1 });
  assert.ok(model.privacy !== undefined);
  assert.equal(signShare(model.privacy, model.encryption, rational(2n ** 40n)), undefined);
});

test('a model whose count would cost all there is, z ≥ 2σ_b, is refused before anything else, and at 2σ_b just above z is not', () => {
  // Six rounds of ρ 3 in all: z² = 6/(2·3) = 1, so that 2σ_b must be more than 1.
  const of = (countNoise: number): ReturnType<typeof termsOf> =>
    termsOf(modelWith({ rho: 3, adaptive_clip: { count_noise: countNoise } }).model, 3);
  for (const countNoise of [0.5, 0.25, 1e-9])
    assert.throws(() => of(countNoise), {
      code: 'privacy_invalid',
      field: 'privacy.adaptive_clip.count_noise',
      message: /^count_noise: .*must be more: .*raise count_noise, or lower the noise multiplier/,
    });
  const { task } = of(0.500_01);
  assert.ok(
    task.clipping?.sign !== undefined && task.clipping.norm > 1n,
    'next to nothing, but something, for the sum',
  );
  assert.throws(() => of(1e9), {
    code: 'privacy_invalid',
    field: 'privacy.adaptive_clip.count_noise',
    message: /lower it/,
  });
  // What is asked for by default is a twentieth of the quorum, here 0.1.
  assert.throws(() => termsOf(modelWith({ rho: 3, adaptive_clip: {} }).model, 3), {
    field: 'privacy.adaptive_clip.count_noise',
  });
  assert.doesNotThrow(() => termsOf(modelWith({ rho: 100, adaptive_clip: {} }).model, 3));
});

for (const [place, silent] of [
  ['model-owner', 0],
  ['data-owners', 0],
  ['data-owners', 1],
] as const)
  test(`the noise on the count is what was claimed: ${place}, ${silent} silent`, () => {
    // Chance of failing though right: 2e-9, for χ² on either side; the discrete Gaussian's own variance is its parameter here.
    const countNoise = 0.8;
    const privacy = { rho: 20, place, silent_owners: silent, adaptive_clip: { count_noise: countNoise } };
    const { model, map } = modelWith(privacy, 3);
    const { task, calibration } = termsOf(model, 4);
    assert.ok(calibration !== undefined && task.clipping?.sign !== undefined && map.width === 3);
    const sigmaSquared = toNumber(calibration.variance);
    assert.ok(sigmaSquared > 1e6 && Math.abs(discreteGaussianLaw(100).variance / 100 - 1) < 1e-12);
    const releases = 4000;
    const draws = sampleDiscreteGaussians(releases * (calibration.shares ?? 1), calibration.variance, systemRandom);
    const records = {
      count: 1,
      width: 3,
      x: Float64Array.of(1, 0, 0),
      y: Float64Array.of(0),
      lines: Int32Array.of(1),
      dropped: 0,
    };
    const owner = contribution(task, records, new Float64Array(task.parameterCount));
    const sum = addUp([owner, owner, owner, owner]);
    const exact = statisticsOf(task, sum, 4).unclipped ?? Number.NaN;
    assert.equal(exact, 1, 'gradients of half a unit are within the clip of 1');
    let squares = 0;
    for (let release = 0; release < releases; release += 1) {
      const values = [...sum.values];
      for (let share = 0; share < (calibration.shares ?? 1); share += 1)
        values[values.length - 1] = (values.at(-1) ?? 0n) + (draws[release * (calibration.shares ?? 1) + share] ?? 0n);
      const noised = statisticsOf(task, { ...sum, values }, 4).unclipped ?? Number.NaN;
      squares += ((noised - exact) * 4) ** 2;
    }
    const statistic = squares / countNoise ** 2;
    const [least, most] = [chiSquareLeast(releases), chiSquareCritical(releases)];
    assert.ok(statistic > least && statistic < most, `${Math.sqrt(squares / releases)} of ${countNoise}`);
    // Half the noise, or twice, would be seen.
    assert.ok(statistic / 4 < least && statistic * 4 > most);
  });

/** The value that χ² of so many degrees falls below with less than 1e-9: Laurent and Massart 2000, Lemma 1. */
function chiSquareLeast(freedom: number): number {
  return freedom - 2 * Math.sqrt(freedom * Math.log(1e9));
}

test('the noise of a sum is that of the promise, whatever the signs take of the vector', () => {
  const target = { rho: 3 };
  const { calibration } = termsOf(modelWith({ ...target, adaptive_clip: { count_noise: 1 } }).model, 3);
  assert.deepEqual(calibration, calibrate(target, 6));
});

test.run();
