/**
 * A network with one hidden layer, and its gradient: a function of parameters and records that knows nothing of who holds them.
 * In place of it a program of your own may have any other that is a sum over records.
 *
 *     hidden = tanh(W₁·x + b₁)     scores = W₂·hidden + b₂     loss = −ln softmax(scores)[digit]
 *
 * Parameters stand in one vector: W₁ row by row, b₁, W₂ row by row, b₂.
 */
import type { Digits } from './data.ts';
import { uniform } from './random.ts';

export interface Shape {
  readonly inputs: number;
  readonly hidden: number;
  readonly outputs: number;
}

/** 64 pixels, 10 digits. */
export function shapeOf(hidden: number): Shape {
  return { inputs: 64, hidden, outputs: 10 };
}

export function parameterCount({ inputs, hidden, outputs }: Shape): number {
  return hidden * (inputs + 1) + outputs * (hidden + 1);
}

/** Weights drawn evenly from ±√(6/(in + out)) of their layer (Glorot & Bengio 2010), biases 0; the same for the same seed. */
export function initialParameters({ inputs, hidden, outputs }: Shape, seed: number): Float64Array {
  const parameters = new Float64Array(parameterCount({ inputs, hidden, outputs }));
  const next = uniform(seed);
  const fill = (from: number, count: number, range: number): void => {
    for (let index = from; index < from + count; index += 1) parameters[index] = range * (2 * next() - 1);
  };
  fill(0, hidden * inputs, Math.sqrt(6 / (inputs + hidden)));
  fill(hidden * (inputs + 1), outputs * hidden, Math.sqrt(6 / (hidden + outputs)));
  return parameters;
}

/**
 * What one owner's records say about parameters: the gradient of the loss summed over them, then the summed loss, then how many
 * records they are. No value is divided by anything, so that the vectors of owners can be added.
 */
export function gradientSums(network: Shape, parameters: Float64Array, { pixels, digits }: Digits): Float64Array {
  const { inputs, hidden, outputs } = network;
  const [b1, w2, b2, end] = offsets(network);
  const sums = new Float64Array(end + 2);
  const activations = new Float64Array(hidden);
  const errors = new Float64Array(outputs);
  for (const [record, digit] of digits.entries()) {
    const input = pixels.subarray(record * inputs, (record + 1) * inputs);
    forward(network, parameters, input, activations, errors);
    sums[end] = at(sums, end) - Math.log(at(errors, digit));
    // The loss falls with the scores by softmax minus one-hot.
    errors[digit] = at(errors, digit) - 1;
    for (let unit = 0; unit < hidden; unit += 1) {
      const activation = at(activations, unit);
      let back = 0;
      for (let output = 0; output < outputs; output += 1) {
        const weight = w2 + output * hidden + unit;
        back += at(errors, output) * at(parameters, weight);
        sums[weight] = at(sums, weight) + at(errors, output) * activation;
      }
      back *= 1 - activation * activation;
      sums[b1 + unit] = at(sums, b1 + unit) + back;
      for (let index = 0; index < inputs; index += 1) {
        const weight = unit * inputs + index;
        sums[weight] = at(sums, weight) + back * at(input, index);
      }
    }
    for (let output = 0; output < outputs; output += 1) sums[b2 + output] = at(sums, b2 + output) + at(errors, output);
  }
  sums[end + 1] = digits.length;
  return sums;
}

/** The share of records whose greatest score is that of their digit. */
export function accuracy(network: Shape, parameters: Float64Array, { pixels, digits }: Digits): number {
  const { inputs, hidden, outputs } = network;
  const activations = new Float64Array(hidden);
  const chances = new Float64Array(outputs);
  let correct = 0;
  for (const [record, digit] of digits.entries()) {
    forward(network, parameters, pixels.subarray(record * inputs, (record + 1) * inputs), activations, chances);
    if (chances.indexOf(Math.max(...chances)) === digit) correct += 1;
  }
  return correct / digits.length;
}

/** Where b₁, W₂ and b₂ begin, and where all ends. */
function offsets({ inputs, hidden, outputs }: Shape): [number, number, number, number] {
  const b1 = hidden * inputs;
  const w2 = b1 + hidden;
  const b2 = w2 + outputs * hidden;
  return [b1, w2, b2, b2 + outputs];
}

/** Writes the hidden activations and the softmax of the scores. */
function forward(
  network: Shape,
  parameters: Float64Array,
  input: Float64Array,
  activations: Float64Array,
  chances: Float64Array,
): void {
  const { inputs, hidden, outputs } = network;
  const [b1, w2, b2] = offsets(network);
  for (let unit = 0; unit < hidden; unit += 1) {
    let sum = at(parameters, b1 + unit);
    for (let index = 0; index < inputs; index += 1) sum += at(parameters, unit * inputs + index) * at(input, index);
    activations[unit] = Math.tanh(sum);
  }
  let greatest = Number.NEGATIVE_INFINITY;
  for (let output = 0; output < outputs; output += 1) {
    let score = at(parameters, b2 + output);
    for (let unit = 0; unit < hidden; unit += 1)
      score += at(parameters, w2 + output * hidden + unit) * at(activations, unit);
    chances[output] = score;
    greatest = Math.max(greatest, score);
  }
  let total = 0;
  for (let output = 0; output < outputs; output += 1) {
    const power = Math.exp(at(chances, output) - greatest);
    chances[output] = power;
    total += power;
  }
  for (let output = 0; output < outputs; output += 1) chances[output] = at(chances, output) / total;
}

function at(values: Float64Array, index: number): number {
  return values[index] ?? 0;
}
