/**
 * The model families: what a record contributes to the loss and to its gradient.
 *
 * All are generalised linear models (McCullagh & Nelder 1989, chapters 2 and 4): scores s = Θx, one per output, and a loss
 * ℓ(s, y) whose gradient by the parameters of output k is (∂ℓ/∂s_k)·x. A family therefore only says what ∂ℓ/∂s is.
 */
import type { Records } from './features.ts';
import type { Model } from './model-types.ts';

/** A quantity that travels beside the gradient: the loss, and for classifiers 1 where the likeliest class is the right one. */
export type MetricName = 'loss' | 'correct';

export interface Family {
  /** Scores per record: 1, or for softmax one per class. */
  readonly outputs: number;
  /** In the order in which `residuals` writes them. */
  readonly metrics: readonly MetricName[];
  /** Under differential privacy every record's loss is cut off here, so that one record cannot dominate the sum. */
  readonly lossBound: number;
  /** Replaces the scores by ∂ℓ/∂s and writes the record's metrics. */
  residuals(scores: Float64Array, target: number, metrics: Float64Array): void;
}

export function familyOf(model: Model): Family {
  const { target } = model.data_props;
  switch (model.model_type) {
    case 'LINEAR_REGRESSION':
      return linear;
    case 'LOGISTIC_REGRESSION':
      return logistic;
    case 'SOFTMAX_REGRESSION':
      return softmax('levels' in target ? target.levels.length : 0);
  }
}

/** Squared error / 2. Prediction and target within [−1, 1] are at most 2 apart, hence the bound 2²/2. */
export const linear: Family = {
  outputs: 1,
  metrics: ['loss'],
  lossBound: 2,
  residuals(scores, target, metrics) {
    const error = (scores[0] ?? 0) - target;
    scores[0] = error;
    metrics[0] = (error * error) / 2;
  },
};

/** Log-loss of the probability σ(s) of class 1. */
export const logistic: Family = {
  outputs: 1,
  metrics: ['loss', 'correct'],
  lossBound: 4,
  residuals(scores, target, metrics) {
    const score = scores[0] ?? 0;
    scores[0] = sigmoid(score) - target;
    // log(1 + eˢ) − y·s, written so that no exponential overflows.
    metrics[0] = Math.max(score, 0) - target * score + Math.log1p(Math.exp(-Math.abs(score)));
    metrics[1] = Number(score > 0 === (target === 1));
  },
};

/** Log-loss of the softmax of the scores; every class has parameters of its own. Without knowledge the loss is ln K. */
export function softmax(classes: number): Family {
  return {
    outputs: classes,
    metrics: ['loss', 'correct'],
    lossBound: Math.ceil(Math.log(classes)) + 3,
    residuals(scores, target, metrics) {
      const score = scores[target] ?? 0;
      const likeliest = argmax(scores);
      const logSum = toProbabilities(scores);
      metrics[0] = logSum - score;
      metrics[1] = Number(likeliest === target);
      scores[target] = (scores[target] ?? 0) - 1;
    },
  };
}

/** 1 / (1 + e⁻ˢ), by whichever form does not overflow. */
export function sigmoid(score: number): number {
  if (score >= 0) return 1 / (1 + Math.exp(-score));
  const power = Math.exp(score);
  return power / (1 + power);
}

/** Replaces scores by their softmax; returns log Σ eˢ, the greatest score taken out before the exponentials. */
export function toProbabilities(scores: Float64Array): number {
  let greatest = -Infinity;
  for (const score of scores) greatest = Math.max(greatest, score);
  let sum = 0;
  for (const score of scores) sum += Math.exp(score - greatest);
  for (const [index, score] of scores.entries()) scores[index] = Math.exp(score - greatest) / sum;
  return greatest + Math.log(sum);
}

/** The first position of the greatest value. */
export function argmax(values: Float64Array): number {
  let best = 0;
  for (let index = 1; index < values.length; index += 1) {
    if ((values[index] ?? 0) > (values[best] ?? 0)) best = index;
  }
  return best;
}

/** The scores of a record: parameters are outputs × width, row by row. */
export function scoresOf(parameters: Float64Array, row: Float64Array, scores: Float64Array): void {
  const width = row.length;
  for (let output = 0; output < scores.length; output += 1) {
    let score = 0;
    const base = output * width;
    for (let column = 0; column < width; column += 1) score += (parameters[base + column] ?? 0) * (row[column] ?? 0);
    scores[output] = score;
  }
}

/** Calls `visit` for every record with its row, its ∂ℓ/∂s and its metrics; the arrays are reused from record to record. */
export function forEachResidual(
  family: Family,
  records: Records,
  parameters: Float64Array,
  visit: (row: Float64Array, residuals: Float64Array, metrics: Float64Array, index: number) => void,
): void {
  const scores = new Float64Array(family.outputs);
  const metrics = new Float64Array(family.metrics.length);
  for (let index = 0; index < records.count; index += 1) {
    const row = records.x.subarray(index * records.width, (index + 1) * records.width);
    scoresOf(parameters, row, scores);
    family.residuals(scores, records.y[index] ?? 0, metrics);
    visit(row, scores, metrics, index);
  }
}

/** Adds residuals ⊗ row, the gradient of one record, to `into` (outputs × width from position 0 on). */
export function addGradient(row: Float64Array, residuals: Float64Array, into: Float64Array): void {
  const width = row.length;
  for (let output = 0; output < residuals.length; output += 1) {
    const residual = residuals[output] ?? 0;
    const base = output * width;
    for (let column = 0; column < width; column += 1) {
      into[base + column] = (into[base + column] ?? 0) + residual * (row[column] ?? 0);
    }
  }
}

/** Sums over all records: the gradient (outputs × width), then the metrics. */
export function gradientSums(family: Family, records: Records, parameters: Float64Array): Float64Array {
  const length = family.outputs * records.width;
  const sums = new Float64Array(length + family.metrics.length);
  forEachResidual(family, records, parameters, (row, residuals, metrics) => {
    addGradient(row, residuals, sums);
    for (const [index, metric] of metrics.entries()) sums[length + index] = (sums[length + index] ?? 0) + metric;
  });
  return sums;
}
