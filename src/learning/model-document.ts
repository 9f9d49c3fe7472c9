/** Any model.json: one that is to be trained, or one that asks for statistics. */
import { SealsumError } from '../errors.ts';
import type { FieldPlace } from './fields.ts';
import { type Model, parseModel } from './model.ts';
import { isStatistics, type StatisticsModel } from './statistics/model.ts';
import { parseStatistics } from './statistics/parse.ts';
import { standardisationOf } from './statistics/standardisation.ts';

/** What a model.json may ask for: a training, or statistics. */
export type AnyModel = Model | StatisticsModel;

/**
 * Reads the JSON value of a model.json of any type.
 *
 * @throws SealsumError `model_invalid` as `parseModel` and `parseStatistics` do
 */
export function parseDocument(json: unknown): AnyModel {
  if (asksForStatistics(json)) return parseStatistics(json);
  if (standardisationOf(json) === undefined) return parseModel(json);
  throw new SealsumError(
    'model_invalid',
    'data_props: a column says standardize, and its range is still to be found: sealsum train does that first and posts both; ' +
      'or declare the range',
    { field: 'data_props' },
  );
}

/** Whether a document says that it is for statistics; nothing else of it is looked at. */
export function asksForStatistics(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'model_type' in json && json.model_type === 'STATISTICS';
}

/** Every column that a model asks for. */
export function columnsAsked({ data_props }: Pick<AnyModel, 'data_props'>): readonly FieldPlace[] {
  return 'columns' in data_props ? data_props.columns : [...data_props.features, data_props.target];
}

/** @throws SealsumError `model_invalid` for one that is not trained, saying what it lacks */
export function requireTrained(model: AnyModel, lacks: string): Model {
  if (!isStatistics(model)) return model;
  throw new SealsumError('model_invalid', `model_type: STATISTICS has no ${lacks}; ask for its statistics`, {
    field: 'model_type',
  });
}
