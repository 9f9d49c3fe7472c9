/** The metrics that travel behind the statistics of a round, each a sum over records. */
import type { Family, MetricName } from './families.ts';
import type { Model } from './model-types.ts';

/** How many records are held out for validation, and the metrics of those. */
export type HeldOutName = 'held-out records' | `held-out ${MetricName}`;
/** In cross-validation: how many records are in a fold, counted from 1 here. */
export type FoldCountName = `records of fold ${number}`;
export type SummedMetric = MetricName | HeldOutName | FoldCountName;

/** In the order in which they travel. */
export function summedMetricsOf({ training, privacy }: Model, family: Family): readonly SummedMetric[] {
  if (training.solver === 'normal-equations')
    return Array.from(
      { length: training.cross_validation?.folds ?? 0 },
      (_, fold) => `records of fold ${fold + 1}` as const,
    );
  if (privacy?.metrics === 'local') return [];
  if (training.validation === undefined) return family.metrics;
  return [...family.metrics, 'held-out records', ...family.metrics.map((name) => `held-out ${name}` as const)];
}

export function isHeldOutMetric(name: SummedMetric): name is HeldOutName {
  return name.startsWith('held-out');
}

export function isFoldCount(name: SummedMetric): name is FoldCountName {
  return name.startsWith('records of fold');
}

/** Whether it is a loss, of which one record may have more than 1. */
export function isLoss(name: SummedMetric): boolean {
  return name.endsWith('loss');
}
