/**
 * A finished model as a RegressionModel of PMML 4.4 (https://dmg.org/pmml/v4-4-1/Regression.html): coefficients in the data's own
 * units, the declared ranges and levels as what is valid, and what the model owner refuses or drops has no result
 * (`returnInvalid`).
 *
 * Linear models have no normalisation; logistic ones `logit` with the second class first; softmax ones `softmax`. A nominal
 * feature is a categorical predictor. Derived fields, since readers differ in what they make of the attributes that say the same:
 * of an ordinal feature the position of its level; of a discrete one the number where it is whole, and nothing else (readers cut
 * integers off); where values beyond the range count as its nearer end (`within`), that.
 */
import { SealsumError } from '../../errors.ts';
import type { Feature, LevelFeature, Target } from '../fields.ts';
import { featureWidth, fieldName, isNumeric } from '../fields.ts';
import { parametersInDataUnits } from '../prediction.ts';
import { type FittedModel, fittedRows, uniqueNames } from './fitted-model.ts';
import { writeXml, type XmlElement } from './xml.ts';

const namespace = 'http://www.dmg.org/PMML-4_4';
const pmmlVersion = '4.4';

/**
 * A finished model as PMML 4.4.
 *
 * @returns the text of a file
 * @throws SealsumError plan_mismatch; model_invalid where two columns have one name, or a name cannot be written in XML
 */
export function exportPmml(fitted: FittedModel): string {
  const { model, parameters, origin } = fitted;
  const { map } = fittedRows(fitted);
  const { features, target, classes } = map;
  const names = [...features, target].map(fieldName);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new SealsumError('model_invalid', `${twice}: two columns have this name, and PMML tells fields by it`, {
      field: twice,
    });
  const unique = uniqueNames(names);
  const derived = new Map(
    features.flatMap((feature) => {
      const [wish, expression] = derivationOf(feature) ?? [];
      if (wish === undefined || expression === undefined) return [];
      return [[feature, { name: unique(`${wish} ${fieldName(feature)}`), expression }] as const];
    }),
  );
  const { coefficients } = parametersInDataUnits(model, map, parameters);
  const rows = isNested(coefficients) ? coefficients : [coefficients];
  const predictors = (row: readonly number[]): XmlElement[] => predictorsOf(features, derived, row);
  const [programName = origin.program, programVersion] = origin.program.split(' ');
  return writeXml({
    name: 'PMML',
    attributes: { xmlns: namespace, version: pmmlVersion },
    children: [
      {
        name: 'Header',
        attributes: { description: describe(fitted), modelVersion: origin.model },
        children: [
          { name: 'Application', attributes: { name: programName, version: programVersion } },
          ...(origin.finished_at === undefined ? [] : [{ name: 'Timestamp', children: [origin.finished_at] }]),
        ],
      },
      {
        name: 'DataDictionary',
        attributes: { numberOfFields: names.length },
        children: [...features.map(dataField), targetField(target, classes)],
      },
      {
        name: 'RegressionModel',
        attributes: {
          modelName: origin.name,
          functionName: classes === undefined ? 'regression' : 'classification',
          algorithmName: model.model_type,
          normalizationMethod: {
            LINEAR_REGRESSION: 'none',
            LOGISTIC_REGRESSION: 'logit',
            SOFTMAX_REGRESSION: 'softmax',
          }[model.model_type],
        },
        children: [
          {
            name: 'MiningSchema',
            children: [
              ...features.map(miningField),
              { name: 'MiningField', attributes: { name: fieldName(target), usageType: 'target' } },
            ],
          },
          { name: 'Output', children: outputFields(fieldName(target), classes, unique) },
          ...(derived.size === 0
            ? []
            : [{ name: 'LocalTransformations', children: [...derived.values()].map(derivedField) }]),
          ...regressionTables(rows, classes, predictors),
        ],
      },
    ],
  });
}

function describe({ model, origin }: FittedModel): string {
  const what = model.model_type.toLowerCase().replace('_', ' ');
  return `${what} fitted to sums of several data owners${origin.privacy === undefined ? '' : `; ${origin.privacy}`}`;
}

function isNested(coefficients: number[] | number[][]): coefficients is number[][] {
  return Array.isArray(coefficients[0]);
}

function dataField(feature: Feature): XmlElement {
  const common = { name: fieldName(feature), displayName: feature.description };
  if (!isNumeric(feature))
    return levelsField(common, feature.type === 'ordinal' ? 'ordinal' : 'categorical', feature.levels);
  const [low, high] = feature.within ?? feature.range;
  return {
    name: 'DataField',
    attributes: { ...common, optype: 'continuous', dataType: 'double' },
    children: [{ name: 'Interval', attributes: { closure: 'closedClosed', leftMargin: low, rightMargin: high } }],
  };
}

function levelsField(
  common: Readonly<Record<string, string | undefined>>,
  optype: 'ordinal' | 'categorical',
  levels: readonly string[],
): XmlElement {
  return {
    name: 'DataField',
    attributes: { ...common, optype, dataType: 'string' },
    children: levels.map((value) => ({ name: 'Value', attributes: { value } })),
  };
}

/** A prediction may be beyond the target's range, and between whole numbers. */
function targetField(target: Target, classes: readonly string[] | undefined): XmlElement {
  const common = { name: fieldName(target), displayName: target.description };
  if (classes !== undefined) return levelsField(common, 'categorical', classes);
  return { name: 'DataField', attributes: { ...common, optype: 'continuous', dataType: 'double' } };
}

function miningField(feature: Feature): XmlElement {
  const { missing } = feature;
  const isRefused = missing === 'refuse' || missing === 'drop';
  return {
    name: 'MiningField',
    attributes: {
      name: fieldName(feature),
      usageType: 'active',
      ...(isRefused ? {} : { missingValueReplacement: missing }),
      missingValueTreatment: isRefused ? 'returnInvalid' : 'asValue',
      invalidValueTreatment: 'returnInvalid',
    },
  };
}

function outputFields(
  target: string,
  classes: readonly string[] | undefined,
  unique: (wish: string) => string,
): XmlElement[] {
  const field = (name: string, attributes: Readonly<Record<string, string>>): XmlElement => ({
    name: 'OutputField',
    attributes: { name: unique(name), ...attributes },
  });
  if (classes === undefined)
    return [field(`predicted ${target}`, { optype: 'continuous', dataType: 'double', feature: 'predictedValue' })];
  return [
    field(`predicted ${target}`, { optype: 'categorical', dataType: 'string', feature: 'predictedValue' }),
    ...classes.map((value) =>
      field(`probability of ${value}`, { optype: 'continuous', dataType: 'double', feature: 'probability', value }),
    ),
  ];
}

interface Derived {
  readonly name: string;
  readonly expression: XmlElement;
}

function derivedField({ name, expression }: Derived): XmlElement {
  return {
    name: 'DerivedField',
    attributes: { name, optype: 'continuous', dataType: 'double' },
    children: [expression],
  };
}

/** What is derived of a feature before it is used, and what to call that; undefined where it is used as it is. */
function derivationOf(feature: Feature): readonly [wish: string, expression: XmlElement] | undefined {
  const reference: XmlElement = { name: 'FieldRef', attributes: { field: fieldName(feature) } };
  if (!isNumeric(feature)) return feature.type === 'ordinal' ? ['position of', positionOf(feature)] : undefined;
  if (feature.type === 'discrete') {
    const isWhole = apply('equal', apply('floor', reference), reference);
    return ['whole', apply('if', isWhole, reference)];
  }
  if (feature.within === undefined) return undefined;
  const [low, high] = feature.range;
  return ['clipped', apply('min', apply('max', reference, constant(low)), constant(high))];
}

function apply(name: string, ...operands: readonly XmlElement[]): XmlElement {
  return { name: 'Apply', attributes: { function: name }, children: operands };
}

function constant(value: number): XmlElement {
  return { name: 'Constant', attributes: { dataType: 'double' }, children: [String(value)] };
}

/** The position of an ordinal level, counted from 0. */
function positionOf(feature: LevelFeature): XmlElement {
  return {
    name: 'MapValues',
    attributes: { outputColumn: 'position', dataType: 'double' },
    children: [
      { name: 'FieldColumnPair', attributes: { field: fieldName(feature), column: 'level' } },
      {
        name: 'InlineTable',
        children: feature.levels.map((level, index) => ({
          name: 'row',
          children: [
            { name: 'level', children: [level] },
            { name: 'position', children: [String(index)] },
          ],
        })),
      },
    ],
  };
}

/** The predictors of one output, in the order of the standard: numeric ones before categorical ones. */
function predictorsOf(
  features: readonly Feature[],
  derived: ReadonlyMap<Feature, Derived>,
  row: readonly number[],
): XmlElement[] {
  const numeric: XmlElement[] = [];
  const categorical: XmlElement[] = [];
  let column = 1;
  for (const feature of features) {
    const [coefficient = 0] = row.slice(column);
    if (isNumeric(feature) || feature.type === 'ordinal')
      numeric.push({
        name: 'NumericPredictor',
        attributes: { name: derived.get(feature)?.name ?? fieldName(feature), coefficient },
      });
    else categorical.push(...categoricalPredictors(feature, row.slice(column, column + featureWidth(feature))));
    column += featureWidth(feature);
  }
  return [...numeric, ...categorical];
}

/** The first level is the reference, whose coefficient is 0. */
function categoricalPredictors({ levels, ...place }: LevelFeature, coefficients: readonly number[]): XmlElement[] {
  const name = fieldName(place);
  return levels.map((value, level) => ({
    name: 'CategoricalPredictor',
    attributes: { name, value, coefficient: level === 0 ? 0 : (coefficients[level - 1] ?? 0) },
  }));
}

/** For logit the class whose log-odds the coefficients are comes first, and the other one has none. */
function regressionTables(
  rows: readonly (readonly number[])[],
  classes: readonly string[] | undefined,
  predictors: (row: readonly number[]) => XmlElement[],
): XmlElement[] {
  const table = (row: readonly number[], targetCategory: string | undefined): XmlElement => ({
    name: 'RegressionTable',
    attributes: { intercept: row[0] ?? 0, targetCategory },
    children: predictors(row),
  });
  const [only = []] = rows;
  if (classes === undefined) return [table(only, undefined)];
  if (rows.length > 1) return rows.map((row, index) => table(row, classes[index]));
  const [reference, other] = classes;
  return [table(only, other), { name: 'RegressionTable', attributes: { intercept: 0, targetCategory: reference } }];
}
