/** What the documents of all kinds of jobs say in the same words: fields in zod, with their defaults and how they are refused. */
import { z } from 'zod';
import type { Neighbours, NoisePlace } from '../privacy/mode.ts';
import type { EncryptionSettings, ParticipationSettings } from './model-types.ts';

export const trimmed = (value: string): boolean => value !== '' && value === value.trim();

export const text = (what: string): z.ZodType<string> =>
  z.string({ error: `expected ${what}` }).refine(trimmed, { error: `expected ${what}, without spaces around it` });

export const wholeNumber = (low: number, high: number): z.ZodType<number> => {
  const error = `expected a whole number from ${low} to ${high}`;
  return z.number({ error }).refine((value) => Number.isInteger(value) && value >= low && value <= high, { error });
};

export const number = (accepts: (value: number) => boolean, error: string): z.ZodType<number> =>
  z.number({ error }).refine(accepts, { error });

export const atLeastZero: z.ZodType<number> = number((value) => value >= 0, 'expected a number of at least 0');
export const aboveZero: z.ZodType<number> = number((value) => value > 0, 'expected a number above 0');

/** Unlike an enumeration's, its refusal does not end the search for the option that fits best. */
export const oneOf = <Value extends string | number>(...values: readonly Value[]): z.ZodType<Value> =>
  z
    .unknown()
    .refine((value): value is Value => values.includes(value as Value), {
      error: `expected one of ${values.join(', ')}`,
    })
    .meta({ enum: values });

const keyBitsError = 'expected a multiple of 256 from 2048 to 8192';

export const keyBits: z.ZodDefault<z.ZodType<number>> = number(
  (bits) => bits >= 2048 && bits <= 8192 && bits % 256 === 0,
  keyBitsError,
).default(3072);

export const participationFields: {
  readonly quorum: z.ZodDefault<z.ZodType<number>>;
  readonly deadline_seconds: z.ZodDefault<z.ZodType<number>>;
  readonly answer_seconds: z.ZodOptional<z.ZodType<number>>;
  readonly target_owners: z.ZodOptional<z.ZodType<number>>;
  readonly roster: z.ZodOptional<z.ZodType<string[]>>;
} = {
  quorum: wholeNumber(2, 1_000_000).default(2),
  deadline_seconds: number((value) => value > 0 && value <= 86_400, 'expected seconds, above 0, at most 86400').default(
    30,
  ),
  answer_seconds: number(
    (value) => value > 0 && value <= 1_209_600,
    'expected seconds, above 0, at most 1209600, which are two weeks',
  ).optional(),
  target_owners: wholeNumber(2, 10_000).optional(),
  roster: z
    .array(text('the name of an owner'), { error: 'expected a list of owners' })
    .refine((list) => new Set(list).size === list.length, { error: 'expected distinct owners' })
    .optional(),
};

export const probability: z.ZodType<number> = number(
  (value) => value > 0 && value < 1,
  'expected a number between 0 and 1, both excluded',
);
export const noiseFields: {
  readonly place: z.ZodDefault<z.ZodType<NoisePlace>>;
  readonly neighbours: z.ZodDefault<z.ZodType<Neighbours>>;
  readonly silent_owners: z.ZodDefault<z.ZodType<number>>;
} = {
  place: oneOf<NoisePlace>('model-owner', 'facilitator', 'data-owners').default('model-owner'),
  neighbours: oneOf<Neighbours>('zero-out', 'substitution').default('zero-out'),
  silent_owners: wholeNumber(0, 1_000_000).default(0),
};

/** What to say of a union that is told apart by one of its fields: that field is wrong, or the value is no object at all. */
export function unionError(expected: string): (issue: { readonly code: string }) => string {
  return ({ code }) => (code === 'invalid_union' ? expected : 'expected an object');
}

export const encryption: z.ZodType<EncryptionSettings> = z.strictObject(
  {
    key_bits: keyBits,
    fraction_bits: wholeNumber(16, 48).default(40),
    quantization_bits: oneOf(8, 16, 24, 32).optional(),
    rounding: oneOf('nearest', 'stochastic').optional(),
    quantization_range: number(
      (value) => value >= 1e-6 && value <= 1024,
      'expected a number from 1e-6 to 1024',
    ).optional(),
  },
  { error: 'expected an object' },
);

export const participation: z.ZodType<ParticipationSettings> = z.strictObject(
  { ...participationFields, max_records: wholeNumber(1, 2 ** 32).default(2 ** 20) },
  { error: 'expected an object' },
);
