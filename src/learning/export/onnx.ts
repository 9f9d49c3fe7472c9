/**
 * A finished model as an ONNX graph in double precision: IR version 7, operator sets ai.onnx 13 and ai.onnx.ml 2
 * (https://github.com/onnx/onnx/blob/main/docs/Operators.md and Operators-ml.md).
 *
 * One input tensor per feature, [rows, 1], by its name: doubles for continuous and discrete ones, texts for ordinal and nominal
 * ones; NaN and the empty text are missing values. Linear models have the output `prediction` [rows, 1] in the target's unit;
 * classifiers `probabilities` [rows, classes] and `label` [rows]. Where the model owner would refuse or drop a row (a value out of
 * its range, an undeclared level, a missing value), the prediction is NaN and the label empty: an answer that is none.
 */
import { SealsumError } from '../../errors.ts';
import type { Feature, LevelFeature, NumericFeature } from '../fields.ts';
import { featureWidth, fieldName, isNumeric } from '../fields.ts';
import { featureScale, imputedValue, rangeScale, scaleValue } from '../scaling.ts';
import { type FittedModel, type FittedRows, fittedRows, uniqueNames } from './fitted-model.ts';
import { machineLearningDomain, OnnxGraph } from './onnx-graph.ts';
import { MessageWriter } from './protobuf.ts';

const irVersion = 7;
const operatorSets = [
  ['', 13],
  [machineLearningDomain, 2],
] as const;

/** A feature with where its columns are among the model's. */
interface Placed<F extends Feature> {
  readonly feature: F;
  readonly column: number;
}

/**
 * A finished model as ONNX.
 *
 * @returns a serialised ModelProto
 * @throws SealsumError plan_mismatch; model_invalid where two features have one name
 */
export function exportOnnx(fitted: FittedModel): Uint8Array<ArrayBuffer> {
  const { map, rows: fittedTo } = fittedRows(fitted);
  const names = map.features.map(fieldName);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new SealsumError('model_invalid', `${twice}: two features have this name, and ONNX tells inputs by it`, {
      field: twice,
    });
  const unique = uniqueNames(names);
  const outputNames = {
    prediction: unique('prediction'),
    probabilities: unique('probabilities'),
    label: unique('label'),
  };
  const graph = new OnnxGraph(unique);
  // A yes-or-no model is one of two classes of which the first has the score 0: the same probabilities, by the same operators.
  const rows =
    map.classes?.length === 2 && fittedTo.length === 1 ? [new Float64Array(map.width), ...fittedTo] : fittedTo;
  const placed = placedFeatures(map.features);
  for (const { feature } of placed)
    graph.input({
      name: fieldName(feature),
      type: isNumeric(feature) ? 'double' : 'string',
      dimensions: [1],
      description: describe(feature),
    });
  const intercepts = graph.doubles(
    'intercept',
    [1, rows.length],
    rows.map(([first = 0]) => first),
  );
  const numeric = placed.filter((each): each is Placed<NumericFeature> => isNumeric(each.feature));
  const levels = placed.filter((each): each is Placed<LevelFeature> => !isNumeric(each.feature));
  const scores = graph.operator('Sum', [
    intercepts,
    ...(numeric.length === 0 ? [] : [numericTerms(graph, numeric, rows)]),
    ...levels.map((each) => levelTerms(graph, each, rows)),
  ]);
  if (map.classes === undefined) writePrediction(graph, map, scores, outputNames.prediction);
  else writeClasses(graph, map.classes, scores, outputNames);
  return modelProto(fitted, graph);
}

function placedFeatures(features: readonly Feature[]): Placed<Feature>[] {
  let column = 1;
  return features.map((feature) => {
    const placed = { feature, column };
    column += featureWidth(feature);
    return placed;
  });
}

function describe(feature: Feature): string {
  const what = isNumeric(feature)
    ? `${feature.type}, within [${(feature.within ?? feature.range).join(', ')}]`
    : `${feature.type}: ${feature.levels.join(', ')}`;
  return feature.description === undefined ? what : `${feature.description} (${what})`;
}

/** Σ θⱼ·clip((vⱼ − midⱼ)/halfⱼ) over the numeric features, all of them at once; NaN for a row in which one is not allowed. */
function numericTerms(
  graph: OnnxGraph,
  placed: readonly Placed<NumericFeature>[],
  rows: readonly Float64Array[],
): string {
  const features = placed.map(({ feature }) => feature);
  const width = features.length;
  const perFeature = (name: string, of: (feature: NumericFeature) => number): string =>
    graph.doubles(name, [1, width], features.map(of));
  const given = graph.operator('Concat', features.map(fieldName), { axis: 1 });
  const values = features.some(isImputed)
    ? graph.operator('Where', [
        graph.operator('Equal', [given, given]),
        given,
        perFeature('imputed', (feature) => (isImputed(feature) ? imputedValue(feature) : Number.NaN)),
      ])
    : given;
  const atLeast = graph.operator('GreaterOrEqual', [values, perFeature('low', (each) => boundsOf(each)[0])]);
  const atMost = graph.operator('LessOrEqual', [values, perFeature('high', (each) => boundsOf(each)[1])]);
  const within = graph.operator('And', [atLeast, atMost]);
  const continuous = features.map(({ type }) => type === 'continuous');
  const isWhole = (): string => graph.operator('Equal', [values, graph.operator('Floor', [values])]);
  const allowed = continuous.every(Boolean)
    ? within
    : graph.operator('And', [
        within,
        graph.operator('Or', [graph.booleans('continuous', [1, width], continuous), isWhole()]),
      ]);
  const centred = graph.operator('Sub', [values, perFeature('middle', (each) => rangeScale(each).mid)]);
  const scaled = graph.operator('Div', [centred, perFeature('half', (each) => rangeScale(each).half)]);
  const fromBelow = graph.operator('Max', [scaled, graph.doubles('least', [], [-1])]);
  const clipped = graph.operator('Min', [fromBelow, graph.doubles('greatest', [], [1])]);
  const used = graph.operator('Where', [allowed, clipped, graph.doubles('none', [], [Number.NaN])]);
  const weights = placed.flatMap(({ column }) => rows.map((row) => row[column] ?? 0));
  return graph.operator('MatMul', [used, graph.doubles('weights', [width, rows.length], weights)]);
}

function isImputed({ missing }: NumericFeature): boolean {
  return typeof missing === 'number';
}

function boundsOf({ within, range }: NumericFeature): readonly [number, number] {
  return within ?? range;
}

/** What each level adds to the scores, looked up; a last line of NaN for what is no level. */
function levelTerms(
  graph: OnnxGraph,
  { feature, column }: Placed<LevelFeature>,
  rows: readonly Float64Array[],
): string {
  const { levels, missing } = feature;
  const isRefused = missing === 'refuse' || missing === 'drop';
  const keys = isRefused ? levels : [...levels, ''];
  const position = graph.operator(
    'LabelEncoder',
    [fieldName(feature)],
    {
      keys_strings: keys,
      values_int64s: keys.map((key) => (key === '' ? imputedValue(feature) : levels.indexOf(key))),
      default_int64: levels.length,
    },
    machineLearningDomain,
  );
  const lines = levels.map((_, level) => rows.map((row) => levelTerm(feature, row, column, level)));
  const table = [...lines.flat(), ...rows.map(() => Number.NaN)];
  const terms = graph.doubles('levels', [levels.length + 1, rows.length], table);
  const found = graph.operator('Gather', [terms, position], { axis: 0 });
  return graph.operator('Squeeze', [found, graph.integers('axis', [1], [1])]);
}

function levelTerm(feature: LevelFeature, row: Float64Array, column: number, level: number): number {
  if (feature.type === 'ordinal') return (row[column] ?? 0) * scaleValue(featureScale(feature), level);
  return level === 0 ? 0 : (row[column + level - 1] ?? 0);
}

function writePrediction(graph: OnnxGraph, { target }: FittedRows['map'], scores: string, name: string): void {
  const { mid, half } = isNumeric(target) ? rangeScale(target) : { mid: 0, half: 1 };
  const stretched = graph.operator('Mul', [scores, graph.doubles('target_half', [], [half])]);
  const predicted = graph.operator('Add', [stretched, graph.doubles('target_middle', [], [mid])]);
  graph.output({ name, type: 'double', dimensions: [1] }, predicted);
}

/** The likeliest class is the first of the greatest scores, as everywhere; where there is no score, the empty text. */
function writeClasses(
  graph: OnnxGraph,
  classes: readonly string[],
  scores: string,
  names: { readonly probabilities: string; readonly label: string },
): void {
  const { length } = classes;
  const likeliest = graph.operator('ArgMax', [scores], { axis: 1, keepdims: 0 });
  const anyScore = graph.operator('Gather', [scores, graph.integers('first', [], [0])], { axis: 1 });
  const isKnown = graph.operator('Equal', [anyScore, anyScore]);
  const chosen = graph.operator('Where', [isKnown, likeliest, graph.integers('no_class', [], [length])]);
  const label = graph.operator('Gather', [graph.strings('classes', [length + 1], [...classes, '']), chosen], {
    axis: 0,
  });
  graph.output({ name: names.label, type: 'string', dimensions: [] }, label);
  const probabilities = graph.operator('Softmax', [scores], { axis: 1 });
  graph.output({ name: names.probabilities, type: 'double', dimensions: [length] }, probabilities);
}

/** ModelProto, with where the model is from as its properties. */
function modelProto({ model, origin }: FittedModel, graph: OnnxGraph): Uint8Array<ArrayBuffer> {
  const { program, ...about } = origin;
  const [producer = program, version = ''] = program.split(' ');
  const target = fieldName(model.data_props.target);
  const properties = Object.entries({ model_type: model.model_type, target, ...about });
  return new MessageWriter()
    .integer(1, irVersion)
    .text(2, producer)
    .text(3, version)
    .text(6, origin.privacy ?? '')
    .message(7, graph.finish(model.model_type, `predicts ${target}`))
    .messages(
      8,
      operatorSets.map(([domain, number]) => new MessageWriter().text(1, domain).integer(2, number)),
    )
    .messages(
      14,
      properties.flatMap(([key, value]) =>
        value === undefined ? [] : [new MessageWriter().text(1, key).text(2, value)],
      ),
    )
    .finish();
}
