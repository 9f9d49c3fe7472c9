/**
 * How well a model fits: means over all records of all owners, in the terms people report.
 *
 * Under differential privacy they are as noisy as everything else that is released: estimates, of which the one by normal
 * equations, a small difference of great noised sums, is the roughest.
 */
import type { FeatureMap } from './features.ts';
import { isNumeric } from './fields.ts';
import { rangeScale } from './scaling.ts';

export interface Metrics {
  /** The mean loss per record without the penalty: squared error / 2 of the target scaled to [−1, 1], or log-loss in nats. */
  readonly loss: number;
  /** Linear: mean squared error in the square of the target's own unit. */
  readonly mse?: number;
  /** Linear by normal equations: the share of the target's variance that is explained. */
  readonly r2?: number;
  /** Classifiers: mean log-loss in nats. */
  readonly log_loss?: number;
  /** Classifiers: the share of records whose likeliest class is the right one. */
  readonly accuracy?: number;
}

/** From the mean loss (and for classifiers the share of correct records) of the scaled problem. */
export function metricsOf(map: FeatureMap, loss: number, correct?: number): Metrics {
  if (map.classes !== undefined) {
    return { loss, log_loss: loss, ...(correct === undefined ? {} : { accuracy: correct }) };
  }
  const { half } = isNumeric(map.target) ? rangeScale(map.target) : { half: 1 };
  return { loss, mse: 2 * loss * half * half };
}
