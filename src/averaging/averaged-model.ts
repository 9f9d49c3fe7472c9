/** What the document of a job that averages tensors says of its vectors and of the parameters of its rounds. */
import { SealsumError } from '../errors.ts';
import type { Averaging } from '../vector-sum/averaging-fields.ts';
import type { VectorSum } from '../vector-sum/document.ts';
import { createTensorLayout, type TensorLayout } from './tensors.ts';

/** Numbers by name. */
export type NamedNumbers = Readonly<Record<string, number>>;

export interface AveragedModel {
  readonly averaging: Averaging;
  /** The tensors that are averaged. */
  readonly layout: TensorLayout;
}

/** @throws SealsumError model_invalid for a job that sums other vectors */
export function averagedModelOf({ averaging }: Pick<VectorSum, 'averaging'>): AveragedModel {
  if (averaging === undefined)
    throw new SealsumError('model_invalid', 'averaging: the job sums vectors that are no tensors; use submit()', {
      field: 'averaging',
    });
  return { averaging, layout: createTensorLayout(averaging.tensors) };
}

/** @param values as many as there are names */
export function numbersOf(names: readonly string[], values: ArrayLike<number>): NamedNumbers {
  return Object.fromEntries(names.map((name, index) => [name, values[index] as number]));
}

/**
 * The numbers in the order of their names.
 *
 * @param what they are, for errors
 * @throws SealsumError data_invalid naming one that is missing or unexpected, number_not_finite naming one
 */
export function valuesOf(what: string, names: readonly string[], numbers: NamedNumbers): Float64Array {
  const unexpected = Object.keys(numbers).find((name) => !names.includes(name));
  if (unexpected !== undefined)
    throw refuse(`${what}.${unexpected}`, `is unexpected: the job has ${names.join(', ') || 'none'}`);
  return Float64Array.from(names, (name) => {
    const field = `${what}.${name}`;
    const value = Object.hasOwn(numbers, name) ? numbers[name] : undefined;
    if (typeof value !== 'number') throw refuse(field, 'is missing: expected a number');
    if (Number.isFinite(value)) return value;
    throw new SealsumError('number_not_finite', `${field} is NaN or infinite`, { field });
  });
}

function refuse(field: string, why: string): SealsumError {
  return new SealsumError('data_invalid', `${field} ${why}`, { field });
}
