/** Penalties, freezing, warm starts, early stopping and cross-validation over real sockets, beside the same on pooled plaintext. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { ModelView, PredictionView } from '../../parties/model-owner/views.ts';
import { followModel } from '../../src/http/model-owner-client.ts';
import { compileFeatures, encodeTable } from '../../src/learning/features.ts';
import { foldTrainingsOf } from '../../src/learning/fold-trainings.ts';
import { parseModel } from '../../src/learning/model.ts';
import { type PooledFit, trainPooled } from '../../src/learning/pooled.ts';
import { type DataUnitParameters, parametersInDataUnits } from '../../src/learning/prediction.ts';
import { readTable } from '../../src/learning/table.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import type { JobView } from '../../src/protocol/job-messages.ts';
import { until } from '../support/until.ts';
import { dealtOut, linearSample, type Sample, softmaxSample } from './data.ts';
import { oneKey } from './keys.ts';
import {
  askFacilitator,
  type Consortium,
  getJson,
  over,
  patience,
  postJson,
  postModel,
  startConsortium,
  startModelOwner,
  trainOver,
} from './parties.ts';

const test = suite('options of a training end to end');

const newKey = await oneKey();
const settings = { encryption: { key_bits: 2048 }, participation: { quorum: 2, deadline_seconds: 60 } };
const gradient = { solver: 'gradient', rounds: 12, optimizer: 'adam', learning_rate: 0.1 };

const consortiumFor = (sample: Sample): Promise<Consortium> => startConsortium({ data: dealtOut(sample, 3), newKey });

/** The same on the records of all owners in one place. */
async function pooled(
  document: unknown,
  sample: Sample,
): Promise<PooledFit & { readonly inUnits: DataUnitParameters }> {
  const model = parseModel(document);
  const map = compileFeatures(model);
  const tables = await Promise.all(dealtOut(sample, 3).map((text) => readTable({ text }, model.data_props)));
  const fit = trainPooled(
    model,
    tables.map((table) => encodeTable(map, table)),
  );
  return { ...fit, inUnits: parametersInDataUnits(model, map, fit.parameters) };
}

const parametersOf = ({ url }: { readonly url: string }, id: string): Promise<DataUnitParameters> =>
  getJson<DataUnitParameters>(`${url}/models/${id}/parameters`);

/** Of one fit from another, relative to the greatest coefficient. */
function apart(left: DataUnitParameters, right: DataUnitParameters): number {
  const [a, b] = [left.coefficients.flat(), right.coefficients.flat()];
  assert.equal(a.length, b.length);
  const greatest = Math.max(...b.map(Math.abs));
  return Math.max(...a.map((value, index) => Math.abs(value - (b[index] ?? Number.NaN)))) / greatest;
}

test('goes on from the parameters of another model with an L1 penalty, a part of them frozen and not sent', async () => {
  const sample = softmaxSample(60);
  await using consortium = await consortiumFor(sample);
  const { modelOwner } = consortium;
  const first = await trainOver(modelOwner, { ...sample.document, training: gradient, ...settings });
  assert.equal(first.status, 'finished', first.failure?.detail);
  const initial_parameters = await parametersOf(modelOwner, first.id);
  const training = { ...gradient, optimizer: 'momentum', l1: 0.02, l2: 0.01, freeze: ['ward'], initial_parameters };
  const document = { ...sample.document, training, ...settings };
  const view = await trainOver(modelOwner, document);
  assert.equal(view.status, 'finished', view.failure?.detail);
  const fitted = await parametersOf(modelOwner, view.id);
  const { inUnits } = await pooled(document, sample);
  assert.ok(apart(fitted, inUnits) < 1e-6, `differs by ${apart(fitted, inUnits)}`);
  const wards = ({ coefficients }: DataUnitParameters): number[] =>
    (coefficients as number[][]).flatMap((row) => row.slice(3));
  for (const [index, value] of wards(fitted).entries())
    assert.ok(Math.abs(value - (wards(initial_parameters)[index] ?? Number.NaN)) < 1e-9);
  // Two wards fewer for each of three classes are in the plan that every owner has agreed to.
  const length = async (id: string): Promise<number> =>
    (await askFacilitator<JobView>(consortium, `/jobs/${id}`)).descriptor.plan.length;
  assert.equal((await length(first.id)) - (await length(view.id)), 6);
  assert.ok(!JSON.stringify(view.settings).includes('coefficients'));

  // One that does not fit is refused before anything is asked of anybody.
  const unfit = { ...training, initial_parameters: { ...initial_parameters, columns: ['intercept', 'age'] } };
  const answer = await postJson(`${modelOwner.url}/models`, { ...sample.document, training: unfit, ...settings });
  const { code, detail } = (await answer.json()) as { code?: string; detail?: string };
  assert.equal(answer.status, 422, `${code}`);
  assert.match(
    detail ?? '',
    /^training\.initial_parameters\.columns: expected every column of the model; missing: visits, /,
  );
  assert.equal((await getJson<{ models: unknown[] }>(`${modelOwner.url}/models`)).models.length, 2);
});

test('stops early by a loss that is summed over all owners, and is stopped and started itself: the best parameters are kept', async () => {
  const sample = linearSample(120);
  await using consortium = await consortiumFor(sample);
  const { cast, facilitator } = consortium;
  const training = { ...gradient, optimizer: 'sgd', learning_rate: 0.3, rounds: 400 };
  const validation = { fraction: 0.3, patience: 6, minimum_improvement: 0.0002, seed: 5 };
  const document = { ...sample.document, training: { ...training, validation }, ...settings };
  const expected = await pooled(document, sample);
  const { keptRound = 0 } = expected;
  assert.ok(expected.rounds < 400 && keptRound > 0 && keptRound === expected.rounds - 6);
  const id = await postModel(consortium.modelOwner, document);
  const seen = (url: string): Promise<ModelView> => getJson<ModelView>(`${url}/models/${id}`);
  const past = (url: string, updates: number): Promise<void> =>
    until(`${updates} updates`, async () => (await seen(url)).updates >= updates, patience);
  await past(consortium.modelOwner.url, 2);
  assert.equal((await seen(consortium.modelOwner.url)).status, 'training');
  await consortium.modelOwner.stop();
  const { database } = consortium.modelOwner;
  const next = await startModelOwner(cast, facilitator.url, { newKey, database });
  try {
    const view = await over(next, id);
    assert.equal(view.status, 'finished', view.failure?.detail);
    assert.deepEqual([view.updates, view.kept_update, view.planned_updates], [expected.rounds, keptRound, 400]);
    assert.ok(apart(await parametersOf(next, id), expected.inUnits) < 1e-6);
    const { validation_mse: kept = 0 } = view.metrics ?? {};
    assert.ok(Math.abs(kept / (expected.metrics.validation_mse ?? 0) - 1) < 1e-6);
    assert.notEqual(view.last_round?.metrics?.validation_mse, kept, 'the last round measured others');
    assert.equal(view.last_round?.round, expected.rounds + 1);
    assert.equal((await askFacilitator<JobView>(consortium, `/jobs/${id}`)).status, 'finished');
  } finally {
    await next.stop();
  }
});

test('k fits and how each of them does come from one round', async () => {
  const sample = linearSample(120);
  await using consortium = await consortiumFor(sample);
  const training = { solver: 'normal-equations', l1: 0.01, cross_validation: { folds: 5 } };
  const document = { ...sample.document, training, ...settings };
  const view = await trainOver(consortium.modelOwner, document);
  assert.equal(view.status, 'finished', view.failure?.detail);
  assert.equal(view.last_round?.round, 1);
  const { crossValidation: expected, inUnits } = await pooled(document, sample);
  assert.ok(apart(await parametersOf(consortium.modelOwner, view.id), inUnits) < 1e-6);
  const { cross_validation: crossed } = view;
  assert.ok(crossed !== undefined && expected !== undefined);
  assert.deepEqual(
    crossed.folds.map(({ records = Number.NaN }) => Math.round(records)),
    expected.folds.map(({ records }) => records),
  );
  for (const [fold, { metrics }] of crossed.folds.entries())
    assert.ok(Math.abs(metrics.loss / (expected.folds[fold]?.metrics.loss ?? 0) - 1) < 1e-6);
  for (const part of ['mean', 'standard_deviation'] as const)
    assert.ok(Math.abs((crossed[part].mse ?? 0) / (expected[part].mse ?? 0) - 1) < 1e-6);
  const prediction = await getJson<PredictionView>(`${consortium.modelOwner.url}/prediction`);
  assert.deepEqual(prediction.cross_validation, crossed);
});

test('a gradient is cross-validated by a training without each fold, and all that its owners promise is one promise', async () => {
  const sample = softmaxSample(90);
  await using consortium = await consortiumFor(sample);
  const training = { ...gradient, rounds: 4, l2: 0.01, cross_validation: { folds: 3, seed: 7 } };
  const document = { ...sample.document, training, ...settings };
  const progress: string[] = [];
  const follow = (asked: unknown): ReturnType<typeof followModel> =>
    followModel({
      url: consortium.modelOwner.url,
      document: asked,
      fetch,
      clock: systemClock,
      signal: new AbortController().signal,
      onProgress: (done, planned) => {
        progress.push(`${done}/${planned}`);
      },
    });
  const found = await follow(document);
  assert.equal(progress.at(-1), '16/16');
  const trainings = foldTrainingsOf(document);
  assert.ok(trainings !== undefined && found.crossValidation !== undefined);
  const { folds, mean } = found.crossValidation;
  assert.equal(folds.length, 3);
  let sum = 0;
  for (const [index, each] of trainings.folds.entries()) {
    const { metrics } = await pooled(each, sample);
    const fold = folds[index]?.metrics;
    assert.ok(Math.abs((fold?.loss ?? 0) / (metrics.validation_loss ?? 0) - 1) < 1e-6);
    assert.ok(Math.abs((fold?.accuracy ?? 0) - (metrics.validation_accuracy ?? 1)) < 1e-9);
    sum += metrics.validation_loss ?? 0;
  }
  assert.ok(Math.abs((mean.loss ?? 0) - sum / 3) < 1e-6);
  const { inUnits } = await pooled(trainings.all, sample);
  assert.ok(apart(found.parameters, inUnits) < 1e-6);
  assert.deepEqual((found.answer as { cross_validation?: unknown }).cross_validation, found.crossValidation);

  const before = await Promise.all(
    consortium.owners.map(async ({ ledgerStore }) => (await ledgerStore.entries()).length),
  );
  await follow({ ...document, privacy: { rho: 1000 } });
  for (const [index, { ledgerStore }] of consortium.owners.entries()) {
    const charged = (await ledgerStore.entries()).slice(before[index]);
    assert.equal(charged.length, 4 * 5);
    const rho = charged.reduce(
      (total, entry) => total + Number(entry.rho?.numerator) / Number(entry.rho?.denominator),
      0,
    );
    assert.ok(rho <= 1000 && rho > 999.99, `${rho}`);
  }
});

test('with privacy: a validation loss with the noise of everything else, from rounds that are charged as they were before', async () => {
  const sample = linearSample(900);
  await using consortium = await consortiumFor(sample);
  const privacy = { rho: 1000, place: 'data-owners' };
  const training = { ...gradient, rounds: 5, validation: { fraction: 0.3, patience: 10 } };
  const document = { ...sample.document, training, ...settings };
  const view = await trainOver(consortium.modelOwner, { ...document, privacy });
  assert.equal(view.status, 'finished', view.failure?.detail);
  const exact = await pooled(document, sample);
  const [loss = 0, bare = 0] = [view.metrics?.validation_loss, exact.metrics.validation_loss];
  // Noise as of a tenth of a record or so on each sum over 270 of them; gradients longer than the clip are shortened.
  assert.ok(loss !== bare && Math.abs(loss - bare) < 0.05, `${loss}, ${bare}`);
  for (const { ledgerStore } of consortium.owners)
    assert.deepEqual(
      (await ledgerStore.entries()).map(({ round }) => round),
      [1, 2, 3, 4, 5, 6],
    );
});

test.run();
