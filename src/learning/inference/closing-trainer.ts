/** The model owner's side of a training that ends with a closing round: it is finished once that has told what was asked for. */
import { Matrix } from 'ml-matrix';
import { SealsumError } from '../../errors.ts';
import type { FeatureMap } from '../features.ts';
import type { Model } from '../model-types.ts';
import type { Statistics } from '../task.ts';
import type { ClosingReport, Trainer, TrainerState } from '../trainer-types.ts';
import type { ClosingTask } from './closing-task.ts';
import { diagnosticsOf } from './diagnostics.ts';
import { type Inference, inferenceOf, unavailable } from './standard-errors.ts';

/** Half of the width of the histogram of residuals, in their root mean squares: of normal ones 6 in 100,000 are beyond. */
const halfWidthInDeviations = 4;

/**
 * @param fitting the trainer of the rounds before
 * @param report of the closing round, if that has been
 */
export function closingTrainer(fitting: Trainer, task: ClosingTask, map: FeatureMap, report?: ClosingReport): Trainer {
  let told = report;
  const isClosing = (): boolean => fitting.finished && told === undefined;
  const halfWidth = (): number => {
    // Whatever is beyond is counted there; a fit without residuals has them all in the middle.
    const rms = Math.sqrt(2 * (fitting.metrics?.loss ?? 0));
    return Math.max(2 ** -task.fractionBits, halfWidthInDeviations * rms);
  };
  return {
    get parameters() {
      const { parameters } = fitting;
      return isClosing() && task.parameterCount > task.modelParameters
        ? Float64Array.of(...parameters, halfWidth())
        : parameters;
    },
    get closing() {
      return isClosing();
    },
    get clip() {
      return fitting.clip;
    },
    get round() {
      return fitting.round;
    },
    get finished() {
      return fitting.finished && told !== undefined;
    },
    get evaluated() {
      return fitting.evaluated;
    },
    get metrics() {
      return fitting.metrics;
    },
    get keptRound() {
      return fitting.keptRound;
    },
    get crossValidation() {
      return fitting.crossValidation;
    },
    get inference() {
      return fitting.inference ?? told?.inference;
    },
    get diagnostics() {
      return told?.diagnostics;
    },
    absorb(statistics) {
      if (!isClosing()) {
        fitting.absorb(statistics);
        return;
      }
      requireOf(task, statistics);
      told = {
        ...(task.information.length === 0
          ? {}
          : { inference: inferenceFrom(task, map, statistics, fitting.parameters) }),
        ...(task.bins === 0 ? {} : { diagnostics: diagnosticsOf(task, map, statistics, halfWidth()) }),
      };
    },
    state: (): TrainerState => ({ ...fitting.state(), ...(told === undefined ? {} : { closing: told }) }),
  };
}

function requireOf({ statistics: expected }: ClosingTask, { statistics }: Statistics): void {
  if (statistics.length === expected) return;
  throw new SealsumError('plan_mismatch', `statistics: expected ${expected}, not ${statistics.length}`, {
    field: 'statistics',
  });
}

function inferenceFrom(
  { model, width, information, score, squares, isLinear, scale }: ClosingTask,
  map: FeatureMap,
  { weight, statistics }: Statistics,
  parameters: Float64Array,
): Inference {
  const matrix = Matrix.zeros(width, width);
  let position = information.at;
  for (let i = 0; i < width; i += 1) {
    for (let j = i; j < width; j += 1) {
      const value = statistics[position] ?? 0;
      matrix.set(i, j, value);
      matrix.set(j, i, value);
      position += 1;
    }
  }
  const last = statistics[squares.at] ?? 0;
  // Every owner rounds to half a unit: sixteen of them to eight at the most, and as a rule (a deviation of √(n/12)) some hundreds.
  const resolution = 8 / scale;
  if (!isLinear && Math.round(last) === weight) return unavailable(separated);
  return inferenceOf(
    model,
    map,
    {
      parameters,
      information: matrix,
      resolution,
      records: weight,
      score: statistics.slice(score.at, score.at + score.length),
      ...(isLinear ? { squares: { residual: last, rounding: resolution } } : {}),
    },
    levelOf(model),
  );
}

const separated =
  'the model has every record on the right side: the classes are separated, and no finite coefficient fits best; leave a feature ' +
  'out, or take training.l2, of whose fit there are no standard errors';

function levelOf({ training: { inference } }: Model): number {
  if (inference === undefined)
    throw new SealsumError('internal', 'a closing round told of precision without being asked');
  return inference.level;
}
