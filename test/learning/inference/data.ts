/** Small data sets with figures that others have published. */

import assert from 'node:assert/strict';
import type { CoefficientPrecision, Inference } from '../../../src/learning/inference/standard-errors.ts';
import { norris as norrisRows } from '../../support/norris.ts';

/** A model of all columns but the last, which is the target, over ranges that hold them. */
export interface Published {
  readonly names: readonly string[];
  readonly rows: readonly (readonly number[])[];
}

export const norris: Published = { names: ['x', 'y'], rows: norrisRows };

/** NIST Statistical Reference Datasets, Longley (1967), ill-conditioned: https://www.itl.nist.gov/div898/strd/lls/data/Longley.shtml */
export const longley: Published = {
  names: ['deflator', 'gnp', 'unemployed', 'forces', 'population', 'year', 'employed'],
  rows: [
    [83.0, 234289, 2356, 1590, 107608, 1947, 60323],
    [88.5, 259426, 2325, 1456, 108632, 1948, 61122],
    [88.2, 258054, 3682, 1616, 109773, 1949, 60171],
    [89.5, 284599, 3351, 1650, 110929, 1950, 61187],
    [96.2, 328975, 2099, 3099, 112075, 1951, 63221],
    [98.1, 346999, 1932, 3594, 113270, 1952, 63639],
    [99.0, 365385, 1870, 3547, 115094, 1953, 64989],
    [100.0, 363112, 3578, 3350, 116219, 1954, 63761],
    [101.2, 397469, 2904, 3048, 117388, 1955, 66019],
    [104.6, 419180, 2822, 2857, 118734, 1956, 67857],
    [108.4, 442769, 2936, 2798, 120445, 1957, 68169],
    [110.8, 444546, 4681, 2637, 121950, 1958, 66513],
    [112.6, 482704, 3813, 2552, 123366, 1959, 68655],
    [114.2, 502601, 3931, 2514, 125368, 1960, 69564],
    [115.7, 518173, 4806, 2572, 127852, 1961, 69331],
    [116.9, 554894, 4007, 2827, 130081, 1962, 70551],
  ],
};

/** R's mtcars (Henderson and Velleman 1981): weight in 1000 lb, gross horsepower, miles per gallon. */
export const mtcars: Published = {
  names: ['wt', 'hp', 'mpg'],
  rows: [
    [2.62, 110, 21.0],
    [2.875, 110, 21.0],
    [2.32, 93, 22.8],
    [3.215, 110, 21.4],
    [3.44, 175, 18.7],
    [3.46, 105, 18.1],
    [3.57, 245, 14.3],
    [3.19, 62, 24.4],
    [3.15, 95, 22.8],
    [3.44, 123, 19.2],
    [3.44, 123, 17.8],
    [4.07, 180, 16.4],
    [3.73, 180, 17.3],
    [3.78, 180, 15.2],
    [5.25, 205, 10.4],
    [5.424, 215, 10.4],
    [5.345, 230, 14.7],
    [2.2, 66, 32.4],
    [1.615, 52, 30.4],
    [1.835, 65, 33.9],
    [2.465, 97, 21.5],
    [3.52, 150, 15.5],
    [3.435, 150, 15.2],
    [3.84, 245, 13.3],
    [3.845, 175, 19.2],
    [1.935, 66, 27.3],
    [2.14, 91, 26.0],
    [1.513, 113, 30.4],
    [3.17, 264, 15.8],
    [2.77, 175, 19.7],
    [3.57, 335, 15.0],
    [2.78, 109, 21.4],
  ],
};

/** Whether an O-ring of the space shuttle was in distress, by °F at the launch (Dalal, Fowlkes and Hoadley 1989, table 1). */
export const orings: Published = {
  names: ['temperature', 'distress'],
  rows: [
    [66, 0],
    [70, 1],
    [69, 0],
    [68, 0],
    [67, 0],
    [72, 0],
    [73, 0],
    [70, 0],
    [57, 1],
    [63, 1],
    [70, 1],
    [78, 0],
    [67, 0],
    [53, 1],
    [67, 0],
    [75, 0],
    [70, 0],
    [81, 0],
    [76, 0],
    [79, 0],
    [75, 1],
    [76, 0],
    [58, 1],
  ],
};

/** The text of a data file. */
export function textOf({ names, rows }: Published): string {
  return [names.join(','), ...rows.map((row) => row.join(','))].join('\n');
}

/** Its model.json; ranges are those of the values, a little wider where that is asked for. */
export function documentOf(
  { names, rows }: Published,
  modelType: string,
  rest: Record<string, unknown> = {},
  wider = 0,
): Record<string, unknown> {
  const fields = names.map((name, index) => {
    const values = rows.map((row) => row[index] ?? 0);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return { name, range: [low - wider * (high - low), high + wider * (high - low)] };
  });
  return {
    model_type: modelType,
    data_props: {
      features: fields.slice(0, -1).map((field) => ({ ...field, type: 'continuous' })),
      target: modelType === 'LINEAR_REGRESSION' ? fields.at(-1) : { name: names.at(-1), range: [0, 1] },
    },
    ...rest,
  };
}

/** What is known of a fit's precision, where it is. */
export function knownOf(inference: Inference | undefined): CoefficientPrecision {
  assert.ok(inference !== undefined && 'standard_errors' in inference, JSON.stringify(inference));
  return inference;
}
