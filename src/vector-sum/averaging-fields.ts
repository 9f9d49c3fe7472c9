/** What the document of a vector sum says where the vectors are named tensors that are averaged (src/averaging). */
import { z } from 'zod';
import type { Problem } from '../learning/problems.ts';
import { oneOf, text, wholeNumber } from '../learning/settings-schema.ts';

/** What owners give: their parameters, or what is to be added to those that the round brought. */
export type Sends = 'parameters' | 'updates';

export interface Averaging {
  /** The tensors of a vector, one after the other, each row by row; a round's parameters begin with the same. */
  readonly tensors: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly sends: Sends;
  /** The names of the numbers that every round brings after the tensors, such as local_epochs. */
  readonly settings: readonly string[];
  /** The names of the numbers that every owner gives after the tensors, such as a loss. */
  readonly metrics: readonly string[];
}

const mostTensors = 10_000;
const mostDimensions = 32;
const mostNames = 100;

const names = (what: string): z.ZodDefault<z.ZodType<string[]>> =>
  z
    .array(text('a name'), { error: `expected a list of ${what}` })
    .max(mostNames, { error: `expected at most ${mostNames} ${what}` })
    .refine(areDistinct, { error: `expected distinct ${what}` })
    .default([]);

export const averaging: z.ZodType<Averaging> = z.strictObject(
  {
    tensors: z
      .array(
        z.strictObject(
          {
            name: text('the name of a tensor'),
            shape: z
              .array(wholeNumber(0, 2 ** 20), { error: 'expected a list of whole numbers' })
              .max(mostDimensions, { error: `expected at most ${mostDimensions} dimensions` }),
          },
          { error: 'expected an object' },
        ),
        { error: 'expected a list of tensors' },
      )
      .min(1, { error: 'expected at least one tensor' })
      .max(mostTensors, { error: `expected at most ${mostTensors} tensors` })
      .refine((tensors) => areDistinct(tensors.map(({ name }) => name)), {
        error: 'expected tensors of distinct names',
      }),
    sends: oneOf<Sends>('parameters', 'updates').default('parameters'),
    settings: names('settings'),
    metrics: names('metrics'),
  },
  { error: 'expected an object' },
);

function areDistinct(list: readonly string[]): boolean {
  return new Set(list).size === list.length;
}

export interface AveragedSum {
  readonly length: number;
  readonly parameters: number;
  readonly norm?: number | undefined;
  readonly averaging?: Averaging | undefined;
}

/** Whether the vectors and the parameters of a sum have room for just what it averages. */
export function averagingProblems({ length, parameters, norm, averaging }: AveragedSum): Problem[] {
  if (averaging === undefined) return [];
  const { tensors, settings, metrics, sends } = averaging;
  const values = tensors.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  const [given, brought] = [values + metrics.length, values + settings.length];
  return [
    ...(length === given
      ? []
      : [{ field: 'length', expected: `expected ${given}, the values of tensors and metrics` }]),
    ...(parameters === brought
      ? []
      : [{ field: 'parameters', expected: `expected ${brought}, the values of tensors and settings` }]),
    ...(norm !== undefined && sends !== 'updates'
      ? [{ field: 'averaging.sends', expected: 'expected updates with norm: parameters are not to be shortened' }]
      : []),
    ...(norm !== undefined && metrics.length > 0
      ? [{ field: 'averaging.metrics', expected: 'expected none with norm: they would be shortened with the update' }]
      : []),
  ];
}
