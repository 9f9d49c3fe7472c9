/** Tensors of any shape by name, and the one list of numbers that they make in their order. */
import { SealsumError } from '../errors.ts';

/** A tensor of any shape: its values row by row (the last index fastest). A scalar has the shape []. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

/** Tensors by name, in the order in which they are laid out. */
export type NamedTensors = ReadonlyMap<string, Tensor>;

/** What is fixed about a tensor before there are any values. */
export interface TensorShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Where a tensor's values are in the list of all. */
export interface TensorPlace extends TensorShape {
  /** The first of them, counted from 0. */
  readonly offset: number;
  /** How many they are: the product of the shape, 1 for a scalar. */
  readonly size: number;
}

/** Where the values of named tensors stand in one vector: in the order in which the layout was given them. */
export interface TensorLayout {
  readonly places: readonly TensorPlace[];
  /** Values of all tensors together. */
  readonly length: number;
  /** By name. */
  readonly place: (name: string) => TensorPlace | undefined;
  /**
   * The values of these tensors one after the other, in the layout's order, whatever theirs is.
   *
   * @throws SealsumError `data_invalid` naming a tensor that is missing, unexpected or of another shape, `number_not_finite` with
   *   field `tensor "name" value j`, j counted from 0
   */
  flatten(tensors: NamedTensors): Float64Array;
  /** The tensors of such a list; copies. @throws SealsumError `data_invalid` for a list of another length */
  unflatten(values: ArrayLike<number>): Map<string, Tensor>;
  /** How errors name a value of the list: `tensor "name" value j`. */
  fieldOf(index: number): string;
}

/**
 * Where the values of tensors of these names and shapes stand in one vector, one after the other in this order.
 *
 * @throws SealsumError `data_invalid` naming a tensor that is there twice, has no name, or whose shape is none
 */
export function createTensorLayout(tensors: Iterable<TensorShape>): TensorLayout {
  const byName = new Map<string, TensorPlace>();
  let length = 0;
  for (const { name, shape } of tensors) {
    if (typeof name !== 'string' || name === '')
      throw new SealsumError('data_invalid', 'tensors: every tensor needs a name', { field: 'tensors' });
    if (byName.has(name)) throw refuse(name, 'is there twice; give one of them another name');
    const size = sizeOf(name, shape);
    byName.set(name, { name, shape: [...shape], offset: length, size });
    length += size;
    if (!Number.isSafeInteger(length)) throw refuse(name, 'makes more values than can be counted');
  }
  const places = [...byName.values()];
  return {
    places,
    length,
    place: (name) => byName.get(name),
    flatten: (given) => {
      requireTensors(given);
      for (const name of given.keys())
        if (!byName.has(name)) throw refuse(name, `is unexpected: the layout has ${named(places)}`);
      const values = new Float64Array(length);
      for (const place of places) values.set(checkedValues(place, given.get(place.name)), place.offset);
      return values;
    },
    unflatten: (values) => {
      if (values.length !== length)
        throw new SealsumError('data_invalid', `values: ${values.length} are given, the tensors have ${length}`, {
          field: 'values',
        });
      const all = Float64Array.from(values);
      return new Map(
        places.map(({ name, shape, offset, size }) => [name, { shape, values: all.slice(offset, offset + size) }]),
      );
    },
    fieldOf: (index) => {
      const place = places.find(({ offset, size }) => index >= offset && index < offset + size);
      return place === undefined ? `value ${index}` : fieldOf(place.name, index - place.offset);
    },
  };
}

/**
 * The layout of these tensors, which are checked.
 *
 * @throws SealsumError `data_invalid` naming a tensor whose values are not as many as its shape says, `number_not_finite` naming
 *   one that is none
 */
export function layoutOf(tensors: NamedTensors): TensorLayout {
  requireTensors(tensors);
  const shapes = Array.from(tensors, ([name, tensor]) => {
    requireTensor(name, tensor);
    return { name, shape: tensor.shape };
  });
  const layout = createTensorLayout(shapes);
  for (const place of layout.places) checkedValues(place, tensors.get(place.name));
  return layout;
}

/**
 * A tensor of values that are in a plain list.
 *
 * @param shape a vector of all values unless given
 * @throws SealsumError `data_invalid` with field `shape` where it has not as many, `number_not_finite` with field `value j`
 */
export function tensorOf(values: ArrayLike<number>, shape: readonly number[] = [values.length]): Tensor {
  const size = isShape(shape) ? product(shape) : Number.NaN;
  if (size !== values.length)
    throw new SealsumError('data_invalid', `shape: expected one of ${values.length} values`, { field: 'shape' });
  const index = Array.from(values).findIndex((value) => !Number.isFinite(value));
  if (index < 0) return { shape: [...shape], values: Float64Array.from(values) };
  const field = `value ${index}`;
  throw new SealsumError('number_not_finite', `${field} is NaN or infinite: nothing is put in its place`, { field });
}

function requireTensors(tensors: unknown): void {
  if (tensors instanceof Map) return;
  throw new SealsumError('data_invalid', 'tensors: expected a Map of tensors by name', { field: 'tensors' });
}

function requireTensor(name: string, tensor: Tensor | undefined): asserts tensor is Tensor {
  if (tensor === undefined) throw refuse(name, 'is missing');
  const given = tensor as { readonly shape?: unknown; readonly values?: unknown } | null;
  if (typeof given === 'object' && given?.values instanceof Float64Array && Array.isArray(given.shape)) return;
  throw refuse(name, 'is none: expected { shape, values }, a list of whole numbers and a Float64Array');
}

function checkedValues({ name, shape, size }: TensorPlace, tensor: Tensor | undefined): Float64Array {
  requireTensor(name, tensor);
  const { values } = tensor;
  if (tensor.shape.length !== shape.length || shape.some((dimension, axis) => tensor.shape[axis] !== dimension))
    throw refuse(name, `has the shape ${spoken(tensor.shape)}, expected ${spoken(shape)}`);
  if (values.length !== size)
    throw refuse(name, `has ${values.length} values, and its shape ${spoken(shape)} has ${size}`);
  const index = values.findIndex((value) => !Number.isFinite(value));
  if (index < 0) return values;
  const field = fieldOf(name, index);
  throw new SealsumError('number_not_finite', `${field} is NaN or infinite: nothing is put in its place`, { field });
}

function isShape(shape: unknown): boolean {
  return Array.isArray(shape) && shape.every((dimension) => Number.isSafeInteger(dimension) && dimension >= 0);
}

function product(shape: readonly number[]): number {
  return shape.reduce((size, dimension) => size * dimension, 1);
}

function sizeOf(name: string, shape: readonly number[]): number {
  if (!isShape(shape)) throw refuse(name, 'has no shape: expected a list of whole numbers of at least 0');
  const size = product(shape);
  if (Number.isSafeInteger(size)) return size;
  throw refuse(name, `has more values than can be counted: ${spoken(shape)}`);
}

const fieldOf = (name: string, index: number): string => `tensor ${JSON.stringify(name)} value ${index}`;

const spoken = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

const mostNamesShown = 5;

function named(places: readonly TensorPlace[]): string {
  const names = places.slice(0, mostNamesShown).map(({ name }) => JSON.stringify(name));
  if (places.length > names.length) names.push(`${places.length - names.length} more`);
  return names.join(', ') || 'no tensors';
}

function refuse(name: string, why: string): SealsumError {
  const field = `tensor ${JSON.stringify(name)}`;
  return new SealsumError('data_invalid', `${field} ${why}`, { field });
}
