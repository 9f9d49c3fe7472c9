import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { type ExportedModel, exportJson, readExportedModel } from '../../../src/learning/export/exported-model.ts';
import { compileFeatures } from '../../../src/learning/features.ts';
import { parseModel } from '../../../src/learning/model.ts';
import { parametersInDataUnits } from '../../../src/learning/prediction.ts';
import { readTable } from '../../../src/learning/table.ts';
import { cases, predictionsOf } from './fitted-models.ts';

const test = suite('models exported as JSON');

test('what was exported and read predicts the same, bit for bit', () => {
  fc.assert(
    fc.property(cases, (each) => {
      const read = readExportedModel(exportJson(each.fitted));
      assert.deepEqual(read.predict(each.rows), predictionsOf(each));
    }),
  );
});

test('the coefficients are those in the units of the data', () => {
  fc.assert(
    fc.property(cases, ({ fitted }) => {
      const { document } = readExportedModel(exportJson(fitted));
      const { columns, coefficients, classes } = document;
      const { model, parameters } = fitted;
      // In text, as JSON has but one zero.
      assert.equal(
        JSON.stringify({ columns, coefficients, classes }),
        JSON.stringify(parametersInDataUnits(model, compileFeatures(model), parameters)),
      );
      assert.equal(exportJson(fitted), `${JSON.stringify(document, undefined, 2)}\n`);
    }),
  );
});

const model = parseModel({
  model_type: 'LOGISTIC_REGRESSION',
  data_props: {
    features: [
      { name: 'age', type: 'continuous', range: [0, 100], missing: 'drop' },
      { name: 'ward', type: 'nominal', levels: ['north', 'south'] },
    ],
    target: { name: 'stays', levels: ['no', 'yes'] },
  },
});
const text = exportJson({
  model,
  parameters: Float64Array.of(0.5, -2, 0.25),
  origin: { program: 'sealsum 0.1.0', model: 'an id' },
});

test('rows of a file are predicted like rows of JSON, and refused by line and column', async () => {
  const read = readExportedModel(text);
  const table = await readTable({ text: 'ward,age\nsouth,40\n\nnorth,\n' }, { header: read.header });
  assert.deepEqual(
    read.predictTable(table),
    read.predict([
      { age: 40, ward: 'south' },
      { age: null, ward: 'north' },
    ]),
  );
  assert.equal(read.predictTable(table)[1], null);
  const wrong = await readTable({ text: 'ward,age\nsouth,40\n\nroof,1\n' }, { header: read.header });
  assert.throws(() => read.predictTable(wrong), { code: 'data_invalid', field: 'ward', line: 4 });
  const lacking = await readTable({ text: 'ward\nsouth\n' }, { header: read.header });
  assert.throws(() => read.predictTable(lacking), { code: 'data_invalid', field: 'age' });
  const twice = await readTable({ text: 'age,ward,age\n1,south,2\n' }, { header: read.header });
  assert.throws(() => read.predictTable(twice), /^SealsumError: age: the header has this column twice$/);
});

test('what is no such document, or contradicts itself, is refused by its field', () => {
  const sound = JSON.parse(text) as ExportedModel;
  const nonsense: readonly (readonly [document: unknown, field: string | undefined, message: RegExp])[] = [
    [undefined, undefined, /the exported model is not JSON/],
    [null, 'model', /expected an object/],
    [{}, 'format', /expected sealsum-model: this is not a model/],
    [{ ...sound, format_version: 2 }, 'format_version', /expected 1: a later version/],
    [{ ...sound, weights: [] }, 'weights', /unknown field; remove it/],
    [{ ...sound, origin: { ...sound.origin, place: '' } }, 'origin.place', /unknown field/],
    [{ ...sound, model_type: 'TREE' }, 'model_type', /expected one of LINEAR_REGRESSION/],
    [{ ...sound, model_type: 'SOFTMAX_REGRESSION' }, 'scaled_parameters', /expected 6 for this model, not 3/],
    [{ ...sound, data_props: { ...sound.data_props, features: [] } }, 'data_props.features', /at least 1 feature/],
    [{ ...sound, data_props: { ...sound.data_props, target: 3 } }, 'data_props.target', /expected an object/],
    [{ ...sound, scaled_parameters: [1, 2] }, 'scaled_parameters', /expected 3 for this model, not 2/],
    [{ ...sound, scaled_parameters: [1, 2, null] }, 'scaled_parameters[2]', /expected a number/],
    [{ ...sound, coefficients: [0.5, -0.04, 0.25] }, 'coefficients', /do not follow from scaled_parameters/],
    [{ ...sound, columns: ['intercept', 'age', 'ward=west'] }, 'columns', /does not follow from model_type/],
    [{ ...sound, classes: ['yes', 'no'] }, 'classes', /does not follow/],
    [{ ...sound, classes: undefined }, 'classes', /does not follow/],
    [{ ...sound, link: 'identity' }, 'link', /does not follow/],
  ];
  for (const [document, field, message] of nonsense)
    assert.throws(
      () => readExportedModel(document === undefined ? '{' : JSON.stringify(document)),
      { code: 'model_invalid', field, message },
      message.source,
    );
});

test('parameters of another model are not exported', () => {
  assert.throws(() => exportJson({ model, parameters: new Float64Array(4), origin: { program: 'sealsum 0.1.0' } }), {
    code: 'plan_mismatch',
    field: 'parameters',
  });
});

test.run();
