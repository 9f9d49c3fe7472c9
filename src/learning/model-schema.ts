/**
 * The shape of model.json in zod: every field by itself, with its default and the words in which it is refused.
 *
 * What only makes sense between distant fields is checked by `parseModel`.
 */

import { z } from 'zod';
import { fileFields, levels, place, range, requireOnePlace, wholeRange } from './column-schema.ts';
import type { Cell, Feature, FeatureRow, Target } from './fields.ts';
import { isNumeric } from './fields.ts';
import { isJsonObject } from './json-object.ts';
import type { ParsedModel } from './model-types.ts';
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
} from './settings-schema.ts';
import { training } from './training-schema.ts';

const within = range.optional();

const numericMissing = z
  .custom<'refuse' | 'drop' | number>(
    (value) => value === 'refuse' || value === 'drop' || (typeof value === 'number' && Number.isFinite(value)),
    { error: 'expected "refuse", "drop" or a number to put in its place' },
  )
  .default('refuse');
const levelMissing = z
  .union([z.string(), z.number()], { error: 'expected "refuse", "drop" or a level to put in its place' })
  .transform(String)
  .default('refuse');
const targetMissing = z
  .enum(['refuse', 'drop'], { error: 'expected "refuse" or "drop": a target cannot be made up' })
  .default('refuse');

const feature = z
  .discriminatedUnion(
    'type',
    [
      z.strictObject({ ...place, type: z.literal('continuous'), range, within, missing: numericMissing }),
      z.strictObject({ ...place, type: z.literal('discrete'), range: wholeRange, missing: numericMissing }),
      z.strictObject({ ...place, type: z.enum(['ordinal', 'nominal']), levels, missing: levelMissing }),
    ],
    { error: unionError('expected one of continuous, discrete, ordinal, nominal') },
  )
  .superRefine((value, context) => {
    requireOnePlace(value, context);
    requireWithin(value, context);
    requireMissingFits(value, context);
  }) satisfies z.ZodType<Feature>;

const target = z
  .discriminatedUnion(
    'type',
    [
      z.strictObject({ ...place, type: z.literal('continuous'), range, within, missing: targetMissing }),
      z.strictObject({ ...place, type: z.literal('discrete'), range: wholeRange, missing: targetMissing }),
      z.strictObject({ ...place, type: z.enum(['ordinal', 'nominal']), levels, missing: targetMissing }),
    ],
    { error: unionError('expected one of continuous, discrete, ordinal, nominal') },
  )
  .superRefine((value, context) => {
    requireOnePlace(value, context);
    requireWithin(value, context);
  }) satisfies z.ZodType<Target>;

/** Bounds hold the range. */
function requireWithin(value: Feature | Target, context: z.RefinementCtx): void {
  if (!isNumeric(value) || value.within === undefined) return;
  const [low, high] = value.range;
  if (value.within[0] <= low && high <= value.within[1]) return;
  context.addIssue({ code: 'custom', message: `expected bounds around [${low}, ${high}]`, path: ['within'] });
}

/** A value that stands in for missing ones must be one that the column may hold. */
function requireMissingFits(value: Feature, context: z.RefinementCtx): void {
  const { missing } = value;
  if (missing === 'refuse' || missing === 'drop') return;
  if (!isNumeric(value)) {
    if (!value.levels.includes(value.missing)) {
      context.addIssue({ code: 'custom', message: 'expected "refuse", "drop" or a declared level', path: ['missing'] });
    }
    return;
  }
  const [low, high] = value.within ?? value.range;
  if (typeof missing === 'number' && (missing < low || missing > high)) {
    context.addIssue({ code: 'custom', message: `expected a number within [${low}, ${high}]`, path: ['missing'] });
  } else if (value.type === 'discrete' && !Number.isInteger(missing)) {
    context.addIssue({ code: 'custom', message: 'expected a whole number', path: ['missing'] });
  }
}

const privacyMode = {
  clip: aboveZero.optional(),
  ...noiseFields,
  unit: oneOf('record', 'owner').default('record'),
  sampling: number((value) => value >= 1e-6 && value <= 1, 'expected a probability from 1e-6 to 1').default(1),
  metrics: oneOf('summed', 'local').default('summed'),
  adaptive_clip: z
    .strictObject(
      {
        quantile: number((value) => value >= 0 && value <= 1, 'expected a number from 0 to 1').default(0.5),
        learning_rate: number((value) => value > 0 && value <= 10, 'expected a number above 0, at most 10').default(
          0.2,
        ),
        count_noise: aboveZero.optional(),
      },
      { error: 'expected an object' },
    )
    .optional(),
};
const privacy = z.union(
  [
    z.strictObject({ epsilon: aboveZero, delta: probability, ...privacyMode }),
    z.strictObject({ rho: aboveZero, delta: z.exactOptional(probability), ...privacyMode }),
  ],
  { error: 'expected {"epsilon", "delta"} or {"rho"}' },
);

const rowError = 'expected an array or an object of texts, numbers and nulls';
const evaluation = z.strictObject(
  { rows: z.array(z.custom<FeatureRow>(isFeatureRow, { error: rowError }), { error: 'expected a list of rows' }) },
  { error: 'expected an object' },
);

function isFeatureRow(value: unknown): value is FeatureRow {
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).every(isCell);
}

function isCell(value: unknown): value is Cell {
  return value === null || typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value));
}

const document = z.strictObject(
  {
    name: text('a name').optional(),
    model_type: z.enum(['LINEAR_REGRESSION', 'LOGISTIC_REGRESSION', 'SOFTMAX_REGRESSION'], {
      error: ({ input }) =>
        input === 'STATISTICS'
          ? 'STATISTICS is not trained: parseDocument reads it'
          : 'expected one of LINEAR_REGRESSION, LOGISTIC_REGRESSION, SOFTMAX_REGRESSION, STATISTICS',
    }),
    model_visibility: z.enum(['plain', 'encrypted'], { error: 'expected one of plain, encrypted' }).optional(),
    data_props: z.strictObject(
      {
        ...fileFields,
        features: z
          .array(feature, { error: 'expected a list of at least 1 feature' })
          .min(1, { error: 'expected a list of at least 1 feature' }),
        target,
      },
      { error: 'expected an object' },
    ),
    training,
    encryption: encryption.prefault({}),
    participation: participation.prefault({}),
    privacy: privacy.optional(),
    evaluation: evaluation.optional(),
  },
  { error: 'expected an object' },
);

/** model.json with every default but the clip's; `parse` gives plain data. */
export const modelSchema: z.ZodType<ParsedModel> = z.preprocess(fillDefaults, document);

/** Defaults that depend on other fields: the header, the target's type and the solver. */
function fillDefaults(json: unknown): unknown {
  if (!isJsonObject(json)) return json;
  const { model_type: modelType, data_props: data, training: given } = json;
  const linear = modelType === 'LINEAR_REGRESSION';
  const solver = linear && json.model_visibility !== 'encrypted' ? 'normal-equations' : 'gradient';
  const filled: Record<string, unknown> = { ...json };
  if (given === undefined || (isJsonObject(given) && given.solver === undefined)) {
    filled.training = { solver, ...given };
  }
  if (!isJsonObject(data)) return filled;
  const properties: Record<string, unknown> = { ...data };
  if (isJsonObject(data.target) && data.target.type === undefined) {
    // A yes-or-no target may be declared as the numbers 0 and 1; of an unknown model type nothing is presumed.
    const presumed = modelType === 'LOGISTIC_REGRESSION' && 'range' in data.target ? 'discrete' : 'nominal';
    const unknown = 'levels' in data.target ? 'nominal' : 'continuous';
    const classifier = modelType === 'LOGISTIC_REGRESSION' || modelType === 'SOFTMAX_REGRESSION';
    const type = linear ? 'continuous' : classifier ? presumed : unknown;
    properties.target = { ...data.target, type };
  }
  if (data.header === undefined) {
    const features: unknown = data.features;
    const fields: unknown[] = Array.isArray(features) ? [...(features as unknown[]), data.target] : [];
    properties.header = fields.some((field) => isJsonObject(field) && field.name !== undefined);
  }
  filled.data_props = properties;
  return filled;
}
