/**
 * The parts of an ONNX model (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) that are needed to write one: nodes, constants,
 * inputs and outputs. Field numbers are those of onnx.proto.
 */
import { MessageWriter } from './protobuf.ts';

/** What a tensor holds (TensorProto.DataType). */
const dataTypes = { int64: 7, string: 8, bool: 9, double: 11 } as const;
export type TensorType = keyof typeof dataTypes;

/** The domain of operators for classical models. */
export const machineLearningDomain = 'ai.onnx.ml';

export interface Value {
  readonly name: string;
  readonly type: 'double' | 'string';
  /** The size of every dimension after the first, which is the number of rows. */
  readonly dimensions: readonly number[];
  /** For people. */
  readonly description?: string;
}

type AttributeValue = number | readonly number[] | readonly string[];

/** A graph while it is written: every step gives the name of the tensor that it makes. */
export class OnnxGraph {
  readonly #nodes: MessageWriter[] = [];
  readonly #constants: MessageWriter[] = [];
  readonly #inputs: MessageWriter[] = [];
  readonly #outputs: MessageWriter[] = [];
  readonly #unique: (wish: string) => string;

  /** @param unique gives names that no input or output has */
  constructor(unique: (wish: string) => string) {
    this.#unique = unique;
  }

  input(value: Value): string {
    this.#inputs.push(valueInfo(value));
    return value.name;
  }

  /** @param from the name of the tensor that it shows */
  output(value: Value, from: string): void {
    this.#outputs.push(valueInfo(value));
    this.#nodes.push(node('Identity', [from], value.name, {}, ''));
  }

  operator(
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    domain = '',
  ): string {
    const output = this.#unique(`${type}_${this.#nodes.length + 1}`);
    this.#nodes.push(node(type, inputs, output, attributes, domain));
    return output;
  }

  doubles(name: string, dimensions: readonly number[], values: readonly number[]): string {
    const raw = new DataView(new ArrayBuffer(8 * values.length));
    for (const [index, value] of values.entries()) raw.setFloat64(8 * index, value, true);
    return this.#constant(name, 'double', dimensions, (tensor) => tensor.bytes(9, new Uint8Array(raw.buffer)));
  }

  booleans(name: string, dimensions: readonly number[], values: readonly boolean[]): string {
    return this.#constant(name, 'bool', dimensions, (tensor) => tensor.bytes(9, Uint8Array.from(values, Number)));
  }

  /** @param values safe integers */
  integers(name: string, dimensions: readonly number[], values: readonly number[]): string {
    const raw = new DataView(new ArrayBuffer(8 * values.length));
    for (const [index, value] of values.entries()) raw.setBigInt64(8 * index, BigInt(value), true);
    return this.#constant(name, 'int64', dimensions, (tensor) => tensor.bytes(9, new Uint8Array(raw.buffer)));
  }

  strings(name: string, dimensions: readonly number[], values: readonly string[]): string {
    return this.#constant(name, 'string', dimensions, (tensor) => tensor.texts(6, values));
  }

  finish(name: string, description: string): MessageWriter {
    return new MessageWriter()
      .messages(1, this.#nodes)
      .text(2, name)
      .messages(5, this.#constants)
      .text(10, description)
      .messages(11, this.#inputs)
      .messages(12, this.#outputs);
  }

  #constant(
    wish: string,
    type: TensorType,
    dimensions: readonly number[],
    fill: (tensor: MessageWriter) => MessageWriter,
  ): string {
    const name = this.#unique(wish);
    const tensor = new MessageWriter().integers(1, dimensions).integer(2, dataTypes[type]);
    this.#constants.push(fill(tensor).text(8, name));
    return name;
  }
}

function node(
  type: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, AttributeValue>>,
  domain: string,
): MessageWriter {
  return new MessageWriter()
    .texts(1, inputs)
    .texts(2, [output])
    .text(3, output)
    .text(4, type)
    .messages(
      5,
      Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    )
    .text(7, domain);
}

/** AttributeProto: an INT, INTS or STRINGS. */
function attribute(name: string, value: AttributeValue): MessageWriter {
  const named = new MessageWriter().text(1, name);
  if (typeof value === 'number') return named.integer(3, value).integer(20, 2);
  if (isTexts(value)) return named.texts(9, value).integer(20, 8);
  return named.integers(8, value).integer(20, 7);
}

function isTexts(values: readonly number[] | readonly string[]): values is readonly string[] {
  return typeof values[0] === 'string';
}

function valueInfo({ name, type, dimensions, description }: Value): MessageWriter {
  const rows = new MessageWriter().text(2, 'rows');
  const sizes = dimensions.map((size) => new MessageWriter().integer(1, size));
  const shape = new MessageWriter().messages(1, [rows, ...sizes]);
  const tensor = new MessageWriter().integer(1, dataTypes[type]).message(2, shape);
  const info = new MessageWriter().text(1, name).message(2, new MessageWriter().message(1, tensor));
  return description === undefined ? info : info.text(3, description);
}
