/** What an owner adds to the closing round, from its records and the final parameters; and what the model owner reads of the sum. */
import type { WeightedVector } from '../../encoding/contribution.ts';
import { fromFixedPoint } from '../../encoding/fixed-point.ts';
import { SealsumError } from '../../errors.ts';
import type { OwnSums } from '../clipped-sums.ts';
import { argmax, scoresOf, sigmoid, toProbabilities } from '../families.ts';
import { type Records, recordsInPart } from '../records.ts';
import type { Statistics } from '../task.ts';
import { BOUND_BITS } from '../unclipped-sums.ts';
import { perBin } from './closing-round.ts';
import type { ClosingTask } from './closing-task.ts';

/**
 * What an owner gives to a closing round: its sums over all of its records at the final parameters, as integers.
 *
 * @param parameters `task.parameterCount` of them
 * @throws SealsumError `plan_mismatch` where parameters or records are not the task's, `number_out_of_bounds` naming a value that is
 *   beyond what the plan has room for
 */
export function closingSums(task: ClosingTask, records: Records, parameters: Float64Array): OwnSums {
  requireOf(task, records, parameters);
  const { width, bins, isLinear, family, information, score, squares } = task;
  // Those that were held out were not fitted.
  const fitted =
    task.model.training.solver === 'gradient' && records.parts !== undefined ? recordsInPart(records, 0) : records;
  const sums = new Float64Array(task.length);
  const halfWidth = parameters[task.modelParameters] ?? 0;
  const scores = new Float64Array(family.outputs);
  const model = parameters.subarray(0, task.modelParameters);
  for (let index = 0; index < fitted.count; index += 1) {
    const row = fitted.x.subarray(index * width, (index + 1) * width);
    const target = fitted.y[index] ?? 0;
    scoresOf(model, row, scores);
    const [first = 0] = scores;
    const predicted = isLinear ? first : sigmoid(first);
    const residual = target - predicted;
    if (information.length > 0) {
      addInformation(sums, information.at, row, isLinear ? 1 : predicted * (1 - predicted));
      for (let column = 0; column < width; column += 1) add(sums, score.at + column, residual * (row[column] ?? 0));
      add(sums, squares.at, isLinear ? residual * residual : Number(first > 0 === (target === 1)));
    }
    if (bins === 0) continue;
    if (isLinear) addResidual(task, sums, predicted, residual, halfWidth);
    else if (family.outputs === 1) addCalibration(task, sums, predicted, target);
    else addLikeliest(task, sums, scores, target);
  }
  requireWithinBounds(task, sums, fitted.count);
  return { weight: BigInt(fitted.count), sums };
}

/** The sums over all records, as numbers. @throws SealsumError `plan_mismatch`, `weight_zero` */
export function closingStatistics(task: ClosingTask, sum: WeightedVector): Statistics {
  if (sum.values.length !== task.length)
    throw new SealsumError('plan_mismatch', `values: expected ${task.length}, not ${sum.values.length}`, {
      field: 'values',
    });
  if (sum.weight < 1n)
    throw new SealsumError('weight_zero', 'weight: the records of all owners add up to none', { field: 'weight' });
  return {
    weight: Number(sum.weight),
    statistics: fromFixedPoint(sum.values, task.scale),
    metrics: new Float64Array(0),
  };
}

function requireOf(
  { width, parameterCount, modelParameters }: ClosingTask,
  records: Records,
  parameters: Float64Array,
): void {
  const refuse = (field: string, why: string): SealsumError =>
    new SealsumError('plan_mismatch', `${field}: ${why}`, { field });
  if (parameters.length !== parameterCount)
    throw refuse('parameters', `expected ${parameterCount} for the closing round, not ${parameters.length}`);
  if (records.width !== width) throw refuse('records', `expected ${width} columns, not ${records.width}`);
  if (parameterCount > modelParameters && !((parameters[modelParameters] ?? 0) > 0))
    throw refuse('parameters', 'half of the width of the histogram comes last; expected a number above 0');
}

function add(sums: Float64Array, position: number, value: number): void {
  sums[position] = (sums[position] ?? 0) + value;
}

/** The upper triangle of w·x·xᵀ, row by row. */
function addInformation(sums: Float64Array, at: number, row: Float64Array, weight: number): void {
  let position = at;
  for (let i = 0; i < row.length; i += 1) {
    const factor = weight * (row[i] ?? 0);
    for (let j = i; j < row.length; j += 1) {
      sums[position] = (sums[position] ?? 0) + factor * (row[j] ?? 0);
      position += 1;
    }
  }
}

/** Below −h, the bins of [−h, h), from h on; and by the prediction. */
function addResidual(
  { bins, histogram, profile }: ClosingTask,
  sums: Float64Array,
  predicted: number,
  residual: number,
  halfWidth: number,
): void {
  const share = (residual / halfWidth + 1) / 2;
  const bin = share < 0 ? 0 : share >= 1 ? bins + 1 : 1 + binOf(share, bins);
  add(sums, histogram.at + bin, 1);
  const at = profile.at + perBin * binOf((predicted + 1) / 2, bins);
  add(sums, at, 1);
  add(sums, at + 1, residual);
  add(sums, at + 2, residual * residual);
}

/** By the probability of the second class. */
function addCalibration({ bins, profile }: ClosingTask, sums: Float64Array, probability: number, target: number): void {
  const at = profile.at + perBin * binOf(probability, bins);
  add(sums, at, 1);
  add(sums, at + 1, target);
  add(sums, at + 2, probability);
}

/** By the probability of the likeliest class, and whether that is the right one (Guo et al. 2017, section 2). */
function addLikeliest({ bins, profile }: ClosingTask, sums: Float64Array, scores: Float64Array, target: number): void {
  const likeliest = argmax(scores);
  toProbabilities(scores);
  const probability = scores[likeliest] ?? 0;
  const at = profile.at + perBin * binOf(probability, bins);
  add(sums, at, 1);
  add(sums, at + 1, Number(likeliest === target));
  add(sums, at + 2, probability);
}

/** Which of so many equal bins of [0, 1]; what is beyond is in the first or the last. */
function binOf(share: number, bins: number): number {
  return Math.min(bins - 1, Math.max(0, Math.floor(share * bins)));
}

function requireWithinBounds({ names }: ClosingTask, sums: Float64Array, count: number): void {
  for (const [index, sum] of sums.entries()) {
    if (Math.abs(sum) <= count * 2 ** BOUND_BITS) continue;
    const field = names()[index] ?? '';
    throw new SealsumError(
      'number_out_of_bounds',
      `${field}: beyond 2^${BOUND_BITS} per record; predictions are far from their targets: lower training.learning_rate`,
      { field },
    );
  }
}
