/**
 * Just enough of protocol buffers to write a message: variable-length integers and length-delimited fields, which is all that
 * ONNX needs (https://protobuf.dev/programming-guides/encoding/).
 */

const lengthDelimited = 2;

/** A message as the fields it is made of, in the order in which they are written. */
export class MessageWriter {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** @param value a safe integer, not negative */
  integer(field: number, value: number): this {
    this.#push(varint(field * 8));
    this.#push(varint(value));
    return this;
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  bytes(field: number, value: Uint8Array): this {
    this.#push(varint(field * 8 + lengthDelimited));
    this.#push(varint(value.length));
    this.#push(value);
    return this;
  }

  message(field: number, value: MessageWriter): this {
    return this.bytes(field, value.finish());
  }

  messages(field: number, values: readonly MessageWriter[]): this {
    for (const value of values) this.message(field, value);
    return this;
  }

  texts(field: number, values: readonly string[]): this {
    for (const value of values) this.text(field, value);
    return this;
  }

  /** Not packed, one field for each: every reader takes these. */
  integers(field: number, values: readonly number[]): this {
    for (const value of values) this.integer(field, value);
    return this;
  }

  finish(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.#length);
    let offset = 0;
    for (const part of this.#parts) {
      all.set(part, offset);
      offset += part.length;
    }
    return all;
  }

  #push(part: Uint8Array): void {
    this.#parts.push(part);
    this.#length += part.length;
  }
}

/** Seven bits a byte, the lowest first; all but the last with the highest bit set. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
