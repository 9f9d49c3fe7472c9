/** The profiles that are built in: plain vectors, and state dictionaries as files of safetensors have them. */
import { layoutOf, type NamedTensors } from '../averaging/tensors.ts';
import { SealsumError } from '../errors.ts';
import type { FixedPointBits } from '../vector-sum/document.ts';
import type { DecodedSum } from '../vector-sum/fixed-point-vector.ts';
import type { AggregationProfile } from './profile.ts';
import { type FloatType, readSafetensors, type StateDictionary } from './safetensors.ts';

/** The fixed point of a profile, its bound and its weights. */
export interface ProfileOptions {
  /** The width of a fixed-point number; 32 unless given. */
  readonly bits?: FixedPointBits;
  /** The greatest magnitude of a value; give this or `norm`. */
  readonly bound?: number;
  /** The L2 norm to which everything together is clipped; with privacy it must be this. */
  readonly norm?: number;
  /** The greatest weight of what an owner gives; 1 unless given. */
  readonly maxWeight?: number;
  /** What is made of the sum: itself, or what it is divided by the summed weight. */
  readonly result?: 'sum' | 'mean';
}

/** Lists of numbers. The result is the sum unless told. */
export function plainVectors({
  length,
  result = 'sum',
  ...options
}: ProfileOptions & { readonly length: number }): AggregationProfile<ArrayLike<number>, Float64Array, Float64Array> {
  return {
    prepare: (given) => {
      const list = given as ArrayLike<unknown> | null | undefined;
      if (typeof list !== 'object' || list === null || typeof list.length !== 'number')
        throw new SealsumError('data_invalid', 'the vector: expected a Float64Array, or another list of numbers', {
          field: 'vector',
        });
      // What is no number is refused by its index when it is contributed, and nothing made a number of it before.
      return Float64Array.from(list, (value) => (typeof value === 'number' ? value : Number.NaN));
    },
    encode: (prepared) => prepared,
    aggregate: () => ({ bits: 32, ...options, length }),
    decode: (sum) => sum[result],
  };
}

/**
 * State dictionaries: tensors by name, all of the names and shapes of `template`, as they are or in the bytes of a file. The result is
 * the mean unless told, with the template's types and metadata, so that writeSafetensors() makes a file of it.
 *
 * @param template one of them, or a file of one; its values do not matter
 * @throws SealsumError data_invalid, number_not_finite
 */
export function stateDictionaries({
  template,
  result = 'mean',
  ...options
}: ProfileOptions & { readonly template: Uint8Array | StateDictionary | NamedTensors }): AggregationProfile<
  Uint8Array | StateDictionary | NamedTensors,
  NamedTensors,
  StateDictionary
> {
  const { tensors, types, metadata } = dictionaryOf(template);
  const layout = layoutOf(tensors);
  return {
    prepare: (given) => layout.unflatten(layout.flatten(dictionaryOf(given).tensors)),
    encode: (prepared) => layout.flatten(prepared),
    aggregate: () => ({ bits: 32, ...options, length: layout.length }),
    decode: (sum: DecodedSum) => ({ tensors: layout.unflatten(sum[result]), types, metadata }),
  };
}

/** Tensors that come without types are of doubles. */
function dictionaryOf(given: Uint8Array | StateDictionary | NamedTensors): StateDictionary {
  if (given instanceof Uint8Array) return readSafetensors(given);
  if (given instanceof Map) {
    const tensors: NamedTensors = given;
    return {
      tensors,
      types: new Map([...tensors.keys()].map((name): [string, FloatType] => [name, 'F64'])),
      metadata: {},
    };
  }
  const { tensors, types, metadata = {} } = (given as Partial<StateDictionary> | null | undefined) ?? {};
  if (tensors instanceof Map && types instanceof Map) return { tensors, types, metadata };
  throw new SealsumError(
    'data_invalid',
    'tensors: expected the bytes of a safetensors file, what readSafetensors() makes of one, or a Map of tensors by name',
    { field: 'tensors' },
  );
}
