/** How well a model fits, as people call it. */
import type { Metrics } from '../../learning/metrics.ts';

const names: Readonly<Record<keyof Metrics, string>> = {
  mse: 'Mean squared error',
  r2: 'R²',
  log_loss: 'Log-loss',
  accuracy: 'Accuracy',
  loss: 'Loss (scaled)',
  validation_mse: 'Mean squared error, held out',
  validation_log_loss: 'Log-loss, held out',
  validation_accuracy: 'Accuracy, held out',
  validation_loss: 'Loss, held out',
};

/** Those that there are, in the order in which they are read; a loss that says the same as another one is left out. */
export function measuresOf(metrics: Partial<Metrics>): (readonly [string, number])[] {
  return (Object.keys(names) as (keyof Metrics)[]).flatMap((name) => {
    const value = metrics[name];
    const isTwice =
      (name === 'loss' && metrics.log_loss !== undefined) ||
      (name === 'validation_loss' && metrics.validation_log_loss !== undefined);
    return value === undefined || isTwice ? [] : [[names[name], value] as const];
  });
}

/** The one figure by which models are compared, as GET /prediction calls it. */
export function costOf(
  metrics: Partial<Metrics> | undefined,
): { readonly name: string; readonly value: number } | undefined {
  for (const name of ['mse', 'log_loss', 'loss'] as const) {
    const value = metrics?.[name];
    if (value !== undefined) return { name: names[name], value };
  }
  return undefined;
}

/** The same of records that were held out. */
export function heldOutCostOf(metrics: Partial<Metrics> | undefined): number | undefined {
  return metrics?.validation_mse ?? metrics?.validation_log_loss ?? metrics?.validation_loss;
}
