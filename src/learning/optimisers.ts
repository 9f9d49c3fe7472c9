/**
 * First-order optimisers: a gradient in, a step out.
 *
 * Their memory is plain numbers, so that a training can be saved and resumed to the last bit.
 */
import type { GradientTraining } from './model.ts';

/** What an optimiser remembers: steps taken, and its running means, one number per parameter each. */
export interface OptimiserState {
  readonly steps: number;
  readonly moments: readonly (readonly number[])[];
}

export interface Optimiser {
  /** Subtracts this step from the parameters, in place. */
  step(parameters: Float64Array, gradient: Float64Array): void;
  state(): OptimiserState;
}

type OptimiserSettings = Pick<GradientTraining, 'optimizer' | 'learning_rate' | 'momentum'>;

/** The optimiser that a model asks for, fresh or as it was when `state` was taken. */
export function createOptimiser(settings: OptimiserSettings, length: number, state?: OptimiserState): Optimiser {
  const rate = settings.learning_rate;
  switch (settings.optimizer) {
    case 'sgd':
      return gradientDescent(rate, state);
    case 'momentum':
      return momentum(rate, settings.momentum ?? 0.9, length, state);
    case 'adam':
      return adam(rate, length, state);
  }
}

/** θ ← θ − η·g. */
function gradientDescent(rate: number, state?: OptimiserState): Optimiser {
  let steps = state?.steps ?? 0;
  return {
    step(parameters, gradient) {
      steps += 1;
      update(parameters, (index) => rate * (gradient[index] ?? 0));
    },
    state: () => ({ steps, moments: [] }),
  };
}

/** Heavy ball (Polyak 1964): v ← μ·v + g; θ ← θ − η·v. */
function momentum(rate: number, keep: number, length: number, state?: OptimiserState): Optimiser {
  let steps = state?.steps ?? 0;
  const velocity = remembered(state, 0, length);
  return {
    step(parameters, gradient) {
      steps += 1;
      for (const [index, old] of velocity.entries()) velocity[index] = keep * old + (gradient[index] ?? 0);
      update(parameters, (index) => rate * (velocity[index] ?? 0));
    },
    state: () => ({ steps, moments: [[...velocity]] }),
  };
}

/** Adam (Kingma & Ba 2015, Algorithm 1) with the paper's β₁ = 0.9, β₂ = 0.999 and ε = 10⁻⁸. */
function adam(rate: number, length: number, state?: OptimiserState): Optimiser {
  const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8];
  let steps = state?.steps ?? 0;
  const first = remembered(state, 0, length);
  const second = remembered(state, 1, length);
  return {
    step(parameters, gradient) {
      steps += 1;
      const correction1 = 1 - beta1 ** steps;
      const correction2 = 1 - beta2 ** steps;
      for (let index = 0; index < length; index += 1) {
        const slope = gradient[index] ?? 0;
        first[index] = beta1 * (first[index] ?? 0) + (1 - beta1) * slope;
        second[index] = beta2 * (second[index] ?? 0) + (1 - beta2) * slope * slope;
      }
      update(
        parameters,
        (index) =>
          (rate * ((first[index] ?? 0) / correction1)) / (Math.sqrt((second[index] ?? 0) / correction2) + epsilon),
      );
    },
    state: () => ({ steps, moments: [[...first], [...second]] }),
  };
}

function remembered(state: OptimiserState | undefined, moment: number, length: number): Float64Array {
  return Float64Array.from(state?.moments[moment] ?? new Float64Array(length));
}

/** θᵢ ← θᵢ − step(i). */
function update(parameters: Float64Array, step: (index: number) => number): void {
  for (const [index, value] of parameters.entries()) parameters[index] = value - step(index);
}
