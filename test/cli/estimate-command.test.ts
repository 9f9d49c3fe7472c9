/** `sealsum estimate`: every kind of job, exactly in bytes, and within 30 % of the seconds of a run for real. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import type { Estimate } from '../../src/cli/estimating/estimate.ts';
import { shapeOf, trialOf } from '../../src/cli/estimating/job-shape.ts';
import { cellsOfRecord, madeUpRecords } from '../../src/cli/estimating/trial-data.ts';
import type { Records } from '../../src/learning/features.ts';
import { compileFeatures, encodeTable } from '../../src/learning/features.ts';
import type { JsonObject } from '../../src/learning/json-object.ts';
import type { AnyModel } from '../../src/learning/model-document.ts';
import { isStatistics } from '../../src/learning/statistics/model.ts';
import { compileColumns, encodeColumns } from '../../src/learning/statistics/records.ts';
import { readTable } from '../../src/learning/table.ts';
import { isEncrypted } from '../../src/learning/task.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { generateKeyPair } from '../../src/paillier/key-generation.ts';
import { encryptParameters, prepareMatrix, seal, sealEncrypted } from '../../src/pipeline.ts';
import { encodeEncryptedParameters } from '../../src/protocol/encrypted-parameters.ts';
import { encodeParameters } from '../../src/protocol/parameters.ts';
import { isOfStatistics } from '../../src/protocol/terms.ts';
import { logisticSample, textOf } from '../end-to-end/data.ts';
import { bundleOf, program, root } from '../support/program.ts';

const run = promisify(execFile);
const test = suite('sealsum estimate');
const { publicKey } = await generateKeyPair({ bits: 2048 });

async function estimateOf(document: object, ...options: string[]): Promise<Estimate> {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-estimate-test-'));
  try {
    const model = join(folder, 'model.json');
    await writeFile(model, JSON.stringify(document));
    const args = [...program('src/cli/main.ts'), 'estimate', model, '--json', ...options];
    // What the trial leaves behind would be found here.
    const env = { ...process.env, TMPDIR: folder };
    const { stdout } = await run(process.execPath, args, { cwd: root, env });
    assert.deepEqual(readdirSync(folder), ['model.json']);
    return JSON.parse(stdout) as Estimate;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface DemoRun {
  readonly seconds_in_all: number;
  readonly bytes_per_owner_round: number;
  readonly rounds: number;
}

/** A run for real: every party a process, as scripts/demo.sh starts them. */
async function demoOf(document: object, csv: string): Promise<DemoRun> {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-estimate-demo-'));
  try {
    await writeFile(join(folder, 'model.json'), JSON.stringify(document));
    await writeFile(join(folder, 'data.csv'), csv);
    const args = ['--data', join(folder, 'data.csv'), '--model', join(folder, 'model.json'), '--json'];
    const bundle = bundleOf('scripts/demo.ts');
    const { stdout } =
      bundle === undefined
        ? await run(join(root, 'scripts/demo.sh'), args, { cwd: root, maxBuffer: 2 ** 26 })
        : await run(process.execPath, [bundle, ...args], { cwd: root, maxBuffer: 2 ** 26 });
    return JSON.parse(stdout) as DemoRun;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const documents: readonly (readonly [string, JsonObject])[] = [
  'linear',
  'logistic',
  'private',
  'softmax',
  'statistics',
  'three-hosts',
].flatMap((folder) =>
  readdirSync(join(root, 'examples', folder))
    .filter((name) => name.endsWith('.json'))
    .map((name): [string, JsonObject] => [
      `examples/${folder}/${name}`,
      JSON.parse(readFileSync(join(root, 'examples', folder, name), 'utf8')) as JsonObject,
    ]),
);

/** With a key that a test has, and whoever the roster names. */
function small(document: JsonObject, more: JsonObject = {}): JsonObject {
  const participation = { ...(document.participation as JsonObject | undefined), roster: undefined };
  return {
    ...document,
    participation,
    encryption: { ...(document.encryption as object | undefined), key_bits: 2048 },
    ...more,
  };
}

async function recordsOf(model: AnyModel, text: string): Promise<Records> {
  const table = await readTable({ text }, model.data_props);
  return isStatistics(model) ? encodeColumns(compileColumns(model), table) : encodeTable(compileFeatures(model), table);
}

for (const [name, given] of documents)
  test(`${name}: made-up records fit, and bytes are those of contributions and parameters to the last`, async () => {
    const variants: JsonObject[] = [small(given)];
    if (given.model_type === 'LOGISTIC_REGRESSION' && given.privacy === undefined) {
      variants.push(small(given, { encryption: { key_bits: 2048, quantization_bits: 16 } }));
      variants.push(small(given, { privacy: { rho: 1, place: 'data-owners' }, participation: { quorum: 3 } }));
      variants.push(small(given, { training: { validation: { fraction: 0.2 }, tolerance: 0.1 } }));
    }
    const encryptor = createEncryptor(publicKey);
    for (const document of variants) {
      const { model, terms, contributionBytes, parameterBytes } = shapeOf(document, 4, 50);
      const records = await recordsOf(model, madeUpRecords(model, 50));
      assert.equal(records.count + records.dropped, 50);
      const { plan } = terms;
      const tags = Array.from({ length: plan.ciphertexts }, () => 1n);
      if (!isOfStatistics(terms) && isEncrypted(terms.task)) {
        const parameters = await encryptParameters(terms.task, encryptor, new Float64Array(terms.task.parameterCount));
        assert.equal(encodeEncryptedParameters(parameters).length, parameterBytes);
        const matrix = await prepareMatrix({ plan, task: terms.task }, records);
        assert.equal((await sealEncrypted({ plan, encryptor }, matrix, parameters, tags)).length, contributionBytes);
      } else {
        const parameters = new Float64Array(isOfStatistics(terms) ? 0 : terms.task.parameterCount);
        assert.equal(encodeParameters(parameters).length, parameterBytes);
        assert.equal(
          (await seal({ plan, encryptor, task: terms.task }, records, parameters, tags)).length,
          contributionBytes,
        );
      }
      // What is tried is a job of its own, with the same plan but for its owners.
      const tried = trialOf(shapeOf(document, 4, 50), cellsOfRecord(model));
      assert.deepEqual([tried.owners, tried.records, tried.rounds], [3, 50, shapeOf(document, 4, 50).rounds]);
      assert.equal(tried.terms.plan.length, plan.length);
    }
  });

const wide: JsonObject = {
  model_type: 'SOFTMAX_REGRESSION',
  data_props: {
    features: Array.from({ length: 2000 }, (_, index) => ({ name: `x${index}`, type: 'continuous', range: [-1, 1] })),
    target: { name: 'y', levels: Array.from({ length: 20 }, (_, index) => `c${index}`) },
  },
  training: { rounds: 7, freeze: ['x3'] },
};

test('of a large job a part is tried: fewer columns, records and owners', () => {
  const job = shapeOf(wide, 100, 1_000_000);
  const tried = trialOf(job, cellsOfRecord(job.model));
  assert.ok(
    job.terms.plan.ciphertexts > 900 && tried.terms.plan.ciphertexts <= 400,
    String(tried.terms.plan.ciphertexts),
  );
  assert.ok(tried.terms.plan.ciphertexts > 100 || tried.terms.plan.ciphertexts < 7);
  assert.equal(tried.owners, 3);
  assert.ok(tried.records <= 150);
  assert.equal(tried.rounds, 8);
});

test('what does not go together is refused by name', () => {
  assert.throws(() => shapeOf(small(wide), 1, 10), { code: 'message_invalid', field: '--owners' });
  assert.throws(() => shapeOf(small(wide, { participation: { max_records: 5 } }), 3, 10), { field: '--records' });
  assert.throws(() => shapeOf({ model_type: 'LINEAR_REGRESSION' }, 3, 10), { code: 'model_invalid' });
});

test('cross-validation is as many jobs, and ranges that are still to be found are taken as wide as may be', () => {
  const { data_props, ...others } = small(
    documents.find(([name]) => name === 'examples/logistic/model.json')?.[1] ?? {},
  );
  const crossed = shapeOf({ ...others, data_props, training: { cross_validation: { folds: 4 } } }, 3, 10);
  assert.equal(crossed.jobs, 5);
  const standardised = shapeOf(
    {
      model_type: 'LINEAR_REGRESSION',
      data_props: {
        features: [{ name: 'x', type: 'continuous', standardize: { within: [-5, 5] } }],
        target: { name: 'y', standardize: { within: [0, 9] } },
      },
    },
    3,
    10,
  );
  assert.equal(standardised.terms.plan.length > 0, true);
});

/** A ratio that is beyond this is wrong. */
const tolerance = 0.3;
/**
 * On a machine that is busy with other things both are measured in turns, and compared by their sums; a busy minute that falls on one of
 * them alone is tried again. If one attempt in ten is spoilt so, one test in a thousand fails. It passed with eight processes for each processor.
 */
const attempts = 3;

test('a run for real sends as many bytes, and takes as long within 30 %', async () => {
  const sample = logisticSample(300);
  const document = {
    ...sample.document,
    training: { rounds: 120 },
    encryption: { key_bits: 2048 },
    participation: { quorum: 3, deadline_seconds: 600 },
  };
  const said: string[] = [];
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    let [estimated, real] = [0, 0];
    for (let turn = 0; turn < 2; turn += 1) {
      const found = await estimateOf(document, '--records', '100');
      const demo = await demoOf(document, textOf(sample));
      assert.equal(found.round.bytes.owner.up, demo.bytes_per_owner_round);
      assert.equal(found.rounds, demo.rounds + 1);
      assert.equal(found.whole.bytes.owner.up, (demo.rounds + 1) * demo.bytes_per_owner_round);
      estimated += found.whole.seconds.together;
      real += demo.seconds_in_all;
    }
    const ratio = estimated / real;
    said.push(`${estimated.toFixed(2)} s for ${real.toFixed(2)} s`);
    if (Math.abs(ratio - 1) <= tolerance) return;
  }
  assert.fail(`the estimate is beyond 30 %: ${said.join('; ')}`);
});

test.run();
