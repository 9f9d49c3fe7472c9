/**
 * examples/python beside real parties: it computes what docs/protocol.md says, trains what pooled plaintext training gives, refuses
 * what it must, and goes on wherever it was killed.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { suite } from 'uvu';
import { compileFeatures, encodeTable } from '../../src/learning/features.ts';
import { parseModel } from '../../src/learning/model.ts';
import { trainPooled } from '../../src/learning/pooled.ts';
import { type DataUnitParameters, parametersInDataUnits } from '../../src/learning/prediction.ts';
import { readTable } from '../../src/learning/table.ts';
import { getJson, over, postModel } from '../end-to-end/parties.ts';
import { environment, example, startPython } from './python-owner.ts';
import { createWorld, fileOf, forPython, gradient, linear, logistic, rows, softmax } from './python-world.ts';

const test = suite('examples/python');

/** So little noise that a model is as good as without: σ² is a few units. */
const littleNoise = { rho: 2 ** 40, clip: 8 };

const trainings: readonly { name: string; document: object; within: number }[] = [
  { name: 'normal equations', document: { ...linear, training: { solver: 'normal-equations' } }, within: 1e-6 },
  { name: 'linear', document: { ...linear, training: { ...gradient, optimizer: 'adam' } }, within: 1e-6 },
  {
    name: 'logistic',
    document: { ...logistic, training: { ...gradient, optimizer: 'momentum', l2: 0.01 } },
    within: 1e-6,
  },
  {
    name: 'in 32 bits, rounded by chance',
    document: {
      ...linear,
      training: gradient,
      encryption: { ...linear.encryption, quantization_bits: 32, rounding: 'stochastic' },
      participation: { ...linear.participation, max_records: 40 },
    },
    within: 1e-4,
  },
  {
    name: 'softmax, records clipped, noise of the facilitator',
    document: { ...softmax, training: gradient, privacy: { ...littleNoise, place: 'facilitator' } },
    within: 1e-3,
  },
];

async function pooledParameters(document: object): Promise<DataUnitParameters> {
  const model = parseModel(document);
  const map = compileFeatures(model);
  const records = encodeTable(map, await readTable({ text: fileOf(rows) }, model.data_props));
  return parametersInDataUnits(model, map, trainPooled(model, records).parameters);
}

/** The greatest |a − b| over all coefficients, beside the greatest |b|. */
function difference(left: DataUnitParameters, right: DataUnitParameters): number {
  const [a, b] = [left.coefficients.flat(), right.coefficients.flat()];
  assert.equal(a.length, b.length);
  return (
    Math.max(...a.map((value, index) => Math.abs(value - (b[index] ?? Number.NaN)))) / Math.max(...b.map(Math.abs))
  );
}

forPython(test, (python) => {
  test('its code computes every vector of docs/protocol.md', () => {
    const page = join(example, '..', '..', 'docs', 'protocol.md');
    const printed = execFileSync(python, [join(example, 'check_page.py'), page], {
      encoding: 'utf8',
      env: environment,
    });
    assert.match(printed, /^[1-9][0-9]* vectors, 0 differences\n$/);
  });

  test('trains what pooled plaintext training gives, in several jobs beside each other', async () => {
    await using world = await createWorld();
    await using running = startPython(python, world.files);
    await running.said(/following the facilitator/);
    const ids = await Promise.all(trainings.map(({ document }) => postModel({ url: world.modelOwner }, document)));
    for (const [index, { name, document, within }] of trainings.entries()) {
      const id = ids[index] ?? '';
      const view = await over({ url: world.modelOwner }, id);
      assert.equal(view.status, 'finished', `${name}: ${view.failure?.detail ?? ''}\n${running.log()}`);
      assert.equal(view.last_round?.contributors, 2);
      const found = await getJson<DataUnitParameters>(`${world.modelOwner}/models/${id}/parameters`);
      const far = difference(found, await pooledParameters(document));
      assert.ok(far < within, `${name}: differs by ${far}`);
      await running.said(new RegExp(`job ${id} is over`));
    }
  });
});

test.run();
