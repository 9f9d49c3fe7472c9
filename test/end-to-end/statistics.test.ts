/** Jobs for statistics over real sockets, beside plain arithmetic on all records in one place. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { ModelView, StatisticsView } from '../../parties/model-owner/views.ts';
import { statisticsTables } from '../../src/cli/statistics-tables.ts';
import { type OwnerPolicy, openPolicy } from '../../src/config/owner-policy.ts';
import { followModel, followStatistics } from '../../src/http/model-owner-client.ts';
import { compileFeatures, encodeTable } from '../../src/learning/features.ts';
import { parseModel } from '../../src/learning/model.ts';
import { trainPooled } from '../../src/learning/pooled.ts';
import { parametersInDataUnits } from '../../src/learning/prediction.ts';
import { reportOf } from '../../src/learning/statistics/report.ts';
import { standardisationOf } from '../../src/learning/statistics/standardisation.ts';
import { createStatisticsTask, statisticsSums } from '../../src/learning/statistics/task.ts';
import { readTable } from '../../src/learning/table.ts';
import { formatRational, rational } from '../../src/privacy/rational.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import { document, modelOf, patientsOf, plainOf, present, recordsOf, textOf } from '../learning/statistics/setting.ts';
import { until } from '../support/until.ts';
import { oneKey } from './keys.ts';
import {
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

const test = suite('statistics end to end');

/** The chance with which any of at most 1000 estimates is so many standard errors off, below 1e-8: 2·(1 − Φ(6.9)) = 5e-12 each. */
const furthest = 6.9;

const newKey = await oneKey();
const patients = patientsOf(120);
const settings = {
  encryption: { key_bits: 2048 },
  participation: { quorum: 2, deadline_seconds: 600, max_records: 200 },
};

/** Three owners with a third of the patients each. */
const data = [0, 1, 2].map((owner) => textOf(patients.filter((_, index) => index % 3 === owner)));

function statisticsOf({ modelOwner }: Consortium, id: string): Promise<StatisticsView> {
  return getJson<StatisticsView>(`${modelOwner.url}/models/${id}/statistics`);
}

test('are those of the pooled records, and a trained model has what they lack', async () => {
  await using consortium = await startConsortium({ data, newKey });
  const { modelOwner, owners } = consortium;
  const view = await trainOver(modelOwner, { ...document, name: 'survey', ...settings });
  assert.equal(view.status, 'finished', view.failure?.detail);
  assert.equal(view.model_type, 'STATISTICS');
  assert.deepEqual([view.updates, view.planned_updates, view.last_round?.round], [1, 1, 1]);
  assert.deepEqual(view.settings.statistics?.moments, ['age', 'pressure', 'visits', 'smokes']);

  const task = createStatisticsTask(modelOf(settings));
  const pooled = reportOf(task, { ...statisticsSums(task, await recordsOf(task.model, patients)), contributors: 3 }, 0);
  const found = await statisticsOf(consortium, view.id);
  assert.deepEqual(found, { model: view.id, name: 'survey', ...pooled, privacy: view.privacy });

  const address = `${modelOwner.url}/models/${view.id}`;
  for (const [what, response] of [
    ['parameters', await fetch(`${address}/parameters`)],
    ['predictions', await postJson(`${address}/predictions`, { rows: [] })],
  ] as const) {
    assert.equal(response.status, 422);
    const { detail, field } = (await response.json()) as { detail: string; field: string };
    assert.equal(detail, `model_type: STATISTICS has no ${what}; ask for its statistics`);
    assert.equal(field, 'model_type');
  }
  assert.deepEqual(await getJson(`${modelOwner.url}/predictions`), { models: [] });
  assert.equal((await fetch(`${modelOwner.url}/prediction`)).status, 404);
  assert.equal((await getJson<{ models: ModelView[] }>(`${modelOwner.url}/models`)).models.length, 1);
  for (const { ledgerStore } of owners)
    assert.deepEqual(
      (await ledgerStore.entries()).map(({ job, round, rho }) => ({ job, round, rho })),
      [{ job: view.id, round: 1, rho: null }],
    );
});

for (const place of ['model-owner.round.sent', 'model-owner.sum.committed'] as const)
  test(`a model owner that is stopped at ${place} goes on, and every owner is charged once`, async () => {
    let reached = false;
    const checkpoint = (at: string): void => {
      if (at === place) reached = true;
    };
    await using consortium = await startConsortium({ data, newKey, checkpoint });
    const { cast, facilitator, modelOwner, owners } = consortium;
    const privacy = { rho: 50 };
    const id = await postModel(modelOwner, { ...document, ...settings, privacy });
    await until(place, () => reached, patience);
    await modelOwner.stop();
    await using again = await startModelOwner(cast, facilitator.url, { database: modelOwner.database, newKey });
    const view = await over(again, id);
    assert.equal(view.status, 'finished', view.failure?.detail);
    const found = await getJson<StatisticsView>(`${again.url}/models/${id}/statistics`);
    assert.ok(Math.abs((found.count.value ?? 0) - patients.length) <= furthest * (found.count.standard_error ?? 0));
    assert.ok(found.privacy.guarantee !== 'no differential privacy' && found.privacy.spent.rounds === 1);
    for (const { ledgerStore } of owners) assert.equal((await ledgerStore.entries()).length, 1);
  });

for (const privacy of [undefined, { rho: 100, clip: 10 }])
  test(`columns are standardised before a training ${privacy === undefined ? 'without' : 'with'} noise, and both are charged`, async () => {
    await using consortium = await startConsortium({ data, newKey });
    const json = {
      model_type: 'LINEAR_REGRESSION',
      data_props: {
        features: [
          { name: 'age', type: 'continuous', standardize: { within: [0, 120], deviations: 1.5 }, missing: 'drop' },
          { name: 'visits', type: 'discrete', range: [0, 5] },
        ],
        target: { name: 'pressure', standardize: { within: [60, 260], deviations: 4 }, missing: 'drop' },
      },
      ...settings,
      ...(privacy === undefined ? {} : { privacy }),
    };
    const trained = await followModel({
      url: consortium.modelOwner.url,
      document: json,
      fetch,
      clock: systemClock,
      signal: new AbortController().signal,
      onProgress: () => undefined,
    });
    const { standardisation } = trained;
    assert.deepEqual(
      standardisation?.moments.map(({ column }) => column),
      ['age', 'pressure'],
    );
    const spent = [standardisation.privacy, trained.privacy].map((each) =>
      each.guarantee === 'no differential privacy' ? 0 : each.spent.rho.number,
    );
    if (privacy === undefined) {
      const ages = present(patients.map(({ age }) => age));
      const { mean, variance } = plainOf(ages);
      assert.ok(Math.abs((standardisation.moments[0]?.mean.value ?? 0) - mean) < 1e-9);
      const model = parseModel(standardisationOf(json)?.training(standardisation));
      const [low = 0, high = 0] = model.data_props.features
        .flatMap((each) => ('range' in each ? each.range : []))
        .slice(0, 2);
      assert.ok(Math.abs(low - Math.max(0, mean - 1.5 * Math.sqrt(variance))) < 1e-9);
      assert.ok(Math.abs(high - Math.min(120, mean + 1.5 * Math.sqrt(variance))) < 1e-9);
      // Some ages are beyond the range, and count as its ends.
      assert.ok(ages.some((age) => age > high || age < low));
      const map = compileFeatures(model);
      const records = encodeTable(map, await readTable({ text: textOf(patients) }, model.data_props));
      const pooled = parametersInDataUnits(model, map, trainPooled(model, records).parameters);
      for (const [index, value] of trained.parameters.coefficients.flat().entries())
        assert.ok(Math.abs(value - (pooled.coefficients.flat()[index] ?? Number.NaN)) < 1e-6);
    } else {
      assert.ok(spent.every((each) => each > 0) && spent[0] !== undefined && spent[1] !== undefined);
      assert.ok(spent[0] + spent[1] <= 100 && spent[0] + spent[1] > 99.9);
    }
    for (const { ledgerStore } of consortium.owners)
      assert.deepEqual(
        (await ledgerStore.entries()).map(({ job, round, rho }) => [job, round, rho !== null]),
        [
          [standardisation.model, 1, privacy !== undefined],
          [trained.id, 1, privacy !== undefined],
        ],
      );
  });

test('an owner that does not release a column takes no part, and a follower reads tables', async () => {
  const policyOf = (owner: string): OwnerPolicy | undefined =>
    owner === 'owner-3' ? { ...openPolicy, features: ['age', 'visits', 'ward', 'smokes'] } : undefined;
  await using consortium = await startConsortium({ data, newKey, policyOf });
  const found = await followStatistics({
    url: consortium.modelOwner.url,
    document: { ...document, ...settings },
    fetch,
    clock: systemClock,
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
  assert.equal(found.contributors, 2);
  const views = await getJson<{ models: ModelView[] }>(`${consortium.modelOwner.url}/models`);
  assert.match(views.models[0]?.owners[2]?.reason ?? '', /does not release: pressure/);
  const text = statisticsTables(found);
  assert.match(text, /^records 80, from 2 data owners\n/);
  assert.match(text, /\ncolumn +count +missing +mean +standard deviation +variance\nage +68 +12 /);
  assert.match(
    text,
    /\ncorrelation, over \d+ records, without \d+ that miss one of these\n +age +pressure +visits\nage +1 /,
  );
  assert.match(text, /\n\[18, 40\) +\d+\n\[40, 65\] +\d+\nabove +\d+\nmissing +\d+\n/);
  assert.match(text, /\nward \\ smokes +never +some +much\nnorth +\d+ +\d+ +\d+\n/);
  assert.match(text, /\n\nno differential privacy$/);
});

for (const [place, unit] of [
  ['model-owner', 'record'],
  ['facilitator', 'owner'],
  ['data-owners', 'record'],
] as const)
  test(`with noise by ${place} for the unit ${unit} they are as near as they say, and every owner is charged`, async () => {
    await using consortium = await startConsortium({ data, newKey });
    // With much rho the noise is a small part of the sums, so that estimates are straight in it.
    const privacy = { rho: unit === 'record' ? 50 : 2e6, place, unit };
    const view = await trainOver(consortium.modelOwner, { ...document, ...settings, privacy });
    assert.equal(view.status, 'finished', view.failure?.detail);
    const found = await statisticsOf(consortium, view.id);
    const task = createStatisticsTask(modelOf({ ...settings, privacy }));
    const shares = await Promise.all(
      [0, 1, 2].map(async (owner) =>
        statisticsSums(
          task,
          await recordsOf(
            task.model,
            patients.filter((_, index) => index % 3 === owner),
          ),
        ),
      ),
    );
    const exact = reportOf(
      task,
      {
        weight: shares.reduce((sum, { weight }) => sum + weight, 0n),
        values: Array.from({ length: task.length }, (_, index) =>
          shares.reduce((sum, { values }) => sum + (values[index] ?? 0n), 0n),
        ),
        contributors: 3,
      },
      0,
    );
    let compared = 0;
    let moved = 0;
    const near = (value: number | null | undefined, right: number | null | undefined, error: number | null): void => {
      assert.ok(typeof value === 'number' && typeof right === 'number' && error !== null && error > 0);
      assert.ok(Math.abs(value - right) <= furthest * error, `${value} is not ${right} ± ${error}`);
      compared += 1;
      if (value !== right) moved += 1;
    };
    near(found.count.value, exact.count.value, found.count.standard_error);
    for (const [index, { mean, variance, standard_deviation: deviation, missing }] of found.moments.entries()) {
      const beside = exact.moments[index];
      near(mean.value, beside?.mean.value, mean.standard_error);
      near(variance.value, beside?.variance.value, variance.standard_error);
      near(deviation.value, beside?.standard_deviation.value, deviation.standard_error);
      if (missing !== undefined) near(missing.value, beside?.missing?.value, missing.standard_error);
    }
    for (const [i, row] of (found.covariance?.covariance ?? []).entries())
      for (const [j, { value, standard_error: error }] of row.entries())
        near(value, exact.covariance?.covariance[i]?.[j]?.value, error);
    for (const [i, row] of (found.covariance?.correlation ?? []).entries())
      for (const [j, { value, standard_error: error }] of row.entries())
        if (i !== j) near(value, exact.covariance?.correlation[i]?.[j]?.value, error);
    for (const [index, { counts, standard_error: error }] of found.histograms.entries())
      for (const [bin, count] of counts.entries()) near(count, exact.histograms[index]?.counts[bin], error);
    for (const [index, { counts, standard_error: error }] of found.contingency.entries())
      for (const [cell, count] of counts.flat().entries())
        near(count, exact.contingency[index]?.counts.flat()[cell], error);
    assert.ok(compared > 60 && compared < 1000 && moved > compared - 5, `${moved} of ${compared}`);

    assert.equal(found.unit, unit);
    assert.ok(found.privacy.guarantee !== 'no differential privacy');
    const { noise, promised, spent } = found.privacy;
    // Two shares of the noise are in every sum at the least, and three owners have added theirs.
    assert.deepEqual([noise.sensitivity, noise.shares], [String(2n ** 20n), place === 'data-owners' ? 2 : undefined]);
    assert.ok(promised.rounds === 1 && promised.rho.number <= privacy.rho && promised.rho.number > 0.999 * privacy.rho);
    const part = place === 'data-owners' ? 2 / 3 : 1;
    assert.ok(Math.abs(spent.rho.number / promised.rho.number - part) < 1e-9);
    for (const { ledgerStore } of consortium.owners) {
      const entries = await ledgerStore.entries();
      assert.deepEqual(
        entries.map((entry) => [entry.job, entry.round, entry.unit, formatRational(entry.rho ?? rational(0n))]),
        [[view.id, 1, unit, promised.rho.fraction]],
      );
    }
  });

test.run();
