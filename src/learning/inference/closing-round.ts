/** Whether a job ends with a closing round, and of which parts its vector is (closing-task.ts). */
import type { Model } from '../model-types.ts';

/** Where a part begins, and how long it is; of length 0 where it was not asked for. */
export interface Part {
  readonly at: number;
  readonly length: number;
}

interface Parts {
  /** The triangle of Σ w·x·xᵀ, row by row. */
  readonly information: Part;
  readonly score: Part;
  /** Σ r², or how many records are on the right side. */
  readonly squares: Part;
  readonly histogram: Part;
  /** Three values per bin. */
  readonly profile: Part;
  /** Of all of them. */
  readonly length: number;
}

/** Values per bin of predictions or probabilities. */
export const perBin = 3;

export function hasClosingRound({ training }: Pick<Model, 'training'>): boolean {
  return training.diagnostics !== undefined || (training.solver === 'gradient' && training.inference !== undefined);
}

/** @param width columns of a record, the intercept included */
export function partsOf({ model_type, training }: Pick<Model, 'model_type' | 'training'>, width: number): Parts {
  const isLinear = model_type === 'LINEAR_REGRESSION';
  const inference = training.solver === 'gradient' && training.inference !== undefined;
  const bins = training.diagnostics?.bins ?? 0;
  let length = 0;
  const part = (values: number): Part => {
    const at = length;
    length += values;
    return { at, length: values };
  };
  return {
    information: part(inference ? (width * (width + 1)) / 2 : 0),
    score: part(inference ? width : 0),
    squares: part(inference ? 1 : 0),
    histogram: part(isLinear && bins > 0 ? bins + 2 : 0),
    profile: part(perBin * bins),
    length,
  };
}
