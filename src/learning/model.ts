/**
 * model.json: what is to be trained, on which columns, how, and under which conditions.
 *
 * Names are snake_case as on the wire. `parseModel` refuses unknown fields by name and models that make no sense as a
 * whole, fills in every default, and gives back plain JSON data that it accepts again unchanged.
 */
import type { Feature, FieldPlace } from './fields.ts';
import { featureWidth } from './fields.ts';
import { hasClosingRound, partsOf } from './inference/closing-round.ts';
import { modelSchema } from './model-schema.ts';
import type { DataProperties, Model, ParsedModel, PrivacySettings, Training } from './model-types.ts';
import {
  describeIssues,
  type Problem,
  participationProblems,
  placeProblems,
  refuse,
  silenceProblems,
  textProblems,
} from './problems.ts';
import { quantisationProblems, withQuantisation } from './quantisation-settings.ts';
import { encodeFeatureRows } from './rows.ts';
import { trainingProblems } from './training-problems.ts';
import { notOfSolver } from './training-schema.ts';
import { startProblems, visibilityProblems, withParameterBound } from './visibility.ts';

export type {
  GradientTraining,
  Model,
  ModelType,
  NormalEquationsTraining,
} from './model-types.ts';

/** The most values a round may carry per owner: a bound on what a model.json can make every party allocate. */
export const MAXIMUM_VALUES: number = 2 ** 20;

/**
 * Reads the JSON value of a model.json.
 *
 * @throws SealsumError `model_invalid` with `field` the dotted path of the first thing that was refused, such as
 * `data_props.features[3].range`; the message lists every refusal.
 */
export function parseModel(json: unknown): Model {
  const parsed = modelSchema.safeParse(json);
  if (!parsed.success) throw refuse(describeIssues(parsed.error.issues, explainTraining));
  const model = {
    ...withClip(parsed.data),
    encryption: withQuantisation(parsed.data),
    training: withParameterBound(parsed.data),
  };
  const problems = [
    ...textProblems(model, []),
    ...placeProblems(model.data_props.header, placesOf(model.data_props)),
    ...familyProblems(model),
    ...participationProblems(model),
    ...quantisationProblems(parsed.data),
    ...visibilityProblems(parsed.data),
    ...privacyProblems(model),
  ];
  // What names columns and classes is looked at once these make sense.
  if (problems.length === 0) problems.push(...trainingProblems(model));
  if (problems.length === 0) problems.push(...startProblems(model));
  if (problems.length > 0) throw refuse(problems);
  const values = valuesPerRound(model);
  if (values > MAXIMUM_VALUES) {
    const folds =
      model.training.solver === 'normal-equations' && model.training.cross_validation ? ', fewer folds' : '';
    throw refuse([
      {
        field: 'data_props.features',
        expected: `${values} values would be encrypted per owner and round; at most ${MAXIMUM_VALUES}: use fewer features or levels${folds}, or the gradient solver`,
      },
    ]);
  }
  const closing = closingValues(model);
  if (closing > MAXIMUM_VALUES) {
    const expected = `${closing} values would be encrypted per owner in its round; at most ${MAXIMUM_VALUES}: remove it, or use fewer features or levels`;
    throw refuse([{ field: 'training.inference', expected }]);
  }
  if (model.evaluation !== undefined) {
    encodeFeatureRows(model.data_props.features, model.data_props.target, model.evaluation.rows, {
      code: 'model_invalid',
      prefix: 'evaluation.rows',
    });
  }
  return model;
}

/** What to say of a setting that the training does not have. */
function explainTraining(path: readonly PropertyKey[], key: string): string | undefined {
  return path.length === 1 && path[0] === 'training' ? notOfSolver(key) : undefined;
}

/** The fields of a model and where model.json has them. */
function placesOf({ features, target }: DataProperties): [string, FieldPlace][] {
  const places = features.map((feature, index): [string, FieldPlace] => [`data_props.features[${index}]`, feature]);
  return [...places, ['data_props.target', target]];
}

/** The model type, the solver and the target fit each other. */
function familyProblems(model: Model): Problem[] {
  const { target } = model.data_props;
  const problems: Problem[] = [];
  if (model.training.solver === 'normal-equations' && model.model_type !== 'LINEAR_REGRESSION') {
    problems.push({
      field: 'training.solver',
      expected: `normal-equations fits LINEAR_REGRESSION only: use gradient for ${model.model_type}`,
    });
  }
  const numeric = 'range' in target;
  switch (model.model_type) {
    case 'LINEAR_REGRESSION':
      if (!numeric) {
        problems.push({
          field: 'data_props.target.type',
          expected: 'expected continuous or discrete for LINEAR_REGRESSION',
        });
      }
      break;
    case 'LOGISTIC_REGRESSION':
      if (numeric) {
        if (target.type !== 'discrete') {
          problems.push({
            field: 'data_props.target.type',
            expected: 'expected nominal with 2 levels, or discrete with range [0, 1], for LOGISTIC_REGRESSION',
          });
        } else if (target.range[0] !== 0 || target.range[1] !== 1) {
          problems.push({ field: 'data_props.target.range', expected: 'expected [0, 1] for LOGISTIC_REGRESSION' });
        }
      } else if (target.levels.length !== 2) {
        problems.push({
          field: 'data_props.target.levels',
          expected: 'expected exactly 2 levels for LOGISTIC_REGRESSION; SOFTMAX_REGRESSION takes more',
        });
      }
      break;
    case 'SOFTMAX_REGRESSION':
      if (numeric) {
        problems.push({
          field: 'data_props.target.type',
          expected: 'expected nominal or ordinal with levels for SOFTMAX_REGRESSION',
        });
      }
      break;
  }
  return problems;
}

function privacyProblems({ privacy, training, participation: { quorum } }: Model): Problem[] {
  if (privacy === undefined) return [];
  return [
    ...silenceProblems(privacy, quorum),
    ...samplingProblems(privacy),
    ...metricsProblems(privacy, training),
    ...adaptiveProblems(privacy, training),
  ];
}

/** What sampling saves is known for units that are there or not, and told by Rényi divergences, of which a ρ says nothing. */
function samplingProblems(privacy: PrivacySettings): Problem[] {
  if (privacy.sampling === 1) return [];
  const field = 'privacy.sampling';
  return [
    ...('epsilon' in privacy ? [] : [{ field, expected: 'needs epsilon and delta: a rho does not count it' }]),
    ...(privacy.neighbours === 'zero-out'
      ? []
      : [{ field, expected: `needs neighbours by zero-out, not ${privacy.neighbours}` }]),
  ];
}

function metricsProblems({ metrics }: PrivacySettings, training: Training): Problem[] {
  if (metrics === 'summed') return [];
  if (training.solver !== 'gradient')
    return [{ field: 'privacy.metrics', expected: 'only counts with the gradient solver; remove it' }];
  if (training.tolerance === 0) return [];
  return [{ field: 'training.tolerance', expected: 'expected 0 where privacy.metrics is local: nobody sees the loss' }];
}

/** Only owners have one vector each that is clipped as a whole, and only a training of several rounds can adapt. */
function adaptiveProblems({ adaptive_clip: adaptive, unit }: PrivacySettings, { solver }: Training): Problem[] {
  if (adaptive === undefined) return [];
  const field = 'privacy.adaptive_clip';
  return [
    ...(unit === 'owner' ? [] : [{ field, expected: `needs the unit owner, not ${unit}` }]),
    ...(solver === 'gradient' ? [] : [{ field, expected: `needs the gradient solver, not ${solver}` }]),
  ];
}

/** The values that one owner sends in a round, metrics not counted. */
function valuesPerRound(model: Model): number {
  const { data_props, model_type, training } = model;
  const width = widthOf(model);
  if (training.solver === 'normal-equations')
    return (((width + 1) * (width + 2)) / 2 - 1) * (training.cross_validation?.folds ?? 1);
  return model_type === 'SOFTMAX_REGRESSION' && 'levels' in data_props.target
    ? width * data_props.target.levels.length
    : width;
}

function closingValues(model: Model): number {
  return hasClosingRound(model) ? partsOf(model, widthOf(model)).length : 0;
}

function widthOf({ data_props: { features } }: Model): number {
  return features.reduce((sum, feature) => sum + featureWidth(feature), 1);
}

/**
 * Fills in the clip: 1 for gradients; for normal equations, and for records where parameters are encrypted, a bound that none within the declared ranges exceeds. The noise
 * on the number of unclipped owners is a twentieth of how many there are, as Andrew et al. 2021 choose it (section 3).
 */
function withClip(parsed: ParsedModel): Model {
  const { privacy, ...rest } = parsed;
  if (privacy === undefined) return rest;
  const clip = privacy.clip ?? defaultClip(parsed);
  const { adaptive_clip: adaptive, ...others } = privacy;
  const { count_noise = parsed.participation.quorum / 20 } = adaptive ?? {};
  return {
    ...rest,
    privacy: { ...others, clip, ...(adaptive === undefined ? {} : { adaptive_clip: { ...adaptive, count_noise } }) },
  };
}

function defaultClip({
  model_visibility: visibility,
  training: { solver },
  data_props: { features },
}: ParsedModel): number {
  // Where parameters are encrypted it is records that are shortened: none is longer than this.
  if (visibility === 'encrypted') return Math.sqrt(features.length + 2);
  return solver === 'gradient' ? 1 : normalEquationsNorm(features);
}

/**
 * The greatest L2 norm of the triangle of z·zᵀ without its first entry, over every record z = (1, x, y) within range.
 *
 * Σ_{i≤j} zᵢ²zⱼ² = ((Σ zᵢ²)² + Σ zᵢ⁴)/2 ≤ (R⁴ + R²)/2 since |zᵢ| ≤ 1, where R² = Σ zᵢ² ≤ 2 + the number of features: the
 * intercept, the target, and of every feature one number, or one indicator of which at most one is set.
 */
function normalEquationsNorm(features: readonly Feature[]): number {
  const squaredNorm = features.length + 2;
  return Math.sqrt((squaredNorm ** 2 + squaredNorm) / 2 - 1);
}
