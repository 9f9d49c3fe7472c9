/** Values that are cut off at a range, and how many they were: what an owner is told, and nobody else. */
import type { TensorLayout } from './tensors.ts';

export interface Clipped {
  readonly values: Float64Array;
  /** Which fraction of each tensor's values was beyond the range, by the tensor's name; 0: none. */
  readonly fractions: ReadonlyMap<string, number>;
}

/** @param bound the range is ± this */
export function clip(layout: TensorLayout, values: Float64Array, bound: number): Clipped {
  const fractions = layout.places.map(({ name, offset, size }): [string, number] => {
    const beyond = values.subarray(offset, offset + size).filter((value) => Math.abs(value) > bound).length;
    return [name, size === 0 ? 0 : beyond / size];
  });
  return { values: values.map((value) => Math.min(bound, Math.max(-bound, value))), fractions: new Map(fractions) };
}
