/** Whole trainings over real sockets in which nobody but the model owner sees the parameters. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { suite } from 'uvu';
import type { PredictionView } from '../../parties/model-owner/views.ts';
import { openPolicy } from '../../src/config/owner-policy.ts';
import { compileFeatures, encodeTable } from '../../src/learning/features.ts';
import { parseModel } from '../../src/learning/model.ts';
import { trainPooled } from '../../src/learning/pooled.ts';
import { type DataUnitParameters, parametersInDataUnits } from '../../src/learning/prediction.ts';
import { readTable } from '../../src/learning/table.ts';
import type { JobView } from '../../src/protocol/job-messages.ts';
import type { RoundView } from '../../src/protocol/round-messages.ts';
import { withData } from '../learning/shared-data.ts';
import { dealtOut, linearSample, textOf } from './data.ts';
import { oneKey } from './keys.ts';
import { askFacilitator, type Consortium, getJson, startConsortium, trainOver } from './parties.ts';

const test = suite('encrypted parameters end to end');

const newKey = await oneKey();
const sample = linearSample();
const settings = { encryption: { key_bits: 2048 }, participation: { quorum: 2, deadline_seconds: 60 } };
/** As many as change every coefficient by far more than what is compared; with SLOW=1 those of a training. */
const rounds = process.env.SLOW === undefined ? 8 : 30;
const training = { solver: 'gradient', rounds, optimizer: 'momentum', learning_rate: 0.2, l2: 0.001 };
const hidden = { ...sample.document, model_visibility: 'encrypted', ...settings };

function parametersOf({ modelOwner }: Consortium, id: string): Promise<DataUnitParameters> {
  return getJson<DataUnitParameters>(`${modelOwner.url}/models/${id}/parameters`);
}

async function pooledParameters(document: unknown, text = textOf(sample)): Promise<DataUnitParameters> {
  const model = parseModel(document);
  const map = compileFeatures(model);
  const records = encodeTable(map, await readTable({ text }, model.data_props));
  return parametersInDataUnits(model, map, trainPooled(model, records).parameters);
}

/** The greatest |a − b| / |b| over all coefficients. */
function difference(left: DataUnitParameters, right: DataUnitParameters): number {
  const [a, b] = [left.coefficients.flat(), right.coefficients.flat()];
  assert.deepEqual(left.columns, right.columns);
  return Math.max(...a.map((value, index) => Math.abs(value - (b[index] ?? Number.NaN)) / Math.abs(b[index] ?? 0)));
}

test('rounds on ciphertexts give the coefficients, the cost and the predictions that everybody could see', async () => {
  await using consortium = await startConsortium({ data: dealtOut(sample, 3), newKey });
  const evaluation = { rows: [[50, 3, 'south']] };
  const found: { parameters: DataUnitParameters; prediction: PredictionView }[] = [];
  for (const model_visibility of ['encrypted', 'plain']) {
    const view = await trainOver(consortium.modelOwner, { ...hidden, model_visibility, training, evaluation });
    assert.equal(view.status, 'finished', view.failure?.detail);
    assert.equal(view.updates, rounds);
    const prediction = await getJson<PredictionView>(`${consortium.modelOwner.url}/prediction`);
    assert.equal(prediction.model, view.id);
    found.push({ parameters: await parametersOf(consortium, view.id), prediction });
  }
  const [ours, theirs] = found;
  assert.ok(ours !== undefined && theirs !== undefined);
  assert.ok(difference(ours.parameters, theirs.parameters) < 1e-6);
  assert.ok(difference(ours.parameters, await pooledParameters({ ...hidden, training })) < 1e-6);
  const [cost, expected] = [ours.prediction.cost ?? 0, theirs.prediction.cost ?? 0];
  assert.ok(Math.abs(cost - expected) < 1e-6 * expected);
  const [value, visible] = [ours, theirs].map(({ prediction }) => Number(prediction.predictions[0]));
  assert.ok(value !== undefined && visible !== undefined && Math.abs(value - visible) < 1e-6 * Math.abs(visible));
});

test('a bound that is too small for the fit is told with the model', async () => {
  await using consortium = await startConsortium({ data: dealtOut(sample, 3), newKey });
  const views = [];
  for (const parameter_bound of [0.01, 16])
    views.push(
      await trainOver(consortium.modelOwner, { ...hidden, training: { ...training, rounds: 3, parameter_bound } }),
    );
  assert.deepEqual(
    views.map((view) => [view.status, view.settings.model_visibility, view.at_parameter_bound]),
    [
      ['finished', 'encrypted', true],
      ['finished', 'encrypted', undefined],
    ],
  );
});

test('nobody but the model owner is told a parameter: rounds carry ciphertexts, other ones each time, and the job no start', async () => {
  await using consortium = await startConsortium({ data: dealtOut(sample, 3), newKey });
  const columns = ['intercept', 'age', 'visits', 'ward=south', 'ward=west'];
  const initial_parameters = { columns, coefficients: [0.123, 0, 0, 0, 0], units: 'scaled' };
  const short = { ...training, rounds: 2, learning_rate: 1e-9, initial_parameters };
  const view = await trainOver(consortium.modelOwner, { ...hidden, training: short });
  assert.equal(view.status, 'finished', view.failure?.detail);
  const { descriptor } = await askFacilitator<JobView>(consortium, `/jobs/${view.id}`);
  assert.equal(JSON.stringify(descriptor).includes('0.123'), false);
  const views = await Promise.all(
    [1, 2, 3].map((round) => askFacilitator<RoundView>(consortium, `/jobs/${view.id}/rounds/${round}`)),
  );
  const sent = views.flatMap(({ signed }) => (signed === undefined ? [] : [signed.descriptor]));
  for (const { parameters, encrypted_parameters: ciphertexts = '' } of sent) {
    assert.equal(parameters, '');
    assert.equal(Buffer.from(ciphertexts, 'base64url').length, 5 * 512);
  }
  assert.equal(new Set(sent.map((each) => each.encrypted_parameters)).size, sent.length);
  assert.ok(sent.length > 0);
  const { coefficients } = await parametersOf(consortium, view.id);
  assert.equal(coefficients.length, 5);
});

for (const place of ['model-owner', 'facilitator', 'data-owners'] as const)
  test(`with noise of the ${place}: trains, spends what it promises, and says so`, async () => {
    const privacy = { rho: 1e6, place };
    await using consortium = await startConsortium({
      data: dealtOut(sample, 3),
      newKey,
      policyOf: () => ({ ...openPolicy, trustParameterBound: true }),
    });
    const document = { ...hidden, training: { ...training, rounds: 8, parameter_bound: 2 }, privacy };
    const view = await trainOver(consortium.modelOwner, document);
    assert.equal(view.status, 'finished', view.failure?.detail);
    assert.equal(view.privacy.guarantee, 'zero-concentrated differential privacy');
    const isTold = view.privacy.does_not_protect_against.some((each) => each.includes('beyond their bound'));
    assert.equal(isTold, place !== 'model-owner');
    assert.ok(view.privacy.protects_against.some((each) => each.includes('as ciphertexts')));
    for (const { ledgerStore } of consortium.owners) {
      const entries = await ledgerStore.entries();
      assert.equal(entries.length, 9);
      assert.ok(entries.every(({ rho }) => rho !== null));
    }
    // With so great a rho the noise is next to nothing, and a default clip shortens no record.
    const pooled = await pooledParameters(document);
    const found = await parametersOf(consortium, view.id);
    for (const [index, value] of found.coefficients.flat().entries())
      assert.ok(Math.abs(value - (pooled.coefficients.flat()[index] ?? 0)) < 1, `${found.columns[index]}`);
  });

test('an owner does not take the bound of parameters on trust where others than the model owner add the noise', async () => {
  await using consortium = await startConsortium({ data: dealtOut(sample, 3), newKey });
  const document = { ...hidden, training: { ...training, rounds: 2 }, privacy: { rho: 1, place: 'facilitator' } };
  const view = await trainOver(consortium.modelOwner, document);
  assert.equal(view.status, 'failed');
  assert.equal(view.failure?.code, 'owners_too_few');
  assert.match(view.failure.detail, /policy\.trust_parameter_bound: the parameters are encrypted/);
  for (const { ledgerStore } of consortium.owners) assert.deepEqual(await ledgerStore.entries(), []);
});

withData(
  test,
  'diabetes.tsv',
  'diabetes: rounds on ciphertexts equal the training on pooled plaintext to 1e-6',
  async (path) => {
    const lines = (await readFile(path, 'utf8')).trim().split('\n');
    const features = Array.from({ length: 10 }, (_, col_idx) => ({ col_idx, type: 'continuous', range: [-0.2, 0.2] }));
    const document = {
      ...hidden,
      data_props: { header: false, features, target: { col_idx: 10, range: [0, 400] } },
      training: { solver: 'gradient', rounds },
    };
    const owners = [0, 1, 2].map((owner) => lines.filter((_, index) => index % 3 === owner).join('\n'));
    await using consortium = await startConsortium({ data: owners, newKey });
    const view = await trainOver(consortium.modelOwner, document);
    assert.equal(view.status, 'finished', view.failure?.detail);
    const pooled = await pooledParameters(document, lines.join('\n'));
    assert.ok(difference(await parametersOf(consortium, view.id), pooled) < 1e-6);
  },
);

test.run();
