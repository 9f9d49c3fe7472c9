/** Small models of y = a·x + b that owners train by local epochs of gradient descent, and the same in plain numbers. */
import type { AveragingOptions } from '../../src/averaging/options.ts';
import {
  type ParticipateOptions,
  type ParticipationSummary,
  participate,
  type Trained,
} from '../../src/averaging/participate.ts';
import { type NamedTensors, tensorOf } from '../../src/averaging/tensors.ts';

export type Line = readonly [slope: number, intercept: number];
export type Examples = readonly (readonly [x: number, y: number])[];

/** Of y = 3x − 1, each owner with examples of its own, which are not alike. */
export const examplesOf: readonly Examples[] = [
  [0, 0.5, 1, 1.5].map((x) => [x, 3 * x - 1 + 0.1 * Math.sin(7 * x)]),
  [-1, -0.5].map((x) => [x, 3 * x - 1 + 0.1 * Math.cos(5 * x)]),
  [-0.75, 0.25, 2].map((x) => [x, 3 * x - 1.2]),
];

/** So many epochs of full-batch gradient descent on the mean squared error. */
export function trainLine([slope, intercept]: Line, examples: Examples, epochs: number, rate: number): Line {
  let [a, b] = [slope, intercept];
  for (let epoch = 0; epoch < epochs; epoch += 1) {
    const errors = examples.map(([x, y]) => a * x + b - y);
    const downA = errors.reduce((sum, error, index) => sum + error * (examples[index]?.[0] ?? 0), 0) / examples.length;
    const downB = errors.reduce((sum, error) => sum + error, 0) / examples.length;
    a -= rate * downA;
    b -= rate * downB;
  }
  return [a, b];
}

/** What federated averaging makes of a line in a round, in plain numbers. */
export function averageLines(lines: readonly { readonly line: Line; readonly weight: number }[]): Line {
  const total = lines.reduce((sum, { weight }) => sum + weight, 0);
  const mean = (index: 0 | 1): number => lines.reduce((sum, { line, weight }) => sum + weight * line[index], 0) / total;
  return [mean(0), mean(1)];
}

export const lineOf = (model: NamedTensors): Line => [
  model.get('slope')?.values[0] ?? Number.NaN,
  model.get('intercept')?.values[0] ?? Number.NaN,
];

export const modelOf = ([slope, intercept]: Line): NamedTensors =>
  new Map([
    ['slope', tensorOf([slope], [1, 1])],
    ['intercept', tensorOf([intercept], [])],
  ]);

export function trained(model: NamedTensors, examples: Examples, epochs: number, rate: number): Trained {
  return { parameters: modelOf(trainLine(lineOf(model), examples, epochs, rate)), weight: examples.length };
}

/** What every averaging of these tests has unless told: small keys, and rounds that nobody waits for long. */
export const small: AveragingOptions = { initial: modelOf([0, 0]), keyBits: 2048, timeout: 60, id: 'sum-1' };

/** participate(), whose failure is that of whoever waits for it, and not of the process. */
export function takePart(options: ParticipateOptions): Promise<ParticipationSummary> {
  const done = participate(options);
  done.catch(() => undefined);
  return done;
}

/** What is waited for until somebody opens it. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return {
    opened,
    open: () => {
      open();
    },
  };
}
