/**
 * What a model owner makes of an average: the strategies of Flower, by its formulas and with its defaults (flwr.server.strategy).
 * With x the parameters that a round brought, a the average of what its owners made of them, Δ = a − x, and t the round:
 *
 *     FedAvg       x ← a                                                       McMahan et al. 2017, Algorithm 1
 *     FedAvgM      v ← μ·v − Δ, x ← x − η·v; v = −Δ at first                    Hsu, Qi, Brown 2019
 *     FedAdam      v ← β₂·v + (1 − β₂)·Δ², x ← x + η·√(1 − β₂^(t+1))/(1 − β₁^(t+1))·m/(√v + τ)
 *     FedYogi      v ← v − (1 − β₂)·Δ²·sign(v − Δ²), x ← x + η·m/(√v + τ)
 *     FedAdagrad   v ← v + Δ², x ← x + η·m/(√v + τ), β₁ = 0                    Reddi et al. 2021, Algorithm 2
 *
 * with m ← β₁·m + (1 − β₁)·Δ in the last three, and m and v zero at first. All are pure functions: what a strategy remembers is
 * handed back to it.
 */
import { SealsumError } from '../errors.ts';

/** What a strategy remembers from round to round, as many numbers each as there are parameters; none before the first. */
export type StrategyMemory = readonly Float64Array[];

export interface StrategyStep {
  /** The round's number, counted from 1; one that was abandoned counts. */
  readonly round: number;
  /** What the round brought its owners. */
  readonly parameters: Float64Array;
  /** The weighted average of what they made of it. */
  readonly average: Float64Array;
  readonly memory: StrategyMemory;
}

export interface StrategyResult {
  readonly parameters: Float64Array;
  readonly memory: StrategyMemory;
}

/**
 * What becomes of the averaged parameters of a round: the model's next ones, and what is remembered for the next round.
 */
export type Strategy = (step: StrategyStep) => StrategyResult;

/** The average itself. */
export function fedAvg(): Strategy {
  return ({ average }) => ({ parameters: average.slice(), memory: [] });
}

/** Of averaging with momentum (Hsu, Qi, Brown 2019). */
export interface FedAvgMOptions {
  /** η; 1 unless given. */
  readonly serverLearningRate?: number;
  /** μ, from 0 to below 1; 0 unless given. */
  readonly serverMomentum?: number;
}

/** A step of gradient descent with momentum, by the owners' mean change. @throws SealsumError model_invalid */
export function fedAvgM({ serverLearningRate: rate = 1, serverMomentum: keep = 0 }: FedAvgMOptions = {}): Strategy {
  requirePositive('serverLearningRate', rate);
  requireFraction('serverMomentum', keep);
  if (rate === 1 && keep === 0) return fedAvg();
  return ({ parameters, average, memory: [before] }) => {
    const velocity = parameters.map((value, index) => {
      const descent = value - at(average, index);
      return keep === 0 || before === undefined ? descent : keep * at(before, index) + descent;
    });
    return {
      parameters: parameters.map((value, index) => value - rate * at(velocity, index)),
      memory: keep === 0 ? [] : [velocity],
    };
  };
}

/** Of the adaptive strategies (Reddi et al. 2021, “Adaptive Federated Optimization”); Flower's names and defaults. */
export interface AdaptiveOptions {
  /** η, the learning rate of the server. */
  readonly eta?: number;
  /** τ, which keeps from dividing by zero: the greater, the less the steps adapt. */
  readonly tau?: number;
}

/** Of FedAdam and FedYogi. */
export interface FedAdamOptions extends AdaptiveOptions {
  /** How much is kept of the mean of Δ. */
  readonly beta1?: number;
  /** How much is kept of the mean of Δ². */
  readonly beta2?: number;
}

/** η = 0.1, β₁ = 0.9, β₂ = 0.99, τ = 10⁻⁹ unless given. @throws SealsumError model_invalid */
export function fedAdam({ eta = 0.1, beta1 = 0.9, beta2 = 0.99, tau = 1e-9 }: FedAdamOptions = {}): Strategy {
  // Flower counts the round after this one, and so does this.
  const rate = (round: number): number => (eta * Math.sqrt(1 - beta2 ** (round + 1))) / (1 - beta1 ** (round + 1));
  const second = (before: number, square: number): number => beta2 * before + (1 - beta2) * square;
  return adaptive({ eta, tau, beta1, beta2 }, { rate, second });
}

/** η = 0.01, β₁ = 0.9, β₂ = 0.99, τ = 10⁻³ unless given. @throws SealsumError model_invalid */
export function fedYogi({ eta = 0.01, beta1 = 0.9, beta2 = 0.99, tau = 1e-3 }: FedAdamOptions = {}): Strategy {
  const second = (before: number, square: number): number => before - (1 - beta2) * square * Math.sign(before - square);
  return adaptive({ eta, tau, beta1, beta2 }, { second });
}

/** η = 0.1, τ = 10⁻⁹ unless given. @throws SealsumError model_invalid */
export function fedAdagrad({ eta = 0.1, tau = 1e-9 }: AdaptiveOptions = {}): Strategy {
  return adaptive({ eta, tau, beta1: 0, beta2: 0 }, { second: (before, square) => before + square });
}

interface Adaptive {
  /** The learning rate of a round; η unless given. */
  readonly rate?: (round: number) => number;
  /** v of one parameter, from what it was and Δ². */
  readonly second: (before: number, square: number) => number;
}

function adaptive(settings: Required<FedAdamOptions>, { rate, second }: Adaptive): Strategy {
  const { eta, tau, beta1, beta2 } = settings;
  requirePositive('eta', eta);
  requirePositive('tau', tau);
  requireFraction('beta1', beta1);
  requireFraction('beta2', beta2);
  return ({ round, parameters, average, memory }) => {
    const [first = new Float64Array(parameters.length), squares = new Float64Array(parameters.length)] = memory;
    const change = average.map((value, index) => value - at(parameters, index));
    const mean = first.map((before, index) => beta1 * before + (1 - beta1) * at(change, index));
    const spread = squares.map((before, index) => second(before, at(change, index) ** 2));
    const step = rate?.(round) ?? eta;
    return {
      parameters: parameters.map(
        (value, index) => value + (step * at(mean, index)) / (Math.sqrt(at(spread, index)) + tau),
      ),
      memory: [mean, spread],
    };
  };
}

function at(values: Float64Array, index: number): number {
  return values[index] as number;
}

function requirePositive(field: string, value: number): void {
  if (Number.isFinite(value) && value > 0) return;
  throw new SealsumError('model_invalid', `${field}: expected a finite number above 0`, { field });
}

function requireFraction(field: string, value: number): void {
  if (value >= 0 && value < 1) return;
  throw new SealsumError('model_invalid', `${field}: expected a number from 0 to below 1`, { field });
}
