/** Terms: what two who know the model and the number of its owners compute without asking each other. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { parseModel } from '../../src/learning/model.ts';
import { compareRationals, rationalFromNumber, toNumber } from '../../src/privacy/rational.ts';
import { signedJobSchema } from '../../src/protocol/job-messages.ts';
import { noiseToWire, termsOf } from '../../src/protocol/terms.ts';
import { planToWire } from '../../src/protocol/wire-plan.ts';
import { descriptor, signedJob } from './samples.ts';

const test = suite('terms');

const travelled = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const model = {
  model_type: 'LINEAR_REGRESSION',
  data_props: {
    features: [{ name: 'x', type: 'continuous', range: [0, 1] }],
    target: { name: 'y', range: [0, 1] },
  },
};

test('two who know the model and the number of owners compute the same terms, with and without noise', () => {
  const plain = parseModel(model);
  assert.deepEqual(planToWire(termsOf(plain, 3).plan), planToWire(termsOf(parseModel(travelled(model)), 3).plan));
  assert.notDeepEqual(planToWire(termsOf(plain, 3).plan), planToWire(termsOf(plain, 4).plan));
  assert.equal(noiseToWire(plain, termsOf(plain, 3)), null);
  const settings = parseModel({ ...model, privacy: { epsilon: 1, delta: 1e-6 } });
  const noisy = termsOf(settings, 3);
  const noise = noiseToWire(settings, noisy);
  assert.deepEqual(noise, {
    place: 'model-owner',
    unit: 'record',
    neighbours: 'zero-out',
    variance: String(noisy.calibration?.variance.numerator),
    rho_per_round: {
      numerator: String(noisy.calibration?.rhoPerRound.numerator),
      denominator: String(noisy.calibration?.rhoPerRound.denominator),
    },
    rounds: 1,
  });
  // The variance is whole, so that nothing is lost in writing it as an integer.
  assert.equal(noisy.calibration?.variance.denominator, 1n);
  const proposed = { ...signedJob, descriptor: { ...descriptor, model, plan: planToWire(noisy.plan), noise } };
  assert.deepEqual(signedJobSchema.parse(travelled(proposed)), proposed);
});

test('with few bits the same promise has noise as much smaller as their integers, for the same charge', () => {
  const at = (encryption: object, privacy: object): ReturnType<typeof termsOf> =>
    termsOf(parseModel({ ...model, training: { solver: 'gradient' }, encryption, privacy }), 3);
  for (const privacy of [
    { epsilon: 1, delta: 1e-6 },
    { epsilon: 1, delta: 1e-6, neighbours: 'substitution', place: 'facilitator' },
    { epsilon: 1, delta: 1e-6, place: 'data-owners' },
    { epsilon: 1, delta: 1e-6, sampling: 0.5 },
    { rho: 50, unit: 'owner', adaptive_clip: { count_noise: 5 } },
  ]) {
    const { calibration: usual, task: usualTask } = at({}, privacy);
    for (const bits of [8, 16, 24]) {
      const { calibration, task, plan } = at({ quantization_bits: bits }, privacy);
      assert.ok(calibration !== undefined && usual !== undefined);
      const greatest = 2n ** BigInt(bits - 1);
      assert.equal(calibration.sensitivity, privacy.neighbours === undefined ? greatest : 2n * greatest);
      const multiplier = ({ variance, sensitivity }: typeof calibration): number =>
        Math.sqrt(toNumber(variance)) / Number(sensitivity);
      // σ² is a whole number: at 2^14 and more, half of one is less than this of it.
      assert.ok(Math.abs(multiplier(calibration) / multiplier(usual) - 1) < 1e-3, `${bits} bits`);
      assert.ok(compareRationals(calibration.rhoTotal, rationalFromNumber(toNumber(usual.rhoTotal) * 1.001)) <= 0);
      assert.ok(plan.valueBound < greatest && task.weightUnit < greatest);
      assert.equal(task.clipping?.sign === undefined, usualTask.clipping?.sign === undefined);
    }
  }
});

test.run();
