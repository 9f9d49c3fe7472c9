/**
 * Gradient descent as a state machine: a mean gradient in, new parameters out, until the rounds are over or the loss settles.
 *
 * The objective is the mean loss + λ₂/2·‖θ‖² + λ₁·‖θ‖₁, intercepts left out, and so are coefficients that are frozen: gradients are
 * those of the others, and they alone are moved. The loss that comes with a gradient is that of the parameters which were sent
 * out, so one more round than there are updates tells the loss of the final ones. Where nobody tells a loss, the last update
 * is the end.
 */
import { SealsumError } from '../errors.ts';
import { type Coefficients, learnedOf, withLearned } from './coefficients.ts';
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
  /**
   * @param gradient of the coefficients that are learned
   * @param enough whether there is another reason to stop here
   * @throws SealsumError `number_not_finite` where the training diverged
   */
  absorb(gradient: Float64Array, loss: number | undefined, enough?: boolean): void;
  state(): DescentState;
}

export interface DescentOptions {
  readonly settings: GradientTraining;
  readonly coefficients: Coefficients;
  /** Where it begins: outputs × width. */
  readonly initial: Float64Array;
  /** What becomes of the parameters before they are used, such as rounding. */
  readonly keep: (parameters: Float64Array) => Float64Array;
  readonly state?: DescentState | undefined;
}

export function createDescent({ settings, coefficients, initial, keep, state }: DescentOptions): Descent {
  const { width, learned } = coefficients;
  let parameters: Float64Array = state === undefined ? keep(initial) : Float64Array.from(state.parameters);
  const length = learned?.length ?? parameters.length;
  const isPenalised = (index: number): boolean => (learned?.[index] ?? index) % width !== 0;
  const penalty = { l1: settings.l1, applies: isPenalised };
  const optimiser: Optimiser = createOptimiser(settings, length, state?.optimiser, penalty);
  let round = state?.round ?? 0;
  let best = state?.best ?? null;
  let stale = state?.stale ?? 0;
  let finished = state?.finished ?? false;

  const settled = (loss: number | undefined): boolean => {
    if (settings.tolerance === 0 || loss === undefined) return false;
    let [squares, magnitudes] = [0, 0];
    for (const [index, value] of learnedOf(coefficients, parameters).entries()) {
      if (!isPenalised(index)) continue;
      squares += value * value;
      magnitudes += Math.abs(value);
    }
    const objective = loss + (settings.l2 / 2) * squares + settings.l1 * magnitudes;
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
    absorb(gradient, loss, enough = false) {
      if (round >= settings.rounds || settled(loss) || enough) {
        finished = true;
        return;
      }
      const values = learnedOf(coefficients, parameters).slice();
      const slope = gradient.map((value, index) =>
        isPenalised(index) ? value + settings.l2 * (values[index] ?? 0) : value,
      );
      optimiser.step(values, slope);
      if (!values.every(Number.isFinite)) {
        throw new SealsumError(
          'number_not_finite',
          `parameters: no longer finite after round ${round + 1}; the training diverges: lower training.learning_rate`,
          { field: 'parameters' },
        );
      }
      parameters = keep(withLearned(coefficients, parameters, values));
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
