/** Statistics with privacy: what one unit moves a sum by, exactly; how the allowance is divided; what noise leaves of a variance. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import type { WeightedVector } from '../../../src/encoding/contribution.ts';
import { reportOf } from '../../../src/learning/statistics/report.ts';
import { createStatisticsTask, type StatisticsTask, statisticsSums } from '../../../src/learning/statistics/task.ts';
import { pick } from '../generators.ts';
import { modelOf, type Patient, patientsOf, recordsOf, wards } from './setting.ts';

const test = suite('statistics with privacy');

const S = 2n ** 20n;

const weights = fc.record(
  Object.fromEntries(
    ['count', 'moments', 'covariance', 'histograms', 'contingency'].map((kind) => [
      kind,
      fc.double({ min: 0.01, max: 100, noNaN: true }),
    ]),
  ),
);

/** As a data file may have them, the ends of every range among them. */
const patient: fc.Arbitrary<Patient> = fc.record({
  age: fc.option(fc.oneof(fc.constantFrom(0, 120), fc.double({ min: 0, max: 120, noNaN: true })), { nil: undefined }),
  pressure: fc.option(fc.oneof(fc.constantFrom(60, 260), fc.double({ min: 60, max: 260, noNaN: true })), {
    nil: undefined,
  }),
  visits: fc.integer({ min: 0, max: 5 }),
  ward: fc.option(fc.constantFrom(...wards), { nil: undefined }),
  smokes: fc.constantFrom('never', 'some', 'much'),
});

/** Σ Δ², the count's among them, in whole numbers. */
function squaredDistance(left: WeightedVector, right: WeightedVector): bigint {
  return left.values.reduce(
    (sum, value, index) => sum + (value - (right.values[index] ?? 0n)) ** 2n,
    (left.weight - right.weight) ** 2n,
  );
}

const nothing = (task: StatisticsTask): WeightedVector => ({
  weight: 0n,
  values: new Array<bigint>(task.length).fill(0n),
});

test('a record moves a sum by at most S, exactly, whatever it says and however the allowance is divided', async () => {
  let closest = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(patient, { minLength: 2, maxLength: 6 }), weights, async (patients, given) => {
      const task = createStatisticsTask(
        modelOf({ privacy: { rho: 1 }, statistics: { ...modelOf().statistics, weights: given } }),
      );
      const records = await recordsOf(task.model, patients);
      const rest = Array.from({ length: patients.length - 1 }, (_, index) => index + 1);
      const moved = squaredDistance(statisticsSums(task, records), statisticsSums(task, pick(records, rest)));
      assert.ok(moved <= S ** 2n, `${moved}`);
      closest = Math.max(closest, Number(moved) / Number(S ** 2n));
    }),
    { numRuns: 200 },
  );
  assert.ok(closest > 0.5, 'the allowance is not used');
});

test('a record at the ends of all ranges uses the allowance up', async () => {
  const task = createStatisticsTask(modelOf({ privacy: { rho: 1 } }));
  const extreme = { age: 120, pressure: 260, visits: 5, ward: 'west', smokes: 'much' };
  const moved = squaredDistance(statisticsSums(task, await recordsOf(task.model, [extreme])), nothing(task));
  // Shares are whole numbers: each of ten groups and the count loses less than one of some 2^18, and rounding a little more.
  assert.ok(moved <= S ** 2n && Number(moved) > 0.9999 * Number(S ** 2n), `${moved}`);
});

test('an owner moves a sum by at most S, however many records it has', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(patient, { minLength: 1, maxLength: 30 }), weights, async (patients, given) => {
      const privacy = { rho: 1, unit: 'owner' };
      const task = createStatisticsTask(modelOf({ privacy, statistics: { ...modelOf().statistics, weights: given } }));
      const moved = squaredDistance(statisticsSums(task, await recordsOf(task.model, patients)), nothing(task));
      assert.ok(moved <= S ** 2n, `${moved}`);
    }),
    { numRuns: 100 },
  );
});

test('every value stays within the bound that the plan is made for', async () => {
  const task = createStatisticsTask(modelOf({ privacy: { rho: 1 } }));
  const { values, weight } = statisticsSums(task, await recordsOf(task.model, patientsOf(50)));
  assert.equal(weight, 50n * task.weightUnit);
  for (const value of values) assert.ok(value <= 50n * task.valueBound && value >= -50n * task.valueBound);
});

test('a kind that weighs more has less noise, and the others more', () => {
  const asked = modelOf().statistics;
  const sharesOf = (given: object): readonly bigint[] =>
    createStatisticsTask(modelOf({ privacy: { rho: 1 }, statistics: { ...asked, weights: given } })).allowance
      ?.groups ?? [];
  const even = sharesOf({});
  const tables = sharesOf({ contingency: 16 });
  const [first = 0n, last = 0n] = [even[0], even.at(-1)];
  assert.ok((tables.at(-1) ?? 0n) > last && (tables[0] ?? 0n) < first);
  // s² goes with w·c: 16 times the weight is 4 times the share, beside the others.
  const ratio = Number(tables.at(-1)) / Number(tables[0]) / (Number(last) / Number(first));
  assert.ok(Math.abs(ratio - 4) < 1e-3);
});

test('so many statistics that nothing would be left of the allowance are refused by name', () => {
  const contingency = Array.from({ length: 10_000 }, () => ['ward', 'smokes']);
  const asked = {
    histograms: [{ column: 'age', bins: 3 }],
    contingency,
    weights: { histograms: 0.001, contingency: 1000 },
  };
  assert.throws(() => createStatisticsTask(modelOf({ privacy: { rho: 1 }, statistics: asked })), {
    code: 'privacy_invalid',
    field: 'statistics.histograms[0]',
  });
});

test('a variance that noise made negative is null with a reason, and so is all that is made of it; never NaN', async () => {
  const task = createStatisticsTask(
    modelOf({ privacy: { rho: 1 }, statistics: { moments: ['age'], covariance: ['age', 'visits'] } }),
  );
  const alike = Array.from({ length: 5 }, () => ({ age: 50, pressure: 100, visits: 2, ward: 'west', smokes: 'never' }));
  const exact = statisticsSums(task, await recordsOf(task.model, alike));
  for (const shift of [-1, 1, -5, 5]) {
    // The squares of the columns: entry 1 of the moments; entries 2 and 4 of (a, b, a², ab, b²) of the covariance, behind 3.
    const values = exact.values.map((value, index) => ([1, 5, 7].includes(index) ? value + BigInt(shift) * S : value));
    const { moments, covariance } = reportOf(task, { ...exact, values, contributors: 2 }, 2 ** 20);
    const text = JSON.stringify({ moments, covariance });
    const { variance, standard_deviation: deviation } = moments[0] ?? {};
    if (shift > 0) {
      assert.ok((variance?.value ?? 0) > 0 && (deviation?.value ?? 0) > 0);
      continue;
    }
    const reason = 'the noise outweighs the spread: the variance came out at zero or below';
    assert.deepEqual(variance, { value: null, standard_error: null, reason });
    assert.deepEqual(deviation, variance);
    assert.deepEqual(covariance?.covariance[0]?.[0], variance);
    assert.deepEqual(covariance.correlation[0]?.[1], variance);
    assert.deepEqual(covariance.correlation[1]?.[1], variance);
    assert.ok(!/NaN|undefined/.test(text));
  }
  const empty = reportOf(task, { weight: -S, values: exact.values, contributors: 2 }, 2 ** 20);
  assert.equal(empty.moments[0]?.mean.value, null);
  assert.match(empty.moments[0].mean.reason ?? '', /noise outweighs the records/);
  assert.match(empty.covariance?.correlation[0]?.[1]?.reason ?? '', /noise outweighs the records/);
});

test('negative counts are told as they are', async () => {
  const task = createStatisticsTask(modelOf({ privacy: { rho: 1 }, statistics: { histograms: [{ column: 'ward' }] } }));
  const exact = statisticsSums(task, await recordsOf(task.model, patientsOf(3)));
  const { histograms } = reportOf(
    task,
    { ...exact, values: exact.values.map((value) => value - 10n * S), contributors: 2 },
    1,
  );
  assert.ok(histograms[0]?.counts.every((count) => count < 0 && Number.isFinite(count)));
});

test.run();
