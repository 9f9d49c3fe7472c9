/**
 * The closing round: one more round after the fit, which sums what the fit's precision and its residuals are known from, at the final
 * parameters. Its vector has a plan of its own, since it is of another length than a gradient:
 *
 *     information and score   the triangle of Σ w·x·xᵀ, Σ −∂ℓ/∂θ, and Σ r² (linear) or the number of records on the right side (logistic)
 *     residuals (linear)      counts in bins over ±h and beyond, and for each bin of predictions the count, Σ r and Σ r²
 *     calibration (others)    for each bin of probabilities the count, how often it was so, and the sum of the probabilities
 *
 * Every record's x is within [−1, 1] and w is 1, or p(1 − p) ≤ ¼, so that no entry of w·x·xᵀ is beyond 1; counts are one-hot. Residuals of
 * records whose predictions are far from their targets are bounded as losses are (unclipped-sums.ts). There is no such round with privacy.
 */
import { type Family, familyOf } from '../families.ts';
import type { FeatureMap } from '../features.ts';
import type { Model } from '../model-types.ts';
import type { Task } from '../task.ts';
import { BOUND_BITS } from '../unclipped-sums.ts';
import { hasClosingRound, type Part, partsOf } from './closing-round.ts';

/** What the closing round of a training sums, for standard errors and diagnostics. */
export interface ClosingTask
  extends Pick<
    Task,
    'width' | 'length' | 'statistics' | 'scale' | 'valueBound' | 'weightUnit' | 'maxWeight' | 'fractionBits' | 'names'
  > {
  readonly solver: 'closing';
  readonly model: Model;
  readonly family: Family;
  readonly rounds: 1;
  /** Those of the model, and for a histogram of residuals half of its width, in scaled units. */
  readonly parameterCount: number;
  readonly modelParameters: number;
  /** No clip and no integers of few bits. */
  readonly clipping: undefined;
  readonly encrypted: undefined;
  readonly quantising: undefined;
  /** Where each part begins, and how long it is; empty where it was not asked for. */
  readonly information: Part;
  readonly score: Part;
  readonly squares: Part;
  readonly histogram: Part;
  /** Three values per bin. */
  readonly profile: Part;
  /** How many; 0: no diagnostics. */
  readonly bins: number;
  readonly isLinear: boolean;
}

/** What the closing round of a model sums. @returns undefined where a job has no closing round */
export function closingTaskOf(model: Model, map: FeatureMap): ClosingTask | undefined {
  if (!hasClosingRound(model)) return undefined;
  const family = familyOf(model);
  const { width } = map;
  const { length, ...parts } = partsOf(model, width);
  const isLinear = model.model_type === 'LINEAR_REGRESSION';
  const bins = model.training.diagnostics?.bins ?? 0;
  const modelParameters = family.outputs * width;
  const fractionBits = model.encryption.fraction_bits;
  return {
    solver: 'closing',
    model,
    family,
    rounds: 1,
    width,
    modelParameters,
    parameterCount: modelParameters + (isLinear && bins > 0 ? 1 : 0),
    clipping: undefined,
    encrypted: undefined,
    quantising: undefined,
    length,
    statistics: length,
    ...parts,
    bins,
    isLinear,
    names: () => [
      ...namesOf(parts.information, 'information'),
      ...(parts.score.length === 0 ? [] : map.columns.map((column) => `score of ${column}`)),
      ...(parts.squares.length === 0 ? [] : [isLinear ? 'squared residuals' : 'records on the right side']),
      ...namesOf(parts.histogram, 'histogram'),
      ...namesOf(parts.profile, 'profile'),
    ],
    fractionBits,
    scale: 2 ** fractionBits,
    valueBound: 1n << BigInt(fractionBits + BOUND_BITS),
    weightUnit: 1n,
    maxWeight: BigInt(model.participation.max_records),
  };
}

function namesOf({ length }: Part, what: string): string[] {
  return Array.from({ length }, (_, index) => `${what} ${index + 1}`);
}
