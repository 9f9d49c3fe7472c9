import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { nextClip, signOf, splitNoise, unclippedFraction } from '../../src/privacy/adaptive-clipping.ts';
import {
  addRationals,
  compareRationals,
  divideRationals,
  multiplyRationals,
  type Rational,
  rational,
  rationalFromNumber,
  toNumber,
} from '../../src/privacy/rational.ts';
import { adaptiveClip, agree } from './vectors.ts';

const test = suite('adaptive clipping');

function withVectors(title: string, check: (vectors: NonNullable<typeof adaptiveClip>) => void): void {
  if (adaptiveClip === undefined) {
    test.skip(title);
    return;
  }
  const vectors = adaptiveClip;
  test(title, () => {
    check(vectors);
  });
}

withVectors(
  'the clip follows the fraction, within 1e-12 (adaptive_clip)',
  ({ initial, learning_rate: learningRate, target, sequence }) => {
    let clip = initial;
    for (const each of sequence) {
      assert.ok(
        agree(nextClip(each.C, each.noised_fraction, { target, learningRate }), each.C_next, 1e-12),
        `${each.t}`,
      );
      clip = nextClip(clip, each.noised_fraction, { target, learningRate });
      assert.ok(agree(clip, each.C_next, 1e-12), `${each.t} from the first on`);
    }
  },
);

withVectors('the noise left for the sum, within 1e-12 (adaptive_clip)', ({ noise_split }) => {
  for (const { z, sigma_b, z_delta } of noise_split) {
    const split = splitNoise({
      unit: 'owner',
      noiseMultiplierSquared: square(rationalFromNumber(z)),
      countVariance: square(rationalFromNumber(sigma_b)),
    });
    assert.ok(agree(Math.sqrt(toNumber(split.sum)), z_delta, 1e-12), `z ${z}, σ_b ${sigma_b}`);
  }
});

function square(value: Rational): Rational {
  return multiplyRationals(value, value);
}

const somePositive = fc
  .tuple(fc.bigInt(1n, 2n ** 40n), fc.bigInt(1n, 2n ** 40n))
  .map(([numerator, denominator]) => rational(numerator, denominator));

test('sum and signs together cost exactly what the sum would cost alone', () => {
  fc.assert(
    fc.property(somePositive, somePositive, (noiseMultiplierSquared, more) => {
      // σ_b² above z²/4 by any amount.
      const countVariance = addRationals(multiplyRationals(noiseMultiplierSquared, rational(1n, 4n)), more);
      const split = splitNoise({ unit: 'owner', noiseMultiplierSquared, countVariance });
      const rhoOf = (multiplierSquared: Rational) => divideRationals(rational(1n, 2n), multiplierSquared);
      assert.deepEqual(addRationals(rhoOf(split.sum), rhoOf(split.signs)), rhoOf(noiseMultiplierSquared));
      assert.deepEqual(split.signs, multiplyRationals(rational(4n), countVariance));
      assert.ok(compareRationals(split.sum, noiseMultiplierSquared) > 0);
      // More noise on the count leaves more of the budget, so that the sum needs less.
      const quieter = splitNoise({
        unit: 'owner',
        noiseMultiplierSquared,
        countVariance: addRationals(countVariance, more),
      });
      assert.ok(compareRationals(quieter.sum, split.sum) < 0);
    }),
  );
});

test('refuses a count that would cost everything (z ≥ 2σ_b), the unit "record", and what is not above 0', () => {
  const right = { unit: 'owner', noiseMultiplierSquared: rational(4n), countVariance: rational(101n, 100n) } as const;
  assert.doesNotThrow(() => splitNoise(right));
  for (const countVariance of [rational(1n), rational(99n, 100n)]) {
    assert.throws(() => splitNoise({ ...right, countVariance }), {
      code: 'privacy_invalid',
      field: 'count_noise',
      message: /would leave nothing for the sum/,
    });
  }
  assert.throws(() => splitNoise({ ...right, unit: 'record' }), { code: 'privacy_invalid', field: 'unit' });
  for (const nothing of [rational(0n), rational(-1n)]) {
    assert.throws(() => splitNoise({ ...right, noiseMultiplierSquared: nothing }), { field: 'noise_multiplier' });
    assert.throws(() => splitNoise({ ...right, countVariance: nothing }), { field: 'count_noise' });
  }
});

test('the fraction from the signs: all, none, half, and who is missing counts as one half', () => {
  const sum = (flags: boolean[]): number => Number(flags.reduce((total, clipped) => total + signOf(clipped), 0n));
  assert.equal(unclippedFraction(sum([false, false, false, false]), 4), 1);
  assert.equal(unclippedFraction(sum([true, true, true, true]), 4), 0);
  assert.equal(unclippedFraction(sum([true, false, false, false]), 4), 0.75);
  assert.equal(unclippedFraction(sum([false, false]), 4), 0.75);
  assert.equal(unclippedFraction(-9, 4), -0.625);
  // The one owner more or less that privacy is about moves the sum by exactly 1.
  for (const clipped of [true, false]) assert.equal(signOf(clipped) ** 2n, 1n);
  for (const owners of [0, -1, Number.POSITIVE_INFINITY, Number.NaN]) {
    assert.throws(() => unclippedFraction(1, owners), { code: 'privacy_invalid', field: 'owners' });
  }
});

test('a clip that finds the quantile of fixed norms, from far above and far below', () => {
  const norms = Array.from({ length: 1001 }, (_, index) => 1 + index / 1000);
  for (const target of [0.1, 0.5, 0.9]) {
    for (const initial of [1e-3, 1e3]) {
      let clip = initial;
      for (let round = 0; round < 1000; round += 1) {
        const unclipped = norms.reduce((total, norm) => total + signOf(norm > clip), 0n);
        clip = nextClip(clip, unclippedFraction(Number(unclipped), norms.length), { target, learningRate: 0.2 });
      }
      assert.ok(Math.abs(clip - (1 + target)) < 0.01, `${target} from ${initial}: ${clip}`);
    }
  }
});

test('more unclipped owners than wanted make it smaller, fewer make it greater, and it stays a length', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 2 ** -1022, max: Number.MAX_VALUE, noNaN: true }),
      fc.double({ min: -1e6, max: 1e6, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 1e-3, max: 10, noNaN: true }),
      (clip, fraction, target, learningRate) => {
        const next = nextClip(clip, fraction, { target, learningRate });
        assert.ok(next >= 2 ** -1022 && next <= Number.MAX_VALUE);
        if (fraction >= target) assert.ok(next <= clip);
        if (fraction <= target) assert.ok(next >= clip);
        assert.ok(nextClip(clip, fraction + 0.5, { target, learningRate }) <= next);
        assert.ok(Math.abs(Math.log(next / clip)) <= learningRate * (1 + 1e-12) || !Number.isFinite(next / clip));
      },
    ),
  );
});

test('refuses what is no clip, fraction, target or rate, naming it', () => {
  const follower = { target: 0.5, learningRate: 0.2 };
  for (const wrong of [0, -1, Number.NaN, Infinity]) {
    assert.throws(() => nextClip(wrong, 0.5, follower), { code: 'privacy_invalid', field: 'clip' });
    assert.throws(() => nextClip(1, 0.5, { ...follower, learningRate: wrong }), { field: 'learning_rate' });
  }
  for (const wrong of [Number.NaN, Infinity]) {
    assert.throws(() => nextClip(1, wrong, follower), { code: 'privacy_invalid', field: 'fraction' });
  }
  for (const wrong of [-0.1, 1.1, Number.NaN]) {
    assert.throws(() => nextClip(1, 0.5, { ...follower, target: wrong }), { code: 'privacy_invalid', field: 'target' });
  }
});

test.run();
