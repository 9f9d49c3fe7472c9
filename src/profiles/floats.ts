/** Floating-point numbers of two bytes, little-endian as in files: IEEE 754 binary16, and bfloat16, the upper half of a binary32. */
import { roundHalfEven } from '../encoding/fixed-point.ts';

export interface SmallFloat {
  /** Bits of the exponent, and of the fraction. */
  readonly exponent: number;
  readonly fraction: number;
}

export const binary16: SmallFloat = { exponent: 5, fraction: 10 };
export const bfloat16: SmallFloat = { exponent: 8, fraction: 7 };

/** The number that 16 bits stand for, exactly. */
export function decodeSmall({ exponent, fraction }: SmallFloat, bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const raised = (bits & 0x7fff) >> fraction;
  const rest = bits & ((1 << fraction) - 1);
  const bias = 2 ** (exponent - 1) - 1;
  if (raised === 2 ** exponent - 1) return rest === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (raised === 0) return sign * rest * 2 ** (1 - bias - fraction);
  return sign * (2 ** fraction + rest) * 2 ** (raised - bias - fraction);
}

/** The nearest number's bits, the even one of two that are as near; undefined: what is finite would become infinite. */
export function encodeSmall({ exponent, fraction }: SmallFloat, value: number): number | undefined {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  const bias = 2 ** (exponent - 1) - 1;
  const least = 1 - bias;
  // A power of two at most, so that what follows is exact; below 2^least all numbers are as far apart as there.
  const raised = magnitude < 2 ** least ? least : exponentOf(magnitude);
  const units = roundHalfEven(magnitude / 2 ** (raised - fraction));
  // In units of the last place the bits of a positive number count up from 0, from one exponent to the next.
  const bits = (raised - least) * 2 ** fraction + units;
  return bits < (2 ** exponent - 1) * 2 ** fraction ? sign | bits : undefined;
}

/** The exponent of the greatest power of two that is at most this, a normal double. */
function exponentOf(magnitude: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, magnitude);
  return (view.getUint16(0) >> 4) - 1023;
}
