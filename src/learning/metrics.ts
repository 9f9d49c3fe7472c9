/**
 * How well a model fits: means over all records of all owners, in the terms people report.
 *
 * Under differential privacy they are as noisy as everything else that is released: estimates, of which the one by normal
 * equations, a small difference of great noised sums, is the roughest.
 */
import type { FeatureMap } from './features.ts';
import { isNumeric } from './fields.ts';
import { rangeScale } from './scaling.ts';

/** How well parameters fit, over all records of a round. */
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
  /** The same over the records that are held out, where `training.validation` says so. */
  readonly validation_loss?: number;
  readonly validation_mse?: number;
  readonly validation_log_loss?: number;
  readonly validation_accuracy?: number;
}

/** What is told of records that are held out. */
type HeldOutMetrics = Pick<Metrics, Extract<keyof Metrics, `validation_${string}`>>;

/** From the mean loss (and for classifiers the share of correct records) of the scaled problem. */
export function metricsOf(map: FeatureMap, loss: number, correct?: number): Metrics {
  if (map.classes !== undefined) {
    return { loss, log_loss: loss, ...(correct === undefined ? {} : { accuracy: correct }) };
  }
  const { half } = isNumeric(map.target) ? rangeScale(map.target) : { half: 1 };
  return { loss, mse: 2 * loss * half * half };
}

/** From the mean loss (and for classifiers the share of correct records) of the records that are held out. */
export function heldOutMetricsOf(map: FeatureMap, meanLoss: number, correct?: number): HeldOutMetrics {
  const { loss, mse, log_loss, accuracy } = metricsOf(map, meanLoss, correct);
  return {
    validation_loss: loss,
    ...(mse === undefined ? {} : { validation_mse: mse }),
    ...(log_loss === undefined ? {} : { validation_log_loss: log_loss }),
    ...(accuracy === undefined ? {} : { validation_accuracy: accuracy }),
  };
}
