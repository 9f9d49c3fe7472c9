/**
 * The same training on all records in one place, in doubles, without fixed point, encryption, clipping or noise: what the
 * encrypted training is compared with.
 */
import { coefficientsOf, initialParameters, learnedOf } from './coefficients.ts';
import { type CrossValidation, crossValidate } from './cross-validation.ts';
import { createDescent } from './descent.ts';
import { earlyStoppingOf } from './early-stopping.ts';
import { projected } from './encrypted-gradient.ts';
import { familyOf, gradientSums } from './families.ts';
import { compileFeatures, type FeatureMap } from './features.ts';
import type { Metrics } from './metrics.ts';
import { heldOutMetricsOf, metricsOf } from './metrics.ts';
import type { GradientTraining, Model, NormalEquationsTraining } from './model-types.ts';
import { solveNormalEquations, triangleSums } from './normal-equations.ts';
import { joinRecords, type Records, recordsInPart } from './records.ts';

/** What training on all records in one place gives, without encryption or privacy: what to compare with. */
export interface PooledFit {
  /** As `Trainer.parameters` has them, but not rounded. */
  readonly parameters: Float64Array;
  readonly metrics: Metrics;
  /** Updates made. */
  readonly rounds: number;
  /** As `Trainer.keptRound`. */
  readonly keptRound?: number;
  readonly crossValidation?: CrossValidation;
}

/**
 * The fit on all records in one place, without encryption or privacy, as one training on plaintext gives it.
 *
 * @param records all of them, or those of each owner: where a model divides them, equal records of one owner are divided too, and
 *   so it matters whose they are
 * @throws SealsumError `matrix_singular`, `number_not_finite` (the training diverged), `weight_zero` (a fold has no record)
 */
export function trainPooled(model: Model, records: Records | readonly Records[]): PooledFit {
  const map = compileFeatures(model);
  const { training } = model;
  const all = 'x' in records ? records : joinRecords(records);
  return training.solver === 'normal-equations' ? solve(training, map, all) : descend(model, training, map, all);
}

function solve(training: NormalEquationsTraining, map: FeatureMap, records: Records): PooledFit {
  const { cross_validation: crossed } = training;
  const weight = records.count;
  if (crossed === undefined)
    return { ...solveNormalEquations(map, triangleSums(records), weight, training, 0), rounds: 1 };
  const folds = Array.from({ length: crossed.folds }, (_, fold) => recordsInPart(records, fold));
  const sums = Float64Array.from(folds.flatMap((fold) => [...triangleSums(fold)]));
  const counts = folds.map(({ count }) => count);
  const { parameters, metrics, crossValidation } = crossValidate(map, { sums, records: counts, weight }, training, 0);
  return { parameters, metrics, crossValidation, rounds: 1 };
}

function descend(model: Model, training: GradientTraining, map: FeatureMap, records: Records): PooledFit {
  const family = familyOf(model);
  const coefficients = coefficientsOf(model, map);
  const length = family.outputs * map.width;
  const descent = createDescent({
    settings: training,
    coefficients,
    initial: initialParameters(coefficients, training, map),
    keep: (parameters) =>
      training.parameter_bound === undefined ? parameters : projected(parameters, training.parameter_bound),
  });
  const { validation } = training;
  const stopping = earlyStoppingOf(validation);
  const [trained, heldOut] =
    validation === undefined ? [records] : [recordsInPart(records, 0), recordsInPart(records, 1)];
  const meansOver = (some: Records, parameters: Float64Array): Float64Array =>
    gradientSums(family, some, parameters).map((sum) => sum / some.count);
  for (;;) {
    const { parameters, round } = descent;
    const means = meansOver(trained, parameters);
    const [loss = 0, correct] = means.subarray(length);
    const [heldOutLoss = 0, heldOutCorrect] =
      heldOut === undefined ? [] : meansOver(heldOut, parameters).subarray(length);
    const metrics: Metrics = {
      ...metricsOf(map, loss, correct),
      ...(heldOut === undefined ? {} : heldOutMetricsOf(map, heldOutLoss, heldOutCorrect)),
    };
    const enough = stopping?.note({ parameters, metrics, round });
    descent.absorb(learnedOf(coefficients, means.slice(0, length)), loss, enough);
    if (!descent.finished) continue;
    const { kept } = stopping ?? {};
    const rounds = descent.round;
    if (kept === undefined) return { parameters: descent.parameters, metrics, rounds };
    return { parameters: Float64Array.from(kept.parameters), metrics: kept.metrics, rounds, keptRound: kept.round };
  }
}
