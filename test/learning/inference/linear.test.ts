/** Standard errors of least squares, from the sums of one round, against figures that others have published. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import { suite } from 'uvu';
import { SealsumError } from '../../../src/errors.ts';
import { inferenceOf } from '../../../src/learning/inference/standard-errors.ts';
import { parametersInDataUnits } from '../../../src/learning/prediction.ts';
import { restoreTrainer } from '../../../src/learning/trainer.ts';
import { deal, prepare, relativeDifference, type Setting, train } from '../in-process.ts';
import { withData } from '../shared-data.ts';
import { documentOf, knownOf, longley, mtcars, norris, type Published, textOf } from './data.ts';

const test = suite('standard errors of least squares');

const exact = { encryption: { fraction_bits: 48 } };

async function fitOf(published: Published, rest: Record<string, unknown> = exact, wider = 0) {
  const setting = await prepare(documentOf(published, 'LINEAR_REGRESSION', rest, wider), { text: textOf(published) });
  return { setting, ...fittedBy(setting) };
}

function fittedBy(setting: Setting, owners = 3) {
  const trainer = train(setting, deal(setting, owners));
  const { coefficients } = parametersInDataUnits(setting.model, setting.map, trainer.parameters);
  return { trainer, coefficients: coefficients.flat(), inference: trainer.inference };
}

test('Norris: the certified standard deviations of NIST', async () => {
  const { coefficients, inference } = await fitOf(norris);
  const known = knownOf(inference);
  assert.ok(relativeDifference(coefficients, [-0.262323073774029, 1.00211681802045]) < 1e-10);
  assert.ok(relativeDifference(known.standard_errors, [0.232818234301152, 0.429796848199937e-3]) < 1e-9);
  assert.ok(Math.abs((known.residual_standard_error ?? 0) - 0.884796396144373) < 1e-9);
  assert.equal(known.degrees_of_freedom, 34);
  assert.ok(Math.abs((known.p_values[0] ?? 0) - 0.26774674233320234) < 1e-9);
});

test('Longley, whose columns are nearly dependent: the certified ones to seven digits', async () => {
  const { coefficients, inference } = await fitOf(longley);
  const known = knownOf(inference);
  const certified = [
    [-3482258.63459582, 890420.383607373],
    [15.0618722713733, 84.9149257747669],
    [-0.03581917929259, 0.0334910077722432],
    [-2.02022980381683, 0.488399681651699],
    [-1.03322686717359, 0.214274163161675],
    [-0.0511041056535807, 0.22607320006937],
    [1829.15146461355, 455.478499142212],
  ] as const;
  for (const [index, [estimate, error]] of certified.entries()) {
    // Seen: 1e-10 of a standard error, and 3e-12 of it.
    assert.ok(Math.abs((coefficients[index] ?? 0) - estimate) < 1e-7 * error);
    assert.ok(Math.abs((known.standard_errors[index] ?? 0) / error - 1) < 1e-7);
  }
  assert.ok(Math.abs((known.residual_standard_error ?? 0) / 304.854073561965 - 1) < 1e-9);
  assert.equal(known.degrees_of_freedom, 9);
});

test("mtcars: what R's summary(lm(mpg ~ wt + hp)) prints", async () => {
  const { coefficients, inference } = await fitOf(mtcars);
  const { standard_errors, p_values, residual_standard_error, degrees_of_freedom, intervals } = knownOf(inference);
  assert.deepEqual(
    coefficients.map((value) => value.toFixed(5)),
    ['37.22727', '-3.87783', '-0.03177'],
  );
  assert.deepEqual(
    standard_errors.map((value) => value.toFixed(5)),
    ['1.59879', '0.63273', '0.00903'],
  );
  assert.deepEqual(
    p_values.slice(1).map((value) => value.toPrecision(3)),
    ['0.00000112', '0.00145'],
  );
  assert.equal(residual_standard_error?.toFixed(3), '2.593');
  assert.equal(degrees_of_freedom, 29);
  // confint(): t has the quantile 2.04522964213270 at 29 degrees of freedom.
  for (const [index, estimate] of coefficients.entries()) {
    const half = 2.0452296421327 * (standard_errors[index] ?? 0);
    assert.ok(Math.abs((intervals.lower[index] ?? 0) - (estimate - half)) < 1e-9 * Math.abs(estimate));
    assert.ok(Math.abs((intervals.upper[index] ?? 0) - (estimate + half)) < 1e-9 * Math.abs(estimate));
  }
  assert.equal(intervals.level, 0.95);
});

withData(test, 'diabetes.tsv', 'diabetes: the standard errors of a QR decomposition by numpy', async (path) => {
  const features = Array.from({ length: 10 }, (_, column) => ({
    col_idx: column,
    type: 'continuous',
    range: [-0.2, 0.2],
  }));
  const document = {
    model_type: 'LINEAR_REGRESSION',
    data_props: { header: false, features, target: { col_idx: 10, range: [25, 346] } },
  };
  const { inference } = fittedBy(await prepare(document, { path }));
  const expected = [
    2.57585180594, 59.7491859124, 61.222316924, 66.5335620682, 65.4219420402, 416.683925721, 339.034507983,
    212.532589103, 161.475626018, 171.90197368, 65.9842128298,
  ];
  const known = knownOf(inference);
  assert.ok(relativeDifference(known.standard_errors, expected) < 1e-7);
  assert.ok(Math.abs((known.residual_standard_error ?? 0) - 54.1541830015) < 1e-6);
});

test('a range changes no figure, a change of units changes them with it, and whose records they are changes nothing', async () => {
  const plain = await fitOf(mtcars);
  const reference = knownOf(plain.inference);
  for (const wider of [0.3, 5]) {
    const { standard_errors } = knownOf((await fitOf(mtcars, exact, wider)).inference);
    assert.ok(relativeDifference(standard_errors, reference.standard_errors) < 1e-9);
  }
  const pounds = { names: mtcars.names, rows: mtcars.rows.map(([wt = 0, ...others]) => [1000 * wt, ...others]) };
  const rescaled = knownOf((await fitOf(pounds)).inference);
  const factors = [1, 1000, 1];
  assert.ok(
    relativeDifference(
      rescaled.standard_errors.map((error, index) => error * (factors[index] ?? 1)),
      reference.standard_errors,
    ) < 1e-9,
  );
  assert.ok(relativeDifference(rescaled.p_values, reference.p_values) < 1e-8);
  for (const owners of [1, 2, 7, 32]) assert.deepEqual(fittedBy(plain.setting, owners).inference, reference);
});

test('the level is that of the model, and with cross-validation the fit to all folds is told of', async () => {
  const reference = knownOf((await fitOf(mtcars)).inference);
  const wide = knownOf((await fitOf(mtcars, { ...exact, training: { inference: { level: 0.99 } } })).inference);
  assert.deepEqual(wide.standard_errors, reference.standard_errors);
  assert.equal(wide.intervals.level, 0.99);
  // qt(0.995, 29)
  const width = (wide.intervals.upper[1] ?? 0) - (wide.intervals.lower[1] ?? 0);
  assert.ok(Math.abs(width / (2 * 2.756385903670334 * (wide.standard_errors[1] ?? 0)) - 1) < 1e-9);
  const crossed = await fitOf(mtcars, { ...exact, training: { cross_validation: { folds: 3 } } });
  assert.ok(relativeDifference(knownOf(crossed.inference).standard_errors, reference.standard_errors) < 1e-9);
});

test('a trainer that is restored still has them', async () => {
  const { setting, trainer } = await fitOf(mtcars);
  const state = JSON.parse(JSON.stringify(trainer.state())) as ReturnType<typeof trainer.state>;
  assert.deepEqual(restoreTrainer(setting.model, setting.map, setting.task, state).inference, trainer.inference);
});

test('where there are none, it says why', async () => {
  const reasonOf = async (published: Published, rest: Record<string, unknown>): Promise<string> => {
    const { inference } = await fitOf(published, rest);
    return inference !== undefined && 'inference_unavailable' in inference ? inference.inference_unavailable : '';
  };
  assert.match(await reasonOf(mtcars, { training: { l2: 1e-3 } }), /^a penalty \(training\.l1, l2\) shrinks/);
  assert.match(await reasonOf(mtcars, { training: { l1: 1e-3 } }), /^a penalty/);
  assert.match(await reasonOf(mtcars, { privacy: { rho: 1000 } }), /^the noise of differential privacy/);
  const few = { names: mtcars.names, rows: mtcars.rows.slice(0, 3) };
  assert.match(await reasonOf(few, exact), /^there are 3 records for 3 coefficients/);
  const line = { names: ['x', 'y'], rows: [0, 1, 2, 3, 4].map((x) => [x, 2 * x - 1]) };
  assert.match(await reasonOf(line, exact), /^the fit leaves no residuals/);
});

/** Ages when patients came and went, and how long they stayed, in years: each follows from the other two. */
async function staysOf(seed: number, fractionBits: number): Promise<Setting> {
  const draw = gaussians(1_000_003 * seed);
  const rows = Array.from({ length: 60 }, () => {
    const came = Math.min(119, Math.max(1, 50 + 15 * draw())).toFixed(1);
    const stayed = Math.min(0.1, Math.abs(0.02 * draw())).toFixed(3);
    return [came, (Number(came) + Number(stayed)).toFixed(3), stayed, draw().toFixed(2)].join(',');
  });
  const field = (name: string, low: number, high: number) => ({ name, range: [low, high] });
  const features = [field('came', 0, 120), field('went', 0, 120.1), field('stayed', 0, 0.1)];
  const data_props = { features: features.map((each) => ({ ...each, type: 'continuous' })), target: field('y', -9, 9) };
  const document = { model_type: 'LINEAR_REGRESSION', data_props, encryption: { fraction_bits: fractionBits } };
  return prepare(document, { text: ['came,went,stayed,y', ...rows].join('\n') });
}

test('columns that follow from each other have none, whatever rounding makes of the sums', async () => {
  let [solved, factored] = [0, 0];
  for (let seed = 1; seed <= 30; seed += 1) {
    const fractionBits = [16, 40, 48][seed % 3] ?? 0;
    const scale = 2 ** fractionBits;
    const setting = await staysOf(seed, fractionBits);
    const { model, map, records } = setting;
    try {
      const { inference } = fittedBy(setting);
      solved += 1;
      assert.ok(inference !== undefined && 'inference_unavailable' in inference, `${seed}`);
    } catch (error) {
      if (!(error instanceof SealsumError)) throw error;
      assert.equal(error.code, 'matrix_singular');
    }
    // What a closing round gives: three owners' sums, each rounded.
    const information = Matrix.zeros(4, 4);
    for (const part of deal(setting, 3)) {
      const x = new Matrix(Array.from({ length: part.count }, (_, row) => [...part.x.subarray(4 * row, 4 * row + 4)]));
      const own = x.transpose().mmul(x);
      information.add(
        own
          .mul(scale)
          .round()
          .mul(1 / scale),
      );
    }
    if (new CholeskyDecomposition(information).isPositiveDefinite()) factored += 1;
    const resolution = 8 / scale;
    const squares = { residual: 1, rounding: resolution };
    const fit = { parameters: new Float64Array(4), information, resolution, squares, records: records.count };
    const told = inferenceOf(model, map, fit, 0.95);
    assert.ok('inference_unavailable' in told, `${seed}`);
    assert.match(
      told.inference_unavailable,
      /nothing but rounding|rounding may be more than 1 % of its standard error/,
    );
  }
  // Rounding leaves a positive definite matrix as often as not.
  assert.ok(solved > 0 && factored > 0, `${solved}, ${factored}`);
});

/** Normal draws (Box, Muller 1958) from a seed. */
function gaussians(seed: number): () => number {
  let state = seed;
  const next = (): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  return () => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
}

test('intervals of 90 % cover the true slope in 90 % of 600 repetitions', async () => {
  // A fixed seed: it fails always or never. For a random one the count is binomial, 540 ± 7.3; beyond ± 4.5 deviations with a chance of 7e-6.
  const draw = gaussians(20_260_501);
  const repetitions = 600;
  const setting = await prepare(
    {
      model_type: 'LINEAR_REGRESSION',
      data_props: {
        features: [{ name: 'x', type: 'continuous', range: [-5, 15] }],
        target: { name: 'y', range: [-60, 90] },
      },
      training: { inference: { level: 0.9 } },
    },
    { text: 'x,y\n0,0\n1,1' },
  );
  let covered = 0;
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    const rows = Array.from({ length: 8 }, () => {
      const x = Math.max(-5, Math.min(15, 5 + 3 * draw()));
      return [(x - 5) / 10, (2 + 4 * x + 6 * draw() - 15) / 75] as const;
    });
    const records = {
      count: rows.length,
      width: 2,
      x: Float64Array.from(rows.flatMap(([x]) => [1, x])),
      y: Float64Array.from(rows, ([, y]) => y),
      lines: Int32Array.from(rows.keys()),
      dropped: 0,
    };
    const { lower, upper } = knownOf(train(setting, [records]).inference).intervals;
    if ((lower[1] ?? 0) <= 4 && 4 <= (upper[1] ?? 0)) covered += 1;
  }
  assert.ok(Math.abs(covered - 0.9 * repetitions) < 4.5 * Math.sqrt(0.09 * repetitions), `${covered}`);
});

test('errors are never NaN and intervals hold their estimate', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 99 })),
        {
          minLength: 5,
          maxLength: 12,
        },
      ),
      async (rows) => {
        const published = { names: ['a', 'b', 'y'], rows: [...rows, [0, 9, 0], [9, 0, 99]] };
        const fit = await fitOf(published).catch(() => undefined);
        if (fit?.inference === undefined || !('standard_errors' in fit.inference)) return;
        const { standard_errors, intervals, p_values } = fit.inference;
        for (const [index, estimate] of fit.coefficients.entries()) {
          assert.ok((standard_errors[index] ?? 0) > 0);
          assert.ok(
            (intervals.lower[index] ?? Number.NaN) < estimate && estimate < (intervals.upper[index] ?? Number.NaN),
          );
          const p = p_values[index] ?? Number.NaN;
          assert.ok(p >= 0 && p <= 1);
        }
      },
    ),
    { numRuns: 50 },
  );
});

test.run();
