/** Standard errors, residuals and calibration over real sockets, beside the same in one process without encryption. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { ModelView } from '../../parties/model-owner/views.ts';
import type { Calibration } from '../../src/learning/inference/diagnostics.ts';
import type { ReportedParameters } from '../../src/learning/inference/standard-errors.ts';
import type { JobView } from '../../src/protocol/job-messages.ts';
import { deal, prepare, relativeDifference } from '../learning/in-process.ts';
import { trainToTheClose } from '../learning/inference/closing.ts';
import { knownOf } from '../learning/inference/data.ts';
import { until } from '../support/until.ts';
import { dealtOut, linearSample, logisticSample, type Sample, softmaxSample, textOf } from './data.ts';
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

const test = suite('standard errors and diagnostics end to end');

const newKey = await oneKey();
const settings = {
  encryption: { key_bits: 2048 },
  participation: { quorum: 2, deadline_seconds: 600, max_records: 200 },
};
const training = { solver: 'gradient', rounds: 24, optimizer: 'sgd', learning_rate: 4, inference: { level: 0.9 } };

/** Classes that overlap by far, on columns that have little to do with each other: gradients come to their end in few rounds. */
function mildSample(count = 150): Sample {
  const { document, header, rows } = logisticSample(count);
  const { features, target } = document.data_props;
  const mild = rows.map((row, index) => {
    const [age = '', visits = ''] = row.split(',');
    const odds = 0.02 * (Number(age) - 50) - 0.15 * (Number(visits) - 5);
    const share = ((index * 61) % count) / count;
    return `${age},${visits},${share < 1 / (1 + Math.exp(-odds)) ? 'yes' : 'no'}`;
  });
  return {
    document: { ...document, data_props: { features: features.slice(0, 2), target } },
    header: header.replace(',ward', ''),
    rows: mild,
  };
}

const consortiumFor = (sample: Sample, more: object = {}): Promise<Consortium> =>
  startConsortium({ data: dealtOut(sample, 3), newKey, ...more });

const parametersOf = ({ url }: { readonly url: string }, id: string): Promise<ReportedParameters> =>
  getJson<ReportedParameters>(`${url}/models/${id}/parameters`);

function calibrationOf({ diagnostics }: ModelView): Calibration {
  assert.ok(diagnostics?.calibration !== undefined);
  return diagnostics.calibration;
}

const totalOf = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

/** Σ of a mean times its number of records. */
function weighted(means: readonly (number | null)[], { counts }: Pick<Calibration, 'counts'>): number {
  return totalOf(counts.map((count, bin) => count * (means[bin] ?? 0)));
}

async function inOneProcess(sample: Sample, document: object) {
  const setting = await prepare(document, { text: textOf(sample) });
  return trainToTheClose(setting, deal(setting, 3));
}

test('a logistic model has the errors and the calibration of the same sums in one process', async () => {
  const sample = mildSample();
  await using consortium = await consortiumFor(sample);
  const { modelOwner, owners } = consortium;
  const document = { ...sample.document, ...settings, training: { ...training, diagnostics: { bins: 5 } } };
  const view = await trainOver(modelOwner, document);
  assert.equal(view.status, 'finished', view.failure?.detail);
  const { descriptor } = await askFacilitator<JobView>(consortium, `/jobs/${view.id}`);
  // 3 columns: 6 entries of information, 3 of the score, 1, and 3 for each bin; the rounds before send 3 and 2 metrics.
  assert.deepEqual([descriptor.plan.length, descriptor.closing_plan?.length], [5, 25]);
  const expected = await inOneProcess(sample, document);
  const known = knownOf(expected.inference);
  const { standard_errors = [], intervals, p_values = [], coefficients } = await parametersOf(modelOwner, view.id);
  assert.ok(relativeDifference(standard_errors, known.standard_errors) < 1e-9);
  assert.ok(relativeDifference(p_values, known.p_values) < 1e-6);
  assert.ok(intervals !== undefined);
  assert.deepEqual([intervals.level, intervals.lower.length], [0.9, coefficients.length]);
  assert.deepEqual(view.diagnostics, expected.diagnostics);
  const plot = await fetch(`${modelOwner.url}/models/${view.id}/plots/calibration.svg`);
  assert.deepEqual([plot.status, plot.headers.get('content-type')], [200, 'image/svg+xml; charset=utf-8']);
  assert.match(plot.headers.get('content-security-policy') ?? '', /default-src 'none'; style-src 'unsafe-inline'/);
  assert.equal(plot.headers.get('cache-control'), 'no-store');
  assert.match(await plot.text(), /^<svg .*For 150 records in 5 bins.*<\/svg>\n$/s);
  const calibration = calibrationOf(view);
  assert.equal(calibration.class, 'yes');
  assert.equal(totalOf(calibration.counts), 150);
  // The intercept's score is 0 at the maximum: what was predicted and what was so are as many.
  assert.ok(Math.abs(weighted(calibration.observed, calibration) - weighted(calibration.predicted, calibration)) < 0.5);
  // 24 updates, one that evaluates, one that closes: every owner has them in its ledger.
  assert.deepEqual([view.updates, view.last_round?.round, view.last_round?.closing], [24, 26, true]);
  for (const { ledgerStore } of owners) assert.equal((await ledgerStore.entries()).length, 26);
  // What one model answers is a start for another, whatever else it says.
  const next = {
    ...training,
    rounds: 1,
    inference: undefined,
    initial_parameters: await parametersOf(modelOwner, view.id),
  };
  const again = await trainOver(modelOwner, { ...document, training: next });
  assert.equal(again.status, 'finished', again.failure?.detail);
  assert.match((await parametersOf(modelOwner, again.id)).inference_unavailable ?? '', /^it was not asked for/);
});

test('normal equations tell of errors at no cost, and of residuals in one round more', async () => {
  const sample = linearSample(120);
  await using consortium = await consortiumFor(sample);
  const { modelOwner } = consortium;
  const plain = await trainOver(modelOwner, { ...sample.document, ...settings });
  assert.deepEqual([plain.status, plain.last_round?.round, plain.diagnostics], ['finished', 1, undefined]);
  const document = { ...sample.document, ...settings, training: { diagnostics: { bins: 8 } } };
  const view = await trainOver(modelOwner, document);
  assert.equal(view.status, 'finished', view.failure?.detail);
  const [first, second] = [await parametersOf(modelOwner, plain.id), await parametersOf(modelOwner, view.id)];
  assert.deepEqual(first, second);
  assert.deepEqual(second.standard_errors, knownOf((await inOneProcess(sample, document)).inference).standard_errors);
  const { residuals, residuals_by_prediction: profile } = view.diagnostics ?? {};
  assert.ok(residuals !== undefined && profile !== undefined);
  assert.equal(totalOf(residuals.counts) + residuals.below + residuals.above, 120);
  assert.equal(totalOf(profile.counts), 120);
  assert.deepEqual([profile.edges[0], profile.edges.at(-1)], [-50, 150]);
  // Four root mean squares to both sides; residuals of a fit with an intercept add up to nothing.
  assert.ok(Math.abs((residuals.edges.at(-1) ?? 0) - 4 * Math.sqrt(view.metrics?.mse ?? 0)) < 1e-6);
  assert.ok(Math.abs(weighted(profile.means, profile)) < 1e-6);
});

test('a softmax model is calibrated by its likeliest class', async () => {
  const sample = softmaxSample(60);
  await using consortium = await consortiumFor(sample);
  const view = await trainOver(consortium.modelOwner, {
    ...sample.document,
    ...settings,
    training: { ...training, rounds: 8, inference: undefined, diagnostics: {} },
  });
  assert.equal(view.status, 'finished', view.failure?.detail);
  const calibration = calibrationOf(view);
  assert.equal(calibration.counts.length, 20);
  assert.equal(calibration.class, undefined);
  assert.ok(Math.abs(weighted(calibration.observed, calibration) / 60 - (view.metrics?.accuracy ?? 0)) < 1e-9);
});

for (const place of ['model-owner.round.sent', 'model-owner.sum.committed'] as const)
  test(`a model owner that is stopped at ${place} of the closing round goes on to the same figures`, async () => {
    const sample = mildSample();
    const document = { ...sample.document, ...settings, training: { ...training, diagnostics: {} } };
    let passed = 0;
    const checkpoint = (at: string): void => {
      if (at === place) passed += 1;
    };
    await using consortium = await consortiumFor(sample, { checkpoint });
    const { cast, facilitator, modelOwner, owners } = consortium;
    const id = await postModel(modelOwner, document);
    // 24 updates, one that evaluates, and the closing round.
    await until(place, () => passed >= 26, patience);
    await modelOwner.stop();
    await using again = await startModelOwner(cast, facilitator.url, { database: modelOwner.database, newKey });
    const view = await over(again, id);
    assert.equal(view.status, 'finished', view.failure?.detail);
    const expected = await inOneProcess(sample, document);
    const found = await parametersOf(again, id);
    assert.ok(relativeDifference(found.standard_errors ?? [], knownOf(expected.inference).standard_errors) < 1e-9);
    assert.deepEqual(view.diagnostics, expected.diagnostics);
    for (const { ledgerStore } of owners) assert.equal((await ledgerStore.entries()).length, 26);
  });

test('what does not go with it is refused when it is posted, by name', async () => {
  const sample = logisticSample(30);
  await using consortium = await consortiumFor(sample);
  const { url } = consortium.modelOwner;
  const cases: readonly (readonly [string, object, string, RegExp])[] = [
    ['inference', { privacy: { rho: 1 } }, 'training.inference', /not with privacy/],
    ['penalty', { training: { ...training, l2: 0.1 } }, 'training.inference', /not with a penalty/],
    ['frozen', { training: { ...training, freeze: ['age'] } }, 'training.inference', /not with training\.freeze/],
    [
      'validation',
      { training: { ...training, validation: {} } },
      'training.inference',
      /not with training\.validation/,
    ],
    ['level', { training: { ...training, inference: { level: 1 } } }, 'training.inference.level', /between 0 and 1/],
    ['bins', { training: { ...training, diagnostics: { bins: 1 } } }, 'training.diagnostics.bins', /from 2 to 100/],
    ['field', { training: { ...training, diagnostics: { width: 1 } } }, 'training.diagnostics.width', /unknown field/],
    ['softmax', softmaxSample(3).document, 'training.inference', /not for SOFTMAX_REGRESSION/],
    ['diagnostics', { training: { diagnostics: {} }, privacy: { rho: 1 } }, 'training.diagnostics', /not with privacy/],
    [
      'encrypted',
      { ...linearSample(3).document, model_visibility: 'encrypted' },
      'training.inference',
      /not where model_visibility is encrypted/,
    ],
  ];
  for (const [name, change, field, why] of cases) {
    const answer = await postJson(`${url}/models`, { ...sample.document, ...settings, training, ...change });
    const problem = (await answer.json()) as { field?: string; detail?: string };
    assert.equal(answer.status, 422, name);
    assert.equal(problem.field, field, name);
    assert.match(problem.detail ?? '', why, name);
  }
  assert.deepEqual(await getJson<{ models: ModelView[] }>(`${url}/models`), { models: [] });
});

test.run();
