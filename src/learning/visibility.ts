/** model.json's `model_visibility`, what follows from it, and what makes no sense beside it. */
import { coefficientsOf, initialParameters } from './coefficients.ts';
import { compileFeatures } from './features.ts';
import { featureWidth } from './fields.ts';
import type { Model, ParsedModel, Training } from './model-types.ts';
import type { Problem } from './problems.ts';

/**
 * R unless a model says otherwise: columns and target are scaled to [−1, 1], where coefficients are hardly ever longer together. It costs
 * a few bits; with differential privacy it is worth choosing, since the noise grows with it.
 */
const defaultBound = 16;

/** A bound on what a model.json can make every owner allocate: 1446 columns. */
const mostNumbers = 2 ** 20;

/** Numbers in the upper triangle of an owner's Σ z·zᵀ, z = (x, y), for records of `width` columns. */
export function matrixTriangleLength(width: number): number {
  return ((width + 1) * (width + 2)) / 2;
}

/** With the bound of the parameters where they are encrypted. */
export function withParameterBound({ training, model_visibility: visibility }: ParsedModel): Training {
  if (visibility !== 'encrypted' || training.solver !== 'gradient') return training;
  return { ...training, parameter_bound: training.parameter_bound ?? defaultBound };
}

/** What a model with encrypted parameters cannot have, and what no other can: the field, and what is expected there. */
export function visibilityProblems(model: Omit<Model, 'privacy'> & Pick<ParsedModel, 'privacy'>): Problem[] {
  const { training, privacy, encryption } = model;
  if (model.model_visibility !== 'encrypted') {
    if (training.solver !== 'gradient' || training.parameter_bound === undefined) return [];
    return [{ field: 'training.parameter_bound', expected: 'only with "model_visibility": "encrypted"; remove it' }];
  }
  const problems: Problem[] = [];
  const refuse = (isAsked: boolean, field: string, expected: string): void => {
    if (isAsked) problems.push({ field, expected });
  };
  const unseen = 'where model_visibility is encrypted';
  refuse(
    model.model_type !== 'LINEAR_REGRESSION',
    'model_visibility',
    `encrypted fits LINEAR_REGRESSION only, whose gradient is linear in the parameters, not ${model.model_type}; use plain`,
  );
  refuse(
    training.solver !== 'gradient',
    'training.solver',
    `expected gradient ${unseen}: normal equations send no parameters`,
  );
  if (training.solver === 'gradient') {
    const { freeze, validation } = training;
    refuse(freeze !== undefined, 'training.freeze', `cannot be had ${unseen}: all coefficients are learned; remove it`);
    refuse(
      validation !== undefined,
      'training.validation',
      `cannot be had ${unseen}: owners sum their records once, all of them; remove it`,
    );
  }
  refuse(
    encryption.quantization_bits !== undefined,
    'encryption.quantization_bits',
    `cannot be had ${unseen}: sums have the product of two scales; remove it`,
  );
  const width = model.data_props.features.reduce((sum, feature) => sum + featureWidth(feature), 1);
  const numbers = matrixTriangleLength(width);
  refuse(
    numbers > mostNumbers,
    'data_props.features',
    `an owner's matrix would have ${numbers} numbers ${unseen}; at most ${mostNumbers}: use fewer features or levels`,
  );
  if (privacy !== undefined) {
    const once = 'owners sum their records once, all of them';
    refuse(privacy.unit !== 'record', 'privacy.unit', `expected record ${unseen}, not ${privacy.unit}`);
    refuse(privacy.sampling !== 1, 'privacy.sampling', `expected 1 ${unseen}: ${once}`);
    refuse(
      privacy.metrics !== 'summed',
      'privacy.metrics',
      `expected summed ${unseen}: an owner cannot compute a loss`,
    );
    refuse(privacy.adaptive_clip !== undefined, 'privacy.adaptive_clip', `cannot be had ${unseen}: ${once}; remove it`);
  }
  return problems;
}

/** What a training begins with is within the bound too. @param model whose columns have been checked */
export function startProblems(model: Model): Problem[] {
  const { training } = model;
  if (training.solver !== 'gradient' || training.initial_parameters === undefined) return [];
  const { parameter_bound: bound } = training;
  if (bound === undefined) return [];
  const map = compileFeatures(model);
  const initial = initialParameters(coefficientsOf(model, map), training, map);
  const length = Math.sqrt(initial.reduce((sum, value) => sum + value * value, 0));
  if (length <= bound) return [];
  return [
    {
      field: 'training.initial_parameters.coefficients',
      expected: `scaled to [−1, 1] their length is ${length.toPrecision(4)}, beyond training.parameter_bound, ${bound}; raise that`,
    },
  ];
}
