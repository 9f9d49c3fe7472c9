/** What the stores write as text or bytes, and read again. */

declare const of: unique symbol;

/** The JSON of a T, as one of our stores has written it. */
export type Json<T> = string & { readonly [of]: T };

export function toJson<T>(value: T): Json<T> {
  return JSON.stringify(value) as Json<T>;
}

export function fromJson<T>(json: Json<T>): T {
  return JSON.parse(json) as T;
}

/** The same bytes as what every other reader of bytes expects, not as the driver's Buffer; without a copy. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Rows that go into one statement: both databases allow some ten thousand parameters. */
const rowsAtATime = 500;

/** A list in pieces that fit a statement each; nothing for an empty one. */
export function* piecesOf<T>(list: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < list.length; start += rowsAtATime) yield list.slice(start, start + rowsAtATime);
}
