/** What in model.json's `training` does not fit the rest of the model: names, classes, and what privacy leaves room for. */
import { coefficientsOf, columnsCalled, initialParameters, rowsOfInitial } from './coefficients.ts';
import { compileFeatures, type FeatureMap } from './features.ts';
import { examinationProblems } from './inference/problems.ts';
import type { GradientTraining, InitialParameters, Model } from './model-types.ts';
import type { Problem } from './problems.ts';

/** @param model whose columns and classes have been checked */
export function trainingProblems(model: Model): Problem[] {
  const { training, privacy } = model;
  const problems = examinationProblems(model);
  if (training.solver === 'normal-equations') {
    if (training.cross_validation === undefined || privacy?.unit !== 'owner') return problems;
    const expected = 'needs the unit record: an owner that is hidden as a whole is in all folds at once; remove it';
    return [...problems, { field: 'training.cross_validation', expected }];
  }
  const { freeze, initial_parameters: initial, validation } = training;
  if (freeze !== undefined || initial !== undefined) {
    const map = compileFeatures(model);
    if (freeze !== undefined) problems.push(...freezeProblems(model, map, freeze));
    if (initial !== undefined) problems.push(...initialProblems(model, map, training, initial));
  }
  if (validation !== undefined && privacy?.metrics === 'local') {
    const expected = 'needs privacy.metrics to be summed: nobody sees a loss that stays with each owner';
    problems.push({ field: 'training.validation', expected });
  }
  return problems;
}

function freezeProblems(model: Model, map: FeatureMap, freeze: readonly string[]): Problem[] {
  const unknown = freeze.flatMap((name, index) =>
    columnsCalled(map, name).length > 0
      ? []
      : [
          {
            field: `training.freeze[${index}]`,
            expected: `the model has no column or feature ${name}; it has ${listed(map.columns)}`,
          },
        ],
  );
  if (unknown.length > 0 || coefficientsOf(model, map).learned?.length !== 0) return unknown;
  return [{ field: 'training.freeze', expected: 'leaves nothing to learn: leave a column out' }];
}

function initialProblems(
  model: Model,
  map: FeatureMap,
  training: GradientTraining,
  initial: InitialParameters,
): Problem[] {
  const path = 'training.initial_parameters';
  const problems = [...columnProblems(map, initial, path), ...classProblems(map, initial, path)];
  const coefficients = coefficientsOf(model, map);
  const { outputs } = coefficients;
  const rows = rowsOfInitial(initial);
  const many = outputs > 1 ? `${outputs} rows, one per class, of ` : '';
  if (rows.length !== outputs || rows.some((row) => row.length !== initial.columns.length))
    problems.push({
      field: `${path}.coefficients`,
      expected: `expected ${many}${initial.columns.length} numbers, one per column`,
    });
  if (problems.length > 0) return problems;
  if (initialParameters(coefficients, training, map).every(Number.isFinite)) return [];
  return [{ field: `${path}.coefficients`, expected: 'beyond what doubles hold once columns are scaled to [−1, 1]' }];
}

/** Every column once. */
function columnProblems({ columns }: FeatureMap, { columns: given }: InitialParameters, path: string): Problem[] {
  const field = `${path}.columns`;
  if (given.length === columns.length && given.every((name, index) => name === columns[index])) return [];
  const [known, named] = [new Set(columns), new Set(given)];
  if (known.size < columns.length)
    return [{ field, expected: 'expected the columns in the order of the model, since two of them have one name' }];
  const unknown = given.flatMap((name, index) =>
    known.has(name)
      ? given.indexOf(name) === index
        ? []
        : [{ field: `${field}[${index}]`, expected: `${name} is there twice` }]
      : [{ field: `${field}[${index}]`, expected: `the model has no column ${name}; it has ${listed(columns)}` }],
  );
  const missing = columns.filter((name) => !named.has(name));
  if (missing.length === 0) return unknown;
  return [...unknown, { field, expected: `expected every column of the model; missing: ${listed(missing)}` }];
}

function classProblems({ classes }: FeatureMap, { classes: given }: InitialParameters, path: string): Problem[] {
  const field = `${path}.classes`;
  if (classes === undefined)
    return given === undefined ? [] : [{ field, expected: 'LINEAR_REGRESSION has no classes; remove it' }];
  if (given?.length === classes.length && given.every((name, index) => name === classes[index])) return [];
  return [{ field, expected: `expected the classes of the target, in its order: ${listed(classes)}` }];
}

const mostShown = 12;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, mostShown).join(', ');
  const others = names.length - mostShown;
  return others > 0 ? `${shown} and ${others} more` : shown;
}
