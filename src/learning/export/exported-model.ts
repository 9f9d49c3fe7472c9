/**
 * A finished model as one JSON document that needs nobody: `sealsum-model`, format 1. Whoever has the document predicts what the
 * model owner predicts, bit for bit, since the parameters in it are those in scaled units that the model owner computes with. The
 * coefficients in the data's own units are for people and other programs; the reader computes them again and refuses a document in
 * which the two differ.
 */
import { z } from 'zod';
import { SealsumError } from '../../errors.ts';
import type { FeatureMap } from '../features.ts';
import { encodeRows } from '../features.ts';
import type { Feature, FeatureRow, Target } from '../fields.ts';
import { isJsonObject } from '../json-object.ts';
import { parseModel } from '../model.ts';
import type { Model, ModelType } from '../model-types.ts';
import { type Prediction, parametersInDataUnits, predict } from '../prediction.ts';
import { describeIssues, refuse } from '../problems.ts';
import type { Table } from '../table.ts';
import { encodeTableRows } from '../table-rows.ts';
import { type ExportOrigin, type FittedModel, fittedRows } from './fitted-model.ts';

const formatName = 'sealsum-model';
const formatVersion = 1;

/** How scores become predictions: `identity`, the probability of the second class by the logistic function, or softmax. */
export type Link = 'identity' | 'logit' | 'softmax';

const links: Readonly<Record<ModelType, Link>> = {
  LINEAR_REGRESSION: 'identity',
  LOGISTIC_REGRESSION: 'logit',
  SOFTMAX_REGRESSION: 'softmax',
};

/** The document. */
export interface ExportedModel {
  readonly format: typeof formatName;
  readonly format_version: typeof formatVersion;
  readonly origin: ExportOrigin;
  readonly model_type: ModelType;
  /** As in model.json, with every default. */
  readonly data_props: { readonly header: boolean; readonly features: readonly Feature[]; readonly target: Target };
  readonly link: Link;
  /** `intercept`, then the columns of the features. */
  readonly columns: readonly string[];
  /** In the data's own units, as `GET /models/{id}/parameters` gives them. */
  readonly coefficients: readonly number[] | readonly (readonly number[])[];
  /** Classifiers: the classes; for logistic regression the coefficients are those of the second. */
  readonly classes?: readonly string[] | undefined;
  /** Of columns and target scaled to [−1, 1]: outputs × columns, row by row. */
  readonly scaled_parameters: readonly number[];
}

/** @throws SealsumError plan_mismatch where there are not as many parameters as the model has */
export function exportDocument(fitted: FittedModel): ExportedModel {
  const { model, parameters, origin } = fitted;
  const { header, features, target } = model.data_props;
  const { map } = fittedRows(fitted);
  const { columns, coefficients, classes } = parametersInDataUnits(model, map, parameters);
  return {
    format: formatName,
    format_version: formatVersion,
    origin,
    model_type: model.model_type,
    data_props: { header, features, target },
    link: links[model.model_type],
    columns,
    coefficients,
    ...(classes === undefined ? {} : { classes }),
    scaled_parameters: [...parameters],
  };
}

/** The document as the text of a file. @throws SealsumError as exportDocument() */
export function exportJson(fitted: FittedModel): string {
  return `${JSON.stringify(exportDocument(fitted), undefined, 2)}\n`;
}

/** A model that was read from its document. */
export interface ExportedPredictor {
  readonly document: ExportedModel;
  /** What its columns are made of. */
  readonly map: FeatureMap;
  /** How files of rows to predict are read: whether their first line names the columns. */
  readonly header: boolean;
  /**
   * One prediction for every row, as the model owner would give it; null for a row that a missing value drops.
   *
   * @param rows without the target, as POST /models/{id}/predictions takes them
   * @throws SealsumError data_invalid with field such as `rows[2].age`
   */
  predict(rows: readonly FeatureRow[]): (Prediction | null)[];
  /** The same of the rows of a data file; its target column may be missing. @throws SealsumError data_invalid with line and field */
  predictTable(table: Table): (Prediction | null)[];
}

const text = z.string({ error: 'expected a text' });
const finite = z.number({ error: 'expected a number' });
const numbers = z.array(finite, { error: 'expected a list of numbers' });
const origin = z.strictObject(
  {
    program: text,
    model: text.optional(),
    name: text.optional(),
    finished_at: text.optional(),
    privacy: text.optional(),
  },
  { error: 'expected an object' },
);
const document = z.strictObject(
  {
    format: z.literal(formatName, { error: `expected ${formatName}` }),
    format_version: z.literal(formatVersion, {
      error: `expected ${formatVersion}: a later version of sealsum may read the others`,
    }),
    origin,
    model_type: z.enum(['LINEAR_REGRESSION', 'LOGISTIC_REGRESSION', 'SOFTMAX_REGRESSION'], {
      error: 'expected one of LINEAR_REGRESSION, LOGISTIC_REGRESSION, SOFTMAX_REGRESSION',
    }),
    // Checked as that of a model.json.
    data_props: z.strictObject(
      { header: z.boolean({ error: 'expected true or false' }), features: z.unknown(), target: z.unknown() },
      { error: 'expected an object' },
    ),
    link: z.enum(['identity', 'logit', 'softmax'], { error: 'expected one of identity, logit, softmax' }),
    columns: z.array(text, { error: 'expected a list of columns' }),
    coefficients: z.union([numbers, z.array(numbers)], { error: 'expected a list of numbers, or one for each class' }),
    classes: z.array(text, { error: 'expected a list of classes' }).optional(),
    scaled_parameters: numbers,
  },
  { error: 'expected an object' },
);

/**
 * Reads the text of a document that `exportJson` wrote.
 *
 * @throws SealsumError model_invalid naming the field: it is no JSON, a field is unknown, missing or of another kind, or two of
 *   them contradict each other
 */
export function readExportedModel(json: string): ExportedPredictor {
  const given = parseJson(json);
  if (isJsonObject(given) && given.format !== formatName)
    throw mismatch('format', `expected ${formatName}: this is not a model that sealsum exported as JSON`);
  const parsed = document.safeParse(given);
  if (!parsed.success) throw refuse(describeIssues(parsed.error.issues));
  const { model_type, data_props, scaled_parameters: scaled } = parsed.data;
  // The solver says nothing of a model that is finished; by gradients any width may be fitted.
  const model = parseModel({ model_type, data_props, training: { solver: 'gradient' } });
  const parameters = Float64Array.from(scaled);
  const fitted = { model, parameters, origin: parsed.data.origin };
  const { map } = rowsOf(fitted);
  const document_ = exportDocument(fitted);
  requireSame(document_, parsed.data);
  return {
    document: document_,
    map,
    header: model.data_props.header,
    predict: (rows) => predict(model, map, parameters, encodeRows(map, rows)),
    predictTable: (table) => predict(model, map, parameters, encodeTableRows(map, table)),
  };
}

function rowsOf(fitted: { readonly model: Model; readonly parameters: Float64Array }) {
  try {
    return fittedRows(fitted);
  } catch (error) {
    if (!(error instanceof SealsumError)) throw error;
    throw mismatch('scaled_parameters', error.message.replace(/^parameters: /, ''));
  }
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new SealsumError('model_invalid', 'the exported model is not JSON', { cause });
  }
}

/** What follows from the rest must be what follows. */
function requireSame(expected: ExportedModel, given: z.infer<typeof document>): void {
  for (const field of ['link', 'columns', 'classes', 'coefficients'] as const)
    if (JSON.stringify(expected[field]) !== JSON.stringify(given[field]))
      throw mismatch(
        field,
        field === 'coefficients'
          ? 'these do not follow from scaled_parameters; export the model again, or remove what was changed'
          : 'this does not follow from model_type and data_props; export the model again',
      );
}

function mismatch(field: string, expected: string): SealsumError {
  return new SealsumError('model_invalid', `${field}: ${expected}`, { field });
}
