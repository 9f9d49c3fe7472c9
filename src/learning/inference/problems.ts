/** What does not go with model.json's `training.inference` and `training.diagnostics`: the field, and what is expected there. */
import type { Model } from '../model-types.ts';
import type { Problem } from '../problems.ts';

export function examinationProblems({ model_type, model_visibility, training, privacy }: Model): Problem[] {
  const { inference } = training;
  const problems: Problem[] = [];
  const refuse = (field: 'inference' | 'diagnostics', when: boolean, expected: string): void => {
    if (when) problems.push({ field: `training.${field}`, expected: `${expected}; remove it` });
  };
  for (const field of ['inference', 'diagnostics'] as const) {
    if (training[field] === undefined) continue;
    refuse(field, privacy !== undefined, 'not with privacy: what it sums has no place in the noise that is promised');
    refuse(
      field,
      model_visibility === 'encrypted',
      'not where model_visibility is encrypted: owners would have to see the final parameters',
    );
  }
  if (inference !== undefined) {
    refuse(
      'inference',
      model_type === 'SOFTMAX_REGRESSION',
      'not for SOFTMAX_REGRESSION, whose coefficients are known but for what is common to all classes: compare two classes by LOGISTIC_REGRESSION',
    );
    refuse(
      'inference',
      training.l1 > 0 || training.l2 > 0,
      'not with a penalty (training.l1, l2), which shrinks what is estimated',
    );
    if (training.solver === 'gradient') {
      refuse(
        'inference',
        training.freeze !== undefined,
        'not with training.freeze, since frozen coefficients were not estimated',
      );
      refuse(
        'inference',
        training.validation !== undefined,
        'not with training.validation, which stops before the likelihood is greatest or leaves records out',
      );
    }
  }
  return problems;
}
