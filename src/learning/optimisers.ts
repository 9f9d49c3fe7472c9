/**
 * First-order optimisers: a gradient in, a step out, and where there is a penalty λ₁·|θ| its proximal step after it: each number
 * θ̂ that came out moves towards zero by λ₁ times the step size that it was made with, and stays there (Parikh & Boyd 2014, sections
 * 4.2 and 6.5.2). What holds for λ₁ = 0 holds to the last bit.
 *
 *     sgd        θ̂ = θ − η·g             size η: the proximal gradient method
 *     momentum   θ̂ = θ − η·(μ·v + g)     size η, and v remembers the whole step, the proximal part included: iPiano (Ochs, Chen,
 *                                         Brox, Pock 2014, Algorithm 1). With v from gradients alone it would settle at (1 − μ)·λ₁.
 *     adam       θ̂ = θ − sᵢ·m̂ᵢ           size sᵢ = η/(√v̂ᵢ + ε) of each number: the proximal step in Adam's own metric, which is
 *                                         diagonal (Yun, Lozano, Yang 2021, Algorithm 1; Duchi, Hazan, Singer 2011, section 5)
 *
 * Their memory is plain numbers, so that a training can be saved and resumed to the last bit.
 */
import type { GradientTraining } from './model.ts';

/** What an optimiser remembers: steps taken, and its running means, one number per parameter each. */
export interface OptimiserState {
  readonly steps: number;
  readonly moments: readonly (readonly number[])[];
}

/** A way to turn gradients into steps: sgd, momentum or adam (Kingma, Ba 2015). Its memory is plain numbers. */
export interface Optimiser {
  /** Subtracts this step from the parameters, in place. */
  step(parameters: Float64Array, gradient: Float64Array): void;
  state(): OptimiserState;
}

type OptimiserSettings = Pick<GradientTraining, 'optimizer' | 'learning_rate' | 'momentum'>;

/** λ₁·|θᵢ| for the numbers that it applies to. */
export interface SparsePenalty {
  /** λ₁; 0: none. */
  readonly l1: number;
  readonly applies: (index: number) => boolean;
}

const noPenalty: SparsePenalty = { l1: 0, applies: () => false };

/** The optimiser that a model asks for, fresh or as it was when `state` was taken. */
export function createOptimiser(
  settings: OptimiserSettings,
  length: number,
  state?: OptimiserState,
  penalty: SparsePenalty = noPenalty,
): Optimiser {
  const rate = settings.learning_rate;
  const shrink = shrinkage(penalty);
  switch (settings.optimizer) {
    case 'sgd':
      return gradientDescent(rate, shrink, state);
    case 'momentum':
      return momentum(rate, settings.momentum ?? 0.9, length, shrink, state);
    case 'adam':
      return adam(rate, length, shrink, state);
  }
}

/** Towards zero by as much as `threshold`, and no further: the proximal operator of threshold·|·|. */
export function softThreshold(value: number, threshold: number): number {
  // What is no number stays none: that is how a training that diverges is noticed.
  return Math.abs(value) <= threshold ? 0 : value - Math.sign(value) * threshold;
}

/** Where a number arrives after a step of this size; undefined: nothing is penalised. */
type Shrink = ((value: number, index: number, size: number) => number) | undefined;

function shrinkage({ l1, applies }: SparsePenalty): Shrink {
  if (l1 === 0) return undefined;
  return (value, index, size) => (applies(index) ? softThreshold(value, l1 * size) : value);
}

/** θ ← θ − η·g. */
function gradientDescent(rate: number, shrink: Shrink, state?: OptimiserState): Optimiser {
  let steps = state?.steps ?? 0;
  return {
    step(parameters, gradient) {
      steps += 1;
      for (const [index, value] of parameters.entries()) {
        const moved = value - rate * (gradient[index] ?? 0);
        parameters[index] = shrink === undefined ? moved : shrink(moved, index, rate);
      }
    },
    state: () => ({ steps, moments: [] }),
  };
}

/** Heavy ball (Polyak 1964): v ← μ·v + g; θ ← θ − η·v. */
function momentum(rate: number, keep: number, length: number, shrink: Shrink, state?: OptimiserState): Optimiser {
  let steps = state?.steps ?? 0;
  const velocity = remembered(state, 0, length);
  return {
    step(parameters, gradient) {
      steps += 1;
      for (const [index, value] of parameters.entries()) {
        const speed = keep * (velocity[index] ?? 0) + (gradient[index] ?? 0);
        const moved = value - rate * speed;
        const arrived = shrink === undefined ? moved : shrink(moved, index, rate);
        velocity[index] = shrink === undefined ? speed : speed + (moved - arrived) / rate;
        parameters[index] = arrived;
      }
    },
    state: () => ({ steps, moments: [[...velocity]] }),
  };
}

/** Adam (Kingma & Ba 2015, Algorithm 1) with the paper's β₁ = 0.9, β₂ = 0.999 and ε = 10⁻⁸. */
function adam(rate: number, length: number, shrink: Shrink, state?: OptimiserState): Optimiser {
  const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8];
  let steps = state?.steps ?? 0;
  const first = remembered(state, 0, length);
  const second = remembered(state, 1, length);
  return {
    step(parameters, gradient) {
      steps += 1;
      const correction1 = 1 - beta1 ** steps;
      const correction2 = 1 - beta2 ** steps;
      for (const [index, value] of parameters.entries()) {
        const slope = gradient[index] ?? 0;
        const mean = beta1 * (first[index] ?? 0) + (1 - beta1) * slope;
        const square = beta2 * (second[index] ?? 0) + (1 - beta2) * slope * slope;
        first[index] = mean;
        second[index] = square;
        const root = Math.sqrt(square / correction2) + epsilon;
        const moved = value - (rate * (mean / correction1)) / root;
        parameters[index] = shrink === undefined ? moved : shrink(moved, index, rate / root);
      }
    },
    state: () => ({ steps, moments: [[...first], [...second]] }),
  };
}

function remembered(state: OptimiserState | undefined, moment: number, length: number): Float64Array {
  return Float64Array.from(state?.moments[moment] ?? new Float64Array(length));
}
