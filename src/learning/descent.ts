/**
 * Gradient descent as a state machine: a mean gradient in, new parameters out, until the rounds are over or the loss settles.
 *
 * The objective is the mean loss + λ/2·‖θ‖², intercepts left out. The loss that comes with a gradient is that of the
 * parameters which were sent out, so one more round than there are updates tells the loss of the final ones. Where nobody
 * tells a loss, the last update is the end.
 */
import { SealsumError } from '../errors.ts';
import type { GradientTraining } from './model.ts';
import type { Optimiser, OptimiserState } from './optimisers.ts';
import { createOptimiser } from './optimisers.ts';

export interface DescentState {
  /** Updates made. */
  readonly round: number;
  readonly parameters: readonly number[];
  readonly optimiser: OptimiserState;
  /** The least objective so far that counted as an improvement; null before the first round. */
  readonly best: number | null;
  /** Rounds since then. */
  readonly stale: number;
  readonly finished: boolean;
}

export interface Descent {
  readonly parameters: Float64Array;
  readonly round: number;
  readonly finished: boolean;
  /** @throws SealsumError `number_not_finite` where the training diverged */
  absorb(gradient: Float64Array, loss: number | undefined): void;
  state(): DescentState;
}

/**
 * @param parameterCount outputs × width
 * @param width columns of a record; the first of each output is its intercept
 * @param keep what becomes of the parameters after an update, such as rounding
 */
export function createDescent(
  settings: GradientTraining,
  parameterCount: number,
  width: number,
  keep: (parameters: Float64Array) => Float64Array,
  state?: DescentState,
): Descent {
  let parameters: Float64Array = Float64Array.from(state?.parameters ?? new Float64Array(parameterCount));
  const optimiser: Optimiser = createOptimiser(settings, parameterCount, state?.optimiser);
  let round = state?.round ?? 0;
  let best = state?.best ?? null;
  let stale = state?.stale ?? 0;
  let finished = state?.finished ?? false;

  const settled = (loss: number | undefined): boolean => {
    if (settings.tolerance === 0 || loss === undefined) return false;
    let squares = 0;
    for (const [index, value] of parameters.entries()) if (index % width !== 0) squares += value * value;
    const objective = loss + (settings.l2 / 2) * squares;
    if (best === null || objective < best - settings.tolerance * Math.max(1, Math.abs(best))) {
      best = objective;
      stale = 0;
    } else stale += 1;
    return stale >= settings.patience;
  };

  return {
    get parameters() {
      return parameters.slice();
    },
    get round() {
      return round;
    },
    get finished() {
      return finished;
    },
    absorb(gradient, loss) {
      if (round >= settings.rounds || settled(loss)) {
        finished = true;
        return;
      }
      const slope = gradient.map((value, index) =>
        index % width === 0 ? value : value + settings.l2 * (parameters[index] ?? 0),
      );
      const next = parameters.slice();
      optimiser.step(next, slope);
      if (!next.every(Number.isFinite)) {
        throw new SealsumError(
          'number_not_finite',
          `parameters: no longer finite after round ${round + 1}; the training diverges: lower training.learning_rate`,
          { field: 'parameters' },
        );
      }
      parameters = keep(next);
      round += 1;
      finished = loss === undefined && round >= settings.rounds;
    },
    state: () => ({
      round,
      parameters: [...parameters],
      optimiser: optimiser.state(),
      best,
      stale,
      finished,
    }),
  };
}
