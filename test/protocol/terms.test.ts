/** Terms: what two who know the model and the number of its owners compute without asking each other. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { parseModel } from '../../src/learning/model.ts';
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

test.run();
