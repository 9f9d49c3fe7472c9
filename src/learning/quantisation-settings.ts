/** model.json's `encryption.quantization_bits` and what goes with it: the defaults, and what makes no sense. */
import type { EncryptionSettings, ModelType, ParsedModel } from './model-types.ts';

/**
 * The greatest |∂ℓ/∂s|, and so the greatest magnitude in a record's gradient, whose features lie within [−1, 1]. Classifiers'
 * is a difference of probabilities; that of linear models, a difference of prediction and target, is so while predictions lie
 * within [−1, 1] like the targets.
 */
export function greatestResidual(modelType: ModelType): number {
  return modelType === 'LINEAR_REGRESSION' ? 2 : 1;
}

/** With rounding and range where contributions are quantised; with privacy the clip is the range. */
export function withQuantisation({ encryption, model_type: modelType, privacy }: ParsedModel): EncryptionSettings {
  const { quantization_bits, rounding = 'nearest', quantization_range = greatestResidual(modelType) } = encryption;
  if (quantization_bits === undefined) return encryption;
  return { ...encryption, rounding, ...(privacy === undefined ? { quantization_range } : {}) };
}

/** What is refused: the field, and what is expected there. */
export function quantisationProblems({
  encryption: { quantization_bits: bits, rounding, quantization_range: range },
  training,
  privacy,
}: ParsedModel): { readonly field: string; readonly expected: string }[] {
  if (bits === undefined)
    return Object.entries({ rounding, quantization_range: range }).flatMap(([name, value]) =>
      value === undefined
        ? []
        : [
            {
              field: `encryption.${name}`,
              expected: 'only with encryption.quantization_bits; give those, or remove it',
            },
          ],
    );
  const field = 'encryption.quantization_bits';
  return [
    ...(training.solver === 'gradient'
      ? []
      : [{ field, expected: 'only with the gradient solver: normal equations are exact sums; remove it' }]),
    ...(privacy !== undefined && bits === 32
      ? [{ field, expected: 'expected 8, 16 or 24 with privacy: norms of 32 bits are not checked exactly' }]
      : []),
    ...(privacy !== undefined && range !== undefined
      ? [{ field: 'encryption.quantization_range', expected: 'not with privacy, whose clip is the range; remove it' }]
      : []),
  ];
}
