/** Whole trainings in which units take part by chance, the clip adapts, or metrics stay with their owners, over real sockets. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { PredictionView } from '../../parties/model-owner/views.ts';
import { calibrate } from '../../src/privacy/calibration.ts';
import { compareRationals, formatRational } from '../../src/privacy/rational.ts';
import { dealtOut, logisticSample } from './data.ts';
import { oneKey } from './keys.ts';
import { getJson, startConsortium, trainOver } from './parties.ts';

const test = suite('sampling, clips that adapt and local metrics end to end');

const newKey = await oneKey();
const settings = { encryption: { key_bits: 2048 }, participation: { quorum: 2, deadline_seconds: 20 } };
/** Five updates and the round that evaluates. */
const training = { solver: 'gradient', rounds: 5, optimizer: 'adam', learning_rate: 0.1 };

for (const { place, unit, shares } of [
  { place: 'model-owner', unit: 'record', shares: undefined },
  { place: 'facilitator', unit: 'record', shares: undefined },
  { place: 'data-owners', unit: 'record', shares: 2 },
  { place: 'model-owner', unit: 'owner', shares: undefined },
] as const)
  test(`${unit}s take part by chance, noise by ${place}: less noise for the same promise, which the ledgers tell`, async () => {
    const sample = logisticSample(900);
    await using consortium = await startConsortium({ data: dealtOut(sample, 3), newKey });
    // Noise as of five records among some 450; among owners next to none, and a round without any of them would end the training.
    const [target, sampling] =
      unit === 'record'
        ? ([{ epsilon: 10, delta: 1e-5 }, 0.5] as const)
        : ([{ epsilon: 1e6, delta: 1e-5 }, 0.999] as const);
    const privacy = { ...target, place, unit, sampling };
    const view = await trainOver(consortium.modelOwner, { ...sample.document, training, privacy, ...settings });
    assert.equal(view.status, 'finished', view.failure?.detail);
    const calibration = calibrate(target, 6, { shares, sampling });
    const whole = calibrate(target, 6, { shares });
    if (unit === 'record') assert.ok(compareRationals(calibration.variance, whole.variance) < 0, 'something is saved');
    const { privacy: statement } = view;
    assert.ok(statement.guarantee === 'Rényi differential privacy with Poisson sampling');
    assert.equal(statement.sampling, sampling);
    assert.equal(statement.noise.variance, formatRational(calibration.variance));
    assert.ok((statement.promised.epsilon ?? Infinity) <= target.epsilon);
    assert.ok((statement.spent.epsilon ?? Infinity) <= (statement.promised.epsilon ?? 0));
    for (const owner of consortium.owners) {
      const entries = await owner.ledgerStore.entries();
      assert.equal(entries.length, 6);
      for (const { rho, sampling: charged } of entries)
        assert.deepEqual([rho, charged], [calibration.rhoPerRound, sampling]);
    }
  });

test('a clip that is far too long comes down by what the quantile says, round after round', async () => {
  const sample = logisticSample(90);
  await using consortium = await startConsortium({ data: dealtOut(sample, 3), newKey });
  const privacy = { rho: 1e6, unit: 'owner', clip: 1000, adaptive_clip: { quantile: 0.5, learning_rate: 2 } };
  const view = await trainOver(consortium.modelOwner, { ...sample.document, training, privacy, ...settings });
  assert.equal(view.status, 'finished', view.failure?.detail);
  // All three remain unclipped: in each of five steps the logarithm falls by 2·(1 − 1/2), where the noise on their number, of deviation
  // 0.1, leaves the fraction above 1, and otherwise by less. It would have to be 4.5 deviations off on average: less than 1e-12.
  const fallen = Math.log(1000 / (view.last_round?.clip ?? Number.NaN));
  assert.ok(fallen > 3.5 && fallen < 5.000001, `fallen by e^${fallen}`);
});

test('metrics that stay with their owners: no round to evaluate, no cost, and a model all the same', async () => {
  const sample = logisticSample(90);
  await using consortium = await startConsortium({ data: dealtOut(sample, 3), newKey });
  const privacy = { rho: 1e6, metrics: 'local' };
  const view = await trainOver(consortium.modelOwner, { ...sample.document, training, privacy, ...settings });
  assert.equal(view.status, 'finished', view.failure?.detail);
  assert.equal(view.metrics, undefined);
  const prediction = await getJson<PredictionView>(`${consortium.modelOwner.url}/prediction`);
  assert.deepEqual([prediction.cost, prediction.metrics], [null, {}]);
  for (const owner of consortium.owners) assert.equal((await owner.ledgerStore.entries()).length, 5);
});

test.run();
