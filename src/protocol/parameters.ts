/**
 * A model's parameters as they travel: IEEE 754 doubles, least significant byte first, one after the other, in base64url without
 * padding. A million of them are 10.7 MB that are signed, hashed and read as one text; as JSON numbers they were twice as
 * long, and a list to build, check and write for everybody who looks at the message.
 */
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import { fromBase64Url, toBase64Url } from '../platform/bytes.ts';

/** As many as there can be. */
const mostParameters = 10_000_000;
const bytesEach = Float64Array.BYTES_PER_ELEMENT;

/** @param values finite; a zero is written without its sign */
export function encodeParameters(values: ArrayLike<number>): string {
  const doubles = new Float64Array(values.length);
  for (let index = 0; index < values.length; index += 1) doubles[index] = (values[index] ?? 0) + 0;
  return toBase64Url(littleEndian(doubles));
}

/** @throws SealsumError message_invalid with field `parameters` unless it is what encodeParameters() gives */
export function decodeParameters(text: string): Float64Array {
  const doubles = new Float64Array(Math.floor(countParameters(text)));
  readPortions(text, (values, from) => {
    doubles.set(values, from);
  });
  return doubles;
}

/** Some thousands at a time: whoever only checks a million needs no memory for all of them. @throws SealsumError message_invalid */
function readPortions(text: string, take: (values: Float64Array, from: number) => void): void {
  if (!isCanonical(text)) throw invalid('expected doubles in base64url without padding');
  for (let at = 0; at < text.length; at += portionCharacters) {
    const values = new Float64Array(fromBase64Url(text.slice(at, at + portionCharacters)).buffer);
    littleEndian(values);
    const from = (at / charactersOfThree) * 3;
    for (let index = 0; index < values.length; index += 1) {
      const value = values[index];
      if (!Number.isFinite(value)) throw invalid(`value ${from + index} is no finite number`);
      if (Object.is(value, -0)) throw invalid(`value ${from + index} is a zero with a sign`);
    }
    take(values, from);
  }
}

/** Three doubles are a whole number of characters. */
const charactersOfThree = 32;
const portionCharacters = 2048 * charactersOfThree;

/** How many there are in a text of them. */
export function countParameters(text: string): number {
  return Math.floor((text.length * 3) / 4) / bytesEach;
}

/** Whether a text is the only one for its bytes (RFC 4648, sections 3.5 and 5), and these are whole doubles. */
function isCanonical(text: string): boolean {
  if (!Number.isInteger(countParameters(text)) || !/^[A-Za-z0-9_-]*$/.test(text)) return false;
  // Eight bytes are 10⅔ characters: of the last one, 0, 2 or 4 bits are none of any byte, and must be zeros.
  const rest = text.length % 4;
  if (rest === 1) return false;
  return rest === 0 || (rest === 2 ? 'AQgw' : 'AEIMQUYcgkosw048').includes(text.slice(-1));
}

export const parametersSchema: z.ZodType<string> = z
  .string()
  .max(Math.ceil((mostParameters * bytesEach * 4) / 3))
  .superRefine((text, context) => {
    try {
      readPortions(text, () => undefined);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message.replace(/^parameters: /, '') });
    }
  });

function invalid(why: string): SealsumError {
  return new SealsumError('message_invalid', `parameters: ${why}`, { field: 'parameters' });
}

/** Turns this machine's doubles into those that travel, or back, in place. @returns their memory */
function littleEndian(doubles: Float64Array<ArrayBuffer>): Uint8Array {
  const bytes = new Uint8Array(doubles.buffer);
  if (isBigEndian) for (let at = 0; at < bytes.length; at += bytesEach) bytes.subarray(at, at + bytesEach).reverse();
  return bytes;
}

const isBigEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 0;
