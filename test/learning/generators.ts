/** What the properties of this folder draw from. */
import fc from 'fast-check';
import type { Records } from '../../src/learning/features.ts';

/** Numbers as features have them: within [−1, 1], the ends and zero among them. */
export const scaled: fc.Arbitrary<number> = fc.oneof(
  { weight: 8, arbitrary: fc.double({ min: -1, max: 1, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(-1, 0, 1, 2 ** -41, -(2 ** -41), 1 - 2 ** -53) },
);

/** Records of a width, the intercept included, with targets drawn from `targets`. */
export function recordsOf(
  width: number,
  targets: fc.Arbitrary<number> = scaled,
  size: { minLength?: number; maxLength?: number } = { minLength: 1, maxLength: 20 },
): fc.Arbitrary<Records> {
  const record = fc.tuple(fc.array(scaled, { minLength: width - 1, maxLength: width - 1 }), targets);
  return fc.array(record, size).map((all) => ({
    count: all.length,
    width,
    x: Float64Array.from(all.flatMap(([row]) => [1, ...row])),
    y: Float64Array.from(all, ([, target]) => target),
    lines: Int32Array.from(all, (_, index) => index + 1),
    dropped: 0,
  }));
}

/** The records at the given positions. */
export function pick(records: Records, positions: readonly number[]): Records {
  const { width, x, y, lines } = records;
  return {
    count: positions.length,
    width,
    x: Float64Array.from(positions.flatMap((position) => [...x.subarray(position * width, (position + 1) * width)])),
    y: Float64Array.from(positions, (position) => y[position] ?? Number.NaN),
    lines: Int32Array.from(positions, (position) => lines[position] ?? 0),
    dropped: 0,
  };
}
