/**
 * The shape of a model.json that asks for statistics, in zod: every field by itself, with its default and the words in which it is
 * refused. What only makes sense between distant fields is checked by `parseStatistics`.
 */

import { z } from 'zod';
import { fileFields, levels, place, range, requireOnePlace, wholeRange } from '../column-schema.ts';
import { isJsonObject } from '../json-object.ts';
import {
  aboveZero,
  encryption,
  noiseFields,
  number,
  oneOf,
  participation,
  probability,
  text,
  unionError,
  wholeNumber,
} from '../settings-schema.ts';
import type { ColumnReference, StatisticsModel } from './model.ts';

const missing = z.enum(['count', 'refuse', 'drop'], { error: 'expected "count", "refuse" or "drop"' }).default('count');

const column = z
  .discriminatedUnion(
    'type',
    [
      z.strictObject({ ...place, type: z.literal('continuous'), range, missing }),
      z.strictObject({ ...place, type: z.literal('discrete'), range: wholeRange, missing }),
      z.strictObject({ ...place, type: z.enum(['ordinal', 'nominal']), levels, missing }),
    ],
    { error: unionError('expected one of continuous, discrete, ordinal, nominal') },
  )
  .superRefine(requireOnePlace);

const referenceError = 'expected the name of a column, or its col_idx';
const reference = z.custom<ColumnReference>(
  (value) => typeof value === 'string' || (Number.isInteger(value) && (value as number) >= 0),
  { error: referenceError },
);
const references = z.array(reference, { error: 'expected true or a list of columns' });

const increasing = 'expected at least 2 increasing numbers';
const edges = z.custom<number[]>(
  (value) =>
    Array.isArray(value) &&
    value.length >= 2 &&
    value.every(
      (edge: unknown, index) =>
        Number.isFinite(edge) && (index === 0 || (edge as number) > (value[index - 1] as number)),
    ),
  { error: increasing },
);

const histogram = z
  .strictObject(
    { column: reference, edges: edges.optional(), bins: wholeNumber(1, 1_000_000).optional() },
    { error: 'expected {"column", "edges" or "bins"}' },
  )
  .refine((value) => value.edges === undefined || value.bins === undefined, {
    error: 'expected one of edges and bins',
  });

const weight = number((value) => value >= 0.001 && value <= 1000, 'expected a number from 0.001 to 1000').default(1);

const statistics = z.strictObject(
  {
    moments: references.default([]),
    covariance: references.default([]),
    histograms: z.array(histogram, { error: 'expected a list of {"column", "edges" or "bins"}' }).default([]),
    contingency: z
      .array(z.tuple([reference, reference], { error: 'expected a pair of columns' }), {
        error: 'expected a list of pairs of columns',
      })
      .default([]),
    weights: z
      .strictObject(
        { count: weight, moments: weight, covariance: weight, histograms: weight, contingency: weight },
        { error: 'expected an object' },
      )
      .optional(),
  },
  { error: 'expected an object' },
);

const mode = {
  ...noiseFields,
  unit: oneOf('record', 'owner').default('record'),
  sampling: number((value) => value === 1, 'expected 1: statistics are of all records; remove it').default(1),
};
const privacy = z.union(
  [
    z.strictObject({ epsilon: aboveZero, delta: probability, ...mode }),
    z.strictObject({ rho: aboveZero, delta: z.exactOptional(probability), ...mode }),
  ],
  { error: 'expected {"epsilon", "delta"} or {"rho"}; nothing is clipped, and there are no metrics' },
);

const document = z.strictObject(
  {
    name: text('a name').optional(),
    model_type: z.literal('STATISTICS'),
    data_props: z.strictObject(
      {
        ...fileFields,
        columns: z
          .array(column, { error: 'expected a list of at least 1 column' })
          .min(1, { error: 'expected a list of at least 1 column' }),
      },
      { error: 'expected an object' },
    ),
    statistics,
    encryption: encryption.prefault({}),
    participation: participation.prefault({}),
    privacy: privacy.optional(),
  },
  { error: 'expected an object' },
);

/** A model.json of the type STATISTICS with every default but the weights. */
export const statisticsSchema: z.ZodType<StatisticsModel> = z.preprocess(fillDefaults, document);

/** Defaults that depend on other fields: the header, and which columns `true` means. */
function fillDefaults(json: unknown): unknown {
  if (!isJsonObject(json)) return json;
  const filled: Record<string, unknown> = { ...json };
  const { data_props: data, statistics: asked } = json;
  const columns: unknown[] = isJsonObject(data) && Array.isArray(data.columns) ? data.columns : [];
  if (isJsonObject(data) && data.header === undefined) {
    filled.data_props = { ...data, header: columns.some((each) => isJsonObject(each) && each.name !== undefined) };
  }
  if (isJsonObject(asked)) {
    const all = columns.flatMap((each) =>
      isJsonObject(each) && (each.type === 'continuous' || each.type === 'discrete') ? [each.name ?? each.col_idx] : [],
    );
    const listed: Record<string, unknown> = { ...asked };
    if (asked.moments === true) listed.moments = all;
    if (asked.covariance === true) listed.covariance = all;
    filled.statistics = listed;
  }
  return filled;
}
