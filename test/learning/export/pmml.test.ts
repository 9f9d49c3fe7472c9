/**
 * Exported PMML, and what PMML4S makes of it beside what the model owner predicts.
 *
 * PMML4S (org.pmml4s, Apache-2.0) is a Java library that no package manager of this project has: the tests that need it are skipped
 * unless SEALSUM_PMML4S is a class path with it and what it needs (its jars are also in the Python package pypmml). Where
 * SEALSUM_PMML_SCHEMA is the path of pmml.xsd of PMML 4.4, every file is validated too.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { suite } from 'uvu';
import { exportPmml } from '../../../src/learning/export/pmml.ts';
import { parseModel } from '../../../src/learning/model.ts';
import { type Case, cases, predictionsOf } from './fitted-models.ts';

const test = suite('models exported as PMML');

const { SEALSUM_PMML4S: classPath, SEALSUM_PMML_SCHEMA: schema } = process.env;
const withReader = (name: string, run: () => Promise<void>): void => {
  if (classPath === undefined) test.skip(name, run);
  else test(name, run);
};
if (classPath === undefined) console.log('skipped: SEALSUM_PMML4S names no PMML4S to score with');

type Scores = Readonly<Record<string, number | string | null>>;

/** What PMML4S predicts of every row of every model; one process for all, since a JVM takes its time to start. */
async function score(all: readonly Case[]): Promise<Scores[][]> {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-pmml-'));
  try {
    const lines = await Promise.all(
      all.map(async ({ fitted, rows }, index) => {
        const path = join(folder, `${index}.pmml`);
        await writeFile(path, exportPmml(fitted));
        return `${path}\t${JSON.stringify(rows)}\n`;
      }),
    );
    const program = fileURLToPath(new URL('ScorePmml.java', import.meta.url));
    const { stdout, stderr } = spawnSync(
      'java',
      ['-cp', classPath ?? '', program, ...(schema === undefined ? [] : [schema])],
      { input: lines.join(''), encoding: 'utf8', maxBuffer: 2 ** 26 },
    );
    const answers = stdout.trim().split('\n');
    assert.equal(answers.length, all.length, stderr);
    return answers.map((answer) => {
      assert.ok(!answer.startsWith('!'), answer);
      return JSON.parse(answer) as Scores[];
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** How exact sums in the units of the data can be: by the greatest number in them. */
function tolerance({ fitted: { model } }: Case): number {
  const { target } = model.data_props;
  return 1e-9 * ('range' in target ? Math.max(1, ...target.range.map(Math.abs)) : 1);
}

withReader('the reader predicts what the model owner predicts', async () => {
  const all = fc.sample(cases, 150);
  const scores = await score(all);
  for (const [index, each] of all.entries()) {
    const near = (found: unknown, expected: number): void => {
      assert.ok(typeof found === 'number', JSON.stringify(found));
      assert.ok(Math.abs(found - expected) <= tolerance(each), `${found} and ${expected}`);
    };
    for (const [row, prediction] of predictionsOf(each).entries()) {
      const found = scores[index]?.[row] ?? {};
      if (prediction === null) assert.deepEqual([...new Set(Object.values(found))], [null]);
      else if (typeof prediction === 'number') near(found['predicted y'], prediction);
      else if ('probability' in prediction) near(found[`probability of ${prediction.class}`], prediction.probability);
      else
        for (const [name, probability] of Object.entries(prediction.probabilities))
          near(found[`probability of ${name}`], probability);
    }
  }
});

const model = parseModel({
  model_type: 'LINEAR_REGRESSION',
  data_props: {
    features: [
      { name: 'age', type: 'continuous', range: [0, 100], description: 'years, at "admission"' },
      { name: 'visits', type: 'discrete', range: [0, 10], missing: 4 },
      { name: 'ward', type: 'nominal', levels: ['north', 'a < b & c'], missing: 'north' },
      { name: 'grade', type: 'ordinal', levels: ['low', 'high'] },
    ],
    target: { name: 'days', range: [0, 2] },
  },
});
const origin = {
  program: 'sealsum 0.1.0',
  model: 'an id',
  finished_at: '2026-01-02T03:04:05.000Z',
  privacy: 'no differential privacy',
};
const fitted = { model, parameters: Float64Array.of(0.5, 1, 2, 0.25, 0.125), origin };

withReader('what the model owner would refuse has no result', async () => {
  const sound = { age: 50, visits: 3, ward: 'north', grade: 'low' };
  const refused = [
    { age: -0.001 },
    { age: 100.001 },
    { age: null },
    { visits: 3.5 },
    { visits: 11 },
    { ward: 'roof' },
    { grade: 'none' },
    { grade: null },
  ];
  const rows = [sound, ...refused.map((change) => ({ ...sound, ...change })), { ...sound, visits: null, ward: null }];
  const [scores = []] = await score([{ fitted, rows }]);
  const found = scores.map((row) => row['predicted days']);
  assert.ok(typeof found[0] === 'number' && Math.abs(found[0] - (1 + 0.5 - 0.8 - 0.125)) < 1e-12);
  assert.deepEqual(
    found.slice(1, -1),
    refused.map(() => null),
  );
  assert.ok(typeof found.at(-1) === 'number');
});

test('says what is valid and what becomes of the rest', () => {
  const text = exportPmml(fitted);
  for (const line of [
    '<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4">',
    '<Header description="linear regression fitted to sums of several data owners; no differential privacy" modelVersion="an id">',
    '<Application name="sealsum" version="0.1.0"/>',
    '<Timestamp>2026-01-02T03:04:05.000Z</Timestamp>',
    '<DataField name="age" displayName="years, at &quot;admission&quot;" optype="continuous" dataType="double">',
    '<Interval closure="closedClosed" leftMargin="0" rightMargin="100"/>',
    '<Value value="a &lt; b &amp; c"/>',
    '<MiningField name="age" usageType="active" missingValueTreatment="returnInvalid" invalidValueTreatment="returnInvalid"/>',
    '<MiningField name="visits" usageType="active" missingValueReplacement="4" missingValueTreatment="asValue" invalidValueTreatment="returnInvalid"/>',
    '<RegressionModel functionName="regression" algorithmName="LINEAR_REGRESSION" normalizationMethod="none">',
    '<NumericPredictor name="age" coefficient="0.02"/>',
    '<CategoricalPredictor name="ward" value="a &lt; b &amp; c" coefficient="0.25"/>',
    '<NumericPredictor name="position of grade" coefficient="0.25"/>',
  ])
    assert.ok(text.includes(`${line}\n`), line);
});

test('what XML cannot hold, and columns of one name, are refused', () => {
  const renamed = (name: string, target = 'days'): Parameters<typeof exportPmml>[0] => {
    const changed = parseModel({
      model_type: 'LINEAR_REGRESSION',
      data_props: { features: [{ name, type: 'continuous', range: [0, 1] }], target: { name: target, range: [0, 2] } },
    });
    return { model: changed, parameters: Float64Array.of(0, 1), origin: { program: 'sealsum 0.1.0' } };
  };
  for (const bad of ['\u0001', '\u000B', '\uFFFE'])
    assert.throws(() => exportPmml(renamed(`a${bad}b`)), {
      code: 'model_invalid',
      message: /has the character U\+[0-9A-F]{4}, which XML cannot hold/,
    });
  assert.match(exportPmml(renamed('a\tb\u{1F600}')), /name="a&#9;b\u{1F600}"/u);
  assert.throws(() => exportPmml({ ...fitted, parameters: new Float64Array(3) }), { code: 'plan_mismatch' });
});

test.run();
