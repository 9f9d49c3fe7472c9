/**
 * What the one round of a job for statistics sums: which values every owner sends, at which scale and within which bounds.
 *
 * Without privacy all are exact integers: numbers of records, and products of columns that were rounded to `fraction_bits` first. With
 * it every unit becomes one integer vector of L2 norm at most S before anything is summed (allowance.ts): each group of it is
 * clipped to its share in integers, which shortens nothing but what rounding made too long.
 */
import type { WeightedVector } from '../../encoding/contribution.ts';
import { SealsumError } from '../../errors.ts';
import { clipToIntegers } from '../../privacy/clipping.ts';
import type { Records } from '../features.ts';
import type { ClosingTask } from '../inference/closing-task.ts';
import { exactTriangleSums, recordTriangle } from '../normal-equations.ts';
import { scaleValue } from '../scaling.ts';
import type { Statistics, Task } from '../task.ts';
import { divideAmongGroups, type StatisticsAllowance } from './allowance.ts';
import { type Cells, type Group, groupsOf, isProducts, type Products } from './groups.ts';
import type { StatisticsModel } from './model.ts';

/** What a job for statistics sums: groups of values with their scales and bounds. */
export interface StatisticsTask
  extends Pick<
    Task,
    'width' | 'length' | 'statistics' | 'scale' | 'valueBound' | 'weightUnit' | 'maxWeight' | 'fractionBits'
  > {
  readonly solver: 'statistics';
  readonly model: StatisticsModel;
  readonly rounds: 1;
  readonly parameterCount: 0;
  /** Nothing that a clip could shorten goes round, and no integers of few bits. */
  readonly clipping: undefined;
  readonly encrypted: undefined;
  readonly quantising: undefined;
  readonly groups: readonly Group[];
  /** Present with differential privacy. */
  readonly allowance: StatisticsAllowance | undefined;
}

/** A task of any job. */
export type AnyTask = Task | StatisticsTask | ClosingTask;

/** What a job for statistics sums. @throws SealsumError privacy_invalid where so much is asked for that next to nothing of the allowance is left for it */
export function createStatisticsTask(model: StatisticsModel): StatisticsTask {
  const groups = groupsOf(model);
  const length = groups.reduce((sum, group) => sum + group.length, 0);
  const allowance = divideAmongGroups(model, groups);
  const fractionBits = model.encryption.fraction_bits;
  // The products of two numbers of f bits have 2f, and are at most 1. What is only counted needs no more room than the count.
  const productBits = groups.some(isProducts) ? 2 * fractionBits : 0;
  const greatest = allowance?.groups.reduce((most, share) => (share > most ? share : most), 1n);
  return {
    solver: 'statistics',
    model,
    rounds: 1,
    parameterCount: 0,
    clipping: undefined,
    encrypted: undefined,
    quantising: undefined,
    width: model.data_props.columns.length,
    length,
    statistics: length,
    fractionBits,
    groups,
    allowance,
    scale: allowance === undefined ? 2 ** productBits : 1,
    valueBound: greatest ?? 1n << BigInt(productBits),
    weightUnit: allowance?.count ?? 1n,
    maxWeight: allowance?.unit === 'owner' ? 1n : BigInt(model.participation.max_records),
  };
}

/** What the model owner learns of a sum of contributions, noise included: its integers, of which report.ts makes statistics. */
export function sumsOf(task: StatisticsTask, sum: WeightedVector, contributors: number): Statistics {
  if (sum.values.length !== task.length)
    throw new SealsumError('plan_mismatch', `values: expected ${task.length}, not ${sum.values.length}`, {
      field: 'values',
    });
  const nothing = new Float64Array(0);
  const weight = Number(sum.weight) / Number(task.weightUnit);
  return { weight, statistics: nothing, metrics: nothing, sum: { ...sum, contributors } };
}

/**
 * An owner's side: the sums over its records as integers.
 *
 * @throws SealsumError `plan_mismatch` where the records are not the task's
 */
export function statisticsSums(task: StatisticsTask, records: Records): WeightedVector {
  if (records.width !== task.width)
    throw new SealsumError('plan_mismatch', `records: expected ${task.width} columns, not ${records.width}`, {
      field: 'records',
    });
  const { allowance } = task;
  return allowance === undefined ? exactSums(task, records) : privateSums(task, allowance, records);
}

function exactSums({ groups, fractionBits, length }: StatisticsTask, records: Records): WeightedVector {
  const values = new Array<bigint>(length).fill(0n);
  for (const group of groups) {
    const sums = isProducts(group) ? exactProducts(group, records, fractionBits) : countCells(group, records);
    for (const [index, sum] of sums.entries()) values[group.offset + index] = sum;
  }
  return { weight: BigInt(records.count), values };
}

/** Σ of the triangles over the records in which no column is missing, and how many the others are. */
function exactProducts(group: Products, records: Records, fractionBits: number): bigint[] {
  const width = group.columns.length;
  const x = new Float64Array(records.count * width);
  const y = new Float64Array(records.count);
  const row = new Float64Array(width);
  let count = 0;
  for (let index = 0; index < records.count; index += 1) {
    if (!readScaled(group, records, index, row)) continue;
    x[count * width] = 1;
    x.set(row.subarray(0, width - 1), count * width + 1);
    y[count] = row[width - 1] ?? 0;
    count += 1;
  }
  const sums = exactTriangleSums({ count, width, x, y }, fractionBits);
  return group.missing === undefined ? sums : [...sums, BigInt(records.count - count)];
}

function countCells(group: Cells, records: Records): bigint[] {
  const counts = new Float64Array(group.length);
  for (let index = 0; index < records.count; index += 1) {
    const cell = cellOf(group, records, index);
    counts[cell] = (counts[cell] ?? 0) + 1;
  }
  return Array.from(counts, BigInt);
}

/**
 * Σ of the units' integer vectors. Every entry is at most 2^20, so doubles add 2^33 records exactly, which are more than memory holds.
 */
function privateSums(
  { groups, length }: StatisticsTask,
  allowance: StatisticsAllowance,
  records: Records,
): WeightedVector {
  const sums = new Float64Array(length);
  const { unit, count } = allowance;
  for (const [index, group] of groups.entries()) {
    const into = sums.subarray(group.offset, group.offset + group.length);
    const share = allowance.groups[index] ?? 0n;
    if (unit === 'record') addRecords(group, share, records, into);
    else into.set(clipToIntegers(meanOf(group, records), 1, share).values);
  }
  const units = unit === 'owner' ? 1n : BigInt(records.count);
  return { weight: units * count, values: Array.from(sums, BigInt) };
}

function addRecords(group: Group, share: bigint, records: Records, into: Float64Array): void {
  const vector = new Float64Array(group.length);
  const row = new Float64Array(group.columns.length);
  for (let index = 0; index < records.count; index += 1) {
    const cell = fill(group, records, index, row, vector);
    if (cell !== undefined) {
      into[cell] = (into[cell] ?? 0) + Number(share);
      continue;
    }
    for (const [entry, value] of clipToIntegers(vector, 1, share).values.entries())
      into[entry] = (into[entry] ?? 0) + value;
  }
}

/** The mean of the records' vectors, whose norm is no greater than theirs. */
function meanOf(group: Group, records: Records): Float64Array {
  const mean = new Float64Array(group.length);
  const vector = new Float64Array(group.length);
  const row = new Float64Array(group.columns.length);
  for (let index = 0; index < records.count; index += 1) {
    const cell = fill(group, records, index, row, vector);
    if (cell !== undefined) mean[cell] = (mean[cell] ?? 0) + 1 / records.count;
    else for (const [entry, value] of vector.entries()) mean[entry] = (mean[entry] ?? 0) + value / records.count;
  }
  return mean;
}

/** Writes a record's vector, of norm at most 1, and returns undefined; or the only entry that it has, which is 1. */
function fill(
  group: Group,
  records: Records,
  index: number,
  row: Float64Array,
  vector: Float64Array,
): number | undefined {
  if (!isProducts(group)) return cellOf(group, records, index);
  if (!readScaled(group, records, index, row)) return group.missing ?? 0;
  const [last = 0] = row.subarray(row.length - 1);
  row.copyWithin(1, 0, row.length - 1);
  row[0] = 1;
  recordTriangle(row, last, vector);
  if (group.missing !== undefined) vector[group.missing] = 0;
  for (const [entry, value] of vector.entries()) vector[entry] = value / group.norm;
  return undefined;
}

/** A record's columns, scaled to [−1, 1]; false where one of them is missing. */
function readScaled({ columns, scales }: Products, { x, width }: Records, index: number, into: Float64Array): boolean {
  for (const [position, column] of columns.entries()) {
    const value = x[index * width + column] ?? Number.NaN;
    const scale = scales[position];
    if (Number.isNaN(value) || scale === undefined) return false;
    into[position] = scaleValue(scale, value);
  }
  return true;
}

/** The cell that a record is in, row by row; the last one where a value is missing. */
function cellOf({ columns, axes, missing }: Cells, { x, width }: Records, index: number): number {
  let cell = 0;
  for (const [position, column] of columns.entries()) {
    const value = x[index * width + column] ?? Number.NaN;
    const axis = axes[position];
    if (Number.isNaN(value) || axis === undefined) return missing ?? 0;
    cell = cell * axis.size + axis.binOf(value);
  }
  return cell;
}
