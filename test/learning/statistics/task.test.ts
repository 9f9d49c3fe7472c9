/** Statistics without privacy, beside plain arithmetic on all records in one place. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import type { Estimate } from '../../../src/learning/statistics/moments.ts';
import { reportOf, type StatisticsReport } from '../../../src/learning/statistics/report.ts';
import { createStatisticsTask, type StatisticsTask, statisticsSums } from '../../../src/learning/statistics/task.ts';
import { termsOf } from '../../../src/protocol/terms.ts';
import { addUp } from '../in-process.ts';
import {
  columns,
  covarianceOf,
  modelOf,
  type Patient,
  patientsOf,
  plainOf,
  present,
  recordsOf,
  wards,
} from './setting.ts';

const test = suite('statistics');

const model = modelOf();
const task = createStatisticsTask(model);

/** The report of so many owners, to whom the patients are dealt out in turn. */
async function reportFor(
  patients: readonly Patient[],
  owners: number,
  asked: StatisticsTask = task,
): Promise<StatisticsReport> {
  const shares = Array.from({ length: owners }, (_, owner) =>
    patients.filter((_each, index) => index % owners === owner),
  );
  const sums = await Promise.all(
    shares.map(async (share) => statisticsSums(asked, await recordsOf(asked.model, share))),
  );
  return reportOf(asked, { ...addUp(sums), contributors: owners }, 0);
}

/** Relative to how great the column is; 2^-40 of the range is the step of the fixed point. */
function assertNear(found: number | null | undefined, expected: number, scale: number): void {
  assert.ok(Math.abs((found ?? Number.NaN) - expected) <= 1e-11 * scale, `${found} in place of ${expected}`);
}

const numeric = {
  age: ({ age }: Patient): number | undefined => age,
  pressure: ({ pressure }: Patient): number | undefined => pressure,
  visits: ({ visits }: Patient): number | undefined => visits,
  smokes: ({ smokes }: Patient): number | undefined => ['never', 'some', 'much'].indexOf(smokes),
};

function assertEqualsPlain(report: StatisticsReport, patients: readonly Patient[]): void {
  assert.deepEqual(report.count, { value: patients.length, standard_error: 0 });
  for (const { column, count, missing, mean, variance, standard_deviation: deviation } of report.moments) {
    const values = present(patients.map(numeric[column as keyof typeof numeric]));
    assert.equal(count.value, values.length);
    assert.equal(missing?.value ?? 0, patients.length - values.length);
    const plain = plainOf(values);
    if (values.length === 0)
      assert.deepEqual(mean, { value: null, standard_error: null, reason: 'no record has a value' });
    else assertNear(mean.value, plain.mean, 200);
    if (values.length < 2) {
      assert.equal(variance.value, null);
      assert.equal(deviation.value, null);
      assert.match(variance.reason ?? '', /no record has a value|one record has no variance/);
      continue;
    }
    assert.equal(variance.standard_error, 0);
    assertNear(variance.value, plain.variance, 200 ** 2);
    assertNear((deviation.value ?? 0) ** 2, variance.value ?? 0, 200 ** 2);
  }
  const { covariance } = report;
  assert.ok(covariance !== undefined);
  const complete = patients.filter(({ age, pressure }) => age !== undefined && pressure !== undefined);
  assert.equal(covariance.count.value, complete.length);
  assert.equal(covariance.missing?.value, patients.length - complete.length);
  const rows = (['age', 'pressure', 'visits'] as const).map((name) => present(complete.map(numeric[name])));
  if (complete.length > 1)
    for (const [i, left] of rows.entries())
      for (const [j, right] of rows.entries()) {
        assertNear(covariance.covariance[i]?.[j]?.value, covarianceOf(left, right), 200 ** 2);
        const spread = Math.sqrt(covarianceOf(left, left) * covarianceOf(right, right));
        const correlation: Estimate | undefined = covariance.correlation[i]?.[j];
        if (correlation?.value === null) assert.equal(correlation.reason, 'the column is constant');
        else if (spread > 1) assertNear(correlation?.value, covarianceOf(left, right) / spread, 1e6);
      }
  const tally = (fits: (patient: Patient) => boolean): number => patients.filter(fits).length;
  const [ages, pressures, visits, ward] = report.histograms;
  const within = (low: number, high: number, closed: boolean, value: number | undefined): boolean =>
    value !== undefined && value >= low && (closed ? value <= high : value < high);
  assert.deepEqual(ages, {
    column: 'age',
    edges: [18, 40, 65],
    counts: [tally(({ age }) => within(18, 40, false, age)), tally(({ age }) => within(40, 65, true, age))],
    below: tally(({ age = 18 }) => age < 18),
    above: tally(({ age = 65 }) => age > 65),
    missing: tally(({ age }) => age === undefined),
    standard_error: 0,
  });
  assert.deepEqual(pressures?.edges, [60, 110, 160, 210, 260]);
  assert.deepEqual(
    pressures.counts,
    [60, 110, 160, 210].map((low) => tally(({ pressure }) => within(low, low + 50, low === 210, pressure))),
  );
  assert.deepEqual(visits, {
    column: 'visits',
    levels: ['0', '1', '2', '3', '4', '5'],
    counts: [0, 1, 2, 3, 4, 5].map((each) => tally((patient) => patient.visits === each)),
    standard_error: 0,
  });
  assert.deepEqual(
    ward?.counts,
    wards.map((each) => tally((patient) => patient.ward === each)),
  );
  const [table] = report.contingency;
  assert.deepEqual(
    table?.counts,
    wards.map((each) =>
      ['never', 'some', 'much'].map((much) => tally((patient) => patient.ward === each && patient.smokes === much)),
    ),
  );
  assert.equal(
    table.missing,
    tally((patient) => patient.ward === undefined),
  );
}

test('equal plain arithmetic on the pooled records, however they are dealt out', async () => {
  const patients = patientsOf(200);
  const whole = await reportFor(patients, 1);
  assertEqualsPlain(whole, patients);
  for (const owners of [2, 3, 7]) {
    const { contributors, ...rest } = await reportFor(patients, owners);
    assert.equal(contributors, owners);
    assert.deepEqual({ ...rest, contributors: 1 }, whole);
  }
});

const patient: fc.Arbitrary<Patient> = fc.record({
  age: fc.option(fc.constantFrom(0, 17.9, 18, 39.9, 40, 65, 65.1, 120), { nil: undefined }),
  pressure: fc.option(fc.double({ min: 60, max: 260, noNaN: true }), { nil: undefined }),
  visits: fc.integer({ min: 0, max: 5 }),
  ward: fc.option(fc.constantFrom(...wards), { nil: undefined }),
  smokes: fc.constantFrom('never', 'some', 'much'),
});

test('equal plain arithmetic for any records, down to one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(patient, { minLength: 1, maxLength: 12 }), async (patients) => {
      assertEqualsPlain(await reportFor(patients, 1), patients);
    }),
    { numRuns: 150 },
  );
});

test('a variance is exact where the mean is a million times as great as the deviation', async () => {
  const wide = modelOf({
    data_props: { columns: [{ name: 'age', type: 'continuous', range: [-1e6, 1e6] }, ...columns.slice(1)] },
    statistics: { moments: ['age'] },
    encryption: { fraction_bits: 48 },
  });
  const ages = [999_000.5, 999_001, 999_000.75, 999_000];
  const patients = patientsOf(4).map((each, index) => ({ ...each, age: ages[index] }));
  const report = await reportFor(patients, 2, createStatisticsTask(wide));
  // The step of 2^-48 of the range, doubled, beside a deviation of 0.4.
  assert.ok(Math.abs((report.moments[0]?.variance.value ?? 0) - plainOf(ages).variance) < 1e-7);
});

test('counts alone need no more room than the count of records', () => {
  const { plan } = termsOf(modelOf({ statistics: { histograms: [{ column: 'ward' }] } }), 3);
  assert.equal(plan.sumBound, 3n * 2n ** 20n);
  const full = termsOf(model, 3).plan;
  assert.equal(full.sumBound, 3n * 2n ** 100n);
});

test.run();
