/** Whole trainings over real sockets, beside the same training on the pooled plaintext. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { ModelView, PredictionView } from '../../parties/model-owner/views.ts';
import { compileFeatures, encodeTable } from '../../src/learning/features.ts';
import { parseModel } from '../../src/learning/model.ts';
import { trainPooled } from '../../src/learning/pooled.ts';
import { type DataUnitParameters, parametersInDataUnits } from '../../src/learning/prediction.ts';
import { readTable } from '../../src/learning/table.ts';
import { calibrate } from '../../src/privacy/calibration.ts';
import { addRationals, compareRationals, type Rational, sumRationals, toNumber } from '../../src/privacy/rational.ts';
import type { JobView } from '../../src/protocol/job-messages.ts';
import type { ModelEventRecord } from '../../src/storage/model-store.ts';
import { dealtOut, linearSample, logisticSample, type Sample, softmaxSample, textOf } from './data.ts';
import { oneKey } from './keys.ts';
import {
  askFacilitator,
  type Consortium,
  getJson,
  over,
  postModel,
  type RunningOwner,
  startConsortium,
  trainOver,
} from './parties.ts';

const test = suite('training end to end');

const newKey = await oneKey();

const settings = { encryption: { key_bits: 2048 }, participation: { quorum: 2, deadline_seconds: 20 } };

/** Three owners with a third of the rows each. */
function consortiumFor(sample: Sample): Promise<Consortium> {
  return startConsortium({ data: dealtOut(sample, 3), newKey });
}

async function pooledParameters(document: unknown, sample: Sample): Promise<DataUnitParameters> {
  const model = parseModel(document);
  const map = compileFeatures(model);
  const records = encodeTable(map, await readTable({ text: textOf(sample) }, model.data_props));
  return parametersInDataUnits(model, map, trainPooled(model, records).parameters);
}

function parametersOf({ modelOwner }: Consortium, id: string): Promise<DataUnitParameters> {
  return getJson<DataUnitParameters>(`${modelOwner.url}/models/${id}/parameters`);
}

/** The greatest |a − b| / |b| over all coefficients. */
function difference(left: DataUnitParameters, right: DataUnitParameters): number {
  const [a, b] = [left.coefficients.flat(), right.coefficients.flat()];
  assert.equal(a.length, b.length);
  assert.deepEqual(left.columns, right.columns);
  assert.deepEqual(left.classes, right.classes);
  return Math.max(...a.map((value, index) => Math.abs(value - (b[index] ?? Number.NaN)) / Math.abs(b[index] ?? 0)));
}

const gradient = { solver: 'gradient', rounds: 12, optimizer: 'adam', learning_rate: 0.1 };
const cases: readonly { name: string; sample: Sample; training: object; updates: number }[] = [
  {
    name: 'linear by normal equations',
    sample: linearSample(),
    training: { solver: 'normal-equations' },
    updates: 1,
  },
  { name: 'linear by gradient', sample: linearSample(), training: gradient, updates: 12 },
  {
    name: 'logistic by gradient',
    sample: logisticSample(),
    training: { ...gradient, optimizer: 'momentum', l2: 0.01 },
    updates: 12,
  },
  {
    name: 'softmax by gradient',
    sample: softmaxSample(),
    training: { ...gradient, optimizer: 'sgd', learning_rate: 0.5 },
    updates: 12,
  },
];

for (const { name, sample, training, updates } of cases) {
  test(`${name}: equals the training on pooled plaintext`, async () => {
    await using consortium = await consortiumFor(sample);
    const document = { ...sample.document, training, ...settings };
    const view = await trainOver(consortium.modelOwner, document);
    assert.equal(view.status, 'finished', view.failure?.detail);
    const [parameters, pooled] = await Promise.all([
      parametersOf(consortium, view.id),
      pooledParameters(document, sample),
    ]);
    assert.ok(difference(parameters, pooled) < 1e-6, `differs by ${difference(parameters, pooled)}`);

    assert.equal(view.updates, updates);
    assert.equal(view.planned_updates, updates);
    // A gradient training ends with a round that only evaluates.
    const rounds = updates === 1 ? 1 : 13;
    const { round, contributors } = view.last_round ?? {};
    assert.deepEqual({ round, contributors }, { round: rounds, contributors: 3 });
    assert.equal(view.privacy.guarantee, 'no differential privacy');
    assert.deepEqual(
      view.owners.map((each) => [each.owner, each.status]),
      consortium.owners.map(({ owner }) => [owner, 'ready']),
    );
    for (const { ledgerStore } of consortium.owners) {
      const entries = await ledgerStore.entries();
      assert.deepEqual(
        entries.map(({ job, round, rho }) => ({ job, round, rho })),
        Array.from({ length: rounds }, (_, index) => ({ job: view.id, round: index + 1, rho: null })),
      );
    }
  });
}

for (const { name, sample, range, half } of [
  { name: 'linear', sample: linearSample(), range: 2, half: 100 },
  { name: 'logistic', sample: logisticSample(), range: 1, half: 1 },
])
  test(`${name}: 16 bits by chance arrive where all bits do, as near as they allow`, async () => {
    await using consortium = await consortiumFor(sample);
    const training = { solver: 'gradient', rounds: 12, optimizer: 'sgd', learning_rate: 0.5 };
    const document = { ...sample.document, training, ...settings };
    const view = await trainOver(consortium.modelOwner, {
      ...document,
      encryption: { ...settings.encryption, quantization_bits: 16, rounding: 'stochastic' },
      participation: { ...settings.participation, max_records: 30 },
    });
    assert.equal(view.status, 'finished', view.failure?.detail);
    const { descriptor } = await askFacilitator<JobView>(consortium, `/jobs/${view.id}`);
    const { value_bound: valueBound, slot_bits: slotBits, max_weight: maxWeight } = descriptor.plan;
    assert.deepEqual([valueBound, slotBits, maxWeight], ['32767', 19, '1']);

    // Each of three sums over 30 records is less than a unit off, so each mean of 90 less than range/Q, and a gradient of five means
    // less than √5 of that. A step of 0.5 is short enough for what is squared or curved as little as here to be no further apart
    // after it than before: so the parameters are less than 12 times half of it apart. A coefficient of the data's units is at most
    // `half` times as far off, the intercept √3 times, since it takes in the middles of two ranges.
    const greatest = 12 * 0.5 * Math.sqrt(5) * (range / 32_767) * half * Math.sqrt(3);
    const [ours, theirs] = await Promise.all([parametersOf(consortium, view.id), pooledParameters(document, sample)]);
    for (const [index, value] of ours.coefficients.flat().entries()) {
      const apart = Math.abs(value - (theirs.coefficients.flat()[index] ?? Number.NaN));
      assert.ok(apart < greatest, `${ours.columns[index]}: ${apart}`);
    }
    // That nothing is left of the coins of 36 contributions has a chance of next to nothing.
    assert.ok(difference(ours, theirs) > 1e-6);
  });

test('the metrics are those of all records, and every round is told in order', async () => {
  const sample = linearSample(60);
  await using consortium = await consortiumFor(sample);
  const document = { ...sample.document, training: { ...gradient, rounds: 4 }, ...settings };
  const view = await trainOver(consortium.modelOwner, document);
  const model = parseModel(document);
  const map = compileFeatures(model);
  const records = encodeTable(map, await readTable({ text: textOf(sample) }, model.data_props));
  const { metrics } = trainPooled(model, records);
  assert.ok(Math.abs((view.metrics?.mse ?? 0) - (metrics.mse ?? 1)) < 1e-6 * (metrics.mse ?? 1));

  const text = await (await fetch(`${consortium.modelOwner.url}/models/${view.id}/events`)).text();
  const events = [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? '') as ModelEventRecord);
  assert.deepEqual(
    events.map((event) => event.id),
    events.map((_, index) => index + 1),
  );
  const rounds = events.filter((event) => event.type === 'round');
  assert.deepEqual(
    rounds.map((event) => [event.round?.round, event.updates, event.round?.contributors]),
    [
      [1, 1, 3],
      [2, 2, 3],
      [3, 3, 3],
      [4, 4, 3],
      [5, 4, 3],
    ],
  );
  assert.equal(events.at(-1)?.type, 'finished');
});

test('two trainings run beside each other and do not mix', async () => {
  const sample = linearSample(45);
  await using consortium = await consortiumFor(sample);
  const documents = [{ l2: 0 }, { l2: 0.3 }].map((each) => ({
    ...sample.document,
    training: { ...gradient, rounds: 4, ...each },
    ...settings,
  }));
  const ids = await Promise.all(documents.map((document) => postModel(consortium.modelOwner, document)));
  for (const [index, id] of ids.entries()) {
    assert.equal((await over(consortium.modelOwner, id)).status, 'finished');
    const pooled = await pooledParameters(documents[index], sample);
    assert.ok(difference(await parametersOf(consortium, id), pooled) < 1e-6);
  }
});

test('a missing value that is dropped leaves the same record out as on the pooled data', async () => {
  const whole = linearSample(60);
  const sample: Sample = {
    ...whole,
    rows: whole.rows.map((row, index) => (index % 7 === 0 ? row.replace(/^[^,]+/, 'NA') : row)),
  };
  const [age, ...others] = whole.document.data_props.features;
  const data_props = { ...whole.document.data_props, features: [{ ...age, missing: 'drop' }, ...others] };
  const document = { ...whole.document, data_props, ...settings };
  await using consortium = await consortiumFor(sample);
  const view = await trainOver(consortium.modelOwner, document);
  assert.equal(view.status, 'finished', view.failure?.detail);
  assert.ok(difference(await parametersOf(consortium, view.id), await pooledParameters(document, sample)) < 1e-6);
  assert.deepEqual(
    consortium.owners.map(({ dataOwner }) => dataOwner.jobs().map((job) => [job.records, job.dropped])),
    [[[17, 3]], [[17, 3]], [[17, 3]]],
  );
});

/** What an owner was charged over all entries of its ledger, exactly; a round without privacy must not be among them. */
async function chargedTo({ ledgerStore }: RunningOwner): Promise<Rational> {
  const entries = await ledgerStore.entries();
  return sumRationals(
    entries.map(({ rho }) => {
      assert.ok(rho !== null);
      return rho;
    }),
  );
}

test('with privacy: the statement, the exact charge of every round at every owner, and noise in the result', async () => {
  const sample = logisticSample(90);
  await using consortium = await consortiumFor(sample);
  const privacy = { epsilon: 8, delta: 1e-5 };
  const document = { ...sample.document, training: { ...gradient, rounds: 5 }, privacy, ...settings };
  const view = await trainOver(consortium.modelOwner, document);
  assert.equal(view.status, 'finished', view.failure?.detail);

  // Five updates and the round that evaluates.
  const calibration = calibrate(privacy, 6);
  const { privacy: statement } = view;
  assert.ok(statement.guarantee === 'zero-concentrated differential privacy');
  assert.equal(statement.noise.variance, String(calibration.variance.numerator));
  assert.equal(statement.place, 'model-owner');
  assert.equal(statement.promised.rounds, 6);
  assert.equal(statement.spent.rounds, 6);
  assert.equal(statement.spent.rho.fraction, statement.promised.rho.fraction);
  assert.ok(statement.spent.epsilon !== null && statement.spent.epsilon <= 8);
  assert.match(statement.does_not_protect_against.join(' '), /model owner/);

  for (const owner of consortium.owners) {
    const entries = await owner.ledgerStore.entries();
    assert.deepEqual(
      entries.map(({ job, round, rho }) => ({ job, round, rho })),
      Array.from({ length: 6 }, (_, index) => ({ job: view.id, round: index + 1, rho: calibration.rhoPerRound })),
    );
    assert.equal(compareRationals(await chargedTo(owner), calibration.rhoTotal), 0);
    const shown = await getJson<{ spent_rho: object; rounds: number; unprotected_rounds: number; entries: object[] }>(
      `${owner.url}/ledger`,
    );
    assert.deepEqual(shown.spent_rho, figure(calibration.rhoTotal));
    assert.deepEqual(shown.entries[0], { ...entries[0], rho: figure(calibration.rhoPerRound) });
    assert.equal(shown.rounds, 6);
    assert.equal(shown.unprotected_rounds, 0);
  }

  // Each mean gradient has noise of about a fiftieth of the clip: that all 5 coefficients come out within 1e-6 nevertheless has
  // a chance below 1e-15.
  const [parameters, pooled] = await Promise.all([
    parametersOf(consortium, view.id),
    pooledParameters(document, sample),
  ]);
  assert.ok(difference(parameters, pooled) > 1e-6);
  const prediction = await getJson<PredictionView>(`${consortium.modelOwner.url}/prediction`);
  assert.equal(prediction.privacy, 'zero-concentrated differential privacy');
});

/** A rational as the ledger shows it. */
function figure(value: Rational): object {
  return { numerator: String(value.numerator), denominator: String(value.denominator), value: toNumber(value) };
}

test('8 bits by chance with noise in shares: the promise of every bit, from integers of a hundredth', async () => {
  const sample = logisticSample(900);
  await using consortium = await consortiumFor(sample);
  const privacy = { epsilon: 20, delta: 1e-5, place: 'data-owners' };
  const document = {
    ...sample.document,
    training: { ...gradient, rounds: 5 },
    privacy,
    ...settings,
    encryption: { ...settings.encryption, quantization_bits: 8, rounding: 'stochastic' },
  };
  const view = await trainOver(consortium.modelOwner, document);
  assert.equal(view.status, 'finished', view.failure?.detail);
  const calibration = calibrate({ epsilon: 20, delta: 1e-5 }, 6, { sensitivity: 128n, shares: 2 });
  const { privacy: statement } = view;
  assert.ok(statement.guarantee === 'zero-concentrated differential privacy');
  assert.deepEqual(statement.noise, {
    distribution: 'discrete gaussian',
    variance: String(calibration.variance.numerator),
    sensitivity: '128',
    shares: 2,
  });
  for (const owner of consortium.owners)
    assert.equal(compareRationals(await chargedTo(owner), calibration.rhoTotal), 0);
  // The count of 900 has noise of σ/32 for each of six rounds, which is less than 20.
  assert.ok(toNumber(calibration.variance) * 3 < (20 * 32) ** 2);
  assert.ok((view.metrics?.accuracy ?? 0) > 0.3 && (view.metrics?.accuracy ?? 0) < 1.2);
});

test('noise is added to every value of a sum: two trainings on the same records differ in every coefficient', async () => {
  const sample = linearSample(90);
  await using consortium = await consortiumFor(sample);
  const document = { ...sample.document, privacy: { rho: 50 }, ...settings };
  const views: ModelView[] = [];
  for (let run = 0; run < 2; run++) views.push(await trainOver(consortium.modelOwner, document));
  const [first, second] = await Promise.all(views.map(({ id }) => parametersOf(consortium, id)));
  assert.ok(first !== undefined && second !== undefined);
  const [a, b] = [first.coefficients.flat(), second.coefficients.flat()];
  assert.ok(a.length === 5 && a.every((value, index) => value !== b[index]));
  const { rhoTotal } = calibrate({ rho: 50 }, 1);
  for (const owner of consortium.owners)
    assert.equal(compareRationals(await chargedTo(owner), addRationals(rhoTotal, rhoTotal)), 0);
});

test('a training that drowns in noise fails, and the round whose sum was of no use is spent as well', async () => {
  const sample = linearSample(30);
  await using consortium = await consortiumFor(sample);
  // The noise on the count is symmetric and some 10^6 times the count: all 61 rounds survive it with a chance of 2^-60.
  const document = { ...sample.document, training: { ...gradient, rounds: 60 }, privacy: { rho: 1e-9 }, ...settings };
  const view = await trainOver(consortium.modelOwner, document);
  assert.equal(view.status, 'failed');
  assert.equal(view.failure?.code, 'weight_zero');
  assert.ok(view.privacy.guarantee === 'zero-concentrated differential privacy');
  assert.equal(view.privacy.spent.rounds, (view.last_round?.round ?? 0) + 1);
  const { rhoPerRound } = calibrate({ rho: 1e-9 }, 61);
  const spent = sumRationals(Array.from({ length: view.privacy.spent.rounds }, () => rhoPerRound));
  for (const owner of consortium.owners) assert.equal(compareRationals(await chargedTo(owner), spent), 0);
});

test.run();
