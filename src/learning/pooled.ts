/**
 * The same training on all records in one place, in doubles, without fixed point, encryption, clipping or noise: what the
 * encrypted training is compared with.
 */
import { createDescent } from './descent.ts';
import { familyOf, gradientSums } from './families.ts';
import { compileFeatures, type Records } from './features.ts';
import type { Metrics } from './metrics.ts';
import { metricsOf } from './metrics.ts';
import type { Model } from './model.ts';
import { solveNormalEquations, triangleSums } from './normal-equations.ts';

export interface PooledFit {
  /** As `Trainer.parameters` has them, but not rounded. */
  readonly parameters: Float64Array;
  readonly metrics: Metrics;
  /** Updates made. */
  readonly rounds: number;
}

/** @throws SealsumError `matrix_singular`, `number_not_finite` (the training diverged) */
export function trainPooled(model: Model, records: Records): PooledFit {
  const map = compileFeatures(model);
  const { training } = model;
  if (training.solver === 'normal-equations') {
    return { ...solveNormalEquations(map, triangleSums(records), records.count, training.l2, 0), rounds: 1 };
  }
  const family = familyOf(model);
  const length = family.outputs * map.width;
  const descent = createDescent(training, length, map.width, (parameters) => parameters);
  for (;;) {
    const means = gradientSums(family, records, descent.parameters).map((sum) => sum / records.count);
    const [loss = 0, correct] = means.subarray(length);
    descent.absorb(means.slice(0, length), loss);
    if (descent.finished) {
      return { parameters: descent.parameters, metrics: metricsOf(map, loss, correct), rounds: descent.round };
    }
  }
}
