/** How the documents of jobs over data files name their columns and say what these may hold, in zod. */
import { z } from 'zod';
import type { FieldPlace } from './fields.ts';
import type { Delimiter } from './model-types.ts';
import { text, trimmed, wholeNumber } from './settings-schema.ts';

/** Numbers of a range: finite, low < high, and far enough apart that doubles can scale by the difference. */
function isRange(value: unknown): value is [number, number] {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [low, high] = value as [unknown, unknown];
  if (typeof low !== 'number' || typeof high !== 'number') return false;
  const half = high / 2 - low / 2;
  return low < high && Number.isFinite(half) && 1 / half < Infinity;
}

const isWholeRange = (value: unknown): value is [number, number] => isRange(value) && value.every(Number.isSafeInteger);

export const place: {
  readonly name: z.ZodOptional<z.ZodType<string>>;
  readonly col_idx: z.ZodOptional<z.ZodType<number>>;
  readonly description: z.ZodOptional<z.ZodType<string>>;
} = {
  name: text('the name of a column').optional(),
  col_idx: wholeNumber(0, 99_999).optional(),
  description: z.string({ error: 'expected a text' }).optional(),
};
export const range: z.ZodType<[number, number]> = z.custom<[number, number]>(isRange, {
  error: 'expected [low, high] with low < high',
});
export const wholeRange: z.ZodType<[number, number]> = z.custom<[number, number]>(isWholeRange, {
  error: 'expected [low, high] with low < high, both whole numbers',
});

export const levels: z.ZodType<string[]> = z
  .array(
    z
      .union([z.string(), z.number()], { error: 'expected a text or a number' })
      .transform(String)
      .refine(trimmed, { error: 'expected a text without spaces around it' }),
    { error: 'expected a list of at least 2 levels' },
  )
  .min(2, { error: 'expected a list of at least 2 levels' })
  .refine((list) => new Set(list).size === list.length, { error: 'expected distinct levels' });

export function requireOnePlace(value: FieldPlace, context: z.RefinementCtx): void {
  if ((value.name === undefined) === (value.col_idx === undefined)) {
    context.addIssue({ code: 'custom', message: 'expected one of name and col_idx', path: [] });
  }
}

/** What data sets are called: as files are, with nothing in it that a path would take for something else. */
export const datasetName: RegExp = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** What is said of the file itself. */
export const fileFields: {
  readonly dataset: z.ZodOptional<z.ZodType<string>>;
  readonly header: z.ZodType<boolean, boolean | 'true' | 'false'>;
  readonly delimiter: z.ZodOptional<z.ZodType<Delimiter>>;
} = {
  dataset: z
    .string({ error: 'expected the name of a data set' })
    .regex(datasetName, 'expected the name of a data set, such as trial-2026.csv')
    .optional(),
  header: z
    .custom<boolean | 'true' | 'false'>((value) => [true, false, 'true', 'false'].includes(value as boolean), {
      error: 'expected true or false',
    })
    .transform((value) => value === true || value === 'true'),
  delimiter: z.enum([',', ';', '\t'], { error: 'expected one of ",", ";", "\\t"' }).optional(),
};
