/** A small model for statistics with all that can be asked for, and data of a known process for it. */

import type { Records } from '../../../src/learning/features.ts';
import type { StatisticsModel } from '../../../src/learning/statistics/model.ts';
import { parseStatistics } from '../../../src/learning/statistics/parse.ts';
import { compileColumns, encodeColumns } from '../../../src/learning/statistics/records.ts';
import { readTable } from '../../../src/learning/table.ts';

/** A record as the data file has it; undefined is missing. */
export interface Patient {
  readonly age: number | undefined;
  readonly pressure: number | undefined;
  readonly visits: number;
  readonly ward: string | undefined;
  readonly smokes: string;
}

export const wards: readonly string[] = ['north', 'south', 'west'];

export const columns: readonly object[] = [
  { name: 'age', type: 'continuous', range: [0, 120] },
  { name: 'pressure', type: 'continuous', range: [60, 260] },
  { name: 'visits', type: 'discrete', range: [0, 5], missing: 'refuse' },
  { name: 'ward', type: 'nominal', levels: wards },
  { name: 'smokes', type: 'ordinal', levels: ['never', 'some', 'much'], missing: 'refuse' },
];

const statistics = {
  moments: ['age', 'pressure', 'visits', 'smokes'],
  covariance: ['age', 'pressure', 'visits'],
  histograms: [
    { column: 'age', edges: [18, 40, 65] },
    { column: 'pressure', bins: 4 },
    { column: 'visits' },
    { column: 'ward' },
  ],
  contingency: [
    ['ward', 'smokes'],
    ['visits', 'smokes'],
  ],
};

export const document: Readonly<Record<string, unknown>> = {
  model_type: 'STATISTICS',
  data_props: { columns },
  statistics,
  encryption: { key_bits: 2048 },
};

/** @param rest what else model.json says */
export const modelOf = (rest: object = {}): StatisticsModel => parseStatistics({ ...document, ...rest });

export function textOf(patients: readonly Patient[]): string {
  const rows = patients.map(({ age, pressure, visits, ward, smokes }) =>
    [age ?? '', pressure ?? 'NA', visits, ward ?? '?', smokes].join(','),
  );
  return ['age,pressure,visits,ward,smokes', ...rows].join('\n');
}

export async function recordsOf(model: StatisticsModel, patients: readonly Patient[]): Promise<Records> {
  return encodeColumns(compileColumns(model), await readTable({ text: textOf(patients) }, model.data_props));
}

/** So many patients, of whom every seventh has no age, every eleventh no pressure and every thirteenth no ward. */
export function patientsOf(count: number, seed = 20_260_501): Patient[] {
  let state = seed;
  const next = (): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  return Array.from({ length: count }, (_, index) => {
    const age = Math.round(next() * 1000) / 10;
    const ward = wards[Math.floor(next() * 3)];
    const visits = Math.floor(next() * 6);
    return {
      age: index % 7 === 3 ? undefined : age,
      pressure: index % 11 === 5 ? undefined : Math.round((90 + 0.6 * age + 40 * next()) * 10) / 10,
      visits,
      ward: index % 13 === 6 ? undefined : ward,
      smokes: ['never', 'some', 'much'][Math.floor(next() * 3)] ?? 'never',
    };
  });
}

/** What plain arithmetic says of all patients in one place. */
export interface Plain {
  readonly count: number;
  readonly mean: number;
  readonly variance: number;
}

export function plainOf(values: readonly number[]): Plain {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  return { count, mean, variance: covarianceOf(values, values) };
}

export function covarianceOf(left: readonly number[], right: readonly number[]): number {
  const count = left.length;
  const meanLeft = left.reduce((sum, value) => sum + value, 0) / count;
  const meanRight = right.reduce((sum, value) => sum + value, 0) / count;
  return (
    left.reduce((sum, value, index) => sum + (value - meanLeft) * ((right[index] ?? 0) - meanRight), 0) / (count - 1)
  );
}

export const present = (values: readonly (number | undefined)[]): number[] =>
  values.filter((value) => value !== undefined);
