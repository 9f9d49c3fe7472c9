/** What does not go with model.json's `training.inference` and `training.diagnostics`. */
import type { Model } from '../model-types.ts';
import type { Problem } from '../problems.ts';

const examinations = ['inference', 'diagnostics'] as const;

/** The field, and what is expected there. */
export function examinationProblems(model: Model): Problem[] {
  return examinations.flatMap((field) => {
    if (model.training[field] === undefined) return [];
    return obstaclesTo(field, model).map((why) => ({ field: `training.${field}`, expected: `${why}; remove it` }));
  });
}

/** Why a model may not ask for one of them; nothing where it may. */
export function obstaclesTo(
  field: (typeof examinations)[number],
  { model_type, model_visibility, training, privacy }: Model,
): string[] {
  const gradient = training.solver === 'gradient' ? training : undefined;
  const toBoth: readonly (readonly [is: boolean, why: string])[] = [
    [privacy !== undefined, 'not with privacy: what it sums has no place in the noise that is promised'],
    [
      model_visibility === 'encrypted',
      'not where model_visibility is encrypted: owners would have to see the final parameters',
    ],
  ];
  const toInference: typeof toBoth = [
    [
      model_type === 'SOFTMAX_REGRESSION',
      'not for SOFTMAX_REGRESSION, whose coefficients are known but for what is common to all classes: compare two classes by LOGISTIC_REGRESSION',
    ],
    [training.l1 > 0 || training.l2 > 0, 'not with a penalty (training.l1, l2), which shrinks what is estimated'],
    [gradient?.freeze !== undefined, 'not with training.freeze, since frozen coefficients were not estimated'],
    [
      gradient?.validation !== undefined,
      'not with training.validation, which stops before the likelihood is greatest or leaves records out',
    ],
  ];
  const all = field === 'inference' ? [...toBoth, ...toInference] : toBoth;
  return all.flatMap(([is, why]) => (is ? [why] : []));
}
