/** Finished models with every kind of feature, and rows for them, drawn at random for the properties of this folder. */
import fc from 'fast-check';
import type { FittedModel } from '../../../src/learning/export/fitted-model.ts';
import { familyOf } from '../../../src/learning/families.ts';
import { compileFeatures, encodeRows } from '../../../src/learning/features.ts';
import { type Cell, type Feature, fieldName, isNumeric } from '../../../src/learning/fields.ts';
import { parseModel } from '../../../src/learning/model.ts';
import { type Prediction, predict } from '../../../src/learning/prediction.ts';

export interface Case {
  readonly fitted: FittedModel;
  readonly rows: readonly Readonly<Record<string, Cell>>[];
}

/** Numbers of any size that people measure things in, at most three digits apart from each other within a model. */
const range = fc
  .tuple(fc.double({ min: -1000, max: 1000, noNaN: true }), fc.double({ min: 0.01, max: 1000, noNaN: true }))
  .map(([low, width]): [number, number] => [low, low + width]);
const wholeRange = fc
  .tuple(fc.integer({ min: -50, max: 50 }), fc.integer({ min: 1, max: 100 }))
  .map(([low, width]): [number, number] => [low, low + width]);
const levels = fc.uniqueArray(
  fc.oneof(
    fc.constantFrom('north', 'south', 'east', 'Łódź', 'a "quoted" one', '<b> & c', "it's", '42', 'yes', 'two words'),
    fc.string({ minLength: 1, maxLength: 5, unit: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g') }),
  ),
  { minLength: 2, maxLength: 5 },
);

const continuous = range.chain(([low, high]) =>
  fc.record({
    type: fc.constant('continuous'),
    range: fc.constant([low, high]),
    missing: fc.constantFrom('refuse', 'drop', low + (high - low) / 3),
  }),
);
const widened = range.chain(([low, high]) =>
  fc.record({
    type: fc.constant('continuous'),
    range: fc.constant([low, high]),
    within: fc.constant([low - 7, high + 5]),
    missing: fc.constantFrom('refuse', 'drop', low - 3),
  }),
);
const discrete = wholeRange.chain(([low, high]) =>
  fc.record({
    type: fc.constant('discrete'),
    range: fc.constant([low, high]),
    missing: fc.constantFrom('refuse', 'drop', high),
  }),
);
const levelled = levels.chain((list) =>
  fc.record({
    type: fc.constantFrom('ordinal', 'nominal'),
    levels: fc.constant(list),
    missing: fc.constantFrom('refuse', 'drop', list.at(-1) ?? ''),
  }),
);
const names = ['age', 'label', 'prediction', 'probabilities', 'Größe <cm>', 'a & "b"', 'intercept', 'x[1]'];
const features = fc
  .array(fc.oneof(continuous, widened, discrete, levelled), { minLength: 1, maxLength: 6 })
  .chain((list) =>
    fc
      .shuffledSubarray(names, { minLength: list.length, maxLength: list.length })
      .map((chosen) => list.map((feature, index) => ({ name: chosen[index], ...feature }))),
  );

const targets = fc.oneof(
  range.map((of) => ({ model_type: 'LINEAR_REGRESSION', target: { name: 'y', range: of } })),
  wholeRange.map((of) => ({ model_type: 'LINEAR_REGRESSION', target: { name: 'y', type: 'discrete', range: of } })),
  levels.map((list) => ({ model_type: 'LOGISTIC_REGRESSION', target: { name: 'y', levels: list.slice(0, 2) } })),
  fc.constant({ model_type: 'LOGISTIC_REGRESSION', target: { name: 'y', range: [0, 1] } }),
  fc
    .tuple(levels, fc.constantFrom('nominal', 'ordinal'))
    .map(([list, type]) => ({ model_type: 'SOFTMAX_REGRESSION', target: { name: 'y', type, levels: list } })),
);

/** A value that the model takes: one of the column's, or a missing one. */
function cellOf(feature: Feature): fc.Arbitrary<Cell> {
  const values: fc.Arbitrary<Cell> = isNumeric(feature)
    ? numberOf(feature.type, feature.within ?? feature.range)
    : fc.constantFrom(...feature.levels);
  if (feature.missing === 'refuse') return values;
  return fc.oneof({ weight: 5, arbitrary: values }, { weight: 1, arbitrary: fc.constant(null) });
}

function numberOf(type: string, [low, high]: readonly [number, number]): fc.Arbitrary<number> {
  if (type === 'discrete') return fc.integer({ min: low, max: high });
  return fc.oneof(fc.double({ min: low, max: high, noNaN: true }), fc.constantFrom(low, high));
}

export const cases: fc.Arbitrary<Case> = fc.tuple(targets, features).chain(([{ model_type, target }, list]) => {
  const model = parseModel({
    model_type,
    data_props: { features: list, target },
    training: { solver: 'gradient' },
  });
  const count = familyOf(model).outputs * compileFeatures(model).width;
  const row = fc.record(
    Object.fromEntries(model.data_props.features.map((feature) => [fieldName(feature), cellOf(feature)])),
  );
  const values = fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: count, maxLength: count });
  return fc.tuple(values, fc.array(row, { minLength: 1, maxLength: 6 })).map(([parameters, rows]) => ({
    fitted: {
      model,
      parameters: Float64Array.from(parameters),
      origin: { program: 'sealsum 1.2.3', model: 'an id', name: 'a <name>', privacy: 'no differential privacy' },
    },
    rows,
  }));
});

/** What the model owner predicts. */
export function predictionsOf({ fitted: { model, parameters }, rows }: Case): (Prediction | null)[] {
  const map = compileFeatures(model);
  return predict(model, map, parameters, encodeRows(map, rows));
}
