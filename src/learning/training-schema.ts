/**
 * The shape of model.json's `training`: one of two solvers, each with settings of its own.
 *
 * Whether names and classes are those of the model is checked by trainingProblems() (training-problems.ts).
 */
import { z } from 'zod';
import { defaultLevel } from './inference/level.ts';
import type { CrossValidationSettings, Training, ValidationSettings } from './model-types.ts';
import { aboveZero, atLeastZero, number, probability, text, unionError, wholeNumber } from './settings-schema.ts';

const penalties = { l1: atLeastZero.default(0), l2: atLeastZero.default(0) };
const examination = {
  inference: z.strictObject({ level: probability.default(defaultLevel) }, { error: 'expected an object' }).optional(),
  diagnostics: z.strictObject({ bins: wholeNumber(2, 100).default(20) }, { error: 'expected an object' }).optional(),
};
const seed = wholeNumber(0, 2 ** 32 - 1).default(0);

export const crossValidation: z.ZodType<CrossValidationSettings> = z.strictObject(
  { folds: wholeNumber(2, 20).default(5), seed },
  { error: 'expected an object' },
);

const isNumbers = (value: unknown): value is number[] => Array.isArray(value) && value.every(Number.isFinite);
const isRows = (value: unknown): value is number[][] => Array.isArray(value) && value.every(isNumbers);

/** What GET /models/{id}/parameters says beside, of which a training needs nothing. */
const besides = z.unknown().optional();

const initialParameters = z
  .strictObject(
    {
      columns: z.array(z.string({ error: 'expected the name of a column' }), { error: 'expected a list of columns' }),
      coefficients: z.custom<number[] | number[][]>((value) => isNumbers(value) || isRows(value), {
        error: 'expected a list of finite numbers, or one such list per class',
      }),
      classes: z
        .array(z.string({ error: 'expected the name of a class' }), { error: 'expected a list of classes' })
        .optional(),
      units: z.enum(['data', 'scaled'], { error: 'expected one of data, scaled' }).default('data'),
      standard_errors: besides,
      intervals: besides,
      p_values: besides,
      degrees_of_freedom: besides,
      residual_standard_error: besides,
      inference_unavailable: besides,
    },
    { error: 'expected what GET /models/{id}/parameters gives' },
  )
  .transform(({ columns, coefficients, classes, units }) => ({
    columns,
    coefficients,
    ...(classes === undefined ? {} : { classes }),
    units,
  }));

const freeze = z
  .array(text('the name of a column or feature'), { error: 'expected a list of columns or features' })
  .min(1, { error: 'expected at least 1 column or feature' })
  .refine((list) => new Set(list).size === list.length, { error: 'expected distinct columns or features' });

const validation = z
  .strictObject(
    {
      fraction: number((value) => value >= 0.05 && value <= 0.5, 'expected a number from 0.05 to 0.5').optional(),
      patience: wholeNumber(1, 100_000).optional(),
      minimum_improvement: atLeastZero.optional(),
      fold: wholeNumber(1, 20).optional(),
      folds: wholeNumber(2, 20).optional(),
      seed,
    },
    { error: 'expected an object' },
  )
  .transform((value, context): ValidationSettings => {
    const { fraction = 0.2, patience = 5, minimum_improvement = 0, fold, folds } = value;
    if (fold === undefined && folds === undefined) return { fraction, patience, minimum_improvement, seed: value.seed };
    const refuse = (field: string, message: string): void => {
      context.addIssue({ code: 'custom', message, path: [field] });
    };
    if (fold === undefined || fold > (folds ?? fold)) refuse('fold', 'expected one of the folds, counted from 1');
    if (folds === undefined) refuse('folds', 'expected how many folds there are');
    for (const field of ['fraction', 'patience', 'minimum_improvement'] as const)
      if (value[field] !== undefined) refuse(field, 'not beside fold and folds, by which nothing ends; remove it');
    return { fold: fold ?? 1, folds: folds ?? 2, seed: value.seed };
  });

const normalEquations = z.strictObject({
  solver: z.literal('normal-equations'),
  ...penalties,
  ...examination,
  cross_validation: crossValidation.optional(),
});

const gradient = z.strictObject({
  solver: z.literal('gradient'),
  rounds: wholeNumber(1, 100_000).default(200),
  optimizer: z.enum(['sgd', 'momentum', 'adam'], { error: 'expected one of sgd, momentum, adam' }).default('adam'),
  learning_rate: aboveZero.default(0.1),
  momentum: number((value) => value >= 0 && value < 1, 'expected a number from 0 to below 1').optional(),
  ...penalties,
  tolerance: atLeastZero.default(0),
  patience: wholeNumber(1, 100_000).default(5),
  initial_parameters: initialParameters.optional(),
  freeze: freeze.optional(),
  validation: validation.optional(),
  ...examination,
  parameter_bound: number(
    (value) => value >= 2 ** -10 && value <= 1024,
    'expected a length from 2^-10 to 1024, in scaled units',
  ).optional(),
});

export const training: z.ZodType<Training> = z
  .discriminatedUnion('solver', [normalEquations, gradient], {
    error: unionError('expected one of normal-equations, gradient'),
  })
  .superRefine((value, context) => {
    if (value.solver === 'gradient' && value.momentum !== undefined && value.optimizer !== 'momentum') {
      context.addIssue({ code: 'custom', message: 'only with "optimizer": "momentum"', path: ['momentum'] });
    }
  })
  .transform((value) =>
    value.solver === 'gradient' && value.optimizer === 'momentum'
      ? { ...value, momentum: value.momentum ?? 0.9 }
      : value,
  );

/** What to say of a setting that the chosen solver does not have. */
export function notOfSolver(setting: string): string {
  return ofTheOther.get(setting) ?? 'not a setting of this solver; remove it, or set training.solver';
}

const ofTheOther: ReadonlyMap<string, string> = new Map([
  ['initial_parameters', 'normal equations have no start; remove it, or set training.solver to gradient'],
  ['freeze', 'normal equations fit every coefficient; remove it, or set training.solver to gradient'],
  [
    'validation',
    'normal equations take one round, which cannot end early; remove it, or set training.solver to gradient',
  ],
  ['parameter_bound', 'normal equations send no parameters; remove it, or set training.solver to gradient'],
  [
    'cross_validation',
    'a gradient takes a training for each fold: sealsum train posts them one after the other; here hold one fold out with ' +
      'training.validation {"fold", "folds"}, or set training.solver to normal-equations',
  ],
]);
